"""mysql_tables.py - an outbox table in MySQL or MariaDB and the producers' side of it, by plain SQL
SPDX-License-Identifier: MIT
"""

import json
import random
import uuid

import pymysql.cursors

from .mysql_view import MysqlView

# As another maker of the same layout creates it: exactly the listed columns and the indexes in use.
FOREIGN = """
CREATE TABLE {table} (
    event_id CHAR(36) PRIMARY KEY,
    event_type VARCHAR(255) NOT NULL,
    partition_key VARCHAR(255),
    payload LONGBLOB NOT NULL,
    headers JSON NOT NULL DEFAULT (JSON_OBJECT()),
    status VARCHAR(16) NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('PENDING', 'DELIVERING', 'DELIVERED', 'DEAD')),
    attempts INT NOT NULL DEFAULT 0,
    last_error TEXT,
    available_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    locked_by VARCHAR(255),
    locked_at TIMESTAMP(6) NULL,
    delivered_at TIMESTAMP(6) NULL,
    created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    KEY claim (status, available_at, created_at)
) ENGINE = InnoDB
"""


class MysqlTable:
    """The table `name` of a database. The relay sees nothing of this class. Ids are text here, whatever
    the column holds."""

    view = MysqlView
    available_at = "TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"

    def __init__(self, database, name="openoutbox_events"):
        self.database = database
        self.name = name
        self.binary_ids = True  # as `init` makes them

    def create_foreign(self):
        self.database.execute(FOREIGN.format(table=self.name))
        self.binary_ids = False
        return self

    def id_value(self, event_id):
        return uuid.UUID(event_id).bytes if self.binary_ids else event_id

    def id_text(self, value):
        return str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else value

    def exists(self):
        return bool(self.database.execute("SHOW TABLES LIKE %s", (self.name,)))

    # ---- producing ----

    def insert(self, payload=b"{}", type="test.event", headers=None, available_in=None, connection=None,
               **columns):  # fmt: skip
        """One event; returns its id. `headers` is any JSON value, `available_in` seconds. With a connection
        it is inserted in that one's transaction."""
        event_id = columns.pop("event_id", None) or str(uuid.uuid4())
        event = dict(columns, event_id=self.id_value(event_id), event_type=type, payload=payload)
        if headers is not None:
            event["headers"] = json.dumps(headers)
        places = ["%s"] * len(event)
        values = list(event.values())
        names = list(event)
        if available_in is not None:
            names.append("available_at")
            places.append("NOW(6) + INTERVAL %s MICROSECOND")
            values.append(int(available_in * 1e6))
        sql = f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({', '.join(places)})"
        if connection is None:
            self.database.execute(sql, values)
        else:
            with connection.cursor() as cursor:
                cursor.execute(sql, values)
        return event_id

    def load(self, connection, count, type=None, size=64, keys=10, spread=0):
        """Events in one transaction of the connection's own. With a type, their payloads begin with their
        own ids. They were available over the last `spread` seconds, in no order."""
        rows = []
        for number in range(count):
            event_id = str(uuid.uuid4())
            payload = event_id.ljust(size, "x") if type else "x" * size
            ago = random.randint(0, int(spread * 1e6))
            rows.append((self.id_value(event_id), type or "test.load", f"k{(number + 1) % keys}", payload, ago))
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.executemany(
                f"INSERT INTO {self.name} (event_id, event_type, partition_key, payload, available_at)"
                " VALUES (%s, %s, %s, %s, NOW(6) - INTERVAL %s MICROSECOND)",
                rows,
            )
            cursor.execute("COMMIT")

    def insert_many(self, count, payload_size=64, spread=0):
        """Events that the server makes; quick, for load. `spread` as in load()."""
        made = "UNHEX(REPLACE(UUID(), '-', ''))" if self.binary_ids else "UUID()"
        digits = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))
        places = range(len(str(count)))
        number = " + ".join(f"d{place}.d * {10**place}" for place in places)
        tables = " JOIN ".join(f"({digits}) AS d{place}" for place in places)
        self.database.execute(
            f"INSERT INTO {self.name} (event_id, event_type, partition_key, payload, available_at)"
            f" SELECT {made}, 'test.load', CONCAT('k', ({number}) %% 10), REPEAT('x', %s),"
            f" NOW(6) - INTERVAL FLOOR(RAND() * %s) MICROSECOND FROM {tables} WHERE {number} < %s",
            (payload_size, int(spread * 1e6), count),
        )

    def analyze(self):
        self.database.execute(f"ANALYZE TABLE {self.name}")

    def insert_stream(self, count, type, size=64, keys=10):
        connection = self.database.connect()
        self.load(connection, count, type, size, keys)
        connection.close()

    # ---- changing ----

    def set_claimed(self, event_id, owner, ago):
        """In the hands of `owner`, for so many seconds."""
        self.database.execute(
            f"UPDATE {self.name} SET status = 'DELIVERING', locked_by = %s,"
            " locked_at = NOW(6) - INTERVAL %s SECOND WHERE event_id = %s",
            (owner, ago, self.id_value(event_id)),
        )

    def set_finished(self, state, ago, where="1 = 1", limit=None):
        """As if the events that are DELIVERED, or that are DEAD from now on, had been so for so many
        seconds."""
        end = f"NOW(6) - INTERVAL {int(ago)} SECOND"
        self.database.execute(
            f"UPDATE {self.name} SET status = '{state}', updated_at = {end}, available_at = {end},"
            f" delivered_at = CASE WHEN status = 'DELIVERED' THEN {end} END, locked_at = NULL,"
            f" locked_by = NULL WHERE {where}" + (f" LIMIT {limit}" if limit else "")
        )

    def is_id(self, event_id):
        """The condition that a row is that event's."""
        return f"event_id = X'{uuid.UUID(event_id).hex}'" if self.binary_ids else f"event_id = '{event_id}'"

    def keep_ids(self):
        """From now on ids survive in a second table when delivered rows are deleted."""
        kind = "BINARY(16)" if self.binary_ids else "CHAR(36)"
        self.database.execute(f"CREATE TABLE made (event_id {kind})")
        self.database.execute(
            f"CREATE TRIGGER keep_id AFTER INSERT ON {self.name}"
            " FOR EACH ROW INSERT INTO made VALUES (NEW.event_id)"
        )

    def kept_ids(self):
        return {self.id_text(row[0]) for row in self.database.execute("SELECT event_id FROM made")}

    # ---- looking ----

    def free_ids(self):
        """Of rows that nobody has locked."""
        return self.database.execute(f"SELECT event_id FROM {self.name} FOR UPDATE SKIP LOCKED")

    def maintainers(self):
        """How many sessions hold the lock of this table's maintainer."""
        return self.database.value(
            "SELECT COUNT(IS_USED_LOCK(CONCAT('outbox:', SHA2(CONCAT(DATABASE(), '.', %s), 224))))",
            (self.name,),
        )

    def ids(self):
        return {self.id_text(row[0]) for row in self.database.execute(f"SELECT event_id FROM {self.name}")}

    def row(self, event_id):
        """The event as a dict, with `age`: how long ago available_at was, in seconds of the server's
        clock, negative if it is to come."""
        connection = self.database.connect()
        with connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(
                f"SELECT t.*, CAST(TIMESTAMPDIFF(MICROSECOND, available_at, NOW(6)) AS DOUBLE) / 1e6 AS age"
                f" FROM {self.name} t WHERE event_id = %s",
                (self.id_value(event_id),),
            )
            row = cursor.fetchone()
        connection.close()
        return row

    def count(self, where="1 = 1"):
        return self.database.value(f"SELECT COUNT(*) FROM {self.name} WHERE {where}")

    def states(self):
        """Counts by state, without the states nobody is in."""
        return dict(self.database.execute(f"SELECT status, COUNT(*) FROM {self.name} GROUP BY status"))
