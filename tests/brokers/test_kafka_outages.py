"""test_kafka_outages.py - a Kafka broker that restarts, forgets, falls silent or is gone
SPDX-License-Identifier: MIT
"""

from harness.settings import events

from kafka_outbox import all_delivered, assert_uncharged, kafka, new_outbox, statuses, topic_name

KEYS = 7
WINDOW = {"claim": {"batch_size": 100, "workers": 1}, "publish": {"max_in_flight": 1000}}


def stream_of(count, first=0):
    return [{"payload": f"{n:06}", "key": f"k{n % KEYS}"} for n in range(first, first + count)]


def assert_ordered_and_complete(broker, topic, count):
    """By key, events came for the first time in the order in which they were inserted."""
    first_seen = {}
    for record in broker.read(topic):
        payloads = first_seen.setdefault(record.key, {})
        payloads.setdefault(record.payload)
    for key, payloads in first_seen.items():
        assert list(payloads) == sorted(payloads), key
    assert sum(map(len, first_seen.values())) == count


def test_restart_of_the_broker_loses_nothing_and_charges_nothing(kafka, new_outbox, topic_name):
    count = events(3000)
    outbox = new_outbox(kafka.publisher(), kafka.topic(topic_name), **WINDOW)
    outbox.relay.start()
    outbox.add(*stream_of(count))
    outbox.wait("some is delivered", lambda rows: "DELIVERED" in statuses(rows))
    kafka.kill()
    outbox.add(*stream_of(count, first=count))
    kafka.start()
    outbox.wait("all is delivered", all_delivered)
    assert_uncharged(outbox.rows())
    assert_ordered_and_complete(kafka, topic_name, 2 * count)


def test_broker_that_forgot_what_it_confirmed_is_sent_the_rest(kafka, new_outbox, topic_name):
    """As after a restore from a backup. The sequence of the producer is broken, its client sends
    nothing any more, and another one has to take its place."""
    kafka.topic(topic_name, partitions=1)
    outbox = new_outbox(kafka.publisher(), topic_name, **WINDOW)
    outbox.relay.start()
    outbox.add(*stream_of(50))
    outbox.wait("delivered", all_delivered)
    with kafka.set_back(topic_name):
        outbox.add(*stream_of(50, first=50))
        outbox.wait("delivered", all_delivered)
    outbox.add(*stream_of(50, first=100))
    outbox.wait("all is delivered", all_delivered)
    assert outbox.relay.logged("another one takes its place")
    assert_uncharged(outbox.rows())
    payloads = {record.payload for record in kafka.read(topic_name)}
    assert payloads >= {b"%06d" % number for number in (*range(50), *range(100, 150))}


def test_silent_broker_is_away_before_the_deadline_and_charges_nothing(
    kafka, new_outbox, topic_name
):
    """A stopped process keeps its connections open."""
    publisher = kafka.publisher(delivery_timeout="3s")
    outbox = new_outbox(publisher, kafka.topic(topic_name), **WINDOW)
    outbox.relay.start()
    outbox.add(*stream_of(50))
    outbox.wait("delivered", all_delivered)
    kafka.pause()
    try:
        outbox.add(*stream_of(500, first=50))
        outbox.relay.wait_logged("the pipeline pauses")
        outbox.relay.wait_logged("no broker can be reached")
        outbox.wait("given back", lambda rows: "DELIVERING" not in statuses(rows))
        assert_uncharged(outbox.rows())
    finally:
        kafka.resume()
    outbox.wait("all is delivered", all_delivered)
    assert not outbox.relay.logged("no acknowledgement within publish.timeout")
    assert_uncharged(outbox.rows())
    assert_ordered_and_complete(kafka, topic_name, 550)
    assert len(outbox.relay.logged("no broker can be reached", level="warn")) <= 2
    assert outbox.relay.logged("the broker can be reached again")


def test_deadline_of_a_batch_is_kept_where_it_comes_first(kafka, new_outbox, topic_name):
    """publish.timeout is shorter than delivery_timeout."""
    kafka.topic(topic_name)
    with kafka.proxy() as proxy:
        outbox = new_outbox(
            kafka.publisher_through(proxy.port), topic_name, publish={"timeout": "2s"}
        )
        outbox.relay.start()
        outbox.add({"payload": "x"})
        outbox.wait("delivered", all_delivered)
        proxy.stall()
        outbox.add(*stream_of(200))
        outbox.relay.wait_logged("no acknowledgement within publish.timeout")
        outbox.wait("given back", lambda rows: "DELIVERING" not in statuses(rows))
        proxy.heal()
        outbox.wait("all is delivered", all_delivered)
    assert_uncharged(outbox.rows())
    assert not outbox.relay.logged("unanswered beyond publish.timeout")


def test_relay_stops_in_time_while_the_broker_is_gone(kafka, new_outbox, topic_name):
    with kafka.proxy() as proxy:
        outbox = new_outbox(
            kafka.publisher_through(proxy.port), kafka.topic(topic_name),
            sections={"relay": {"shutdown_timeout": "2s"}},
        )  # fmt: skip
        outbox.relay.start()
        outbox.add({"payload": "x"})
        outbox.wait("delivered", all_delivered)
        proxy.stall()
        outbox.add(*stream_of(200))
        outbox.wait("claimed", lambda rows: "DELIVERING" in statuses(rows))
        outbox.relay.stop()
    assert_uncharged(outbox.rows())
