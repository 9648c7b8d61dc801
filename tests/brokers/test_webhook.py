"""test_webhook.py - what is special to receivers of webhooks: statuses, signatures, redirects, addresses
SPDX-License-Identifier: MIT
"""

import base64
import hashlib
import hmac
import re
import time
from pathlib import Path

import pytest

from harness import settings
from harness.brokers.webhook import header
from harness.webhooks import certificates, new_receiver, outbox, receiver  # fixtures

ONE, TWO = b"first secret of the receiver", b"second secret of the receiver"
POISON = "poison"
EVENT_URL = {"properties": {"url": "{header:to|}"}}


def resident(process):
    """Bytes of memory that a process has."""
    (line,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(line) * 1024


def whsec(secret):
    return "whsec_" + base64.b64encode(secret).decode()


# ---- What is sent ---------------------------------------------------------------------------------


def test_one_event_as_a_receiver_sees_it(receiver, outbox):
    outbox.to(receiver.publisher(headers={"X-Tenant": "blue", "X-Empty": ""}))
    event_id = outbox.put('{"a":1}', "order created/ü", key="", headers={"a": "é", "x-tenant": "red"})
    outbox.once()
    (request,) = receiver.requests()
    assert (request["method"], request["body"]) == ("POST", b'{"a":1}')
    assert request["path"] == "/order%20created%2F%C3%BC"
    assert header(request, "webhook-id") == header(request, "event-id") == event_id.encode()
    assert header(request, "event-type") == "order created/ü".encode()
    assert header(request, "content-type") == b"application/json"
    assert header(request, "event-key") == header(request, "x-empty") == b""
    assert header(request, "a") == "é".encode()
    assert header(request, "x-tenant") == b"red"
    assert header(request, "user-agent").startswith(b"outbox-relay/")
    for absent in ("expect", "webhook-signature", "webhook-timestamp", "authorization"):
        assert header(request, absent) is None


@pytest.mark.parametrize(
    "options, headers, expected",
    [
        ({}, {"Content-Type": "text/plain"}, b"text/plain"),
        ({"content_type": "application/x-thing"}, {}, b"application/x-thing"),
        ({"content_type": ""}, {}, None),
    ],
    ids=["of the event", "configured", "none"],
)
def test_content_type(receiver, outbox, options, headers, expected):
    outbox.to(receiver.publisher(**options)).put("x", headers=headers)
    outbox.once()
    assert header(receiver.requests()[0], "content-type") == expected


def test_method_and_an_empty_payload(receiver, outbox):
    outbox.to(receiver.publisher(method="PUT")).put("")
    outbox.once()
    (request,) = receiver.requests()
    assert (request["method"], request["body"]) == ("PUT", b"")
    assert header(request, "content-length") == b"0"


def test_large_payload_arrives_unaltered(receiver, outbox):
    body = bytes(range(256)) * 16 * 1024
    outbox.to(receiver.publisher(), publish={"max_payload": "8MiB"})
    outbox.put_all({"payload_base64": base64.b64encode(body).decode()})
    outbox.once()
    assert receiver.requests()[0]["body"] == body


def test_cloudevent_travels_in_binary_mode(receiver, outbox):
    outbox.to(receiver.publisher(), route={"format": "cloudevents"})
    event_id = outbox.put('{"a":1}', 'grüße "%"')
    outbox.once()
    (request,) = receiver.requests()
    assert request["body"] == b'{"a":1}'
    assert header(request, "ce-specversion") == b"1.0"
    assert header(request, "ce-id") == event_id.encode()
    assert header(request, "ce-type") == b"gr%C3%BC%C3%9Fe%20%22%25%22"
    assert header(request, "content-type") == b"application/json"


def test_cloudevent_in_an_envelope_says_so(receiver, outbox):
    outbox.to(receiver.publisher(), route={"format": "cloudevents-structured"})
    outbox.put('{"a":1}', headers={"content-type": "application/json"})
    outbox.once()
    content_type = header(receiver.requests()[0], "content-type")
    assert content_type.startswith(b"application/cloudevents+json")


@pytest.mark.parametrize(
    "headers",
    [{"no name": "x"}, {"Host": "elsewhere"}, {"content-length": "3"}, {"transfer-encoding": "x"},
     {"connection": "close"}, {"webhook-signature": "v1,x"}, {"a": "b\r\nc: d"}, {"a": " b"},
     {"event-key": "mine"}],
    ids=["name", "host", "length", "encoding", "connection", "signature", "line", "blank", "key"],
)  # fmt: skip
def test_header_that_http_cannot_carry_is_rejected_by_name(receiver, outbox, headers):
    event_id = outbox.to(receiver.publisher()).put(headers=headers, key="k")
    outbox.once()
    row = outbox.row(event_id)
    assert row["status"] == "DEAD"
    assert f'header "{next(iter(headers))}"' in row["last_error"]
    assert receiver.requests() == []


# ---- Signatures -----------------------------------------------------------------------------------


def signature(request, secret):
    signed = b".".join(
        [header(request, "webhook-id"), header(request, "webhook-timestamp"), request["body"]]
    )
    return b"v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())


@pytest.mark.parametrize(
    "secrets", [[ONE], [ONE, TWO], [bytes(range(127)), bytes(range(128))]],
    ids=["one", "while one is replaced", "the longest"],
)  # fmt: skip
def test_signature_is_that_of_standard_webhooks(receiver, outbox, secrets):
    outbox.to(receiver.publisher(secret=" ".join(map(whsec, secrets))))
    bodies = ["", "x", "é" * 1000, '{"a":"\\u0000"}']
    outbox.put_all(*[{"payload": body} for body in bodies])
    before = int(time.time())
    outbox.once()
    assert len(receiver.requests()) == len(bodies)
    for request in receiver.requests():
        assert before <= int(header(request, "webhook-timestamp")) <= time.time()
        expected = [signature(request, secret) for secret in secrets]
        assert header(request, "webhook-signature").split(b" ") == expected


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", " ", whsec(b"k" * 129)])
def test_secret_that_is_none_is_refused_and_not_shown(receiver, outbox, secret):
    outbox.to(receiver.publisher())
    outbox.relay.config["pipelines"][0]["publisher"]["secret"] = secret
    outbox.relay.write_config()
    said = outbox.refusal()
    assert '"secret"' in said
    assert "!!!!" not in said and "c2hvcnQ" not in said


# ---- Statuses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_success_is_delivered(receiver, outbox, status):
    receiver.rules({"status": status, "body": "fine"})
    outbox.to(receiver.publisher()).put()
    outbox.once()
    assert outbox.states() == {"DELIVERED": 1}


@pytest.mark.parametrize("status", [400, 403, 404, 410, 413, 422])
def test_client_error_is_dead_with_the_status_and_the_answer(receiver, outbox, status):
    receiver.rules({"status": status, "body": "no\r\n\tfield \x07 é <b>" + "x" * 5000})
    event_id = outbox.to(receiver.publisher()).put()
    outbox.once()
    row = outbox.row(event_id)
    assert (row["status"], row["attempts"]) == ("DEAD", 1)
    assert f"answered {status}: no field ? é <b>xxx" in row["last_error"]
    assert len(row["last_error"]) < 500


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_retried(receiver, outbox, status):
    receiver.rules({"status": status, "body": "later"})
    event_id = outbox.to(receiver.publisher()).put()
    outbox.relay.start()
    row = outbox.wait_tried(event_id)
    assert row["status"] == "PENDING"
    assert f"answered {status}: later" in row["last_error"]


def test_one_refused_event_does_not_hold_the_others(receiver, outbox):
    receiver.rules({"payload": POISON, "status": 422})
    outbox.to(receiver.publisher())
    outbox.put_all(*[{"payload": POISON if n % 10 == 3 else "x"} for n in range(200)])
    outbox.once()
    assert outbox.states() == {"DELIVERED": 180, "DEAD": 20}


def test_refused_token_charges_nothing_until_it_is_right(new_receiver, outbox):
    receiver = new_receiver(authorization="Bearer right")
    outbox.to(receiver.publisher(bearer_token="wrong-token-of-ours")).put()
    assert "401" in outbox.refusal()
    outbox.relay.start()
    outbox.relay.wait_logged("refuses the credentials")
    outbox.relay.stop()
    assert (outbox.states(), outbox.attempts()) == ({"PENDING": 1}, 0)
    assert "wrong-token-of-ours" not in outbox.relay.log_text()
    outbox.to(receiver.publisher(bearer_token="right")).once()
    assert outbox.states() == {"DELIVERED": 1}


def test_secret_that_the_receiver_repeats_is_not_told(receiver, outbox):
    receiver.rules({"status": 400, "behave": "echo"})
    secrets = {"bearer_token": "token-of-ours", "headers": {"x-api-key": "key-of-ours"}}
    event_id = outbox.to(receiver.publisher(**secrets)).put()
    outbox.once()
    told = outbox.row(event_id)["last_error"] + outbox.relay.log_text()
    assert "repeats a secret" in told
    assert "of-ours" not in told


def test_path_of_the_url_that_the_receiver_repeats_is_not_told(receiver, outbox):
    place = "/hooks/T01/token-of-ours?key=query-of-ours"
    receiver.rules({"status": 404, "body": f"Cannot POST {place}; unknown: token-of-ours"})
    url = f"http://localhost:{receiver.port}{place}"
    event_id = outbox.to(receiver.publisher(url=url)).put()
    outbox.once()
    told = outbox.row(event_id)["last_error"]
    assert "Cannot POST /hooks/T01/*************?key=*************; unknown: ****" in told
    assert "of-ours" not in told + outbox.relay.log_text()


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_and_charges_nothing(receiver, outbox, status, form):
    wait = 2
    headers = {"Retry-After": str(wait)}
    if form == "date":
        clock = time.time() + 86400  # of a receiver that is a day ahead
        http_date = "%a, %d %b %Y %H:%M:%S GMT"
        headers = {
            "Date": time.strftime(http_date, time.gmtime(clock)),
            "Retry-After": time.strftime(http_date, time.gmtime(clock + wait)),
        }
    receiver.rules({"status": status, "headers": headers, "times": 1})
    outbox.to(receiver.publisher(window=1))
    outbox.put_all(*[{"payload": "x"}] * 5)
    outbox.relay.start()
    outbox.wait_states(DELIVERED=5)
    first, *others = receiver.requests()
    assert first["status"] == status
    assert min(one["at"] for one in others) >= first["at"] + wait
    assert outbox.attempts() == 0
    assert len(outbox.relay.logged("has asked to wait")) <= 1


# ---- Redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_off_unless_wanted(receiver, outbox, status):
    target = f"http://127.0.0.1:{receiver.port}/there?token=hidden"
    receiver.rules({"path": "/t", "status": status, "headers": {"Location": target}})
    event_id = outbox.to(receiver.publisher()).put()
    outbox.relay.start()
    reason = outbox.wait_tried(event_id)["last_error"]
    assert f"answered {status}, to http://127.0.0.1:{receiver.port}" in reason
    assert "redirects are not followed" in reason and "hidden" not in reason
    assert [one["path"] for one in receiver.events()] == ["/t"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_that_is_followed_keeps_method_and_payload(receiver, outbox, status):
    receiver.rules({"path": "/t", "status": status, "headers": {"Location": "/there"}})
    outbox.to(receiver.publisher(redirects=1, bearer_token="mine", headers={"x-own": "1"}))
    outbox.put("the payload")
    outbox.once()
    request = receiver.events()[-1]
    assert (request["method"], request["path"]) == ("POST", "/there")
    assert request["body"] == b"the payload"
    assert header(request, "authorization") == b"Bearer mine"
    assert header(request, "x-own") == b"1"


def test_redirect_to_another_origin_takes_no_credentials_along(new_receiver, outbox):
    receiver, other = new_receiver(), new_receiver()
    target = f"http://localhost:{other.port}/there"
    receiver.rules({"status": 307, "headers": {"Location": target}})
    secrets = {"username": "u", "password": "p", "headers": {"x-api-key": "k"}}
    outbox.to(receiver.publisher(redirects=3, **secrets))
    outbox.put("the payload", headers={"a": "b"})
    outbox.once()
    (request,) = other.events()
    assert (request["body"], header(request, "a")) == (b"the payload", b"b")
    assert header(request, "authorization") is None
    assert header(request, "x-api-key") is None


def test_redirects_in_a_circle_end(receiver, outbox):
    receiver.rules({"status": 307, "headers": {"Location": "/t"}})
    event_id = outbox.to(receiver.publisher(redirects=3)).put()
    outbox.relay.start()
    assert '"redirects" are used up' in outbox.wait_tried(event_id)["last_error"]
    assert len(receiver.events()) == 4


def test_redirect_from_https_to_http_is_not_followed(new_receiver, outbox, certificates):
    plain, receiver = new_receiver(), new_receiver(secure=certificates)
    receiver.rules({"status": 307, "headers": {"Location": f"http://localhost:{plain.port}/"}})
    event_id = outbox.to(receiver.publisher(redirects=3)).put()
    outbox.relay.start()
    assert "from https:// to http://" in outbox.wait_tried(event_id)["last_error"]
    assert plain.requests() == []


def test_event_that_is_redirected_to_nowhere_does_not_come_back_for_ever(new_receiver, outbox):
    receiver, other = new_receiver(), new_receiver()
    target = f"http://127.0.0.1:{other.port}/"
    receiver.rules({"payload": POISON, "status": 307, "headers": {"Location": target}})
    other.kill()
    outbox.to(receiver.publisher(redirects=1), retry={"base_delay": "10ms", "max_attempts": 2})
    event_id = outbox.put(POISON)
    outbox.relay.start()

    def is_dead_while_others_come():
        outbox.put("x")
        return outbox.row(event_id)["status"] == "DEAD"

    outbox.wait(is_dead_while_others_come, "the event is DEAD")
    assert "again and again" in outbox.row(event_id)["last_error"]
    outbox.wait(lambda: set(outbox.states()) == {"DELIVERED", "DEAD"}, "others are delivered")


# ---- Receivers that events name, private addresses ------------------------------------------------


def test_private_address_is_refused(receiver, outbox):
    outbox.to(receiver.publisher(private_addresses="refuse")).put()
    assert "private address" in outbox.refusal()
    outbox.relay.start()
    outbox.relay.wait_logged("pauses", "private address")
    outbox.wait_states(PENDING=1)
    assert outbox.attempts() == 0
    assert receiver.requests() == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"],
)
def test_event_cannot_reach_a_private_address(receiver, outbox, host):
    """Also where a connection is there already, made for an event that may use it."""
    outbox.to(receiver.publisher(event_urls=True, window=1), route=EVENT_URL)
    own = outbox.put()
    event_id = outbox.put(headers={"to": f"http://{host}:{receiver.port}/admin"})
    outbox.once()
    row = outbox.row(event_id)
    assert row["status"] == "DEAD" and "private address" in row["last_error"], row
    assert [header(one, "webhook-id") for one in receiver.events()] == [own.encode()]


def test_no_private_network_can_be_reached(receiver, outbox):
    hosts = [
        "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.1.2.3", "127.255.255.254", "224.0.0.1", "255.255.255.255", "198.18.0.1", "[::]",
        "[fd00::1]", "[fe80::1]", "[ff02::1]", "[::ffff:10.0.0.1]", "[64:ff9b::10.0.0.1]",
        "[2002:a00:1::1]", "[2001:db8::1]", "[::10.0.0.1]",
    ]  # fmt: skip
    outbox.to(receiver.publisher(event_urls=True), route=EVENT_URL)
    ids = outbox.put_all(*[{"payload": "x", "headers": {"to": f"http://{host}/"}} for host in hosts])
    outbox.once()
    reasons = {host: outbox.row(event_id)["last_error"] for host, event_id in zip(hosts, ids)}
    assert outbox.states() == {"DEAD": len(hosts)}
    assert [host for host in hosts if "private address" not in reasons[host]] == [], reasons


def test_event_names_its_receiver_which_sees_no_credentials(new_receiver, outbox):
    receiver, other = new_receiver(), new_receiver()
    secrets = {"username": "u", "password": "p", "headers": {"x-api-key": "k"}}
    outbox.to(
        receiver.publisher(
            event_urls=True, private_addresses="allow", secret=whsec(ONE), **secrets
        ),
        route=EVENT_URL,
    )
    outbox.put("x", headers={"to": f"http://127.0.0.1:{other.port}/hook?a=b"})
    outbox.once()
    assert receiver.requests() == []
    (request,) = other.requests()
    assert request["path"] == "/hook?a=b"
    assert header(request, "authorization") is None and header(request, "x-api-key") is None
    assert header(request, "webhook-signature") == signature(request, ONE)


@pytest.mark.parametrize(
    "url, allowed, reason",
    [
        ("http://127.0.0.1:1/", False, '"event_urls" is off'),
        ("ftp://127.0.0.1/", True, "not an http:// or https:// URL"),
        ("file:///etc/passwd", True, "not an http:// or https:// URL"),
        ("http://u:p@127.0.0.1/", True, "user name or a password"),
        ("http://127.0.0.1/ HTTP/1.1", True, "control byte"),
    ],
)
def test_useless_url_of_an_event_is_rejected(receiver, outbox, url, allowed, reason):
    outbox.to(receiver.publisher(event_urls=allowed), route=EVENT_URL)
    event_id = outbox.put(headers={"to": url})
    outbox.once()
    row = outbox.row(event_id)
    assert row["status"] == "DEAD" and reason in row["last_error"], row


@pytest.mark.skipif(settings.SANITIZE != "none", reason="a sanitizer keeps memory of its own")
def test_endless_urls_of_events_are_not_kept_in_memory(receiver, outbox):
    """Each comes while one request more is on its way, so that no two are looked at in one place."""
    one_by_one = {"workers": 1, "batch_size": 1}
    outbox.to(receiver.publisher(event_urls=True), claim=one_by_one, route=EVENT_URL)
    receiver.rules({"payload": "slow", "delay": 2})
    outbox.put("x")
    outbox.relay.start()
    outbox.wait_states(DELIVERED=1)
    before = resident(outbox.relay.process.pid)
    endless = {"payload": "x", "headers": {"to": "http://h/" + "a" * 4_000_000}}
    outbox.put_all(*[{"payload": "slow"}, endless] * 20)
    outbox.wait_states(DELIVERED=21, DEAD=20)
    assert resident(outbox.relay.process.pid) - before < 40_000_000


def test_receiver_of_one_event_that_is_away_does_not_hold_the_others(new_receiver, outbox):
    receiver, away = new_receiver(), new_receiver()
    away.kill()
    outbox.to(
        receiver.publisher(event_urls=True, private_addresses="allow"), route=EVENT_URL,
        retry={"base_delay": "10ms", "max_attempts": 3},
    )  # fmt: skip
    gone = {"to": f"http://127.0.0.1:{away.port}/t"}
    outbox.put_all(*[{"payload": "x", "headers": gone if n == 5 else {}} for n in range(50)])
    outbox.relay.start()
    outbox.wait_states(DELIVERED=49, DEAD=1)
    assert not outbox.relay.logged("pauses")
