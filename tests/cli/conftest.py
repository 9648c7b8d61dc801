"""conftest.py - the command line as a person or a script has it, on a database in one file
SPDX-License-Identifier: MIT
"""

import json
import os
import sqlite3
import subprocess

import pytest
from harness import settings
from harness.relay import assert_clean


class Cli:
    """Runs the binary with a configuration of one pipeline, SQLite to standard output."""

    def __init__(self, binary, folder):
        self.binary = str(binary)
        self.folder = folder
        self.database = folder / "app.db"
        self.path = folder / "relay.json"
        self.environment = dict(os.environ, **settings.SANITIZER_ENVIRONMENT)
        self.environment.update(OUTBOX_CONFIG=str(self.path), TMPDIR=str(folder))
        self.configure(self.pipeline())

    def pipeline(self, name="orders", publisher=None, **changes):
        made = {
            "name": name,
            "store": {"driver": "sqlite", "url": f"sqlite:{self.database}"},
            "publisher": publisher or {"driver": "stdout"},
        }
        return made | changes

    def configure(self, *pipelines, **sections):
        self.path.write_text(json.dumps(sections | {"pipelines": pipelines}))

    def __call__(self, *words, status=0, stdin=b"", **options):
        """What the command says; its exit status is part of the test."""
        done = subprocess.run(
            [self.binary, *map(str, words)], input=stdin, env=self.environment, cwd=self.folder,
            stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
            timeout=settings.PATIENCE, **options,
        )  # fmt: skip
        done.out = (done.stdout or b"").decode()
        done.err = done.stderr.decode()
        assert_clean(done.err, " ".join(map(str, words)))
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.out}\n{done.err}"
        return done

    def spawn(self, *words, **options):
        return subprocess.Popen([self.binary, *words], env=self.environment, **options)

    def rows(self, query="SELECT * FROM openoutbox_events ORDER BY seq"):
        connection = sqlite3.connect(self.database, timeout=settings.PATIENCE)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query)]
        finally:
            connection.close()

    def count(self):
        return self.rows("SELECT count(*) AS n FROM openoutbox_events")[0]["n"]


@pytest.fixture
def cli(binary, tmp_path):
    for driver in ("store-sqlite", "publisher-stdout"):
        if not settings.has_driver(driver):
            pytest.skip(f"{driver} was not built")
    return Cli(binary, tmp_path)


@pytest.fixture
def table(cli):
    """The command line once `init` has made the table."""
    cli("init")
    return cli
