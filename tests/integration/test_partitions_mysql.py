"""test_partitions_mysql.py - partitions are cut out of pmax before their time, and go when all is delivered
SPDX-License-Identifier: MIT
"""

import threading
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from harness import processes
from harness.engines import every_mysql
from harness.layouts import MysqlPlace, Velmie
from harness.partitions import midnight, named, tend, utc
from harness.waiting import wait_until

pytestmark = every_mysql

DAY = timedelta(days=1)
STATES = {"PENDING": 0, "DELIVERED": 1, "DEAD": -1}


def seconds(when):
    return int(when.timestamp())


class Table(Velmie):
    """Partitioned by the seconds of its ids, and nothing but pmax as yet."""

    def __init__(self, database, engine):
        super().__init__(MysqlPlace(database, engine.name), payload_type="bytes")
        self.database = database
        self.cut()

    def cut(self, *parts):
        """From scratch: pairs of a name and the instant before which its events were made, then pmax."""
        made = [f"PARTITION {name} VALUES LESS THAN ({seconds(until)})" for name, until in parts]
        made.append("PARTITION pmax VALUES LESS THAN MAXVALUE")
        self.database.execute(f"ALTER TABLE outbox PARTITION BY RANGE (created_ts) ({', '.join(made)})")

    def partitions(self):
        """Names with the instants before which they end, None for the last; in order."""
        rows = self.database.execute(
            "SELECT partition_name, partition_description FROM information_schema.partitions"
            " WHERE table_schema = DATABASE() AND table_name = 'outbox' ORDER BY partition_ordinal_position"
        )
        return [
            (name, None if end == "MAXVALUE" else datetime.fromtimestamp(int(end), timezone.utc))
            for name, end in rows
        ]

    def names(self):
        return [name for name, _ in self.partitions()]

    def has_days(self, since, days):
        """Whether each day from then on has a partition of its own, called as it."""
        ends = dict(self.partitions())
        order = [end for _, end in self.partitions()]
        for number in range(days):
            day = since + number * DAY
            if ends.get(f"p{day:%Y%m%d}") != day + DAY:
                return False
            at = order.index(day + DAY)
            if number > 0 and order[at - 1] != day:
                return False
        return True

    def insert_at(self, when, status="PENDING"):
        """An event that was made then; returns its id."""
        id, statement = self.row("x", when.timestamp())
        self.place.execute(statement[0], *statement[1])
        if status != "PENDING":
            self.database.execute(
                f"UPDATE outbox SET status = {STATES[status]} WHERE id = UNHEX(%s)",
                (id.replace("-", ""),),
            )
        return id

    def partition_of(self, id):
        for name in self.names():
            if self.database.value(
                f"SELECT COUNT(*) FROM outbox PARTITION ({name}) WHERE id = UNHEX(%s)",
                (id.replace("-", ""),),
            ):
                return name
        return None

    def count(self):
        return self.database.value("SELECT COUNT(*) FROM outbox")


HOLD = {"claim": {"mode": "hold", "poll_max": "50ms"}}


@pytest.fixture
def table(database, engine):
    return Table(database, engine)


@pytest.fixture
def new(outbox, new_relay):
    def make(table, store=None, **changes):
        store = dict(table.place.store, **table.settings, **(store or {}))
        publisher = {"driver": "file", "path": str(outbox.path)}
        pipeline = {"name": "p", "store": store, "publisher": publisher}
        return new_relay(dict(pipeline, **HOLD, **changes))

    return make


@pytest.fixture
def relay(table, new):
    return new(table)


def at(when):
    return ("--at", f"{when:%Y-%m-%dT%H:%M:%SZ}")


# ---- creating -----------------------------------------------------------------------------------


def test_a_leap_year_goes_by_in_days(table, relay):
    """Each day of it has a partition before it begins, and none is left once it is old."""
    today = utc(2023, 12, 25)
    while today < utc(2025, 1, 10):
        changes = tend(
            relay, "--period", "day", *at(today), "--lookahead", "20d", "--retention", "40d"
        )
        assert not named(changes, "kept"), changes
        assert table.has_days(today, 21)
        assert table.names()[-1] == "pmax"
        assert all(end > today - 40 * DAY for _, end in table.partitions()[:-1])
        event = table.insert_at(today, "DELIVERED")
        assert table.partition_of(event) == f"p{today:%Y%m%d}"
        if today <= utc(2024, 2, 29) < today + 20 * DAY:
            assert "p20240229" in table.names()
        today += 15 * DAY


def test_a_year_goes_by_in_months(table, relay):
    seen = []
    for month in range(1, 13):
        changes = tend(
            relay, "--period", "month", *at(utc(2024, month, 28)), "--lookahead", "10d",
            "--retention", "35d",
        )  # fmt: skip
        seen += named(changes, "created")
    starts = [utc(2024, month) for month in range(1, 13)] + [utc(2025)]
    assert seen == [f"p{start:%Y%m}" for start in starts]
    assert table.names() == [f"p{start:%Y%m}" for start in starts[-3:]] + ["pmax"]
    assert table.partitions()[-2] == ("p202501", utc(2025, 2))


def test_events_that_wait_in_pmax_come_into_the_partitions_of_their_days(table, relay):
    """Nobody has tended the table for weeks, and some producers are ahead of their time."""
    table.cut(("p20240101", utc(2024, 1, 2)))
    days = [utc(2024, 2, day, 12) for day in (3, 4, 20)]
    events = {table.insert_at(day): f"p{day:%Y%m%d}" for day in days}
    far = table.insert_at(utc(2024, 6, 1))
    changes = tend(relay, "--period", "day", *at(utc(2024, 2, 10)), "--lookahead", "12d")
    assert not named(changes, "kept")
    assert table.has_days(utc(2024, 2, 3), 20)
    assert table.names()[:2] == ["p20240101", "p20240203"], "days without events get no partition"
    assert {id: table.partition_of(id) for id in events} == events
    assert table.partition_of(far) == "pmax"
    assert table.count() == 4


def test_an_event_of_a_wrong_time_makes_no_partition_for_each_day_since(table, relay):
    """Of the year 1970, in a table that nobody has tended yet."""
    stray, fresh = table.insert_at(utc(1970, 1, 2)), table.insert_at(midnight(-100))
    changes = tend(relay, "--period", "day", "--lookahead", "1d")
    assert not named(changes, "kept")
    assert table.names() == [f"p{midnight(n):%Y%m%d}" for n in range(-128, 2)] + ["pmax"]
    assert table.partition_of(stray) == table.names()[0]
    assert table.partition_of(fresh) == f"p{midnight(-100):%Y%m%d}"
    assert tend(relay, "--period", "day", "--lookahead", "1d") == []


def test_a_gap_is_cut_out_of_the_partition_behind_it(table, relay):
    """Somebody dropped two days of those to come; the next one has their events since."""
    table.cut(*[(f"p{midnight(n):%Y%m%d}", midnight(n + 1)) for n in (-1, 0, 1, 4, 5)])
    event = table.insert_at(midnight(3) + timedelta(hours=1))
    assert table.partition_of(event) == f"p{midnight(4):%Y%m%d}"
    changes = tend(relay, "--period", "day", "--lookahead", "5d")
    assert named(changes, "created") == [f"p{midnight(n):%Y%m%d}" for n in (2, 3)]
    assert table.has_days(midnight(-1), 7)
    assert table.partition_of(event) == f"p{midnight(3):%Y%m%d}"
    assert tend(relay, "--period", "day", "--lookahead", "5d") == []


def test_partitions_of_another_length_are_let_be(table, relay):
    start = utc(2024, 3)
    table.cut(("older", start), ("p202403", utc(2024, 4)), ("odd", utc(2024, 4, 10, 6)))
    changes = tend(relay, "--period", "day", *at(start), "--lookahead", "42d")
    assert changes == [("created", "p20240410", None), ("created", "p20240411", None),
                       ("created", "p20240412", None)]  # fmt: skip
    assert table.partitions()[:4] == [
        ("older", start), ("p202403", utc(2024, 4)), ("odd", utc(2024, 4, 10, 6)),
        ("p20240410", utc(2024, 4, 11)),
    ]  # fmt: skip


def test_days_of_another_time_zone_are_gone_on_with_in_utc(table, relay):
    """As somebody in Berlin cuts them, in winter: the rest of the last day has its name already."""
    table.cut(*[(f"p202402{day:02}", utc(2024, 2, day, 23)) for day in (8, 9, 10)])
    changes = tend(relay, "--period", "day", *at(utc(2024, 2, 9, 12)), "--lookahead", "3d")
    assert changes == [
        ("created", "p20240210_2300", None), ("created", "p20240211", None),
        ("created", "p20240212", None),
    ]  # fmt: skip
    assert dict(table.partitions())["p20240210_2300"] == utc(2024, 2, 11)


def test_a_table_without_a_last_partition_is_added_to(table, relay):
    table.database.execute(
        "ALTER TABLE outbox PARTITION BY RANGE (created_ts)"
        f" (PARTITION p20240228 VALUES LESS THAN ({seconds(utc(2024, 2, 29))}))"
    )
    tend(relay, "--period", "day", *at(utc(2024, 2, 28)), "--lookahead", "2d")
    assert table.names() == ["p20240228", "p20240229", "p20240301"]


def test_nothing_is_changed_by_a_dry_run(table, relay):
    table.cut(("old", midnight(-9)), ("today", midnight(1)))
    changes = tend(relay, "--dry-run", "--period", "day", "--lookahead", "2d", "--retention", "1d")
    assert [change[0] for change in changes] == ["created", "created", "dropped"]
    assert table.names() == ["old", "today", "pmax"]


def test_a_name_that_is_taken_is_said(table, relay):
    table.cut((f"p{midnight(3):%Y%m%d}", midnight(-9)), ("today", midnight(1)))
    changes = tend(relay, "--period", "day", "--lookahead", "3d")
    assert {change[0] for change in changes} == {"kept"}
    assert "uplicate partition name" in changes[0][2]
    assert len(table.names()) == 3


# ---- dropping -----------------------------------------------------------------------------------


def test_an_undelivered_event_keeps_its_partition(table, relay):
    table.cut(("older", midnight(-10)), ("old", midnight(-9)), ("today", midnight(1)))
    table.insert_at(midnight(-11), "DELIVERED")
    table.insert_at(midnight(-11), "DEAD")
    kept = table.insert_at(midnight(-10))
    table.insert_at(midnight(-10), "DELIVERED")
    words = ("--period", "day", "--lookahead", "0s", "--retention", "5d")
    assert tend(relay, *words) == [
        ("dropped", "older", None), ("kept", "old", "holds 1 event that is not delivered"),
    ]  # fmt: skip
    assert table.count() == 2 and table.partition_of(kept) == "old"
    assert relay.once() == 0, relay.log_tail()
    assert tend(relay, *words) == [("dropped", "old", None)]
    assert table.count() == 0


def test_a_state_that_no_relay_knows_keeps_a_partition(table, relay):
    table.cut(("old", midnight(-9)), ("today", midnight(1)))
    table.insert_at(midnight(-10), "DELIVERED")
    table.database.execute("UPDATE outbox SET status = 7")
    assert named(tend(relay, "--lookahead", "0s", "--retention", "5d"), "kept") == ["old"]
    assert table.count() == 1


def test_only_what_has_ended_before_the_retention_goes(table, relay):
    table.cut(("first", midnight(-4)), ("second", midnight(-3)), ("last", midnight(30)))
    words = ("--period", "day", *at(midnight()), "--lookahead", "0s", "--retention")
    assert named(tend(relay, *words, "4d"), "dropped") == ["first"]
    assert named(tend(relay, *words, "3d"), "dropped") == ["second"]
    changes = tend(relay, *at(midnight(60)), "--lookahead", "0s", "--retention", "1d")
    assert not named(changes, "dropped")
    assert "by the server's clock its time is not over for an hour" in [one[2] for one in changes]


def test_the_only_partition_is_kept(table, relay):
    table.database.execute(
        "ALTER TABLE outbox PARTITION BY RANGE (created_ts) (PARTITION p20200101 VALUES LESS THAN"
        f" ({seconds(utc(2020, 1, 2))}))"
    )
    changes = tend(
        relay, "--period", "day", *at(utc(2020)), "--lookahead", "0s", "--retention", "0s"
    )
    assert changes == []
    (change,) = [one for one in tend(
        relay, "--dry-run", "--period", "day", *at(utc(2020, 1, 5)), "--lookahead", "0s",
        "--retention", "0s",
    ) if one[0] == "kept"]  # fmt: skip
    assert change[1:] == ("p20200101", "it is the only one: a table has to have one")


# What so many events take to be looked through, or moved, is more than a statement may here.
HEAVY = {
    "layout": "custom", "table": "things", "columns": {"created_ts": "made", "status": "status"},
    "states": {"pending": "0", "delivered": "1"},
}  # fmt: skip


def heavy(database, engine, limit, doublings, when, parts=""):
    """A table of delivered events that were made then; returns it, and the settings of a store."""
    database.execute(
        "CREATE TABLE things (id bigint AUTO_INCREMENT, type varchar(9), payload text, made bigint,"
        f" status smallint DEFAULT 1, PRIMARY KEY (id, made)) PARTITION BY RANGE (made) ({parts}"
        " PARTITION pmax VALUES LESS THAN MAXVALUE)"
    )
    database.execute(
        "INSERT INTO things (type, payload, made) VALUES ('t', repeat('x', 200), %s)", (seconds(when),)
    )
    for _ in range(doublings):
        database.execute("INSERT INTO things (type, payload, made) SELECT type, payload, made FROM things")
    settings = dict(HEAVY, statement_timeout=limit)
    return type("Things", (), {"place": MysqlPlace(database, engine.name), "settings": settings})


@pytest.mark.long
def test_a_look_that_takes_too_long_keeps_a_partition_and_says_what_to_do(database, engine, new):
    old = f"PARTITION old VALUES LESS THAN ({seconds(midnight(-9))}),"
    relay = new(heavy(database, engine, "150ms", 20, midnight(-20), old))
    changes = tend(relay, "--period", "day", "--lookahead", "0s", "--retention", "5d")
    assert changes[1:] == [
        ("kept", "old", "busy: looking through it takes longer than statement_timeout: raise that"),
    ]  # fmt: skip


@pytest.mark.long
def test_a_cut_that_takes_too_long_says_what_to_do(database, engine, new):
    """MySQL sets no limit to it."""
    relay = new(heavy(database, engine, "400ms", 18, midnight()))
    ((action, name, reason),) = tend(relay, "--period", "day", "--lookahead", "0s")
    assert name == f"p{midnight():%Y%m%d}"
    if engine.name == "mariadb":
        assert action == "kept" and "statement_timeout" in reason and "raise that" in reason
    else:
        assert action == "created"


# ---- beside others ------------------------------------------------------------------------------


def is_waited_for(table):
    return table.database.value(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE()"
        " AND state LIKE 'Waiting for table metadata lock%%'"
    )


def test_an_event_that_comes_between_the_look_and_the_lock_keeps_its_partition(table, relay):
    table.cut(("old", midnight(-9)), ("today", midnight(1)))
    table.insert_at(midnight(-10), "DELIVERED")
    connection = table.database.connect()
    connection.autocommit(False)
    _, (sql, values) = table.row("x", midnight(-10).timestamp())
    with connection.cursor() as cursor:
        cursor.execute(sql.replace("?", "%s"), values)
    done = []
    words = ("--period", "day", "--lookahead", "0s", "--retention", "5d")
    command = threading.Thread(target=lambda: done.extend(tend(relay, *words)))
    command.start()
    wait_until(lambda: is_waited_for(table), "the command waits for the table", interval=0.02)
    connection.commit()
    connection.close()
    command.join()
    assert done == [("kept", "old", "holds 1 event that is not delivered")]
    assert table.count() == 2


def test_a_table_in_use_is_left_for_the_next_time_and_keeps_nobody_out(table, relay):
    table.cut(("old", midnight(-9)), ("today", midnight(1)))
    connection = table.database.connect()
    connection.autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM outbox")
    waits, done = [], threading.Event()

    def produce():
        with closing(table.database.connect()) as own, own.cursor() as cursor:
            while not done.is_set():
                began = time.monotonic()
                _, (sql, values) = table.row("x")
                cursor.execute(sql.replace("?", "%s"), values)
                waits.append(time.monotonic() - began)

    producer = threading.Thread(target=produce)
    producer.start()
    words = ("--period", "day", "--lookahead", "2d", "--retention", "5d")
    changes = tend(relay, *words)
    done.set()
    producer.join()
    connection.close()
    assert {change[0] for change in changes} == {"kept"}
    assert {change[2] for change in changes} == {
        "busy: others hold the table, and were not to wait for this"
    }
    assert len(waits) > 10 and max(waits) < 3, max(waits)
    changes = tend(relay, *words)
    assert [change[0] for change in changes] == ["created", "created", "dropped"]


def test_two_maintainers_at_once_leave_a_whole_table(table, relay):
    table.cut(*[(f"old{-n}", midnight(n + 1)) for n in range(-30, -1)])
    words = ("partitions", "--json", "--period", "day", "--lookahead", "60d", "--retention", "1s")
    done = []
    commands = [
        threading.Thread(target=lambda: done.append(relay.run(*words))) for _ in range(3)
    ]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    assert 0 in [one.returncode for one in done], [one.stdout + one.stderr for one in done]
    assert all(one.returncode == 0 or "another relay" in one.stdout for one in done), done
    assert table.has_days(midnight(), 61)
    assert named(tend(relay, *words[2:]), "kept") == []
    assert len(table.names()) == 62


def test_a_maintainer_that_is_killed_is_carried_on_by_the_next(table, relay):
    table.cut(*[(f"old{-n}", midnight(n + 1)) for n in range(-60, -1)])
    events = [table.insert_at(midnight(n) + timedelta(hours=2)) for n in range(0, 300, 10)]
    words = ("--period", "day", "--lookahead", "300d", "--retention", "1s")
    for least in (61, 180):
        victim = processes.spawn(relay.command("partitions", *words), env=relay.environment)
        wait_until(
            lambda least=least: len(table.names()) >= least or victim.poll() is not None,
            "some are created", interval=0.01,
        )  # fmt: skip
        processes.end(victim)
        wait_until(lambda: not sessions(table), "the server notices that it is gone")
    assert not named(tend(relay, *words), "kept")
    assert table.has_days(midnight(), 301) and len(table.names()) == 302
    assert [table.partition_of(id) for id in events] == [
        f"p{midnight(n):%Y%m%d}" for n in range(0, 300, 10)
    ]


def sessions(table):
    return table.database.value(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND user = 'relay'"
    )


def test_a_relay_tends_partitions_while_it_relays(table, new, outbox):
    table.cut(("old", midnight(-9)), ("today", midnight(1)))
    maintenance = {
        "every": "1s", "partitions": {"period": "day", "lookahead": "12d", "retention": "5d"},
    }  # fmt: skip
    relay = new(table, maintenance=maintenance).start()
    ids = {table.insert_at(datetime.now(timezone.utc)) for _ in range(300)}
    wait_until(lambda: table.has_days(midnight(1), 11), "partitions are created ahead")
    wait_until(lambda: "old" not in table.names(), "the old one goes")
    ids |= {table.insert_at(datetime.now(timezone.utc)) for _ in range(100)}
    wait_until(lambda: table.dashboard() == (0, 400, 0), lambda: relay.log_tail())
    relay.wait_logged("a partition was changed", "dropped", "old")
    relay.stop()
    assert outbox.delivered.counts() == {id: 1 for id in ids}


# ---- what cannot be tended ----------------------------------------------------------------------


def test_a_table_that_is_cut_otherwise_is_refused_with_the_remedy(table, relay):
    table.database.execute("ALTER TABLE outbox REMOVE PARTITIONING")
    assert "PARTITION BY RANGE (created_ts)" in tend(relay, "--lookahead", "1d", status=1)
    table.database.execute("ALTER TABLE outbox PARTITION BY HASH (created_ts) PARTITIONS 2")
    said = tend(relay, "--lookahead", "1d", status=1)
    assert "they have to be by RANGE of created_ts" in said
    table.database.execute("DROP TABLE outbox")
    assert "init" in tend(relay, "--lookahead", "1d", status=1)


def test_a_custom_table_by_unix_timestamp_is_tended(database, new, engine):
    database.execute(
        "CREATE TABLE things (id CHAR(36), type VARCHAR(99), payload TEXT,"
        " made TIMESTAMP DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (id, made))"
        f" PARTITION BY RANGE (UNIX_TIMESTAMP(made)) (PARTITION old VALUES LESS THAN"
        f" ({seconds(midnight(-9))}), PARTITION pmax VALUES LESS THAN MAXVALUE)"
    )
    table = type("Things", (), {"place": MysqlPlace(database, engine.name), "settings": {
        "layout": "custom", "table": "things", "columns": {"created_at": "made"}}})  # fmt: skip
    relay = new(table, delivered="delete")
    database.execute("INSERT INTO things VALUES ('a', 't', 'p', %s)", (midnight(-10),))
    words = ("--period", "day", "--lookahead", "1d", "--retention", "5d")
    changes = tend(relay, *words)
    assert [change[:2] for change in changes] == [
        ("created", f"p{midnight():%Y%m%d}"), ("created", f"p{midnight(1):%Y%m%d}"), ("kept", "old"),
    ]  # fmt: skip
    assert relay.once() == 0, relay.log_tail()
    assert named(tend(relay, *words), "dropped") == ["old"]


def test_a_user_without_the_right_is_told_what_to_grant(table, new):
    database = table.database
    database.execute("DROP USER IF EXISTS mere")
    database.execute("CREATE USER mere IDENTIFIED BY 'mere'")
    database.execute(f"GRANT SELECT, UPDATE ON {database.name}.outbox TO mere")
    url = f"mysql://mere:mere@127.0.0.1:{database.server.port}/{database.name}"
    relay = new(table, store={"url": url})
    said = tend(relay, "--lookahead", "1d", status=1)
    assert "ALTER, CREATE, INSERT, DROP and LOCK TABLES" in said
    assert table.names() == ["pmax"]
    database.execute("DROP USER mere")
