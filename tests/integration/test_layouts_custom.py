"""test_layouts_custom.py - layouts made by init, tables described by columns and states, and mistakes
SPDX-License-Identifier: MIT
"""

import json
import re
import time
import uuid
from itertools import product

import pytest

from harness.brokers.webhook import Webhook
from harness.engines import STORES, every_mysql, every_store
from harness.evidence import Delivered
from harness.layouts import place_of
from harness.relay import merged, pipeline
from harness.settings import need
from harness.waiting import wait_until

HOLD = {
    "claim": {"mode": "hold", "poll_max": "50ms"},
    "retry": {"base_delay": "200ms", "max_delay": "1s"},
}
DELETE = {"delivered": "delete"}


@pytest.fixture
def place(engine, database):
    need("publisher-file")
    return place_of(engine, database)


@pytest.fixture
def new(place, folder, new_relay):
    """Makes a relay from a store of these settings to a file, or to another publisher."""

    def make(store, publisher=None, **changes):
        publisher = publisher or {"driver": "file", "path": str(folder / "delivered")}
        return new_relay(pipeline(dict(place.store, **store), publisher, **merged(HOLD, changes)))

    return make


@pytest.fixture
def delivered(folder):
    return Delivered(folder / "delivered")


def run(relay, *arguments, stdin=None):
    done = relay.run(*arguments, stdin=stdin)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def on_engines(names, *variants):
    """Parameters of a test that is run on each of the engines with each of the variants."""
    return [
        (name, *(variant if isinstance(variant, tuple) else (variant,)))
        for name in names if name in STORES for variant in variants
    ]  # fmt: skip


def ndjson(*lines):
    return "".join(json.dumps(line) + "\n" for line in lines)


# ---- Made by init, filled by enqueue --------------------------------------------------------------

VELMIE = {"layout": "velmie"}
LEAST = {"layout": "custom", "table": "events"}
MOST = {
    "layout": "custom", "table": "events",
    "columns": {
        "event_id": "event", "headers": "meta", "status": "state", "attempts": "tries",
        "last_error": "trouble", "available_at": "due", "delivered_at": "done",
        "created_at": "made", "updated_at": "touched", "seq": "number", "locked_by": "owner",
        "locked_at": "since", "partition_key": "part", "ordering_key": "ord",
        "aggregate_type": "kind", "aggregate_id": "thing",
    },
}  # fmt: skip
ROUND = [
    (VELMIE, {}),
    (dict(VELMIE, binary_payload=True), {}),
    (LEAST, DELETE),
    (MOST, {}),
    (MOST, {"claim": {"mode": "lease"}}),
    (MOST, DELETE),
]


BOTH_MYSQL = ("mariadb", "mysql")
EVERY = ("postgres", *BOTH_MYSQL, "sqlite")
PARTITIONED = [(dict(VELMIE, partition="day"), {}), (dict(VELMIE, partition="month"), {})]


@pytest.mark.parametrize(
    "engine, store, changes", on_engines(EVERY, *ROUND) + on_engines(BOTH_MYSQL, *PARTITIONED),
    indirect=["engine"],
)  # fmt: skip
def test_what_is_enqueued_in_a_table_of_init_arrives(place, new, delivered, store, changes):
    relay = new(store, **changes)
    printed = run(relay, "init", "--print")
    run(relay, "init")
    made = place.schema()
    run(relay, "init")  # harmless when repeated
    assert place.schema() == made
    assert "CREATE TABLE" in printed
    more = {"aggregate_type": "order", "aggregate_id": "o-1"} if store is not LEAST else {}
    ids = [str(uuid.uuid4()) for _ in range(3)]
    lines = [dict({"id": id, "type": "t", "payload_json": {"n": 1}}, **more) for id in ids]
    lines.append(dict({"type": "t", "payload_json": {"n": 1}}, **more))
    run(relay, "enqueue", "--ndjson", stdin=ndjson(*lines))
    (before,) = json.loads(run(relay, "stats", "--json"))["pipelines"]
    assert before["pending"] == 4 and before["delivering"] == 0
    assert relay.once() == 0, relay.log_tail()
    assert len(delivered.ids()) == 4 and set(ids) < delivered.ids()
    assert all(json.loads(delivered.payload(id)) == {"n": 1} for id in ids)
    (after,) = json.loads(run(relay, "stats", "--json"))["pipelines"]
    assert after["pending"] == 0


@every_store
def test_printed_sql_makes_the_same_table(engine, place, new):
    for number, (store, changes) in enumerate(ROUND + (PARTITIONED if engine.is_mysql else [])):
        relay = new(store, **changes)
        lines = run(relay, "init", "--print").splitlines()
        place.execute("\n".join(lines))
        printed = place.schema()
        drop(place, store)
        run(relay, "init")
        assert place.schema() == printed, f"table {number}"
        drop(place, store)


def drop(place, store):
    place.execute(f"DROP TABLE {store.get('table', 'outbox')}")


@every_store
def test_seconds_of_the_id_are_made_where_the_table_does_not(engine, place, new):
    """A table whose created_ts is an ordinary column."""
    relay = new(VELMIE)
    run(relay, "init")
    if engine.name != "sqlite":  # where it is one already
        plain = "MODIFY created_ts bigint NOT NULL" if engine.is_mysql else "ALTER created_ts DROP EXPRESSION"
        place.execute(f"ALTER TABLE outbox {plain}")
    id = "01890a5d-ac96-774b-bcce-b302099a8057"  # of 2023-06-30
    line = {"id": id, "type": "t", "payload": "{}", "aggregate_type": "a", "aggregate_id": "b"}
    run(relay, "enqueue", "--ndjson", stdin=ndjson(line))
    assert place.execute("SELECT created_ts FROM outbox") == [(0x01890A5DAC96 // 1000,)]


@every_mysql
def test_table_of_init_makes_the_seconds_of_the_id_for_every_producer(place, new):
    run(new(VELMIE), "init")
    place.execute(
        "INSERT INTO outbox (id, aggregate_type, aggregate_id, event_type, payload)"
        " VALUES (X'01890a5dac96774bbcceb302099a8057', 'a', 'b', 't', '{}')"
    )
    assert place.execute("SELECT created_ts, status, attempt_count FROM outbox") == [
        (0x01890A5DAC96 // 1000, 0, 0)
    ]


@pytest.mark.parametrize(
    "engine, period, count, form",
    on_engines(BOTH_MYSQL, ("day", 8, "p%Y%m%d"), ("month", 4, "p%Y%m")), indirect=["engine"],
)  # fmt: skip
def test_partitions_of_init_are_those_of_the_time_to_come_and_a_tail(place, new, period, count, form):
    before = time.gmtime()
    run(new(dict(VELMIE, partition=period)), "init")
    after = time.gmtime()
    parts = place.execute(
        "SELECT partition_name, partition_description FROM information_schema.partitions"
        " WHERE table_schema = DATABASE() AND table_name = 'outbox' ORDER BY partition_ordinal_position"
    )
    names = [name for name, _ in parts]
    assert names[0] in (time.strftime(form, before), time.strftime(form, after))
    assert len(names) == count + 1 and parts[-1] == ("pmax", "MAXVALUE")
    for (name, _), (_, start) in zip(parts[1:-1], parts):
        assert name == time.strftime(form, time.gmtime(int(start)))


@every_store
@pytest.mark.parametrize("payload", ["{not json", "", "\u0000"])
def test_payload_that_is_no_json_is_refused_by_its_line(place, new, payload):
    relay = new(VELMIE)
    run(relay, "init")
    good = {"type": "t", "payload": "{}", "aggregate_type": "a", "aggregate_id": "b"}
    done = relay.run("enqueue", "--ndjson", stdin=ndjson(good, good, dict(good, payload=payload)))
    assert done.returncode == 1
    assert "line 3" in done.stderr, done.stderr
    assert place.execute("SELECT count(*) FROM outbox") == [(0,)]


@every_store
def test_what_the_table_has_no_column_for_is_not_enqueued(place, new):
    relay = new(LEAST, **DELETE)
    run(relay, "init")
    for field in ("key", "ordering_key", "aggregate_id"):
        done = relay.run("enqueue", "--ndjson", stdin=ndjson({"type": "t", "payload": "", field: "x"}))
        assert done.returncode == 1 and "the table has no column for" in done.stderr, done.stderr
    line = {"type": "t", "payload": "", "available_at": "2999-01-01T00:00:00Z"}
    done = relay.run("enqueue", "--ndjson", stdin=ndjson(line))
    assert done.returncode == 1 and "available_at" in done.stderr, done.stderr


# ---- States ---------------------------------------------------------------------------------------


def words(pending, delivered, dead=None):
    return {k: v for k, v in dict(pending=pending, delivered=delivered, dead=dead).items() if v}


POSTGRES_STATES = [
    ("varchar(10) NOT NULL DEFAULT 'new'", words("new", "sent", "gave up"), "sent", "gave up"),
    ("char(1) NOT NULL DEFAULT 'N'", words("N", "S", "D"), "S", "D"),
    ("integer NOT NULL DEFAULT 10", words("10", "20", "-30"), 20, -30),
    ("boolean NOT NULL DEFAULT false", words("false", "true"), True, None),
    ("mood NOT NULL DEFAULT 'open'", words("open", "done", "failed"), "done", "failed"),
    ("text NOT NULL DEFAULT 'PENDING'", None, "DELIVERED", "DEAD"),
]


MYSQL_STATES = [
    ("varchar(10) NOT NULL DEFAULT 'new'", words("new", "sent", "gave up"), "sent", "gave up"),
    ("char(1) NOT NULL DEFAULT 'N'", words("N", "S", "D"), "S", "D"),
    ("integer NOT NULL DEFAULT 10", words("10", "20", "-30"), 20, -30),
    ("boolean NOT NULL DEFAULT false", words("0", "1"), 1, None),
    ("enum('open', 'done', 'failed') NOT NULL DEFAULT 'open'", words("open", "done", "failed"),
     "done", "failed"),
    ("varchar(9) NOT NULL DEFAULT 'PENDING'", None, "DELIVERED", "DEAD"),
]  # fmt: skip


SQLITE_STATES = [
    ("varchar(10) NOT NULL DEFAULT 'new'", words("new", "sent", "gave up"), "sent", "gave up"),
    ("integer NOT NULL DEFAULT 10", words("10", "20", "-30"), 20, -30),
    ("text NOT NULL DEFAULT '10'", words("10", "20", "-30"), "20", "-30"),
    ("boolean NOT NULL DEFAULT 0", words("0", "1"), 1, None),
    ("NOT NULL DEFAULT 'open'", words("open", "done", "failed"), "done", "failed"),
    ("text NOT NULL DEFAULT 'PENDING'", None, "DELIVERED", "DEAD"),
]


@pytest.mark.parametrize(
    "engine, column, states, done, dead",
    on_engines(["postgres"], *POSTGRES_STATES) + on_engines(BOTH_MYSQL, *MYSQL_STATES)
    + on_engines(["sqlite"], *SQLITE_STATES),
    indirect=["engine"],
)
def test_status_column_of_any_kind_is_written_in_its_own_words(
    engine, place, new, column, states, done, dead
):
    need("publisher-webhook")
    if engine.name == "postgres":
        place.execute("CREATE TYPE mood AS ENUM ('open', 'done', 'failed')")
    place.execute(
        f"CREATE TABLE events (id bigint PRIMARY KEY, type text, payload text, status {column},"
        " error varchar(20), other text);\n"
        "CREATE INDEX by_status ON events (status, id);"
    )
    place.execute("INSERT INTO events (id, type, payload) VALUES (1, 't', 'fine'), (2, 't', 'poison')")
    receiver = Webhook().start()
    receiver.rules({"payload": "poison", "status": 500, "body": "é" * 100})
    store = {
        "layout": "custom", "table": "events",
        "columns": {"status": "status", "last_error": "error"},
    }  # fmt: skip
    if states:
        store["states"] = states
    relay = new(store, receiver.publisher(), route={"topic": "t"}, retry={"max_attempts": 2})
    relay.start()
    if dead is None:
        relay.wait_logged("event 2", "no place for that", level="error")
    else:
        wait_until(
            lambda: place.execute("SELECT status FROM events WHERE id = 2") == [(dead,)],
            lambda: f"the event is dead:\n{relay.log_tail()}",
        )
    relay.stop()
    receiver.close()
    assert place.execute("SELECT status, error FROM events WHERE id = 1") == [(done, None)]
    ((error,),) = place.execute("SELECT error FROM events WHERE id = 2")
    assert len(error) == 20
    warned = [line for line in relay.logged("no index on") if "status" in line["message"]]
    assert not warned, warned


# ---- Mistakes -------------------------------------------------------------------------------------

MISTAKES = [
    (dict(LEAST), {}, "columns.status"),
    (dict(VELMIE), {"claim": {"mode": "lease"}}, "the velmie layout has no columns for leases"),
    (dict(LEAST), {"claim": {"mode": "lease"}, "delivered": "delete"}, "columns.status"),
    ({"layout": "custom"}, DELETE, "table: is missing"),
    (dict(VELMIE, states={"pending": "0"}), {}, "states: the velmie layout has its own"),
    (dict(LEAST, states={"pending": "0"}), DELETE, "columns.status"),
    (dict(LEAST, columns={"status": "s"}, states={"pending": "a"}), {}, "states.delivered"),
    (dict(LEAST, columns={"status": "s"}, states={"waiting": "a"}), {}, '"waiting" is no state'),
    (dict(VELMIE, columns={"locked_by": "x"}), {}, "no column of the velmie layout"),
    (dict(LEAST, columns={"statsu": "x"}), DELETE, 'the nearest is "status"'),
    (dict(LEAST, columns={"status": "type"}), DELETE, 'both called "type"'),
    ({"layout": "debezium"}, {}, "openoutbox"),
]  # fmt: skip


PARTITION_MISTAKES = [
    (dict(LEAST, partition="day"), DELETE, "`init` partitions by created_ts"),
    (dict(LEAST, partition_window="7d"), DELETE, "columns.created_ts or columns.created_at"),
]


@pytest.mark.parametrize(
    "engine, store, changes, said",
    on_engines(EVERY, *MISTAKES) + on_engines(BOTH_MYSQL, *PARTITION_MISTAKES), indirect=["engine"],
)  # fmt: skip
def test_mistake_in_the_configuration_is_refused_by_name(new, store, changes, said):
    done = new(store, **changes).run("check")
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stdout + done.stderr


DIFFERENCES = {
    "postgres": (
        "id uuid, event_type text, payload xml, status text, attempt_count text, headers bytea,"
        " created_at date",
        ("column payload is xml, not bytea, json, jsonb or text",
         "column attempt_count is text, not integer", "column headers is bytea",
         "column created_at is date"),
    ),
    "mysql": (
        "id binary(16), event_type text, payload date, status text, attempt_count varchar(9),"
        " headers time, created_at date",
        ("column payload is date, not LONGBLOB, another BLOB, TEXT or JSON",
         "column attempt_count is varchar(9), not an integer", "column headers is time",
         "column created_at is date"),
    ),
    "sqlite": (
        "id text, event_type text, payload date, status text, attempt_count text, headers real,"
        " created_at integer",
        ("column payload is date, not BLOB, TEXT or JSON", "column attempt_count is TEXT, not INTEGER",
         "column headers is REAL", "column created_at is INTEGER, not TEXT"),
    ),
}  # fmt: skip


@every_store
def test_every_difference_that_matters_is_named(engine, place, new):
    columns, own = DIFFERENCES["mysql" if engine.is_mysql else engine.name]
    place.execute(f"CREATE TABLE outbox ({columns})")
    done = new(VELMIE).run("check", "--connect")
    text = done.stdout + done.stderr
    assert done.returncode == 1
    for said in (
        *own, "no column last_error", "no column processed_at",
        "has no index on (status, id)",
    ):  # fmt: skip
        assert said in text, f"{said}:\n{text}"


@every_store
def test_states_that_the_column_cannot_hold_are_named(place, new):
    place.execute("CREATE TABLE events (id int PRIMARY KEY, type text, payload text, status int)")
    store = dict(LEAST, columns={"status": "status"})
    done = new(store).run("check", "--connect")
    assert done.returncode == 1
    said = r'column status is (?i:int)\S*, which cannot hold "PENDING"'
    assert re.search(said, done.stdout + done.stderr), done.stdout + done.stderr
    numbers = dict(store, states={"pending": "0", "delivered": "1"})
    assert new(numbers).run("check", "--connect").returncode == 0


@every_store
def test_column_that_is_named_must_be_there(place, new):
    place.execute("CREATE TABLE events (id int PRIMARY KEY, type text, payload text)")
    done = new(dict(LEAST, columns={"last_error": "trouble"}), **DELETE).run("check", "--connect")
    assert done.returncode == 1
    assert "no column trouble" in done.stdout + done.stderr


@every_store
def test_table_of_another_maker_is_left_alone_by_init(place, new):
    place.execute("CREATE TABLE events (id int PRIMARY KEY, type text, payload text)")
    before = place.schema()
    relay = new(LEAST, **DELETE)
    assert "nothing was to do" in run(relay, "init")
    assert place.schema() == before


TYPES = on_engines(["postgres"], *product(
    ["bigint", "text", "bytea", "numeric", "char(8)"], ["text", "bytea", "json"]
)) + on_engines(BOTH_MYSQL, *product(
    ["bigint", "int unsigned", "varchar(20)", "char(8) CHARACTER SET latin1"],
    ["text", "longblob", "json"],
)) + on_engines(["sqlite"], *product(
    ["integer", "bigint", "text", "blob"], ["text", "blob", "json"]
))  # fmt: skip


@pytest.mark.parametrize("engine, id_type, payload", TYPES, indirect=["engine"])
def test_ids_and_payloads_of_other_types_arrive(engine, place, new, delivered, id_type, payload):
    place.execute(
        f"CREATE TABLE events (id {id_type} PRIMARY KEY, type text, payload {payload});\n"
        "INSERT INTO events VALUES ('12345678', 't', '{\"a\":  1}'), ('23456789', 't', NULL);"
    )
    relay = new(LEAST, **DELETE)
    assert relay.once() == 0, relay.log_tail()
    ids = {"12345678", "23456789"}
    if id_type == "bytea":
        ids = {"\\x" + id.encode().hex() for id in ids}
    assert delivered.ids() == ids
    given = b'{"a":  1}'
    if engine.name == "mysql" and payload == "json":
        given = b'{"a": 1}'  # which it stores in a form of its own
    assert sorted(delivered.payload(id) for id in ids) == [b"", given]
    assert place.execute("SELECT count(*) FROM events") == [(0,)]
