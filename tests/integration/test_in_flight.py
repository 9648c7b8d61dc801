"""test_in_flight.py - what is said to be in flight is: nothing once all is done, whatever went wrong meanwhile
SPDX-License-Identifier: MIT
"""

import re

import pytest

from harness.engines import every_engine
from harness.http import LISTEN, Http
from harness.settings import SHORT_LEASE, events
from harness.waiting import wait_until

pytestmark = every_engine
CLAIM = {"lease": SHORT_LEASE, "poll_max": "50ms", "batch_size": 50}
RETRY = {"base_delay": "50ms", "max_delay": "200ms", "max_attempts": 1000}


def figures(http):
    """The sum of each figure by its name."""
    sums = {}
    for line in http.get("/metrics").body.decode().splitlines():
        if not line.startswith("#"):
            name = re.match(r"\w+", line).group()
            sums[name] = sums.get(name, 0) + float(line.rpartition(" ")[2])
    return {name.removeprefix("openoutbox_"): value for name, value in sums.items()}


def check_idle(http):
    """What was claimed has ended in one way, and nothing is left."""
    found = wait_until(
        lambda: (now := figures(http))["events_in_flight"] == 0 and now,
        lambda: f"nothing is in flight: {figures(http)['events_in_flight']}",
    )
    ends = [f"events_{end}_total" for end in ("dropped", "retried", "dead", "released", "stale", "delivered")]
    assert found["events_claimed_total"] == sum(found[end] for end in ends), found
    assert found["events_outcomes_total"] <= found["events_claimed_total"]
    return found


@pytest.mark.parametrize("mode", ["lease", "hold"])
def test_in_flight_is_nothing_again_after_lost_connections(engine, private_server, outbox, new_relay, mode):
    """With a publisher that answers late, so that there is much to lose, and fails now and then."""
    table = engine.new_table(private_server.new_database()).create_foreign()
    publisher = {"delay": "20ms", "failure_rate": 0.2}
    relay = new_relay(
        outbox.to_null(table, publisher=publisher, claim=dict(CLAIM, mode=mode), retry=RETRY), http=LISTEN
    ).start()
    http = Http(relay)
    faults = [
        lambda: private_server.restart("immediate"),
        lambda: wait_until(table.database.terminate_sessions, "there are sessions to end"),
    ]
    for fault in faults:
        table.insert_many(events(1000))
        wait_until(
            lambda: figures(http)["events_in_flight"] > 0,
            lambda: f"something is in flight:\n{relay.log_tail()}",
        )
        fault()
    wait_until(
        lambda: table.count("status <> 'DELIVERED'") == 0,
        lambda: f"all are delivered, there are {table.states()}:\n{relay.log_tail()}",
    )
    found = check_idle(http)
    assert found["events_total"] <= found["events_claimed_total"]
    assert relay.logged("a driver call failed")
    relay.stop()


def test_what_is_left_to_its_lease_at_the_end_is_no_more_in_flight(engine, private_server, outbox, new_relay):
    """A store that does not come back: the relay gives its events up, and says so."""
    table = engine.new_table(private_server.new_database()).create_foreign()
    table.insert_many(20)
    relay = new_relay(
        outbox.to_null(table, publisher={"delay": "10m"}, claim=CLAIM, publish={"timeout": "30m"}),
        http=LISTEN, relay={"shutdown_timeout": "1s"},
    ).start()  # fmt: skip
    http = Http(relay)
    wait_until(
        lambda: figures(http)["events_in_flight"] == 20,
        lambda: f"the events are in flight:\n{relay.log_tail()}",
    )
    private_server.stop()
    relay.stop()
    (left,) = relay.logged("out of time: events are left to their lease")
    (ended,) = relay.logged("pipeline ended")
    assert left["events"] == ended["stale"] == ended["claimed"] == 20
