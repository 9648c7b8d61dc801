"""test_mysql_deadlocks.py - producers and relays of one table are in each other's way
SPDX-License-Identifier: MIT
"""

import os
import random
import threading
import time

import pytest

from harness.engines import every_mysql
from harness.fleet import Fleet
from harness.observer import Observer
from harness.settings import PATIENCE, SHORT_LEASE, events
from harness.waiting import wait_until

pytestmark = every_mysql
PRODUCERS, RELAYS = 8, 4
SECONDS = float(os.environ.get("OUTBOX_TEST_CROWD", "4"))  # for how long they insert


class Crowd:
    """Programs that insert, each in transactions of its own, and count the deadlocks that they meet."""

    def __init__(self, table, size):
        self.table = table
        self.size = size
        self.until = time.monotonic() + SECONDS
        self.deadlocks = 0
        self.failure = None
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(PRODUCERS)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def _run(self):
        database, connection = self.table.database, self.table.database.connect()
        try:
            while time.monotonic() < self.until:
                try:
                    self.table.load(connection, random.randint(1, 2 * self.size))
                except database.Error as error:
                    if error.args[0] != 1213:
                        raise
                    with self._lock:
                        self.deadlocks += 1
        except Exception as error:  # carried over to the test's thread by done()
            self.failure = error
        finally:
            database.disconnect(connection)

    def done(self):
        if self.failure:
            raise AssertionError("a producer failed") from self.failure
        return not any(thread.is_alive() for thread in self._threads)


def counted(relay, name):
    """How many of these its driver has met, as it says when its pipeline ends."""
    return sum(line["value"] for line in relay.log() if line.get("counter") == name)


@pytest.mark.parametrize("mode, delivered", [("lease", "keep"), ("hold", "delete")])
def test_eight_producers_and_four_relays_lose_nothing(own_table, folder, mode, delivered):
    table = own_table
    table.keep_ids()
    crowd = Crowd(table, events(20))
    with (
        Observer(table),
        Fleet(
            folder, table, RELAYS, claim={"mode": mode, "lease": SHORT_LEASE}, delivered=delivered
        ) as fleet,
    ):
        crowd.start()
        wait_until(
            crowd.done, "the producers are done", SECONDS + PATIENCE, meanwhile=fleet.assert_running
        )
        fleet.wait_drained(SECONDS * 4 + PATIENCE)
    deadlocks, waits = (
        sum(counted(relay, name) for relay in fleet.relays) for name in ("deadlocks", "lock_timeouts")
    )
    made = table.kept_ids()
    print(
        f"{table.database.server.make.name}, {mode}, {delivered}: {len(made)} events in {SECONDS:g} s,"
        f" {deadlocks} deadlocks and {waits} lock timeouts of relays, {crowd.deadlocks} deadlocks of producers"
    )
    assert set(fleet.delivered.counts()) == made
    assert fleet.delivered.duplicates() <= fleet.stale()


def cross(table, relay):
    """Another program locks the last row of a claim, and all of them when the relay, which writes them in
    their order, waits for that one. It has changed so much that the server makes the relay the victim. False
    if the relay was quicker, and had written all before that."""
    database = table.database
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("DELETE FROM ballast")
        cursor.execute(f"SELECT 1 FROM {table.name} ORDER BY seq DESC LIMIT 1 FOR UPDATE")
        waits = wait_until(
            lambda: database.value(
                "SELECT CASE WHEN EXISTS (SELECT 1 FROM information_schema.innodb_trx"
                " WHERE trx_state = 'LOCK WAIT') THEN 'waits'"
                f" WHEN NOT EXISTS (SELECT 1 FROM {table.name} WHERE status = 'DELIVERING') THEN 'late' END"
            ),
            lambda: f"the relay waits for the row:\n{relay.log_tail()}",
            interval=0.2, meanwhile=relay.assert_running,  # asked more often, the view stays as it was
        )  # fmt: skip
        cursor.execute(f"SELECT 1 FROM {table.name} ORDER BY seq FOR UPDATE")
        cursor.execute("ROLLBACK")
    database.disconnect(connection)
    return waits == "waits"


def test_deadlock_with_another_program_is_tried_again_and_counted(own_table, outbox, new_relay):
    table, count = own_table, 100
    table.database.execute("CREATE TABLE ballast (id BIGINT AUTO_INCREMENT PRIMARY KEY)")
    for _ in range(9):
        table.database.execute("INSERT INTO ballast SELECT NULL FROM ballast UNION ALL SELECT NULL")
    # So long the other program has to come between a claim and its settling.
    relay = new_relay(
        outbox.to_null(table, publisher={"delay": "2s"}, claim={"poll_max": "20ms"})
    )
    relay.start()
    crossed = 0
    for number in range(1, 20):
        table.insert_many(count)
        wait_until(
            lambda: table.count("status <> 'PENDING'") == count * number, lambda: relay.log_tail(),
            interval=0.01, meanwhile=relay.assert_running,
        )  # fmt: skip
        crossed += cross(table, relay)
        wait_until(
            lambda: table.states() == {"DELIVERED": count * number}, lambda: relay.log_tail()
        )
        if crossed == 3:  # an answer to the last event alone would not do
            break
    relay.stop()
    assert counted(relay, "deadlocks") >= 1
    assert table.count("attempts > 0") == 0
