"""test_redis_groups.py - Redis behind sentinels and as a cluster: what moves is followed
SPDX-License-Identifier: MIT
"""

import pytest

from harness import settings
from harness.redis_groups import Cluster, Sentinels
from harness.waiting import wait_until

from redis_outbox import Outbox

STREAMS = [f"s{number}" for number in range(12)]  # of all three masters


@pytest.fixture
def sentinels():
    settings.need("publisher-redis")
    made = Sentinels()
    yield made
    made.close()


@pytest.fixture(scope="module")
def cluster():
    """For tests that take none of its nodes away."""
    settings.need("publisher-redis")
    made = Cluster()
    yield made
    made.close()


@pytest.fixture
def own_cluster():
    settings.need("publisher-redis")
    made = Cluster()
    yield made
    made.close()


@pytest.fixture
def outbox(folder, new_relay):
    return lambda publisher, **changes: Outbox(folder, new_relay, publisher, **changes)


def payloads(server, stream="s"):
    return {message.payload for message in server.read(stream)}


# ---- Sentinels ------------------------------------------------------------------------------------


def test_a_failover_is_followed(sentinels, outbox):
    box = outbox(sentinels.publisher())
    box.put_many(500)
    box.start().wait_delivered()
    wait_until(
        lambda: sentinels.is_up_to_date(sentinels.master, sentinels.replica), "the replica has all"
    )
    sentinels.master.kill()
    box.put_many(500, key="after")
    sentinels.fail_over()
    box.wait_delivered()
    box.assert_no_attempt()
    assert sentinels.replica.count("s") >= 1000
    # The old master comes back and is no address any more.
    sentinels.master.start()
    box.put({"payload": "later"})
    box.wait_delivered()
    assert b"later" in payloads(sentinels.replica)


def test_a_failover_loses_nothing_that_was_waited_for(sentinels, outbox):
    """The master dies with events in every state. What it alone had must not count as delivered."""
    box = outbox(sentinels.publisher(wait_replicas=1))
    box.put_many(5000)
    box.start()
    wait_until(lambda: box.undelivered() < 4500, "some are delivered", interval=0.001)
    sentinels.master.kill()
    sentinels.fail_over()
    # It becomes the replica that has to have everything; the sentinels would take ten seconds.
    sentinels.master.start().client().replicaof("127.0.0.1", sentinels.replica.port)
    box.wait_delivered()
    box.assert_no_attempt()
    assert payloads(sentinels.replica) == {b"%d" % n for n in range(5000)}


def test_sentinels_that_know_no_such_master_are_told(sentinels, outbox):
    said, status = outbox(sentinels.publisher(master_name="others")).check()
    assert status == 1 and 'no master called "others"' in said and "master_name" in said


def test_a_dead_sentinel_is_passed_over(sentinels, outbox):
    sentinels.processes[0].kill()
    box = outbox(sentinels.publisher())
    box.put({})
    box.once()
    assert sentinels.master.count("s") == 1


# ---- Cluster --------------------------------------------------------------------------------------


def test_events_reach_the_node_of_their_stream(cluster, outbox):
    """The relay knows one node. Braces put streams side by side."""
    streams = [*STREAMS, "{tag}.a", "{tag}.b"]
    assert len({cluster.owner(stream).port for stream in streams}) == 3
    box = outbox(cluster.masters[2].publisher(connections=2))
    said, status = box.check(*(word for stream in streams for word in ("--topic", stream)))
    assert status == 0, said
    box.put(*[{"type": stream, "payload": str(n)} for n in range(50) for stream in streams])
    box.once()
    for stream in streams:
        arrived = [message.payload for message in cluster.owner(stream).read(stream)]
        assert sorted(arrived) == sorted(b"%d" % n for n in range(50))


def test_slots_that_move_are_followed(cluster, outbox):
    source, target = cluster.owner("moved"), None
    target = next(master for master in cluster.masters if master is not source)
    box = outbox(source.publisher())
    box.put_many(100, type="moved")
    box.start().wait_delivered()
    # Half moved: the source says ASK for what it has not, and a stream that it has is its own.
    slot = cluster.begin_move("moved", source, target)
    box.put_many(100, type="moved")
    box.wait_delivered()
    cluster.move_key("moved", source, target)
    box.put_many(100, type="moved")
    box.wait_delivered()
    assert target.client().execute_command("ASKING") and target.client().ping()
    cluster.end_move(slot, target)
    box.put_many(100, type="moved")
    box.wait_delivered()
    box.assert_no_attempt()
    assert target.count("moved") == 400
    assert not box.relay.logged("away"), box.relay.log_tail()


def test_a_node_that_fails_over_is_followed(own_cluster, outbox):
    cluster, failing = own_cluster, own_cluster.masters[0]
    box = outbox(failing.publisher(response_timeout="1s"))
    box.put_many(20 * len(STREAMS))
    for stream in STREAMS:
        box.put_many(20, type=stream)
    box.start().wait_delivered()
    mine = [stream for stream in STREAMS if cluster.owner(stream) is failing]
    assert mine
    wait_until(lambda: cluster.is_up_to_date(failing, cluster.replica), "the replica has all")
    failing.kill()
    for stream in STREAMS:
        box.put_many(20, type=stream, key="after")
    cluster.fail_over()
    box.wait_delivered()
    box.assert_no_attempt()
    for stream in mine:
        assert len(cluster.replica.read(stream)) >= 40


def test_a_configured_node_that_falls_silent_is_passed_over(own_cluster, outbox):
    """As when its machine loses power: nothing refuses, nothing answers, another node takes over."""
    cluster, failing = own_cluster, own_cluster.masters[0]
    mine = next(stream for stream in STREAMS if cluster.owner(stream) is failing)
    box = outbox(failing.publisher(response_timeout="1s"))
    box.put_many(20, type=mine)
    box.start().wait_delivered()
    failing.pause()
    box.put_many(20, type=mine, key="after")
    cluster.fail_over()
    box.wait_delivered()
    box.assert_no_attempt()


def test_a_database_of_a_cluster_is_refused(cluster, outbox):
    said, status = outbox(cluster.masters[1].publisher(database=1)).check()
    assert status == 1 and "SELECT" in said and "database" in said
