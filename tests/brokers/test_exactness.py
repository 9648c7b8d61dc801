"""test_exactness.py - what is in the table arrives at the broker byte for byte, and once
SPDX-License-Identifier: MIT
"""

import collections
import os
import random

import pytest

from harness import settings
from harness.samples import Samples

EVENTS = settings.events(100_000)


def expected(sample, topic):
    headers = {name: value.encode() for name, value in sample.headers.items()}
    headers["event-id"], headers["event-type"] = sample.id.encode(), topic.encode()
    key = None if sample.key is None else sample.key.encode()
    return sample.id, key, sample.payload, headers


def shown(value):
    text = repr(value)
    return text if len(text) < 800 else f"{text[:800]}... ({len(text)} characters)"


def test_events_arrive_exactly(broker, new_stream, new_relay):
    seed = int(os.environ.get("OUTBOX_TEST_SEED", random.randrange(1 << 32)))
    print(f"OUTBOX_TEST_SEED={seed}")
    stream = new_stream(broker)
    samples = Samples(seed, broker, EVENTS)
    stream.table.copy(sample.row(stream.topic) for sample in samples.events)
    stream.relay = new_relay(stream.pipeline())
    assert stream.relay.once(timeout=settings.PATIENCE * 3) == 0, stream.relay.log_tail()
    assert stream.table.states() == {"DELIVERED": EVENTS}, stream.relay.log_tail()
    stream.assert_no_attempt()

    received = broker.read(stream.topic)
    times = collections.Counter(message.event_id for message in received)
    missing = [sample.id for sample in samples.events if not times[sample.id]]
    assert not missing, f"{len(missing)} of {EVENTS} did not arrive: {missing[:5]}"
    twice = [event_id for event_id, count in times.items() if count > 1]
    assert not twice, f"{len(twice)} arrived more than once: {twice[:5]}"
    assert len(received) == EVENTS, f"{len(received) - EVENTS} arrived that nobody sent"
    by_id = {message.event_id: message for message in received}
    different = []
    for sample in samples.events:
        wanted, got = expected(sample, stream.topic), tuple(by_id[sample.id])
        different += [
            f"{what} of {sample.id}: expected {shown(a)}, arrived {shown(b)}"
            for what, a, b in zip(("id", "key", "payload", "headers"), wanted, got)
            if a != b
        ]
    assert not different, f"{len(different)} differences:\n" + "\n".join(different[:5])


@pytest.mark.parametrize("mode", ["lease", "hold"])
def test_headers_of_the_relay_replace_those_of_the_event(broker, new_stream, new_relay, mode):
    """event-id is what consumers recognise duplicates by: nobody else sets it."""
    stream = new_stream(broker)
    event_id = stream.table.insert(b"x", stream.topic, {"event-id": "mine", "a": "b"})
    stream.relay = new_relay(stream.pipeline(claim={"mode": mode}))
    assert stream.relay.once() == 0, stream.relay.log_tail()
    (message,) = broker.read(stream.topic)
    assert message.event_id == event_id
    assert message.headers["event-id"] == event_id.encode()
    assert message.headers["event-type"] == stream.topic.encode()
    assert message.headers["a"] == b"b"
