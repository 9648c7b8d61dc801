"""test_webhook_network.py - webhooks over TLS and HTTP/2, and to receivers that behave badly
SPDX-License-Identifier: MIT
"""

import pytest

from harness.brokers.nginx import Nginx
from harness.brokers.webhook import header
from harness.waiting import wait_until
from harness.webhooks import certificates, new_receiver, outbox, receiver  # fixtures

POISON = "poison"

# ---- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, key",
    [
        ({"url": "ftp://localhost/"}, "url"),
        ({"url": "localhost/x"}, "url"),
        ({"url": "http://{topic}.localhost/"}, "url"),
        ({"url": "http://localhost/{type}"}, "url"),
        ({"url": "http://localhost/#x"}, "url"),
        ({"url": "http://u:secret-of-ours@localhost/", "username": "u"}, "username"),
        ({"password": "secret-of-ours"}, "password"),
        ({"username": "u", "bearer_token": "secret-of-ours"}, "bearer_token"),
        ({"headers": {"Host": "secret-of-ours"}}, "headers"),
        ({"headers": {"x": "secret-of-ours\n"}}, "headers"),
        ({"key_header": "no name"}, "key_header"),
        ({"tls_ca": "/etc/ssl/certs/ca-certificates.crt"}, "tls_ca"),
        ({"url": "https://localhost/", "tls_ca": "/no/such/file"}, "tls_ca"),
        ({"url": "https://localhost/", "tls_ca": "/etc/passwd"}, "tls_ca"),
        ({"url": "https://localhost/", "tls_certificate": "/etc/passwd"}, "tls_certificate"),
        ({"proxy": "http://u:secret-of-ours@localhost:1", "private_addresses": "refuse"}, "proxy"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(receiver, outbox, changes, key):
    outbox.to(receiver.publisher())
    outbox.relay.config["pipelines"][0]["publisher"].update(changes)
    outbox.relay.write_config()
    said = outbox.refusal()
    assert f'"{key}"' in said
    assert "secret-of-ours" not in said


def test_key_of_another_certificate_is_refused(new_receiver, outbox, certificates):
    receiver = new_receiver(secure=certificates)
    outbox.to(receiver.publisher())
    outbox.relay.config["pipelines"][0]["publisher"].update(
        tls_certificate=str(certificates.client_certificate), tls_key=str(certificates.server_key)
    )
    outbox.relay.write_config()
    assert '"tls_key"' in outbox.refusal()


# ---- TLS ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shows", ["stranger", "wrong_host", "expired"])
def test_bad_certificate_gets_nothing(new_receiver, outbox, certificates, shows):
    receiver = new_receiver(secure=certificates.presenting(shows))
    outbox.to(receiver.publisher()).put()
    assert "certificate" in outbox.refusal().lower()
    outbox.relay.start()
    outbox.relay.wait_logged("pauses", "certificate")
    outbox.wait_states(PENDING=1)
    assert outbox.attempts() == 0
    assert receiver.requests() == []


def test_client_certificate_is_shown(new_receiver, outbox, certificates):
    receiver = new_receiver(secure=certificates, client_ca=certificates.ca)
    outbox.to(receiver.publisher()).put()
    outbox.refusal()
    own = {
        "tls_certificate": str(certificates.client_certificate),
        "tls_key": str(certificates.client_key),
    }
    outbox.to(receiver.publisher(**own)).once()
    assert outbox.states() == {"DELIVERED": 1}


def test_check_warns_of_a_certificate_that_ends_soon(new_receiver, outbox, certificates):
    receiver = new_receiver(secure=certificates.presenting("soon"))
    done = outbox.to(receiver.publisher()).relay.run("check", "--connect")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "certificate" in said and "hours" in said


def test_secrets_in_the_url_are_not_told(new_receiver, outbox):
    receiver = new_receiver()
    url = f"http://user-of-ours:password-of-ours@localhost:{receiver.port}/path-of-ours/{{topic}}"
    receiver.kill()
    event_id = outbox.to(receiver.publisher(url=url)).put()
    said = outbox.refusal()
    outbox.relay.start()
    outbox.relay.wait_logged("pauses")
    told = said + outbox.relay.log_text() + str(outbox.row(event_id)["last_error"])
    assert "-of-ours" not in told
    assert f"http://localhost:{receiver.port}" in told
    receiver.start()
    outbox.wait_states(DELIVERED=1)
    (request,) = receiver.events()
    assert request["path"] == "/path-of-ours/t"
    assert header(request, "authorization").startswith(b"Basic ")


# ---- HTTP/2, connections --------------------------------------------------------------------------


@pytest.mark.parametrize("most, http2", [(63, True), (900, False)], ids=["HTTP 2", "HTTP 1.1"])
def test_header_that_cannot_be_sent_is_dead_and_stops_nobody(
    new_receiver, outbox, certificates, most, http2
):
    """libcurl would take it for lack of memory, or for a connection that is lost each time."""
    receiver = new_receiver(secure=certificates)
    if http2:
        receiver = new_receiver(Nginx(authority=certificates, http2=True))
        publisher = {"driver": "webhook", "url": receiver.url(), "tls_ca": str(certificates.ca)}
        taken = 4096  # nginx takes no more
    else:
        publisher = receiver.publisher(http_version="1.1")
        taken = most * 1024 - 1000
    outbox.to(publisher)
    sizes = [1, taken, most * 1024, 3 << 20]
    ids = outbox.put_all(
        *[{"payload": "x" * 65535, "headers": {"big": "x" * size}} for size in sizes],
        *[{"payload": "x"}] * 100,
    )
    outbox.once()
    assert outbox.states() == {"DELIVERED": 102, "DEAD": 2}
    for event_id in ids[2:4]:
        row = outbox.row(event_id)
        assert "the header of the request has" in row["last_error"] and row["attempts"] == 1, row
        assert ("http_version" in row["last_error"]) == http2


def told_by(nginx, count):
    """What nginx was told; it writes that down after it has answered."""
    wait_until(lambda: len(nginx.told()) >= count, f"nginx has told of {count} events")
    return nginx.told()


@pytest.mark.parametrize("plain", [False, True], ids=["tls", "plain"])
def test_http2_shares_a_connection(new_receiver, outbox, certificates, plain):
    nginx = new_receiver(Nginx(None if plain else certificates, http2=True))
    tls = {"http_version": "2"} if plain else {"tls_ca": str(certificates.ca)}
    outbox.to({"driver": "webhook", "url": nginx.url(), **tls})
    if plain and outbox.relay.run("check", "--connect").returncode != 0:
        assert "over http:// needs libcurl 8.0 or later" in outbox.refusal()
        return
    ids = outbox.put_all(*[{"payload": "x" * 500}] * 500)
    outbox.once()
    told = told_by(nginx, 500)
    assert sorted(one.id for one in told) == sorted(ids)
    assert {one.protocol for one in told} == {"HTTP/2.0"}
    assert len({one.connection for one in told}) == 1


def test_http1_is_used_where_that_is_wanted(new_receiver, outbox, certificates):
    nginx = new_receiver(Nginx(certificates, http2=True))
    tls = {"tls_ca": str(certificates.ca), "http_version": "1.1", "max_connections": 3}
    outbox.to({"driver": "webhook", "url": nginx.url(), **tls})
    outbox.put_all(*[{"payload": "x"}] * 100)
    outbox.once()
    told = told_by(nginx, 100)
    assert {one.protocol for one in told} == {"HTTP/1.1"}
    assert 1 <= len({one.connection for one in told}) <= 3


def test_threads_share_the_connections(new_receiver, outbox):
    nginx = new_receiver(Nginx())
    limits = {"threads": 4, "max_connections": 2}
    outbox.to({"driver": "webhook", "url": nginx.url(), **limits})
    outbox.put_all(*[{"payload": "x"}] * 500)
    outbox.once()
    assert len({one.connection for one in told_by(nginx, 500)}) <= 2


@pytest.mark.parametrize("http2", [False, True], ids=["1.1", "2"])
def test_connections_that_the_server_ends_cost_no_attempt(
    new_receiver, outbox, certificates, http2
):
    nginx = new_receiver(Nginx(certificates, http2=http2, requests=20))
    outbox.to({"driver": "webhook", "url": nginx.url(), "tls_ca": str(certificates.ca)})
    outbox.put_all(*[{"payload": "x"}] * 500)
    outbox.relay.start()
    outbox.wait_states(DELIVERED=500)
    assert outbox.attempts() == 0


# ---- Receivers that behave badly ------------------------------------------------------------------


@pytest.mark.parametrize("behave", ["half_body", "endless_body"])
def test_status_counts_whatever_becomes_of_the_body(receiver, outbox, behave):
    receiver.rules({"status": 200, "behave": behave, "times": 1})
    outbox.to(receiver.publisher(window=1)).put_all(*[{"payload": "x"}] * 2)
    outbox.once()
    assert outbox.states() == {"DELIVERED": 2}
    assert len(receiver.events()) == 2


def test_endless_header_is_cut_off(receiver, outbox):
    receiver.rules({"status": 200, "behave": "endless_header", "payload": POISON})
    outbox.to(receiver.publisher(window=1))
    event_id = outbox.put(POISON)
    outbox.put("x")
    outbox.relay.start()
    assert "header without an end" in outbox.wait_tried(event_id)["last_error"]
    outbox.wait_states(PENDING=1, DELIVERED=1)


@pytest.mark.parametrize("behave", ["close", "half_header"])
def test_connection_lost_before_the_answer_charges_nothing(receiver, outbox, behave):
    receiver.rules({"status": 200, "behave": behave, "times": 3})
    outbox.to(receiver.publisher()).put_all(*[{"payload": "x"}] * 20)
    outbox.relay.start()
    outbox.wait_states(DELIVERED=20)
    assert outbox.attempts() == 0
    assert outbox.relay.logged("closed the connection before it had answered")


def test_event_that_always_loses_its_connection_does_not_come_back_for_ever(receiver, outbox):
    receiver.rules({"payload": POISON, "behave": "close"})
    outbox.to(receiver.publisher())
    event_id = outbox.put(POISON)
    outbox.relay.start()

    def others_go_well():
        outbox.put("x")
        return outbox.row(event_id)["attempts"] > 0

    outbox.wait(others_go_well, "the event is charged")
    assert "again and again over this event" in outbox.row(event_id)["last_error"]


def test_request_without_an_answer_is_unknown_while_others_are_answered(receiver, outbox):
    # The others are answered one by one, for longer than the timeout and each in much less.
    receiver.rules({"payload": POISON, "behave": "silence"}, {"delay": 0.5})
    outbox.to(receiver.publisher(timeout="4s", window=2))
    event_id = outbox.put(POISON)
    outbox.put_all(*[{"payload": "x"}] * 10)
    outbox.relay.start()
    assert "gave no answer within" in outbox.wait_tried(event_id)["last_error"]
    outbox.wait_states(DELIVERED=10, PENDING=1)
    assert not outbox.relay.logged("pauses")


def test_silent_receiver_is_away_and_charges_nothing(receiver, outbox):
    outbox.to(receiver.publisher(timeout="3s"))
    outbox.relay.start()
    outbox.put()
    outbox.wait_states(DELIVERED=1)
    receiver.pause()
    try:
        outbox.put_all(*[{"payload": "x"}] * 100)
        outbox.relay.wait_logged("pauses", "gave no answer")
        outbox.wait_states(DELIVERED=1, PENDING=100)
    finally:
        receiver.resume()
    outbox.wait_states(DELIVERED=101)
    assert outbox.attempts() == 0


def test_slow_receiver_gets_no_more_than_the_window_and_no_event_is_blamed(receiver, outbox):
    """It answers so slowly that not all of a claim can be sent within publish.timeout."""
    receiver.rules({"delay": 0.1})
    outbox.to(receiver.publisher(window=3), publish={"timeout": "1s"})
    outbox.put_all(*[{"payload": "x"}] * 60)
    outbox.relay.start()
    outbox.wait_states(DELIVERED=60)
    assert max(one["in_flight"] for one in receiver.events()) == 3
    assert outbox.attempts() == 0


# ---- Proxies --------------------------------------------------------------------------------------


def test_proxy_is_used(new_receiver, outbox):
    receiver, proxy = new_receiver(), new_receiver()
    outbox.to(receiver.publisher(proxy=f"http://127.0.0.1:{proxy.port}")).put()
    outbox.once()
    assert receiver.requests() == []
    (request,) = proxy.requests()
    assert request["path"] == f"http://localhost:{receiver.port}/t"


def test_proxy_of_the_environment_does_not_help_to_a_private_address(new_receiver, outbox):
    receiver, proxy = new_receiver(), new_receiver()
    environment = {"http_proxy": f"http://127.0.0.1:{proxy.port}"}
    outbox.to(receiver.publisher(private_addresses="refuse"), environment).put()
    assert "private address" in outbox.refusal()
    assert receiver.requests() == proxy.requests() == []
