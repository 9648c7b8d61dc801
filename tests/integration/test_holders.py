"""test_holders.py - who works at a table, as an operator sees it
SPDX-License-Identifier: MIT
"""

import json
import sqlite3

import pytest

from harness.engines import every_store
from harness.http import LISTEN, Http
from harness.layouts import place_of
from harness.relay import pipeline
from harness.settings import need
from harness.sqlite import TABLE, SqliteOutbox

FOREIGN = '<script>alert("1")</script>'
HELD = 3  # by each relay


@pytest.fixture
def place(engine, database):
    need("publisher-null")
    return place_of(engine, database)


@pytest.fixture
def new(place, new_relay):
    """Makes a relay of that id which never lets go of what it holds."""

    def make(relay_id):
        hour = "1h"
        claim = {"workers": 1, "batch_size": HELD, "lease": hour, "foreign_lease": hour}
        return new_relay(
            pipeline(
                place.store, {"driver": "null", "delay": hour}, claim=dict(claim, poll_max="50ms"),
                publish={"max_in_flight": HELD, "timeout": hour},
            ),
            relay={"id": relay_id, "shutdown_timeout": "1s"}, http=dict(LISTEN, stall_after=hour),
        )  # fmt: skip

    return make


def enqueue(relay, count, **more):
    event = json.dumps(dict({"type": "t", "payload": "x"}, **more)) + "\n"
    done = relay.run("enqueue", "--ndjson", stdin=event * count)
    assert done.returncode == 0, done.stderr


def held(shown):
    """Events by relay, of what /stats and the command `stats` show of a pipeline."""
    relays = (shown["holders"] or {}).get("relays") or []
    return {relay["relay"] or relay["token"]: relay["events"] for relay in relays}


@every_store
def test_each_relay_sees_who_else_works_at_its_table(place, new):
    first, second = new("first"), new("second")
    assert first.run("init").returncode == 0
    enqueue(first, 2 * HELD)
    first.start()
    Http(first).wait_pipeline(lambda p: held(p) == {"first": HELD}, "the first holds its share")
    second.start()
    http = Http(second)
    both = {"first": HELD, "second": HELD}
    http.wait_pipeline(lambda p: held(p) == both, "both are seen")
    holders = http.pipeline()["holders"]
    assert (holders["partial"], holders["reason"]) == (False, None)
    by_id = {relay["relay"]: relay for relay in holders["relays"]}
    assert by_id["second"]["self"] and not by_id["first"]["self"]
    assert by_id["first"]["held_for"] >= by_id["second"]["held_for"] >= 0
    assert [by_id[name]["claims"] >= 1 for name in both] == [True, True]
    page = http.get("/").body.decode()
    assert "<bdi>first</bdi></th>" in page and "<bdi>second</bdi> <small>this relay</small>" in page

    (shown,) = json.loads(first.run("stats", "--json").stdout)["pipelines"]
    assert held(shown) == both
    lines = [line.split() for line in first.run("stats").stdout.splitlines()]
    assert ["p", "first", str(HELD)] in [line[:3] for line in lines]

    # Dead, it holds what it held. Each event that is counted anew shows that the table was looked at.
    first.kill()
    for number in (1, 2):
        enqueue(second, 1, available_at="2037-01-01T00:00:00Z")
        http.wait_pipeline(lambda p, n=number: p["table"]["scheduled"] == n, "it is counted")
    assert held(http.pipeline()) == both
    assert http.wait_ready()

    # A relay looks for expired leases as it starts.
    place.execute(
        f"UPDATE {TABLE} SET locked_at = '2020-01-01 00:00:00.000' WHERE locked_by LIKE ?",
        "outbox-relay:first:%",
    )
    new("third").start()
    http.wait_pipeline(lambda p: "first" not in held(p), "the first is gone")
    assert held(http.pipeline())["second"] == HELD
    second.kill()


def test_that_it_cannot_be_told_hides_no_count_and_stops_nothing(own_table, outbox, new_relay):
    """On PostgreSQL. An idle relay needs to read who holds events for nothing else."""
    database, name = own_table.database, own_table.name
    database.execute(
        "DROP ROLE IF EXISTS blinkered; CREATE ROLE blinkered LOGIN;"
        f"GRANT SELECT, UPDATE ON {name} TO blinkered"
    )
    store = {"url": database.url.replace("postgres@", "blinkered@")}
    relay = new_relay(outbox.to_null(own_table, store=store), http=LISTEN).start()
    http = Http(relay)
    http.wait_pipeline(lambda p: p["holders"] and p["holders"]["relays"] == [], "nobody holds any")
    columns = ", ".join(
        column for (column,) in database.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
            " AND attname <> 'locked_by'", (name,),
        )
    )  # fmt: skip
    database.execute(
        f"REVOKE SELECT ON {name} FROM blinkered; GRANT SELECT ({columns}) ON {name} TO blinkered"
    )
    http.wait_pipeline(lambda p: p["holders"]["relays"] is None, "it is not known any more")
    own_table.insert(b"later", available_in=3600)
    http.wait_pipeline(lambda p: p["table"]["scheduled"] == 1, "events are still counted")
    assert "permission denied" in http.pipeline()["holders"]["reason"]
    assert "permission denied" in http.get("/").body.decode()
    http.wait_ready()
    done = relay.run("stats")
    assert done.returncode == 0 and "permission denied" in done.stderr, done
    database.execute(f"GRANT SELECT ON {name} TO blinkered")
    http.wait_pipeline(lambda p: p["holders"]["relays"] == [], "it is known again")
    relay.stop()


# ---- on SQLite ------------------------------------------------------------------------------------


@pytest.fixture
def sqlite(folder, new_relay):
    need("store-sqlite", "publisher-null")
    return SqliteOutbox(folder, lambda *pipelines, **options: new_relay(*pipelines, http=LISTEN, **options))


def take_over(sqlite, event_id, owner):
    connection = sqlite3.connect(sqlite.path, timeout=30, isolation_level=None)
    connection.execute(
        f"UPDATE {TABLE} SET status = 'DELIVERING', locked_by = ?,"
        " locked_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE event_id = ?",
        (owner, event_id),
    )
    connection.close()


def test_whoever_else_holds_events_is_shown_as_text(sqlite):
    sqlite.to({"driver": "null"})
    for owner in (FOREIGN, FOREIGN, None, f"outbox-relay:{FOREIGN}:1"):
        take_over(sqlite, sqlite.put(available_at="2037-01-01T00:00:00Z"), owner)
    sqlite.relay.start()
    http = Http(sqlite.relay)
    http.wait_pipeline(lambda p: p["holders"], "the table was looked at")
    shown = {
        (relay["relay"], relay["token"]): (relay["events"], relay["claims"], relay["self"])
        for relay in http.pipeline()["holders"]["relays"]
    }
    assert shown == {
        (None, FOREIGN): (2, 1, False), (None, None): (1, 1, False), (FOREIGN, None): (1, 1, False),
    }  # fmt: skip
    page = http.get("/").body.decode()
    assert FOREIGN not in page and "not named" in page
    text = "<bdi>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;</bdi>"
    assert f"{text} <small>of another make</small>" in page and f"{text}</th>" in page


def test_in_mode_hold_it_is_said_that_nobody_knows(sqlite):
    sqlite.to({"driver": "null"}, claim={"mode": "hold"}).relay.start()
    http = Http(sqlite.relay)
    http.wait_pipeline(lambda p: p["holders"] and p["table"], "the table was looked at")
    holders = http.pipeline()["holders"]
    assert holders["relays"] is None and "mode hold" in holders["reason"]
    assert "Not known: <bdi>" in http.get("/").body.decode()
    http.wait_ready()
    assert "HELD BY" not in sqlite.command("stats")
    (shown,) = json.loads(sqlite.command("stats", "--json"))["pipelines"]
    assert shown["holders"] == holders
