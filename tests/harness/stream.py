"""stream.py - events of one topic on their way from a table through a relay to a broker
SPDX-License-Identifier: MIT
"""

import os
import time

from . import settings
from .relay import Relay, pipeline
from .sources import Producer
from .tables import Table
from .waiting import wait_until

# What delivery has to resume within once the broker is back, as the drivers promise it to an operator.
RESUME_SECONDS = 5 if settings.SANITIZE == "none" else 20

ID_LENGTH = 36  # payloads begin with the event's id


def resume_limit():
    """More where the machine has more to do than it can: then the figure says nothing of the relay."""
    return RESUME_SECONDS * max(1, os.getloadavg()[0] / os.cpu_count())


def new_table(database, folder):
    """A table as `init` makes it."""
    table = Table(database)
    relay = Relay(folder, [pipeline(store_of(table), {"driver": "null"})])
    done = relay.run("init")
    assert done.returncode == 0, done.stderr
    return table


def store_of(table):
    return {"driver": "postgres", "url": table.database.url, "table": table.name}


class Stream:
    """A table whose events all have the topic as their type, the pipeline that publishes them, and
    what is to be seen of them at both ends."""

    figures = []  # lines for the end of the run

    def __init__(self, broker, table, name):
        self.broker = broker
        self.table = table
        self.topic = broker.topic(name)
        self.relay = None  # set by whoever makes it

    def pipeline(self, port=None, publisher=None, **changes):
        """The pipeline to the broker, or to a proxy at the port."""
        changes.setdefault("name", self.broker.name)
        given = publisher or {}
        section = (
            self.broker.publisher(**given)
            if port is None
            else self.broker.publisher_through(port, **given)
        )
        return pipeline(store_of(self.table), section, **changes)

    def insert(self, count, **options):
        self.table.insert_stream(count, self.topic, **options)

    def producer(self, portion):
        return Producer(self.table, portion, self.topic)

    # ---- what the table says ----

    def delivered(self):
        return self.table.count("status = 'DELIVERED'")

    def undelivered(self):
        return self.table.count("status <> 'DELIVERED'")

    def wait_delivered_more(self, beyond, timeout=None):
        wait_until(
            lambda: self.delivered() > beyond,
            lambda: f"more than {beyond} events are delivered: {self.why()}",
            timeout, meanwhile=self.relay.assert_running,
        )  # fmt: skip

    def wait_all_delivered(self, timeout=None):
        wait_until(
            lambda: self.undelivered() == 0,
            lambda: f"all events are delivered: {self.why()}",
            timeout, interval=0.05, meanwhile=self.relay.assert_running,
        )  # fmt: skip

    def charged(self):
        """Attempts, states and reasons of events that were charged or given up, some of them."""
        return self.table.database.execute(
            f"SELECT attempts, status, last_error, count(*) FROM {self.table.name}"
            " WHERE attempts > 0 OR status = 'DEAD' GROUP BY 1, 2, 3 LIMIT 5"
        )

    def assert_no_attempt(self):
        """An outage is the broker's, not an event's."""
        charged = self.charged()
        assert not charged, f"attempts were charged: {charged}\n{self.relay.log_tail()}"

    def why(self):
        log = self.relay.log_tail() if self.relay else ""
        return f"there are {self.table.states()}, charged {self.charged()}\n{log}"

    # ---- what the broker says ----

    def arrived(self):
        """The ids of what arrived, duplicates included, in the broker's order."""
        return [m.payload[:ID_LENGTH].decode() for m in self.broker.read(self.topic)]

    def assert_nothing_lost(self):
        arrived = set(self.arrived())
        sent = self.table.ids()
        missing, strange = sent - arrived, arrived - sent
        assert not missing, (
            f"{len(missing)} of {len(sent)} events never arrived though they are DELIVERED:"
            f" {sorted(missing)[:5]}\n{self.relay.log_tail()}"
        )
        assert not strange, f"{len(strange)} arrived that nobody sent: {sorted(strange)[:5]}"

    def wait_and_assert_exact(self, timeout=None):
        """The end of every test: all delivered, nothing lost, no attempt charged."""
        self.wait_all_delivered(timeout)
        self.assert_no_attempt()
        self.assert_nothing_lost()

    def assert_ordered(self):
        """By key, events arrived for the first time in the order in which they were inserted."""
        key_and_place = {
            event_id: (key, place)
            for event_id, key, place in self.table.database.execute(
                f"SELECT event_id::text, partition_key, seq FROM {self.table.name}"
            )
        }
        last, seen = {}, set()
        for number, event_id in enumerate(self.arrived()):
            key, place = key_and_place[event_id]
            if event_id in seen:
                continue
            seen.add(event_id)
            assert place > last.get(key, 0), (
                f"message {number} of key {key} is event {place} and arrived after event {last[key]}"
            )
            last[key] = place

    def assert_resumes(self, what, bring_back):
        """Brings the broker back while events wait: more of them are delivered in time, or all were
        before one could look."""
        bring_back()
        began, before = time.monotonic(), self.delivered()
        wait_until(
            lambda: self.delivered() > before or self.undelivered() == 0,
            lambda: f"delivery resumes after {what}: {self.why()}",
            meanwhile=self.relay.assert_running,
        )
        took = time.monotonic() - began
        self.figures.append(f"{self.broker.name}: delivery resumed {took:.2f} s after {what}")
        limit = resume_limit()
        assert took < limit, f"delivery resumed {took:.1f} s after {what}, not in {limit:.0f} s"


def peak_memory(relay):
    """The most that the relay's process ever had in memory, in MiB."""
    with open(f"/proc/{relay.process.pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    raise AssertionError("the kernel tells no VmHWM")


class FlatMemory:
    """Remembers the relay's peak after a first load and fails if much more comes on top of it. Means
    nothing under a sanitizer, which keeps what is freed."""

    def __init__(self, relay, growth):
        self.relay = relay
        self.first = peak_memory(relay)
        self.growth = growth  # MiB

    def check(self, name):
        last = peak_memory(self.relay)
        Stream.figures.append(f"{name}: memory {self.first:.1f} MiB at first, {last:.1f} MiB at last")
        if settings.SANITIZE == "none":
            assert last < self.first + self.growth, (
                f"memory grew from {self.first:.1f} to {last:.1f} MiB"
            )
