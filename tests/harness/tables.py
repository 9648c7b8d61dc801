"""tables.py - an outbox table and the producers' side of it, by plain SQL
SPDX-License-Identifier: MIT
"""

import io
import json
import uuid

import psycopg2.extras

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

    def __init__(self, database, name="openoutbox_events"):
        self.database = database
        self.name = name

    def create_foreign(self):
        self.database.execute(FOREIGN.format(table=self.name))
        return self

    def exists(self):
        return self.database.value("SELECT to_regclass(%s) IS NOT NULL", (self.name,))

    def insert(self, payload=b"{}", type="test.event", headers=None, **columns):
        """One event; returns its id. `headers` is any JSON value."""
        event = dict(columns, event_type=type, payload=payload)
        event.setdefault("event_id", str(uuid.uuid4()))
        if headers is not None:
            event["headers"] = json.dumps(headers)
        names = ", ".join(event)
        places = ", ".join(["%s"] * len(event))
        self.database.execute(
            f"INSERT INTO {self.name} ({names}) VALUES ({places})", list(event.values())
        )
        return event["event_id"]

    def insert_many(self, count, payload_size=64):
        """Events whose ids the server makes; quick, for load."""
        self.database.execute(
            f"INSERT INTO {self.name} (event_id, event_type, payload)"
            " SELECT gen_random_uuid(), 'test.load', convert_to(repeat('x', %s), 'UTF8')"
            " FROM generate_series(1, %s)",
            (payload_size, count),
        )

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
