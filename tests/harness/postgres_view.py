"""postgres_view.py - what an observer sees of an outbox table in PostgreSQL
SPDX-License-Identifier: MIT
"""

from .invariants import INVARIANTS

FIRST = """
CREATE TEMP TABLE seen (event_id UUID PRIMARY KEY, status TEXT, attempts INT,
                        delivered_at TIMESTAMPTZ, available_at TIMESTAMPTZ)
"""
CHANGED = """
INSERT INTO seen SELECT n.event_id, n.status, n.attempts, n.delivered_at, n.available_at
    FROM {table} n LEFT JOIN seen o USING (event_id)
    WHERE (n.status, n.attempts, n.delivered_at, n.available_at) IS DISTINCT FROM
          (o.status, o.attempts, o.delivered_at, o.available_at)
ON CONFLICT (event_id) DO UPDATE SET status = excluded.status, attempts = excluded.attempts,
    delivered_at = excluded.delivered_at, available_at = excluded.available_at
"""


def broken_query(table):
    checks = ", ".join(
        f"count(*) FILTER (WHERE NOT ({condition})),"
        f" min(n.event_id::text) FILTER (WHERE NOT ({condition}))"
        for condition in INVARIANTS.values()
    )
    return f"SELECT count(*), {checks} FROM {table} n LEFT JOIN seen o USING (event_id)"


class PostgresView:
    """What was seen is a temporary table of the session; a sample is one snapshot."""

    def __init__(self, table, connection):
        self.table = table
        self.connection = connection
        with connection.cursor() as cursor:
            cursor.execute(FIRST)

    def sample(self):
        """How many rows there are, and for each broken invariant its name, how often, and an example."""
        with self.connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            cursor.execute(broken_query(self.table.name))
            counts = cursor.fetchone()
            cursor.execute(CHANGED.format(table=self.table.name))
            cursor.execute("COMMIT")
        found = zip(INVARIANTS, counts[1::2], counts[2::2])
        return counts[0], [(what, count, example) for what, count, example in found if count]

    def show(self, event_id):
        """The row as it is, and as it was."""
        shown = []
        with self.connection.cursor() as cursor:
            for when, name in (("is", self.table.name), ("was", "seen")):
                cursor.execute(f"SELECT n::text FROM {name} n WHERE event_id = %s", (event_id,))
                shown.append((when, cursor.fetchall()))
        return shown
