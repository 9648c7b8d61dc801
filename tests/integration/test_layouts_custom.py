"""test_layouts_custom.py - layouts made by init, tables described by columns and states, and mistakes
SPDX-License-Identifier: MIT
"""

import json
import uuid

import pytest

from harness.brokers.webhook import Webhook
from harness.evidence import Delivered
from harness.layouts import PostgresPlace
from harness.relay import merged, pipeline
from harness.settings import need
from harness.waiting import wait_until

HOLD = {
    "claim": {"mode": "hold", "poll_max": "50ms"},
    "retry": {"base_delay": "200ms", "max_delay": "1s"},
}
DELETE = {"delivered": "delete"}


@pytest.fixture
def place(request):
    need("store-postgres", "publisher-file")
    return PostgresPlace(request.getfixturevalue("database"))


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


@pytest.mark.parametrize("store, changes", ROUND)
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


def test_printed_sql_makes_the_same_table(place, new):
    for number, (store, changes) in enumerate(ROUND):
        relay = new(store, **changes)
        lines = run(relay, "init", "--print").splitlines()
        place.execute("\n".join(lines))
        printed = place.schema()
        place.execute("DROP TABLE IF EXISTS outbox, events CASCADE")
        run(relay, "init")
        assert place.schema() == printed, f"table {number}"
        place.execute("DROP TABLE IF EXISTS outbox, events CASCADE")


def test_seconds_of_the_id_are_made_where_the_table_does_not(place, new):
    """A table whose created_ts is an ordinary column."""
    relay = new(VELMIE)
    run(relay, "init")
    place.execute("ALTER TABLE outbox ALTER created_ts DROP EXPRESSION")
    id = "01890a5d-ac96-774b-bcce-b302099a8057"  # of 2023-06-30
    line = {"id": id, "type": "t", "payload": "{}", "aggregate_type": "a", "aggregate_id": "b"}
    run(relay, "enqueue", "--ndjson", stdin=ndjson(line))
    assert place.execute("SELECT created_ts FROM outbox") == [(0x01890A5DAC96 // 1000,)]


@pytest.mark.parametrize("payload", ["{not json", "", "\u0000"])
def test_payload_that_is_no_json_is_refused_by_its_line(place, new, payload):
    relay = new(VELMIE)
    run(relay, "init")
    good = {"type": "t", "payload": "{}", "aggregate_type": "a", "aggregate_id": "b"}
    done = relay.run("enqueue", "--ndjson", stdin=ndjson(good, good, dict(good, payload=payload)))
    assert done.returncode == 1
    assert "line 3" in done.stderr, done.stderr
    assert place.execute("SELECT count(*) FROM outbox") == [(0,)]


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


STATES = [
    ("varchar(10) NOT NULL DEFAULT 'new'", words("new", "sent", "gave up"), "sent", "gave up"),
    ("char(1) NOT NULL DEFAULT 'N'", words("N", "S", "D"), "S", "D"),
    ("integer NOT NULL DEFAULT 10", words("10", "20", "-30"), 20, -30),
    ("boolean NOT NULL DEFAULT false", words("false", "true"), True, None),
    ("mood NOT NULL DEFAULT 'open'", words("open", "done", "failed"), "done", "failed"),
    ("text NOT NULL DEFAULT 'PENDING'", None, "DELIVERED", "DEAD"),
]


@pytest.mark.parametrize("column, states, done, dead", STATES)
def test_status_column_of_any_kind_is_written_in_its_own_words(
    place, new, column, states, done, dead
):
    need("publisher-webhook")
    place.execute(
        "CREATE TYPE mood AS ENUM ('open', 'done', 'failed');"
        f"CREATE TABLE events (id bigint PRIMARY KEY, type text, payload text, status {column},"
        " error varchar(20), other text);"
        "CREATE INDEX ON events (status, id)"
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


@pytest.mark.parametrize("store, changes, said", MISTAKES)
def test_mistake_in_the_configuration_is_refused_by_name(new, store, changes, said):
    done = new(store, **changes).run("check")
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stdout + done.stderr


def test_every_difference_that_matters_is_named(place, new):
    place.execute(
        "CREATE TABLE outbox (id uuid, event_type text, payload xml, status text, attempt_count text,"
        " headers bytea, created_at date)"
    )
    done = new(VELMIE).run("check", "--connect")
    text = done.stdout + done.stderr
    assert done.returncode == 1
    for said in (
        "column payload is xml, not bytea, json, jsonb or text",
        "column attempt_count is text, not integer", "column headers is bytea",
        "column created_at is date", "no column last_error", "no column processed_at",
        "has no index on (status, id)",
    ):  # fmt: skip
        assert said in text, f"{said}:\n{text}"


def test_states_that_the_column_cannot_hold_are_named(place, new):
    place.execute("CREATE TABLE events (id int PRIMARY KEY, type text, payload text, status int)")
    store = dict(LEAST, columns={"status": "status"})
    done = new(store).run("check", "--connect")
    assert done.returncode == 1
    assert 'column status is integer, which cannot hold "PENDING"' in done.stdout + done.stderr
    numbers = dict(store, states={"pending": "0", "delivered": "1"})
    assert new(numbers).run("check", "--connect").returncode == 0


def test_column_that_is_named_must_be_there(place, new):
    place.execute("CREATE TABLE events (id int PRIMARY KEY, type text, payload text)")
    done = new(dict(LEAST, columns={"last_error": "trouble"}), **DELETE).run("check", "--connect")
    assert done.returncode == 1
    assert "no column trouble" in done.stdout + done.stderr


def test_table_of_another_maker_is_left_alone_by_init(place, new):
    place.execute("CREATE TABLE events (id int PRIMARY KEY, type text, payload text)")
    before = place.schema()
    relay = new(LEAST, **DELETE)
    assert "nothing was to do" in run(relay, "init")
    assert place.schema() == before


@pytest.mark.parametrize("id_type", ["bigint", "text", "bytea", "numeric", "char(8)"])
@pytest.mark.parametrize("payload", ["text", "bytea", "json"])
def test_ids_and_payloads_of_other_types_arrive(place, new, delivered, id_type, payload):
    place.execute(
        f"CREATE TABLE events (id {id_type} PRIMARY KEY, type text, payload {payload});"
        "INSERT INTO events VALUES ('12345678', 't', '{\"a\":  1}'), ('23456789', 't', NULL)"
    )
    relay = new(LEAST, **DELETE)
    assert relay.once() == 0, relay.log_tail()
    ids = {"12345678", "23456789"}
    if id_type == "bytea":
        ids = {"\\x" + id.encode().hex() for id in ids}
    assert delivered.ids() == ids
    assert sorted(delivered.payload(id) for id in ids) == [b"", b'{"a":  1}']
    assert place.execute("SELECT count(*) FROM events") == [(0,)]
