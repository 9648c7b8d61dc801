"""partitions.py - a partitioned outbox table, its partitions, and the command that tends them
SPDX-License-Identifier: MIT
"""

import json
import re
from datetime import datetime, timedelta, timezone

from .tables import FOREIGN, Table

BOUNDS = re.compile(r"FOR VALUES FROM \('?(.*?)'?\) TO \('?(.*?)'?\)")


EDGES = {
    "MINVALUE": datetime.min, "-infinity": datetime.min,
    "MAXVALUE": datetime.max, "infinity": datetime.max,
}  # fmt: skip


def instant(text):
    """A bound as a moment in UTC."""
    edge = EDGES.get(text)
    return edge.replace(tzinfo=timezone.utc) if edge else datetime.fromisoformat(text)


def utc(year, month=1, day=1, hour=0):
    return datetime(year, month, day, hour, tzinfo=timezone.utc)


def midnight(days=0):
    """The begin of today, or of that many days from today."""
    now = datetime.now(timezone.utc) + timedelta(days=days)
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


class PartitionedTable(Table):
    """A table that somebody partitioned by created_at, without any partition yet."""

    def create_foreign(self):
        definition = FOREIGN.format(table=self.name)
        definition = definition.replace("event_id UUID PRIMARY KEY", "event_id UUID NOT NULL")
        definition = definition.replace(
            "\n);", ",\n    PRIMARY KEY (event_id, created_at)\n) PARTITION BY RANGE (created_at);"
        )
        self.database.execute("SET TimeZone = 'UTC'; " + definition)
        return self

    def partition(self, name, since, until):
        self.database.execute(
            f"CREATE TABLE {name} PARTITION OF {self.name} FOR VALUES FROM (%s) TO (%s)",
            (since, until),
        )

    def partition_default(self, name="the_rest"):
        self.database.execute(f"CREATE TABLE {name} PARTITION OF {self.name} DEFAULT")
        return name

    def partitions(self):
        """Names with their bounds, in order; the DEFAULT one is left out."""
        rows = self.database.execute(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass",
            (self.name,),
        )
        found = [(name, BOUNDS.match(bound or "")) for name, bound in rows]
        made = [(name, instant(ends[1]), instant(ends[2])) for name, ends in found if ends]
        return sorted(made, key=lambda part: part[1])

    def names(self):
        return [name for name, _, _ in self.partitions()]

    def partition_of(self, event_id):
        return self.database.value(
            f"SELECT tableoid::regclass::text FROM {self.name} WHERE event_id = %s", (event_id,)
        )

    def insert_at(self, when, status="PENDING"):
        """An event that was made then."""
        columns = {"created_at": when, "available_at": when, "status": status}
        if status == "DELIVERED":
            columns["delivered_at"] = when
        if status == "DELIVERING":
            columns.update(locked_at=when, locked_by="somebody")
        return self.insert(**columns)

    def has_no_gap(self, since, until):
        """Whether partitions cover that time, each beginning where the one before it ends."""
        parts = [part for part in self.partitions() if part[2] > since and part[1] < until]
        met = all(a[2] == b[1] for a, b in zip(parts, parts[1:], strict=False))
        return bool(parts) and met and parts[0][1] <= since and parts[-1][2] >= until


def tend(relay, *words, status=0):
    """Runs the command; returns what it did as (action, name, reason)."""
    done = relay.run("partitions", "--json", *words)
    assert done.returncode == status, done.stderr + done.stdout
    (pipeline,) = json.loads(done.stdout)["pipelines"]
    if status:
        return pipeline["error"]
    return [
        (change["action"], change["partition"], change.get("reason"))
        for change in pipeline["partitions"]
    ]


def named(changes, action):
    return [name for what, name, _ in changes if what == action]
