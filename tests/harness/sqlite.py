"""sqlite.py - an outbox in a SQLite file and a relay over it: the quickest way to try a publisher
SPDX-License-Identifier: MIT
"""

import json
import sqlite3
import uuid

from .relay import merged, pipeline
from .waiting import wait_until

TABLE = "openoutbox_events"


class SqliteOutbox:
    """The table is looked at by a client that is not the relay's."""

    def __init__(self, folder, new_relay):
        self.path = folder / "outbox.db"
        self.new_relay = new_relay
        self.relay = None

    def to(self, publisher, environment=None, **changes):
        """Makes the relay, and the table if there is none. Retries come only after the test, unless
        it says otherwise. Returns self."""
        base = {"claim": {"poll_max": "50ms"}, "retry": {"base_delay": "10m"}}
        store = {"driver": "sqlite", "url": f"sqlite:{self.path}"}
        self.relay = self.new_relay(
            pipeline(store, publisher, **merged(base, changes)), environment=environment
        )
        self.command("init")
        return self

    def command(self, *arguments, **options):
        done = self.relay.run(*arguments, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # ---- events ----

    def put(self, payload="{}", type="t", **more):
        """One event; returns its id."""
        return self.put_all(dict({"type": type, "payload": payload}, **more))[0]

    def put_all(self, *events):
        lines = [dict({"id": str(uuid.uuid4()), "type": "t"}, **event) for event in events]
        self.command("enqueue", "--ndjson", stdin="".join(json.dumps(line) + "\n" for line in lines))
        return [line["id"] for line in lines]

    def rows(self, query, *values):
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()

    def row(self, event_id):
        (row,) = self.rows(f"SELECT * FROM {TABLE} WHERE event_id = ?", event_id)
        return row

    def states(self):
        """Counts by state, without the states nobody is in."""
        query = f"SELECT status, count(*) AS n FROM {TABLE} GROUP BY status"
        return {row["status"]: row["n"] for row in self.rows(query)}

    def attempts(self):
        """The most that was charged to an event."""
        return self.rows(f"SELECT max(attempts) AS n FROM {TABLE}")[0]["n"]

    # ---- the relay ----

    def once(self):
        """Sends what is there; the relay must succeed."""
        assert self.relay.once() == 0, self.relay.log_tail()

    def wait(self, condition, what):
        return wait_until(
            condition, lambda: f"{what}: there are {self.states()}\n{self.relay.log_tail()}",
            interval=0.01, meanwhile=self.relay.assert_running,
        )  # fmt: skip

    def wait_states(self, **states):
        self.wait(lambda: self.states() == states, f"events are {states}")

    def wait_tried(self, event_id):
        """Until an attempt is charged; returns the row."""
        self.wait(lambda: self.row(event_id)["attempts"] > 0, f"{event_id} is tried")
        return self.row(event_id)

    def refusal(self):
        """What `check --connect` says of what it does not take."""
        done = self.relay.run("check", "--connect")
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr
