"""conftest.py - what every test may ask for, and how a run is summed up
SPDX-License-Identifier: MIT
"""

import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import processes, settings
from harness.collector import Collector
from harness.engines import Engine, SqliteEngine
from harness.evidence import Delivered
from harness.relay import Relay, pipeline

# ---- the run --------------------------------------------------------------------------------------


def pytest_addoption(parser):
    parser.addoption("--short", action="store_true", help="leave out the long tests")


def pytest_configure(config):
    config.outcomes = {}
    # Fixtures clean up on the way out, so an asked end is an orderly one.
    # What a script starts in the background ignores SIGINT, and so would every program started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


def pytest_report_header():
    return (
        f"relay: {settings.BINARY}, sanitizer: {settings.SANITIZE},"
        f" scale of the load: {settings.SCALE}"
    )


def pytest_collection_modifyitems(config, items):
    if config.getoption("--short"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long, and this is a --short run"))


def pytest_runtest_logreport(report):
    """Keeps the worst of a test's phases: one that passed and then left something behind failed."""
    outcomes = pytest_runtest_logreport.outcomes
    known = outcomes.get(report.nodeid, ("", ""))
    if report.failed:
        outcomes[report.nodeid] = ("failed", "")
    elif report.skipped and known[0] != "failed":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        outcomes[report.nodeid] = ("skipped", reason.removeprefix("Skipped: "))
    elif report.when == "call" and not known[0]:
        outcomes[report.nodeid] = ("passed", "")


pytest_runtest_logreport.outcomes = {}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """A run in which no test passed has shown nothing."""
    passed = any(what == "passed" for what, _ in pytest_runtest_logreport.outcomes.values())
    if session.exitstatus == 0 and not passed and not session.config.option.collectonly:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """The last line of a run: `N passed, N failed`, and how many were skipped, whose reasons stand
    above it."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.collectonly:
        return
    outcomes = pytest_runtest_logreport.outcomes
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for nodeid, (what, reason) in outcomes.items():
        count[what] += 1
        if what == "skipped":
            reporter.write_line(f"skipped {nodeid}: {reason}")
    # A file that could not even be read has failed as well.
    count["failed"] += len(
        [report for report in reporter.stats.get("error", []) if report.nodeid not in outcomes]
    )
    line = f"{count['passed']} passed, {count['failed']} failed"
    if count["skipped"]:
        line += f", {count['skipped']} skipped"
    reporter.write_line(line)


# ---- servers --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def engines():
    """By name; their servers start when they are first asked for."""
    made = {name: Engine(name) for name in ("postgres", "mariadb", "mysql")}
    made["sqlite"] = SqliteEngine()
    yield made
    for engine in made.values():
        engine.close()


@pytest.fixture
def engine(request, engines):
    """PostgreSQL, or each of them in a test that is marked so."""
    chosen = engines[getattr(request, "param", "postgres")]
    chosen.need()
    return chosen


@pytest.fixture
def postgres(engines):
    """The server of this run. A test that wants to stop it asks for private_server."""
    return engines["postgres"].shared


@pytest.fixture
def private_server(engine):
    """A server that a test may treat as it likes."""
    server = engine.new_server()
    yield server
    server.close()


@pytest.fixture
def database(engine):
    """A database of the test's own."""
    made = engine.shared.new_database()
    yield made
    made.close()


@pytest.fixture(scope="module")
def collector():
    """Of all tests of a file: each looks at what its own relay sent."""
    made = Collector()
    try:
        yield made.start()
    finally:
        made.close()


# ---- relays ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def binary():
    assert settings.BINARY.exists(), f"{settings.BINARY} is not built: ./dev build"
    return settings.BINARY


@pytest.fixture
def folder(request):
    """A folder for one test; kept if the test fails and a person may look into it."""
    made = processes.short_folder("t")
    failed_before = request.session.testsfailed
    yield made
    if request.session.testsfailed == failed_before or "CI" in os.environ:
        processes.remove_folder(made)


@pytest.fixture
def new_relay(folder):
    """Makes relays that are stopped, in order, when the test ends."""
    made = []

    def new(*pipelines, **options):
        made.append(Relay(folder, list(pipelines), **options))
        return made[-1]

    yield new
    trouble = []
    for relay in made:
        try:
            relay.close()
        except AssertionError as error:
            trouble.append(str(error))
            if relay.process is not None:
                processes.end(relay.process)
    assert not trouble, "\n".join(trouble)


@pytest.fixture(params=["own", "foreign"])
def table(request, engine, database, folder):
    """An outbox table: made by `init`, or by somebody else with exactly the columns of the layout."""
    settings.need("publisher-null")
    return make_table(engine, database, folder, request.param)


@pytest.fixture
def own_table(engine, database, folder):
    settings.need("publisher-null")
    return make_table(engine, database, folder, "own")


def make_table(engine, database, folder, made_by):
    table = engine.new_table(database)
    if made_by == "foreign":
        return table.create_foreign()
    relay = Relay(folder, [pipeline(store_of(table), {"driver": "null"})])
    done = relay.run("init")
    assert done.returncode == 0, done.stderr
    return table


def store_of(table, **changes):
    database = table.database
    return dict({"driver": database.driver, "url": database.url, "table": table.name}, **changes)


@pytest.fixture
def outbox(folder):
    """Gives tests the pieces of a configuration and the reader of what was published."""
    return Pieces(folder)


class Pieces:
    def __init__(self, folder):
        settings.need("publisher-file", "publisher-null")
        self.folder = folder
        self.path = folder / "delivered.ndjson"
        self.delivered = Delivered(self.path)

    @staticmethod
    def to(publisher, table, name="p", store=None, **changes):
        return pipeline(store_of(table, **(store or {})), publisher, name, **changes)

    def to_file(self, table, name="p", path=None, store=None, **changes):
        publisher = {"driver": "file", "path": str(path or self.path)}
        return self.to(publisher, table, name, store, **changes)

    def to_null(self, table, name="p", publisher=None, **changes):
        return self.to(dict({"driver": "null"}, **(publisher or {})), table, name, **changes)
