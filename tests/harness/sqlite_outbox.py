"""sqlite_outbox.py - an outbox in an SQLite file and a relay from it, the quickest way to try a publisher
SPDX-License-Identifier: MIT
"""

import itertools
import json
import sqlite3

from .relay import pipeline
from .waiting import wait_until

FAST = {"base_delay": "50ms", "max_delay": "200ms", "max_attempts": 1000}
numbers = itertools.count(1)


class SqliteOutbox:
    """A table and a relay from it. Retries come soon, and for ever."""

    def __init__(self, folder, new_relay, publisher, **changes):
        self.path = folder / f"outbox{next(numbers)}.db"
        store = {"driver": "sqlite", "url": f"sqlite:{self.path}"}
        changes = dict({"retry": FAST, "claim": {"poll_max": "50ms"}}, **changes)
        self.relay = new_relay(pipeline(store, publisher, **changes))
        self.run("init")

    def run(self, *arguments, stdin=None):
        done = self.relay.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def check(self):
        """Status and text of `check --connect`."""
        done = self.relay.run("check", "--connect")
        return done.returncode, done.stdout + done.stderr

    def enqueue(self, *lines):
        self.run("enqueue", "--ndjson", stdin="".join(json.dumps(line) + "\n" for line in lines))

    def rows(self, columns, where="1"):
        with sqlite3.connect(self.path, timeout=30) as connection:
            return connection.execute(
                f"SELECT {columns} FROM openoutbox_events WHERE {where} ORDER BY seq"
            ).fetchall()

    def states(self):
        return {state: count for state, count in self.rows("status, count(*)", "1 GROUP BY status")}

    def wait(self, condition, what):
        return wait_until(
            condition, lambda: f"{what}: {self.states()}\n{self.relay.log_tail()}",
            meanwhile=self.relay.assert_running,
        )  # fmt: skip

    def wait_delivered(self, where="1"):
        self.wait(
            lambda: not self.rows("1", f"status <> 'DELIVERED' AND {where}"), f"{where} delivered"
        )

    def errors(self, where="1"):
        return [error for (error,) in self.rows("last_error", where) if error]

    def assert_no_attempt(self, where="1"):
        assert not self.rows("event_id, attempts, last_error", f"attempts > 0 AND {where}")


def numbered(count, event_type="t", **fields):
    """Lines for enqueue() whose payloads are 0, 1, 2 and so on."""
    return [dict({"type": event_type, "payload": str(number)}, **fields) for number in range(count)]
