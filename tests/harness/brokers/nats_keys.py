"""nats_keys.py - keys, seeds and tokens (JWT) as NATS has them, made by the openssl tool
SPDX-License-Identifier: MIT
"""

import base64
import binascii
import json
import struct
import subprocess
import time

SEED, KINDS = 18 << 3, {"operator": 14 << 3, "account": 0, "user": 20 << 3}
RAW = 32  # bytes at the end of a key in DER


class Key:
    """A new key of a kind. `public` and `seed` are text."""

    def __init__(self, folder, kind):
        self.kind = kind
        self.path = folder / f"{kind}-{time.monotonic_ns()}.pem"
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.path)
        secret = openssl("pkey", "-in", self.path, "-outform", "DER")[-RAW:]
        public = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-RAW:]
        prefix = KINDS[kind]
        self.public = text(bytes([prefix]) + public)
        self.seed = text(bytes([SEED | prefix >> 5, (prefix & 31) << 3]) + secret)

    def sign(self, data):
        message = self.path.with_suffix(".message")
        message.write_bytes(data)
        return openssl("pkeyutl", "-sign", "-inkey", self.path, "-rawin", "-in", message)

    def token(self, subject, **claims):
        """A JWT of this issuer about another key, or its own."""
        claims.update(type=subject.kind, version=2)
        body = {
            "jti": "none", "iat": int(time.time()), "iss": self.public, "sub": subject.public,
            "name": subject.kind, "nats": claims,
        }  # fmt: skip
        signed = b".".join(encoded(part) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body))
        return (signed + b"." + base64.urlsafe_b64encode(self.sign(signed)).rstrip(b"=")).decode()


class Accounts:
    """An operator with one account: what a server is told of it, and files for its users."""

    def __init__(self, folder):
        self.folder = folder
        self.operator, self.account = Key(folder, "operator"), Key(folder, "account")
        limits = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
        self.server_lines = [
            f"operator: {self.operator.token(self.operator)}",
            "resolver: MEMORY",
            f"resolver_preload: {{ {self.account.public}:"
            f" {self.operator.token(self.account, limits=limits)} }}",
        ]

    def credentials(self, signed_by=None):
        """The path of a file for a new user."""
        user = Key(self.folder, "user")
        token = (signed_by or self.account).token(user, subs=-1, data=-1, payload=-1, pub={}, sub={})
        path = self.folder / f"{user.public}.creds"
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )
        return path


def text(data):
    checksum = struct.pack("<H", binascii.crc_hqx(data, 0))
    return base64.b32encode(data + checksum).decode().rstrip("=")


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")


def openssl(*arguments):
    done = subprocess.run(["openssl", *[str(argument) for argument in arguments]], capture_output=True)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"
    return done.stdout
