"""test_security.py - wrong credentials and certificates are refused, and nothing ever goes out in plain
SPDX-License-Identifier: MIT
"""

import pytest

from harness.waiting import wait_until

MARK = b"SECRET-PAYLOAD-" * 4
EVENTS = 5
ELSEWHERE = "127.0.0.2"  # no certificate names it

# A reason has to hold one of these; each library has its own words for the same.
OF_CREDENTIALS = ("auth", "password", "denied", "credential", "login", "access_refused", "401", "403")
OF_TRUST = ("certificate", "issuer", "unknown ca", "verif")
OF_TIME = ("expired", "certificate", "verif")
OF_NAME = ("host name", "hostname", "certificate", "verif", "subject")
OF_PLAIN = ("tls", "ssl", "handshake", "protocol", "within", "timed out", "no answer", "closed")


def insert_marked(stream):
    for number in range(EVENTS):
        stream.table.insert(MARK + b"%d" % number, stream.topic)


def holds_one(text, words):
    return any(word in text.lower() for word in words)


def assert_no_secret(text, secrets, where):
    for secret in secrets:
        assert secret not in text, f"{where} holds the secret {secret}"


def wait_check_says(relay, words, secrets):
    """A broker that does not answer a check in time, on a machine with too much to do, is asked again."""

    def why():
        done = relay.run("check", "--connect")
        said.append(done.stdout + done.stderr)
        assert done.returncode == 1, said
        return holds_one(said[-1], words)

    said = []
    wait_until(why, lambda: f"one of {words} is in what check says: {said[-1]}")
    assert_no_secret(str(said), secrets, "what check says")


def reasons(relay):
    """Why the publisher is away, from the first to the last."""
    return str(relay.logged("the pipeline pauses") + relay.logged("the publisher is still away"))


def assert_refused(
    stream, new_relay, proxy, changes, words, elsewhere=False, connect_timeout="10s"
):
    """`check --connect` and the log say why, and the events stay as they were. A broker that refuses does
    so in much less than connect_timeout, unless the machine has too much to do."""
    insert_marked(stream)
    secrets = [value for name, value in changes.items() if "password" in name]
    publisher = dict({"connect_timeout": connect_timeout}, **changes)
    pipeline = stream.pipeline(proxy.port, publisher=publisher)
    if elsewhere:
        pipeline["publisher"] = {
            name: value.replace("localhost", ELSEWHERE).replace("127.0.0.1", ELSEWHERE)
            if isinstance(value, str)
            else value
            for name, value in pipeline["publisher"].items()
        }
    stream.relay = relay = new_relay(pipeline)
    wait_check_says(relay, words, secrets)

    relay.start()
    relay.wait_logged("the pipeline pauses")
    wait_until(
        lambda: holds_one(reasons(relay), words),
        lambda: f"one of {words} is in the log: {reasons(relay)}", meanwhile=relay.assert_running,
    )  # fmt: skip
    before = proxy.connections
    wait_until(
        lambda: proxy.connections > before,
        lambda: f"the relay tries again: {stream.why()}", meanwhile=relay.assert_running,
    )  # fmt: skip
    relay.stop()
    assert_no_secret(relay.log_text(), secrets, "the log")
    assert stream.table.states() == {"PENDING": EVENTS}
    stream.assert_no_attempt()
    assert MARK not in proxy.seen, "a payload went out to a broker that was refused"
    assert stream.broker.count(stream.topic) == 0


@pytest.mark.parametrize("wanted", ["tls", "password"])
def test_right_ones_deliver(new_secure, new_stream, new_relay, wanted):
    broker = new_secure(wanted)
    stream = new_stream(broker)
    insert_marked(stream)
    with broker.proxy(record=True) as proxy:
        stream.relay = new_relay(stream.pipeline(proxy.port))
        checked = stream.relay.run("check", "--connect")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert stream.relay.once() == 0, stream.relay.log_tail()
        assert stream.table.states() == {"DELIVERED": EVENTS}
        assert sorted(message.payload for message in broker.read(stream.topic)) == [
            MARK + b"%d" % number for number in range(EVENTS)
        ]
        # What shows that the other tests would see a payload in plain, and what TLS is for.
        assert (MARK in proxy.seen) == ("tls" not in broker.secure)


def test_wrong_password_is_refused(new_secure, new_stream, new_relay):
    broker = new_secure("password")
    with broker.proxy(record=True) as proxy:
        assert_refused(
            new_stream(broker), new_relay, proxy, broker.wrong_password, OF_CREDENTIALS
        )
        if "tls" in broker.secure:
            for value in broker.wrong_password.values():
                assert value.encode() not in proxy.seen


def test_certificate_of_a_stranger_is_refused(new_secure, new_stream, new_relay, authority):
    broker = new_secure("tls")
    with broker.proxy(record=True) as proxy:
        changes = {"tls_ca": str(authority.other_ca)}
        assert_refused(new_stream(broker), new_relay, proxy, changes, OF_TRUST)


def test_certificate_for_another_host_is_refused(new_secure, new_stream, new_relay):
    """The server is who it says, but not at this address."""
    broker = new_secure("tls")
    with broker.proxy(record=True, address=ELSEWHERE) as proxy:
        assert_refused(new_stream(broker), new_relay, proxy, {}, OF_NAME, elsewhere=True)


@pytest.mark.parametrize("new_secure", ["nats", "redis", "webhook"], indirect=True)
def test_expired_certificate_is_refused(new_secure, new_stream, new_relay):
    """Of those that start in no time, for it takes a server of its own."""
    broker = new_secure("tls", "expired")
    with broker.proxy(record=True) as proxy:
        assert_refused(new_stream(broker), new_relay, proxy, {}, OF_TIME)


def test_tls_never_falls_back_to_plain(new_secure, servers, new_stream, new_relay):
    """A server that speaks no TLS gets nothing of a relay that was told to use it."""
    secure = new_secure("tls")
    plain = servers.get(secure.name)
    stream = new_stream(plain)
    stream.broker = Pointed(secure, plain)
    with plain.proxy(record=True) as proxy:
        # Some servers wait for more of what they take for a message.
        assert_refused(stream, new_relay, proxy, {}, OF_PLAIN, connect_timeout="2s")


class Pointed:
    """The settings of one broker and what arrives at another."""

    def __init__(self, settings_of, looked_at):
        self.name = settings_of.name
        self.publisher_through = settings_of.publisher_through
        self.count = looked_at.count
