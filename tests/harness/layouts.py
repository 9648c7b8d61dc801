"""layouts.py - outbox tables as other people make them, and their programs that go on using them
SPDX-License-Identifier: MIT
"""

import calendar
import datetime
import re
import sqlite3
import threading
import time
import uuid

from .waiting import wait_until


def uuid7(now=None):
    """A UUID of version 7 of now, or of another time."""
    value = uuid.uuid4().int & ((1 << 80) - 1)
    value |= (int((now or time.time()) * 1000) & ((1 << 48) - 1)) << 80
    value = value & ~(0xF << 76) | 7 << 76
    return uuid.UUID(int=value & ~(3 << 62) | 2 << 62)


def end_of(day):
    """Seconds since 1970, in UTC."""
    return calendar.timegm((day + datetime.timedelta(days=1)).timetuple())


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


class MysqlPlace:
    """The same in MySQL or MariaDB."""

    def __init__(self, database, name):
        self.name = name
        self.database = database
        self.store = {"driver": "mysql", "url": database.url}

    def execute(self, sql, *values):
        if values:
            return self.database.execute(sql.replace("?", "%s"), values)
        rows = None
        for statement in re.split(r";\s*(?:\n|$)", sql):
            if statement.strip():
                rows = self.database.execute(statement)
        return rows

    def schema(self):
        """Everything about the tables that a relay could have changed."""
        tables = [name for (name,) in self.execute("SHOW TABLES")]
        made = [self.execute(f"SHOW CREATE TABLE {name}")[0][1] for name in tables]
        triggers = self.execute(
            "SELECT trigger_name, event_object_table, action_statement FROM information_schema.triggers"
            " WHERE trigger_schema = DATABASE() ORDER BY 1"
        )
        return [re.sub(r" AUTO_INCREMENT=\d+", "", one) for one in made], triggers


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


def place_of(engine, database):
    if engine.name == "sqlite":
        return SqlitePlace(database.path)
    return MysqlPlace(database, engine.name) if engine.is_mysql else PostgresPlace(database)


SECONDS = "CONV(HEX(LEFT({}, 6)), 16, 10) DIV 1000"
MYSQL_TYPES = {
    "uuid": "binary(16)", "bytes": "longblob", "number": "smallint", "count": "int",
    "words": "varchar(128)", "error": "varchar(1024)", "instant": "timestamp(6) NULL",
    "made": "timestamp(6)", "changed": "timestamp(6)", "now": "CURRENT_TIMESTAMP(6)",
    "later": "ON UPDATE CURRENT_TIMESTAMP(6)",
}  # fmt: skip


class Velmie:
    """The table of another maker's library, in the types that an engine has for it. MySQL makes the seconds
    out of the id; MariaDB, which has no generated columns in a primary key, by a trigger."""

    table = "outbox"
    settings = {"layout": "velmie"}
    TYPES = {
        "postgres": {"uuid": "uuid", "bytes": "bytea", "number": "smallint", "count": "integer",
                     "words": "varchar(128)", "error": "varchar(1024)", "text": "text",
                     "instant": "timestamptz", "now": "now()", "seconds": "bigint NOT NULL"},
        "mysql": {**MYSQL_TYPES, "seconds": f"bigint GENERATED ALWAYS AS ({SECONDS.format('id')}) STORED"},
        "mariadb": {**MYSQL_TYPES, "seconds": "bigint NOT NULL DEFAULT 0"},
        "sqlite": {"uuid": "text", "bytes": "blob", "number": "integer", "count": "integer",
                   "words": "text", "error": "text", "text": "text", "json": "text",
                   "jsonb": "text", "instant": "text",
                   "now": "(strftime('%Y-%m-%d %H:%M:%f', 'now'))", "seconds": "integer NOT NULL"},
    }  # fmt: skip

    def __init__(self, place, id_type="uuid", payload_type="json", partitioned=False):
        self.place = place
        types = self.TYPES[place.name]
        self.binary_ids = types[id_type] in ("bytea", "blob", "binary(16)")
        self.binary = payload_type == "bytes"
        self.gives_seconds = place.name in ("postgres", "sqlite")
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
                created_at {types.get("made", types["instant"])} NOT NULL DEFAULT {types["now"]},
                updated_at {types.get("made", types["instant"])} NOT NULL DEFAULT {types["now"]}
                    {types.get("later", "")},
                processed_at {types["instant"]},
                created_ts {types["seconds"]},
                PRIMARY KEY (id, created_ts)) {self.partitions() if partitioned else ""};
            CREATE INDEX outbox_status_id ON outbox (status, id);
            """
        )
        if place.name == "mariadb":
            place.execute(
                "CREATE TRIGGER seconds_of_id BEFORE INSERT ON outbox FOR EACH ROW"
                f" SET NEW.created_ts = {SECONDS.format('NEW.id')}"
            )

    @staticmethod
    def partitions():
        """One for each of the last days, and a tail."""
        days = [datetime.date.today() + datetime.timedelta(days=n) for n in range(-10, 2)]
        parts = [f"PARTITION p{day:%Y%m%d} VALUES LESS THAN ({end_of(day)})" for day in days]
        return (
            f"PARTITION BY RANGE (created_ts) ({', '.join(parts)},"
            " PARTITION pmax VALUES LESS THAN MAXVALUE)"
        )

    def insert_old(self, payload, days):
        """An event that was made so many days ago; returns its id."""
        id, statement = self.row(payload, time.time() - days * 86400)
        self.place.execute(statement[0], *statement[1])
        return id

    def row(self, payload, now=None):
        """What another program inserts, with the id as the relay will call it."""
        id = uuid7(now)
        values = {
            "id": id.bytes if self.binary_ids else str(id), "aggregate_type": "order",
            "aggregate_id": "o-1", "event_type": "order.created",
            "payload": payload.encode() if self.binary else payload, "headers": '{"h": "v"}',
        }  # fmt: skip
        if self.gives_seconds:
            values["created_ts"] = int(now or time.time())
        places = ", ".join("?" * len(values))
        return str(id), (
            f"INSERT INTO outbox ({', '.join(values)}) VALUES ({places})", tuple(values.values())
        )  # fmt: skip

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
        id_type, words, payload = {
            "postgres": ("uuid", "varchar(255)", "jsonb"), "sqlite": ("text", "text", "text"),
            "mysql": ("char(36)", "varchar(255)", "json"),
            "mariadb": ("char(36)", "varchar(255)", "json"),
        }[place.name]  # fmt: skip
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
