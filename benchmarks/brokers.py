"""brokers.py - the relay from PostgreSQL to a real broker, beside the bare producer and the bare store loop
SPDX-License-Identifier: MIT

Three contestants take turns: the producer alone (the broker's client library in a loop, no database), the
store loop alone (throughput.py's floor, no broker), and the relay between the two. What decides is the relay
beside the slower of the two: it has to do the work of both.
"""

import importlib
import itertools
import json
from statistics import median

from harness import settings
from harness.relay import merged, pipeline

from lab import TOOLS
from report import Check, Report, progress
from targets import BROKERS, PAYLOAD
from throughput import Contest, ServerStore

COLUMNS = ["broker", "producer events/s", "store events/s", "relay events/s", "of the slower",
           "of both in turn", "busy, producer %", "busy, store %", "busy, relay %", "relay us/event", "producer us/event", "store us/event", "relay MiB", "producer MiB"]  # fmt: skip


class BrokerContest(Contest):
    """One broker: its producer, the store loop and the relay in turn."""

    def __init__(self, lab, store, mode, broker, tuning):
        super().__init__(lab, store, mode, tuning)
        self.broker = broker
        self.producer_runs = []
        self.numbers = itertools.count(1)
        self.topic = None

    def new_topic(self):
        """Each run has its own, so that none meets what another left."""
        self.topic = self.broker.topic(f"bench-{next(self.numbers)}")
        return self.topic

    def command(self, variant, database):
        if variant is not None:
            return super().command(variant, database)
        changes = merged(
            {"claim": {"mode": self.mode}, "delivered": self.delivered,
             "route": {"topic": self.new_topic()}},
            self.tuning,
        )  # fmt: skip
        relay = self.lab.relay(
            pipeline(self.store.config(database), self.broker.publisher(), "bench", **changes)
        )
        return relay.command("run", "--once")

    def run(self, variant):
        rate = super().run(variant)
        if variant is None:
            self.expect_arrived()
        return rate

    def produce(self):
        """The producer alone; its own clock runs from the first message to the last acknowledgement."""
        topic = self.new_topic()
        figures = self.lab.measure(
            [TOOLS / f"floor_{self.broker.name}", *self.broker.producer_arguments(topic),
             "--events", self.store.count, "--payload", PAYLOAD]
        )  # fmt: skip
        done = json.loads(figures.output)
        assert done["events"] == self.store.count, f"the producer sent {done['events']} events"
        figures.rate = done["events"] / done["seconds"]
        self.expect_arrived()
        self.producer_runs.append(figures)

    def expect_arrived(self):
        arrived = self.broker.count(self.topic)
        assert arrived >= self.store.count, f"{arrived} of {self.store.count} events arrived"

    def play(self, rounds):
        best = max(self.store.variants, key=self.run) if len(self.store.variants) > 1 else None
        best = best or self.store.variants[0]
        turns = [self.produce, lambda: self.run(best), lambda: self.run(None)]
        for number in range(rounds):
            # Whoever comes first meets the machine as the one before left it: they take turns at that.
            for turn in turns[number % 3 :] + turns[: number % 3]:
                turn()
        return best


def summarise(report, contest, best, scale):
    def rate(runs):
        return median(run.rate for run in runs)

    def each(runs):
        return median(run.processor for run in runs) / contest.store.count * 1e6

    producer, store, relay = contest.producer_runs, contest.floor_runs[best], contest.relay_runs
    ratio = rate(relay) / min(rate(producer), rate(store))
    in_turn = 1 / (1 / rate(producer) + 1 / rate(store))

    def busy(runs):
        return median(run.busy for run in runs) * 100
    name = contest.broker.name
    report.rows.append(
        [name, rate(producer), rate(store), rate(relay), ratio,
         rate(relay) / in_turn, busy(producer), busy(store), busy(relay), each(relay), each(producer), each(store),
         max(run.peak_mib for run in relay), max(run.peak_mib for run in producer)]
    )  # fmt: skip
    report.checks.append(
        Check(f"{name}, of the slower floor", ratio, scale.broker_ratio, at_least=True)
    )


def server(name):
    """A broker to measure with; None where the build or the machine has no such thing."""
    if not settings.has_driver(f"publisher-{name}") or not (TOOLS / f"floor_{name}").exists():
        return None
    return importlib.import_module(f"harness.brokers.{name}").benchmark_server()


def run(lab, scale, options, say):
    modes = options.modes or ["lease-keep"]
    rounds = options.rounds or scale.rounds
    report = Report("Brokers: events of 512 bytes, PostgreSQL to a broker", list(COLUMNS))
    for name in options.brokers or BROKERS:
        broker = server(name)
        if broker is None:
            report.notes.append(f"{name}: not measured, its driver or its bare producer was not built")
            continue
        count = options.events or scale.broker_events
        store = ServerStore(lab, count, scale.floor_variants)
        try:
            broker.start()
            for mode in modes:
                contest = BrokerContest(lab, store, mode, broker, {})
                summarise(report, contest, contest.play(rounds), scale)
                say(progress(report))
        finally:
            broker.close()
    report.notes += [
        f"{options.events or scale.broker_events:,} events, {', '.join(modes)}; medians of {rounds} rounds in"
        " turn; server, broker and what is measured share the machine's cores",
        "both in turn: every event through the one floor and then through the other, on all cores; where floors and"
        " relay keep all cores busy, nothing that does the work of both can be faster",
        "the relay's rate is of the whole process less its start over an empty table; the producer's is by its own"
        " clock, from the first message to the last acknowledgement",
    ]
    return report
