"""test_mysql_columns.py - tables whose columns and indexes are legal, and not what one expects
SPDX-License-Identifier: MIT
"""

import pytest

from harness.engines import every_mysql

pytestmark = every_mysql


@pytest.fixture
def new(database, outbox, new_relay):
    """A relay from the custom table `events`, whose columns beside the first three are given."""

    def make(columns, **changes):
        store = {"layout": "custom", "columns": dict({"status": "status"}, **columns)}
        table = type("Events", (), {"database": database, "name": "events"})
        return new_relay(outbox.to_file(table, store=store, **dict({"claim": {"mode": "hold"}}, **changes)))

    return make


def create(database, id="int", more="", status="varchar(9) NOT NULL DEFAULT 'PENDING'"):
    database.execute(
        f"CREATE TABLE events (id {id} PRIMARY KEY, type varchar(99), payload text, {more}"
        f" status {status}, KEY (status, id))"
    )


def test_status_that_the_server_generates_is_refused_before_anything_is_published(
    database, new, outbox
):
    made = "CASE WHEN done IS NULL THEN 'PENDING' ELSE 'DELIVERED' END"
    create(database, more="done timestamp(6) NULL,", status=f"varchar(9) AS ({made}) STORED")
    database.execute("INSERT INTO events (id, type, payload) VALUES (1, 't', 'p')")
    relay = new({"delivered_at": "done"})
    assert relay.once() != 0
    assert relay.logged("column status is generated", level="error")
    assert not outbox.delivered.counts()
