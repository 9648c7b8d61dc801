"""lab.py - a private PostgreSQL at its stock settings, filled tables, and commands under a stopwatch
SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass

from harness import processes, settings
from harness.postgres import Database, PostgresServer, PostgresTemplate
from harness.relay import Relay, pipeline
from harness.waiting import wait_until

from targets import PAYLOAD

TABLE = "openoutbox_events"
TOOLS = settings.BUILD / "benchmarks"


class StockServer(PostgresServer):
    """As the package ships it: fsync, synchronous_commit and full_page_writes are on. What the tests turn off
    for speed stays on, and nothing is tuned in anybody's favour."""

    settings = {}


@dataclass
class Figures:
    """What a command took, by the kernel's own count."""

    wall: float  # seconds
    processor: float  # seconds, user and system
    peak_mib: float
    output: str
    busy: float  # share of the machine's cores that were, by whomever


class Lab:
    """Everything a scenario works with, in a temporary folder of its own."""

    def __init__(self):
        self.folder = processes.short_folder("bench")
        self.template = None
        self._server = None
        self.made = set()

    def close(self):
        if self._server:
            self._server.close()
        if self.template:
            self.template.close()
        processes.remove_folder(self.folder)

    # ---- the server ----

    @property
    def server(self):
        if self._server is None:
            self.template = PostgresTemplate()
            self._server = StockServer(self.template).start()
        return self._server

    def version(self):
        connection = self.server.connect("postgres")
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            text = cursor.fetchone()[0]
        connection.close()
        return text.split()[0]

    def administer(self, *statements):
        connection = self.server.connect("postgres")
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def processor(self):
        """Seconds, user and system, that the server's ended processes have used."""
        with open(f"/proc/{self.server.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def children(self):
        pid = self.server.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return set(file.read().split())

    @contextlib.contextmanager
    def server_time(self):
        """What the sessions that are opened and closed within take of the server, in seconds. A list of
        that one figure, filled at the end."""
        taken = []
        children, began = self.children(), self.processor()
        yield taken
        wait_until(lambda: self.children() <= children, "the server's sessions end")
        taken.append(self.processor() - began)

    # ---- databases ----

    def prepared(self, name, fill):
        """A database with the relay's own table, made once by fill(database)."""
        if name not in self.made:
            self.administer(f"CREATE DATABASE {name}")
            database = Database(self.server, name)
            self.init(database)
            fill(database)
            database.close()
            self.made.add(name)
        return name

    @contextlib.contextmanager
    def copy(self, source):
        """A copy of a prepared database, block by block, on disk, and gone afterwards."""
        name = f"{source}_copy"
        self.administer(f"CREATE DATABASE {name} TEMPLATE {source}", "CHECKPOINT")
        database = Database(self.server, name)
        try:
            yield database
        finally:
            database.close()
            self.administer(f"DROP DATABASE {name} WITH (FORCE)")

    def init(self, database):
        done = self.relay(self.to_null(postgres(database))).run("init")
        if done.returncode != 0:
            raise RuntimeError(f"outbox-relay init failed: {done.stderr}")

    # ---- relays ----

    def to_null(self, store, **changes):
        return pipeline(store, {"driver": "null"}, "bench", **changes)

    def relay(self, *pipelines):
        return Relay(self.folder, list(pipelines))

    # ---- commands ----

    def measure(self, command):
        """Runs a command to its end and returns its Figures. It must succeed. Tools of this folder find the
        drivers where the relay itself finds them."""
        drivers = ":".join({str(path.parent) for path in settings.BUILD.glob("plugins/*/*.so")})
        figures = self.folder / "figures.json"
        before = machine_ticks()
        done = subprocess.run(
            # Both, so that neither outlives us.
            processes.dying_with_us([TOOLS / "stopwatch", figures, *processes.dying_with_us(command)]),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.folder,
            env=dict(os.environ, OUTBOX_PLUGIN_PATH=drivers),
        )  # fmt: skip
        if done.returncode != 0:
            name = os.path.basename(str(command[0]))
            raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        taken = json.loads(figures.read_text())
        busy, all_of_it = (now - then for now, then in zip(machine_ticks(), before))
        return Figures(
            taken["wall"], taken["cpu"], taken["peak_kib"] / 1024, done.stdout, busy / max(all_of_it, 1)
        )


def machine_ticks():
    """The time that all cores together were busy, and all that there was, since the machine started."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    idle, waiting = ticks[3:5]
    return sum(ticks) - idle - waiting, sum(ticks)


@contextlib.contextmanager
def opened():
    lab = Lab()
    try:
        yield lab
    finally:
        lab.close()


def postgres(database):
    return {"driver": "postgres", "url": database.url, "table": TABLE}


def fill_pending(database, count, transaction=1000):
    """Events of PAYLOAD random-looking bytes, so many a committed transaction."""
    # 32 hexadecimal digits a time, all different: nothing for the server to compress away.
    pieces = " || ".join(f"md5(i::text || ':{piece}')" for piece in range(PAYLOAD // 32))
    for first in range(0, count, transaction):
        database.execute(
            f"INSERT INTO {TABLE} (event_id, event_type, partition_key, payload, headers)"
            f" SELECT gen_random_uuid(), 'order.created', 'customer-' || i %% 1000,"
            f" convert_to({pieces}, 'UTF8'), '{{\"source\": \"bench\"}}'"
            " FROM generate_series(%s, %s) AS i",
            (first + 1, min(first + transaction, count)),
        )
    database.execute(f"VACUUM (ANALYZE) {TABLE}")


def states(database):
    return dict(database.execute(f"SELECT status, count(*) FROM {TABLE} GROUP BY status"))


def expect_settled(database, count, deleted):
    """The figures are worth nothing if not every event was settled."""
    found = states(database)
    expected = {} if deleted else {"DELIVERED": count}
    if found != expected:
        raise RuntimeError(f"after the run the table holds {found}, not {expected}")
