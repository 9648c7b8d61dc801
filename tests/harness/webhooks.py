"""webhooks.py - fixtures of the tests of publisher-webhook
SPDX-License-Identifier: MIT
"""

import pytest

from . import processes, settings
from .brokers.tls import SERVER, Authority
from .brokers.webhook import Webhook
from .sqlite import SqliteOutbox


@pytest.fixture(scope="module")
def certificates():
    """An Authority; presenting("soon") shows a certificate that ends within two days."""
    folder = processes.short_folder("tls")
    authority = Authority(folder)
    authority._signed("soon", "localhost", SERVER, days=2)
    yield authority
    processes.remove_folder(folder)


@pytest.fixture
def new_receiver():
    """Makes receivers that end with the test."""
    settings.need("publisher-webhook", "store-sqlite")
    made = []

    def new(server=None, **options):
        made.append(server or Webhook(**options))
        return made[-1].start()

    yield new
    for server in made:
        server.close()


@pytest.fixture
def receiver(new_receiver):
    return new_receiver()


@pytest.fixture
def outbox(folder, new_relay):
    return SqliteOutbox(folder, new_relay)
