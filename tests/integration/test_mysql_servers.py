"""test_mysql_servers.py - settings of the server that every session has, unless it sees to that
SPDX-License-Identifier: MIT
"""

import pytest

from harness.engines import every_mysql

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
