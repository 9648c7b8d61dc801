"""test_maintenance.py - finished events go while the relay runs, and of all relays one does it
SPDX-License-Identifier: MIT
"""

from harness.engines import every_engine
from harness.waiting import wait_until

pytestmark = every_engine
DAY = 86400


def maintained(outbox, table, name="p", **maintenance):
    return outbox.to_null(
        table, name, maintenance=dict({"every": "1s", "batch": 100}, **maintenance)
    )


def test_old_events_go_and_all_others_stay(table, outbox, new_relay):
    table.insert_many(500)
    relay = new_relay(maintained(outbox, table, delivered_age="7d", dead_age="30d")).start()
    wait_until(lambda: table.states() == {"DELIVERED": 500}, "all are delivered")
    dead = table.insert()
    table.set_finished("DEAD", 29 * DAY, table.is_id(dead))
    scheduled = table.insert(available_at="2037-01-01")
    old = 300
    table.set_finished("DELIVERED", 8 * DAY, "status = 'DELIVERED'", old)
    relay.wait_logged("finished events were pruned")
    wait_until(lambda: table.count("status = 'DELIVERED'") == 500 - old, "the old ones go")
    assert table.row(dead)["status"] == "DEAD"
    table.set_finished("DEAD", 31 * DAY, "status = 'DEAD'")
    wait_until(lambda: table.count("status = 'DEAD'") == 0, "the dead one goes")
    assert table.row(scheduled)["status"] == "PENDING"
    relay.stop()
    assert relay.logged("pipeline ended")[-1]["pruned"] == old + 1


def test_one_of_several_relays_maintains_and_another_takes_over(own_table, outbox, new_relay):
    table = own_table
    relays = [new_relay(maintained(outbox, table, dead_age="1d")).start() for _ in range(2)]

    def prunes():
        event = table.insert()
        table.set_finished("DEAD", 2 * DAY, table.is_id(event))
        wait_until(lambda: table.row(event) is None, "a dead event goes")

    prunes()
    assert table.maintainers() == 1
    before = [len(relay.logged("pruned")) for relay in relays]
    prunes()
    after = [len(relay.logged("pruned")) for relay in relays]
    (busy,) = [i for i in range(2) if after[i] > before[i]]
    said = relays[busy].run("prune", "--dead-age", "1d")
    assert said.returncode == 1 and "another relay" in said.stderr
    relays[busy].kill()
    prunes()
    assert relays[1 - busy].logged("pruned")
    relays[1 - busy].stop()


def test_a_changed_configuration_ends_it(own_table, outbox, new_relay):
    table = own_table
    relay = new_relay(maintained(outbox, table, dead_age="1d")).start()
    wait_until(lambda: table.maintainers() == 1, "the relay maintains the table")
    del relay.config["pipelines"][0]["maintenance"]
    relay.reload()
    wait_until(lambda: table.maintainers() == 0, "it does not any more")
    relay.stop()


def test_rows_that_somebody_holds_are_passed_over(own_table, outbox, new_relay):
    table = own_table
    held, free = table.insert(), table.insert()
    table.set_finished("DEAD", 2 * DAY)
    relay = new_relay(maintained(outbox, table))
    connection = table.database.connect()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT 1 FROM {table.name} WHERE {table.is_id(held)} FOR UPDATE")
        done = relay.run("prune", "--dead-age", "1d")
        assert done.stdout == "p: 0 delivered and 1 dead events deleted\n", done.stderr
    connection.close()
    assert table.row(held) is not None and table.row(free) is None
