"""collector.py - an OpenTelemetry Collector, and what arrived there
SPDX-License-Identifier: MIT
"""

import hashlib
import json
import socket
import subprocess
from pathlib import Path

import pytest

from . import processes, settings
from .otlp import log_records, metrics, spans
from .server import Server
from .waiting import wait_until

SOURCES = [settings.ROOT / "tests/collector" / name for name in ("main.go", "go.mod", "go.sum")]
CACHE = Path("/var/cache/outbox-relay-tests")
SIGNALS = ("traces", "metrics", "logs")

CONFIGURATION = """
receivers:
  otlp: {{ protocols: {{ http: {{ endpoint: "127.0.0.1:{port}"{more} }} }} }}
exporters:
  lines: {{ traces: "{folder}/traces", metrics: "{folder}/metrics", logs: "{folder}/logs" }}
service:
  telemetry: {{ metrics: {{ level: none }} }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [lines] }}
    metrics: {{ receivers: [otlp], exporters: [lines] }}
    logs: {{ receivers: [otlp], exporters: [lines] }}
"""


def program():
    """Where `./dev deps` puts what it builds of tests/collector."""
    version = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()[:12]
    return CACHE / f"collector-{version}"


def need():
    """Skips the test, with the reason, where there is none."""
    if not program().exists():
        pytest.skip("there is no OpenTelemetry Collector: ./dev deps builds one where Go is installed")


class Collector(Server):
    """It answers a request once what it understood stands in a file, so what a relay was told is
    accepted can be read at once. `authority` makes it serve TLS, and `client_ca` ask for a certificate."""

    name = "collector"

    def __init__(self, authority=None, client_ca=None):
        need()
        super().__init__()
        self.authority = authority
        self.client_ca = client_ca

    def start(self):
        return self.start_on_free_port(self._spawn, self._listens)

    @property
    def endpoint(self):
        """For OTEL_EXPORTER_OTLP_ENDPOINT: the path of each signal comes behind it."""
        if self.authority:
            return f"https://localhost:{self.port}"
        return f"http://127.0.0.1:{self.port}"

    def _spawn(self):
        more = ""
        if self.authority:
            client = f', client_ca_file: "{self.client_ca}"' if self.client_ca else ""
            more = (
                f', tls: {{ cert_file: "{self.authority.server_certificate}",'
                f' key_file: "{self.authority.server_key}"{client} }}'
            )
        config = self.folder / "config.yaml"
        config.write_text(CONFIGURATION.format(port=self.port, folder=self.folder, more=more))
        with open(self.folder / "log", "ab") as log:
            self.process = processes.spawn(
                [program(), "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    # ---- what arrived ----

    def requests(self, signal):
        """The requests of a signal ("traces", "metrics" or "logs"), decoded and in order, as OTLP JSON."""
        path = self.folder / signal
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        # A line without its end is still being written.
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def spans(self, name=None):
        """See otlp.Span; in the order of arrival."""
        return [span for span in spans(self.requests("traces")) if name in (None, span.name)]

    def metrics(self, name=None):
        """See otlp.Metric: one for each time that it arrived."""
        return [metric for metric in metrics(self.requests("metrics")) if name in (None, metric.name)]

    def logs(self):
        """See otlp.LogRecord."""
        return log_records(self.requests("logs"))

    def point(self, name, **attributes):
        """The latest point of a metric that has at least these attributes, or None."""
        for metric in reversed(self.metrics(name)):
            for point in metric.points:
                if attributes.items() <= point.attributes.items():
                    return point
        return None

    def wait(self, condition, what, timeout=None):
        """Until condition(), of what arrived, is true; returns what it returned."""
        return wait_until(
            condition, lambda: f"the collector receives {what}: {self._summary()}\n{self.log_tail()}",
            timeout, interval=0.05, meanwhile=self.assert_alive,
        )  # fmt: skip

    def _summary(self):
        return ", ".join(f"{len(self.requests(signal))} requests of {signal}" for signal in SIGNALS)
