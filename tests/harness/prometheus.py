"""prometheus.py - a Prometheus server that scrapes what a test tells it to
SPDX-License-Identifier: MIT
"""

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple

import pytest

from . import processes
from .server import Server
from .waiting import wait_until


class Sample(NamedTuple):
    labels: dict  # without the name
    value: float


def promtool(*arguments, stdin=None):
    """Runs the checker of rules, metrics and configurations; returns its completed process."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: ./dev deps")
    command = ["promtool", *[str(argument) for argument in arguments]]
    return subprocess.run(command, input=stdin or "", capture_output=True, text=True, timeout=60)


class Prometheus(Server):
    """Scrapes each target ("host:port", path /metrics) every second as job `outbox-relay`. `rules` are
    files of alert rules, evaluated every second too."""

    name = "prometheus"

    def __init__(self, *targets, rules=()):
        if shutil.which("prometheus") is None:
            pytest.skip("no Prometheus server is installed: ./dev deps")
        super().__init__()
        self.targets = list(targets)
        self.rules = [str(path) for path in rules]

    def start(self):
        return self.start_on_free_port(self._spawn, self._ready)

    def _spawn(self):
        config = self.folder / "prometheus.yml"
        # JSON is YAML.
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": self.rules,
            "scrape_configs": [
                {"job_name": "outbox-relay", "static_configs": [{"targets": self.targets}]}
            ],
        }))  # fmt: skip
        with open(self.folder / "log", "ab") as log:
            self.process = processes.spawn(
                [
                    "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
                ],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    # ---- asking ----

    def ask(self, path, **parameters):
        """What its HTTP API answers: /api/v1/PATH."""
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"Prometheus refuses {path} {parameters}: {error.read()}") from None

    def query(self, expression):
        """The instant vector of an expression: a list of Sample."""
        found = []
        for one in self.ask("query", query=expression)["result"]:
            labels = {name: value for name, value in one["metric"].items() if name != "__name__"}
            found.append(Sample(labels, float(one["value"][1])))
        return found

    def value(self, expression):
        """The one value of an expression, None if there is none (yet)."""
        samples = self.query(expression)
        assert len(samples) <= 1, f"{expression} has {len(samples)} values: {samples}"
        return samples[0].value if samples else None

    def wait_value(self, expression, is_right, timeout=None):
        """Until the one value of an expression is there and is_right(value); returns it."""
        return self._wait(
            lambda: self._right(self.value(expression), is_right),
            lambda: f"{expression} becomes right: it is {self.query(expression)}", timeout,
        )[0]  # fmt: skip

    @staticmethod
    def _right(value, is_right):
        return [value] if value is not None and is_right(value) else None

    def health(self):
        """(health, last error) of each target by its address: up, down or unknown."""
        targets = self.ask("targets", state="active")["activeTargets"]
        return {one["labels"]["instance"]: (one["health"], one["lastError"]) for one in targets}

    def wait_scraped(self, timeout=None):
        """Until every target was scraped at least once, well."""
        self._wait(
            lambda: self.value("count(up == 1)") == len(self.targets),
            lambda: f"every target is scraped: {self.health()}", timeout,
        )  # fmt: skip
        return self

    def firing(self):
        """The alerts that fire: sorted (name, labels)."""
        alerts = [one for one in self.ask("alerts")["alerts"] if one["state"] == "firing"]
        return sorted(((one["labels"].pop("alertname"), one["labels"]) for one in alerts), key=str)

    def _wait(self, condition, what, timeout):
        return wait_until(
            condition, lambda: f"{what()}\n{self.log_tail()}", timeout,
            interval=0.1, meanwhile=self.assert_alive,
        )  # fmt: skip
