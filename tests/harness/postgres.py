"""postgres.py - a private PostgreSQL server, and databases in it
SPDX-License-Identifier: MIT
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg2

from . import processes
from .waiting import wait_until

# The relay is tested against crashes of itself and of the server, not of the machine: without fsync a
# crashed server still finds everything in the page cache.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "80",
    "shared_buffers": "64MB",
    "max_wal_size": "2GB",
    "autovacuum_naptime": "5s",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %a ",
}


def tools():
    """The folder of the newest server installed."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if folders:
        return max(folders, key=lambda folder: float(folder.parent.name))
    found = shutil.which("postgres")
    if found is None:
        raise RuntimeError("no PostgreSQL server is installed: ./dev deps")
    return Path(found).parent


def unprivileged_user():
    """The user a server runs as: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            continue
    raise RuntimeError("there is neither a user postgres nor nobody to run the server as")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_lost(error, connection):
    """Whether an error means that the connection is of no use any more."""
    if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return True
    # A server that dies while it answers is reported as an error of no particular kind.
    nameless = type(error) is psycopg2.DatabaseError and error.pgcode is None
    return nameless or (connection is not None and connection.closed != 0)


class PostgresTemplate:
    """A data folder made once and copied for every server of a run: initdb takes seconds."""

    def __init__(self):
        self.folder = processes.short_folder("pgt")
        self.user = unprivileged_user()
        if self.user:
            shutil.chown(self.folder, self.user)
        subprocess.run(
            processes.dying_with_us(
                [tools() / "initdb", "--pgdata", self.folder / "data", "--username", "postgres",
                 "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"],
                user=self.user,
            ),
            check=True, cwd="/", stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def close(self):
        processes.remove_folder(self.folder)


class PostgresServer:
    """One server, reachable through a socket in its own folder, so that nobody else can have its
    address, and on a loopback port if `tcp`."""

    settings = SETTINGS

    def __init__(self, template, tcp=False):
        self.folder = processes.short_folder("pg")
        self.user = template.user
        self.tcp = tcp
        self.port = 5432
        self.log = self.folder / "log"
        self.process = None
        self.databases = []
        subprocess.run(
            ["cp", "-a", str(template.folder / "data"), str(self.folder / "data")], check=True
        )
        if self.user:
            shutil.chown(self.folder, self.user)

    # ---- running ----

    def start(self):
        # A port that was free may be taken when the server asks for it: then another one is tried.
        for attempt in range(5):
            if self.tcp and (attempt or self.port == 5432):
                self.port = free_port()
            self._spawn()
            try:
                wait_until(self._answers, "the PostgreSQL server starts", meanwhile=self._alive)
                return self
            except RuntimeError:
                if not self.tcp or attempt == 4:
                    raise
        return self

    def _spawn(self):
        command = [tools() / "postgres", "-D", self.folder / "data", "-p", self.port]
        options = dict(
            self.settings,
            unix_socket_directories=str(self.folder),
            listen_addresses="127.0.0.1" if self.tcp else "",
        )
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with open(self.log, "ab") as log:
            # SIGQUIT, so that the server takes its own children along.
            self.process = processes.spawn(
                command, with_signal="QUIT", user=self.user, cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _alive(self):
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the PostgreSQL server ended at once:\n{tail}")

    def _answers(self):
        try:
            self.connect("postgres").close()
            return True
        except psycopg2.OperationalError:
            return False

    def stop(self, mode="fast"):
        """mode `fast` ends sessions in order, `immediate` is as if the server had crashed."""
        if self.process is None:
            return
        self.process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        self.process.wait(timeout=60)
        self.process = None
        for database in self.databases:
            database.close()  # so that the test's own statements start on a new connection

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def close(self):
        if self.process is not None:
            self.stop("immediate")
        processes.remove_folder(self.folder)

    # ---- talking ----

    def connect(self, database):
        connection = psycopg2.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname=database,
            application_name="outbox-tests",
        )  # fmt: skip
        connection.autocommit = True
        return connection

    def url(self, database, tcp=False):
        if tcp:
            return f"postgres://postgres@127.0.0.1:{self.port}/{database}"
        host = quote(str(self.folder), safe="")
        return f"postgres://postgres@/{database}?host={host}&port={self.port}"

    def new_database(self):
        name = f"test_{len(self.databases) + 1}"
        connection = self.connect("postgres")
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        connection.close()
        self.databases.append(Database(self, name))
        return self.databases[-1]


class Database:
    """One database, with a connection of the test's own."""

    driver = "postgres"
    Error = psycopg2.Error
    is_lost = may_try_again = staticmethod(is_lost)

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.url = server.url(name)
        self._connection = None

    def connect(self):
        return self.server.connect(self.name)

    @staticmethod
    def begin(connection):
        """A producer's transaction, which goes on for long."""
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")

    @staticmethod
    def disconnect(connection):
        """Also of a session that the server has ended, or of none."""
        if connection is not None:
            connection.close()

    def execute(self, sql, parameters=None):
        """Runs a statement and returns its rows, if it has any."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else None

    def value(self, sql, parameters=None):
        rows = self.execute(sql, parameters)
        return rows[0][0] if rows else None

    def terminate_sessions(self):
        """Ends every session of others in this database, as an administrator would."""
        return self.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name <> 'outbox-tests'"
        )

    def close(self):
        if self._connection is not None:
            self._connection.close()
