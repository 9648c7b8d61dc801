"""figures.py - the figures that a relay has, as the page lists them, as it exposes them, as the dashboard asks for them
SPDX-License-Identifier: MIT
"""

import json
import re

from harness import settings

PAGE = settings.ROOT / "docs/monitoring.md"
FOLDER = settings.ROOT / "docs/monitoring"
RULES = FOLDER / "outbox-relay.rules.yml"
RULES_TEST = FOLDER / "outbox-relay.rules.test.yml"
DASHBOARD = FOLDER / "outbox-relay.grafana.json"

ROW = re.compile(r"^\| `([a-z0-9_]+)` \| [^|]+ \| (counter|gauge|histogram) \|", re.MULTILINE)
TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)
# What Grafana puts in the place of its variables.
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$pipeline": ".*", "$relay": ".*"}
UNTYPED = {"openoutbox_backlog_pending_count"}  # a gauge, but see the page


def documented():
    """Kind by name."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) > 30 and len(dict(rows)) == len(rows), "the tables of the page are not what they were"
    return dict(rows)


def exposed(text):
    """Kind by name in the text of /metrics."""
    types = TYPE.findall(text)
    assert len(dict(types)) == len(types), "a figure begins twice"
    return {name: "gauge" if name in UNTYPED else kind for name, kind in types}


def series(figures):
    """The names that expressions may use."""
    names = set()
    for name, kind in figures.items():
        endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names.update(name + ending for ending in endings)
    return names


def selectors(expression):
    """The names that an expression selects."""
    words = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring)\s*\([^)]*\)', " ", expression)
    return set(re.findall(r"\b[a-z_:][a-z0-9_:]*\b(?!\s*\()", words)) - {"and", "or", "unless", "offset", "bool"}


def panels():
    """All of the dashboard, those in collapsed rows included."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        yield panel
        yield from panel.get("panels", [])


def expressions():
    """(title, expression as Prometheus gets it) of each query of the dashboard."""
    for panel in panels():
        for target in panel.get("targets", []):
            text = target["expr"]
            for name, value in VARIABLES.items():
                text = text.replace(name, value)
            yield panel["title"], text
