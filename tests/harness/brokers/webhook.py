"""webhook.py - a receiver of webhooks
SPDX-License-Identifier: MIT
"""

import base64
import json
import sys
from pathlib import Path
from urllib.parse import quote

from .. import processes
from .base import Broker, Received
from .nginx import Nginx

PROGRAM = Path(__file__).with_name("webhook_server.py")
USERNAME, PASSWORD = "relay", "correct horse battery staple"

# Of HTTP and of webhooks themselves, not of an event.
TRANSPORT = {
    "host", "content-length", "content-type", "accept", "user-agent", "authorization",
    "webhook-id", "webhook-timestamp", "webhook-signature",
}  # fmt: skip


class Webhook(Broker):
    """Answers 204 unless rules() say otherwise. `requests()` is everything that came, also what was
    not accepted; `read()` and `count()` are of what was accepted, the HTTP status being 2xx."""

    name = "webhook"
    can_be_full = True
    secure = ("tls", "password")
    wrong_password = {"password": "no-such-password"}
    header_names = "token"
    header_values = "line"
    unusable_header = "no name"

    def __init__(self, secure=False, client_ca=None, authorization=None):
        super().__init__(secure)
        self.client_ca = client_ca
        self.authorization = authorization
        if secure and authorization is None:
            pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
            self.authorization = f"Basic {pair}"
        self._offset = 0
        self._requests = []

    # ---- running ----

    def start(self):
        settings = {"port": self.port or 0}
        if self.secured:
            settings["certificate"] = str(self.secured.server_certificate)
            settings["key"] = str(self.secured.server_key)
        if self.client_ca:
            settings["client_ca"] = str(self.client_ca)
        if self.authorization:
            settings["authorization"] = self.authorization
        (self.folder / "settings.json").write_text(json.dumps(settings))
        told = self.folder / "port"
        told.unlink(missing_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = processes.spawn(
                [sys.executable, PROGRAM, self.folder], stdout=log, stderr=log
            )
        self.wait_answers(told.exists)
        self.port = int(told.read_text())
        return self

    # ---- being published to ----

    def publisher(self, **changes):
        return self.publisher_through(self.port, **changes)

    def publisher_through(self, port, **changes):
        scheme = "https" if self.secured else "http"
        settings = {"driver": "webhook", "url": f"{scheme}://localhost:{port}/{{topic}}"}
        if self.secured:
            settings.update(
                tls_ca=str(self.secured.ca), username=USERNAME, password=PASSWORD
            )
        return dict(settings, **changes)

    def topic(self, name):
        return name

    def requests(self):
        """Everything that came, in its order, as dicts: at, status, method, path, headers (a list of
        pairs), body (bytes), connection and in_flight (numbers)."""
        path = self.folder / "received.ndjson"
        if not path.exists():
            return []
        with open(path, "rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                request = json.loads(line)
                request["body"] = base64.b64decode(request["body"])
                self._requests.append(request)
        return self._requests

    def events(self):
        """The requests that carry an event: no pings."""
        return [one for one in self.requests() if one["method"] not in ("HEAD", "OPTIONS")]

    def accepted(self, topic):
        path = "/" + quote(topic, safe="")
        return [
            one for one in self.events() if one["path"] == path and 200 <= one["status"] < 300
        ]

    def read(self, topic):
        return [received(one) for one in self.accepted(topic)]

    def count(self, topic):
        return len(self.accepted(topic))

    # ---- answering ----

    def rules(self, *rules):
        """How requests are answered from now on: the first rule that fits counts. A rule is a dict:
        when it fits: methods (those that carry events), path, payload (a text within), times (how
        often); what it does: status, headers, body, delay (seconds), behave (a method of Connection).
        """
        written = self.folder / "rules.new"
        written.write_text(json.dumps(rules))
        written.rename(self.folder / "rules.json")

    # ---- being full ----

    def fill(self, topic):
        everything = ["POST", "PUT", "PATCH", "HEAD", "OPTIONS"]
        self.rules({"methods": everything, "status": 503, "headers": {"Retry-After": "1"}})

    def make_room(self, topic):
        self.rules()


class Fast:
    """nginx, as a broker to measure with: it takes events as fast as anybody could."""

    name = "webhook"
    window = 64

    def __init__(self):
        self.server = Nginx(tells=False)
        self.before = {}

    def start(self):
        self.server.start()
        return self

    def close(self):
        self.server.close()

    def topic(self, name):
        self.before[name] = self.server.requests()
        return name

    def publisher(self, **changes):
        url = self.server.url("/{topic}")
        return dict({"driver": "webhook", "url": url, "window": self.window}, **changes)

    def producer_arguments(self, topic):
        return ["--url", self.server.url(f"/{topic}"), "--window", self.window]

    def count(self, topic):
        """What came since topic() made it."""
        return self.server.requests() - self.before[topic]


def benchmark_server():
    return Fast()


def header(request, name):
    """The value of the one header of this name, as bytes; None if there is none."""
    found = [value for known, value in request["headers"] if known.lower() == name.lower()]
    assert len(found) <= 1, f"{name} came {len(found)} times"
    return found[0].encode("latin-1") if found else None


def received(request):
    headers = {
        name: value.encode("latin-1")
        for name, value in request["headers"]
        if name.lower() not in TRANSPORT | {"event-key"}
    }
    event_id = header(request, "event-id") or header(request, "webhook-id")
    return Received(event_id.decode(), header(request, "event-key"), request["body"], headers)
