"""test_kafka.py - what is special to Kafka: topics, keys and partitions, sizes, properties, security
SPDX-License-Identifier: MIT
"""

import zlib

import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.partitioner.default import murmur2

from harness import processes
from harness.brokers.tls import Authority
from harness.relay import pipeline
from harness.settings import events, need

from kafka_outbox import all_delivered, assert_uncharged, kafka, new_outbox, statuses, topic_name

# So that a topic that is not there is found missing at once.
IMPATIENT = {"topic.metadata.propagation.max.ms": "300"}


@pytest.fixture(scope="module")
def certificates():
    folder = processes.short_folder("tls")
    yield Authority(folder)
    processes.remove_folder(folder)


@pytest.fixture(scope="module")
def secure(certificates):
    need("publisher-kafka", "store-sqlite")
    from harness.brokers.kafka import Kafka

    broker = Kafka(certificates)
    try:
        yield broker.start()
    finally:
        broker.close()


# ---- What a record is made of ---------------------------------------------------------------------


def test_absent_key_is_null_and_empty_key_is_empty(kafka, new_outbox, topic_name):
    outbox = new_outbox(kafka.publisher(), kafka.topic(topic_name))
    outbox.add({"payload": "absent"}, {"payload": "empty", "key": ""}, {"payload": "", "key": "k"})
    assert all_delivered(outbox.once())
    found = {record.payload: record.key for record in kafka.read(topic_name)}
    assert found == {b"absent": None, b"empty": b"", b"": b"k"}


def test_headers_of_any_name_and_value_arrive_as_they_are(kafka, new_outbox, topic_name):
    headers = {"empty": "", "ünïcode ✓": "wert ✓\n", "nul": "c\0d", "twelve": 12}
    outbox = new_outbox(kafka.publisher(), kafka.topic(topic_name))
    outbox.add({"payload": "x", "headers": headers})
    assert all_delivered(outbox.once())
    (record,) = kafka.read(topic_name)
    wanted = {name: str(value).encode() for name, value in headers.items()}
    assert {name: record.headers[name] for name in headers} == wanted


def test_cloudevents_attributes_are_headers_with_their_prefix(kafka, new_outbox, topic_name):
    outbox = new_outbox(
        kafka.publisher(), kafka.topic(topic_name),
        route={"format": "cloudevents", "cloudevents": {"source": "/shop", "content_type": "text/x"}},
    )  # fmt: skip
    outbox.add({"type": "order.made", "payload": "x", "aggregate_type": "a", "aggregate_id": "ö%"})
    assert all_delivered(outbox.once())
    (record,) = kafka.read(topic_name)
    found = {name: value.decode() for name, value in record.headers.items()}
    assert found["ce_specversion"] == "1.0" and found["ce_type"] == "order.made"
    assert found["ce_source"] == "/shop" and found["ce_subject"] == "ö%"
    assert found["ce_id"] and found["content-type"] == "text/x"
    assert record.payload == b"x"


def test_header_of_the_name_of_an_attribute_is_dead(kafka, new_outbox, topic_name):
    route = {"format": "cloudevents", "headers": {"rename": {"a": "ce_id"}}}
    outbox = new_outbox(kafka.publisher(), kafka.topic(topic_name), route=route)
    outbox.add({"payload": "bad", "headers": {"a": "1"}}, {"payload": "good", "headers": {"ce_other": "1"}})
    bad, good = outbox.once()
    assert bad[1] == "DEAD" and "ce_id" in bad[3]
    assert good[1] == "DELIVERED"


def test_key_decides_the_partition_as_in_the_java_client(kafka, new_outbox, topic_name):
    keys = [f"key-{number}" for number in range(40)] + [""]
    outbox = new_outbox(kafka.publisher(), kafka.topic(topic_name, partitions=5))
    outbox.add(*[{"payload": key, "key": key} for key in keys])
    assert all_delivered(outbox.once())
    found = {record.key.decode(): record.partition for record in kafka.records(topic_name)}
    assert found == {key: (murmur2(key.encode()) & 0x7FFFFFFF) % 5 for key in keys}


def test_partition_and_time_can_be_set_for_each_event(kafka, new_outbox, topic_name):
    route = {"properties": {"partition": "{header:p|1}", "timestamp": "{header:at|1700000000001}"}}
    outbox = new_outbox(kafka.publisher(), kafka.topic(topic_name), route=route)
    outbox.add(
        {"payload": "a", "headers": {"p": "2", "at": "2026-01-31T09:30:00.25Z"}}, {"payload": "b"},
        {"payload": "c", "headers": {"p": "-1"}}, {"payload": "d", "headers": {"at": "noon"}},
    )  # fmt: skip
    rows = outbox.once()
    assert statuses(rows) == ["DELIVERED", "DELIVERED", "DEAD", "DEAD"]
    assert '"partition" is "-1"' in rows[2][3] and '"timestamp" is "noon"' in rows[3][3]
    found = {r.value: (r.partition, r.timestamp) for r in kafka.records(topic_name)}
    assert found == {b"a": (2, 1769851800250), b"b": (1, 1700000000001)}


def test_requests_are_compressed_as_asked(kafka, new_outbox, topic_name):
    wanted = {}
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        topic = kafka.topic(f"{topic_name}-{codec}", partitions=1)
        wanted[topic] = {codec}
        outbox = new_outbox(kafka.publisher(compression=codec), topic)
        outbox.add(*[{"payload": f"{number} " * 100} for number in range(50)])
        assert all_delivered(outbox.once())
        assert kafka.count(topic) == 50
    assert kafka.codecs(*wanted) == wanted


# ---- Topics that are not there --------------------------------------------------------------------


def test_event_of_a_missing_topic_is_retried_until_it_is_there(kafka, new_outbox, topic_name):
    outbox = new_outbox(kafka.publisher(properties=IMPATIENT), topic_name)
    outbox.add({"payload": "x"})
    outbox.relay.start()
    (row,) = outbox.wait("charged", lambda rows: rows if rows[0][2] >= 1 else None)
    assert row[1] in ("PENDING", "DELIVERING")
    assert topic_name in row[3] and "create the topic" in row[3]
    kafka.topic(topic_name)
    outbox.wait("delivered", all_delivered)
    assert not outbox.relay.logged("the pipeline pauses"), "a missing topic pauses nobody"


def test_event_of_a_missing_topic_is_rejected_if_so_wished(kafka, new_outbox, topic_name):
    publisher = kafka.publisher(properties=IMPATIENT, on_missing_topic="reject")
    outbox = new_outbox(publisher, "{type}")
    there = kafka.topic(topic_name)
    outbox.add({"type": topic_name + ".not", "payload": "x"}, {"type": there, "payload": "y"})
    gone, delivered = outbox.once()
    assert gone[1:3] == ("DEAD", 1) and "create the topic" in gone[3]
    assert delivered[1] == "DELIVERED"


def test_partition_that_is_not_there_counts_as_missing(kafka, new_outbox, topic_name):
    publisher = kafka.publisher(on_missing_topic="reject")
    route = {"properties": {"partition": "7"}}
    outbox = new_outbox(publisher, kafka.topic(topic_name), route=route)
    outbox.add({"payload": "x"})
    (row,) = outbox.once()
    assert row[1] == "DEAD" and "partition" in row[3]


@pytest.mark.parametrize("name", ["with space", "a/b", ".", "x" * 250])
def test_illegal_topic_name_is_rejected(kafka, new_outbox, name):
    outbox = new_outbox(kafka.publisher(), "{type}")
    outbox.add({"type": name, "payload": "x"})
    (row,) = outbox.once()
    assert row[1] == "DEAD" and "no legal name" in row[3]


# ---- What the broker refuses ----------------------------------------------------------------------


def test_event_too_large_for_its_topic_is_dead_and_the_others_arrive(
    kafka, new_outbox, topic_name
):
    """librdkafka gathers far more than such a topic takes at once: none of that is an event's fault."""
    kafka.topic(topic_name, partitions=1, max_message_bytes=20000)
    # With one worker, so that events come to the driver in their order.
    outbox = new_outbox(kafka.publisher(), topic_name, claim={"workers": 1})
    outbox.relay.start()
    small = [{"payload": f"{number:04} " * 200, "key": "k"} for number in range(300)]
    outbox.add(small[0])
    outbox.wait("the first is delivered", all_delivered)
    outbox.add(*small[1:100], {"payload": "large " * 5000, "key": "k"}, *small[100:])
    outbox.wait("all are settled", lambda rows: set(statuses(rows)) == {"DELIVERED", "DEAD"})
    dead = [row for row in outbox.rows() if row[1] == "DEAD"]
    assert len(dead) == 1 and dead[0][0].startswith("large")
    assert "MSG_SIZE_TOO_LARGE" in dead[0][3] and "max.message.bytes" in dead[0][3]
    assert_uncharged([row for row in outbox.rows() if row[1] != "DEAD"])
    assert outbox.relay.logged("requests have at most")
    first_seen = list(dict.fromkeys(record.payload[:4] for record in kafka.read(topic_name)))
    assert first_seen == [b"%04d" % number for number in range(300)]


def test_event_without_key_for_a_compacted_topic_is_dead_and_the_others_arrive(
    kafka, new_outbox, topic_name
):
    kafka.topic(topic_name, partitions=1, cleanup_policy="compact")
    outbox = new_outbox(kafka.publisher(), topic_name)
    outbox.add(
        *[{"payload": str(number), "key": f"k{number}"} for number in range(20)],
        {"payload": "keyless"},
        *[{"payload": str(number), "key": f"k{number}"} for number in range(20, 40)],
    )
    outbox.relay.start()
    outbox.wait("all are settled", lambda rows: set(statuses(rows)) == {"DELIVERED", "DEAD"})
    dead = [row for row in outbox.rows() if row[1] == "DEAD"]
    assert [row[0] for row in dead] == ["keyless"] and "INVALID_RECORD" in dead[0][3]
    assert_uncharged([row for row in outbox.rows() if row[1] != "DEAD"])


def test_topic_made_anew_in_the_middle_of_a_stream_goes_on(kafka, new_outbox, topic_name):
    """What the broker knew of the producer is gone with it."""
    kafka.topic(topic_name, partitions=1)
    outbox = new_outbox(kafka.publisher(properties=IMPATIENT), topic_name)
    outbox.relay.start()
    outbox.add(*[{"payload": f"a{number}"} for number in range(50)])
    outbox.wait("delivered", all_delivered)
    kafka.delete_topic(topic_name)
    kafka.topic(topic_name, partitions=1)
    outbox.add(*[{"payload": f"b{number}"} for number in range(50)])
    outbox.wait("delivered", all_delivered)
    assert {r.payload for r in kafka.read(topic_name)} >= {b"b%d" % n for n in range(50)}


# ---- Properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "properties, words",
    [
        ({"acks": "1"}, ("properties.acks", "in-sync replicas")),
        ({"request.required.acks": "0"}, ("in-sync replicas",)),
        ({"message.timeout.ms": "1000"}, ("delivery_timeout",)),
        ({"transactional.id": "x"}, ("transactional.id", "transactions")),
        ({"delivery.report.only.error": "true"}, ("delivery report",)),
        ({"enable.ssl.certificate.verification": "false"}, ("always verified",)),
        ({"security.protocol": "plaintext"}, ('"security"',)),
        ({"no.such.thing": "1"}, ("properties.no.such.thing", "CONFIGURATION.md")),
        ({"batch.size": "many"}, ("properties.batch.size", "Invalid value")),
        ({"batch.size": "0"}, ("properties.batch.size", "allowed range")),
        ({"max.in.flight": "100"}, ("max.in.flight", "idempotence")),
        ({"dr_msg_cb": "x"}, ("dr_msg_cb",)),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_property_that_would_break_the_contract_is_refused(new_relay, folder, properties, words):
    need("publisher-kafka")
    assert_invalid(new_relay, folder, words, properties=properties)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"tls_ca": "/nonexistent/ca.pem"}, ("tls_ca", "plaintext")),
        ({"security": "tls", "tls_ca": "/nonexistent/ca.pem"}, ("/nonexistent/ca.pem", "No such")),
        ({"security": "tls", "tls_ca": "/etc/hostname"}, ("tls_ca", "/etc/hostname cannot be used")),
        ({"security": "tls", "tls_key": "/etc/hostname"}, ("tls_certificate", "both or none")),
        ({"username": "u"}, ("username", "plaintext")),
        ({"security": "sasl_tls", "username": "u", "password": "p"}, ("sasl_mechanism",)),
        ({"security": "sasl_tls", "sasl_mechanism": "PLAIN", "username": "u"}, ("password",)),
        ({"brokers": ""}, ("brokers", "empty")),
        (
            {"security": "sasl_tls", "sasl_mechanism": "OAUTHBEARER", "username": "u", "password": "p"},
            ("oauthbearer",),  # either the endpoint is missing, or this library has no OIDC
        ),
    ],
    ids=str,
)
def test_settings_that_contradict_each_other_are_refused(new_relay, folder, changes, words):
    need("publisher-kafka")
    assert_invalid(new_relay, folder, words, **changes)


def assert_invalid(new_relay, folder, words, **changes):
    publisher = dict({"driver": "kafka", "brokers": "127.0.0.1:1"}, **changes)
    relay = new_relay(pipeline({"driver": "sqlite", "url": f"sqlite:{folder}/o.db"}, publisher))
    done = relay.run("check", "--connect")
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    for word in words:
        assert word in said, said


def test_properties_reach_the_library(kafka, new_outbox, topic_name):
    publisher = kafka.publisher(properties={"partitioner": "consistent", "acks": "all"})
    outbox = new_outbox(publisher, kafka.topic(topic_name, partitions=5))
    keys = [f"key-{number}" for number in range(20)]
    outbox.add(*[{"payload": key, "key": key} for key in keys])
    assert all_delivered(outbox.once())
    found = {record.key.decode(): record.partition for record in kafka.records(topic_name)}
    assert found == {key: zlib.crc32(key.encode()) % 5 for key in keys}


def test_full_queue_of_the_library_is_waited_for(kafka, new_outbox, topic_name):
    publisher = kafka.publisher(properties={"queue.buffering.max.messages": "50"})
    outbox = new_outbox(publisher, kafka.topic(topic_name))
    outbox.add(*[{"payload": str(number)} for number in range(2000)])
    rows = outbox.once()
    assert all_delivered(rows)
    assert_uncharged(rows)
    assert kafka.count(topic_name) == 2000


# ---- check ----------------------------------------------------------------------------------------


def checked(relay, status):
    done = relay.run("check", "--connect")
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_check_reports_a_missing_topic_and_makes_none(kafka, new_outbox, topic_name):
    outbox = new_outbox(kafka.publisher(), topic_name)
    assert f"topic {topic_name} is missing: create it" in checked(outbox.relay, 1)
    assert topic_name not in kafka.admin().list_topics()


def test_check_reports_limits_that_are_too_small(kafka, new_outbox, topic_name):
    kafka.topic(topic_name, max_message_bytes=20000)
    outbox = new_outbox(kafka.publisher(), topic_name, publish={"max_payload": "20000B"})
    assert "max.message.bytes" not in checked(outbox.relay, 0)
    outbox = new_outbox(kafka.publisher(), topic_name)
    said = checked(outbox.relay, 0)
    assert f"topic {topic_name} takes 20000 bytes a message (max.message.bytes)" in said


def test_check_reports_what_no_event_can_get_over(kafka, new_outbox, topic_name):
    kafka.topic(topic_name, min_insync_replicas=2)
    route = {"properties": {"partition": "3"}}
    said = checked(new_outbox(kafka.publisher(), topic_name, route=route).relay, 1)
    assert "has 1 replicas and takes nothing without 2 in sync" in said
    assert "has 3 partitions, route.properties names partition 3" in said


# ---- Security -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_right_password_and_certificate_deliver(secure, new_outbox, topic_name, mechanism):
    publisher = secure.publisher(sasl_mechanism=mechanism)
    outbox = new_outbox(publisher, secure.topic(topic_name))
    assert "topic" not in checked(outbox.relay, 0)
    outbox.add({"payload": "x"})
    assert all_delivered(outbox.once())


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"password": "no-such-password"}, "Authentication failed"),
        ({"tls_ca": "other"}, "certificate verify failed"),
    ],
    ids=["password", "authority"],
)
def test_refused_connection_tells_why_and_sends_nothing_in_plain(
    secure, certificates, new_outbox, topic_name, changes, word
):
    mark = "PLAINLY-VISIBLE-"
    changes = dict(changes)
    if "tls_ca" in changes:
        changes["tls_ca"] = str(certificates.other_ca)
    with secure.proxy(record=True) as proxy:
        publisher = secure.publisher_through(proxy.port, **changes)
        outbox = new_outbox(publisher, secure.topic(topic_name))
        outbox.add({"payload": mark})
        said = checked(outbox.relay, 1)
        assert word in said and "refused" in said
        outbox.relay.start()
        outbox.relay.wait_logged("the pipeline pauses")
        outbox.relay.stop()
        seen = bytes(proxy.seen)
    (row,) = outbox.rows()
    assert row[1:3] == ("PENDING", 0) and word in row[3]
    for secret in (mark, "no-such-password", secure.publisher()["password"]):
        assert secret.encode() not in seen
        assert secret not in outbox.relay.log_text() and secret not in said
    assert secure.count(topic_name) == 0


def test_topic_that_may_not_be_written_is_retried_until_it_may(secure, new_outbox, topic_name):
    secure.topic(topic_name)
    everyone_else = ACL(
        "User:relay", "*", ACLOperation.WRITE, ACLPermissionType.DENY,
        ResourcePattern(ResourceType.TOPIC, topic_name),
    )  # fmt: skip
    secure.admin().create_acls([everyone_else])
    outbox = new_outbox(secure.publisher(), topic_name)
    outbox.add({"payload": "x"})
    outbox.relay.start()
    (row,) = outbox.wait("charged", lambda rows: rows if rows[0][2] >= 1 else None)
    assert row[1] != "DEAD" and "grant Write on the topic" in row[3]
    secure.admin().delete_acls([everyone_else])
    outbox.wait("delivered", all_delivered)
    assert not outbox.relay.logged("the pipeline pauses")


def test_producer_that_may_not_be_idempotent_says_so_until_it_may(secure, new_outbox, topic_name):
    """The client meets a fatal error as soon as it is there."""
    secure.topic(topic_name)
    denied = [
        ACL("User:relay", "*", operation, ACLPermissionType.DENY, pattern)
        for operation, pattern in (
            (ACLOperation.IDEMPOTENT_WRITE, ResourcePattern(ResourceType.CLUSTER, "kafka-cluster")),
            (ACLOperation.WRITE, ResourcePattern(ResourceType.TOPIC, "*")),
        )
    ]
    secure.admin().create_acls(denied)
    outbox = new_outbox(secure.publisher(), topic_name)
    try:
        outbox.add({"payload": "x"})
        outbox.relay.start()
        outbox.relay.wait_logged("the pipeline pauses", "grant IdempotentWrite")
    finally:
        secure.admin().delete_acls(denied)
    outbox.wait("delivered", all_delivered)
    assert len(outbox.relay.logged("another one takes its place", level="warn")) == 1
