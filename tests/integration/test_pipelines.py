"""test_pipelines.py - pipelines of one process do not hurt each other
SPDX-License-Identifier: MIT
"""

from harness.settings import events
from harness.tables import Table
from harness.waiting import wait_until


def wait_delivered(table, relay, count):
    wait_until(
        lambda: table.count("status = 'DELIVERED'") == count,
        lambda: f"{count} events are delivered, there are {table.states()}:\n{relay.log_tail()}",
    )


def test_dead_database_of_one_leaves_the_other_at_work(
    own_table, private_server, outbox, new_relay, folder
):
    other = Table(private_server.new_database()).create_foreign()
    outbox.delivered.paths = [folder / "a", folder / "b"]
    relay = new_relay(
        outbox.to_file(own_table, "a", folder / "a"), outbox.to_file(other, "b", folder / "b")
    ).start()
    other.insert_many(10)
    wait_delivered(other, relay, 10)
    private_server.stop("immediate")
    count = events(2000)
    own_table.insert_many(count)
    wait_delivered(own_table, relay, count)
    private_server.start()
    other.insert_many(10)
    wait_delivered(other, relay, 20)
    relay.stop()


def test_absent_publisher_of_one_leaves_the_other_at_work(database, own_table, outbox, new_relay, folder):
    second = Table(database, "second_events").create_foreign()
    missing = folder / "missing" / "b"
    outbox.delivered.paths = [folder / "a", missing]
    relay = new_relay(
        outbox.to_file(own_table, "a", folder / "a"), outbox.to_file(second, "b", missing)
    ).start()
    second.insert_many(10)
    relay.wait_logged("missing", "create its folder")
    count = events(2000)
    own_table.insert_many(count)
    wait_delivered(own_table, relay, count)
    assert second.states() == {"PENDING": 10}
    missing.parent.mkdir()
    wait_delivered(second, relay, 10)
    relay.stop()


def test_failing_publisher_of_one_leaves_the_other_at_work(database, own_table, outbox, new_relay):
    second = Table(database, "second_events").create_foreign()
    relay = new_relay(
        outbox.to_file(own_table, "a"),
        outbox.to_null(second, "b", {"failure_rate": 1.0}, retry={"max_attempts": 2, "base_delay": "10ms"}),
    ).start()  # fmt: skip
    second.insert_many(10)
    own_table.insert_many(100)
    wait_delivered(own_table, relay, 100)
    wait_until(lambda: second.states() == {"DEAD": 10}, "the failing pipeline's events die")
    assert own_table.count("attempts > 0") == 0
    relay.stop()


def test_option_p_runs_one_pipeline_alone(database, own_table, outbox, new_relay, folder):
    second = Table(database, "second_events").create_foreign()
    second.insert_many(5)
    own_table.insert_many(5)
    relay = new_relay(
        outbox.to_file(own_table, "a", folder / "a"), outbox.to_file(second, "b", folder / "b")
    )
    relay.start("-p", "b", "--once")
    assert relay.wait() == 0, relay.log_tail()
    assert second.states() == {"DELIVERED": 5}
    assert own_table.states() == {"PENDING": 5}
