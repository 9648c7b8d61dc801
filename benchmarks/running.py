"""running.py - a relay that runs as a daemon over an empty table: how soon it delivers, what idling costs
SPDX-License-Identifier: MIT
"""

import contextlib
import time
import uuid
from pathlib import Path
from statistics import quantiles

from harness.waiting import wait_until

from lab import TABLE
from report import Check, Report, progress
from targets import EVENTS_A_SECOND, PAYLOAD

INSERT = f"INSERT INTO {TABLE} (event_id, event_type, payload) VALUES (%s, 'order.created', %s)"
SETTLE_DOWN = 3  # seconds until an idle relay sleeps as long as it ever will


@contextlib.contextmanager
def daemon(lab):
    """A relay at work, and its database. A first event has gone through when it is handed over."""
    with lab.copy(lab.prepared("empty", lambda database: None)) as database:
        relay = lab.relay(lab.to_null(lab.store(database))).start()
        try:
            database.execute(INSERT, (lab.id(str(uuid.uuid4())), b"x"))
            wait_until(
                lambda: database.value(f"SELECT status FROM {TABLE}") == "DELIVERED",
                lambda: f"the relay delivers its first event:\n{relay.log_tail()}",
                meanwhile=relay.assert_running,
            )
            yield relay, database
        finally:
            relay.close()


# ---- latency --------------------------------------------------------------------------------------


def produce(lab, connection, count):
    """Commits one event at a time, at an even pace; returns when, by id. The time is taken before the
    commit, so what is measured is never less than what a producer sees."""
    committed = {}
    body = b"x" * PAYLOAD
    began = time.monotonic()
    for number in range(count):
        wait = began + number / EVENTS_A_SECOND - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        event = str(uuid.uuid4())
        with connection.cursor() as cursor:
            cursor.execute(INSERT, (lab.id(event), body))
        committed[event] = time.time()
        connection.commit()
    return committed


def latency(lab, scale, options, say):
    count = EVENTS_A_SECOND * scale.latency_seconds
    with daemon(lab) as (relay, database):
        connection = database.connect()
        lab.begin_by_itself(connection)
        committed = produce(lab, connection, count)
        connection.close()
        wait_until(
            lambda: database.value(f"SELECT count(*) FROM {TABLE} WHERE status <> 'DELIVERED'") == 0,
            "the relay delivers every event", meanwhile=relay.assert_running,
        )  # fmt: skip
        delivered = lab.delivered_times(database)
    taken = sorted((at - committed[event]) * 1000 for event, at in delivered if event in committed)
    cuts = quantiles(taken, n=100, method="inclusive")
    report = Report(
        f"Latency, {lab.name}: commit of an insert to delivered_at, {EVENTS_A_SECOND} events a second",
        ["events", "p50 ms", "p90 ms", "p99 ms", "most ms"],
        rows=[[len(taken), cuts[49], cuts[89], cuts[98], taken[-1]]],
        checks=[
            Check("p50", cuts[49], lab.promise.p50_ms * scale.slack, unit=" ms"),
            Check("p99", cuts[98], lab.promise.p99_ms * scale.slack, unit=" ms"),
        ],
        notes=["delivered_at is written after the broker's acknowledgement: an upper bound for it"],
    )
    say(progress(report))
    return report


# ---- idle -----------------------------------------------------------------------------------------


def processor_seconds(process):
    """Of all threads, to the nanosecond."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def idle(lab, scale, options, say):
    with daemon(lab) as (relay, database):
        time.sleep(SETTLE_DOWN)
        began, used = time.monotonic(), processor_seconds(relay.process)
        before = lab.transactions(database)
        time.sleep(scale.idle_seconds)
        relay.assert_running()
        seconds = time.monotonic() - began
        percent = (processor_seconds(relay.process) - used) / seconds * 100
        rate = (lab.transactions(database) - before) / seconds
    report = Report(
        f"Idle, {lab.name}: {scale.idle_seconds} s over an empty table",
        ["seconds", "% of a core", "transactions/s"],
        rows=[[seconds, percent, rate]],
        checks=[
            Check("processor", percent, lab.promise.idle_percent * scale.slack, unit=" % of a core"),
            Check("transactions", rate, lab.promise.idle_transactions, unit=" a second"),
        ],
    )
    say(progress(report))
    return report
