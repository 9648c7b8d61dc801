"""test_mysql_text.py - text and sizes that a column, a character set or the server cannot take
SPDX-License-Identifier: MIT
"""

import json

import pymysql
import pytest

from harness.brokers.webhook import Webhook
from harness.engines import every_mysql
from harness.settings import need
from harness.waiting import wait_until

pytestmark = every_mysql
MODES = pytest.mark.parametrize("mode", ["lease", "hold"])
MIB = 1 << 20

# Of one, two, three and four bytes in UTF-8, and a control character that latin1 has no place for.
REASON = "grüße €20 日本 \U0001f600 \u0081 end"


@pytest.fixture
def receiver():
    """Refuses what is poison, for a reason in many scripts."""
    need("publisher-webhook")
    server = Webhook().start()
    server.rules({"payload": "poison", "status": 422, "body": REASON})
    yield server
    server.close()


def written(reason, greatest):
    """What is left of it where no character is beyond `greatest`."""
    return "".join(
        c if ord(c) <= greatest and not 0x80 <= ord(c) < 0xA0 else "?" for c in reason
    )


# ---- last_error -----------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize(
    "column, greatest, room",
    [
        ("TEXT CHARACTER SET utf8mb4", 0x10FFFF, 8000),
        ("VARCHAR(60) CHARACTER SET utf8mb4", 0x10FFFF, 60),
        ("VARCHAR(1024) CHARACTER SET utf8mb3", 0xFFFF, 1024),
        ("VARCHAR(1024) CHARACTER SET latin1", 0xFF, 1024),
        ("VARCHAR(60) CHARACTER SET utf16", 0x10FFFF, 60),
        ("VARCHAR(1024) CHARACTER SET ucs2", 0xFFFF, 1024),
        ("TINYTEXT CHARACTER SET utf32", 0x10FFFF, 63),
        ("VARCHAR(1024) CHARACTER SET cp1251", 0x7F, 1024),
        ("VARCHAR(1024) CHARACTER SET ascii", 0x7F, 1024),
        ("VARCHAR(1) CHARACTER SET utf8mb4", 0x10FFFF, 1),
    ],
)  # fmt: skip
def test_reason_is_cut_down_to_what_its_column_holds(
    own_table, receiver, outbox, new_relay, mode, column, greatest, room
):
    table = own_table
    table.database.execute(f"ALTER TABLE {table.name} MODIFY last_error {column}")
    good = {table.insert(b"good") for _ in range(3)}
    bad = [table.insert(b"poison") for _ in range(3)]
    relay = new_relay(
        outbox.to(receiver.publisher(), table, claim={"mode": mode}, route={"topic": "events"})
    )
    assert relay.once() == 0, relay.log_tail()
    assert table.states() == {"DELIVERED": 3, "DEAD": 3}
    assert {request.event_id for request in receiver.read("events")} == good
    reasons = {table.row(event_id)["last_error"] for event_id in bad}
    (reason,) = reasons
    whole = f"http://localhost:{receiver.port} answered 422: {REASON}"
    assert reason == written(whole, greatest)[:room]


# ---- Characters -----------------------------------------------------------------------------------


@MODES
def test_text_of_four_bytes_arrives_as_it_was(table, outbox, new_relay, mode):
    headers = {"face": "\U0001f600", "nul": "a\u0000b", "quote": '"\\'}
    payload = "\U0001f600 日本 grüße".encode()
    event_id = table.insert(
        payload, type="order.\U0001f600", headers=headers, partition_key="key \U0001f600"
    )
    relay = new_relay(outbox.to_file(table, claim={"mode": mode}, route={"topic": "t"}))
    assert relay.once() == 0, relay.log_tail()
    line = outbox.delivered.of(event_id)
    assert outbox.delivered.payload(event_id) == payload
    assert (line["type"], line["key"]) == ("order.\U0001f600", "key \U0001f600")
    assert {name: line["headers"][name] for name in headers} == headers


@MODES
def test_json_column_keeps_its_values(engine, own_table, outbox, new_relay, mode):
    """MySQL writes JSON in a form of its own, MariaDB as it was inserted; both keep an escaped NUL."""
    table = own_table
    table.database.execute(f"ALTER TABLE {table.name} MODIFY payload JSON NOT NULL")
    text = '{"b":  "a\\u0000b",\n"a": [1.50, "\U0001f600", {"c": null}]}'
    event_id = table.insert(text)
    relay = new_relay(outbox.to_file(table, claim={"mode": mode}))
    assert relay.once() == 0, relay.log_tail()
    arrived = outbox.delivered.payload(event_id)
    assert json.loads(arrived) == json.loads(text)
    assert (arrived == text.encode()) == (engine.name == "mariadb")


def test_enqueue_names_the_event_whose_payload_is_no_json(own_table, outbox, new_relay):
    table = own_table
    table.database.execute(f"ALTER TABLE {table.name} MODIFY payload JSON NOT NULL")
    relay = new_relay(outbox.to_null(table))
    good = {"id": "00000000-0000-7000-8000-000000000001", "type": "t", "payload": '{"a": "\\u0000"}'}
    bad = {"id": "00000000-0000-7000-8000-000000000002", "type": "t", "payload": '{"a": \u0000}'}
    done = relay.run("enqueue", "--ndjson", stdin=f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    assert done.returncode != 0
    assert bad["id"] in done.stderr, done.stderr
    assert table.count() == 0
    done = relay.run("enqueue", "--ndjson", stdin=json.dumps(good) + "\n")
    assert done.returncode == 0, done.stderr
    assert table.ids() == {good["id"]}


@pytest.mark.parametrize("charset", ["utf8mb3", "latin1"])
def test_enqueue_names_the_event_whose_type_its_column_lacks(
    own_table, outbox, new_relay, charset
):
    table = own_table
    table.database.execute(
        f"ALTER TABLE {table.name} MODIFY event_type VARCHAR(255) CHARACTER SET {charset} NOT NULL"
    )
    relay = new_relay(outbox.to_file(table, route={"topic": "t"}))
    good = {"id": "00000000-0000-7000-8000-000000000001", "type": "grüße", "payload": "x"}
    bad = {"id": "00000000-0000-7000-8000-000000000002", "type": "\U0001f600", "payload": "x"}
    done = relay.run("enqueue", "--ndjson", stdin=f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    assert done.returncode != 0
    assert bad["id"] in done.stderr, done.stderr
    assert table.count() == 0
    done = relay.run("enqueue", "--ndjson", stdin=json.dumps(good) + "\n")
    assert done.returncode == 0, done.stderr
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.of(good["id"])["type"] == "grüße"


# ---- Sizes ----------------------------------------------------------------------------------------


@pytest.fixture
def narrow(engine, private_server):
    """A table on a server that takes no statement beyond 16 MiB."""
    table = engine.new_table(private_server.new_database()).create_foreign()
    set_limit(table, 16)
    return table


def set_limit(table, mib):
    """For every session that is made from now on."""
    table.database.execute(f"SET GLOBAL max_allowed_packet = {mib * MIB}")
    table.database.close()


def test_enqueue_refuses_what_is_beyond_max_allowed_packet(narrow, outbox, new_relay):
    relay = new_relay(outbox.to_null(narrow))
    lines = [{"type": "small", "payload": "x"}, {"type": "large", "payload": "x" * 16 * MIB}]
    done = relay.run("enqueue", "--ndjson", stdin="".join(json.dumps(one) + "\n" for one in lines))
    assert done.returncode != 0
    assert "max_allowed_packet" in done.stderr and len(done.stderr) < 2000, done.stderr[:2000]
    assert narrow.count() == 0


@MODES
def test_payload_beyond_max_allowed_packet_arrives_or_is_dead(narrow, outbox, new_relay, mode):
    """The limit was larger when these were inserted."""
    set_limit(narrow, 64)
    large, over = b"l" * (20 * MIB), b"o" * (30 * MIB)
    ids = [narrow.insert(payload) for payload in (b"small", large, over, b"last")]
    set_limit(narrow, 16)
    relay = new_relay(
        outbox.to_file(narrow, claim={"mode": mode}, publish={"max_payload": "24MiB"})
    )
    assert relay.once() == 0, relay.log_tail()
    assert [narrow.row(one)["status"] for one in ids] == [
        "DELIVERED", "DELIVERED", "DEAD", "DELIVERED",
    ]  # fmt: skip
    assert str(len(over)) in narrow.row(ids[2])["last_error"]
    assert outbox.delivered.payload(ids[1]) == large


def test_connection_of_a_producer_that_sends_too_much_is_its_own_alone(
    narrow, outbox, new_relay
):
    relay = new_relay(outbox.to_file(narrow)).start()
    connection = narrow.database.connect()
    with pytest.raises(pymysql.err.MySQLError):
        narrow.insert(b"x" * 17 * MIB, connection=connection)
    narrow.insert(b"small")
    wait_until(
        lambda: narrow.states() == {"DELIVERED": 1},
        lambda: f"the event arrives:\n{relay.log_tail()}", meanwhile=relay.assert_running,
    )  # fmt: skip
    relay.stop()
