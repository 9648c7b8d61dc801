"""mysql_view.py - what an observer sees of an outbox table in MySQL or MariaDB
SPDX-License-Identifier: MIT
"""

import uuid

from .invariants import INVARIANTS

# Whatever an invariant looks at, so that a row is looked at again when any of it has changed.
SEEN = ("status", "attempts", "delivered_at", "available_at", "locked_at", "locked_by", "last_error")


class MysqlView:
    """What was seen is a table of its own, written apart from the sample: a statement that reads one table
    and writes another would lock what it reads."""

    def __init__(self, table, connection):
        self.table = table
        self.connection = connection
        self.seen = f"seen_{uuid.uuid4().hex[:8]}"
        self._ask(
            f"CREATE TABLE {self.seen} (PRIMARY KEY (event_id))"
            f" SELECT event_id, {', '.join(SEEN)} FROM {table.name} LIMIT 0"
        )

    def _ask(self, sql, values=None):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def sample(self):
        """How many rows there are, and for each broken invariant its name, how often, and an example."""
        same = " AND ".join(f"n.{column} <=> o.{column}" for column in SEEN)
        columns = ", ".join(f"n.{column}" for column in ("event_id", *SEEN))
        checks = ", ".join(f"({condition})" for condition in INVARIANTS.values())
        changed = self._ask(
            f"SELECT {columns}, {checks} FROM {self.table.name} n"
            f" LEFT JOIN {self.seen} o ON o.event_id = n.event_id WHERE o.event_id IS NULL OR NOT ({same})"
        )
        known = 1 + len(SEEN)
        broken = []
        for place, what in enumerate(INVARIANTS):
            rows = [row for row in changed if not row[known + place]]
            if rows:
                broken.append((what, len(rows), self.table.id_text(rows[0][0])))
        self._keep([row[:known] for row in changed])
        ((rows,),) = self._ask(f"SELECT COUNT(*) FROM {self.table.name}")
        return rows, broken

    def _keep(self, rows):
        if not rows:
            return
        places = ", ".join(["%s"] * (1 + len(SEEN)))
        with self.connection.cursor() as cursor:
            cursor.executemany(f"REPLACE INTO {self.seen} VALUES ({places})", rows)

    def show(self, event_id):
        """The row as it is, and as it was."""
        id_value = self.table.id_value(event_id)
        return [
            (when, self._ask(f"SELECT * FROM {name} WHERE event_id = %s", (id_value,)))
            for when, name in (("is", self.table.name), ("was", self.seen))
        ]
