"""test_shutdown.py - stopping in order leaves nothing behind; SIGHUP changes what may be changed
SPDX-License-Identifier: MIT
"""

import signal

import pytest

from harness.engines import every_engine
from harness.observer import Observer
from harness.waiting import wait_until

pytestmark = every_engine
MODES = pytest.mark.parametrize("mode", ["lease", "hold"])


def is_claimed(table, count):
    """Whether a relay holds all events, by a lease or by locks in an open transaction."""
    if table.states().get("DELIVERING", 0) == count:
        return True
    return not table.free_ids()


@MODES
@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_stop_in_the_middle_settles_what_was_sent(table, outbox, new_relay, mode, stop_signal):
    """What the publisher has is DELIVERED, the rest as it was: going on later makes no duplicate."""
    table.insert_many(5000)
    relay = new_relay(outbox.to_file(table, claim={"mode": mode, "batch_size": 20}))
    with Observer(table):
        for _ in range(3):
            before = len(outbox.delivered.lines())
            relay.start()
            wait_until(
                lambda: len(outbox.delivered.lines()) > before or before == 5000,
                lambda: f"something is delivered:\n{relay.log_tail()}",
            )
            relay.process.send_signal(stop_signal)
            assert relay.wait() == 0, relay.log_tail()
            states = table.states()
            assert set(states) <= {"PENDING", "DELIVERED"}
            assert states.get("DELIVERED", 0) == len(outbox.delivered.ids())
        assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.ids() == table.ids()
    assert outbox.delivered.duplicates() == 0
    assert table.count("attempts > 0") == 0


@MODES
def test_stop_releases_what_the_broker_does_not_answer(table, outbox, new_relay, mode):
    table.insert_many(100)
    relay = new_relay(
        outbox.to_null(
            table, publisher={"delay": "10m"}, claim={"mode": mode}, publish={"timeout": "30m"}
        ),
        relay={"shutdown_timeout": "3s"},
    ).start()
    wait_until(
        lambda: is_claimed(table, 100), lambda: f"the events are claimed:\n{relay.log_tail()}"
    )
    relay.stop()
    assert table.states() == {"PENDING": 100}
    assert table.count("attempts > 0 OR locked_by IS NOT NULL") == 0


@MODES
def test_stop_while_the_database_is_away(engine, private_server, outbox, new_relay, mode):
    table = engine.new_table(private_server.new_database()).create_foreign()
    relay = new_relay(outbox.to_file(table, claim={"mode": mode})).start()
    table.insert(b"x")
    wait_until(
        lambda: table.states() == {"DELIVERED": 1},
        lambda: f"the relay works:\n{relay.log_tail()}",
    )
    private_server.stop("immediate")
    relay.wait_logged("connect", "keeps trying")
    relay.stop()


@MODES
def test_stop_while_the_database_is_away_with_events_in_flight(
    engine, private_server, outbox, new_relay, mode
):
    """What cannot be settled is left behind for another relay; the stop is as orderly as ever."""
    table = engine.new_table(private_server.new_database()).create_foreign()
    table.insert_many(10)
    relay = new_relay(
        outbox.to_null(table, publisher={"delay": "10m"}, claim={"mode": mode}),
        relay={"shutdown_timeout": "3s"},
    ).start()
    wait_until(
        lambda: is_claimed(table, 10), lambda: f"the events are claimed:\n{relay.log_tail()}"
    )
    private_server.stop("immediate")
    relay.stop()


def test_stop_while_the_publisher_is_away(table, outbox, new_relay, folder):
    table.insert_many(10)
    relay = new_relay(outbox.to_file(table, path=folder / "missing" / "file")).start()
    relay.wait_logged("missing", "create its folder")
    relay.stop()
    assert table.states() == {"PENDING": 10}
    assert table.count("attempts > 0") == 0


def test_hangup_applies_tunables(table, outbox, new_relay):
    relay = new_relay(outbox.to_file(table, publish={"max_payload": "1MiB"})).start()
    large = table.insert(b"x" * 2000)
    wait_until(
        lambda: table.row(large)["status"] == "DELIVERED",
        lambda: f"a large event is delivered:\n{relay.log_tail()}",
    )
    relay.config["pipelines"][0]["publish"]["max_payload"] = "1KiB"
    relay.reload()

    def refused():
        event_id = table.insert(b"x" * 2000)
        wait_until(
            lambda: table.row(event_id)["status"] in ("DELIVERED", "DEAD"), "it is settled"
        )
        return table.row(event_id)["status"] == "DEAD"

    wait_until(refused, lambda: f"the lower limit is in force:\n{relay.log_tail()}")


def test_hangup_with_a_broken_file_keeps_the_old_configuration(table, outbox, new_relay):
    relay = new_relay(outbox.to_file(table)).start()
    event_id = table.insert(b"x")
    wait_until(lambda: outbox.delivered.ids() == {event_id}, "the relay works")
    relay.config_path.write_text('{"pipelines": [')
    relay.process.send_signal(signal.SIGHUP)
    relay.wait_logged(relay.config_path.name)
    second = table.insert(b"y")
    wait_until(
        lambda: outbox.delivered.ids() == {event_id, second},
        lambda: f"the relay goes on:\n{relay.log_tail()}",
    )
    relay.stop()
