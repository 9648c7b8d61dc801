"""conftest.py - the brokers that the suite runs with, and streams of events to them
SPDX-License-Identifier: MIT
"""

import importlib
import itertools
import logging
import os
from pathlib import Path

import pytest

from harness import processes, settings
from harness.brokers.base import Broker
from harness.brokers.tls import Authority
from harness.stream import Stream, new_table

# OUTBOX_TEST_BROKERS="redis nats" narrows a run.
NAMES = os.environ.get("OUTBOX_TEST_BROKERS", "kafka nats rabbitmq redis webhook").split()
topics = itertools.count(1)  # one server has those of many tests
HERE = Path(__file__).resolve().parent


# They are asked whether a server answers yet, and need not say so each time that it does not.
for chatty in ("kafka", "pika"):
    logging.getLogger(chatty).setLevel(logging.CRITICAL)


def broker_class(name):
    """The one class of Broker in the harness's module of that name."""
    module = importlib.import_module(f"harness.brokers.{name}")
    (found,) = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Broker) and value.__module__ == module.__name__
    ]
    return found


class Servers:
    """One server of each broker for all tests, started when the first asks for it; with certificates
    and passwords (`secure`: the Authority) another one."""

    def __init__(self):
        self._running = {}

    def get(self, name, variant="plain", secure=False):
        settings.need(f"publisher-{name}")
        key = (name, variant)
        if key not in self._running:
            broker = broker_class(name)(secure)
            try:
                self._running[key] = broker.start()
            except BaseException:
                broker.close()
                raise
        return self._running[key]

    def drop(self, name, variant="plain"):
        """The next test gets a new one."""
        broker = self._running.pop((name, variant), None)
        if broker is not None:
            broker.close()

    def get_secure(self, name, authority, wanted, shows=None):
        """One that asks for all that it can ask for; skips the test if `wanted` is not among that.
        `shows`: a bad certificate of the authority, in the place of the good one."""
        settings.need(f"publisher-{name}")
        if wanted not in broker_class(name).secure:
            pytest.skip(f"{name} is not asked for {wanted} here")
        variant = authority.presenting(shows) if shows else authority
        return self.get(name, shows or "secure", variant)

    def close(self):
        for name, variant in list(self._running):
            self.drop(name, variant)


# Held here and not by the fixture alone, so that the servers end with the last of these tests.
servers_of_the_run = Servers()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    if nextitem is None or HERE not in nextitem.path.parents:
        servers_of_the_run.close()


def pytest_terminal_summary(terminalreporter):
    for line in Stream.figures:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def servers():
    yield servers_of_the_run
    servers_of_the_run.close()


@pytest.fixture(params=NAMES)
def broker(request, servers):
    """A running broker of each kind, for tests that do it no harm."""
    return servers.get(request.param)


@pytest.fixture(params=NAMES)
def private_broker(request, servers):
    """A running broker of each kind, for tests that do harm and mend it. After a test that failed it
    is thrown away."""
    failed_before = request.session.testsfailed
    yield servers.get(request.param)
    if request.session.testsfailed != failed_before:
        servers.drop(request.param)


@pytest.fixture
def all_brokers(request, servers):
    """All that are built, together; for tests that may do harm."""
    names = [name for name in NAMES if settings.has_driver(f"publisher-{name}")]
    if not names:
        pytest.skip("no publisher for a broker was built")
    failed_before = request.session.testsfailed
    yield [servers.get(name) for name in names]
    if request.session.testsfailed != failed_before:
        for name in names:
            servers.drop(name)


@pytest.fixture(scope="session")
def authority():
    folder = processes.short_folder("tls")
    yield Authority(folder)
    processes.remove_folder(folder)


@pytest.fixture(params=NAMES)
def new_secure(request, servers, authority):
    """Starts a secure broker of each kind; those that show a bad certificate end with the test."""
    shown = []

    def new(wanted, shows=None):
        shown.append(shows)
        return servers.get_secure(request.param, authority, wanted, shows)

    yield new
    for variant in filter(None, shown):
        servers.drop(request.param, variant)


@pytest.fixture
def new_stream(request, postgres, folder):
    """Makes streams with a table of their own; the topic is named after the test."""
    settings.need("store-postgres", "publisher-null")
    databases = []

    def new(broker):
        databases.append(postgres.new_database())
        name = f"{request.node.originalname.removeprefix('test_')}.{next(topics)}"
        table = new_table(databases[-1], folder)
        return Stream(broker, table, name.replace("_", "-"))

    yield new
    for database in databases:
        database.close()
