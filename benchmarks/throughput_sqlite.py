"""throughput_sqlite.py - the same contest over SQLite files
SPDX-License-Identifier: MIT
"""

import contextlib
import hashlib
import os
import shutil
import sqlite3

from lab import TABLE, TOOLS
from report import Check
from targets import PAYLOAD
from throughput import contest_all

# There is one writer at a time, and no mode hold.
MODES = ("lease-keep", "lease-delete")


class File:
    """A database file, in the place of a database of a server."""

    def __init__(self, path):
        self.path = path

    def connect(self):
        return sqlite3.connect(self.path, isolation_level=None)


def fill(path, count, transaction=1000):
    """Ids in the order of time, as UUIDs of version 7 are."""
    connection = File(path).connect()
    for first in range(0, count, transaction):
        numbers = range(first, min(first + transaction, count))
        connection.execute("BEGIN")
        connection.executemany(
            f"INSERT INTO {TABLE} (event_id, event_type, partition_key, payload, headers)"
            " VALUES (?, 'order.created', ?, ?, '{\"source\": \"bench\"}')",
            [(event_id(n), f"customer-{n % 1000}", payload(n)) for n in numbers],
        )
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def event_id(number):
    tail = hashlib.md5(str(number).encode()).hexdigest()
    return f"0193{number // 65536:04x}-{number % 65536:04x}-7{tail[:3]}-8{tail[3:6]}-{tail[6:18]}"


def payload(number):
    return hashlib.shake_128(str(number).encode()).digest(PAYLOAD)


class SqliteStore:
    name = "SQLite"

    def __init__(self, lab, count, variants):
        self.lab = lab
        self.count = count
        self.variants = variants
        self.empty = self.make("empty.db")
        self.filled = self.make("filled.db")
        fill(self.filled, count)

    def make(self, name):
        path = self.lab.folder / name
        done = self.lab.relay(self.lab.to_null(self.config(File(path)))).run("init")
        if done.returncode != 0:
            raise RuntimeError(f"outbox-relay init failed: {done.stderr}")
        connection = File(path).connect()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return path

    @contextlib.contextmanager
    def copy(self, empty=False):
        path = self.lab.folder / "copy.db"
        shutil.copyfile(self.empty if empty else self.filled, path)
        with open(path, "rb") as file:
            # On disk before the run, as a checkpoint is on a server.
            os.fsync(file.fileno())
        try:
            yield File(path)
        finally:
            for suffix in ("", "-wal", "-shm"):
                (path.parent / (path.name + suffix)).unlink(missing_ok=True)

    def config(self, database):
        return {"driver": "sqlite", "url": f"sqlite:{database.path}", "table": TABLE}

    def floor_command(self, database, mode, delivered, connections, batch):
        return [TOOLS / "floor_sqlite", "--url", database.path, "--delivered", delivered,
                "--connections", connections, "--batch", batch]  # fmt: skip

    @contextlib.contextmanager
    def server_time(self):
        """There is no server."""
        yield [None]

    def expect_settled(self, database, deleted):
        connection = database.connect()
        found = dict(connection.execute(f"SELECT status, count(*) FROM {TABLE} GROUP BY status"))
        connection.close()
        expected = {} if deleted else {"DELIVERED": self.count}
        if found != expected:
            raise RuntimeError(f"after the run the table holds {found}, not {expected}")


def run(lab, scale, options, say):
    batches = sorted({batch for _, batch in scale.floor_variants})
    variants = [(1, batch) for batch in batches]
    store = SqliteStore(lab, options.events or scale.sqlite_events, variants)
    modes = [mode for mode in options.modes or MODES if mode in MODES]
    report = contest_all(lab, store, modes, options.rounds or scale.rounds, scale, {}, say)
    # The engine runs inside of the process: its time and its cache are not the relay's own.
    report.checks = [check for check in report.checks if check.at_least]
    for row in report.rows:
        mine, floor = row[4], row[5]
        what = f"{row[0]}, processor time beyond the floor's"
        report.checks.append(Check(what, mine - floor, scale.processor_us, unit=" us"))
    report.notes.append("SQLite works inside of the process: processor time and memory include it")
    return report
