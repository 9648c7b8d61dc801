"""redis.py - a private Redis server, and its streams as python3-redis reads them
SPDX-License-Identifier: MIT
"""

import subprocess

import redis as client

from .. import processes
from ..postgres import free_port
from .base import Broker, Received

USER, PASSWORD = "relay", "relay-secret"
ADMIN_PASSWORD = "admin-secret"  # of the user "default", whom the tests alone know

# Every reply waits for the disk: with "everysec" Redis may answer up to two seconds before it even
# writes, while an earlier fsync still runs, and so loses what it had confirmed when it is killed.
SETTINGS = {
    "bind": "127.0.0.1",
    "save": '""',
    "appendonly": "yes",
    "appendfsync": "always",
    "auto-aof-rewrite-percentage": "0",
    "daemonize": "no",
    "proto-max-bulk-len": "512mb",
    "maxmemory-policy": "noeviction",
}

HEADER = b"header:"
PAGE = 10_000  # entries


class Redis(Broker):
    """Settings of redis.conf may be given by name, with "_" for "-"."""

    name = "redis"
    can_be_full = True
    secure = ("tls", "password")

    def __init__(self, secure=False, **changes):
        super().__init__(secure)
        self.settings = dict(SETTINGS)
        self.settings.update({name.replace("_", "-"): value for name, value in changes.items()})

    # ---- running ----

    def start(self):
        # A port that was free may be taken when the server asks for it: then another one is tried.
        is_new = self.port is None
        for attempt in range(5):
            if is_new:
                self.port = free_port()
            self._spawn()
            try:
                self.wait_answers(self._answers)
                return self
            except RuntimeError:
                if not is_new or attempt == 4:
                    raise
        return self

    def _spawn(self):
        config = self.folder / "redis.conf"
        config.write_text("".join(f"{line}\n" for line in self._lines()))
        with open(self.folder / "log", "ab") as log:
            self.process = processes.spawn(
                ["redis-server", config], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _lines(self):
        yield from self._listening()
        yield f"dir {self.folder}"
        yield f"unixsocket {self.folder / 'socket'}"
        for name, value in self.settings.items():
            yield f"{name} {value}"
        if self.secured:
            # Not off: Redis 7.0 would then leave out transactions when it loads its file.
            yield f"user default on >{ADMIN_PASSWORD} ~* &* +@all"
            yield f"user {USER} on >{PASSWORD} ~* &* +@all"

    def _listening(self):
        if not self.secured:
            yield f"port {self.port}"
            return
        yield "port 0"
        yield f"tls-port {self.port}"
        yield f"tls-cert-file {self.secured.server_certificate}"
        yield f"tls-key-file {self.secured.server_key}"
        yield f"tls-ca-cert-file {self.secured.ca}"
        yield "tls-auth-clients optional"

    def _answers(self):
        try:
            return self.client(socket_timeout=5).ping()
        except (client.ConnectionError, client.TimeoutError):  # it is loading, also
            return False

    def client(self, **options):
        """A client of the test's own."""
        if "requirepass" in self.settings:
            options["password"] = self.settings["requirepass"]
        if self.secured:
            options["password"] = ADMIN_PASSWORD
            options.update(
                ssl=True, ssl_cert_reqs="none",
                ssl_certfile=self.secured.client_certificate, ssl_keyfile=self.secured.client_key,
            )  # fmt: skip
        return client.Redis(host="127.0.0.1", port=self.port, **options)

    # ---- being published to ----

    def publisher(self, **changes):
        return self.publisher_through(self.port, **changes)

    def publisher_through(self, port, **changes):
        settings = {"driver": "redis", "url": f"redis://127.0.0.1:{port}"}
        if self.secured:
            settings.update(
                url=f"rediss://127.0.0.1:{port}", tls_ca=str(self.secured.ca),
                username=USER, password=PASSWORD,
            )  # fmt: skip
        return {**settings, **changes}

    def producer_arguments(self, topic):
        return [f"redis://127.0.0.1:{self.port}", topic]

    def topic(self, name):
        return name

    def read(self, topic):
        connection = self.client()
        found, start = [], b"-"
        while True:
            page = connection.xrange(topic, min=start, count=PAGE)
            found += [received(fields) for _, fields in page]
            if len(page) < PAGE:
                return found
            start = b"(" + page[-1][0]

    def count(self, topic):
        return self.client().xlen(topic)

    # ---- being full ----

    def fill(self, topic):
        self.client().config_set("maxmemory", 1)

    def make_room(self, topic):
        self.client().config_set("maxmemory", 0)


def received(fields):
    headers = {
        name.removeprefix(HEADER).decode(): value
        for name, value in fields.items()
        if name.startswith(HEADER)
    }
    event_id = headers.get("event-id", b"").decode()
    return Received(event_id, fields.get(b"key"), fields[b"payload"], headers)


def benchmark_server():
    """As Redis is meant to be used where data matters: on the disk within a second or two."""
    return Redis(appendfsync="everysec", auto_aof_rewrite_percentage="100")
