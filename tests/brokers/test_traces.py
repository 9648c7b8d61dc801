"""test_traces.py - the trace of an event goes on through the relay, to its consumer and to a collector
SPDX-License-Identifier: MIT
"""

import collections
import functools
import re
import secrets
import time

import pytest

from harness import settings
from harness.collector import Collector
from harness.evidence import Delivered
from harness.http import LISTEN, Http
from harness.sqlite import SqliteOutbox
from harness.stream import Stream
from harness.waiting import wait_until

INTERNAL, CLIENT, PRODUCER = 1, 3, 4
ERROR = 2
STATE = "shop=t61rcWkgMzE,other=00f067aa0ba902b7"
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
TOPIC_ATTRIBUTES = {"rabbitmq": "messaging.rabbitmq.destination.routing_key"}
KEY_ATTRIBUTES = {"kafka": "messaging.kafka.message.key"}
MANY = settings.events(20_000)


class Parent:
    """Where the producer of an event stands in its trace."""

    def __init__(self, flags="01"):
        self.trace_id, self.span_id = secrets.token_hex(16), secrets.token_hex(8)
        self.header = f"00-{self.trace_id}-{self.span_id}-{flags}"

    @property
    def headers(self):
        return {"traceparent": self.header, "tracestate": STATE, "colour": "blue"}


def event(headers=None, **fields):
    """As `enqueue --ndjson` takes it."""
    return dict({"payload": "{}", "headers": headers or {}}, **fields)


def telemetry(collector, **traces):
    """The section that sends traces alone, soon."""
    others = {signal: {"enabled": False} for signal in ("metrics", "logs")}
    return {"endpoint": collector.endpoint, "traces": dict({"delay": "50ms"}, **traces), **others}


def of_trace(collector, trace_id):
    return [span for span in collector.spans() if span.trace_id == trace_id]


def span_of(collector, event_id):
    """The one span of an event."""
    (span,) = [s for s in collector.spans() if s.attributes.get("messaging.message.id") == event_id]
    assert span.kind == PRODUCER
    return span


# ---- Every broker ---------------------------------------------------------------------------------


def assert_handed_on(message, parent):
    """What the consumer gets names the relay's span; returns its id."""
    assert message.headers["tracestate"] == STATE.encode()
    assert message.headers["colour"] == b"blue"
    trace_id, span_id, flags = TRACEPARENT.fullmatch(message.headers["traceparent"].decode()).groups()
    assert (trace_id, flags) == (parent.trace_id, "01")
    assert span_id != parent.span_id
    return span_id


def assert_describes(span, broker, topic, message, key):
    expected = {
        "messaging.system": broker.name,
        TOPIC_ATTRIBUTES.get(broker.name, "messaging.destination.name"): topic,
        "messaging.operation.type": "send",
        "messaging.operation.name": "send",
        "messaging.message.id": message.event_id,
        "messaging.message.body.size": len(message.payload),
        "outbox.event.type": topic,
        "outbox.pipeline": broker.name,
        "outbox.outcome": "acked",
        "outbox.attempt": 1,
    }
    if broker.name in KEY_ATTRIBUTES:
        expected[KEY_ATTRIBUTES[broker.name]] = key
    assert span.attributes == expected
    assert (span.kind, span.name, span.status, span.message) == (PRODUCER, f"send {topic}", 0, "")


def assert_batch(collector, links, began, ended, drivers, count):
    """The batch that sent these events, and its steps one after the other."""
    ((trace_id, span_id),) = {(link.trace_id, link.span_id) for link in links}
    spans = of_trace(collector, trace_id)
    (batch,) = [span for span in spans if not span.parent_id]
    assert (batch.name, batch.span_id, batch.kind, batch.status) == ("relay batch", span_id, INTERNAL, 0)
    assert batch.attributes["messaging.batch.message_count"] == count
    steps = {span.name: span for span in spans if span.parent_id == span_id}
    assert len(spans) == 4 and sorted(steps) == ["claim", "publish", "settle"]
    claim, publish, settle = steps["claim"], steps["publish"], steps["settle"]
    assert (claim.kind, publish.kind, settle.kind) == (CLIENT, INTERNAL, CLIENT)
    assert tuple(s.attributes["outbox.driver"] for s in (claim, publish, settle)) == drivers
    times = [began, batch.start, claim.start, claim.end, publish.start, publish.end]
    times += [settle.start, settle.end, batch.end, ended]
    assert times == sorted(times)
    return publish


def test_a_trace_goes_on_to_the_consumer(broker, collector, new_stream, new_relay):
    stream = new_stream(broker)
    events = {f"key-{number}": Parent() for number in range(3)}
    ids = {
        stream.table.insert(f"{key} bought".encode(), stream.topic, parent.headers, partition_key=key): key
        for key, parent in events.items()
    }
    stream.relay = new_relay(stream.pipeline(), telemetry=telemetry(collector))
    began = time.time_ns()
    assert stream.relay.once() == 0, stream.relay.log_tail()
    ended = time.time_ns()
    messages = {message.event_id: message for message in broker.read(stream.topic)}
    assert messages.keys() == ids.keys()
    found = []
    for event_id, key in ids.items():
        message, parent = messages[event_id], events[key]
        span_id = assert_handed_on(message, parent)
        (span,) = of_trace(collector, parent.trace_id)
        assert (span.span_id, span.parent_id, span.trace_state) == (span_id, parent.span_id, STATE)
        assert_describes(span, broker, stream.topic, message, key)
        found.append(span)
    links = [link for span in found for link in span.links]
    assert len(links) == len(found)
    publish = assert_batch(collector, links, began, ended, ("postgres", broker.name, "postgres"), 3)
    assert all(publish.start <= span.start <= span.end <= publish.end for span in found)


# ---- Sampling -------------------------------------------------------------------------------------


@pytest.fixture
def traced(folder, collector, new_relay):
    """Makes an outbox whose relay is traced so; what the publisher `file` writes is at `path`."""
    settings.need("store-sqlite", "publisher-file")
    path = folder / "delivered.ndjson"

    def new(publisher=None, traces=None, **changes):
        relays = functools.partial(new_relay, telemetry=telemetry(collector, **(traces or {})))
        box = SqliteOutbox(folder, relays).to(
            publisher or {"driver": "file", "path": str(path)}, **changes
        )
        box.delivered = Delivered(path)
        return box

    return new


def test_an_event_without_a_trace_begins_one(collector, traced):
    box = traced()
    plain, wrong = box.put_all(event(), event({"traceparent": "nonsense", "tracestate": STATE}))
    box.once()
    for event_id in (plain, wrong):
        span, headers = span_of(collector, event_id), box.delivered.of(event_id)["headers"]
        assert headers["traceparent"] == f"00-{span.trace_id}-{span.span_id}-01"
        assert "tracestate" not in headers
        assert (span.parent_id, span.trace_state, len(span.links)) == ("", "", 1)
        assert of_trace(collector, span.trace_id) == [span]
    assert span_of(collector, plain).trace_id != span_of(collector, wrong).trace_id


@pytest.mark.parametrize(
    "traces",
    [{"sampler": "parentbased_traceidratio", "ratio": 0}, {"sampler": "parentbased_always_off"}],
    ids=["ratio_0", "always_off"],
)
def test_what_is_not_sampled_goes_out_as_it_came(collector, traced, traces):
    """The producer's decision counts, in both directions."""
    box = traced(traces=traces)
    chosen, refused = Parent("01"), Parent("00")
    plain, first, second = box.put_all(event(), event(chosen.headers), event(refused.headers))
    before = len(collector.spans())
    box.once()
    assert "traceparent" not in box.delivered.of(plain)["headers"]
    headers = box.delivered.of(second)["headers"]
    assert (headers["traceparent"], headers["tracestate"]) == (refused.header, STATE)
    span = span_of(collector, first)
    assert (span.trace_id, span.parent_id, span.links) == (chosen.trace_id, chosen.span_id, [])
    assert len(collector.spans()) == before + 1


def test_the_producer_can_refuse_where_all_else_is_sampled(collector, traced):
    box = traced()
    refused = Parent("00")
    event_id = box.put(headers=refused.headers)
    box.once()
    headers = box.delivered.of(event_id)["headers"]
    assert (headers["traceparent"], headers["tracestate"]) == (refused.header, STATE)
    assert not of_trace(collector, refused.trace_id)


# ---- Failures -------------------------------------------------------------------------------------


def assert_failed(span, parent, error_type, *reasons):
    assert (span.trace_id, span.parent_id, span.status) == (parent.trace_id, parent.span_id, ERROR)
    assert span.attributes["error.type"] == span.attributes["outbox.outcome"] == error_type
    for reason in reasons:
        assert reason in span.message
    assert span.start <= span.end
    assert len(span.links) == 1


def test_what_cannot_be_sent_says_why(collector, traced):
    """Its batch had nothing to publish."""
    box = traced(publish={"max_payload": 100})
    parent = Parent()
    event_id = box.put("x" * 101, headers=parent.headers)
    box.once()
    assert box.states() == {"DEAD": 1}
    span = span_of(collector, event_id)
    assert_failed(span, parent, "unsendable", "101 bytes", "max_payload")
    steps = [s.name for s in of_trace(collector, span.links[0].trace_id) if s.parent_id]
    assert sorted(steps) == ["claim", "settle"]


def test_what_the_broker_rejects_says_why(collector, traced, servers):
    """Once for each attempt, and the good events of its batch do not fail with it."""
    server = servers.get("redis")
    server.client().set("traces-no-stream", "a string")
    box = traced(server.publisher(), retry={"max_attempts": 2, "base_delay": "10ms", "max_delay": "10ms"})
    bad, good = Parent(), Parent()
    event_id, _ = box.put_all(
        event(bad.headers, type="traces-no-stream"), event(good.headers, type="traces-stream")
    )
    box.relay.start()
    box.wait_states(DEAD=1, DELIVERED=1)
    box.relay.stop()
    attempts = of_trace(collector, bad.trace_id)
    assert [span.attributes["outbox.attempt"] for span in attempts] == [1, 2]
    assert len({span.span_id for span in attempts}) == 2
    for span in attempts:
        assert span.attributes["messaging.message.id"] == event_id
        assert_failed(span, bad, span.attributes["outbox.outcome"], "WRONGTYPE")
        assert span.attributes["messaging.destination.name"] == "traces-no-stream"
    (span,) = of_trace(collector, good.trace_id)
    assert (span.status, span.attributes["outbox.outcome"]) == (0, "acked")


# ---- Many -----------------------------------------------------------------------------------------


def figure(page, name, label):
    (value,) = re.findall(rf"^{name}\{{[^}}]*{label}[^}}]*\}} (\d+)$", page, re.MULTILINE)
    return int(value)


def test_no_span_is_lost_uncounted(folder, new_relay):
    """With everything traced, and more of it at once than the queue has room for."""
    settings.need("store-sqlite", "publisher-file")
    path = folder / "delivered.ndjson"
    collector = Collector()  # of its own: it gets too much to be read again and again
    try:
        # A sending that stands still until its time is over does so for longer than the test.
        section = telemetry(collector.start(), timeout="1h", patience="1h")
        relays = functools.partial(new_relay, telemetry=section, http=LISTEN)
        box = SqliteOutbox(folder, relays).to({"driver": "file", "path": str(path)})
        ids = box.put_all(*[event()] * MANY)
        box.relay.start()
        http = Http(box.relay)
        box.wait_states(DELIVERED=MANY)
        exported, dropped, batches = wait_all_counted(box, http)
        box.relay.stop()
        spans = collector.spans()
    finally:
        collector.close()
    Stream.figures.append(
        f"traces: of the spans of {MANY} events in {batches} batches {exported} arrived, {dropped} did not"
    )
    assert Delivered(path).counts() == collections.Counter(ids)
    assert len(spans) == len({span.span_id for span in spans}) == exported
    assert exported >= 2048, "the queue once full at the least"


def wait_all_counted(box, http):
    """Until each span was either taken by the collector or dropped; a batch has four beside its events."""

    def counts():
        page = http.get("/metrics").body.decode()
        exported = figure(page, "openoutbox_telemetry_exported_total", 'signal="traces"')
        dropped = figure(page, "openoutbox_telemetry_dropped_total", 'signal="traces"')
        batches = figure(page, "openoutbox_events_batch_size_count", 'pipeline="p"')
        return exported, dropped, batches, MANY + 4 * batches

    def counted():
        exported, dropped, _, wanted = counts()
        assert exported + dropped <= wanted
        return exported + dropped == wanted

    wait_until(
        counted, lambda: f"all spans are counted: {counts()}\n{box.relay.log_tail()}",
        settings.PATIENCE / 2, meanwhile=box.relay.assert_running,
    )  # fmt: skip
    return counts()[:3]
