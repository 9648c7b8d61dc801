"""test_rabbitmq_tls.py - RabbitMQ behind TLS, and settings that contradict each other
SPDX-License-Identifier: MIT
"""

import pytest

from harness import processes
from harness.brokers.rabbitmq import RabbitMQ
from harness.brokers.tls import Authority, openssl
from harness.relay import NOBODY_TYPES, pipeline
from harness.settings import events, need
from harness.sqlite_outbox import SqliteOutbox, numbered


@pytest.fixture(scope="module")
def authority():
    folder = processes.short_folder("tls")
    yield Authority(folder)
    processes.remove_folder(folder)


@pytest.fixture(scope="module")
def secure_rabbit(authority):
    need("publisher-rabbitmq", "store-sqlite")
    broker = RabbitMQ(authority)
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def new_outbox(folder, new_relay):
    return lambda publisher, **changes: SqliteOutbox(folder, new_relay, publisher, **changes)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"url": "http://localhost"}, ("url", "amqp://")),
        ({"url": "amqp://"}, ("url", "host")),
        ({"url": "amqp://localhost:0"}, ("url", "port")),
        ({"url": "amqp://u:p%zz@localhost"}, ("url", "escape")),
        ({"url": "amqp://localhost/a/b"}, ("url", "vhost")),
        ({"url": "amqp://localhost?heartbeat=1"}, ("url", "parameters")),
        ({"exchange": "x" * 256}, ("exchange", "255")),
        ({"tls_ca": "/etc/hostname"}, ("tls_ca", "amqps://")),
        ({"url": "amqps://localhost", "tls_ca": "/no/such"}, ("tls_ca", "/no/such")),
        ({"url": "amqps://localhost", "tls_key": "/no/such"}, ("tls_key", "tls_certificate")),
    ],
)
def test_wrong_settings_are_told(new_outbox_to_nowhere, changes, words):
    done = new_outbox_to_nowhere(changes)
    text = done.stdout + done.stderr
    assert done.returncode != 0 and all(word in text for word in words), text
    assert "p%zz" not in text


@pytest.fixture
def new_outbox_to_nowhere(folder, new_relay):
    need("publisher-rabbitmq", "store-sqlite")

    def run(changes):
        publisher = dict({"driver": "rabbitmq", "url": "amqp://localhost"}, **changes)
        store = {"driver": "sqlite", "url": f"sqlite:{folder / 'o.db'}"}
        relay = new_relay(pipeline(store, publisher))
        assert relay.run("init").returncode == 0
        return relay.run("check", "--connect")

    return run


def test_client_certificate_is_shown(secure_rabbit, authority, new_outbox):
    """The node says whether it saw one."""
    queue = secure_rabbit.topic("certified")
    outbox = new_outbox(
        secure_rabbit.publisher(
            tls_certificate=str(authority.client_certificate), tls_key=str(authority.client_key)
        ),
        route={"topic": queue},
    )
    outbox.enqueue(*numbered(events(2000)))
    outbox.relay.start()
    outbox.wait_delivered()
    shown = secure_rabbit.tell(
        "[rabbit_networking:connection_info(C, [peer_cert_subject])"
        " || C <- rabbit_networking:connections()]."
    )
    assert ",".join(str(byte) for byte in b"CN=client") in shown
    assert secure_rabbit.count(queue) == events(2000)


def test_nobody_is_asked_for_the_password_of_a_key(authority, folder, new_relay):
    need("publisher-rabbitmq", "store-sqlite")
    encrypted = folder / "encrypted.pem"
    openssl("pkey", "-in", authority.client_key, "-aes256", "-passout", "pass:secret", "-out", encrypted)
    publisher = {
        "driver": "rabbitmq", "url": "amqps://localhost",
        "tls_certificate": str(authority.client_certificate), "tls_key": str(encrypted),
    }  # fmt: skip
    store = {"driver": "sqlite", "url": f"sqlite:{folder / 'o.db'}"}
    relay = new_relay(pipeline(store, publisher), wrapper=NOBODY_TYPES)
    assert relay.once() != 0
    assert relay.logged("tls_key", "encrypted.pem")


def test_large_messages_through_tls(secure_rabbit, new_outbox):
    queue = secure_rabbit.topic("large")
    outbox = new_outbox(secure_rabbit.publisher(), route={"topic": queue})
    outbox.enqueue(*[{"type": "t", "payload": str(n) * 300000} for n in range(8)])
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert [body for _, _, body in secure_rabbit.messages(queue)] == [
        str(n).encode() * 300000 for n in range(8)
    ]


def test_certificate_of_a_stranger_is_refused(secure_rabbit, authority, new_outbox):
    publisher = secure_rabbit.publisher(tls_ca=str(authority.other_ca))
    status, text = new_outbox(publisher, route={"topic": "q"}).check()
    assert status == 1 and "certificate" in text, text


def test_plain_text_to_a_port_for_tls_is_refused(secure_rabbit, new_outbox):
    publisher = {"driver": "rabbitmq", "url": f"amqp://127.0.0.1:{secure_rabbit.port}"}
    status, text = new_outbox(publisher, route={"topic": "q"}).check()
    assert status == 1 and "log in to 127.0.0.1" in text, text
