"""history.py - whether a claim takes longer beside millions of delivered rows
SPDX-License-Identifier: MIT

Claims are timed at the store driver's own op, of a table with history and one without in turn. In mode hold
nothing is committed by a claim, so no disk blurs it; mode lease is what most people run. Each is done over
a table whose statistics are known and one that was never analysed: a plan must not depend on it.
"""

import json

from lab import TABLE, TOOLS, fill_pending, postgres
from report import Check, Report, progress
from targets import BATCH_OF_CLAIMS

# Ids in the order of time, as UUIDs of version 7 are.
DELIVERED = (
    f"INSERT INTO {TABLE} (event_id, event_type, partition_key, payload, status, available_at, created_at,"
    " updated_at, delivered_at)"
    " SELECT (lpad(to_hex(i), 12, '0') || substr(md5(i::text), 13))::uuid, 'order.created',"
    " 'customer-' || i %% 1000, 'x', 'DELIVERED', at, at, at, at"
    " FROM (SELECT i, now() - interval '7 days' + i * interval '100 milliseconds' AS at"
    " FROM generate_series(%s, %s) AS i) AS rows"
)
STEP = 250_000


def fill(database, delivered, pending, analysed):
    # The server shall not analyse it behind our back.
    database.execute(f"ALTER TABLE {TABLE} SET (autovacuum_enabled = off)")
    for first in range(0, delivered, STEP):
        database.execute(DELIVERED, (first + 1, min(first + STEP, delivered)))
    fill_pending(database, pending)
    if not analysed:
        forget_statistics(database)


def forget_statistics(database):
    """As if the table had never been analysed: its rows are in place and nobody has counted them."""
    database.execute(f"DELETE FROM pg_statistic WHERE starelid = '{TABLE}'::regclass")
    database.execute(
        "UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0 WHERE oid IN"
        f" (SELECT '{TABLE}'::regclass UNION SELECT indexrelid FROM pg_index"
        f" WHERE indrelid = '{TABLE}'::regclass)"
    )


def history_of(lab, scale, rows, statistics):
    """A prepared database with so many delivered rows beside the pending ones."""
    return lab.prepared(
        f"history_{rows}_{statistics}",
        lambda database: fill(database, rows, scale.pending_rows, statistics == "known"),
    )


def times(lab, none, history, mode, claims):
    """{"none": {...}, "history": {...}}"""
    relay = lab.relay(
        dict(lab.to_null(postgres(none), claim={"mode": mode}), name="none"),
        dict(lab.to_null(postgres(history), claim={"mode": mode}), name="history"),
    )
    figures = lab.measure([TOOLS / "claim_latency", relay.config_path, claims, BATCH_OF_CLAIMS])
    return json.loads(figures.output)


def run(lab, scale, options, say):
    rows = f"{scale.delivered_rows:,} delivered rows"
    report = Report(
        f"History: a claim of {BATCH_OF_CLAIMS} events beside {rows}",
        ["mode", "statistics", "none us", "history us", "ratio", "none p95", "history p95"],
    )
    for what in scale.history_statistics:
        names = [history_of(lab, scale, rows, what) for rows in (0, scale.delivered_rows)]
        for mode in scale.history_modes:
            with lab.copy(names[0]) as none, lab.copy(names[1]) as history:
                found = times(lab, none, history, mode, scale.claims)
            before, after = found["none"], found["history"]
            ratio = after["median_us"] / before["median_us"]
            report.rows.append(
                [mode, what, before["median_us"], after["median_us"], ratio, before["p95_us"],
                 after["p95_us"]]
            )  # fmt: skip
            say(progress(report))
            verdict = f"{mode}, statistics {what}, median with history / without"
            report.checks.append(Check(verdict, ratio, scale.history_ratio))
    report.notes.append(f"{scale.claims} claims of each table in turn, {scale.pending_rows:,} pending rows")
    return report
