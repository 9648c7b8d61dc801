"""test_mysql_servers.py - settings of the server that every session has, unless it sees to that
SPDX-License-Identifier: MIT
"""

import pytest

from harness.brokers.webhook import Webhook
from harness.engines import every_mysql
from harness.settings import need

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
