"""window.py - what partition_window is worth on a table of ninety days
SPDX-License-Identifier: MIT

A table of layout velmie, by days, and the same rows in a flat one. Some events of each day were never delivered,
and nobody wants them any more: that is what a window is for. Timed are the relay's claims of the partitioned table
with a window of a day, and beside them the scan of the flat one that asks for the same rows by the same index.
"""

import calendar
import datetime
import json
import time
from statistics import median

from lab import TOOLS
from lab_mysql import make_numbers
from report import Check, Report, progress
from targets import BATCH_OF_CLAIMS

DAYS = 90
WINDOW = 86400  # seconds
SCANS = 21

# Ids are UUIDs of version 7, spread over the day; every so-many-th event is still pending.
FILL = """
INSERT INTO outbox (id, aggregate_type, aggregate_id, event_type, payload, status, created_at, updated_at)
SELECT UNHEX(CONCAT(LPAD(HEX(ms), 12, '0'), '7', LEFT(noise, 3), '8', SUBSTR(noise, 4, 15))),
    'order', 'o-1', 'order.created', '{}', CASE WHEN n %% %s = 0 THEN 0 ELSE 1 END,
    FROM_UNIXTIME(ms / 1000), FROM_UNIXTIME(ms / 1000)
FROM (SELECT n, %s + n * %s AS ms, SHA2(n + %s, 224) AS noise FROM numbers WHERE n < %s) AS made
"""

SCAN = """
SELECT id, aggregate_type, aggregate_id, event_type, payload, headers, attempt_count, created_at, created_ts
FROM outbox FORCE INDEX (outbox_claim) WHERE status = 0 AND created_ts >= UNIX_TIMESTAMP() - %s
ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""


def store(lab, database, **changes):
    return dict(lab.store(database), table="outbox", layout="velmie", binary_payload=True, **changes)


def partitioning(today):
    """By days, from the first to tomorrow."""
    days = [today + datetime.timedelta(days=n) for n in range(1 - DAYS, 3)]
    parts = [
        f"PARTITION p{day - datetime.timedelta(days=1):%Y%m%d} VALUES LESS THAN"
        f" ({calendar.timegm(day.timetuple())})"
        for day in days
    ]
    return f"PARTITION BY RANGE (created_ts) ({', '.join(parts)}, PARTITION pmax VALUES LESS THAN MAXVALUE)"


def fill(database, scale):
    """Each day up to this instant, and in the last one as many pending events as will be claimed."""
    make_numbers(database, max(scale.window_rows, scale.pending_rows))
    now = int(time.time() * 1000)
    for ago in range(DAYS - 1, 0, -1):
        pace = WINDOW * 1000 // scale.window_rows
        begin = now - ago * WINDOW * 1000 - WINDOW * 1000
        database.execute(FILL, (20, begin, pace, ago * 1000000, scale.window_rows))
    begin, pace = now - WINDOW * 1000 // 2, WINDOW * 1000 // 2 // scale.pending_rows
    database.execute(FILL, (1, begin, pace, 0, scale.pending_rows))
    database.execute("ANALYZE TABLE outbox")


def make(lab, scale, name, partitioned):
    database = lab.create(name)
    made = lab.relay(lab.to_null(store(lab, database), claim={"mode": "hold"})).run("init")
    if made.returncode != 0:
        raise RuntimeError(f"outbox-relay init failed: {made.stderr}")
    if partitioned:
        database.execute(f"ALTER TABLE outbox {partitioning(datetime.date.today())}")
    fill(database, scale)
    return database


def scan_us(database):
    """The median of the whole statement, its rows read."""
    taken = []
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        for _ in range(SCANS):
            cursor.execute("BEGIN")
            began = time.perf_counter()
            cursor.execute(SCAN, (WINDOW, BATCH_OF_CLAIMS))
            found = len(cursor.fetchall())
            taken.append((time.perf_counter() - began) * 1e6)
            cursor.execute("ROLLBACK")
            if found != BATCH_OF_CLAIMS:
                raise RuntimeError(f"the scan found {found} events")
    return median(taken)


def claim_us(lab, database, scale):
    pipeline = lab.to_null(
        store(lab, database, partition_window=f"{WINDOW}s"), claim={"mode": "hold"}
    )
    relay = lab.relay(dict(pipeline, name="window"))
    figures = lab.measure([TOOLS / "claim_latency", relay.config_path, scale.claims, BATCH_OF_CLAIMS])
    return json.loads(figures.output)["window"]["median_us"]


def run(lab, scale, options, say):
    rows = DAYS * scale.window_rows
    report = Report(
        f"Window, {lab.name}: a claim of {BATCH_OF_CLAIMS} events of the last day among {rows:,} of {DAYS} days",
        ["server", "flat, scanned us", "by days, claimed us", "ratio"],
    )
    flat = make(lab, scale, "window_flat", partitioned=False)
    by_days = make(lab, scale, "window_days", partitioned=True)
    scanned, claimed = scan_us(flat), claim_us(lab, by_days, scale)
    report.rows.append([lab.name, scanned, claimed, scanned / claimed])
    say(progress(report))
    report.checks.append(
        Check("scan of the flat table / claim with a window", scanned / claimed, scale.window_ratio, at_least=True)
    )
    report.notes.append(
        "one in twenty older events was never delivered; where none is left behind, the scan of the flat table is as"
        " quick, for its index holds nothing older"
    )
    for database in (flat, by_days):
        database.close()
    return report
