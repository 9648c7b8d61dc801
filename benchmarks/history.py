"""history.py - whether a claim takes longer beside millions of delivered rows
SPDX-License-Identifier: MIT

Claims are timed at the store driver's own op, of a table with history and one without in turn. In mode hold
nothing is committed by a claim, so no disk blurs it; mode lease is what most people run. Each is done over
a table whose statistics are known and one that was never analysed: a plan must not depend on it.
"""

import json

from lab import TOOLS
from report import Check, Report, progress
from targets import BATCH_OF_CLAIMS

def history_of(lab, scale, rows, statistics):
    """A prepared database with so many delivered rows beside the pending ones."""
    return lab.prepared(
        f"history_{rows}_{statistics.replace(' ', '_')}",
        lambda database: lab.fill_history(database, rows, scale.pending_rows, statistics),
    )


def times(lab, none, history, mode, claims):
    """{"none": {...}, "history": {...}}"""
    relay = lab.relay(
        dict(lab.to_null(lab.store(none), claim={"mode": mode}), name="none"),
        dict(lab.to_null(lab.store(history), claim={"mode": mode}), name="history"),
    )
    figures = lab.measure([TOOLS / "claim_latency", relay.config_path, claims, BATCH_OF_CLAIMS])
    return json.loads(figures.output)


def run(lab, scale, options, say):
    rows = f"{scale.delivered_rows:,} delivered rows"
    report = Report(
        f"History, {lab.name}: a claim of {BATCH_OF_CLAIMS} events beside {rows}",
        ["mode", "statistics", "none us", "history us", "ratio", "none p95", "history p95"],
    )
    for what in lab.history_statistics[: scale.history_statistics]:
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
