"""test_routing.py - where events go and as what: rules, headers and formats of a running relay
SPDX-License-Identifier: MIT
"""

import base64
import json
import sqlite3

import pytest

from harness import settings
from harness.relay import pipeline
from harness.waiting import wait_until


@pytest.fixture
def routed(own_table, outbox, new_relay):
    """Makes a relay with a route, from PostgreSQL to the publisher `file`."""

    def new(route, **changes):
        changes.setdefault("claim", {"poll_max": "50ms"})
        return new_relay(outbox.to_file(own_table, route=route, **changes))

    return new


def headers_of(line, event_id):
    """The headers but for the relay's own, which must be right."""
    headers = dict(line["headers"])
    assert headers.pop("event-id") == event_id
    assert headers.pop("event-type") == line["type"]
    return headers


def ended(relay, message="pipeline ended"):
    (line,) = relay.logged(message)
    return line


# ---- rules ----------------------------------------------------------------------------------------


def test_rules_decide_in_their_order(routed, own_table, outbox):
    relay = routed(
        {
            "topic": "rest.{type}",
            "key": "{partition_key|none}",
            "rules": [
                {"match": {"header:tenant": "acme", "type": "order.*"}, "topic": "acme"},
                {"match": {"type": "order.*"}, "topic": "orders.{header:tenant|all}", "key": "o"},
            ],
        }
    )
    acme = own_table.insert(type="order.made", headers={"tenant": "acme"}, partition_key="k")
    other = own_table.insert(type="order.made", headers={"tenant": "other"})
    bare = own_table.insert(type="order.made")
    rest = own_table.insert(type="invoice", headers={"tenant": "acme"})
    assert relay.once() == 0, relay.log_tail()
    found = {line["id"]: (line["topic"], line["key"]) for line in outbox.delivered.lines()}
    assert found == {
        acme: ("acme", "k"),
        other: ("orders.other", "o"),
        bare: ("orders.all", "o"),
        rest: ("rest.invoice", "none"),
    }


def test_dropped_events_are_settled_and_counted(routed, own_table, outbox):
    relay = routed({"rules": [{"match": {"type": "debug.*"}, "drop": True}]})
    dropped = {own_table.insert(type="debug.x") for _ in range(7)}
    kept = {own_table.insert(type="order") for _ in range(3)}
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.ids() == kept
    assert own_table.states() == {"DELIVERED": 10}
    assert own_table.count("attempts > 0 OR last_error <> ''") == 0
    assert own_table.row(dropped.pop())["delivered_at"]
    for line in (ended(relay), ended(relay, "relay ends")):
        assert (line["claimed"], line["delivered"], line["dropped"]) == (10, 3, 7)


def test_table_of_nothing_but_dropped_events_is_drained(routed, own_table, outbox):
    relay = routed({"rules": [{"match": {"type": "*"}, "drop": True}]})
    own_table.insert_many(settings.events(3000))
    assert relay.once() == 0, relay.log_tail()
    assert own_table.states() == {"DELIVERED": settings.events(3000)}
    assert outbox.delivered.lines() == []


@pytest.mark.parametrize("mode", ["lease", "hold"])
def test_event_without_a_needed_field_is_dead_with_the_reason(routed, own_table, outbox, mode):
    relay = routed({"topic": "{header:tenant}"}, claim={"mode": mode})
    bad = own_table.insert(type="order", headers={"Tenant": "acme"})
    good = own_table.insert(type="order", headers={"tenant": "acme"})
    assert relay.once() == 0, relay.log_tail()
    row = own_table.row(bad)
    assert (row["status"], row["last_error"]) == (
        "DEAD",
        "route.topic needs header:tenant, which the event does not have: write {header:tenant|...}"
        " with a default where it may be missing",
    )
    assert outbox.delivered.of(good)["topic"] == "acme"
    assert relay.logged("event is DEAD", bad, "header:tenant")
    assert ended(relay)["dead"] == 1


def test_event_of_an_sqlite_store_is_routed_alike(folder, new_relay):
    settings.need("store-sqlite", "publisher-file")
    path, database = folder / "delivered", folder / "outbox.db"
    relay = new_relay(
        pipeline(
            {"driver": "sqlite", "url": f"sqlite:{database}"},
            {"driver": "file", "path": str(path)},
            route={
                "topic": "{aggregate_type}.{attempts}",
                "rules": [{"match": {"type": "no"}, "drop": True}],
            },
        )
    )
    assert relay.run("init").returncode == 0
    lines = [{"type": "a", "payload": "1", "aggregate_type": "order"},
             {"type": "a", "payload": "2"}, {"type": "no", "payload": "3"}]  # fmt: skip
    done = relay.run("enqueue", "--ndjson", stdin="".join(json.dumps(line) + "\n" for line in lines))
    assert done.returncode == 0, done.stderr
    assert relay.once() == 0, relay.log_tail()
    assert [json.loads(line)["topic"] for line in path.read_text().splitlines()] == ["order.0"]
    rows = sqlite3.connect(database).execute(
        "SELECT status, coalesce(last_error, '') FROM openoutbox_events ORDER BY seq"
    )
    states = [(status, error[:32]) for status, error in rows]
    assert states == [
        ("DELIVERED", ""), ("DEAD", "route.topic needs aggregate_type"), ("DELIVERED", "")
    ]  # fmt: skip


# ---- headers --------------------------------------------------------------------------------------


def test_headers_are_those_of_the_event_and_two_of_the_relay(routed, own_table, outbox):
    relay = routed({})
    event_id = own_table.insert(
        type="order", headers={"b": "2", "a": 1, "event-id": "forged", "deep": {"x": [1]}}
    )
    assert relay.once() == 0, relay.log_tail()
    line = outbox.delivered.of(event_id)
    headers = headers_of(line, event_id)
    assert json.loads(headers.pop("deep")) == {"x": [1]}
    assert headers == {"a": "1", "b": "2"}


def test_headers_are_dropped_renamed_prefixed_and_set(routed, own_table, outbox):
    relay = routed(
        {
            "headers": {
                "drop": ["internal-*"],
                "rename": {"trace": "x-trace", "event-id": "event-id", "event-type": "event-type"},
                "prefix": "app-",
                "set": {"origin": "{pipeline}/{type}", "app-tenant": "{header:tenant}!"},
            }
        }
    )
    event_id = own_table.insert(
        type="order", headers={"internal-a": "1", "trace": "t", "tenant": "acme", "other": "o"}
    )
    assert relay.once() == 0, relay.log_tail()
    assert headers_of(outbox.delivered.of(event_id), event_id) == {
        "x-trace": "t", "app-tenant": "acme!", "app-other": "o", "origin": "p/order",
    }  # fmt: skip


def test_headers_that_come_to_share_a_name_make_the_event_dead(routed, own_table):
    relay = routed({"headers": {"rename": {"a": "b"}}})
    both = own_table.insert(headers={"a": "1", "b": "2"})
    one = own_table.insert(headers={"a": "1"})
    assert relay.once() == 0, relay.log_tail()
    assert own_table.row(one)["status"] == "DELIVERED"
    row = own_table.row(both)
    assert row["status"] == "DEAD" and 'called "b"' in row["last_error"]


# ---- formats --------------------------------------------------------------------------------------


def test_structured_cloudevents_arrive_whole(routed, own_table, outbox):
    relay = routed(
        {
            "format": "cloudevents-structured",
            "cloudevents": {"source": "/shop/{pipeline}", "subject": "{header:about|}"},
        }
    )
    as_json = own_table.insert(
        b'{"n": 1.50, "s": "\xc3\xa9"}', "order", {"about": 'a "b" \u00e9', "a": "1"},
        partition_key="k", created_at="2024-02-29T12:34:56.789012Z",
    )  # fmt: skip
    as_bytes = own_table.insert(bytes(range(256)), "blob", {"Content-Type": "image/png"})
    assert relay.once() == 0, relay.log_tail()
    line = outbox.delivered.of(as_json)
    assert '"data":{"n": 1.50, "s": "\u00e9"}' in line["payload"], "the bytes of the payload"
    assert json.loads(line["payload"]) == {
        "specversion": "1.0", "id": as_json, "source": "/shop/p", "type": "order",
        "subject": 'a "b" \u00e9', "time": "2024-02-29T12:34:56.789012Z", "partitionkey": "k",
        "datacontenttype": "application/json", "data": {"n": 1.5, "s": "\u00e9"},
    }  # fmt: skip
    assert headers_of(line, as_json) == {"about": 'a "b" \u00e9', "a": "1"}
    line = outbox.delivered.of(as_bytes)
    envelope = json.loads(line["payload"])
    assert base64.b64decode(envelope.pop("data_base64"), validate=True) == bytes(range(256))
    assert (envelope["datacontenttype"], envelope["id"]) == ("image/png", as_bytes)
    assert "data" not in envelope and "subject" not in envelope
    assert headers_of(line, as_bytes) == {}, "the type of the payload is in the envelope"


def test_envelope_larger_than_the_limit_is_dead(routed, own_table, outbox):
    relay = routed({"format": "cloudevents-structured"}, publish={"max_payload": "1KiB"})
    large = own_table.insert(b"\xff" * 1000)
    small = own_table.insert(b"\xff" * 100)
    assert relay.once() == 0, relay.log_tail()
    row = own_table.row(large)
    assert row["status"] == "DEAD"
    assert row["last_error"].startswith("a CloudEvent of 1") and "max_payload" in row["last_error"]
    assert outbox.delivered.ids() == {small}


# ---- the configuration ----------------------------------------------------------------------------


def test_changed_route_applies_at_the_next_start(routed, own_table, outbox):
    relay = routed({"topic": "before"}).start()
    relay.wait_started()
    relay.config["pipelines"][0]["route"] = {"topic": "after"}
    relay.reload()
    (line,) = relay.wait_logged("applies at the next start only", '"route"', level="warn")
    assert line["pipeline"] == "p"
    relay.wait_logged("configuration read again")
    first = own_table.insert()
    wait_until(lambda: outbox.delivered.ids() == {first}, relay.log_tail)
    relay.stop()
    second = own_table.insert()
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.of(first)["topic"] == "before"
    assert outbox.delivered.of(second)["topic"] == "after"


def test_unchanged_route_is_not_told_of(routed):
    relay = routed({"topic": "a", "key": "b"}).start()
    relay.wait_started()
    relay.config["pipelines"][0]["route"] = {"key": "b", "topic": "a"}
    relay.reload()
    relay.wait_logged("configuration read again")
    assert not relay.logged("applies at the next start only")


def test_check_names_every_mistake_of_a_route_at_once(routed):
    relay = routed(
        {
            "topic": "{typ}", "format": "cloudevents", "properties": {"priority": "1"},
            "rules": [{"match": {}, "drop": True}, {"match": {"type": "a"}, "topci": "x"}],
            "headers": {"rename": {"a": ""}, "set": {"b": "{id"}},
            "cloudevents": {"source": ""},
        }
    )  # fmt: skip
    done = relay.run("check")
    assert done.returncode == 2
    for said in (
        "pipelines[0].route.topic: {typ} is no field of an event",
        "pipelines[0].route.format: found \"cloudevents\", but the publisher file has no place",
        "pipelines[0].route.properties.priority: the publisher file has no such property",
        "pipelines[0].route.rules[0].match: is empty",
        "pipelines[0].route.rules[1].topci: unknown key; did you mean \"topic\"?",
        "pipelines[0].route.headers.rename.a: the name is empty",
        "pipelines[0].route.headers.set.b: a \"{\" has no \"}\"",
        "pipelines[0].route.cloudevents.source: is empty",
        "8 mistakes",
    ):
        assert said in done.stderr, done.stderr


def test_relay_does_not_start_with_a_wrong_route(routed):
    relay = routed({"rules": [{"match": {"type": "a"}, "drop": True, "topic": "x"}]})
    done = relay.run("run", "--once")
    assert done.returncode == 2
    assert 'leave out these or "drop"' in done.stderr


def test_properties_of_a_driver_are_listed(folder, new_relay):
    drivers = settings.BUILD / "tests" / "unit" / "drivers"
    relay = new_relay(environment={"OUTBOX_PLUGIN_PATH": str(drivers)})
    done = relay.run("plugins", "mailer")
    assert done.returncode == 0, done.stderr
    assert "priority" in done.stdout and "How urgent it is." in done.stdout
    assert "attributes" in done.stdout
    done = relay.run("plugins", "mailer", "--json")
    (plugin,) = json.loads(done.stdout)["plugins"]
    assert [entry["name"] for entry in plugin["properties"]] == ["priority", "expires"]
