"""test_redis.py - what is special to Redis: entries, trimming, refusals, rights, modes
SPDX-License-Identifier: MIT
"""

import json
import threading
import time

import pytest

from harness import settings
from harness.brokers.redis import Redis
from harness.brokers.tls import Authority
from harness.redis_groups import Group
from harness.waiting import wait_until

from redis_outbox import Outbox


@pytest.fixture(scope="module")
def shared():
    settings.need("publisher-redis")
    server = Redis().start()
    yield server
    server.close()


@pytest.fixture
def server(shared):
    """One that is empty and as it was started."""
    client = shared.client()
    client.flushall()
    client.config_set("maxmemory", 0)
    client.config_set("timeout", 0)
    yield shared


@pytest.fixture
def group():
    settings.need("publisher-redis")
    made = Group()
    yield made
    made.close()


@pytest.fixture
def outbox(folder, new_relay):
    return lambda publisher, **changes: Outbox(folder, new_relay, publisher, **changes)


# ---- Entries --------------------------------------------------------------------------------------


def test_an_entry_has_fields_for_payload_key_and_headers(server, outbox):
    box = outbox(server.publisher(payload_field="p", key_field="k", header_prefix="h."))
    box.put({"payload": "with", "key": "a key", "headers": {"n": "v", "ä ": ""}}, {"payload": "without"})
    box.once()
    first, second = [fields for _, fields in server.client().xrange("s")]
    event_id = first.pop(b"h.event-id")
    assert len(event_id) == 36
    assert first == {
        b"p": b"with", b"k": b"a key", b"h.n": b"v", "h.ä ".encode(): b"", b"h.event-type": b"s"
    }  # fmt: skip
    assert b"k" not in second and second[b"p"] == b"without"


def test_cloudevents_attributes_are_fields(server, outbox):
    box = outbox(
        server.publisher(),
        route={"format": "cloudevents", "cloudevents": {"source": "/tests"}},
    )  # fmt: skip
    box.put({"payload": '{"a": 1}'})
    box.once()
    ((_, fields),) = server.client().xrange("s")
    assert json.loads(fields[b"payload"]) == {"a": 1}
    assert fields[b"header:ce_specversion"] == b"1.0"
    assert fields[b"header:ce_source"] == b"/tests"
    assert fields[b"header:ce_type"] == b"s"
    assert fields[b"header:content-type"] == b"application/json"


def test_a_header_never_takes_the_place_of_the_payload(server, outbox):
    box = outbox(server.publisher(header_prefix=""))
    box.put({"payload": "a", "headers": {"payload": "mine"}}, {"payload": "b"})
    box.once()
    (dead,) = box.rows(where="status = 'DEAD'")
    assert "payload" in dead[2] and "header_prefix" in dead[2]
    assert [fields[b"payload"] for _, fields in server.client().xrange("s")] == [b"b"]


def test_payloads_larger_than_the_server_takes_are_refused_beforehand(server, outbox):
    """Redis would close the connection of who sends one, over and over."""
    client = server.client()
    client.config_set("proto-max-bulk-len", 1024 * 1024)
    try:
        box = outbox(server.publisher(), publish={"max_payload": "4MiB"})
        box.put({"payload": "x" * (1024 * 1024 + 1)}, {"payload": "x" * 1024 * 1024}, {})
        said, status = box.check()
        assert status == 0 and "proto-max-bulk-len" in said
        box.once()
    finally:
        client.config_set("proto-max-bulk-len", 512 * 1024 * 1024)
    (dead,) = box.rows(where="status = 'DEAD'")
    assert "1048577" in dead[2] and "proto-max-bulk-len" in dead[2]
    assert server.count("s") == 2
    assert not box.relay.logged("away"), box.relay.log_tail()


def test_events_of_a_key_arrive_in_their_order_over_many_connections(server, outbox):
    box = outbox(server.publisher(connections=4), claim={"workers": 1})
    box.put(*[{"key": f"k{n % 7}", "payload": str(n)} for n in range(2000)])
    box.start().wait_delivered()
    seen = {}
    for message in server.read("s"):
        assert int(message.payload) > seen.get(message.key, -1)
        seen[message.key] = int(message.payload)
    assert len(server.client().client_list()) >= 4


# ---- Streams that are trimmed or missing ----------------------------------------------------------


def test_max_length_trims_exactly_where_asked(server, outbox):
    box = outbox(server.publisher(max_length=50, trim="exact"))
    box.put_many(200)
    box.once()
    assert [m.payload for m in server.read("s")] == [b"%d" % n for n in range(150, 200)]


def test_max_length_trims_about(server, outbox):
    box = outbox(server.publisher(max_length=50))
    box.put_many(1000)
    box.once()
    # By whole nodes of a hundred entries.
    assert 50 <= server.count("s") <= 250


def test_max_age_drops_what_is_older(server, outbox):
    client = server.client()
    client.xadd("s", {"payload": "old"}, id="1-1")
    client.xadd("s", {"payload": "young"}, id=f"{int(time.time() * 1000) - 60_000}-1")
    box = outbox(server.publisher(max_age="1h", trim="exact"))
    box.put({"payload": "new"})
    box.once()
    assert [m[b"payload"] for _, m in client.xrange("s")] == [b"young", b"new"]


def test_a_missing_stream_is_waited_for(server, outbox):
    box = outbox(server.publisher(on_missing_stream="retry"))
    said, status = box.check("--topic", "s")
    assert status == 1 and '"s" is not there' in said and "on_missing_stream" in said
    box.put({})
    box.start()
    box.wait_error('"s"', "not there", "XGROUP CREATE")
    assert server.client().exists("s") == 0
    server.client().xgroup_create("s", "readers", mkstream=True)
    box.wait_delivered()
    assert server.count("s") == 1


def test_a_missing_stream_kills_events_where_asked(server, outbox):
    server.client().xadd("there", {"a": "b"})
    box = outbox(server.publisher(on_missing_stream="reject"))
    box.put({}, {"type": "there"})
    box.once()
    assert sorted(row[0] for row in box.rows()) == ["DEAD", "DELIVERED"]
    assert server.client().exists("s") == 0


# ---- What Redis refuses ---------------------------------------------------------------------------


def test_a_key_of_another_type_fails_its_own_events_alone(server, outbox):
    server.client().set("s", "a string")
    box = outbox(server.publisher())
    said, status = box.check("--topic", "s")
    assert status == 1 and '"s" is a string and no stream' in said
    box.put({}, {"type": "other"})
    box.start()
    box.wait_error("WRONGTYPE", '"s"')
    server.client().delete("s")
    box.wait_delivered()
    assert server.count("s") == 1 and server.count("other") == 1


def test_a_full_server_is_away_and_the_pause_grows(server, outbox):
    """Redis answers PING all the while. If that were enough for the relay, it would come back and fail
    every 100 ms."""
    box = outbox(server.publisher())
    server.fill("s")
    box.put_many(500)
    box.start()
    box.relay.wait_logged("pauses", "OOM", "maxmemory")
    refused = "total_error_replies"
    before = server.client().info("stats")[refused]
    ends = time.monotonic() + 2
    wait_until(lambda: time.monotonic() > ends, "time passes", meanwhile=box.assert_no_attempt)
    assert server.client().info("stats")[refused] - before < 50
    assert server.count("s") == 0
    server.make_room("s")
    box.wait_delivered()
    box.assert_no_attempt()
    assert {m.payload for m in server.read("s")} == {b"%d" % n for n in range(500)}
    assert len(box.relay.logged("Redis is away")) == 1, box.relay.log_tail()


def test_a_replica_is_away_until_it_is_promoted(group, outbox):
    master = group.new_server()
    replica = group.new_replica(master)
    box = outbox(replica.publisher())
    said, status = box.check()
    assert status == 1 and "is a replica" in said
    box.put_many(100)
    box.start()
    box.relay.wait_logged("pauses", "READONLY", "master")
    replica.client().replicaof("NO", "ONE")
    box.wait_delivered()
    box.assert_no_attempt()
    assert replica.count("s") == 100


def test_an_idle_connection_that_the_server_closes_costs_nothing(server, outbox):
    server.client().config_set("timeout", 1)
    box = outbox(server.publisher())
    box.put({})
    box.start().wait_delivered()
    named = lambda: [c for c in server.client().client_list() if c["name"] == "outbox-relay"]
    wait_until(lambda: not named(), "the server closes the idle connection")
    box.put({"payload": "after"})
    box.wait_delivered()
    box.assert_no_attempt()
    assert not box.relay.logged("away"), box.relay.log_tail()


@pytest.mark.parametrize(
    "publisher, publish, words",
    [
        ({"response_timeout": "500ms"}, {}, "no answer for 500 ms"),
        # What is not even sent by the deadline, on a machine with too much to do, is charged.
        ({"response_timeout": "1m"}, {"timeout": "5s"}, "no answer by the deadline"),
    ],
    ids=["response_timeout", "deadline"],
)
def test_silence_is_an_outage(group, outbox, publisher, publish, words):
    server = group.new_server()
    box = outbox(server.publisher(**publisher), publish=publish)
    box.put({})
    box.start().wait_delivered()
    server.pause()
    box.put_many(300)
    box.relay.wait_logged("pauses", words)
    server.resume()
    box.wait_delivered()
    box.assert_no_attempt()
    assert {b"%d" % n for n in range(300)} <= {m.payload for m in server.read("s")}


# ---- Databases, users -----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["option", "url"])
def test_a_database_is_selected(server, outbox, by):
    changes = {"database": 3} if by == "option" else {"url": f"{server.publisher()['url']}/3"}
    box = outbox(server.publisher(**changes))
    box.put({})
    box.once()
    assert server.client(db=3).xlen("s") == 1 and server.count("s") == 0


def test_a_database_that_is_not_there_is_told(server, outbox):
    said, status = outbox(server.publisher(database=99)).check()
    assert status == 1 and "DB index" in said and "database" in said


def test_a_unix_socket_is_used(server, outbox):
    box = outbox({"driver": "redis", "path": str(server.folder / "socket")})
    box.put({})
    box.once()
    assert server.count("s") == 1


def test_a_user_needs_no_other_right_than_to_add(server, outbox):
    """And what it may not write to fails alone."""
    password = "p@ss:w/rd#?%"
    server.client().acl_setuser(
        "shop", enabled=True, passwords=[f"+{password}"], keys=["shop.*"], commands=["+xadd"], reset=True,
    )  # fmt: skip
    url = f"redis://shop:p%40ss%3Aw%2Frd%23%3F%25@127.0.0.1:{server.port}"
    box = outbox({"driver": "redis", "url": url})
    said, status = box.check("--topic", "shop.a", "--topic", "s")
    assert status == 1 and '"s"' in said and "NOPERM" in said and '"shop.a"' not in said
    box.put({"type": "shop.a"}, {"type": "s"})
    box.start()
    box.wait_error("NOPERM", "ACL SETUSER")
    wait_until(lambda: server.count("shop.a") == 1, "what may be written to gets its event")
    server.client().acl_setuser("shop", enabled=True, keys=["s"])
    box.wait_delivered()
    assert password not in box.relay.log_text() + said


def test_a_user_who_may_not_add_at_all_is_away(server, outbox):
    server.client().acl_setuser(
        "shop", enabled=True, passwords=["+secret"], keys=["*"], commands=["+ping"], reset=True
    )
    box = outbox(server.publisher(username="shop", password="secret"))
    box.put_many(10)
    box.start()
    box.relay.wait_logged("pauses", "NOPERM", "xadd")
    box.assert_no_attempt()
    server.client().acl_setuser("shop", enabled=True, commands=["+xadd"])
    box.wait_delivered()
    box.assert_no_attempt()


@pytest.mark.parametrize(
    "login", [{"password": "wrong"}, {"username": "nobody", "password": "wrong"}, {}]
)
def test_a_wrong_login_is_denied_with_its_reason(group, outbox, login):
    server = group.new_server(requirepass="right")
    box = outbox(server.publisher(**login))
    box.put({})
    said, status = box.check()
    assert status == 1 and ("WRONGPASS" in said or "NOAUTH" in said) and "password" in said
    box.start()
    box.relay.wait_logged("pauses", "password")
    box.assert_no_attempt()
    assert "wrong" not in box.relay.log_text().replace("WRONGPASS", "")


@pytest.mark.parametrize("command", ["AUTH", "XADD"])
def test_what_a_command_was_asked_is_not_told(group, outbox, command):
    """A server that does not know a command quotes its arguments: a password, a payload."""
    server = group.new_server(rename_command=f'{command} ""')
    login = {"username": "relay", "password": "hunter2"} if command == "AUTH" else {}
    box = outbox(server.publisher(**login))
    box.put({"payload": "hunter2"})
    said, status = box.check("--topic", "s", "--json")
    assert status == 1 and f"unknown command '{command}'" in said and "renamed" in said
    box.start()
    box.relay.wait_logged("pauses", f"unknown command '{command}'", "renamed")
    box.assert_no_attempt()
    assert "hunter2" not in said + box.relay.log_text() + str(box.rows())


def test_a_client_certificate_is_shown(folder, outbox):
    authority = Authority(folder / "tls")
    server = Redis(authority, tls_auth_clients="yes")
    try:
        server.start()
        said, status = outbox(server.publisher()).check()
        assert status == 1 and "connect to Redis" in said
        mine = {"tls_certificate": str(authority.client_certificate)}
        box = outbox(server.publisher(**mine, tls_key=str(authority.client_key)))
        box.put({})
        box.once()
        assert server.count("s") == 1
        said, status = outbox(server.publisher(**mine, tls_key=str(authority.server_key))).check()
        assert status != 0 and "tls_key" in said and "is not the key" in said
    finally:
        server.close()


# ---- Lists and channels ---------------------------------------------------------------------------


def test_a_list_holds_an_envelope_that_loses_nothing(server, outbox):
    box = outbox(server.publisher(type="list"))
    box.put({"payload": 'a "b"\n', "key": "k", "headers": {"n": "v"}}, {"payload_base64": "/wA="})
    box.once()
    first, second = [json.loads(item) for item in server.client().lrange("s", 0, -1)]
    assert first["payload"] == 'a "b"\n' and first["key"] == "k" and first["headers"]["n"] == "v"
    assert first["headers"]["event-id"] == first["id"]
    assert second["payload_base64"] == "/wA=" and "key" not in second


def test_a_list_holds_bare_payloads_where_asked(server, outbox):
    box = outbox(server.publisher(type="list", envelope=False))
    box.put({"payload": "a"}, {"payload": ""}, {"payload_base64": "/wA="})
    box.once()
    assert server.client().lrange("s", 0, -1) == [b"a", b"", b"\xff\0"]


def test_cloudevents_of_a_list_are_structured(server, outbox):
    box = outbox(
        server.publisher(type="list", envelope=False),
        route={"format": "cloudevents-structured", "cloudevents": {"source": "/tests"}},
    )  # fmt: skip
    box.put({"payload": "a"})
    box.once()
    (item,) = server.client().lrange("s", 0, -1)
    assert json.loads(item)["source"] == "/tests"


def test_cloudevents_in_binary_mode_have_no_place_in_a_list(server, outbox):
    box = outbox(
        server.publisher(type="list"),
        route={"format": "cloudevents", "cloudevents": {"source": "/tests"}},
    )  # fmt: skip
    box.put({})
    box.once()
    assert "cloudevents-structured" in box.rows()[0][2]
    assert server.client().exists("s") == 0


def test_a_channel_reaches_its_subscribers(server, outbox):
    box = outbox(server.publisher(type="pubsub", envelope=False))
    listener = server.client().pubsub(ignore_subscribe_messages=True)
    listener.subscribe("s")
    heard, done = [], threading.Event()

    def listen():
        while not done.is_set() and len(heard) < 200:
            message = listener.get_message(timeout=0.1)
            if message:
                heard.append(message["data"])

    wait_until(lambda: dict(server.client().pubsub_numsub("s"))[b"s"] == 1, "it is subscribed")
    thread = threading.Thread(target=listen)
    thread.start()
    try:
        box.put_many(200)
        box.once()
        wait_until(lambda: len(heard) == 200, "all is heard")
    finally:
        done.set()
        thread.join()
    assert heard == [b"%d" % n for n in range(200)]


# ---- Replicas, findings, settings -----------------------------------------------------------------


def test_delivered_can_mean_that_replicas_have_it(group, outbox):
    master = group.new_server()
    replica = group.new_replica(master)
    box = outbox(master.publisher(wait_replicas=1, wait_timeout="1s"))
    box.put_many(1000)
    box.start().wait_delivered()
    # More than once, perhaps, where the machine keeps the replica waiting.
    assert {m.payload for m in replica.read("s")} == {b"%d" % n for n in range(1000)}
    replica.pause()
    box.put({"payload": "later"})
    box.relay.wait_logged("pauses", "0 of 1 replicas")
    assert box.undelivered() == 1
    box.assert_no_attempt()
    replica.resume()
    box.wait_delivered()
    assert replica.read("s")[-1].payload == b"later"


def test_check_says_what_may_cost_events(group, outbox):
    server = group.new_server(
        appendonly="no", maxmemory="100mb", maxmemory_policy="allkeys-lru"
    )  # fmt: skip
    said, status = outbox(server.publisher()).check()
    assert status == 0 and "memory only" in said and "appendonly" in said
    assert "allkeys-lru" in said and "noeviction" in said
    said, status = outbox(server.publisher(wait_replicas=2)).check()
    assert status == 1 and "has 0 replicas, and wait_replicas is 2" in said


HERE = "redis://localhost"


@pytest.mark.parametrize(
    "publisher, words",
    [
        ({}, ["url", "path", "sentinels"]),
        ({"url": HERE, "path": "/tmp/x"}, ["two addresses"]),
        ({"sentinels": "a:1"}, ["master_name"]),
        ({"sentinels": "a:b:c", "master_name": "m"}, ["sentinels", "a:b:c"]),
        ({"url": "http://localhost"}, ["redis://", "rediss://"]),
        ({"url": "redis://u:se%zzcret@h"}, ["url", "%"]),
        ({"url": "redis://u:sec/ret@h"}, ["url", "percent-encoded"]),
        ({"url": "redis://:1secret@h/x"}, ["number of a database"]),
        ({"url": "redis://:1secret@h", "password": "2secret"}, ["password", "again"]),
        ({"url": f"{HERE}/1", "database": 2}, ["database 1", "2"]),
        ({"url": HERE, "username": "u"}, ["without a password"]),
        ({"url": HERE, "tls_ca": "/tmp/ca.pem"}, ["tls_ca", "rediss://"]),
        ({"url": "rediss://localhost", "tls_ca": "/no/such.pem"}, ["tls_ca", "/no/such.pem"]),
        ({"url": "rediss://localhost", "tls_key": "/k.pem"}, ["tls_certificate", "tls_key"]),
        ({"path": "/tmp/x", "tls": True}, ["tls", "path"]),
        ({"url": HERE, "max_length": 5, "max_age": "1h"}, ["max_length", "max_age"]),
        ({"url": HERE, "type": "list", "max_length": 5}, ["max_length", "list"]),
        ({"url": HERE, "key_field": "payload"}, ["payload_field", "key_field"]),
        ({"url": HERE, "wait_replicas": 1, "wait_timeout": "9s"}, ["wait_timeout"]),
        ({"url": HERE, "type": "pubsub", "wait_replicas": 1}, ["wait_replicas", "pubsub"]),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(folder, new_relay, publisher, words):
    box = Outbox(folder, new_relay, {"driver": "redis", **publisher})
    said, status = box.check()
    assert status != 0
    for word in words:
        assert word in said, said
    assert "secret" not in said and "ret@" not in said, said
