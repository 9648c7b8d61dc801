"""test_store_faults.py - the database is away, unfinished, restarted, or throws the relay out
SPDX-License-Identifier: MIT
"""

import pytest

from harness.engines import every_engine
from harness.evidence import Delivered
from harness.fleet import Fleet
from harness.observer import Observer
from harness.settings import SHORT_LEASE, events
from harness.sources import Producer
from harness.waiting import wait_until

pytestmark = every_engine
ROUNDS = 6


def wait_delivered(table, relay, count):
    wait_until(
        lambda: table.count("status = 'DELIVERED'") == count,
        lambda: f"{count} events are delivered, there are {table.states()}:\n{relay.log_tail()}",
    )


def test_database_that_is_away_at_start_is_waited_for(engine, private_server, outbox, new_relay):
    table = engine.new_table(private_server.new_database()).create_foreign()
    table.insert_many(10)
    private_server.stop()
    relay = new_relay(outbox.to_file(table)).start()
    relay.wait_logged("connect", "keeps trying")
    private_server.start()
    wait_delivered(table, relay, 10)
    relay.stop()


def test_once_fails_when_the_database_is_away(engine, private_server, outbox, new_relay):
    """A run that is to end cannot wait for ever, and has not drained anything."""
    table = engine.new_table(private_server.new_database()).create_foreign()
    private_server.stop()
    relay = new_relay(outbox.to_file(table))
    assert relay.once() == 1
    assert relay.logged("connect")


def test_missing_table_is_named_and_relayed_from_once_it_is_made(engine, database, outbox, new_relay):
    table = engine.new_table(database, "my_events")
    relay = new_relay(outbox.to_file(table)).start()
    found = relay.wait_logged("my_events", "init")
    assert found
    done = relay.run("init")
    assert done.returncode == 0, done.stderr
    table.insert_many(10)
    wait_delivered(table, relay, 10)
    relay.stop()


def test_missing_columns_are_named(engine, database, outbox, new_relay):
    table = engine.new_table(database).create_foreign()
    database.execute(f"ALTER TABLE {table.name} DROP COLUMN available_at, DROP COLUMN last_error")
    relay = new_relay(outbox.to_file(table)).start()
    relay.wait_logged("available_at")
    relay.wait_logged("last_error")
    database.execute(
        f"ALTER TABLE {table.name} ADD available_at {table.available_at}, ADD last_error TEXT"
    )
    table.insert_many(10)
    wait_delivered(table, relay, 10)
    relay.stop()


def restart_immediate(server, table):
    server.restart("immediate")


def restart_fast(server, table):
    server.restart("fast")


def terminate_sessions(server, table):
    wait_until(table.database.terminate_sessions, "there are sessions to end")


@pytest.mark.long
@pytest.mark.parametrize("fault", [restart_immediate, restart_fast, terminate_sessions])
@pytest.mark.parametrize("mode, delivered", [("lease", "keep"), ("lease", "delete"), ("hold", "keep")])
def test_lost_connections_lose_no_event(
    engine, private_server, folder, mode, delivered, fault
):  # fmt: skip
    """In the middle of a run, over and over, while producers go on."""
    table = engine.new_table(private_server.new_database()).create_foreign()
    table.keep_ids()
    portion = events(3000)
    claim = {"mode": mode, "lease": SHORT_LEASE}
    with (
        Observer(table) as observer,
        Fleet(folder, table, 2, claim=claim, delivered=delivered) as fleet,
        Producer(table, portion) as producer,
    ):
        for _ in range(ROUNDS):
            before = fleet.bytes_written()
            producer.more()
            fleet.wait_progress(before)
            fault(private_server, table)
            wait_until(producer.done, "the producer's portion is committed")
            observer.check()
        fleet.wait_drained()
        check_nothing_lost(table, fleet.delivered, portion * ROUNDS)
        states = table.states()
        assert "DEAD" not in states
        # Each session that is lost leaves at most what its relay had in flight unsettled.
        assert fleet.delivered.duplicates() <= ROUNDS * fleet.at_most_unsettled() + fleet.stale()


def check_nothing_lost(table, delivered: Delivered, at_least):
    made = table.kept_ids()
    assert len(made) >= at_least
    counts = delivered.counts()
    lost = made - set(counts)
    assert not lost, f"{len(lost)} of {len(made)} events were never delivered, one is {min(lost)}"
    assert set(counts) <= made, "what was delivered had been committed"
