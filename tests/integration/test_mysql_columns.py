"""test_mysql_columns.py - tables whose columns and indexes are legal, and not what one expects
SPDX-License-Identifier: MIT
"""

import pytest

from harness.engines import every_mysql
from harness.waiting import wait_until

pytestmark = every_mysql


@pytest.fixture
def new(database, outbox, new_relay):
    """A relay from the custom table `events`, whose columns beside the first three are given."""

    def make(columns, **changes):
        store = {"layout": "custom", "columns": dict({"status": "status"}, **columns)}
        table = type("Events", (), {"database": database, "name": "events"})
        return new_relay(outbox.to_file(table, store=store, **dict({"claim": {"mode": "hold"}}, **changes)))

    return make


PLAIN = "varchar(9) NOT NULL DEFAULT 'PENDING'"


def create(database, id="int", more="", status=PLAIN, index=", KEY (status, id)"):
    database.execute(
        f"CREATE TABLE events (id {id} PRIMARY KEY, type varchar(99), payload text, {more}"
        f" status {status}{index})"
    )


def test_status_that_the_server_generates_is_refused_before_anything_is_published(
    database, new, outbox
):
    made = "CASE WHEN done IS NULL THEN 'PENDING' ELSE 'DELIVERED' END"
    create(database, more="done timestamp(6) NULL,", status=f"varchar(9) AS ({made}) STORED")
    database.execute("INSERT INTO events (id, type, payload) VALUES (1, 't', 'p')")
    relay = new({"delivered_at": "done"})
    assert relay.once() != 0
    assert relay.logged("column status is generated", level="error")
    assert not outbox.delivered.counts()


def test_index_that_is_hidden_from_statements_is_not_used(engine, own_table, outbox, new_relay):
    """As one does before dropping it, to see what it was good for."""
    table = own_table
    hidden = "INVISIBLE" if engine.name == "mysql" else "IGNORED"
    table.database.execute(f"ALTER TABLE {table.name} ALTER INDEX outbox_claim {hidden}")
    event_id = table.insert(b"x")
    relay = new_relay(outbox.to_file(table))
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.counts() == {event_id: 1}
    assert relay.logged("has no index on", level="warn")


def test_dates_in_the_place_of_text_travel_as_text(database, new, outbox):
    create(database, more="day datetime(6), since timestamp NULL, until date,")
    database.execute(
        "INSERT INTO events (id, type, payload, day, since, until) VALUES"
        " (1, 't', 'p', '2025-01-02 03:04:05.000006', NULL, '2025-01-09')"
    )
    relay = new({"partition_key": "day", "aggregate_type": "since", "aggregate_id": "until"})
    assert relay.once() == 0, relay.log_tail()
    line = outbox.delivered.of("1")
    assert line["key"] == "2025-01-02 03:04:05.000006"
    assert line["aggregate_id"] == "2025-01-09"
    assert line.get("aggregate_type") is None


@pytest.mark.parametrize("delivered", ["keep", "delete"])
def test_id_as_long_as_an_index_takes_is_settled(database, new, outbox, delivered):
    """3072 bytes, and as many characters where each is one byte."""
    id = "varchar(3050) CHARACTER SET ascii"
    create(database, id, more="tries int NOT NULL DEFAULT 0,", index="")
    ids = {"x" * 2000 + end for end in ("a", "b")}
    for id in ids:
        database.execute("INSERT INTO events (id, type, payload) VALUES (%s, 't', 'p')", (id,))
    relay = new({"attempts": "tries"}, delivered=delivered)
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.counts() == {id: 1 for id in ids}
    left = database.execute("SELECT status FROM events")
    assert left == ([("DELIVERED",)] * 2 if delivered == "keep" else [])


def test_time_that_may_be_missing_is_warned_of(database, new):
    """An event without it is never due."""
    create(database, more="due timestamp(6) NULL,", index=", KEY (status, due, id)")
    done = new({"available_at": "due"}).run("check", "--connect")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "column due of table `events` allows NULL" in done.stdout


def test_ids_beyond_what_is_signed_keep_their_order(database, new, outbox):
    """As UUID_SHORT() makes them where server_id is 128 or more. The relay reads on behind what others hold, and
    comes upon nothing again."""
    create(database, "bigint unsigned")
    ids = [2**63 - 40 + number for number in range(200)]
    for id in ids:
        database.execute("INSERT INTO events (id, type, payload) VALUES (%s, 't', 'p')", (id,))
    held = ids[50:60]
    other = database.connect()
    database.begin(other)
    with other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM events WHERE id IN %s FOR UPDATE", (held,))
    relay = new({})
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.counts() == {str(id): 1 for id in ids if id not in held}
    other.rollback()
    database.disconnect(other)
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.counts() == {str(id): 1 for id in ids}


def test_sequence_that_may_be_missing_hides_no_event(database, new):
    """No index orders by it, and a place in the order of claims it is none."""
    create(database, more="number bigint NULL,", index="")
    relay = new({"seq": "number"}, claim={"mode": "hold", "poll_max": "50ms"})
    relay.start()
    for id, number in ((1, 9), (2, None), (3, None), (4, 7)):
        database.execute("INSERT INTO events (id, type, payload, number) VALUES (%s, 't', 'p', %s)", (id, number))
        wait_until(
            lambda: database.value("SELECT COUNT(*) FROM events WHERE status = 'PENDING'") == 0,
            lambda: relay.log_tail(), meanwhile=relay.assert_running,
        )  # fmt: skip
    relay.stop()


@pytest.mark.parametrize("key", ["UNIQUE KEY (id)", "KEY (id)"])
def test_event_without_an_id_is_warned_of_and_never_claimed(database, new, outbox, key):
    """It could not be settled."""
    database.execute(
        f"CREATE TABLE events (id int NULL, type varchar(99), payload text, status {PLAIN}, {key})"
    )
    database.execute("INSERT INTO events (id, type, payload) VALUES (NULL, 't', 'p'), (1, 't', 'p')")
    relay = new({})
    assert "column id of table `events` allows NULL" in relay.run("check", "--connect").stdout
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.counts() == {"1": 1}
    assert database.execute("SELECT status FROM events ORDER BY id") == [("PENDING",), ("DELIVERED",)]


def test_lease_whose_attempts_are_missing_ends_with_the_others(database, new):
    """It has none, however many the one before it has had."""
    create(
        database, more="tries int NULL, due timestamp(6) NOT NULL DEFAULT NOW(6), owner varchar(128) NULL,"
        " since timestamp(6) NULL,", status="varchar(10) NOT NULL DEFAULT 'PENDING'",
        index=", KEY (status, due, id)",
    )  # fmt: skip
    database.execute(
        "INSERT INTO events (id, type, payload, status, tries, owner, since) VALUES"
        " (1, 't', 'p', 'DELIVERING', 99, 'x', NOW(6) - INTERVAL 1 DAY),"
        " (2, 't', 'p', 'DELIVERING', NULL, 'x', NOW(6) - INTERVAL 1 DAY)"
    )
    columns = {"attempts": "tries", "available_at": "due", "locked_by": "owner", "locked_at": "since"}
    relay = new(columns, claim={"mode": "lease"})
    relay.start()
    said = "expired leases were ended"
    wait_until(lambda: relay.logged(said), lambda: relay.log_tail(), meanwhile=relay.assert_running)
    relay.stop()
    (line,) = relay.logged(said)
    assert (line["pending"], line["dead"]) == (1, 1)
