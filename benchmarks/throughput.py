"""throughput.py - events a second of the relay beside those of the bare loop, over identical tables
SPDX-License-Identifier: MIT

What counts is the time of the whole process, from its start to its end, less what the same command needs
over an empty table (the median of three): so neither side pays for connecting, and both pay for making sure
that nothing is left. In the first round every variant of the floor runs; then the two fastest and the relay
take turns, and the faster of the two is the floor.
"""

import json
from statistics import median

from harness.relay import merged

from lab import TOOLS
from report import Check, Report, progress

EMPTY_ROUNDS = 3

COLUMNS = ["mode", "floor events/s", "relay events/s", "ratio", "relay us/event", "floor us/event",
           "server us/event", "server, floor", "peak MiB", "floor with", "floor's range"]  # fmt: skip


class ServerStore:
    """Where the events are, for the loop below."""

    def __init__(self, lab, count, variants):
        self.lab = lab
        self.name = lab.name
        self.count = count
        self.variants = variants
        self.filled = lab.prepared(
            f"filled_{count}", lambda database: lab.fill_pending(database, count)
        )
        self.empty = lab.prepared("empty", lambda database: None)

    def copy(self, empty=False):
        return self.lab.copy(self.empty if empty else self.filled)

    def config(self, database):
        return self.lab.store(database)

    def floor_command(self, database, mode, delivered, connections, batch):
        return [TOOLS / self.lab.floor, "--url", database.url, "--mode", mode, "--delivered", delivered,
                "--connections", connections, "--batch", batch]  # fmt: skip

    def server_time(self):
        return self.lab.server_time()

    def expect_settled(self, database, deleted):
        self.lab.expect_settled(database, self.count, deleted)


class Contest:
    """One mode: floor and relay in turn."""

    def __init__(self, lab, store, mode, tuning):
        self.lab = lab
        self.store = store
        self.mode, self.delivered = mode.split("-")
        self.tuning = tuning  # changes to the relay's configuration
        self.relay_runs = []  # Figures
        self.floor_runs = {}  # variant: Figures
        self.startup = {}

    def command(self, variant, database):
        """Of the floor with its variant, or of the relay with None."""
        if variant is not None:
            return self.store.floor_command(database, self.mode, self.delivered, *variant)
        changes = merged({"claim": {"mode": self.mode}, "delivered": self.delivered}, self.tuning)
        relay = self.lab.relay(self.lab.to_null(self.store.config(database), **changes))
        return relay.command("run", "--once")

    def startup_of(self, variant):
        """What starting, finding nothing and ending takes: a median, measured once."""
        if variant not in self.startup:
            with self.store.copy(empty=True) as database:
                command = self.command(variant, database)
                walls = [self.lab.measure(command).wall for _ in range(EMPTY_ROUNDS)]
            self.startup[variant] = median(walls)
        return self.startup[variant]

    def run(self, variant):
        """One drain; returns events a second."""
        startup = self.startup_of(variant)
        with self.store.copy() as database:
            command = self.command(variant, database)
            with self.store.server_time() as taken:
                figures = self.lab.measure(command)
            figures.server = taken[0]
            self.store.expect_settled(database, self.delivered == "delete")
        if variant is not None:
            drained = json.loads(figures.output)["events"]
            assert drained == self.store.count, f"the floor drained {drained} events"
        figures.rate = self.store.count / (figures.wall - startup)
        runs = self.relay_runs if variant is None else self.floor_runs.setdefault(variant, [])
        runs.append(figures)
        return figures.rate

    def floors(self):
        """The variants, the fastest first."""
        return sorted(self.floor_runs, key=self.floor_rate, reverse=True)

    def play(self, rounds):
        for variant in self.store.variants:
            self.run(variant)
        self.run(None)
        # One round may mistake the second for the first, so two go on.
        finalists = self.floors()[:2]
        for number in range(1, rounds):
            # Whoever comes first meets the machine as the other left it: they take turns at that too.
            for contestant in [*finalists, None] if number % 2 else [None, *finalists]:
                self.run(contestant)
        return max(finalists, key=self.floor_rate)

    def floor_rate(self, variant):
        return median(run.rate for run in self.floor_runs[variant])


def summarise(report, contest, best, scale):
    def each(runs, name):
        values = [getattr(run, name) for run in runs]
        return None if None in values else median(values) / contest.store.count * 1e6

    floor_runs, relay_runs = contest.floor_runs[best], contest.relay_runs
    rates = sorted(run.rate for run in floor_runs)
    floor_rate, relay_rate = median(rates), median(run.rate for run in relay_runs)
    processor = each(relay_runs, "processor")
    peak = max(run.peak_mib for run in relay_runs)
    name = f"{contest.mode}-{contest.delivered}"
    report.rows.append(
        [name, floor_rate, relay_rate, relay_rate / floor_rate, processor, each(floor_runs, "processor"),
         each(relay_runs, "server"), each(floor_runs, "server"), peak, "{} x {}".format(*best),
         f"{rates[0]:,.0f}-{rates[-1]:,.0f}"]
    )  # fmt: skip
    report.checks += [
        Check(f"{name}, of the floor", relay_rate / floor_rate, scale.floor_ratio, at_least=True),
        Check(f"{name}, processor time an event", processor, scale.processor_us, unit=" us"),
        Check(f"{name}, peak memory", peak, scale.peak_mib, unit=" MiB"),
    ]


def contest_all(lab, store, modes, rounds, scale, tuning, say):
    report = Report(
        f"Throughput: {store.count:,} events of 512 bytes, {store.name} to null", list(COLUMNS)
    )
    for mode in modes:
        contest = Contest(lab, store, mode, tuning)
        best = contest.play(rounds)
        summarise(report, contest, best, scale)
        say(progress(report))
    report.notes += [
        f"medians of {rounds} rounds in turn over identical tables; floor: best of its variants "
        "(connections x batch)",
        "processor times are user and system; the server's are those of the sessions, whatever ran beside",
        "time of the whole process less that of the same command over an empty table, on both sides",
        "relay: " + (json.dumps(tuning) if tuning else "its defaults"),
    ]
    return report


def run(lab, scale, options, say):
    tuning = {"claim": {}}
    if options.workers:
        tuning["claim"]["workers"] = options.workers
    if options.batch:
        tuning["claim"]["batch_size"] = options.batch
    tuning = tuning if tuning["claim"] else {}
    store = ServerStore(lab, options.events or scale.events, scale.floor_variants)
    modes = options.modes or scale.modes
    return contest_all(lab, store, modes, options.rounds or scale.rounds, scale, tuning, say)
