"""test_both_stores.py - from enqueue to the publisher by the command line alone, on each store
SPDX-License-Identifier: MIT
"""

import base64
import json
import random
import time

import pytest

from harness.evidence import Delivered
from harness.relay import Relay, pipeline
from harness.settings import SHORT_LEASE, events, need
from harness.waiting import wait_until


@pytest.fixture(params=["postgres", "sqlite"])
def store(request, folder):
    """The settings of a store whose table is not made yet."""
    need(f"store-{request.param}", "publisher-file")
    if request.param == "sqlite":
        return {"driver": "sqlite", "url": f"sqlite:{folder / 'outbox.db'}"}
    return {"driver": "postgres", "url": request.getfixturevalue("database").url}


def run(relay, *arguments, stdin=None):
    done = relay.run(*arguments, stdin=stdin)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def ndjson(*lines):
    return "".join(json.dumps(line) + "\n" for line in lines)


def stats(relay):
    """Counts by state, but for those that the store only estimates."""
    (counts,) = json.loads(run(relay, "stats", "--json"))["pipelines"]
    return {name: count for name, count in counts.items() if name not in counts["estimated"]}


def test_what_is_enqueued_arrives(store, folder, new_relay):
    path = folder / "delivered"
    relay = new_relay(pipeline(store, {"driver": "file", "path": str(path)}))
    run(relay, "init")
    run(relay, "init")  # harmless when repeated
    binary = bytes(range(256))
    ids = [f"00000000-0000-7000-8000-{number:012d}" for number in range(4)]
    lines = [
        {"id": ids[0], "type": "a", "payload": "text é \u0000 nul"},
        {"id": ids[1], "type": "b", "payload_json": {"x": [1, 2.5, None]}, "key": "k"},
        {"id": ids[2], "type": "c", "payload_base64": base64.b64encode(binary).decode(),
         "headers": {"h": "v"}, "aggregate_type": "at", "aggregate_id": "ai", "ordering_key": "ok"},
        {"id": ids[3], "type": "later", "payload": "", "available_at": "2999-01-01T00:00:00Z"},
    ]  # fmt: skip
    run(relay, "enqueue", "--ndjson", stdin=ndjson(*lines))
    before = stats(relay)
    assert before.get("pending", 4) == 4 and before["scheduled"] == 1
    assert relay.once() == 0, relay.log_tail()
    delivered = Delivered(path)
    assert delivered.counts() == {event_id: 1 for event_id in ids[:3]}
    assert delivered.payload(ids[0]) == "text é \0 nul".encode()
    assert json.loads(delivered.payload(ids[1])) == {"x": [1, 2.5, None]}
    assert delivered.of(ids[1])["key"] == "k"
    assert delivered.payload(ids[2]) == binary
    last = delivered.of(ids[2])
    assert last["headers"]["h"] == "v"
    assert (last["aggregate_type"], last["aggregate_id"], last["ordering_key"]) == ("at", "ai", "ok")
    after = stats(relay)
    assert after.get("pending", 1) == 1 and after.get("delivered", 3) == 3
    assert after["delivering"] == 0 and after.get("dead", 0) == 0


def test_single_event_of_the_command_line_arrives(store, folder, new_relay):
    path = folder / "delivered"
    relay = new_relay(pipeline(store, {"driver": "file", "path": str(path)}))
    run(relay, "init")
    run(relay, "enqueue", "--type", "order.created", "--key", "k", "--header", "a=b", "--payload", "x")
    assert relay.once() == 0, relay.log_tail()
    (line,) = Delivered(path).lines()
    assert (line["type"], line["key"], line["payload"]) == ("order.created", "k", "x")
    assert line["headers"]["a"] == "b"


def test_sleeping_relay_is_woken_by_enqueue(store, folder, new_relay):
    """The relay would look again only after this test has given up. A hint may come a moment before
    the commit can be seen (then poll_min is how long the relay waits to look again), so the events
    before the last one are what must have arrived."""
    path = folder / "delivered"
    relay = new_relay(
        pipeline(
            store, {"driver": "file", "path": str(path)},
            claim={"poll_min": "10m", "poll_max": "10m"},
        )
    )  # fmt: skip
    run(relay, "init")
    relay.start()
    delivered = Delivered(path)
    for number in range(1, 6):
        run(relay, "enqueue", "--type", "t", "--payload", str(number))
        wait_until(
            lambda: len(delivered.ids()) >= number - 1,
            lambda: f"event {number} wakes the relay:\n{relay.log_tail()}",
            timeout=60,
        )


def test_killed_relays_lose_nothing(store, folder):
    """Two relays on one table; one of them is killed over and over while events come in."""
    rounds, portion = 6, events(500)
    paths = [folder / "a", folder / "b"]
    settings = {
        "claim": {"batch_size": 50, "lease": SHORT_LEASE, "poll_max": "50ms"},
        "publish": {"max_in_flight": 200},
        "retry": {"base_delay": "50ms"},
    }
    relays = [
        Relay(folder, [pipeline(store, {"driver": "file", "path": str(path)}, **settings)])
        for path in paths
    ]
    delivered = Delivered(*paths)
    run(relays[0], "init")
    for relay in relays:
        relay.start()
    try:
        for number in range(rounds):
            lines = [{"type": "t", "payload": f"{number}.{n}"} for n in range(portion)]
            before = len(delivered.ids())
            run(relays[1], "enqueue", "--ndjson", stdin=ndjson(*lines))
            wait_until(
                lambda: len(delivered.ids()) > before or before == portion * number + portion,
                lambda: f"something is delivered:\n{relays[0].log_tail()}",
            )
            time.sleep(random.uniform(0, 0.1))  # not to wait for anything: to hit any instant
            relays[0].kill()
            relays[0].start()
        sent = {f"{number}.{n}" for number in range(rounds) for n in range(portion)}
        wait_until(
            lambda: {line["payload"] for line in delivered.lines()} == sent,
            lambda: f"all is delivered:\n{relays[0].log_tail()}",
            interval=0.1,
        )
    finally:
        for relay in relays:
            relay.close()
    assert stats(relays[1]).get("dead", 0) == 0
    assert delivered.duplicates() <= rounds * (200 + 2 * 50)
