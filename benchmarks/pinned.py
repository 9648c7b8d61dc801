"""pinned.py - whether draining slows down while a long transaction keeps every dead row version alive
SPDX-License-Identifier: MIT
"""

import contextlib

from lab import TABLE
from report import Check, Report, progress


@contextlib.contextmanager
def pinning(database):
    """A snapshot from before the run, held until after it."""
    connection = database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(f"SELECT count(*) FROM {TABLE} WHERE status = 'PENDING'")
        pending = cursor.fetchone()[0]
        yield
        cursor.execute(f"SELECT count(*) FROM {TABLE} WHERE status = 'PENDING'")
        if cursor.fetchone()[0] != pending:
            raise RuntimeError("the snapshot was not held over the run")
    connection.close()


def spans(database, count, span):
    """Seconds that the first and the last `span` events took, by the times they were delivered."""
    edges = {
        number: at
        for number, at in database.execute(
            "SELECT number, extract(epoch FROM delivered_at)::float8 FROM (SELECT delivered_at,"
            f" row_number() OVER (ORDER BY delivered_at) AS number FROM {TABLE}) AS delivered"
            " WHERE number IN (1, %s, %s, %s)",
            (span, count - span, count),
        )
    }
    return edges[span] - edges[1], edges[count] - edges[count - span]


def run(lab, scale, options, say):
    count = options.events or scale.pinned_events
    span = min(scale.pinned_span, count // 4)
    source = lab.prepared(f"filled_{count}", lambda database: lab.fill_pending(database, count))
    report = Report(
        f"Pinned: draining {count:,} events while a transaction holds a snapshot from before",
        ["mode", f"first {span:,} s", f"last {span:,} s", "ratio", "whole s"],
    )
    for mode in scale.pinned_modes:
        with lab.copy(source) as database, pinning(database):
            relay = lab.relay(lab.to_null(lab.store(database), claim={"mode": mode}))
            figures = lab.measure(relay.command("run", "--once"))
            lab.expect_settled(database, count, deleted=False)
            first, last = spans(database, count, span)
        report.rows.append([mode, first, last, last / first, figures.wall])
        say(progress(report))
        report.checks.append(Check(f"{mode}, last / first", last / first, scale.pinned_ratio))
    return report
