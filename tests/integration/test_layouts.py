"""test_layouts.py - tables that other people made, relayed from as they are
SPDX-License-Identifier: MIT
"""

import json

import pytest

from harness.brokers.webhook import Webhook
from harness.engines import STORES, every_mysql, every_store
from harness.evidence import Delivered
from harness.http import LISTEN, Http
from harness.layouts import Debezium, Program, Velmie, insert, place_of, wait_drained
from harness.relay import merged, pipeline
from harness.settings import events, need
from harness.waiting import wait_until

HOLD = {"claim": {"mode": "hold", "poll_max": "50ms"}}
FAST = merged(HOLD, {"retry": {"base_delay": "200ms", "max_delay": "1s"}})
POISON = '{"poison": true}'


@pytest.fixture
def place(engine, database):
    need("publisher-file")
    return place_of(engine, database)


@pytest.fixture
def receiver():
    """Fails every event that is poison, until it is told otherwise."""
    need("publisher-webhook")
    server = Webhook().start()
    server.rules({"payload": "poison", "status": 500})
    yield server
    server.close()


@pytest.fixture
def new(place, folder, new_relay):
    """Makes a relay from a table to a file, or to another publisher."""

    def make(table, publisher=None, sections=(), **changes):
        store = dict(place.store, **table.settings)
        publisher = publisher or {"driver": "file", "path": str(folder / "delivered")}
        if isinstance(table, Debezium):
            changes = merged({"delivered": "delete"}, changes)
        return new_relay(pipeline(store, publisher, **merged(FAST, changes)), **dict(sections))

    return make


@pytest.fixture
def delivered(folder):
    return Delivered(folder / "delivered")


def velmie_variants():
    variants = [("postgres", "uuid", "json", False), ("postgres", "uuid", "jsonb", False),
                ("postgres", "bytes", "bytes", False), ("sqlite", "uuid", "json", False),
                ("sqlite", "bytes", "bytes", False)]  # fmt: skip
    for name in ("mariadb", "mysql"):
        variants += [(name, "uuid", "json", False), (name, "uuid", "bytes", True),
                     (name, "uuid", "json", True)]  # fmt: skip
    return [variant for variant in variants if variant[0] in STORES]


def is_exact(engine, payload_type):
    """Whether a column of that type gives back what was put in, byte by byte."""
    return payload_type == "bytes" or (payload_type == "json" and engine.name != "mysql")


# ---- As they are ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "engine, id_type, payload_type, partitioned", velmie_variants(), indirect=["engine"]
)
def test_velmie_table_is_relayed_while_its_program_goes_on(
    engine, place, new, delivered, id_type, payload_type, partitioned
):
    table = Velmie(place, id_type, payload_type, partitioned)
    before = place.schema()
    relay = new(table).start()
    program = Program(table, events(300))
    program.start()
    sent = program.ended()
    wait_drained(table, relay)
    relay.stop()
    assert place.schema() == before
    assert table.dashboard() == (0, len(sent), 0)
    assert delivered.counts() == {id: 1 for id in sent}
    for id, payload in sent.items():
        assert json.loads(delivered.payload(id)) == json.loads(payload)
        if is_exact(engine, payload_type):
            assert delivered.payload(id).decode() == payload
    one = delivered.of(next(iter(sent)))
    assert one["headers"]["h"] == "v" and one["type"] == "order.created"
    assert (one["aggregate_type"], one["aggregate_id"]) == ("order", "o-1")
    ((undone, tried),) = place.execute(
        "SELECT sum(CASE WHEN processed_at IS NULL OR updated_at < created_at THEN 1 ELSE 0 END),"
        " max(attempt_count) FROM outbox"
    )
    assert (undone, tried) == (0, 0)


@every_store
def test_debezium_table_is_relayed_and_emptied(place, new, delivered):
    table = Debezium(place)
    before = place.schema()
    relay = new(table).start()
    program = Program(table, events(300))
    program.start()
    sent = program.ended()
    wait_drained(table, relay)
    assert relay.logged("no available_at", "this relay's memory")
    assert len(relay.logged("no available_at")) == 1
    relay.stop()
    assert place.schema() == before
    assert delivered.counts() == {id: 1 for id in sent}
    one = delivered.of(next(iter(sent)))
    assert (one["aggregate_type"], one["aggregate_id"]) == ("order", "o-1")
    assert one["type"] == "order.created"


@every_store
@pytest.mark.parametrize("layout", [Velmie, Debezium])
def test_two_relays_share_a_table_and_deliver_everything_once(place, new, folder, layout):
    """In SQLite, too: the rows that one relay holds are locked in a file beside the database, each by itself."""
    table = layout(place)
    paths = [folder / "a", folder / "b"]
    relays = [
        new(table, {"driver": "file", "path": str(path)}, claim={"batch_size": 20}).start()
        for path in paths
    ]
    program = Program(table, events(400))
    program.start()
    sent = program.ended()
    wait_drained(table, relays[0])
    for relay in relays:
        relay.stop()
    assert Delivered(*paths).counts() == {id: 1 for id in sent}


@every_store
def test_two_pipelines_of_one_process_share_a_table(place, new_relay, folder):
    table = Velmie(place)
    paths = [folder / "a", folder / "b"]
    changes = merged(FAST, {"claim": {"workers": 3, "batch_size": 20}})
    relay = new_relay(*(
        pipeline(dict(place.store, **table.settings), {"driver": "file", "path": str(path)},
                 name=path.name, **changes)
        for path in paths
    )).start()  # fmt: skip
    program = Program(table, events(400))
    program.start()
    sent = program.ended()
    wait_drained(table, relay)
    relay.stop()
    assert Delivered(*paths).counts() == {id: 1 for id in sent}


@every_store
@pytest.mark.parametrize("layout", [Velmie, Debezium])
def test_killed_relay_loses_nothing(place, new, delivered, layout):
    table = layout(place)
    relay = new(table, claim={"batch_size": 20}).start()
    program = Program(table, events(400))
    program.start()
    for number in range(1, 5):
        wait_until(
            lambda: len(delivered.ids()) > number * events(60),
            lambda: f"something arrives:\n{relay.log_tail()}",
        )
        relay.kill()
        relay.start()
    sent = program.ended()
    wait_drained(table, relay)
    relay.stop()
    assert delivered.ids() == set(sent)
    assert delivered.duplicates() <= 4 * 500


# ---- What fails -----------------------------------------------------------------------------------


@every_store
@pytest.mark.parametrize("layout", [Velmie, Debezium])
def test_failing_event_is_held_back_and_others_go_on(place, new, receiver, layout):
    table = layout(place)
    (poison,) = insert(table, POISON)
    fine = insert(table, *(f'{{"n": {n}}}' for n in range(20)))
    relay = new(
        table, receiver.publisher(), route={"topic": "t"}, claim={"batch_size": 1},
        retry={"base_delay": "2s", "max_delay": "1m"},
    ).start()  # fmt: skip
    # Which event is the first is left to their ids.
    wait_until(
        lambda: {one.event_id for one in receiver.read("t")} == set(fine) and tries(receiver),
        lambda: f"the others arrive and this one was tried:\n{relay.log_tail()}",
    )
    receiver.rules()
    wait_drained(table, relay)
    assert {one.event_id for one in receiver.read("t")} == {poison, *fine}
    times = [one["at"] for one in tries(receiver)]
    waits = [later - earlier for earlier, later in zip(times, times[1:])]
    assert waits and min(waits) > 1.5, f"seconds between the attempts: {waits}"


def tries(receiver):
    """Each time that the receiver got the event, taken or not."""
    return [one for one in receiver.events() if one["body"] == POISON.encode()]


@every_store
def test_a_relay_whose_only_event_is_held_back_is_ready(place, new, receiver):
    table = Velmie(place)
    relay = new(
        table, receiver.publisher(), {"http": dict(LISTEN, stall_after="1s")}, route={"topic": "t"},
        retry={"base_delay": "1h", "max_delay": "1h"},
    ).start()  # fmt: skip
    http = Http(relay)
    http.wait_ready()
    insert(table, POISON)
    http.wait_pipeline(lambda p: p["totals"]["retried"] and p["table"]["pending"], "it has failed")
    until = http.stats()["uptime"] + 3

    def counted_again():
        assert http.get("/readyz").json()["status"] == "ready"
        table = http.pipeline()["table"]
        counts = table["pending"], table["scheduled"], table["oldest_age"]
        return http.stats()["uptime"] > until and counts == (1, 1, None)

    wait_until(counted_again, lambda: f"it is held back: {http.pipeline()}")
    relay.stop()


@every_store
def test_velmie_event_that_keeps_failing_is_dead_with_the_reason(place, new, receiver):
    table = Velmie(place)
    insert(table, POISON, "{}")
    relay = new(
        table, receiver.publisher(), route={"topic": "t"}, retry={"max_attempts": 3}
    ).start()
    wait_drained(table, relay)
    assert table.dashboard() == (0, 1, 1)
    ((attempts, error, processed),) = place.execute(
        "SELECT attempt_count, last_error, processed_at FROM outbox WHERE status = -1"
    )
    assert attempts == 3 and "500" in error and processed is None
    assert len([one for one in receiver.events() if one["status"] == 500]) == 3


@every_store
def test_event_that_is_dead_stays_where_the_table_has_no_place_for_that(place, new, receiver):
    table = Debezium(place)
    (poison,) = insert(table, POISON)
    relay = new(
        table, receiver.publisher(), route={"topic": "t"},
        retry={"max_attempts": 2, "base_delay": "50ms", "max_delay": "500ms"},
    ).start()  # fmt: skip
    relay.wait_logged(poison, "no place for that", level="error")
    assert not table.is_drained()
    receiver.rules()
    wait_drained(table, relay)
    assert [one.event_id for one in receiver.read("t")] == [poison]
    assert relay.logged("no place for dead events")


@every_store
def test_restart_forgets_what_was_held_back_and_nothing_else(place, new, receiver):
    table = Velmie(place)
    (poison,) = insert(table, POISON)
    relay = new(
        table, receiver.publisher(), route={"topic": "t"},
        retry={"base_delay": "1h", "max_delay": "24h"},
    ).start()  # fmt: skip
    wait_until(lambda: len(receiver.events()) == 1, "the event is tried")
    attempts = "SELECT attempt_count FROM outbox"
    wait_until(lambda: place.execute(attempts) == [(1,)], "the attempt is charged")
    relay.stop()
    receiver.rules()
    relay.start()
    wait_drained(table, relay)
    assert place.execute(attempts) == [(1,)]
    assert [one.event_id for one in receiver.read("t")] == [poison]


# ---- Partitions -----------------------------------------------------------------------------------


@every_mysql
def test_window_bounds_claims_to_recent_partitions(place, new, delivered):
    table = Velmie(place, partitioned=True)
    (fresh,) = insert(table, "{}")
    recent, old = table.insert_old("{}", days=2), table.insert_old("{}", days=9)
    table.settings = dict(table.settings, partition_window="7d")
    relay = new(table)
    assert relay.once() == 0, relay.log_tail()
    assert delivered.ids() == {fresh, recent}
    table.settings = Velmie.settings
    relay = new(table)
    assert relay.once() == 0, relay.log_tail()
    assert delivered.counts() == {fresh: 1, recent: 1, old: 1}


@every_mysql
def test_window_on_a_table_without_partitions_is_a_mistake(place, new):
    table = Velmie(place)
    table.settings = dict(table.settings, partition_window="7d")
    done = new(table).run("check", "--connect")
    assert done.returncode == 1
    assert "it is not partitioned, but partition_window is set" in done.stdout + done.stderr
