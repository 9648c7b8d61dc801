"""lab_mysql.py - measuring with MariaDB and MySQL
SPDX-License-Identifier: MIT
"""

import contextlib
import os
import uuid

from harness.mysql import MAKES, Database, MysqlServer, MysqlTemplate

from lab import TABLE, Lab
from targets import MYSQL, PAYLOAD

STEP = 250_000

# Ids in the order of time, as UUIDs of version 7 are.
DELIVERED = (
    f"INSERT INTO {TABLE} (event_id, event_type, partition_key, payload, status, available_at, created_at,"
    " updated_at, delivered_at)"
    " SELECT UNHEX(CONCAT(LPAD(HEX(i), 12, '0'), SUBSTR(SHA2(i, 224), 13, 20))), 'order.created',"
    " CONCAT('customer-', i %% 1000), 'x', 'DELIVERED', at, at, at, at FROM (SELECT n + %s AS i,"
    " NOW(6) - INTERVAL 7 DAY + INTERVAL (n + %s) * 100000 MICROSECOND AS at"
    " FROM numbers WHERE n < %s) AS made"
)


class StockServer(MysqlServer):
    """As it ships: each commit is on the disk, with the doublewrite buffer, and nothing is tuned in anybody's
    favour. There is no binary log, which only some need."""

    settings = {}


class MysqlLab(Lab):
    floor = "floor_mysql"
    promise = MYSQL

    def __init__(self, make):
        super().__init__()
        self.make = MAKES[make]
        self.name = {"mariadb": "MariaDB", "mysql": "MySQL"}[make]
        self.template = None

    def missing(self):
        return self.make.missing()

    def close(self):
        super().close()
        if self.template:
            self.template.close()

    # ---- the server ----

    def start(self):
        self.template = MysqlTemplate(self.make.name)
        return StockServer(self.template).start()

    def version(self):
        return self.ask("SELECT VERSION()").split("-")[0]

    def ask(self, sql):
        """Of no database."""
        connection = self.server.connect(None)
        with connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
        connection.close()
        return row[0] if row else None

    @contextlib.contextmanager
    def server_time(self):
        """Of the whole server: its sessions are threads, and others work for them."""
        taken = []
        began = self.processor()
        yield taken
        taken.append(self.processor() - began)

    def processor(self):
        with open(f"/proc/{self.server.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def transactions(self, database):
        """Statements: this is what an idle relay promises to be sparing with."""
        connection = self.server.connect(None)
        with connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
            count = int(cursor.fetchone()[1])
        connection.close()
        return count

    # ---- databases ----

    def create(self, name):
        self.ask(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return Database(self.server, name)

    @contextlib.contextmanager
    def copy(self, source):
        """Row by row, in the order of the primary key, and written out."""
        database = self.create(f"{source}_copy")
        try:
            database.execute(f"CREATE TABLE {TABLE} LIKE `{source}`.{TABLE}")
            database.execute(f"INSERT INTO {TABLE} SELECT * FROM `{source}`.{TABLE} ORDER BY seq")
            database.execute(f"ANALYZE TABLE {TABLE}")
            database.execute(f"FLUSH TABLES {TABLE} FOR EXPORT")
            database.execute("UNLOCK TABLES")
            yield database
        finally:
            database.close()
            self.ask(f"DROP DATABASE `{database.name}`")

    # ---- filling and looking ----

    def fill_pending(self, database, count):
        make_numbers(database, 1000)
        pieces = ", ".join(f"SHA2(CONCAT(i, ':{piece}'), 256)" for piece in range(PAYLOAD // 64))
        for first in range(0, count, 1000):
            database.execute(
                f"INSERT INTO {TABLE} (event_id, event_type, partition_key, payload, headers)"
                " SELECT UNHEX(LEFT(SHA2(UUID(), 224), 32)), 'order.created', CONCAT('customer-', i %% 1000),"
                f" CONCAT({pieces}), '{{\"source\": \"bench\"}}'"
                " FROM (SELECT n + %s AS i FROM numbers WHERE n < %s) AS made",
                (first, min(1000, count - first)),
            )
        database.execute(f"ANALYZE TABLE {TABLE}")

    def fill_history(self, database, delivered, pending, statistics):
        make_numbers(database, STEP)
        for first in range(0, delivered, STEP):
            database.execute(DELIVERED, (first, first, min(STEP, delivered - first)))
        self.fill_pending(database, pending)

    def id(self, text):
        return uuid.UUID(text).bytes

    @staticmethod
    def begin_by_itself(connection):
        connection.autocommit(False)

    def delivered_times(self, database):
        return [
            (str(uuid.UUID(bytes=id)), float(at))
            for id, at in database.execute(f"SELECT event_id, UNIX_TIMESTAMP(delivered_at) FROM {TABLE}")
        ]


def make_numbers(database, count):
    """A table of those below `count`, at least."""
    database.execute("CREATE TABLE IF NOT EXISTS numbers (n INT PRIMARY KEY)")
    made = database.value("SELECT COUNT(*) FROM numbers")
    if made == 0:
        database.execute("INSERT INTO numbers VALUES (0)")
        made = 1
    while made < count:
        database.execute("INSERT INTO numbers SELECT n + %s FROM numbers", (made,))
        made *= 2
