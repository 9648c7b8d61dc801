"""engines.py - the database servers that a test can run on
SPDX-License-Identifier: MIT

A test that is about the relay and not about one make of server is marked `every_engine`; all others run on
PostgreSQL. OUTBOX_TEST_ENGINES names those of this run. SQLite needs no server, and is in every run: a test that
can be run on it, too, is marked `every_store`.
"""

import os

import pytest

from . import processes, settings
from .mysql import MAKES, MysqlServer, MysqlTemplate
from .mysql_tables import MysqlTable
from .postgres import PostgresServer, PostgresTemplate
from .tables import Table

ENGINES = os.environ.get("OUTBOX_TEST_ENGINES", "postgres mariadb mysql").split()
STORES = [*ENGINES, "sqlite"]
every_store = pytest.mark.parametrize("engine", STORES, indirect=True)
every_engine = pytest.mark.parametrize("engine", ENGINES, indirect=True)
every_mysql = pytest.mark.parametrize(
    "engine", [name for name in ENGINES if name in MAKES], indirect=True
)


class Engine:
    """A kind of server, its template, and the server that the tests of a run share."""

    def __init__(self, name):
        self.name = name
        self.is_mysql = name in MAKES
        self.driver = "mysql" if self.is_mysql else "postgres"
        self.new_table = MysqlTable if self.is_mysql else Table
        self._template = self._shared = None

    def need(self):
        """Skips the test, with the reason, where this engine cannot be had."""
        settings.need(f"store-{self.driver}")
        missing = MAKES[self.name].missing() if self.is_mysql else None
        if missing:
            pytest.skip(missing)

    def new_server(self, **options):
        if self._template is None:
            self._template = MysqlTemplate(self.name) if self.is_mysql else PostgresTemplate()
        server = MysqlServer if self.is_mysql else PostgresServer
        return server(self._template, **options).start()

    @property
    def shared(self):
        if self._shared is None:
            self._shared = self.new_server() if self.is_mysql else self.new_server(tcp=True)
        return self._shared

    def close(self):
        for one in (self._shared, self._template):
            if one is not None:
                one.close()


class SqliteEngine:
    """What stands for a server where there is none."""

    name = driver = "sqlite"
    is_mysql = False

    def need(self):
        settings.need("store-sqlite")

    @property
    def shared(self):
        return self

    def new_database(self):
        return SqliteFolder()

    def close(self):
        pass


class SqliteFolder:
    """Where the file of a test's own is made."""

    def __init__(self):
        self.path = processes.short_folder("s")

    def close(self):
        processes.remove_folder(self.path)
