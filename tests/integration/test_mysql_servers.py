"""test_mysql_servers.py - settings of the server that every session has, unless it sees to that
SPDX-License-Identifier: MIT
"""

import threading

import pytest

from harness.brokers.webhook import Webhook
from harness.engines import every_mysql
from harness.settings import need
from harness.waiting import wait_until

pytestmark = every_mysql


@pytest.fixture
def table(engine, private_server):
    return engine.new_table(private_server.new_database()).create_foreign()


def test_plan_as_a_table_is_no_trouble(engine, table, outbox, new_relay):
    """As MySQL 8 explains, in twelve columns, without being told otherwise."""
    if engine.name == "mysql":
        table.database.execute("SET GLOBAL explain_format = 'TRADITIONAL'")
    event_id = table.insert(b"x")
    relay = new_relay(outbox.to_file(table))
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.counts() == {event_id: 1}


@pytest.mark.parametrize("mode", ["lease", "hold"])
@pytest.mark.parametrize("delivered", ["keep", "delete"])
def test_limits_of_the_server_s_sessions_are_none_for_the_relay(
    table, outbox, new_relay, mode, delivered
):
    """What cannot be settled for them would be published again and again."""
    need("publisher-webhook")
    receiver = Webhook().start()
    receiver.rules({"payload": "poison", "status": 422})
    ids = {table.insert(b"x") for _ in range(5)}
    table.insert(b"poison")
    for setting in ("sql_safe_updates = 1", "sql_select_limit = 2", "max_join_size = 5"):
        table.database.execute(f"SET GLOBAL {setting}")
    relay = new_relay(
        outbox.to(
            receiver.publisher(), table, claim={"mode": mode}, delivered=delivered, route={"topic": "t"}
        )
    )
    status = relay.once()
    arrived = [request.event_id for request in receiver.read("t")]
    receiver.close()
    assert status == 0, relay.log_tail()
    assert sorted(arrived) == sorted(ids)
    kept = {"DELIVERED": 5} if delivered == "keep" else {}
    assert table.states() == {"DEAD": 1, **kept}


def test_server_that_ignores_the_client_s_character_set_alters_no_text(engine, outbox, new_relay):
    """MariaDB, and MySQL up to 8; later ones know no such setting."""
    if engine.name != "mariadb":
        pytest.skip("this server has no character_set_client_handshake")
    options = {"character-set-client-handshake": "0", "character-set-server": "latin1"}
    server = engine.new_server(**options)
    table = engine.new_table(server.new_database()).create_foreign()
    table.database.execute("SET NAMES utf8mb4")
    table.database.execute(f"ALTER TABLE {table.name} MODIFY payload TEXT CHARACTER SET utf8mb4 NOT NULL")
    event_id = table.insert("gr\u00fc\u00dfe \U0001f600")
    relay = new_relay(outbox.to_file(table))
    status = relay.once()
    server.close()
    assert status == 0, relay.log_tail()
    assert outbox.delivered.payload(event_id).decode() == "gr\u00fc\u00dfe \U0001f600"


class Changing:
    """A program that writes to an event, again and again."""

    def __init__(self, table, event_id):
        self._sql = f"UPDATE {table.name} SET updated_at = NOW(6) WHERE {table.is_id(event_id)}"
        self._database = table.database
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def _run(self):
        connection = self._database.connect()
        with connection.cursor() as cursor:
            while not self._over.is_set():
                cursor.execute(self._sql)
        self._database.disconnect(connection)

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def test_event_that_is_changed_all_the_time_fails_no_claim(table, outbox, new_relay):
    """Not where MariaDB is told, as it is from 11.6 on, to fail who locks what was changed meanwhile."""
    database = table.database
    if not database.execute("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"):
        pytest.skip("this server has no innodb_snapshot_isolation")
    database.execute("SET GLOBAL innodb_snapshot_isolation = ON")
    for _ in range(40):
        table.insert(b"x" * 500_000)  # so that the claim takes its time
    changed = table.insert(b"x")
    relay = new_relay(outbox.to_null(table))
    relay.start()
    with Changing(table, changed):
        wait_until(
            lambda: table.count("status = 'PENDING'") == 0, lambda: relay.log_tail(), timeout=10,
            meanwhile=relay.assert_running,
        )  # fmt: skip
    relay.stop()
    assert not relay.logged("Record has changed", level="error"), relay.log_tail()
