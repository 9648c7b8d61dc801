"""test_nats.py - what only NATS has: streams, subjects, commands in headers, core NATS, what check finds
SPDX-License-Identifier: MIT
"""

import asyncio
import itertools
import json
import sqlite3
import urllib.request

import pytest

from harness.brokers.nats import Nats, client
from harness.settings import events, need
from harness.sqlite_outbox import SqliteOutbox, numbered

LARGEST = 20_000  # bytes of a message, by the server's configuration
names = itertools.count(1)


@pytest.fixture(scope="module")
def nats():
    """The server of these tests. The user "limited" may publish to allowed.> alone."""
    need("publisher-nats", "store-sqlite")
    broker = Nats(
        changes=[f"max_payload: {LARGEST}", "no_auth_user: any"],
        authorization="""users: [
            { user: any, password: any },
            { user: limited, password: p, permissions: {
                publish: "allowed.>", subscribe: "_INBOX.>" } },
            { user: deaf, password: p, permissions: { publish: ">", subscribe: "x" } } ]""",
    )
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def subject(nats):
    return nats.topic(f"test{next(names)}.events")


@pytest.fixture
def new_outbox(folder, new_relay):
    return lambda publisher, **changes: SqliteOutbox(folder, new_relay, publisher, **changes)


def connections(nats):
    """How many clients have ever connected."""
    with urllib.request.urlopen(f"http://127.0.0.1:{nats.monitor_port}/varz", timeout=5) as answer:
        return json.load(answer)["total_connections"]


def payloads(nats, subject):
    return [int(payload) for _, _, payload in nats.messages(subject)]


def deliver_dead(outbox, *lines):
    """Runs until nothing is pending; returns the reasons of what is dead, in order."""
    outbox.enqueue(*lines)
    assert outbox.relay.once() == 0, outbox.relay.log_tail()
    assert set(outbox.states()) <= {"DELIVERED", "DEAD"}, outbox.states()
    return outbox.errors("status = 'DEAD'")


# ---- How a message travels -------------------------------------------------------------------------


def test_key_id_and_properties_are_headers(nats, subject, new_outbox):
    properties = {"msg_id": "m-{id}", "expected_stream": subject.replace(".", "_"), "expected_last_msg_id": ""}
    outbox = new_outbox(nats.publisher(), route={"topic": subject, "properties": properties})
    assert not deliver_dead(outbox, {"type": "t", "payload": "x", "key": "k é", "headers": {"H": "v"}})
    ((arrived, headers, payload),) = nats.messages(subject)
    ((event_id,),) = outbox.rows("event_id")
    assert (arrived, payload) == (subject, b"x")
    assert dict(headers) == {
        b"event-id": event_id.encode(), b"event-type": b"t", b"event-key": "k é".encode(), b"H": b"v",
        b"Nats-Msg-Id": b"m-" + event_id.encode(),
        b"Nats-Expected-Stream": properties["expected_stream"].encode(),
    }  # fmt: skip


def test_cloudevents_attributes_are_headers(nats, subject, new_outbox):
    outbox = new_outbox(nats.publisher(key_header=""), route={"topic": subject, "format": "cloudevents"})
    line = {"type": "größe %", "payload_json": {"a": 1}, "key": "k", "headers": {"content-type": "text/x"}}
    assert not deliver_dead(outbox, line)
    ((_, headers, payload),) = nats.messages(subject)
    headers = dict(headers)
    assert json.loads(payload) == {"a": 1}
    assert headers[b"ce-specversion"] == b"1.0" and headers[b"content-type"] == b"text/x"
    assert headers[b"ce-type"] == b"gr%C3%B6%C3%9Fe%20%25"
    assert b"event-key" not in headers


def test_many_connections_deliver_all(nats, subject, new_outbox):
    outbox = new_outbox(nats.publisher(connections=3, window=100), route={"topic": subject})
    count = events(2000)
    assert not deliver_dead(outbox, *numbered(count))
    assert sorted(payloads(nats, subject)) == list(range(count))


def test_the_next_server_is_taken_where_one_is_away(nats, subject, new_outbox):
    url = f"nats://127.0.0.1:1, nats://127.0.0.1:{nats.port}/"
    outbox = new_outbox(nats.publisher(url=url), route={"topic": subject})
    assert not deliver_dead(outbox, *numbered(10))
    assert payloads(nats, subject) == list(range(10))


# ---- Events that cannot be sent --------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", ["a b", "a..b", ".a", "a.", "a.*", "a.>", "a\tb", "$JS.API.STREAM.DELETE.precious", "$SYS.x"]
)
def test_an_impossible_subject_is_dead_and_the_next_event_is_not(nats, new_outbox, bad):
    precious = nats.add_stream(f"precious{next(names)}", stream="precious")
    good = nats.topic(f"good{next(names)}")
    outbox = new_outbox(nats.publisher())
    before = connections(nats)
    (reason,) = deliver_dead(outbox, {"type": bad, "payload": "0"}, {"type": good, "payload": "1"})
    assert "subject" in reason and bad.strip() in reason
    assert payloads(nats, good) == [1]
    assert connections(nats) - before <= 2  # of the relay, and of the line above
    nats.delete_stream(precious)  # it is still there


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("nats-rollup", "all", "commands to the server"),
        ("Nats-Msg-Id", "x", "commands to the server"),
        ("x-Nats-Rollup", "all", "take for a command"),
        ("note", "see Nats-Msg-Id: 7", "take for a command"),
        ("a b", "v", "name"),
        ("a:b", "v", "name"),
        ("note", "two\r\nlines", "control byte"),
        ("note", " v", "blank"),
        ("Event-Key", "v", "itself sets"),
    ],
)
def test_a_header_that_would_not_arrive_as_it_is_makes_the_event_dead(
    nats, subject, new_outbox, name, value, said
):
    outbox = new_outbox(nats.publisher(), route={"topic": subject})
    bad = {"type": "t", "payload": "0", "key": "k", "headers": {name: value}}
    (reason,) = deliver_dead(outbox, bad, {"type": "t", "payload": "1"})
    assert f'header "{name}"' in reason and said in reason
    assert payloads(nats, subject) == [1]


def test_more_than_the_server_takes_is_dead_and_the_connection_stays(nats, subject, new_outbox):
    outbox = new_outbox(nats.publisher(), route={"topic": subject})
    before = connections(nats)
    lines = [
        {"type": "t", "payload": "x" * (LARGEST + 1)},
        {"type": "t", "payload": "x" * (LARGEST - 10)},  # the headers come on top
        {"type": "t", "payload": "1" * (LARGEST - 500)},
    ]
    reasons = deliver_dead(outbox, *lines)
    assert len(reasons) == 2 and all("max_payload" in reason for reason in reasons)
    assert connections(nats) == before + 1
    assert nats.count(subject) == 1


def test_more_than_the_stream_takes_is_dead(nats, subject, new_outbox):
    nats.change_stream(subject, max_msg_size=1000)
    outbox = new_outbox(nats.publisher(), route={"topic": subject})
    (reason,) = deliver_dead(outbox, {"type": "t", "payload": "x" * 1000}, {"type": "t", "payload": "1"})
    assert "max_msg_size" in reason and subject in reason and "10054" in reason
    assert payloads(nats, subject) == [1]


def test_more_headers_than_a_stream_takes_are_dead(new_outbox):
    need("publisher-nats", "store-sqlite")
    broker = Nats()
    try:
        subject = broker.start().topic("headers.events")
        outbox = new_outbox(broker.publisher(), route={"topic": subject})
        large = {"type": "t", "payload": "0", "headers": {"a": "x" * 70_000}}
        (reason,) = deliver_dead(outbox, large, {"type": "t", "payload": "1"})
        assert "10097" in reason and "route.headers" in reason
        assert outbox.rows("attempts", "status = 'DEAD'") == [(1,)]
        assert payloads(broker, subject) == [1]
    finally:
        broker.close()


def test_a_failed_expectation_is_dead(nats, subject, new_outbox):
    route = {"topic": subject, "properties": {"expected_last_sequence": "{header:last|}"}}
    outbox = new_outbox(nats.publisher(), route=route)
    lines = [dict(line, headers={"last": last}) for line, last in zip(numbered(3), ("0", "7", "no"))]
    wrong, no_number = deliver_dead(outbox, *lines)
    assert "wrong last sequence" in wrong and "expected_last_sequence" in no_number
    assert payloads(nats, subject) == [0]


# ---- What the stream says --------------------------------------------------------------------------


def test_a_duplicate_counts_as_delivered(nats, subject, new_outbox):
    """As after an outage between storing and acknowledging."""
    outbox = new_outbox(nats.publisher(), route={"topic": subject})
    assert not deliver_dead(outbox, *numbered(20))
    with sqlite3.connect(outbox.path, timeout=30) as connection:
        connection.execute("UPDATE openoutbox_events SET status = 'PENDING'")
    assert outbox.relay.once() == 0
    assert outbox.states() == {"DELIVERED": 20}
    outbox.assert_no_attempt()
    assert payloads(nats, subject) == list(range(20))


def test_without_a_stream_events_are_tried_until_there_is_one(nats, new_outbox):
    subject = f"later{next(names)}"
    outbox = new_outbox(nats.publisher(), route={"topic": subject})
    outbox.enqueue(*numbered(3))
    outbox.relay.start()
    outbox.wait(lambda: len(outbox.errors()) == 3, "a reason for each")
    assert all(f"subject {subject}: no stream takes it" in error and "nats stream add" in error for error in outbox.errors())
    assert not outbox.relay.logged("pauses")
    nats.topic(subject)
    outbox.wait_delivered()
    assert sorted(payloads(nats, subject)) == [0, 1, 2]


def test_without_a_stream_events_are_dead_if_that_is_asked_for(nats, new_outbox):
    outbox = new_outbox(nats.publisher(on_missing_stream="reject"))
    (reason,) = deliver_dead(outbox, {"type": f"never{next(names)}", "payload": "x"})
    assert "no stream" in reason


@pytest.mark.parametrize("on_missing", ["retry", "reject"])
def test_a_stream_that_goes_and_comes_back_charges_nothing(nats, subject, new_outbox, on_missing):
    """As while a server stops, or has no leader: it answers as if there had never been a stream."""
    outbox = new_outbox(nats.publisher(on_missing_stream=on_missing), route={"topic": subject})
    outbox.enqueue(*numbered(5))
    outbox.relay.start()
    outbox.wait_delivered()
    nats.delete_stream(subject)
    outbox.enqueue(*numbered(5))
    outbox.relay.wait_logged("pauses", subject, "its stream is gone")
    nats.topic(subject)
    outbox.wait_delivered()
    outbox.assert_no_attempt()


def test_a_full_stream_charges_nothing(nats, subject, new_outbox):
    outbox = new_outbox(nats.publisher(), route={"topic": subject})
    assert not deliver_dead(outbox, *numbered(5))
    nats.fill(subject)
    outbox.enqueue(*numbered(50))
    outbox.relay.start()
    outbox.relay.wait_logged("pauses", "maximum messages exceeded", subject)
    nats.make_room(subject)
    outbox.wait_delivered()
    outbox.assert_no_attempt()
    assert nats.count(subject) == 55


def test_a_subject_that_is_full_does_not_stop_the_others(nats, new_outbox):
    number = next(names)
    config = {
        "name": f"limited{number}", "subjects": [f"limited{number}.>"], "storage": "file",
        "retention": "limits", "max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": True,
    }  # fmt: skip
    made = nats.ask(
        lambda connection, _: connection.request(
            f"$JS.API.STREAM.CREATE.limited{number}", json.dumps(config).encode(), timeout=30
        )
    )
    assert "error" not in json.loads(made.data), made.data
    outbox = new_outbox(nats.publisher())
    outbox.enqueue(*numbered(2, f"limited{number}.a"))
    outbox.relay.start()
    outbox.wait(outbox.errors, "one is refused")
    outbox.enqueue(*numbered(1, f"limited{number}.b"))
    outbox.wait(lambda: outbox.states().get("DELIVERED") == 2, "the other subject takes one")
    assert "per subject" in outbox.errors()[0] and not outbox.relay.logged("pauses")


def test_a_foreign_answer_is_no_acknowledgement(nats, new_outbox):
    """Somebody who answers requests, where no stream is."""
    subject = f"foreign{next(names)}"
    outbox = new_outbox(nats.publisher(), route={"topic": subject})
    outbox.enqueue(*numbered(1))

    async def answer(connection, _):
        async def reply(message):
            await message.respond(b'{"stream":"","ok":true}')

        await connection.subscribe(subject, cb=reply)
        await connection.flush()
        outbox.relay.start()
        while not outbox.errors():
            outbox.relay.assert_running()
            await asyncio.sleep(0.02)

    nats.ask(answer)
    assert "not a stream" in outbox.errors()[0]


# ---- Rights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("jetstream", [True, False])
def test_a_denied_subject_is_tried_again_and_does_not_stop_the_others(nats, new_outbox, jetstream):
    allowed = nats.topic(f"allowed.{next(names)}")
    denied = [f"denied{next(names)}.{n}" for n in range(3)]
    outbox = new_outbox(nats.publisher(username="limited", password="p", jetstream=jetstream))
    for _ in range(20):
        outbox.enqueue(*[{"type": one, "payload": "x"} for one in denied], *numbered(20, allowed))
    outbox.relay.start()

    def reasons():
        found = outbox.errors("event_type LIKE 'denied%'")
        return sum("does not permit" in error for error in found)

    outbox.wait_delivered(f"event_type = '{allowed}'")
    outbox.wait(lambda: reasons() == 60, "a reason for each")
    outbox.relay.stop()
    assert set(outbox.states()) == {"DELIVERED", "PENDING"}
    outbox.assert_no_attempt(f"event_type = '{allowed}'")
    assert nats.count(allowed) == 400


def test_without_the_right_to_hear_acknowledgements_nothing_is_charged(nats, subject, new_outbox):
    outbox = new_outbox(nats.publisher(username="deaf", password="p"), route={"topic": subject})
    outbox.enqueue(*numbered(5))
    status, said = outbox.check()
    assert status == 1 and "subscribe to _INBOX.>" in said
    outbox.relay.start()
    outbox.relay.wait_logged("pauses", "Permissions Violation for Subscription")
    outbox.relay.stop()
    outbox.assert_no_attempt()


# ---- Core NATS -------------------------------------------------------------------------------------


def test_core_nats_reaches_those_who_listen(nats, new_outbox):
    subject, count = f"core{next(names)}", events(5000)
    outbox = new_outbox(nats.publisher(jetstream=False), route={"topic": subject})
    outbox.enqueue(*numbered(count))

    async def listen(connection, _):
        listener = await connection.subscribe(subject, pending_msgs_limit=2 * count)
        await connection.flush()
        outbox.relay.start()
        found = [await listener.next_msg(timeout=30) for _ in range(count)]
        return [int(message.data) for message in found]

    assert sorted(nats.ask(listen)) == list(range(count))  # workers take turns as they like
    outbox.wait_delivered()
    outbox.assert_no_attempt()


def test_core_nats_knows_a_silent_server(new_outbox):
    need("publisher-nats", "store-sqlite")
    broker = Nats(jetstream=False)
    try:
        broker.start()
        outbox = new_outbox(broker.publisher(jetstream=False), route={"topic": "x"})
        outbox.enqueue(*numbered(10))
        outbox.relay.start()
        outbox.wait_delivered()
        broker.pause()
        outbox.enqueue(*numbered(10))
        outbox.relay.wait_logged("silent")
        assert outbox.rows("1", "status = 'DELIVERED'") == [(1,)] * 10
        broker.resume()
        outbox.wait_delivered()
        outbox.assert_no_attempt()
    finally:
        broker.close()


# ---- What check finds ------------------------------------------------------------------------------


def test_check_finds_a_missing_stream(nats, new_outbox):
    status, said = new_outbox(nats.publisher(), route={"topic": "no.such.subject"}).check()
    assert status == 1 and "subject no.such.subject: no stream takes it" in said
    assert "nats stream add" in said


def test_check_finds_limits_and_passes(nats, subject, new_outbox):
    nats.change_stream(subject, max_msg_size=1000)
    outbox = new_outbox(nats.publisher(), route={"topic": subject})
    status, said = outbox.check()
    assert status == 0, said
    assert "max_msg_size is 1000 bytes" in said and f"messages of {LARGEST} bytes" in said


def test_check_finds_what_acknowledges_nothing(nats, new_outbox):
    subject = f"mute{next(names)}"
    nats.add_stream(subject, no_ack=True)
    status, said = new_outbox(nats.publisher(), route={"topic": subject}).check()
    assert status == 1 and "no_ack" in said


def test_check_tells_that_it_may_not_ask(nats, new_outbox):
    allowed = nats.topic(f"allowed.{next(names)}")
    publisher = nats.publisher(username="limited", password="p")
    status, said = new_outbox(publisher, route={"topic": allowed}).check()
    assert status == 0 and "$JS.API" in said, said


def test_check_finds_a_server_without_jetstream(new_outbox):
    need("publisher-nats", "store-sqlite")
    broker = Nats(jetstream=False)
    try:
        broker.start()
        status, said = new_outbox(broker.publisher(), route={"topic": "x"}).check()
        assert status == 1 and "JetStream is not enabled" in said
        assert new_outbox(broker.publisher(jetstream=False), route={"topic": "x"}).check()[0] == 0
    finally:
        broker.close()
