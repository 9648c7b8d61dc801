"""test_outcomes.py - what the publisher says decides what becomes of the event
SPDX-License-Identifier: MIT
"""

import pytest

from harness.engines import every_engine
from harness.observer import Observer
from harness.waiting import wait_until

pytestmark = every_engine
MODES = pytest.mark.parametrize("mode", ["lease", "hold"])
FAILS = {"failure_rate": 1.0}


@MODES
def test_failed_event_is_retried_until_it_is_dead(table, outbox, new_relay, mode):
    table.insert_many(20)
    relay = new_relay(
        outbox.to_null(
            table, publisher=FAILS, claim={"mode": mode, "poll_max": "50ms"},
            retry={"max_attempts": 3, "base_delay": "100ms"},
        )
    )  # fmt: skip
    with Observer(table):
        relay.start()
        wait_until(
            lambda: table.states() == {"DEAD": 20},
            lambda: f"the events die, there are {table.states()}:\n{relay.log_tail()}",
        )
        relay.stop()
    assert table.count("attempts = 3 AND last_error <> ''") == 20


@MODES
@pytest.mark.parametrize("attempts, minutes", [(0, 10), (3, 80), (9, 1440)])
def test_wait_before_a_retry_doubles_up_to_its_limit(
    table, outbox, new_relay, mode, attempts, minutes
):
    event_id = table.insert(b"x", attempts=attempts)
    relay = new_relay(
        outbox.to_null(
            table, publisher=FAILS, claim={"mode": mode},
            retry={"base_delay": "10m", "max_delay": "24h", "jitter": 0.1},
        )
    ).start()  # fmt: skip
    wait_until(
        lambda: table.row(event_id)["attempts"] == attempts + 1,
        lambda: f"the event is tried:\n{relay.log_tail()}",
    )
    row = table.row(event_id)
    assert row["status"] == "PENDING"
    assert row["last_error"]
    wait = -row["age"] / 60
    assert minutes - 5 < wait <= minutes * 1.1, "minutes until the event is available again"


@MODES
def test_publisher_that_fails_now_and_then_gets_every_event_in_the_end(
    table, outbox, new_relay, mode
):
    table.insert_many(500)
    relay = new_relay(
        outbox.to_null(
            table, publisher={"failure_rate": 0.5},
            claim={"mode": mode, "batch_size": 50, "poll_max": "50ms"},
            retry={"max_attempts": 1000, "base_delay": "20ms", "max_delay": "100ms"},
        )
    )  # fmt: skip
    with Observer(table):
        relay.start()
        wait_until(
            lambda: table.states() == {"DELIVERED": 500},
            lambda: f"all is delivered, there are {table.states()}:\n{relay.log_tail()}",
        )
        relay.stop()
    assert table.count("attempts > 0") > 0


@MODES
def test_rejected_event_is_dead_at_once(table, outbox, new_relay, mode):
    event_id = table.insert(b"x")
    relay = new_relay(
        outbox.to_null(table, publisher=dict(FAILS, failure="rejected"), claim={"mode": mode})
    ).start()
    wait_until(
        lambda: table.row(event_id)["status"] == "DEAD",
        lambda: f"the event dies:\n{relay.log_tail()}",
    )
    row = table.row(event_id)
    assert row["attempts"] == 1
    assert row["last_error"]


@MODES
def test_unknown_outcome_is_retried(table, outbox, new_relay, mode):
    event_id = table.insert(b"x")
    relay = new_relay(
        outbox.to_null(
            table, publisher=dict(FAILS, failure="unknown"), claim={"mode": mode},
            retry={"base_delay": "10m"},
        )
    ).start()  # fmt: skip
    wait_until(
        lambda: table.row(event_id)["attempts"] == 1,
        lambda: f"the attempt is charged:\n{relay.log_tail()}",
    )
    row = table.row(event_id)
    assert row["status"] == "PENDING" and row["last_error"] and row["age"] < 0


@MODES
def test_publisher_that_is_away_pauses_the_pipeline_and_charges_nothing(
    table, outbox, new_relay, folder, mode
):
    """The folder of the publisher's file is missing, and comes back."""
    table.insert_many(300)
    path = folder / "missing" / "delivered.ndjson"
    relay = new_relay(
        outbox.to_file(
            table, path=path, claim={"mode": mode}, retry={"max_attempts": 1, "base_delay": "1ms"}
        )
    )
    with Observer(table):
        relay.start()
        relay.wait_logged("missing", "create its folder")
        wait_until(
            lambda: table.states() == {"PENDING": 300},
            lambda: f"everything is released, there are {table.states()}:\n{relay.log_tail()}",
        )
        assert table.count("attempts > 0") == 0
        path.parent.mkdir()
        wait_until(
            lambda: table.states() == {"DELIVERED": 300},
            lambda: f"all is delivered, there are {table.states()}:\n{relay.log_tail()}",
        )
        relay.stop()
    outbox.delivered.paths = [path]
    assert outbox.delivered.ids() == table.ids()
    assert table.count("attempts > 0") == 0


@MODES
def test_publisher_that_answers_but_takes_nothing_is_tried_with_few_events(
    own_table, outbox, new_relay, mode
):
    """A broker that is full answers a ping. Claiming all there is for each try would wear the table."""
    own_table.insert_many(5000)
    relay = new_relay(
        outbox.to_null(
            own_table, publisher=dict(FAILS, failure="away"), claim={"mode": mode, "workers": 2}
        )
    ).start()
    pauses = "the publisher is away"
    wait_until(
        lambda: len(relay.logged(pauses)) >= 6,
        lambda: f"the relay tries again and again:\n{relay.log_tail()}",
    )
    relay.stop()
    (ended,) = relay.logged("pipeline ended")
    # The first claim of each worker finds the gate open; then 64 events a worker and try.
    assert ended["claimed"] <= 2 * 500 + 2 * 64 * (len(relay.logged(pauses)) + 1)
    assert own_table.states() == {"PENDING": 5000}
    assert own_table.count("attempts > 0") == 0


@MODES
def test_once_fails_when_the_publisher_goes_away_after_the_last_claim(
    table, outbox, new_relay, mode
):
    """All was claimed, and nothing was left to claim, when the broker gave the events back."""
    table.insert_many(20)
    relay = new_relay(
        outbox.to_null(
            table, publisher=dict(FAILS, failure="away", delay="500ms"), claim={"mode": mode}
        )
    )
    assert relay.once() == 1, relay.log_tail()
    assert table.states() == {"PENDING": 20}
    assert table.count("attempts > 0") == 0


@MODES
def test_event_without_an_answer_in_time_is_retried(table, outbox, new_relay, mode):
    event_id = table.insert(b"x")
    relay = new_relay(
        outbox.to_null(
            table, publisher={"delay": "10m"}, claim={"mode": mode},
            publish={"timeout": "1s"}, retry={"base_delay": "10m"},
        ),
        relay={"shutdown_timeout": "3s"},
    ).start()  # fmt: skip
    wait_until(
        lambda: table.row(event_id)["attempts"] == 1,
        lambda: f"the attempt is charged:\n{relay.log_tail()}",
    )
    row = table.row(event_id)
    assert row["status"] == "PENDING" and row["last_error"]
