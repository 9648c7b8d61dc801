"""test_layouts.py - tables that other people made, relayed from as they are
SPDX-License-Identifier: MIT
"""

import json

import pytest

from harness.brokers.webhook import Webhook
from harness.evidence import Delivered
from harness.layouts import Debezium, PostgresPlace, Program, Velmie, insert, wait_drained
from harness.relay import merged, pipeline
from harness.settings import events, need
from harness.waiting import wait_until

HOLD = {"claim": {"mode": "hold", "poll_max": "50ms"}}
FAST = merged(HOLD, {"retry": {"base_delay": "200ms", "max_delay": "1s"}})
POISON = '{"poison": true}'


@pytest.fixture
def place(request):
    need("store-postgres", "publisher-file")
    return PostgresPlace(request.getfixturevalue("database"))


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

    def make(table, publisher=None, **changes):
        store = dict(place.store, **table.settings)
        publisher = publisher or {"driver": "file", "path": str(folder / "delivered")}
        if isinstance(table, Debezium):
            changes = merged({"delivered": "delete"}, changes)
        return new_relay(pipeline(store, publisher, **merged(FAST, changes)))

    return make


@pytest.fixture
def delivered(folder):
    return Delivered(folder / "delivered")


def velmie_variants():
    return [("uuid", "json"), ("uuid", "jsonb"), ("bytes", "bytes")]


# ---- As they are ----------------------------------------------------------------------------------


@pytest.mark.parametrize("id_type, payload_type", velmie_variants())
def test_velmie_table_is_relayed_while_its_program_goes_on(
    place, new, delivered, id_type, payload_type
):
    table = Velmie(place, id_type, payload_type)
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
        if payload_type != "jsonb":
            assert delivered.payload(id).decode() == payload
    one = delivered.of(next(iter(sent)))
    assert one["headers"]["h"] == "v" and one["type"] == "order.created"
    assert (one["aggregate_type"], one["aggregate_id"]) == ("order", "o-1")
    ((undone, tried),) = place.execute(
        "SELECT count(*) FILTER (WHERE processed_at IS NULL OR updated_at < created_at),"
        " max(attempt_count) FROM outbox"
    )
    assert (undone, tried) == (0, 0)


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


@pytest.mark.parametrize("layout", [Velmie, Debezium])
def test_two_relays_share_a_table_and_deliver_everything_once(place, new, folder, layout):
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


@pytest.mark.parametrize("layout", [Velmie, Debezium])
def test_failing_event_is_held_back_and_others_go_on(place, new, receiver, layout):
    table = layout(place)
    (poison,) = insert(table, POISON)
    fine = insert(table, *(f'{{"n": {n}}}' for n in range(20)))
    relay = new(
        table, receiver.publisher(), route={"topic": "t"}, claim={"batch_size": 1},
        retry={"base_delay": "2s", "max_delay": "1m"},
    ).start()  # fmt: skip
    wait_until(
        lambda: {one.event_id for one in receiver.read("t")} == set(fine),
        lambda: f"the others arrive:\n{relay.log_tail()}",
    )
    tries = [one for one in receiver.events() if one["status"] == 500]
    assert len(tries) == 1
    receiver.rules()
    wait_drained(table, relay)
    assert {one.event_id for one in receiver.read("t")} == {poison, *fine}
    second = receiver.events()[-1]
    assert second["at"] - tries[0]["at"] > 1.5, "seconds between the attempts"


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
