"""test_rabbitmq.py - what only RabbitMQ has: exchanges, confirms, returns, alarms, rights
SPDX-License-Identifier: MIT
"""

import base64
import contextlib
import itertools
import json
import os
import socket

import pytest

from harness.brokers.rabbitmq import RabbitMQ
from harness.settings import events, need
from harness.sqlite_outbox import SqliteOutbox, numbered

LARGEST = 1024 * 1024  # bytes of a message, by the node's configuration
names = itertools.count(1)


@pytest.fixture(scope="module")
def rabbit():
    """The node of these tests."""
    need("publisher-rabbitmq", "store-sqlite")
    broker = RabbitMQ()
    broker.config.append(f"max_message_size = {LARGEST}")
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def queue(rabbit):
    return rabbit.topic(f"q{next(names)}")


@pytest.fixture
def new_outbox(folder, new_relay):
    return lambda publisher, **changes: SqliteOutbox(folder, new_relay, publisher, **changes)


@contextlib.contextmanager
def silent_address(address, port):
    """Where connections are neither made nor refused: others wait already, as many as may."""
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.socket(socket.AF_INET6))
        silent.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        silent.bind((address, port))
        silent.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket(socket.AF_INET6))
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


def payloads(rabbit, queue):
    return sorted(int(body) for _, _, body in rabbit.messages(queue))


# ---- How a message travels -------------------------------------------------------------------------


def test_properties_arrive(rabbit, queue, new_outbox):
    outbox = new_outbox(
        rabbit.publisher(),
        route={
            "topic": queue,
            "properties": {
                "priority": "7", "expiration": "3600000", "type": "a type", "correlation_id": "c-{type}",
                "reply_to": "r", "app_id": "shop", "user_id": "guest", "content_encoding": "identity",
                "content_type": "text/plain",
            },
        },
    )  # fmt: skip
    outbox.enqueue({"type": "order.created", "payload": "x", "key": "k", "headers": {"h": "v é"}})
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    ((_, properties, body),) = rabbit.messages(queue)
    ((event_id, created_at),) = outbox.rows("event_id, created_at")
    assert body == b"x"
    assert properties.message_id == event_id and properties.delivery_mode == 2
    assert (properties.priority, properties.expiration, properties.type) == (7, "3600000", "a type")
    assert (properties.correlation_id, properties.reply_to) == ("c-order.created", "r")
    assert (properties.app_id, properties.user_id) == ("shop", "guest")
    assert (properties.content_encoding, properties.content_type) == ("identity", "text/plain")
    assert properties.timestamp > 1600000000, created_at
    assert properties.headers["h"] == "v é" and properties.headers["event-key"] == "k"
    assert properties.headers["event-id"] == event_id


def test_left_out_properties_have_defaults(rabbit, queue, new_outbox):
    outbox = new_outbox(
        rabbit.publisher(key_header=""),
        route={"topic": queue, "properties": {"priority": "{header:p|}"}},
    )
    outbox.enqueue({"type": "order.created", "payload": "", "key": "k"})
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    ((_, properties, body),) = rabbit.messages(queue)
    assert (body, properties.type, properties.priority) == (b"", "order.created", None)
    assert "event-key" not in properties.headers


def test_cloudevents_attributes_are_headers(rabbit, queue, new_outbox):
    outbox = new_outbox(rabbit.publisher(), route={"topic": queue, "format": "cloudevents"})
    outbox.enqueue({"type": "order.created", "payload_json": {"a": 1}, "key": "k"})
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    ((_, properties, body),) = rabbit.messages(queue)
    assert json.loads(body) == {"a": 1}
    assert properties.content_type == "application/json"
    assert properties.headers["cloudEvents_specversion"] == "1.0"
    assert properties.headers["cloudEvents_type"] == "order.created"
    assert properties.headers["cloudEvents_id"] == properties.message_id


def test_transient_where_it_is_asked_for(rabbit, queue, new_outbox):
    outbox = new_outbox(
        rabbit.publisher(), route={"topic": queue, "properties": {"delivery_mode": "1"}}
    )
    outbox.enqueue({"type": "t", "payload": "x"})
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert rabbit.messages(queue)[0][1].delivery_mode == 1


@pytest.mark.parametrize(
    "name, value", [("priority", "256"), ("expiration", "1h"), ("delivery_mode", "3"), ("type", "x" * 256)]
)  # fmt: skip
def test_useless_property_is_dead_with_the_reason(rabbit, queue, new_outbox, name, value):
    outbox = new_outbox(rabbit.publisher(), route={"topic": queue, "properties": {name: value}})
    outbox.enqueue({"type": "t", "payload": "x"})
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert outbox.states() == {"DEAD": 1}
    assert name in outbox.errors()[0]


def test_headers_that_do_not_fit_are_dead_alone(rabbit, queue, new_outbox):
    outbox = new_outbox(rabbit.publisher(), route={"topic": queue})
    outbox.enqueue(
        {"type": "bad", "payload": "x", "headers": {"n" * 256: "v"}},
        {"type": "bad", "payload": "x", "headers": {"h": "v" * 140000}},
        {"type": "bad", "payload": "x", "key": "k", "headers": {"event-key": "mine"}},
        {"type": "good", "payload": "x", "headers": {"n" * 255: "v" * 100000, "e": ""}},
    )
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert outbox.states() == {"DEAD": 3, "DELIVERED": 1}
    name, size, key = outbox.errors()
    assert "255" in name and "frame" in size and "event-key" in key
    ((_, properties, _),) = rabbit.messages(queue)
    assert len(properties.headers["n" * 255]) == 100000 and properties.headers["e"] == ""


def test_large_and_binary_payloads_arrive_as_they_are(rabbit, queue, new_outbox):
    outbox = new_outbox(rabbit.publisher(), route={"topic": queue})
    sent = [bytes(range(256)) * 4 * size for size in (0, 1, 127, 128, 129, 500, 1000)]
    outbox.enqueue(
        *[{"type": "t", "payload_base64": base64.b64encode(body).decode()} for body in sent]
    )
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert [body for _, _, body in rabbit.messages(queue)] == sent


# ---- Confirms --------------------------------------------------------------------------------------


@pytest.mark.parametrize("window, connections", [(1, 1), (7, 2), (100, 3), (5000, 1)])
def test_each_event_is_confirmed_once(rabbit, queue, new_outbox, window, connections):
    """Confirms come alone, for many at once and out of turn."""
    count = events(300 if window == 1 else 3000)
    outbox = new_outbox(
        rabbit.publisher(window=window, connections=connections), route={"topic": queue}
    )
    outbox.enqueue(*[dict(line, key=f"k{n % 5}") for n, line in enumerate(numbered(count))])
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert outbox.states() == {"DELIVERED": count}
    assert payloads(rabbit, queue) == list(range(count))


def test_events_of_one_key_keep_their_order(rabbit, queue, new_outbox):
    outbox = new_outbox(
        rabbit.publisher(connections=3), route={"topic": queue}, claim={"workers": 1}
    )
    outbox.enqueue(*[dict(line, key=f"k{n % 5}") for n, line in enumerate(numbered(1000))])
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    by_key = {}
    for _, properties, body in rabbit.messages(queue):
        by_key.setdefault(properties.headers["event-key"], []).append(int(body))
    assert len(by_key) == 5
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


@pytest.mark.parametrize("on_unroutable", ["retry", "reject"])
def test_unroutable_event_says_which_queue_is_missing(rabbit, queue, new_outbox, on_unroutable):
    outbox = new_outbox(rabbit.publisher(on_unroutable=on_unroutable), route={"topic": "{type}"})
    late = f"late{next(names)}"
    lines = numbered(50, queue) + numbered(50, late)
    outbox.enqueue(*[line for pair in zip(lines[:50], lines[50:]) for line in pair])
    outbox.relay.start()
    bad = f"event_type = '{late}'"
    outbox.wait(lambda: len(outbox.errors(bad)) == 50, "the reason is there")
    assert all("312" in error and late in error for error in outbox.errors(bad))
    outbox.wait_delivered(f"event_type = '{queue}'")
    outbox.assert_no_attempt(f"event_type = '{queue}'")
    assert payloads(rabbit, queue) == list(range(50))
    if on_unroutable == "reject":
        assert outbox.states() == {"DELIVERED": 50, "DEAD": 50}
        return
    rabbit.topic(late)
    outbox.wait_delivered()
    assert payloads(rabbit, late) == list(range(50))


def test_unroutable_for_a_binding_names_exchange_and_key(rabbit, new_outbox):
    outbox = new_outbox(rabbit.publisher(exchange="amq.topic"), route={"topic": "a.{type}"})
    outbox.enqueue({"type": "b", "payload": "x"})
    outbox.relay.start()
    (error,) = outbox.wait(lambda: outbox.errors(), "the reason is there")
    assert "amq.topic" in error and "a.b" in error


@pytest.mark.parametrize("on_nack", ["away", "retry"])
def test_full_queue(rabbit, new_outbox, on_nack):
    name = f"full{next(names)}"
    with rabbit.channel() as channel:
        channel.queue_declare(
            name, durable=True, arguments={"x-max-length": 10, "x-overflow": "reject-publish"}
        )
    outbox = new_outbox(rabbit.publisher(on_nack=on_nack), route={"topic": name})
    outbox.enqueue(*numbered(30))
    outbox.relay.start()
    outbox.wait(lambda: rabbit.count(name) >= 10 and outbox.errors(), "the queue is full")
    assert "nack" in outbox.errors("status <> 'DELIVERED'")[0]
    if on_nack == "away":
        outbox.relay.wait_logged("the pipeline pauses")
        outbox.assert_no_attempt()
    else:
        outbox.wait(lambda: outbox.rows("1", "attempts > 1"), "attempts are charged")
    arrived = set()
    with rabbit.channel() as channel:

        def take():
            body = channel.basic_get(name, auto_ack=True)[2]
            while body is not None:
                arrived.add(int(body))
                body = channel.basic_get(name, auto_ack=True)[2]
            return len(arrived) == 30

        outbox.wait(take, "all arrive as there is room")
    outbox.wait_delivered()
    if on_nack == "away":
        outbox.assert_no_attempt()


# ---- One message's fault is no other's -------------------------------------------------------------


def mixed(count, good, bad):
    """Good and bad events in turn."""
    return [
        line for pair in zip(numbered(count, good), numbered(count, bad)) for line in pair
    ]


def rule(event_type, **properties):
    return {"match": {"type": event_type}, "properties": properties}


@pytest.mark.parametrize("on_missing", ["retry", "reject"])
def test_missing_exchange_hurts_no_other_event(rabbit, queue, new_outbox, on_missing):
    outbox = new_outbox(
        rabbit.publisher(on_missing_exchange=on_missing),
        route={"topic": queue, "rules": [rule("bad", exchange="nowhere")]},
    )
    outbox.enqueue(*mixed(200, "good", "bad"))
    outbox.relay.start()
    outbox.wait_delivered("event_type = 'good'")
    outbox.wait(lambda: len(outbox.errors("event_type = 'bad'")) == 200, "the reason is there")
    assert all("404" in error and "nowhere" in error for error in outbox.errors())
    outbox.assert_no_attempt("event_type = 'good'")
    assert payloads(rabbit, queue) == list(range(200))
    if on_missing == "reject":
        assert outbox.states() == {"DELIVERED": 200, "DEAD": 200}
        return
    with rabbit.channel() as channel:
        channel.exchange_declare("nowhere", "fanout", durable=True)
        channel.queue_bind(queue, "nowhere")
    outbox.wait_delivered()
    with rabbit.channel() as channel:
        channel.exchange_delete("nowhere")
    assert rabbit.count(queue) == 400


def test_exchange_deleted_while_events_flow(rabbit, queue, new_outbox):
    """The channel with all that is in flight dies with it; what was in flight to others is sent
    again, so that it may come twice."""
    count = events(4000)
    doomed = f"doomed{next(names)}"
    with rabbit.channel() as channel:
        channel.exchange_declare(doomed, "fanout", durable=True)
        channel.queue_bind(queue, doomed)
    other = rabbit.topic(f"other{next(names)}")
    outbox = new_outbox(
        rabbit.publisher(), route={"topic": other, "rules": [rule("bad", exchange=doomed)]}
    )
    outbox.enqueue(*mixed(count, "good", "bad"))
    outbox.relay.start()
    outbox.wait(lambda: rabbit.count(other) > 20, "events flow")
    with rabbit.channel() as channel:
        channel.exchange_delete(doomed)
    outbox.wait_delivered("event_type = 'good'")
    outbox.assert_no_attempt("event_type = 'good'")
    assert set(payloads(rabbit, other)) == set(range(count))
    with rabbit.channel() as channel:
        channel.exchange_declare(doomed, "fanout", durable=True)
        channel.queue_bind(queue, doomed)
    outbox.wait_delivered()
    assert set(payloads(rabbit, queue)) == set(range(count))
    with rabbit.channel() as channel:
        channel.exchange_delete(doomed)


def test_message_that_the_broker_finds_too_large_is_dead_alone(rabbit, queue, new_outbox):
    outbox = new_outbox(rabbit.publisher(), route={"topic": queue}, publish={"max_payload": "8MiB"})
    lines = numbered(300, "good")
    lines[150] = {"type": "bad", "payload": "x" * (LARGEST + 1)}
    outbox.enqueue(*lines)
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert outbox.states() == {"DELIVERED": 299, "DEAD": 1}
    assert "message size" in outbox.errors("event_type = 'bad'")[0]
    outbox.assert_no_attempt("event_type = 'good'")
    assert {body for _, _, body in rabbit.messages(queue)} == {
        str(number).encode() for number in range(300) if number != 150
    }


def test_user_id_of_somebody_else_is_dead_alone(rabbit, queue, new_outbox):
    outbox = new_outbox(
        rabbit.publisher(), route={"topic": queue, "rules": [rule("bad", user_id="root")]}
    )
    outbox.enqueue(*mixed(20, "good", "bad"))
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert outbox.states() == {"DELIVERED": 20, "DEAD": 20}
    assert "user_id" in outbox.errors("event_type = 'bad'")[0]
    assert set(payloads(rabbit, queue)) == set(range(20))


# ---- Rights ----------------------------------------------------------------------------------------


@pytest.fixture
def clerk(rabbit):
    """A user who may write to exchange `open` and the default one, and there only with keys that
    begin with "free"; not to `closed`."""
    for exchange in ("open", "closed"):
        with rabbit.channel() as channel:
            channel.exchange_declare(exchange, "topic", durable=True)
    rabbit.tell(
        'rabbit_auth_backend_internal:add_user(<<"clerk">>, <<"pw">>, <<"t">>),'
        'rabbit_auth_backend_internal:set_permissions(<<"clerk">>, <<"/">>, <<"">>,'
        ' <<"^(open|amq.default)$">>, <<"">>, <<"t">>),'
        'rabbit_auth_backend_internal:set_topic_permissions(<<"clerk">>, <<"/">>, <<"open">>,'
        ' <<"^free">>, <<".*">>, <<"t">>).'
    )
    yield {"username": "clerk", "password": "pw"}
    rabbit.tell('rabbit_auth_backend_internal:delete_user(<<"clerk">>, <<"t">>).')


def test_exchange_without_the_right_hurts_no_other_event(rabbit, queue, clerk, new_outbox):
    outbox = new_outbox(
        rabbit.publisher(**clerk),
        route={"topic": queue, "rules": [rule("bad", exchange="closed")]},
    )
    outbox.enqueue(*mixed(100, "good", "bad"))
    outbox.relay.start()
    outbox.wait_delivered("event_type = 'good'")
    outbox.wait(lambda: len(outbox.errors("event_type = 'bad'")) == 100, "the reason is there")
    assert all("closed" in error and "refused" in error for error in outbox.errors())
    outbox.assert_no_attempt("event_type = 'good'")
    assert payloads(rabbit, queue) == list(range(100))


def test_routing_key_without_the_right_hurts_no_other_event(rabbit, queue, clerk, new_outbox):
    with rabbit.channel() as channel:
        channel.queue_bind(queue, "open", "#")
    outbox = new_outbox(rabbit.publisher(exchange="open", **clerk), route={"topic": "{type}"})
    outbox.enqueue(*mixed(50, "free.x", "taken.x"))
    outbox.relay.start()
    outbox.wait_delivered("event_type = 'free.x'")
    outbox.wait(lambda: len(outbox.errors("event_type = 'taken.x'")) == 50, "the reason is there")
    assert all("taken.x" in error for error in outbox.errors("event_type = 'taken.x'"))
    outbox.assert_no_attempt("event_type = 'free.x'")
    assert set(payloads(rabbit, queue)) == set(range(50))


def test_wrong_password_and_vhost_are_told(rabbit, queue, clerk, new_outbox):
    for changes, words in (
        ({"username": "clerk", "password": "no-such"}, ("ACCESS_REFUSED", "clerk")),
        ({"vhost": "no-such-place"}, ("no-such-place", "not found", "add_vhost")),
    ):
        status, text = new_outbox(rabbit.publisher(**changes), route={"topic": queue}).check()
        assert status == 1 and all(word in text for word in words), text
        assert "no-such\"" not in text


def test_vhost_of_any_name(rabbit, new_outbox):
    rabbit.tell(
        'rabbit_vhost:add(<<"a/b c">>, <<"t">>),'
        'rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"a/b c">>,'
        ' <<".*">>, <<".*">>, <<".*">>, <<"t">>).'
    )
    with rabbit.channel("a/b c") as channel:
        channel.queue_declare("q", durable=True)
    url = f"amqp://guest:guest@127.0.0.1:{rabbit.port}/a%2Fb%20c"
    outbox = new_outbox(rabbit.publisher(url=url), route={"topic": "q"})
    outbox.enqueue(*numbered(10))
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert len(rabbit.messages("q", "a/b c")) == 10


def test_check_finds_what_is_missing(rabbit, queue, clerk, new_outbox):
    outbox = new_outbox(
        rabbit.publisher(**clerk),
        publish={"max_payload": "256MiB"},
        route={
            "topic": queue,
            "rules": [
                dict(rule("a"), topic="no-such-queue"),
                rule("b", exchange="closed"),
                dict(rule("c", exchange="open"), topic="taken.x"),
                dict(rule("d", exchange="open"), topic="free.x"),
            ],
        },
    )
    with rabbit.channel() as channel:
        channel.queue_bind(queue, "open", "#")
    status, text = outbox.check()
    assert status == 1, text
    for word in ("no-such-queue", "closed", "taken.x", "set_permissions", "max_message_size"):
        assert word in text, f"{word}: {text}"
    assert "free.x" not in text and f'"{queue}"' not in text, text
    assert rabbit.count(queue) == 0, "check has sent something"
    outbox = new_outbox(rabbit.publisher(exchange="nowhere"), route={"topic": "x"})
    status, text = outbox.check()
    assert status == 1 and "nowhere" in text and "declare exchange" in text, text
    status, text = new_outbox(rabbit.publisher(), route={"topic": queue}).check()
    assert status == 0, text


# ---- A broker that is away -------------------------------------------------------------------------


def test_blocked_connection_and_back(rabbit, queue, new_outbox):
    outbox = new_outbox(rabbit.publisher(), route={"topic": queue})
    outbox.enqueue(*numbered(10))
    outbox.relay.start()
    outbox.wait_delivered()
    rabbit.fill(queue)
    try:
        # The connection learns of it with its first message; what is sent later waits for it.
        outbox.enqueue(*numbered(10))
        outbox.relay.wait_logged("the broker blocks publishing", "memory")
        outbox.enqueue(*numbered(10))
        outbox.relay.wait_logged("the pipeline pauses")
    finally:
        rabbit.make_room(queue)
    outbox.wait_delivered()
    outbox.assert_no_attempt()
    assert rabbit.count(queue) == 30


def test_relay_that_starts_while_publishing_is_blocked(rabbit, queue, new_outbox):
    """A new connection may log in and is blocked by its first message: it must not take the log-in for
    the end of the alarm."""
    outbox = new_outbox(rabbit.publisher(), route={"topic": queue})
    outbox.enqueue(*numbered(50))
    rabbit.fill(queue)
    try:
        outbox.relay.start()
        outbox.relay.wait_logged("the pipeline pauses", "the broker blocks publishing")
        outbox.assert_no_attempt()
    finally:
        rabbit.make_room(queue)
    outbox.wait_delivered()
    outbox.assert_no_attempt()
    assert payloads(rabbit, queue) == list(range(50))


def test_silent_broker_is_found_by_heartbeats(rabbit, queue, new_outbox):
    outbox = new_outbox(rabbit.publisher(heartbeat="1s"), route={"topic": queue})
    outbox.enqueue(*numbered(10))
    outbox.relay.start()
    outbox.wait_delivered()
    rabbit.pause()
    try:
        outbox.enqueue(*numbered(10))
        outbox.relay.wait_logged("silent")
        outbox.relay.wait_logged("the pipeline pauses")
        outbox.assert_no_attempt()
    finally:
        rabbit.resume()
    outbox.wait_delivered()
    outbox.assert_no_attempt()
    assert set(payloads(rabbit, queue)) == set(range(10))


def test_next_host_of_the_list_is_tried(rabbit, queue, new_outbox):
    url = f"amqp://127.0.0.1:1,127.0.0.1:{rabbit.port}"
    outbox = new_outbox(rabbit.publisher(url=url), route={"topic": queue})
    outbox.enqueue(*numbered(10))
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert rabbit.count(queue) == 10


def test_next_address_of_a_name_is_tried(rabbit, queue, new_outbox, folder):
    """The name stands for two addresses, and at the one that is tried first nobody answers."""
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n::1 two.test\n127.0.0.1 two.test\n")
    outbox = new_outbox(
        rabbit.publisher(url=f"amqp://two.test:{rabbit.port}", connect_timeout="4s"),
        route={"topic": queue},
    )  # fmt: skip
    outbox.relay.wrapper = [
        "unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]),
        "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh",
    ]  # fmt: skip
    outbox.enqueue(*numbered(3))
    with silent_address("::1", rabbit.port):
        outbox.relay.start()
        outbox.wait_delivered()
    assert payloads(rabbit, queue) == [0, 1, 2]
