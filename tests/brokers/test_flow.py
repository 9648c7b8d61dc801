"""test_flow.py - a slow broker slows the claiming, and a shutdown does not wait for it for ever
SPDX-License-Identifier: MIT
"""

import time

from harness import settings
from harness.proxy import TO_CLIENT
from harness.stream import FlatMemory
from harness.waiting import wait_until

BATCH, WORKERS = 100, 2
WATCHED = 2  # seconds
SHUTDOWN = 5  # seconds
# What close() may take for a broker that does not answer, and what a busy machine needs.
BEYOND = 5 + (5 if settings.SANITIZE == "none" else 15)


def in_flight(stream):
    return stream.table.count("status = 'DELIVERING'")


def watch_in_flight(most):
    """For a while in which the windows would have filled many times. `most`: by stream."""
    seen = {stream: [] for stream in most}
    ends = time.monotonic() + WATCHED

    def look():
        for stream, numbers in seen.items():
            numbers.append(in_flight(stream))
            assert numbers[-1] <= most[stream], (
                f"{numbers[-1]} events are in flight, {most[stream]} may be"
            )

    wait_until(
        lambda: time.monotonic() > ends, "time passes",
        timeout=60, interval=0.05, meanwhile=look,
    )  # fmt: skip
    for stream, numbers in seen.items():
        stream.figures.append(
            f"{stream.broker.name}: at most {max(numbers)} in flight of {most[stream]} that may be"
        )


def limited(stream, port, **limits):
    claim = {"batch_size": BATCH, "workers": WORKERS, "poll_max": "100ms"}
    return stream.pipeline(port, name=next(iter(limits)), claim=claim, publish=limits)


def test_a_broker_that_stalls_slows_the_claiming(broker, new_stream, new_relay):
    """Two pipelines, one limited in events and one in bytes, the latter with 10 times the payload."""
    events, octets = new_stream(broker), new_stream(broker)
    with broker.proxy() as proxy:
        relay = events.relay = octets.relay = new_relay(
            limited(events, proxy.port, max_in_flight=1000),
            limited(octets, proxy.port, max_in_flight_bytes="1MiB"),
        ).start()
        events.insert(2000, size=1000)
        octets.insert(500, size=10_000)
        events.wait_all_delivered()
        octets.wait_all_delivered()
        memory = FlatMemory(relay, growth=16)
        proxy.stall()
        events.insert(settings.events(8000), size=1000)
        octets.insert(settings.events(2000), size=10_000)
        wait_until(
            lambda: in_flight(events) > 0 and in_flight(octets) > 0,
            lambda: f"some are claimed: {events.why()}", interval=0.005,
        )  # fmt: skip
        # A worker looks at the bytes before it claims: a batch of each may come on top.
        watch_in_flight({events: 1000, octets: 105 + WORKERS * BATCH})
        proxy.heal()
        events.wait_and_assert_exact(settings.PATIENCE * 2)
        octets.wait_and_assert_exact(settings.PATIENCE * 2)
        memory.check(f"{broker.name}, stalled")


def wait_window_full(stream):
    """Until no more are claimed, in a table where more are waiting. Returns how many are in flight:
    some drivers take less at once than the relay would give."""
    seen = []

    def steady():
        seen.append(in_flight(stream))
        return len(seen) > 20 and min(seen[-20:]) == max(seen[-20:]) > 0

    wait_until(
        steady, lambda: f"the window is full: {stream.why()}",
        interval=0.02, meanwhile=stream.relay.assert_running,
    )  # fmt: skip
    return seen[-1]


def test_shutdown_releases_what_a_stalled_broker_does_not_answer(broker, new_stream, new_relay):
    """What it acknowledged is settled, the rest is as it was, and all within the time for that."""
    window = 10_000
    stream = new_stream(broker)
    with broker.proxy() as proxy:
        stream.relay = new_relay(
            stream.pipeline(proxy.port, broker.roomy, publish={"max_in_flight": window}),
            relay={"shutdown_timeout": f"{SHUTDOWN}s"},
        ).start()
        stream.insert(500)
        stream.wait_all_delivered()
        acknowledged = stream.delivered()
        # The broker gets what is sent, and nobody hears of it.
        proxy.stall(TO_CLIENT)
        stream.insert(window)
        flying = wait_window_full(stream)
        began = time.monotonic()
        stream.relay.process.terminate()
        status = stream.relay.wait(SHUTDOWN + settings.PATIENCE)
        took = time.monotonic() - began
        stream.figures.append(f"{broker.name}: shutdown with {flying} in flight took {took:.1f} s")
        assert status == 0, stream.relay.log_tail()
        assert took < SHUTDOWN + BEYOND, f"the shutdown took {took:.1f} s"
        assert stream.table.states() == {"DELIVERED": acknowledged, "PENDING": window}
        stream.assert_no_attempt()
        assert stream.table.count("locked_by IS NOT NULL AND status = 'PENDING'") == 0
        proxy.heal()
        stream.relay.start()
        stream.wait_and_assert_exact()
