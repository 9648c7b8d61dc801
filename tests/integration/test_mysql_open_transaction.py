"""test_mysql_open_transaction.py - a producer that leaves its transaction open is in nobody's way
SPDX-License-Identifier: MIT
"""

import pytest

from harness.distance import Distance
from harness.engines import every_mysql
from harness.fleet import Fleet
from harness.settings import events
from harness.waiting import wait_until

pytestmark = every_mysql
ROUNDS, ROWS = 8, 400  # enough to split the pages of the claim index over and over
FIRST_CLAIM = 64  # a relay is not bold before it was answered


def counted(fleet, name):
    return sum(
        line["value"] for relay in fleet.relays for line in relay.log() if line.get("counter") == name
    )


def wait_delivered(table, fleet, count):
    wait_until(
        lambda: table.count("status IN ('PENDING', 'DELIVERING')") == 0,
        lambda: f"all {count} that are committed are delivered, there are {table.states()}:\n"
        + fleet.relays[0].log_tail(),
        meanwhile=fleet.assert_running,
    )  # fmt: skip


@pytest.mark.parametrize("mode, delivered", [("lease", "keep"), ("hold", "delete")])
def test_events_around_an_uncommitted_one_are_delivered(table, folder, mode, delivered):
    table.keep_ids()
    database, rows = table.database, events(ROWS)
    slow = database.connect()
    with slow.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("BEGIN")
    late = []
    with Fleet(folder, table, 2, claim={"mode": mode}, delivered=delivered) as fleet:
        for number in range(ROUNDS):
            late += [table.insert(connection=slow, available_in=-ago / 4) for ago in range(4)]
            table.insert_many(rows, spread=1)
            if number % 2:
                wait_delivered(table, fleet, (number + 1) * rows)
        assert not set(late) & set(fleet.delivered.counts())
        slow.commit()
        wait_until(lambda: set(late) <= set(fleet.delivered.counts()), lambda: fleet.relays[0].log_tail())
        fleet.wait_drained()
    database.disconnect(slow)
    assert set(fleet.delivered.counts()) == table.kept_ids()
    assert fleet.delivered.duplicates() == 0
    assert counted(fleet, "lock_timeouts") == 0


def transactions(database):
    """Of each that is open, by its session: locks of tables and pages, and rows locked."""
    return {
        session: (structures, rows)
        for session, structures, rows in database.execute(
            "SELECT trx_mysql_thread_id, trx_lock_structs, trx_rows_locked FROM information_schema.innodb_trx"
        )
    }


@pytest.mark.parametrize("count", [20, 2000])
def test_claim_locks_its_rows_by_key_and_nothing_else(table, outbox, new_relay, count):
    """In a small table as well, which the server would rather read as a whole."""
    database = table.database
    producer = database.connect()
    database.begin(producer)
    table.insert(connection=producer)
    table.insert_many(count)
    claim = {"mode": "hold", "workers": 1}
    relay = new_relay(outbox.to_null(table, publisher={"delay": "20s"}, claim=claim))
    relay.start()

    def others():
        seen = transactions(database)
        return [rows for session, (_, rows) in seen.items() if session != producer.thread_id()]

    wait_until(
        lambda: others() == [min(count, FIRST_CLAIM)],
        lambda: f"a claim is held, of the rows locked {others()}:\n{relay.log_tail()}",
        interval=0.2, meanwhile=relay.assert_running,  # asked more often, the view stays as it was
    )  # fmt: skip
    assert transactions(database)[producer.thread_id()] == (1, 0), "its lock was made explicit"
    producer.rollback()
    database.disconnect(producer)
    relay.kill()


@pytest.mark.parametrize("mode", ["lease", "hold"])
@pytest.mark.parametrize("count", [5, 700])
def test_row_in_other_hands_holds_up_no_settling(table, outbox, new_relay, mode, count):
    database = table.database
    held = table.insert()
    table.insert_many(count)
    other = database.connect()
    database.begin(other)
    with other.cursor() as cursor:
        cursor.execute(f"SELECT payload FROM {table.name} WHERE {table.is_id(held)} FOR UPDATE")
    relay = new_relay(outbox.to_null(table, claim={"mode": mode}, delivered="delete"))
    relay.start()
    wait_until(
        lambda: table.count() == 1,
        lambda: f"all but one are delivered, there are {table.states()}:\n{relay.log_tail()}",
        timeout=10, meanwhile=relay.assert_running,
    )  # fmt: skip
    other.rollback()
    database.disconnect(other)
    wait_until(lambda: table.count() == 0, lambda: relay.log_tail())
    relay.stop()


def test_relay_reads_on_behind_what_another_one_holds(table, outbox, new_relay):
    """Also where all events came at the same instant, and only their keys tell them apart."""
    count = 5 * FIRST_CLAIM
    table.insert_many(count)
    table.database.execute(f"UPDATE {table.name} SET available_at = NOW(6), created_at = NOW(6)")
    hold = {"mode": "hold", "workers": 1}
    first, second = (
        new_relay(outbox.to_null(table, publisher={"delay": delay}, claim=hold, delivered="delete"))
        for delay in ("20s", "0s")
    )
    first.start()
    wait_until(
        lambda: FIRST_CLAIM in (rows for _, rows in transactions(table.database).values()),
        lambda: f"the first relay holds a claim:\n{first.log_tail()}",
        interval=0.2, meanwhile=first.assert_running,  # asked more often, the view stays as it was
    )  # fmt: skip
    second.start()
    wait_until(
        lambda: table.count() == FIRST_CLAIM,
        lambda: f"the second one takes all others, there are {table.states()}:\n{second.log_tail()}",
        timeout=10, meanwhile=second.assert_running,
    )  # fmt: skip
    first.kill()
    wait_until(lambda: table.count() == 0, lambda: second.log_tail())


def test_run_once_gets_past_any_number_of_events_in_other_hands(table, outbox, new_relay):
    database = table.database
    table.insert_many(65 * FIRST_CLAIM)
    other = database.connect()
    with other.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")  # locks no gaps
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT payload FROM {table.name} FOR UPDATE")
    free = table.insert()
    relay = new_relay(outbox.to_file(table, claim={"workers": 1}))
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.counts() == {free: 1}
    other.rollback()
    database.disconnect(other)


def test_server_far_away_makes_no_event_wait_that_came_late(own_table, outbox, new_relay):
    """Looking below the watermark costs the server next to nothing, however long the way there is: it is done
    again soon. It comes upon an event in other hands each time, and has to look whether any other is free."""
    table = own_table
    database = table.database
    table.insert(available_in=-100)
    other = database.connect()
    with other.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")  # locks no gaps
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT payload FROM {table.name} FOR UPDATE")
    with Distance(database.server.port, 0.025) as way:
        url = database.server.url(database.name, tcp=True).replace(
            f":{database.server.port}/", f":{way.port}/"
        )
        claim = {"workers": 1, "poll_max": "10ms"}
        relay = new_relay(outbox.to_null(table, store={"url": url}, claim=claim))
        relay.start()
        for count in (1, 2):
            table.insert(available_in=-50 * (count - 1))
            wait_until(
                lambda: table.count("status = 'DELIVERED'") == count,
                lambda: relay.log_tail(), timeout=None if count == 1 else 4, meanwhile=relay.assert_running,
            )  # fmt: skip
        relay.kill()
    other.rollback()
    database.disconnect(other)
