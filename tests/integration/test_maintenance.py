"""test_maintenance.py - finished events go while the relay runs, and of all relays one does it
SPDX-License-Identifier: MIT
"""

from harness.waiting import wait_until


def maintained(outbox, table, name="p", **maintenance):
    return outbox.to_null(
        table, name, maintenance=dict({"every": "1s", "batch": 100}, **maintenance)
    )


def age(table, where, days):
    table.database.execute(
        f"UPDATE {table.name} SET updated_at = now() - interval '{days} days',"
        f" delivered_at = CASE WHEN status = 'DELIVERED' THEN now() - interval '{days} days' END"
        f" WHERE {where}"
    )


def test_old_events_go_and_all_others_stay(table, outbox, new_relay):
    table.insert_many(500)
    relay = new_relay(maintained(outbox, table, delivered_age="7d", dead_age="30d")).start()
    wait_until(lambda: table.states() == {"DELIVERED": 500}, "all are delivered")
    dead = table.insert()
    table.database.execute(
        f"UPDATE {table.name} SET status = 'DEAD' WHERE event_id = %s", (dead,)
    )
    scheduled = table.insert(available_at="2100-01-01")
    old = 300
    age(table, f"event_id IN (SELECT event_id FROM {table.name} WHERE status = 'DELIVERED' LIMIT {old})", 8)
    age(table, "status = 'DEAD'", 29)
    relay.wait_logged("finished events were pruned")
    wait_until(lambda: table.count("status = 'DELIVERED'") == 500 - old, "the old ones go")
    assert table.row(dead)["status"] == "DEAD"
    age(table, "status = 'DEAD'", 31)
    wait_until(lambda: table.count("status = 'DEAD'") == 0, "the dead one goes")
    assert table.row(scheduled)["status"] == "PENDING"
    relay.stop()
    assert relay.logged("pipeline ended")[-1]["pruned"] == old + 1


def holders(table):
    return table.database.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 20321"
        " AND objid = %s::regclass AND granted",
        (table.name,),
    )


def test_one_of_several_relays_maintains_and_another_takes_over(own_table, outbox, new_relay):
    table = own_table
    relays = [new_relay(maintained(outbox, table, dead_age="1d")).start() for _ in range(2)]

    def prunes():
        event = table.insert()
        table.database.execute(
            f"UPDATE {table.name} SET status = 'DEAD', locked_at = NULL, locked_by = NULL,"
            " updated_at = now() - interval '2 days' WHERE event_id = %s", (event,),
        )  # fmt: skip
        wait_until(lambda: table.row(event) is None, "a dead event goes")

    prunes()
    assert holders(table) == 1
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
    wait_until(lambda: holders(table) == 1, "the relay maintains the table")
    del relay.config["pipelines"][0]["maintenance"]
    relay.reload()
    wait_until(lambda: holders(table) == 0, "it does not any more")
    relay.stop()


def test_rows_that_somebody_holds_are_passed_over(own_table, outbox, new_relay):
    table = own_table
    held, free = table.insert(), table.insert()
    table.database.execute(
        f"UPDATE {table.name} SET status = 'DEAD', updated_at = now() - interval '2 days'"
    )
    relay = new_relay(maintained(outbox, table))
    connection = table.database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM {table.name} WHERE event_id = %s FOR UPDATE", (held,))
        done = relay.run("prune", "--dead-age", "1d")
        assert done.stdout == "p: 0 delivered and 1 dead events deleted\n", done.stderr
    connection.close()
    assert table.row(held) is not None and table.row(free) is None
