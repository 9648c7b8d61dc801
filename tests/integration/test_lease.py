"""test_lease.py - who holds an event, for how long, and what a lost claim costs
SPDX-License-Identifier: MIT
"""

import pytest

from harness.brokers.webhook import Webhook
from harness.engines import every_engine
from harness.observer import Observer
from harness.settings import SHORT_LEASE, need
from harness.waiting import wait_until

pytestmark = every_engine

# Two claims from a minute ago: one of a relay of ours that is gone, one of a relay of another make.
OURS = "outbox-relay:gone:1"
THEIRS = "other-relay-7"


def insert_claimed(table, owner, age, **columns):
    event_id = table.insert(b"x", **columns)
    table.set_claimed(event_id, owner, age)
    return event_id


def wait_delivered(table, relay, count):
    wait_until(
        lambda: table.count("status = 'DELIVERED'") == count,
        lambda: f"{count} events are delivered, there are {table.states()}:\n{relay.log_tail()}",
    )


def test_claims_of_a_killed_relay_are_delivered_by_another(table, outbox, new_relay):
    table.insert_many(50)
    claim = {"lease": SHORT_LEASE}
    first = new_relay(outbox.to_null(table, publisher={"delay": "10m"}, claim=claim))
    with Observer(table):
        first.start()
        wait_until(
            lambda: table.states() == {"DELIVERING": 50},
            lambda: f"the events are claimed, there are {table.states()}:\n{first.log_tail()}",
        )
        first.kill()
        second = new_relay(
            outbox.to_file(table, claim=claim, retry={"base_delay": "50ms"})
        ).start()
        wait_delivered(table, second, 50)
        second.stop()
    assert outbox.delivered.counts() == {event_id: 1 for event_id in table.ids()}
    assert table.count("attempts = 1 AND last_error <> ''") == 50, "an expired lease is an attempt"


def test_event_whose_leases_keep_expiring_is_dead_at_max_attempts(table, outbox, new_relay):
    """An event that crashes its relay must not do so for ever."""
    poison = insert_claimed(table, OURS, 60, attempts=2)
    healthy = insert_claimed(table, OURS, 60, attempts=1)
    relay = new_relay(
        outbox.to_file(
            table, claim={"lease": SHORT_LEASE}, retry={"max_attempts": 3, "base_delay": "50ms"}
        )
    ).start()
    wait_delivered(table, relay, 1)
    wait_until(lambda: table.row(poison)["status"] == "DEAD", "the poison event dies")
    assert table.row(poison)["attempts"] == 3
    assert table.row(poison)["last_error"]
    assert outbox.delivered.counts() == {healthy: 1}


def test_lease_is_renewed_while_the_broker_works(table, outbox, new_relay, folder):
    """The broker takes several leases' time, another relay waits for the claim to expire, in vain."""
    table.insert_many(20)
    claim = {"lease": SHORT_LEASE, "poll_max": "50ms"}
    slow = new_relay(outbox.to_null(table, publisher={"delay": "12s"}, claim=claim)).start()
    wait_until(
        lambda: table.states() == {"DELIVERING": 20},
        lambda: f"the events are claimed, there are {table.states()}:\n{slow.log_tail()}",
    )
    rival = new_relay(outbox.to_file(table, claim=claim))
    with Observer(table):
        rival.start()
        wait_delivered(table, slow, 20)
    assert outbox.delivered.counts() == {}
    assert table.count("attempts > 0") == 0


def test_claim_of_another_make_is_not_touched_before_its_own_lease(table, outbox, new_relay):
    ours = insert_claimed(table, OURS, 60)
    theirs = insert_claimed(table, THEIRS, 60)
    abandoned = insert_claimed(table, THEIRS, 86400)
    relay = new_relay(
        outbox.to_file(
            table, claim={"lease": SHORT_LEASE, "foreign_lease": "1h"},
            retry={"base_delay": "50ms"},
        )
    ).start()  # fmt: skip
    # Both expired claims have come back, so the relay has looked: the third one it left alone.
    wait_delivered(table, relay, 2)
    relay.stop()
    row = table.row(theirs)
    assert (row["status"], row["locked_by"], row["attempts"]) == ("DELIVERING", THEIRS, 0)
    assert outbox.delivered.counts() == {ours: 1, abandoned: 1}


def test_settlement_after_a_lost_lease_changes_nothing(table, outbox, new_relay):
    """Somebody else has taken the event meanwhile: its row is theirs now."""
    event_id = table.insert(b"x")
    relay = new_relay(
        outbox.to_null(table, publisher={"delay": "3s"}, claim={"lease": "60s"})
    ).start()
    wait_until(
        lambda: table.row(event_id)["status"] == "DELIVERING",
        lambda: f"the event is claimed:\n{relay.log_tail()}",
    )
    table.database.execute(f"UPDATE {table.name} SET locked_by = %s", (THEIRS,))
    relay.stop()
    row = table.row(event_id)
    assert (row["status"], row["locked_by"]) == ("DELIVERING", THEIRS)


def test_attempts_that_a_producer_left_null_are_counted_from_none(engine, table, outbox, new_relay):
    """A column that allows NULL must neither keep a lease for ever nor an event from dying."""
    change = "MODIFY attempts INT NULL" if engine.is_mysql else "ALTER attempts DROP NOT NULL"
    table.database.execute(f"ALTER TABLE {table.name} {change}")
    back = insert_claimed(table, OURS, 60, attempts=None)
    relay = new_relay(
        outbox.to_file(table, claim={"lease": SHORT_LEASE}, retry={"base_delay": "50ms"})
    ).start()
    wait_delivered(table, relay, 1)
    assert table.row(back)["attempts"] == 1
    assert outbox.delivered.counts() == {back: 1}
    relay.stop()
    last = insert_claimed(table, OURS, 60, attempts=None)
    strict = outbox.to_file(table, claim={"lease": SHORT_LEASE}, retry={"max_attempts": 1})
    new_relay(strict).start()
    wait_until(lambda: table.row(last)["status"] == "DEAD", "the event dies")
    assert table.row(last)["attempts"] == 1


@pytest.mark.parametrize("mode", ["lease", "hold"])
def test_failures_of_an_event_without_attempts_are_counted_from_none(
    engine, table, outbox, new_relay, mode
):
    need("publisher-webhook")
    change = "MODIFY attempts INT NULL" if engine.is_mysql else "ALTER attempts DROP NOT NULL"
    table.database.execute(f"ALTER TABLE {table.name} {change}")
    receiver = Webhook().start()
    receiver.rules({"payload": "poison", "status": 500})
    poison = table.insert(b"poison", attempts=None)
    retry = {"base_delay": "10ms", "max_attempts": 3}
    relay = new_relay(
        outbox.to(receiver.publisher(), table, claim={"mode": mode}, retry=retry, route={"topic": "t"})
    ).start()
    wait_until(
        lambda: table.row(poison)["status"] == "DEAD",
        lambda: f"the event dies:\n{relay.log_tail()}",
    )
    assert table.row(poison)["attempts"] == 3
    relay.stop()
    receiver.close()
