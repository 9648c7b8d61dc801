"""test_flow.py - a slow broker slows the claiming, and a shutdown does not wait for it for ever
SPDX-License-Identifier: MIT
"""

import time

import pytest

from harness import settings
from harness.proxy import TO_CLIENT
from harness.stream import FlatMemory
from harness.waiting import wait_until

BATCH, WORKERS = 100, 2
WATCHED = 3  # seconds
SHUTDOWN = 10  # seconds
# What close() may take for a broker that does not answer, and what a busy machine needs.
BEYOND = 5 + (5 if settings.SANITIZE == "none" else 15)


def in_flight(stream):
    return stream.table.count("status = 'DELIVERING'")


def watch_in_flight(stream, most):
    """The most that was seen at once, for a while in which the window would have filled many times."""
    seen = []
    ends = time.monotonic() + WATCHED

    def look():
        seen.append(in_flight(stream))
        assert seen[-1] <= most, f"{seen[-1]} events are in flight, {most} may be"

    wait_until(
        lambda: time.monotonic() > ends, "time passes",
        timeout=60, interval=0.05, meanwhile=look,
    )  # fmt: skip
    return max(seen)


@pytest.mark.parametrize(
    "limits, most, size, count",
    [
        ({"max_in_flight": 1000}, 1000, 2000, 20_000),
        # A worker looks before it claims: a batch of each may come on top.
        ({"max_in_flight_bytes": "1MiB"}, 105 + WORKERS * BATCH, 10_000, 3000),
    ],
    ids=["events", "bytes"],
)
def test_a_broker_that_stalls_slows_the_claiming(
    broker, new_stream, new_relay, limits, most, size, count
):
    stream = new_stream(broker)
    with broker.proxy() as proxy:
        stream.relay = new_relay(
            stream.pipeline(
                proxy.port,
                claim={"batch_size": BATCH, "workers": WORKERS, "poll_max": "100ms"},
                publish=limits,
            )
        ).start()
        stream.insert(2000, size=size)
        stream.wait_all_delivered()
        memory = FlatMemory(stream.relay, growth=16)
        proxy.stall()
        stream.insert(settings.events(count), size=size)
        wait_until(
            lambda: in_flight(stream) > 0, lambda: f"some are claimed: {stream.why()}",
            interval=0.005,
        )  # fmt: skip
        seen = watch_in_flight(stream, most)
        stream.figures.append(f"{broker.name}: at most {seen} in flight of {most} that may be")
        proxy.heal()
        stream.wait_and_assert_exact(settings.PATIENCE * 2)
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
            stream.pipeline(proxy.port, publish={"max_in_flight": window}),
            relay={"shutdown_timeout": f"{SHUTDOWN}s"},
        ).start()
        stream.insert(1000)
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
