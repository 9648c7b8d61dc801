"""tables.py - an outbox table and the producers' side of it, by plain SQL
SPDX-License-Identifier: MIT
"""

import io
import json
import uuid

import psycopg2.extras

from .postgres_view import PostgresView

COLUMNS = (
    "event_id", "event_type", "partition_key", "payload", "headers", "status", "attempts",
    "last_error", "available_at", "locked_by", "locked_at", "delivered_at", "created_at",
    "updated_at",
)  # fmt: skip

# As another maker of the same layout creates it: exactly the listed columns and the indexes in use.
FOREIGN = """
CREATE TABLE {table} (
    event_id UUID PRIMARY KEY,
    event_type TEXT NOT NULL,
    partition_key TEXT,
    payload BYTEA NOT NULL,
    headers JSONB NOT NULL DEFAULT '{{}}',
    status TEXT NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('PENDING', 'DELIVERING', 'DELIVERED', 'DEAD')),
    attempts INT NOT NULL DEFAULT 0,
    last_error TEXT,
    available_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    locked_by TEXT,
    locked_at TIMESTAMPTZ,
    delivered_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX ON {table} (available_at, created_at) WHERE status = 'PENDING';
CREATE INDEX ON {table} (locked_at) WHERE status = 'DELIVERING';
CREATE INDEX ON {table} (status, created_at);
"""


PLAIN = """
INSERT INTO {table} (event_id, event_type, payload)
SELECT gen_random_uuid(), 'test.load', convert_to(repeat('x', %s), 'UTF8')
FROM generate_series(1, %s)
"""

LOAD = """
INSERT INTO {table} (event_id, event_type, partition_key, payload)
SELECT id, %s, 'k' || number %% %s, convert_to(rpad(id::text, %s, 'x'), 'UTF8')
FROM (SELECT gen_random_uuid() AS id, number FROM generate_series(1, %s) AS number) AS made
"""

COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_text(text):
    """A value in the text format of COPY."""
    return "\\N" if text is None else text.translate(COPY_ESCAPES)


class Table:
    """The table `name` of a database. The relay sees nothing of this class."""

    view = PostgresView
    available_at = "TIMESTAMPTZ NOT NULL DEFAULT now()"

    def __init__(self, database, name="openoutbox_events"):
        self.database = database
        self.name = name

    def create_foreign(self):
        self.database.execute(FOREIGN.format(table=self.name))
        return self

    def exists(self):
        return self.database.value("SELECT to_regclass(%s) IS NOT NULL", (self.name,))

    def insert(self, payload=b"{}", type="test.event", headers=None, available_in=None, connection=None,
               **columns):  # fmt: skip
        """One event; returns its id. `headers` is any JSON value, `available_in` seconds. With a connection
        it is inserted in that one's transaction."""
        event = dict(columns, event_type=type, payload=payload)
        event.setdefault("event_id", str(uuid.uuid4()))
        if headers is not None:
            event["headers"] = json.dumps(headers)
        names, places, values = list(event), ["%s"] * len(event), list(event.values())
        if available_in is not None:
            names.append("available_at")
            places.append("clock_timestamp() + %s * interval '1 second'")
            values.append(available_in)
        sql = f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({', '.join(places)})"
        if connection is None:
            self.database.execute(sql, values)
        else:
            with connection.cursor() as cursor:
                cursor.execute(sql, values)
        return event["event_id"]

    def load(self, connection, count, type=None, size=64, keys=10):
        """Events in one transaction of the connection's own. With a type, their payloads begin with their
        own ids."""
        with connection.cursor() as cursor:
            if type is None:
                cursor.execute(PLAIN.format(table=self.name), (size, count))
            else:
                cursor.execute(LOAD.format(table=self.name), (type, keys, size, count))

    def insert_many(self, count, payload_size=64):
        """Events whose ids the server makes; quick, for load."""
        self.database.execute(PLAIN.format(table=self.name), (payload_size, count))

    def analyze(self):
        """What the planner reckons with is up to date."""
        self.database.execute(f"ANALYZE {self.name}")

    def insert_stream(self, count, type, size=64, keys=10):
        """Events of one type whose payloads begin with their own ids, for tests that look at what
        arrived; their keys are k0, k1 and so on, by turns."""
        self.database.execute(LOAD.format(table=self.name), (type, keys, size, count))

    def copy(self, events):
        """Many events at once: tuples of id, type, key (None: none), payload and a dict of headers."""
        rows = io.StringIO()
        for event_id, type, key, payload, headers in events:
            texts = (event_id, type, key, f"\\x{payload.hex()}", json.dumps(headers))
            rows.write("\t".join(copy_text(text) for text in texts) + "\n")
        rows.seek(0)
        connection = self.database.connect()
        with connection.cursor() as cursor:
            cursor.copy_expert(
                f"COPY {self.name} (event_id, event_type, partition_key, payload, headers) FROM STDIN",
                rows,
            )
        connection.close()

    # ---- changing ----

    def set_claimed(self, event_id, owner, ago):
        """In the hands of `owner`, for so many seconds."""
        self.database.execute(
            f"UPDATE {self.name} SET status = 'DELIVERING', locked_by = %s,"
            " locked_at = now() - %s * interval '1 second' WHERE event_id = %s",
            (owner, ago, event_id),
        )

    def set_finished(self, state, ago, where="true", limit=None):
        """As if the events that are DELIVERED, or that are DEAD from now on, had been so for so many
        seconds."""
        end = f"now() - interval '{ago} seconds'"
        some = f"SELECT event_id FROM {self.name} WHERE {where} LIMIT {limit or 'ALL'}"
        self.database.execute(
            f"UPDATE {self.name} SET status = '{state}', updated_at = {end}, available_at = {end},"
            f" delivered_at = CASE WHEN status = 'DELIVERED' THEN {end} END, locked_at = NULL,"
            f" locked_by = NULL WHERE event_id IN ({some})"
        )

    @staticmethod
    def is_id(event_id):
        """The condition that a row is that event's."""
        return f"event_id = '{event_id}'"

    def keep_ids(self):
        """From now on ids survive in a second table when delivered rows are deleted."""
        self.database.execute(
            "CREATE TABLE made (event_id UUID);"
            "CREATE FUNCTION keep_id() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO made VALUES (NEW.event_id); RETURN NULL; END';"
            f"CREATE TRIGGER keep_id AFTER INSERT ON {self.name}"
            " FOR EACH ROW EXECUTE FUNCTION keep_id()"
        )

    def kept_ids(self):
        return {row[0] for row in self.database.execute("SELECT event_id::text FROM made")}

    # ---- looking ----

    def free_ids(self):
        """Of rows that nobody has locked."""
        return self.database.execute(f"SELECT event_id FROM {self.name} FOR UPDATE SKIP LOCKED")

    def maintainers(self):
        """How many sessions hold the lock of this table's maintainer."""
        return self.database.value(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 20321"
            " AND objid = %s::regclass AND granted",
            (self.name,),
        )

    def ids(self):
        return {row[0] for row in self.database.execute(f"SELECT event_id::text FROM {self.name}")}

    def row(self, event_id):
        """The event as a dict, with `age`: how long ago available_at was, in seconds of the server's
        clock, negative if it is to come."""
        connection = self.database.connect()
        with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(
                "SELECT *, extract(epoch FROM clock_timestamp() - available_at)::float8 AS age"
                f" FROM {self.name} WHERE event_id = %s",
                (event_id,),
            )
            row = cursor.fetchone()
        connection.close()
        return row

    def count(self, where="true"):
        return self.database.value(f"SELECT count(*) FROM {self.name} WHERE {where}")

    def states(self):
        """Counts by state, without the states nobody is in."""
        return dict(
            self.database.execute(f"SELECT status, count(*) FROM {self.name} GROUP BY status")
        )
