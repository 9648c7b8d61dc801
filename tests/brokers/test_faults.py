"""test_faults.py - brokers that die, restart, fall silent, fill up and lose connections lose nothing
SPDX-License-Identifier: MIT
"""

import json
import os
import random
import time

import pytest

from harness import settings
from harness.proxy import FIN, RST, TO_CLIENT, TO_SERVER
from harness.stream import FlatMemory, Stream
from harness.waiting import wait_until

# Small batches and a small window: a fault then meets many of them in every state.
PIPELINE = {
    "claim": {"batch_size": 100, "poll_max": "100ms"},
    "publish": {"max_in_flight": 1000},
}
PORTION = settings.events(1000)
KILLS = 3 if settings.SANITIZE == "none" else 2
CUTS = 16 if settings.SANITIZE == "none" else 8
GROWTH = 16  # MiB that faults may add to the relay's memory
SILENCE = 60 if settings.SANITIZE == "none" else 20  # seconds, beyond publish.timeout or not
OUTAGE = float(os.environ.get("OUTBOX_TEST_OUTAGE", 20))  # seconds; an operator may wish for 600


@pytest.fixture
def dice(request):
    """Random numbers whose seed a failure shows: OUTBOX_TEST_SEED repeats them."""
    seed = int(os.environ.get("OUTBOX_TEST_SEED", random.randrange(1 << 32)))
    print(f"OUTBOX_TEST_SEED={seed}")
    return random.Random(seed)


def start(stream, new_relay, port=None, **changes):
    """A relay that has delivered its first portion: what it needs of memory, it has."""
    stream.relay = new_relay(stream.pipeline(port, **dict(PIPELINE, **changes))).start()
    stream.insert(PORTION)
    stream.wait_all_delivered()
    return FlatMemory(stream.relay, GROWTH)


def strike_at_random(dice):
    """Not to wait for anything: to hit any instant of a busy stream."""
    time.sleep(dice.uniform(0, 0.2))


def back_again(stream, producer, what, bring_back):
    """Events wait, the broker comes back, delivery resumes."""
    producer.more()
    wait_until(producer.done, "the producer commits")
    stream.assert_resumes(what, bring_back)


@pytest.mark.long
def test_killed_over_and_over(private_broker, new_stream, new_relay, dice):
    stream = new_stream(private_broker)
    memory = start(stream, new_relay)
    with stream.producer(PORTION) as producer:
        for _ in range(KILLS):
            before = stream.delivered()
            producer.more()
            producer.more()
            stream.wait_delivered_more(before)
            strike_at_random(dice)
            private_broker.kill()
            back_again(stream, producer, "a kill", private_broker.start)
        stream.wait_and_assert_exact()
    memory.check(f"{private_broker.name}, killed {KILLS} times")


def test_restarted_in_order(private_broker, new_stream, new_relay, dice):
    stream = new_stream(private_broker)
    memory = start(stream, new_relay)
    with stream.producer(PORTION) as producer:
        before = stream.delivered()
        producer.more()
        producer.more()
        stream.wait_delivered_more(before)
        strike_at_random(dice)
        back_again(stream, producer, "a restart", private_broker.restart)
        stream.wait_and_assert_exact()
    memory.check(f"{private_broker.name}, restarted")


def random_cut(dice):
    """Most of them early, in the greeting and the first messages; the others anywhere."""
    direction = dice.choice((TO_SERVER, TO_CLIENT))
    longest = 30000 if direction == TO_SERVER else 3000
    return int(longest ** dice.random()), direction, dice.choice((RST, FIN))


@pytest.mark.long
def test_connection_cut_at_any_byte(broker, new_stream, new_relay, dice):
    stream = new_stream(broker)
    with broker.proxy() as proxy, stream.producer(PORTION) as producer:
        memory = start(stream, new_relay, proxy.port)
        for number in range(CUTS):
            cut, before = random_cut(dice), proxy.cuts
            # Some come alone, some hit each connection that the driver makes.
            again = dice.choice((1, 1, 3))
            proxy.cut_after(*cut, every=again > 1)

            def keep_busy():
                stream.relay.assert_running()
                if producer.done() and stream.undelivered() == 0:
                    producer.more()

            wait_until(
                lambda: proxy.cuts >= before + again,
                lambda: f"cut {number}, {cut}, happens: {stream.why()}",
                meanwhile=keep_busy,
            )
            proxy.heal()
        producer.more()
        wait_until(producer.done, "the producer commits")
        stream.wait_and_assert_exact()
        memory.check(f"{broker.name}, cut {proxy.cuts} times")


@pytest.mark.parametrize("how", [RST, FIN])
def test_resumes_after_a_cut(broker, new_stream, new_relay, how):
    """Nobody answers at the address for a while, as when a balancer is changed over."""
    stream = new_stream(broker)
    with broker.proxy() as proxy, stream.producer(PORTION) as producer:
        start(stream, new_relay, proxy.port)
        proxy.refuse()
        proxy.cut(how)
        producer.more()
        stream.relay.wait_logged("the pipeline pauses")
        back_again(stream, producer, f"a refusing address ({how})", proxy.heal)
        stream.wait_and_assert_exact()


def test_full_and_room_again(private_broker, new_stream, new_relay):
    if not private_broker.can_be_full:
        pytest.skip(f"{private_broker.name} is never full")
    stream = new_stream(private_broker)
    memory = start(stream, new_relay)
    with stream.producer(PORTION) as producer:
        private_broker.fill(stream.topic)
        try:
            producer.more()
            stream.relay.wait_logged("the pipeline pauses")
        except BaseException:
            private_broker.make_room(stream.topic)
            raise
        back_again(
            stream, producer, "room is made", lambda: private_broker.make_room(stream.topic)
        )
        stream.wait_and_assert_exact()
    memory.check(f"{private_broker.name}, full")


# ---- All at the same time, as the time is what these tests cost ------------------------------------


def wait_seconds(seconds, streams):
    """The length of a fault is the fault."""
    ends = time.monotonic() + seconds
    wait_until(
        lambda: time.monotonic() > ends,
        "time passes",
        timeout=seconds + 60,
        interval=0.5,
        meanwhile=lambda: [stream.relay.assert_running() for stream in streams],
    )


def each(streams, check):
    """Runs the check for every stream; says of all that failed."""
    trouble = []
    for stream in streams:
        try:
            check(stream)
        except AssertionError as error:
            trouble.append(f"{stream.broker.name}: {error}")
    assert not trouble, "\n".join(trouble)


def keeps_order(relay, name):
    listed = json.loads(relay.run("plugins", "--json").stdout)["plugins"]
    (plugin,) = [one for one in listed if (one["kind"], one["name"]) == ("publisher", name)]
    return "keeps-order" in plugin["capabilities"]


@pytest.mark.long
def test_all_fall_silent(all_brokers, new_stream, new_relay):
    """Stopped where they stand, with events in flight, for longer than publish.timeout."""
    streams = [new_stream(broker) for broker in all_brokers]
    for stream in streams:
        start(stream, new_relay)
    silent = []
    try:
        for stream in streams:
            stream.insert(PORTION)
            stream.broker.pause()
            silent.append(stream)
            stream.insert(PORTION)
        wait_seconds(SILENCE, streams)
        each(streams, Stream.assert_no_attempt)
        each(streams, lambda stream: wake(stream, silent))
    finally:
        for stream in silent:
            stream.broker.resume()
    each(streams, Stream.wait_and_assert_exact)


def wake(stream, silent):
    silent.remove(stream)
    stream.assert_resumes(f"{SILENCE} s of silence", stream.broker.resume)


@pytest.mark.long
def test_all_are_away_for_long(all_brokers, new_stream, new_relay):
    """What comes meanwhile is delivered in its order, where the driver keeps that."""
    streams = [new_stream(broker) for broker in all_brokers]
    for stream in streams:
        start(stream, new_relay, claim={"workers": 1})
    away = []
    try:
        for stream in streams:
            stream.broker.kill()
            away.append(stream)
            stream.insert(PORTION)
        wait_seconds(OUTAGE, streams)
        each(streams, Stream.assert_no_attempt)
        each(streams, lambda stream: bring_back(stream, away))
    finally:
        for stream in away:
            stream.broker.start()
    each(streams, Stream.wait_and_assert_exact)
    each(streams, assert_ordered_if_promised)


def bring_back(stream, away):
    away.remove(stream)
    stream.assert_resumes(f"{OUTAGE:g} s of outage", stream.broker.start)


def assert_ordered_if_promised(stream):
    if keeps_order(stream.relay, stream.broker.name):
        stream.assert_ordered()
