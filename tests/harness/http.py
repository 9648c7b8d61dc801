"""http.py - asks a relay over HTTP
SPDX-License-Identifier: MIT
"""

import http.client
import json
import socket

from . import settings
from .waiting import wait_until

LISTEN = {"listen": "127.0.0.1:0"}  # a free port, which the log names


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = dict(response.getheaders())
        self.body = response.read()

    def json(self):
        assert self.headers["Content-Type"] == "application/json", self.headers
        return json.loads(self.body)


class Http:
    """The address of a relay that was started with a section http."""

    def __init__(self, relay):
        self.relay = relay
        listening = relay.wait_logged("http listens")
        self.address = listening[-1]["address"]
        host, _, port = self.address.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)

    @property
    def url(self):
        return f"http://{self.address}/"

    def ask(self, path, method="GET", body=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=settings.PATIENCE)
        try:
            connection.request(method, path, body)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, status=200):
        answer = self.ask(path)
        assert answer.status == status, f"{path}: {answer.status} {answer.body[:2000]!r}"
        return answer

    def connect(self):
        return socket.create_connection((self.host, self.port), timeout=settings.PATIENCE)

    def stats(self):
        return self.get("/stats").json()

    def pipeline(self, index=0):
        return self.stats()["pipelines"][index]

    def wait_pipeline(self, condition, what):
        """Until condition(pipeline) holds of the figures."""
        return wait_until(
            lambda: condition(self.pipeline()), lambda: f"{what}: {self.stats()}",
            meanwhile=self.relay.assert_running,
        )  # fmt: skip

    def wait_ready(self, status=200):
        """Until /readyz answers so; returns what it says."""
        return wait_until(
            lambda: (answer := self.ask("/readyz")).status == status and answer.json(),
            lambda: f"/readyz answers {status}: {self.ask('/readyz').body}",
            meanwhile=self.relay.assert_running,
        )  # fmt: skip
