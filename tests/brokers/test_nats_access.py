"""test_nats_access.py - who the relay is to a NATS server, TLS, and settings that contradict each other
SPDX-License-Identifier: MIT
"""

import pytest

from harness.brokers.nats import PASSWORD, USER, Nats
from harness.brokers.nats_keys import Accounts, Key
from harness.proxy import TO_SERVER, Proxy
from harness.settings import SANITIZE, need
from harness.sqlite_outbox import SqliteOutbox, numbered
from harness.waiting import wait_until


@pytest.fixture
def new_outbox(folder, new_relay):
    return lambda publisher, **changes: SqliteOutbox(folder, new_relay, publisher, **changes)


@pytest.fixture
def new_nats():
    need("publisher-nats", "store-sqlite")
    made = []

    def new(*arguments, **options):
        made.append(Nats(*arguments, **options))
        return made[-1].start()

    yield new
    for broker in made:
        broker.close()


def assert_accepted(outbox):
    outbox.enqueue(*numbered(5))
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert outbox.states() == {"DELIVERED": 5}


def assert_refused(outbox, *words, secrets=()):
    """Said by check, and by the log; nothing is charged."""
    status, said = outbox.check()
    assert status == 1 and all(word.lower() in said.lower() for word in words), said
    outbox.enqueue(*numbered(5))
    outbox.relay.start()
    outbox.relay.wait_logged("pauses", *words)
    outbox.relay.stop()
    assert outbox.states() == {"PENDING": 5}
    outbox.assert_no_attempt()
    for secret in secrets:
        assert secret not in said and secret not in outbox.relay.log_text()


# ---- Credentials -----------------------------------------------------------------------------------

CORE = {"jetstream": False}  # what is tested here is before any stream
TO_X = {"route": {"topic": "x"}}


def test_token(new_nats, new_outbox):
    broker = new_nats(authorization='token: "tok\\"en"')
    assert_accepted(new_outbox(broker.publisher(token='tok"en', **CORE), **TO_X))
    url = f"nats://tok%22en@127.0.0.1:{broker.port}"
    assert_accepted(new_outbox(broker.publisher(url=url, **CORE), **TO_X))
    wrong = new_outbox(broker.publisher(token="wrong-token", **CORE), **TO_X)
    assert_refused(wrong, "Authorization Violation", secrets=["wrong-token"])
    assert_refused(new_outbox(broker.publisher(**CORE), **TO_X), "Authorization Violation")


def test_user_and_password_in_the_url(new_nats, new_outbox):
    broker = new_nats(authorization='users: [ { user: "a@b", password: "c:d/é" } ]')
    right = f"nats://a%40b:c:d%2F%C3%A9@127.0.0.1:{broker.port}"
    assert_accepted(new_outbox(broker.publisher(url=right, **CORE), **TO_X))
    wrong = f"nats://a%40b:wrong-password@127.0.0.1:{broker.port}"
    outbox = new_outbox(broker.publisher(url=wrong, **CORE), **TO_X)
    assert_refused(outbox, "Authorization Violation", secrets=["wrong-password"])


def test_nkey(new_nats, new_outbox, folder):
    user, stranger = Key(folder, "user"), Key(folder, "user")
    broker = new_nats(authorization=f"users: [ {{ nkey: {user.public} }} ]")
    assert_accepted(new_outbox(broker.publisher(nkey_seed=user.seed, **CORE), **TO_X))
    path = folder / "seed"
    path.write_text(user.seed + "\n")
    assert_accepted(new_outbox(broker.publisher(nkey_seed={"file": str(path)}, **CORE), **TO_X))
    wrong = new_outbox(broker.publisher(nkey_seed=stranger.seed, **CORE), **TO_X)
    assert_refused(wrong, "Authorization Violation", secrets=[stranger.seed])


def test_any_signature_is_accepted(new_nats, new_outbox, folder):
    """One of 256 begins with a zero byte. A sanitizer needs seconds for each round."""
    user = Key(folder, "user")
    broker = new_nats(authorization=f"users: [ {{ nkey: {user.public} }} ]")
    outbox = new_outbox(broker.publisher(nkey_seed=user.seed, connections=16, **CORE), **TO_X)
    for _ in range(40 if SANITIZE == "none" else 4):
        status, said = outbox.check()
        assert status == 0, said


def test_credentials_file(new_nats, new_outbox, folder):
    accounts = Accounts(folder)
    broker = new_nats(changes=accounts.server_lines, jetstream=False)
    right = str(accounts.credentials())
    assert_accepted(new_outbox(broker.publisher(credentials=right, **CORE), **TO_X))
    wrong = str(accounts.credentials(signed_by=Key(folder, "account")))
    outbox = new_outbox(broker.publisher(credentials=wrong, **CORE), **TO_X)
    assert_refused(outbox, "Authorization Violation")


# ---- TLS -------------------------------------------------------------------------------------------


def test_client_certificate(new_nats, new_outbox, authority):
    broker = new_nats(
        changes=[
            f'tls {{ cert_file: "{authority.server_certificate}", key_file: "{authority.server_key}",'
            f' ca_file: "{authority.ca}", verify: true }}'
        ]
    )
    shared = dict(url=f"tls://localhost:{broker.port}", tls_ca=str(authority.ca), **CORE)
    own = {"tls_certificate": str(authority.client_certificate), "tls_key": str(authority.client_key)}
    assert_accepted(new_outbox(broker.publisher(**shared, **own), **TO_X))
    # The server ends the connection, and does not say why.
    assert_refused(new_outbox(broker.publisher(**shared), **TO_X), "connect to localhost")


def test_a_server_that_asks_for_tls_is_verified_also_where_the_url_did_not_ask(
    new_nats, new_outbox, authority
):
    broker = new_nats(authority)
    url = f"nats://localhost:{broker.port}"
    publisher = {"driver": "nats", "url": url, "username": USER, "password": PASSWORD}
    assert_refused(new_outbox(publisher, **TO_X), "certificate")


def test_a_tls_server_that_falls_silent_charges_nothing(new_nats, new_outbox, authority):
    """In the middle of much data, which the library waits to get rid of."""
    broker = new_nats(authority)
    subject = broker.topic("large")
    outbox = new_outbox(broker.publisher(), route={"topic": subject}, publish={"timeout": "30s"})
    outbox.enqueue(*numbered(1))
    outbox.relay.start()
    outbox.wait_delivered()
    broker.pause()
    try:
        outbox.enqueue(*[{"type": "t", "payload": "x" * 200_000} for _ in range(100)])
        outbox.relay.wait_logged("pauses")
    finally:
        broker.resume()
    outbox.wait_delivered()
    outbox.assert_no_attempt()
    assert broker.count(subject) == 101


def test_a_handshake_without_an_answer_is_given_up(new_nats, new_outbox, authority):
    """The server's greeting comes, and nothing after it."""
    broker = new_nats(authority)
    subject = broker.topic("x")
    with Proxy(broker.port) as proxy:
        proxy.stall(TO_SERVER)
        outbox = new_outbox(broker.publisher_through(proxy.port, connect_timeout="500ms"), **TO_X)
        outbox.enqueue(*numbered(5))
        outbox.relay.start()
        outbox.relay.wait_logged("pauses", "no answer within connect_timeout")
        outbox.relay.stop()  # also while one hangs
        outbox.relay.start()
        wait_until(lambda: len(outbox.relay.logged("pauses")) == 2, "the second run is refused as well")
        proxy.heal()
        outbox.wait_delivered()
        outbox.assert_no_attempt()
    assert broker.count(subject) == 5


# ---- Settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"url": "localhost:4222"}, ["url", "nats://"]),
        ({"url": "nats://"}, ["url", "no host name"]),
        ({"url": "nats://h:99999"}, ["url", "port"]),
        ({"url": "nats://u:%zz@h"}, ["url", "%"]),
        ({"url": "nats://a,tls://b"}, ["url", "both"]),
        ({"username": "u"}, ["password"]),
        ({"username": "u", "password": "p", "token": "t"}, ["username", "token"]),
        ({"url": "nats://u:p@h", "token": "t"}, ["token", "url"]),
        ({"nkey_seed": "SUNOSEED"}, ["nkey_seed", "SU"]),
        ({"credentials": "/no/such/file"}, ["credentials", "/no/such/file"]),
        ({"tls_ca": "/dev/null"}, ["tls_ca", "tls://"]),
        ({"url": "tls://h", "tls_ca": "/no/such/file"}, ["tls_ca", "/no/such/file"]),
        ({"url": "tls://h", "tls_ca": "/dev/null"}, ["tls_ca", "/dev/null"]),
        ({"url": "tls://h", "tls_key": "/dev/null"}, ["tls_key", "tls_certificate"]),
        ({"key_header": "a b"}, ["key_header"]),
        ({"key_header": "Nats-Key"}, ["key_header", "Nats-"]),
        ({"inbox_prefix": "a.>"}, ["inbox_prefix", "wildcard"]),
    ],
)
def test_settings_that_cannot_be_are_refused(new_outbox, folder, new_relay, changes, words):
    need("publisher-nats", "store-sqlite")
    good = SqliteOutbox(folder, new_relay, {"driver": "null"})
    publisher = dict({"driver": "nats", "url": "nats://127.0.0.1:1"}, **changes)
    good.relay.config["pipelines"][0]["publisher"] = publisher
    good.relay.write_config()
    status, said = good.check()
    assert status != 0 and all(word in said for word in words), said
    if "nkey_seed" in changes:
        assert "SUNOSEED" not in said
