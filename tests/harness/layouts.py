"""layouts.py - outbox tables as other people make them, and their programs that go on using them
SPDX-License-Identifier: MIT
"""

import sqlite3
import threading
import time
import uuid

from .waiting import wait_until


def uuid7():
    """A UUID of version 7 of now."""
    value = uuid.uuid4().int & ((1 << 80) - 1)
    value |= (int(time.time() * 1000) & ((1 << 48) - 1)) << 80
    value = value & ~(0xF << 76) | 7 << 76
    return uuid.UUID(int=value & ~(3 << 62) | 2 << 62)


class PostgresPlace:
    """A database, as a program that is not the relay sees it."""

    name = "postgres"

    def __init__(self, database):
        self.database = database
        self.store = {"driver": "postgres", "url": database.url}

    def execute(self, sql, *values):
        return self.database.execute(sql.replace("?", "%s"), values or None)

    def connect(self):
        return self.database.connect()

    def schema(self):
        """Everything about the tables that a relay could have changed."""
        return [
            self.execute(query)
            for query in (
                "SELECT table_name, column_name, data_type, is_nullable, column_default,"
                " generation_expression FROM information_schema.columns"
                " WHERE table_schema = 'public' ORDER BY 1, ordinal_position",
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
                "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
                "SELECT tgrelid::regclass::text, tgname FROM pg_trigger ORDER BY 1, 2",
                "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
            )
        ]


class SqlitePlace:
    """A database file, as a program that is not the relay sees it."""

    name = "sqlite"

    def __init__(self, folder):
        self.path = folder / "app.db"
        self.store = {"driver": "sqlite", "url": f"sqlite:{self.path}"}
        self.execute("PRAGMA journal_mode = WAL")

    def connect(self):
        return sqlite3.connect(self.path, timeout=30, isolation_level=None)

    def execute(self, sql, *values):
        connection = self.connect()
        try:
            if not values and sql.rstrip().endswith(";"):
                connection.executescript(sql)
                return None
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def schema(self):
        return self.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2, 3")


class Velmie:
    """The table of another maker's library, in the types that an engine has for it."""

    table = "outbox"
    settings = {"layout": "velmie"}
    TYPES = {
        "postgres": {"uuid": "uuid", "bytes": "bytea", "number": "smallint", "count": "integer",
                     "words": "varchar(128)", "error": "varchar(1024)", "text": "text",
                     "instant": "timestamptz", "now": "now()", "seconds": "bigint"},
        "sqlite": {"uuid": "text", "bytes": "blob", "number": "integer", "count": "integer",
                   "words": "text", "error": "text", "text": "text", "json": "text",
                   "jsonb": "text", "instant": "text",
                   "now": "(strftime('%Y-%m-%d %H:%M:%f', 'now'))", "seconds": "integer"},
    }  # fmt: skip

    def __init__(self, place, id_type="uuid", payload_type="json"):
        self.place = place
        self.id_type = id_type
        types = self.TYPES[place.name]
        self.binary = payload_type == "bytes"
        payload = types.get(payload_type, payload_type)
        place.execute(
            f"""
            CREATE TABLE outbox (
                id {types[id_type]} NOT NULL,
                aggregate_type {types["words"]} NOT NULL,
                aggregate_id {types["words"]} NOT NULL,
                event_type {types["words"]} NOT NULL,
                payload {payload} NOT NULL,
                headers {types.get("json", "json")},
                status {types["number"]} NOT NULL DEFAULT 0,
                attempt_count {types["count"]} NOT NULL DEFAULT 0,
                last_error {types["error"]},
                created_at {types["instant"]} NOT NULL DEFAULT {types["now"]},
                updated_at {types["instant"]} NOT NULL DEFAULT {types["now"]},
                processed_at {types["instant"]},
                created_ts {types["seconds"]} NOT NULL,
                PRIMARY KEY (id, created_ts));
            CREATE INDEX outbox_status_id ON outbox (status, id);
            """
        )

    def row(self, payload):
        """What another program inserts, with the id as the relay will call it."""
        id = uuid7()
        shown = id.bytes if self.id_type == "bytes" else str(id)
        content = payload.encode() if self.binary else payload
        return str(id), (
            "INSERT INTO outbox (id, aggregate_type, aggregate_id, event_type, payload, headers,"
            " created_ts) VALUES (?, 'order', 'o-1', 'order.created', ?, '{\"h\": \"v\"}', ?)",
            (shown, content, int(time.time())),
        )

    def dashboard(self):
        """Its owner's own query: how many wait, are done, have failed for good."""
        rows = dict(self.place.execute("SELECT status, count(*) FROM outbox GROUP BY status"))
        return rows.get(0, 0), rows.get(1, 0), rows.get(-1, 0)

    def is_drained(self):
        return self.dashboard()[0] == 0


class Debezium:
    """The outbox table of Debezium's event router: what is there waits, and nothing is written."""

    table = "outbox"
    settings = {
        "layout": "custom", "table": "outbox",
        "columns": {"aggregate_type": "aggregatetype", "aggregate_id": "aggregateid"},
    }  # fmt: skip

    def __init__(self, place):
        self.place = place
        id_type, words = {"postgres": ("uuid", "varchar(255)"), "sqlite": ("text", "text")}[place.name]
        payload = {"postgres": "jsonb", "sqlite": "text"}[place.name]
        place.execute(
            f"CREATE TABLE outbox (id {id_type} NOT NULL PRIMARY KEY, aggregatetype {words} NOT NULL,"
            f" aggregateid {words} NOT NULL, type {words} NOT NULL, payload {payload});"
        )

    def row(self, payload):
        id = str(uuid.uuid4())
        return id, (
            "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)"
            " VALUES (?, 'order', 'o-1', 'order.created', ?)",
            (id, payload),
        )

    def is_drained(self):
        return self.place.execute("SELECT count(*) FROM outbox")[0][0] == 0


def insert(table, *payloads):
    """Rows in a transaction each; returns their ids."""
    ids = []
    for payload in payloads:
        id, (sql, values) = table.row(payload)
        table.place.execute(sql, *values)
        ids.append(id)
    return ids


class Program(threading.Thread):
    """Somebody else's program, which goes on inserting."""

    def __init__(self, table, count):
        super().__init__(name="program", daemon=True)
        self.table = table
        self.count = count
        self.sent = {}
        self.failure = None

    def run(self):
        try:
            for number in range(self.count):
                payload = f'{{"number": {number}}}'
                (id,) = insert(self.table, payload)
                self.sent[id] = payload
        except Exception as error:  # carried over to the test's thread by ended()
            self.failure = error

    def ended(self):
        self.join(180)
        assert not self.is_alive(), "the program does not end"
        if self.failure:
            raise AssertionError("the program failed") from self.failure
        return self.sent


def wait_drained(table, relay, timeout=None):
    wait_until(
        table.is_drained, lambda: f"nothing waits any more:\n{relay.log_tail()}", timeout,
        interval=0.05, meanwhile=relay.assert_running,
    )  # fmt: skip
