"""redis_outbox.py - a relay from SQLite to Redis, and what became of its events
SPDX-License-Identifier: MIT
"""

import json
import sqlite3

from harness import settings
from harness.relay import merged, pipeline
from harness.waiting import wait_until

FAST = {
    "claim": {"poll_max": "50ms", "batch_size": 100},
    "retry": {"base_delay": "100ms", "max_delay": "200ms", "jitter": 0},
}


class Outbox:
    """A table of its own and one relay on it."""

    def __init__(self, folder, new_relay, publisher, **changes):
        settings.need("publisher-redis", "store-sqlite")
        self.path = folder / "outbox.db"
        store = {"driver": "sqlite", "url": f"sqlite:{self.path}"}
        self.relay = new_relay(pipeline(store, publisher, **merged(FAST, changes)))
        done = self.relay.run("init")
        assert done.returncode == 0, done.stderr

    def put(self, *events):
        """Events as `enqueue --ndjson` takes them; type "s" unless they say otherwise."""
        lines = [
            json.dumps({"type": "s", **({} if "payload_base64" in event else {"payload": "x"}), **event})
            for event in events
        ]
        done = self.relay.run("enqueue", "--ndjson", stdin="".join(f"{line}\n" for line in lines))
        assert done.returncode == 0, done.stderr

    def put_many(self, count, **event):
        self.put(*[{"payload": str(number), **event} for number in range(count)])

    def rows(self, columns="status, attempts, last_error", where="1"):
        with sqlite3.connect(self.path, timeout=30) as database:
            return database.execute(
                f"SELECT {columns} FROM openoutbox_events WHERE {where}"
            ).fetchall()

    def undelivered(self):
        return self.rows("count(*)", "status <> 'DELIVERED'")[0][0]

    def once(self):
        assert self.relay.once() == 0, self.relay.log_tail()

    def start(self):
        self.relay.start()
        return self

    def wait_delivered(self):
        wait_until(
            lambda: self.undelivered() == 0,
            lambda: f"all is delivered, there are {self.rows()[:3]}:\n{self.relay.log_tail()}",
            meanwhile=self.relay.assert_running,
        )

    def wait_error(self, *words):
        """Until an event has failed for a reason that holds the words; returns its attempts."""

        def failed():
            return [
                row for row in self.rows()
                if row[1] > 0 and all(word in (row[2] or "") for word in words)
            ]  # fmt: skip

        return wait_until(
            failed,
            lambda: f"an event fails of {words}, there are {self.rows()[:3]}:\n{self.relay.log_tail()}",
            meanwhile=self.relay.assert_running,
        )[0][1]

    def assert_no_attempt(self):
        charged = self.rows(where="attempts > 0 OR status = 'DEAD'")
        assert not charged, f"{len(charged)} were charged: {charged[0]}\n{self.relay.log_tail()}"

    def check(self, *arguments):
        """What `check --connect` says, and its exit status."""
        done = self.relay.run("check", "--connect", *arguments)
        return done.stdout + done.stderr, done.returncode
