"""observer.py - watches every row of an outbox table for states and transitions that may not be
SPDX-License-Identifier: MIT
"""

import threading

import psycopg2

from .postgres import is_lost

# What must hold for each row `n` at each moment, `o` being what the sample before saw of it.
INVARIANTS = {
    "status is one of the four": "n.status IN ('PENDING', 'DELIVERING', 'DELIVERED', 'DEAD')",
    "locked_at is set if and only if DELIVERING":
        "(n.locked_at IS NOT NULL) = (n.status = 'DELIVERING')",
    "locked_by is set while DELIVERING":
        "n.status <> 'DELIVERING' OR coalesce(n.locked_by, '') <> ''",
    "delivered_at is set if and only if DELIVERED":
        "(n.delivered_at IS NOT NULL) = (n.status = 'DELIVERED')",
    "attempts never shrink": "o.attempts IS NULL OR n.attempts >= o.attempts",
    "DELIVERED and DEAD are final":
        "o.status IS NULL OR o.status NOT IN ('DELIVERED', 'DEAD') OR n.status = o.status",
    "delivered_at is written once":
        "o.status IS DISTINCT FROM 'DELIVERED' OR n.delivered_at = o.delivered_at",
    "a retry moves available_at on":
        "o.attempts IS NULL OR n.status <> 'PENDING' OR n.attempts = o.attempts"
        " OR n.available_at > o.available_at",
    "what failed says why in last_error":
        "n.attempts = 0 OR n.status NOT IN ('PENDING', 'DEAD') OR n.last_error IS NOT NULL",
}  # fmt: skip

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


class Observer:
    """A thread that takes one sample after the other on a connection of its own. A lost server is
    waited for: what it remembers of the rows is then learned anew. Use as a context manager; leaving
    it takes a last sample and fails the test if a sample found something, or if none was taken."""

    def __init__(self, table, pause=0.05):
        self.table = table
        self.pause = pause
        self.samples = 0
        self.rows = 0
        self.broken = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._connection = None
        self._failure = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._stop.set()
        self._thread.join(120)
        if error is None:
            self.check()
            assert self.samples > 1, "the observer took no sample"

    def check(self):
        """Fails if a sample found something. For use between steps of a test."""
        if self._failure:
            raise AssertionError("the observer failed") from self._failure
        assert not self.broken, "rows broke an invariant:\n" + "\n".join(self.broken[:20])

    def _run(self):
        try:
            while not self._stop.is_set():
                self._try_sample()
                self._stop.wait(self.pause)
            self._try_sample()
        except Exception as error:  # carried over to the test's thread by check()
            self._failure = error
        finally:
            if self._connection is not None:
                self._connection.close()

    def _try_sample(self):
        try:
            if self._connection is None:
                self._connection = self.table.database.connect()
                with self._connection.cursor() as cursor:
                    cursor.execute(FIRST)
            self._sample()
        except psycopg2.Error as error:
            if not is_lost(error, self._connection):
                raise
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _sample(self):
        with self._connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            cursor.execute(broken_query(self.table.name))
            self._judge(cursor.fetchone())
            cursor.execute(CHANGED.format(table=self.table.name))
            cursor.execute("COMMIT")
        self.samples += 1

    def _judge(self, counts):
        self.rows = max(self.rows, counts[0])
        for index, what in enumerate(INVARIANTS):
            count, example = counts[1 + 2 * index : 3 + 2 * index]
            if count:
                self.broken.append(f"sample {self.samples}: {what}: {count} rows, one is {example}")
                self.broken.extend(self._show(example))

    def _show(self, event_id):
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT n::text FROM {self.table.name} n WHERE event_id = %s", (event_id,))
            now = cursor.fetchall()
            cursor.execute("SELECT o::text FROM seen o WHERE event_id = %s", (event_id,))
            return [f"    is {row[0]}" for row in now] + [f"    was {row[0]}" for row in cursor]
