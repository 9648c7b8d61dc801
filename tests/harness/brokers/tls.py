"""tls.py - certificates for the tests, good ones and bad ones
SPDX-License-Identifier: MIT
"""

import copy
import subprocess
from pathlib import Path

SERVER = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth"
ELSEWHERE = "subjectAltName=DNS:elsewhere.test\nextendedKeyUsage=serverAuth"
CLIENT = "subjectAltName=DNS:client.test\nextendedKeyUsage=clientAuth"


class Authority:
    """Makes keys and certificates (PEM, EC P-256, keys in PKCS #8 and without a password) in a folder
    by the openssl tool. Attributes are paths; that of a certificate has its key beside it:

    ca                                       who signed all of the following but `stranger_*`
    server_certificate, server_key           for localhost and 127.0.0.1
    wrong_host_certificate, wrong_host_key   for elsewhere.test alone
    expired_certificate, expired_key         for localhost and 127.0.0.1, until yesterday
    client_certificate, client_key           CN=client
    other_ca                                 another authority, which nobody trusts
    stranger_certificate, stranger_key       for localhost and 127.0.0.1, of other_ca
    stranger_client_certificate, stranger_client_key   CN=client, of other_ca
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self._authority("ca")
        self._authority("other_ca")
        self._signed("server", "localhost", SERVER)
        self._signed("wrong_host", "elsewhere.test", ELSEWHERE)
        self._signed("expired", "localhost", SERVER, days=-1)
        self._signed("client", "client", CLIENT)
        self._signed("stranger", "localhost", SERVER, by="other_ca")
        self._signed("stranger_client", "client", CLIENT, by="other_ca")

    def presenting(self, name):
        """The same, for a server that shows another certificate: "wrong_host", "expired" or
        "stranger" in the place of its own."""
        other = copy.copy(self)
        other.server_certificate = getattr(self, f"{name}_certificate")
        other.server_key = getattr(self, f"{name}_key")
        return other

    def _authority(self, name):
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}_key.pem"
        self._key(key)
        openssl(
            "req", "-x509", "-new", "-key", key, "-out", certificate, "-days", "30",
            "-subj", f"/CN=Outbox test {name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        setattr(self, name, certificate)
        setattr(self, f"{name}_key", key)

    def _signed(self, name, common_name, extensions, days=30, by="ca"):
        certificate, key = self.folder / f"{name}_certificate.pem", self.folder / f"{name}_key.pem"
        request, extension_file = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extension_file.write_text(
            f"basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n{extensions}\n"
        )
        self._key(key)
        openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={common_name}")
        openssl(
            "x509", "-req", "-in", request, "-out", certificate, "-days", str(days),
            "-CA", self.folder / f"{by}.pem", "-CAkey", self.folder / f"{by}_key.pem",
            "-CAcreateserial", "-extfile", extension_file,
        )  # fmt: skip
        request.unlink()
        extension_file.unlink()
        setattr(self, f"{name}_certificate", certificate)
        setattr(self, f"{name}_key", key)

    def _key(self, path):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        path.chmod(0o644)  # a server may run as a user of its own


def openssl(*arguments):
    done = subprocess.run(
        ["openssl", *[str(argument) for argument in arguments]], capture_output=True, text=True
    )
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"
