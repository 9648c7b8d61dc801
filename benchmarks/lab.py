"""lab.py - a private server at its stock settings, filled tables, and commands under a stopwatch
SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass

from harness import processes, settings
from harness.relay import Relay, pipeline

TABLE = "openoutbox_events"
TOOLS = settings.BUILD / "benchmarks"


@dataclass
class Figures:
    """What a command took, by the kernel's own count."""

    wall: float  # seconds
    processor: float  # seconds, user and system
    peak_mib: float
    output: str
    log: str  # what it wrote to standard error
    busy: float  # share of the machine's cores that were, by whomever


class Lab:
    """Everything a scenario works with, in a temporary folder of its own. What depends on the make of the
    server is in its heirs: lab_postgres.py and lab_mysql.py."""

    name = None  # of the make, as it is written
    floor = None  # the tool that is its bare loop
    promise = None  # how soon and how idle, see targets.py
    history_statistics = ("as they are",)  # what a plan could depend on

    def __init__(self):
        self.folder = processes.short_folder("bench")
        self._server = None
        self.made = set()

    def close(self):
        if self._server:
            self._server.close()
        processes.remove_folder(self.folder)

    @property
    def server(self):
        if self._server is None:
            self._server = self.start()
        return self._server

    def is_running(self):
        return self._server is not None

    # ---- what each make has its own way for ----

    def start(self):
        """A server, and it runs."""
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def create(self, name):
        """A new and empty database."""
        raise NotImplementedError

    def copy(self, source):
        """A copy of a prepared database, on disk, and gone when the context ends."""
        raise NotImplementedError

    def server_time(self):
        """A context; what the server takes within, in seconds: a list of that one figure, filled at the
        end."""
        raise NotImplementedError

    def transactions(self, database):
        """How many the server has counted so far."""
        raise NotImplementedError

    def fill_pending(self, database, count):
        """So many events of PAYLOAD bytes."""
        raise NotImplementedError

    def fill_history(self, database, delivered, pending, statistics):
        raise NotImplementedError

    def begin_by_itself(connection):
        """From now on a statement begins a transaction."""
        raise NotImplementedError

    def missing(self):
        """Why it cannot be measured here, or None."""
        return None

    def id(self, text):
        """An event's id as the driver of the test's own connection takes it."""
        return text

    def delivered_times(self, database):
        """Pairs of id and seconds since 1970."""
        raise NotImplementedError

    # ---- databases ----

    def prepared(self, name, fill):
        """A database with the relay's own table, made once by fill(database)."""
        if name not in self.made:
            database = self.create(name)
            self.init(database)
            fill(database)
            database.close()
            self.made.add(name)
        return name

    def init(self, database):
        done = self.relay(self.to_null(self.store(database))).run("init")
        if done.returncode != 0:
            raise RuntimeError(f"outbox-relay init failed: {done.stderr}")

    @staticmethod
    def store(database):
        return {"driver": database.driver, "url": database.url, "table": TABLE}

    @staticmethod
    def expect_settled(database, count, deleted):
        """The figures are worth nothing if not every event was settled."""
        found = dict(database.execute(f"SELECT status, count(*) FROM {TABLE} GROUP BY status"))
        expected = {} if deleted else {"DELIVERED": count}
        if found != expected:
            raise RuntimeError(f"after the run the table holds {found}, not {expected}")

    # ---- relays ----

    def to_null(self, store, **changes):
        return pipeline(store, {"driver": "null"}, "bench", **changes)

    def relay(self, *pipelines, **sections):
        return Relay(self.folder, list(pipelines), **sections)

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
            taken["wall"], taken["cpu"], taken["peak_kib"] / 1024, done.stdout, done.stderr,
            busy / max(all_of_it, 1),
        )  # fmt: skip


def machine_ticks():
    """The time that all cores together were busy, and all that there was, since the machine started."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    idle, waiting = ticks[3:5]
    return sum(ticks) - idle - waiting, sum(ticks)
