"""test_partitions_postgres.py - partitions are there before their time and go when all is delivered
SPDX-License-Identifier: MIT
"""

import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest

from harness import processes
from harness.partitions import PartitionedTable, midnight, named, tend, utc
from harness.waiting import wait_until

DAY = timedelta(days=1)


@pytest.fixture
def table(database, outbox):
    return PartitionedTable(database).create_foreign()


@pytest.fixture
def relay(table, outbox, new_relay):
    return new_relay(outbox.to_file(table))


def made_by_init(database, outbox, new_relay, period="day"):
    table = PartitionedTable(database)
    database.execute("SET TimeZone = 'UTC'")
    relay = new_relay(outbox.to_file(table, store={"partition": period}))
    done = relay.run("init")
    assert done.returncode == 0, done.stderr
    return table, relay


def waits_for(table, relation):
    """Whether somebody waits for a lock on it."""
    return table.database.value(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", (relation,)
    )


# ---- creating -----------------------------------------------------------------------------------


def test_init_makes_a_partitioned_table_that_is_ready(database, outbox, new_relay):
    table, relay = made_by_init(database, outbox, new_relay)
    assert table.has_no_gap(midnight(), midnight(7))
    event = table.insert()
    assert table.partition_of(event) == f"openoutbox_events_p{midnight():%Y%m%d}"
    assert "nothing was to do" in relay.run("init").stdout
    assert relay.run("check", "--connect").returncode == 0
    assert relay.once() == 0
    assert table.row(event)["status"] == "DELIVERED"
    assert tend(relay, "--lookahead", "7d") == []


def test_init_can_cut_by_months(database, outbox, new_relay):
    table, _ = made_by_init(database, outbox, new_relay, "month")
    assert table.names()[0] == f"openoutbox_events_p{midnight():%Y%m}"
    assert table.has_no_gap(midnight(), midnight(7))


def test_the_printed_sql_of_init_makes_the_same_table(database, outbox, new_relay):
    table = PartitionedTable(database)
    relay = new_relay(outbox.to_file(table, store={"partition": "day"}))
    sql = relay.run("init", "--print").stdout
    database.execute(sql)
    assert len(tend(relay, "--lookahead", "0s")) == 1
    event = table.insert()
    assert relay.once() == 0
    assert table.row(event)["status"] == "DELIVERED"


def test_a_leap_year_goes_by_in_days(table, relay):
    """Each day of it has a partition before it begins, and none is left once it is old."""
    today = utc(2023, 12, 25)
    while today < utc(2025, 1, 10):
        changes = tend(
            relay, "--period", "day", "--at", f"{today:%Y-%m-%dT%H:%M:%SZ}", "--lookahead", "20d",
            "--retention", "40d",
        )  # fmt: skip
        assert not named(changes, "kept"), changes
        assert table.has_no_gap(today, today + 20 * DAY)
        for name, since, until in table.partitions():
            assert until - since == DAY
            assert name == f"openoutbox_events_p{since:%Y%m%d}"
            assert until > today - 40 * DAY
        event = table.insert_at(today, "DELIVERED")
        assert table.partition_of(event) == f"openoutbox_events_p{today:%Y%m%d}"
        if today <= utc(2024, 2, 29) < today + 20 * DAY:
            assert "openoutbox_events_p20240229" in table.names()
        today += 15 * DAY


def test_a_year_goes_by_in_months(table, relay):
    seen = []
    for month in range(1, 13):
        changes = tend(
            relay, "--period", "month", "--at", f"2024-{month:02}-28T00:00:00Z", "--lookahead", "10d",
            "--retention", "35d",
        )  # fmt: skip
        seen += named(changes, "created")
    ends = [utc(2024, month) for month in range(1, 13)] + [utc(2025)]
    assert seen == [f"openoutbox_events_p{end:%Y%m}" for end in ends]
    assert table.names() == [f"openoutbox_events_p{end:%Y%m}" for end in ends[-3:]]
    assert table.partitions()[-1][1:] == (utc(2025), utc(2025, 2))


def test_gaps_are_filled_up_to_what_others_have_made(table, relay):
    table.partition("before", "-infinity", midnight())
    table.partition("odd", midnight(1), midnight(2) + DAY / 2)
    table.partition("later", midnight(5), midnight(40))
    tend(relay, "--lookahead", "4d")
    assert [part[1:] for part in table.partitions()[1:-1]] == [
        (midnight(0), midnight(1)),
        (midnight(1), midnight(2) + DAY / 2),
        (midnight(2) + DAY / 2, midnight(3)),
        (midnight(3), midnight(4)),
        (midnight(4), midnight(5)),
    ]
    assert tend(relay, "--lookahead", "39d") == []


def test_nothing_is_changed_by_a_dry_run(table, relay):
    old = midnight(-10)
    table.partition("old", old, old + DAY)
    changes = tend(relay, "--dry-run", "--lookahead", "1d", "--retention", "1d")
    assert [change[0] for change in changes] == ["created", "created", "dropped"]
    assert table.names() == ["old"]


def test_a_new_partition_has_all_that_the_table_has(table, relay):
    tend(relay, "--lookahead", "0s")
    (name,) = table.names()
    execute = table.database.execute
    indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = %s"
    assert execute(indexes, (name,)) == execute(indexes, (table.name,))
    checks = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass ORDER BY 1"
    assert execute(checks, (name,)) == execute(checks, (table.name,))
    assert table.database.value(f"SELECT status FROM {table.name}") is None
    event = table.insert()
    assert table.row(event)["status"] == "PENDING"


def test_a_default_partition_with_events_of_the_period_is_refused_by_name(table, relay):
    default = table.partition_default()
    event = table.insert_at(midnight(1))
    changes = tend(relay, "--lookahead", "2d")
    (kept,) = [change for change in changes if change[0] == "kept"]
    assert kept[1] == f"openoutbox_events_p{midnight(1):%Y%m%d}"
    assert kept[2] == f"the DEFAULT partition {default} holds 1 event of that time: move them out"
    assert len(named(changes, "created")) == 2
    assert table.partition_of(event) == default
    table.database.execute(
        f"CREATE TABLE waiting AS SELECT * FROM {default}; TRUNCATE {default}"
    )
    assert named(tend(relay, "--lookahead", "2d"), "created") == [kept[1]]
    table.database.execute(f"INSERT INTO {table.name} SELECT * FROM waiting")
    assert table.partition_of(event) == kept[1]


def test_an_event_that_comes_into_the_default_partition_meanwhile_is_not_lost(table, relay):
    default = table.partition_default()
    connection = table.database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table.name} (event_id, event_type, payload)"
            " VALUES (gen_random_uuid(), 't', '')"
        )
    done = []
    command = threading.Thread(target=lambda: done.extend(tend(relay, "--lookahead", "0s")))
    command.start()
    wait_until(lambda: waits_for(table, default), "the command waits for the DEFAULT partition")
    connection.commit()
    connection.close()
    command.join()
    ((what, _, reason),) = done
    assert what == "kept" and f'"{default}"' in reason
    assert table.count() == 1 and table.names() == []


def test_the_remedy_for_a_default_partition_loses_nothing(database, outbox, new_relay):
    table, relay = made_by_init(database, outbox, new_relay)
    table.insert_at(midnight(8))
    table.insert_at(midnight(9))
    day = f"{midnight(8):%Y%m%d}"
    assert named(tend(relay, "--lookahead", "10d"), "kept")
    connection = database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(
            "LOCK TABLE openoutbox_events IN ACCESS EXCLUSIVE MODE;"
            "CREATE TEMPORARY TABLE misplaced ON COMMIT DROP AS SELECT * FROM openoutbox_events_default;"
            "TRUNCATE openoutbox_events_default;"
            f"CREATE TABLE openoutbox_events_p{day} PARTITION OF openoutbox_events"
            " FOR VALUES FROM (%s) TO (%s);"
            "INSERT INTO openoutbox_events OVERRIDING SYSTEM VALUE SELECT * FROM misplaced",
            (midnight(8), midnight(9)),
        )
    connection.commit()
    connection.close()
    assert table.count() == 2
    assert table.database.value(f"SELECT count(*) FROM openoutbox_events_p{day}") == 1
    (kept,) = named(tend(relay, "--lookahead", "10d"), "kept")
    assert kept == f"openoutbox_events_p{midnight(9):%Y%m%d}"


def test_a_name_that_is_taken_is_said(table, relay):
    name = f"openoutbox_events_p{midnight():%Y%m%d}"
    table.database.execute(f"CREATE TABLE {name} (mine int)")
    changes = tend(relay, "--lookahead", "1d")
    assert [change[0] for change in changes] == ["kept", "created"]
    assert "already exists" in changes[0][2] and "rename it" in changes[0][2]


def test_a_long_name_in_a_schema_is_cut_between_characters(database, outbox, new_relay):
    database.execute('CREATE SCHEMA "My.Schema"')
    relation = 'the "box" ' + "ü" * 25
    table = PartitionedTable(database, '"My.Schema"."' + relation.replace('"', '""') + '"')
    table.create_foreign()
    relay = new_relay(outbox.to_file(table))
    tend(relay, "--lookahead", "0s")
    (name,) = table.names()
    assert name == f'the "box" {"ü" * 21}_p{midnight():%Y%m%d}'
    event = table.insert_at(midnight(), "DELIVERED")
    assert relay.run("partitions", "--at", "2100-01-01T00:00:00Z", "--retention", "1d").returncode == 0
    assert table.row(event) is not None


# ---- dropping -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["PENDING", "DELIVERING"])
def test_an_undelivered_event_keeps_its_partition(table, relay, status):
    table.partition("older", midnight(-11), midnight(-10))
    table.partition("old", midnight(-10), midnight(-9))
    table.insert_at(midnight(-11), "DELIVERED")
    table.insert_at(midnight(-11), "DEAD")
    kept = table.insert_at(midnight(-10), status)
    table.insert_at(midnight(-10), "DELIVERED")
    changes = tend(relay, "--lookahead", "0s", "--retention", "5d")
    assert changes[1:] == [
        ("dropped", "older", None),
        ("kept", "old", "holds 1 event that is not delivered"),
    ]
    assert table.row(kept)["status"] == status and table.count() == 2
    table.database.execute(
        f"UPDATE {table.name} SET status = 'DEAD', locked_at = NULL, locked_by = NULL"
        " WHERE event_id = %s", (kept,),
    )  # fmt: skip
    assert tend(relay, "--lookahead", "0s", "--retention", "5d") == [("dropped", "old", None)]


def test_a_state_that_no_relay_knows_keeps_a_partition(table, relay):
    table.database.execute(
        f"ALTER TABLE {table.name} DROP CONSTRAINT openoutbox_events_status_check;"
        f"ALTER TABLE {table.name} ALTER status DROP NOT NULL"
    )
    for day, state in ((-10, "'PARKED'"), (-11, "NULL")):
        table.partition(f"old{-day}", midnight(day), midnight(day + 1))
        table.database.execute(
            f"INSERT INTO {table.name} (event_id, event_type, payload, created_at, status)"
            f" VALUES (gen_random_uuid(), 't', '', %s, {state})", (midnight(day),),
        )  # fmt: skip
    assert named(tend(relay, "--retention", "5d"), "kept") == ["old11", "old10"]
    assert table.count() == 2


def test_only_what_has_ended_before_the_retention_goes(table, relay):
    table.partition("first", "-infinity", midnight(-4))
    table.partition("second", midnight(-4), midnight(-3))
    table.partition("last", midnight(2), "infinity")
    at = f"{midnight():%Y-%m-%dT%H:%M:%SZ}"
    assert named(tend(relay, "--at", at, "--retention", "4d"), "dropped") == ["first"]
    assert named(tend(relay, "--at", at, "--retention", "3d"), "dropped") == ["second"]
    changes = tend(relay, "--at", f"{midnight(30):%Y-%m-%dT%H:%M:%SZ}", "--retention", "1d")
    assert not named(changes, "dropped")
    assert {reason for _, _, reason in changes if reason} == {
        "by the server's clock its time is not over for an hour"
    }


@pytest.mark.parametrize("size", ["small", "large"])
def test_an_event_that_comes_between_the_look_and_the_lock_keeps_its_partition(table, relay, size):
    table.partition("old", midnight(-10), midnight(-9))
    before = fill(table, "old") if size == "large" else 0
    connection = table.database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table.name} (event_id, event_type, payload, created_at)"
            " VALUES (gen_random_uuid(), 't', '', %s)", (midnight(-10),),
        )  # fmt: skip
    done = []
    command = threading.Thread(
        target=lambda: done.extend(tend(relay, "--lookahead", "0s", "--retention", "5d"))
    )
    command.start()
    wait_until(lambda: waits_for(table, table.name), "the command waits for the table")
    connection.commit()
    connection.close()
    command.join()
    assert done[1:] == [("kept", "old", "holds 1 event that is not delivered")]
    assert table.count() == before + 1
    table.database.execute("DELETE FROM old WHERE status = 'PENDING'")
    assert named(tend(relay, "--retention", "5d"), "dropped") == ["old"]


def fill(table, name):
    """So many delivered events that no time is to look at each of them under a lock."""
    count = 80000
    table.database.execute(
        f"INSERT INTO {name} (event_id, event_type, payload, created_at, status, delivered_at)"
        " SELECT gen_random_uuid(), 't', convert_to(repeat('x', 900), 'UTF8'), %s, 'DELIVERED', now()"
        " FROM generate_series(1, %s)",
        (midnight(-10), count),
    )
    table.database.execute(f"ANALYZE {name}")
    assert table.database.value("SELECT pg_relation_size(%s::regclass) > 64 << 20", (name,))
    return count


def test_a_table_in_use_is_left_for_the_next_time_and_keeps_nobody_out(table, relay):
    table.partition("old", midnight(-10), midnight(-9))
    table.partition("now", midnight(), midnight(3))
    connection = table.database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM {table.name}")
    waits, done = [], threading.Event()

    def produce():
        with closing(table.database.connect()) as own, own.cursor() as cursor:
            while not done.is_set():
                began = time.monotonic()
                cursor.execute(
                    f"INSERT INTO {table.name} (event_id, event_type, payload)"
                    " VALUES (gen_random_uuid(), 't', '')"
                )
                waits.append(time.monotonic() - began)

    producer = threading.Thread(target=produce)
    producer.start()
    changes = tend(relay, "--lookahead", "4d", "--retention", "5d")
    done.set()
    producer.join()
    connection.close()
    assert [change[0] for change in changes] == ["created", "created", "kept"]
    assert changes[2][1] == "old" and changes[2][2].startswith("busy: ")
    assert len(waits) > 10 and max(waits) < 1, max(waits)
    assert named(tend(relay, "--retention", "5d"), "dropped") == ["old"]


def test_a_partition_that_is_detached_meanwhile_is_let_be(table, relay):
    table.partition("old", midnight(-10), midnight(-9))
    table.insert_at(midnight(-10), "DELIVERED")
    connection = table.database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table.name} DETACH PARTITION old")
    done = []
    command = threading.Thread(
        target=lambda: done.extend(tend(relay, "--at", "+0s", "--retention", "5d"))
    )
    command.start()
    wait_until(lambda: waits_for(table, table.name), "the command waits for the table")
    connection.commit()
    connection.close()
    command.join()
    assert "old" not in [name for _, name, _ in done]
    assert table.database.value("SELECT count(*) FROM old") == 1


def test_a_partition_in_parts_of_its_own_goes_as_a_whole(table, relay):
    table.database.execute(
        f"CREATE TABLE old PARTITION OF {table.name} FOR VALUES FROM (MINVALUE) TO (%s)"
        " PARTITION BY HASH (event_id);"
        "CREATE TABLE old_0 PARTITION OF old FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        (midnight(-9),),
    )
    event = table.insert_at(midnight(-20))
    assert named(tend(relay, "--retention", "5d"), "kept") == ["old"]
    table.database.execute("DELETE FROM old WHERE event_id = %s", (event,))
    assert tend(relay, "--retention", "5d") == [("dropped", "old", None)]
    assert table.database.value("SELECT to_regclass('old_0') IS NULL")


def test_what_others_depend_on_is_kept(table, relay):
    table.partition("old", midnight(-10), midnight(-9))
    table.database.execute("CREATE VIEW archive AS SELECT * FROM old")
    changes = tend(relay, "--retention", "5d")
    assert named(changes, "kept") == ["old"] and "depend" in changes[-1][2]
    assert "old" in table.names()


# ---- many at a time, and ends -------------------------------------------------------------------


def test_two_maintainers_at_once_leave_a_whole_table(table, relay):
    for day in range(-30, -1):
        table.partition(f"old{-day}", midnight(day), midnight(day + 1))
    words = ("partitions", "--json", "--lookahead", "60d", "--retention", "0s")
    done = []
    commands = [
        threading.Thread(target=lambda: done.append(relay.run(*words))) for _ in range(3)
    ]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    assert 0 in [one.returncode for one in done]
    assert all(one.returncode == 0 or "another relay" in one.stdout for one in done), done
    assert table.has_no_gap(midnight(), midnight(60)) and len(table.names()) == 61


def test_somebody_who_makes_the_same_partition_at_the_same_time_is_no_matter(table, relay):
    connection = table.database.connect()
    connection.autocommit = False
    name = f"openoutbox_events_p{midnight():%Y%m%d}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {name} PARTITION OF {table.name} FOR VALUES FROM (%s) TO (%s)",
            (midnight(), midnight(1)),
        )
    done = []
    command = threading.Thread(target=lambda: done.extend(tend(relay, "--lookahead", "1d")))
    command.start()
    wait_until(lambda: waits_for(table, table.name), "the command waits for the table")
    connection.commit()
    connection.close()
    command.join()
    assert named(done, "created") == [f"openoutbox_events_p{midnight(1):%Y%m%d}"]
    assert not named(done, "kept")


def test_a_maintainer_that_is_killed_is_carried_on_by_the_next(table, relay):
    for day in range(-60, -1):
        table.partition(f"old{-day}", midnight(day), midnight(day + 1))
    words = ("--lookahead", "300d", "--retention", "0s")
    for least in (90, 150):
        victim = processes.spawn(relay.command("partitions", *words), env=relay.environment)
        wait_until(lambda least=least: len(table.names()) >= least, "some are created")
        processes.end(victim)
        names = table.names()
        assert len(names) < 361
        assert table.database.value(
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'openoutbox_events_p2%%'"
            " AND relkind = 'r' AND NOT relispartition"
        ) == 0
        wait_until(lambda: not holders(table), "the server notices that it is gone")
    tend(relay, *words)
    assert table.has_no_gap(midnight(), midnight(300)) and len(table.names()) == 301


def holders(table):
    return table.database.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 20321 AND granted"
    )


@pytest.mark.parametrize("mode", ["lease", "hold"])
def test_a_relay_tends_partitions_while_it_relays(database, outbox, new_relay, mode):
    table, _ = made_by_init(database, outbox, new_relay)
    table.partition("old", midnight(-10), midnight(-9))
    maintenance = {"every": "1s", "partitions": {"lookahead": "12d", "retention": "5d"}}
    relay = new_relay(outbox.to_file(table, maintenance=maintenance, claim={"mode": mode}))
    relay.start()
    for _ in range(20):
        table.insert_many(100)
    wait_until(lambda: table.states() == {"DELIVERED": 2000}, "all are delivered")
    wait_until(lambda: table.has_no_gap(midnight(), midnight(12)), "partitions are created ahead")
    wait_until(lambda: "old" not in table.names(), "the old one goes")
    relay.wait_logged("a partition was changed", "dropped", "old")
    assert not relay.logged("failed", level="error")
    relay.stop()


def test_init_gives_a_table_with_partitions_what_it_can_take(table, relay):
    table.partition("now", midnight(), midnight(1))
    done = relay.run("init")
    assert done.returncode == 0, done.stderr
    event = table.insert()
    assert relay.once() == 0
    assert table.row(event)["status"] == "DELIVERED" and "seq" not in table.row(event)
    assert "nothing was to do" in relay.run("init").stdout


# ---- what cannot be tended ----------------------------------------------------------------------


def test_a_table_without_partitions_by_time_is_refused_with_the_remedy(database, outbox, new_relay):
    table = PartitionedTable(database)
    relay = new_relay(outbox.to_file(table))
    assert "`outbox-relay init` makes it" in tend(relay, status=1)
    relay.run("init")
    assert "is not partitioned" in tend(relay, status=1)
    relay.config["pipelines"][0]["store"]["partition"] = "day"
    relay.write_config()
    said = relay.run("init")
    assert said.returncode == 1 and "is not partitioned, as `partition` asks for" in said.stderr
    database.execute(f"DROP TABLE {table.name}")
    table.create_foreign()
    database.execute(
        f"CREATE TABLE other (LIKE {table.name}) PARTITION BY LIST (event_type);"
        f"DROP TABLE {table.name}; ALTER TABLE other RENAME TO {table.name}"
    )
    assert "not by RANGE of the one column created_at" in tend(relay, status=1)


def test_a_partition_setting_that_makes_no_sense_is_refused(database, outbox, new_relay):
    table = PartitionedTable(database)
    hold = {"claim": {"mode": "hold"}, "delivered": "delete"}
    custom = new_relay(outbox.to_file(table, store={"layout": "custom", "partition": "day"}, **hold))
    said = custom.run("init")
    assert said.returncode == 2 and "columns.created_at" in said.stderr
    velmie = new_relay(outbox.to_file(table, store={"layout": "velmie", "partition": "day"}, **hold))
    said = velmie.run("init")
    assert said.returncode == 2 and "layout" in said.stderr


def test_a_custom_table_is_made_partitioned(database, outbox, new_relay):
    table = PartitionedTable(database, "things")
    store = {"layout": "custom", "partition": "day", "columns": {"created_at": "made"}}
    relay = new_relay(
        outbox.to_file(table, store=store, claim={"mode": "hold"}, delivered="delete")
    )
    done = relay.run("init")
    assert done.returncode == 0, done.stderr
    database.execute("SET TimeZone = 'UTC'")
    assert table.has_no_gap(midnight(), midnight(7))
    table.partition("old", midnight(-10), midnight(-9))
    database.execute("INSERT INTO things (type, payload, made) VALUES ('t', 'p', %s)", (midnight(-10),))
    assert named(tend(relay, "--retention", "5d"), "kept") == ["old"]
    assert relay.once() == 0
    assert named(tend(relay, "--retention", "5d"), "dropped") == ["old"]


def test_instants_without_a_zone_are_those_of_utc(database, outbox, new_relay):
    database.execute(
        "CREATE TABLE things (id uuid, type text, payload bytea, made timestamp, PRIMARY KEY (id, made))"
        " PARTITION BY RANGE (made);"
        "CREATE TABLE old PARTITION OF things FOR VALUES FROM (MINVALUE) TO ('2024-01-01')"
    )
    table = PartitionedTable(database, "things")
    store = {"layout": "custom", "columns": {"created_at": "made"}}
    relay = new_relay(
        outbox.to_file(table, store=store, claim={"mode": "hold"}, delivered="delete")
    )
    changes = tend(relay, "--period", "month", "--at", "2024-02-29T23:59:59Z", "--lookahead", "1s",
                   "--retention", "1d")  # fmt: skip
    assert [change[:2] for change in changes] == [
        ("created", "things_p202402"), ("created", "things_p202403"), ("dropped", "old"),
    ]  # fmt: skip
    assert database.value(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'things_p202402'"
    ) == "FOR VALUES FROM ('2024-02-01 00:00:00') TO ('2024-03-01 00:00:00')"


def test_seconds_since_1970_are_a_time_too(database, outbox, new_relay):
    database.execute(
        "SET TimeZone = 'UTC'; CREATE TABLE outbox (id uuid NOT NULL, aggregate_type varchar(128) NOT NULL,"
        " aggregate_id varchar(128) NOT NULL, event_type varchar(128) NOT NULL, payload json NOT NULL,"
        " headers json, status smallint NOT NULL DEFAULT 0, attempt_count int NOT NULL DEFAULT 0,"
        " last_error varchar(1024), created_at timestamptz NOT NULL DEFAULT now(),"
        " updated_at timestamptz NOT NULL DEFAULT now(), processed_at timestamptz,"
        " created_ts bigint NOT NULL, PRIMARY KEY (id, created_ts)) PARTITION BY RANGE (created_ts);"
        "CREATE TABLE old PARTITION OF outbox FOR VALUES FROM (0) TO (86400)"
    )
    table = PartitionedTable(database, "outbox")
    relay = new_relay(
        outbox.to_file(table, store={"layout": "velmie"}, claim={"mode": "hold"})
    )
    changes = tend(relay, "--lookahead", "1d", "--retention", "1d")
    assert [change[0] for change in changes] == ["created", "created", "dropped"]
    since = int(midnight().timestamp())
    assert database.value(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s",
        (f"outbox_p{midnight():%Y%m%d}",),
    ) == f"FOR VALUES FROM ('{since}') TO ('{since + 86400}')"


def test_a_user_that_does_not_own_the_table_is_told_what_to_grant(table, outbox, new_relay):
    table.database.execute(
        "DROP ROLE IF EXISTS mere_relay; CREATE ROLE mere_relay LOGIN;"
        f"GRANT SELECT, UPDATE ON {table.name} TO mere_relay"
    )
    url = table.database.url.replace("postgres://postgres@", "postgres://mere_relay@")
    relay = new_relay(outbox.to_file(table, store={"url": url}))
    said = tend(relay, "--lookahead", "1d", status=1)
    assert "GRANT the owner's role to" in said and "mere_relay" in said
    assert table.names() == []
