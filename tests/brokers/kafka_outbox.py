"""kafka_outbox.py - a relay from SQLite to Kafka, and what became of its events
SPDX-License-Identifier: MIT
"""

import json
import sqlite3
import uuid

import pytest

from harness.relay import pipeline
from harness.settings import need
from harness.waiting import wait_until

QUICK_RETRY = {"base_delay": "100ms", "max_delay": "200ms"}


@pytest.fixture(scope="module")
def kafka():
    need("publisher-kafka", "store-sqlite")
    from harness.brokers.kafka import Kafka

    broker = Kafka()
    try:
        yield broker.start()
    finally:
        broker.close()


class Outbox:
    """A table in a file, and the relay that empties it into Kafka."""

    def __init__(self, folder, new_relay, publisher, topic, route=None, sections=None, **changes):
        self.path = folder / f"{uuid.uuid4()}.db"
        store = {"driver": "sqlite", "url": f"sqlite:{self.path}"}
        changes.setdefault("retry", QUICK_RETRY)
        changes["route"] = dict({"topic": topic}, **(route or {}))
        self.relay = new_relay(pipeline(store, publisher, **changes), **(sections or {}))
        self._run("init")

    def _run(self, *arguments, stdin=None):
        done = self.relay.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr

    def add(self, *lines):
        """Events as `enqueue --ndjson` takes them."""
        text = "".join(json.dumps(dict({"type": "t"}, **line)) + "\n" for line in lines)
        self._run("enqueue", "--ndjson", stdin=text)

    def rows(self):
        """(payload, status, attempts, last_error) in the order of insertion."""
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10) as connection:
            return connection.execute(
                "SELECT CAST(payload AS TEXT), status, attempts, coalesce(last_error, '')"
                " FROM openoutbox_events ORDER BY seq"
            ).fetchall()

    def once(self):
        assert self.relay.once() == 0, self.relay.log_tail()
        return self.rows()

    def wait(self, what, condition, timeout=None):
        return wait_until(
            lambda: condition(self.rows()),
            lambda: f"{what}: {self.rows()[:5]}\n{self.relay.log_tail()}",
            timeout,
            meanwhile=self.relay.assert_running,
        )


@pytest.fixture
def new_outbox(folder, new_relay):
    def new(publisher, topic, **changes):
        return Outbox(folder, new_relay, publisher, topic, **changes)

    return new


@pytest.fixture
def topic_name(request):
    return f"{request.node.originalname.removeprefix('test_')[:60]}-{uuid.uuid4().hex[:8]}"


def statuses(rows):
    return [row[1] for row in rows]


def all_delivered(rows):
    return set(statuses(rows)) == {"DELIVERED"}


def assert_uncharged(rows):
    assert {row[2] for row in rows} == {0}, [row for row in rows if row[2]][:5]
