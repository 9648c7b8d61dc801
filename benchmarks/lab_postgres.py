"""lab_postgres.py - measuring with PostgreSQL
SPDX-License-Identifier: MIT
"""

import contextlib
import os

from harness.postgres import Database, PostgresServer, PostgresTemplate
from harness.waiting import wait_until

from lab import TABLE, Lab
from targets import PAYLOAD, POSTGRES

# Ids in the order of time, as UUIDs of version 7 are.
DELIVERED = (
    f"INSERT INTO {TABLE} (event_id, event_type, partition_key, payload, status, available_at, created_at,"
    " updated_at, delivered_at)"
    " SELECT (lpad(to_hex(i), 12, '0') || substr(md5(i::text), 13))::uuid, 'order.created',"
    " 'customer-' || i %% 1000, 'x', 'DELIVERED', at, at, at, at"
    " FROM (SELECT i, now() - interval '7 days' + i * interval '100 milliseconds' AS at"
    " FROM generate_series(%s, %s) AS i) AS rows"
)
STEP = 250_000


class StockServer(PostgresServer):
    """As the package ships it: fsync, synchronous_commit and full_page_writes are on. What the tests turn off
    for speed stays on, and nothing is tuned in anybody's favour."""

    settings = {}


class PostgresLab(Lab):
    name = "PostgreSQL"
    floor = "floor_postgres"
    promise = POSTGRES
    history_statistics = ("none", "known")

    def __init__(self):
        super().__init__()
        self.template = None

    def close(self):
        super().close()
        if self.template:
            self.template.close()

    # ---- the server ----

    def start(self):
        self.template = PostgresTemplate()
        return StockServer(self.template).start()

    def version(self):
        return self.ask("SHOW server_version").split()[0]

    def ask(self, sql, parameters=None):
        """Of another database than those that are measured."""
        connection = self.server.connect("postgres")
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            answer = cursor.fetchone()[0] if cursor.description else None
        connection.close()
        return answer

    def processor(self):
        """Seconds, user and system, that the server's ended processes have used."""
        with open(f"/proc/{self.server.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def children(self):
        pid = self.server.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return set(file.read().split())

    def processes(self):
        """Of the server, which those that come later descend from."""
        return [self.server.process.pid, *map(int, self.children())]

    @contextlib.contextmanager
    def server_time(self):
        """What the sessions that are opened and closed within take of the server, in seconds. A list of
        that one figure, filled at the end."""
        taken = []
        children, began = self.children(), self.processor()
        yield taken
        wait_until(lambda: self.children() <= children, "the server's sessions end")
        taken.append(self.processor() - began)

    def transactions(self, database):
        return self.ask(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s", (database.name,)
        )

    # ---- databases ----

    def create(self, name):
        self.ask(f"CREATE DATABASE {name}")
        return Database(self.server, name)

    @contextlib.contextmanager
    def copy(self, source):
        """Block by block."""
        name = f"{source}_copy"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {source}")
        self.ask("CHECKPOINT")
        database = Database(self.server, name)
        try:
            yield database
        finally:
            database.close()
            self.ask(f"DROP DATABASE {name} WITH (FORCE)")

    # ---- filling and looking ----

    def fill_pending(self, database, count, transaction=1000):
        # 32 hexadecimal digits a time, all different: nothing for the server to compress away.
        pieces = " || ".join(f"md5(i::text || ':{piece}')" for piece in range(PAYLOAD // 32))
        for first in range(0, count, transaction):
            database.execute(
                f"INSERT INTO {TABLE} (event_id, event_type, partition_key, payload, headers)"
                " SELECT gen_random_uuid(), 'order.created', 'customer-' || i %% 1000,"
                f" convert_to({pieces}, 'UTF8'), '{{\"source\": \"bench\"}}'"
                " FROM generate_series(%s, %s) AS i",
                (first + 1, min(first + transaction, count)),
            )
        database.execute(f"VACUUM (ANALYZE) {TABLE}")

    def fill_history(self, database, delivered, pending, statistics):
        # The server shall not analyse it behind our back.
        database.execute(f"ALTER TABLE {TABLE} SET (autovacuum_enabled = off)")
        for first in range(0, delivered, STEP):
            database.execute(DELIVERED, (first + 1, min(first + STEP, delivered)))
        self.fill_pending(database, pending)
        if statistics == "none":
            forget_statistics(database)

    @staticmethod
    def begin_by_itself(connection):
        connection.autocommit = False

    def delivered_times(self, database):
        return database.execute(
            f"SELECT event_id::text, extract(epoch FROM delivered_at)::float8 FROM {TABLE}"
        )


def forget_statistics(database):
    """As if the table had never been analysed: its rows are in place and nobody has counted them."""
    database.execute(f"DELETE FROM pg_statistic WHERE starelid = '{TABLE}'::regclass")
    database.execute(
        "UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0 WHERE oid IN"
        f" (SELECT '{TABLE}'::regclass UNION SELECT indexrelid FROM pg_index"
        f" WHERE indrelid = '{TABLE}'::regclass)"
    )
