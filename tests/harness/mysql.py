"""mysql.py - a private MySQL or MariaDB server, and databases in it
SPDX-License-Identifier: MIT
"""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import pymysql

from . import processes
from .postgres import free_port
from .waiting import wait_until

TESTER, RELAY, PASSWORD = "tester", "relay", "secret"

# As with PostgreSQL, crashes of programs are tested, not those of the machine: what is committed is in the
# hands of the operating system, but not on the disk.
SETTINGS = {
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-buffer-pool-size": "64M",
    "innodb-doublewrite": "0",
    "max-connections": "100",
    "performance-schema": "OFF",
}


class MariaDb:
    """How this make of the server is found, set up and started."""

    name = "mariadb"
    only_here = {"skip-log-bin": None}

    def missing(self):
        """Why it cannot be had, or None."""
        return None if shutil.which("mariadbd") else "no MariaDB server is installed: ./dev deps"

    def command(self):
        return [shutil.which("mariadbd")]

    def install(self, folder, user):
        command = ["mariadb-install-db", "--no-defaults", f"--datadir={folder}", "--skip-test-db",
                   "--auth-root-authentication-method=normal"]  # fmt: skip
        return command + ([f"--user={user}"] if user else [])


class MySql:
    """It is in no Debian release, so it comes from a tree of its own (see `./dev`), and runs with the
    libraries of that tree."""

    name = "mysql"
    tree = Path("/var/cache/outbox-relay-tests/mysql-sid-2")
    only_here = {"mysqlx": "OFF", "secure-file-priv": "", "disable-log-bin": None,
                 "innodb-redo-log-capacity": "256M"}  # fmt: skip

    def missing(self):
        if not (self.tree / "usr/sbin/mysqld").exists():
            return "there is no MySQL server: ./dev deps, as root, makes one"
        return None

    def command(self):
        tree = self.tree
        libraries = [tree / "usr/lib/x86_64-linux-gnu", tree / "usr/lib/aarch64-linux-gnu",
                     tree / "usr/lib/mysql/private", tree / "usr/lib"]  # fmt: skip
        (loader,) = tree.glob("usr/lib*/*/ld-linux-*.so.*")
        share = tree / "usr/share/mysql"
        return [loader, "--library-path", ":".join(str(path) for path in libraries),
                tree / "usr/sbin/mysqld", "--no-defaults", f"--basedir={tree}/usr",
                f"--lc-messages-dir={share}", f"--character-sets-dir={share}/charsets",
                f"--plugin-dir={tree}/usr/lib/mysql/plugin"]  # fmt: skip

    def install(self, folder, user):
        command = self.command() + ["--initialize-insecure", f"--datadir={folder}"]
        return command + ([f"--user={user}"] if user else [])


MAKES = {make.name: make for make in (MariaDb(), MySql())}


def unprivileged_user():
    """Who runs a server, which refuses to be root's; None: we ourselves."""
    if os.getuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return "mysql" if "mysql" in known else "nobody"


def is_lost(error, connection):
    """Whether an error means that the connection is of no use any more."""
    if isinstance(error, pymysql.err.InterfaceError):
        return True
    # 1927 and 4031 are what is left to read of a session that was killed.
    lost = {1053, 1077, 1152, 1158, 1159, 1160, 1161, 1317, 1927, 2002, 2003, 2006, 2013, 2055, 4031}
    return error.args[0] in lost or (connection is not None and not connection.open)


class MysqlTemplate:
    """A data folder made once and copied for every server of a run."""

    def __init__(self, name):
        self.make = MAKES[name]
        self.user = unprivileged_user()
        self.folder = processes.short_folder(f"{name[:2]}t")
        if self.user:
            shutil.chown(self.folder, self.user)
        done = subprocess.run(
            processes.dying_with_us(self.make.install(self.folder / "data", self.user)),
            cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"no data folder for {name}: {done.stdout}{done.stderr}")
        self._add_user()

    def _add_user(self):
        server = MysqlServer(self).start("root")
        connection = server.connect(None, "root")
        with connection.cursor() as cursor:
            cursor.execute("SELECT user, host FROM mysql.user WHERE user = ''")
            for _, host in cursor.fetchall():
                cursor.execute("DROP USER ''@%s", (host,))
            for user in (TESTER, RELAY):
                cursor.execute(f"CREATE USER {user}@'%%' IDENTIFIED BY %s", (PASSWORD,))
                cursor.execute(f"GRANT ALL ON *.* TO {user}@'%' WITH GRANT OPTION")
        connection.close()
        server.stop()
        subprocess.run(["rm", "-rf", str(self.folder / "data")], check=True)
        shutil.move(server.folder / "data", self.folder / "data")
        server.close()

    def close(self):
        processes.remove_folder(self.folder)


class MysqlServer:
    """One server, reachable through a socket in its own folder and on a loopback port."""

    settings = SETTINGS

    def __init__(self, template, **options):
        self.make = template.make
        self.user = template.user
        self.options = options
        self.folder = processes.short_folder(self.make.name[:2])
        self.socket = self.folder / "s"
        self.log = self.folder / "log"
        self.port = None
        self.process = None
        self.databases = []
        subprocess.run(["cp", "-a", str(template.folder / "data"), str(self.folder / "data")], check=True)
        (self.folder / "tmp").mkdir()  # of its own: a server that starts clears what others have there
        if self.user:
            for path in (self.folder, self.folder / "tmp"):
                shutil.chown(path, self.user)

    # ---- running ----

    def start(self, login=TESTER):
        # A port that was free may be taken when the server asks for it: then another one is tried.
        for attempt in range(5):
            if self.port is None or attempt:
                self.port = free_port()
            self._spawn()
            try:
                wait_until(
                    lambda: self._answers(login), f"the {self.make.name} server starts",
                    timeout=120, meanwhile=self._alive,
                )  # fmt: skip
                return self
            except RuntimeError:
                if attempt == 4:
                    raise
        return self

    def _spawn(self):
        command = self.make.command()
        if "--no-defaults" not in command:
            command.append("--no-defaults")
        options = dict(self.settings, **self.make.only_here, **self.options)
        options.update({
            "datadir": self.folder / "data", "socket": self.socket, "port": self.port,
            "bind-address": "127.0.0.1", "pid-file": self.folder / "pid", "tmpdir": self.folder / "tmp",
        })  # fmt: skip
        command += [f"--{name}" if value is None else f"--{name}={value}" for name, value in options.items()]
        with open(self.log, "ab") as log:
            self.process = processes.spawn(
                command, user=self.user, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _alive(self):
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the {self.make.name} server ended at once:\n{tail}")

    def _answers(self, login):
        try:
            self.connect(None, login).close()
            return True
        except pymysql.Error:
            return False

    def stop(self, mode="fast"):
        """mode `fast` is an orderly end, `immediate` is a crash."""
        if self.process is None:
            return
        self.process.send_signal({"fast": signal.SIGTERM, "immediate": signal.SIGKILL}[mode])
        self.process.wait(timeout=120)
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

    def connect(self, database, login=TESTER, **options):
        return pymysql.connect(
            unix_socket=str(self.socket), user=login, password=PASSWORD if login == TESTER else "",
            database=database, charset="utf8mb4", autocommit=True,
            init_command="SET time_zone = '+00:00'", **options,
        )  # fmt: skip

    def url(self, database, tcp=False):
        if tcp:
            return f"mysql://{RELAY}:{PASSWORD}@127.0.0.1:{self.port}/{database}"
        return f"mysql://{RELAY}:{PASSWORD}@localhost/{database}?socket={self.socket}"

    def new_database(self):
        name = f"test_{len(self.databases) + 1}"
        connection = self.connect(None)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        connection.close()
        self.databases.append(Database(self, name))
        return self.databases[-1]


class Database:
    """One database, with a connection of the test's own."""

    driver = "mysql"
    Error = pymysql.Error
    is_lost = staticmethod(is_lost)

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.url = server.url(name)
        self._connection = None

    def connect(self, **options):
        return self.server.connect(self.name, **options)

    @staticmethod
    def may_try_again(error, connection):
        """Also after a deadlock, of which the server made a producer the victim."""
        return is_lost(error, connection) or error.args[0] == 1213

    @staticmethod
    def begin(connection):
        """A producer's transaction, at REPEATABLE READ unless the server was told otherwise."""
        connection.begin()

    @staticmethod
    def disconnect(connection):
        """Also of a session that the server has ended, or of none."""
        if connection is not None and connection.open:
            connection.close()

    def execute(self, sql, parameters=None):
        """Runs a statement and returns its rows, if it has any."""
        if self._connection is None or not self._connection.open:
            self._connection = self.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else None

    def value(self, sql, parameters=None):
        rows = self.execute(sql, parameters)
        return rows[0][0] if rows else None

    def terminate_sessions(self):
        """Ends every session of a relay in this database, as an administrator would."""
        others = self.execute(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND user = %s", (RELAY,)
        )
        for (number,) in others:
            try:
                self.execute(f"KILL {number}")
            except pymysql.err.OperationalError as error:
                if error.args[0] != 1094:  # it has ended by itself
                    raise
        return len(others)

    def close(self):
        self.disconnect(self._connection)
        self._connection = None
