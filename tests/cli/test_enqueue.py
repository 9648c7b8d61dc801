"""test_enqueue.py - events from the command line and from lines, into the table
SPDX-License-Identifier: MIT
"""

import base64
import json
import sqlite3
import time

import pytest
from harness import settings

# ---- one event ------------------------------------------------------------------------------------


def test_every_flag_reaches_its_column(table):
    identity = "0190b2a0-0000-7000-8000-000000000001"
    table(
        "enqueue", "--type", "order.created", "--key", "k", "--ordering-key", "o",
        "--aggregate-type", "order", "--aggregate-id", "42", "--id", identity, "--header", "a=1=2",
        "--header", "b=\"é", "--payload", "text", "--available-at", "2030-01-31T12:00:00+02:00",
    )  # fmt: skip
    (row,) = table.rows()
    assert row["event_id"] == identity
    assert row["event_type"] == "order.created"
    assert (row["partition_key"], row["ordering_key"]) == ("k", "o")
    assert (row["aggregate_type"], row["aggregate_id"]) == ("order", "42")
    assert json.loads(row["headers"]) == {"a": "1=2", "b": '"é'}
    assert bytes(row["payload"]) == b"text"
    assert row["available_at"].startswith("2030-01-31 10:00:00")
    assert row["status"] == "PENDING"


def test_a_payload_of_any_bytes_comes_from_a_file_or_standard_input(table):
    payload = bytes(range(256)) * 1000
    (table.folder / "payload").write_bytes(payload)
    table("enqueue", "--type", "a", "--payload", "@payload")
    table("enqueue", "--type", "a", "--payload", "-", stdin=payload)
    table("enqueue", "--type", "a", "--payload", "")
    assert [bytes(row["payload"]) for row in table.rows()] == [payload, payload, b""]


def test_what_was_enqueued_is_said(table):
    words = ["enqueue", "--type", "a", "--payload", "x"]
    assert "enqueued 1 event in pipeline 'orders'" in table(*words).out
    assert json.loads(table(*words, "--json").out) == {"pipeline": "orders", "enqueued": 1}


@pytest.mark.parametrize(
    "words, said",
    [
        (["--payload", "x"], "--type is missing"),
        (["--type", "", "--payload", "x"], "--type is missing or empty"),
        (["--type", "a"], "--payload is missing"),
        (["--type", "a", "--type", "b", "--payload", "x"], "'--type' is given twice"),
        (["--type", "a", "--payload", "x", "--header", "a"], "'a' is not NAME=VALUE"),
        (["--type", "a", "--payload", "x", "--header", "a=1", "--header", "a=2"], "given twice"),
        (["--type", "a", "--payload", "x", "--available-at", "soon"], "'soon' is not an instant"),
        (["--type", "a", "--payload", "x", "--batch", "5"], "--batch goes with --ndjson only"),
        (["--ndjson", "--type", "a"], "--type does not go with --ndjson"),
        (["--ndjson", "--batch", "0"], "'0' is not a whole number from 1"),
    ],
)
def test_wrong_words_are_named(table, words, said):
    assert said in table("enqueue", *words, status=2).err
    assert table.count() == 0


def test_a_payload_file_that_is_not_there_is_named(table):
    assert "nowhere" in table("enqueue", "--type", "a", "--payload", "@nowhere", status=1).err


def test_one_of_several_pipelines_must_be_picked(table):
    table.configure(table.pipeline("one"), table.pipeline("two"))
    done = table("enqueue", "--type", "a", "--payload", "x", status=2)
    assert "one, two" in done.err and "-p" in done.err
    table("enqueue", "-p", "two", "--type", "a", "--payload", "x")
    assert table.count() == 1


def test_a_missing_table_is_an_error_that_names_it(cli):
    sqlite3.connect(cli.database).execute("CREATE TABLE unrelated (a)").connection.close()
    done = cli("enqueue", "--type", "a", "--payload", "x", status=1)
    assert "openoutbox_events" in done.err


# ---- lines ----------------------------------------------------------------------------------------


def lines(*objects):
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


def event(number, **changes):
    return {"type": "a", "payload": f"payload {number}"} | changes


def test_lines_become_events_in_their_order(table):
    objects = [
        event(0, key="k", headers={"h": "v", "n": 1}, aggregate_type="t", aggregate_id="7"),
        {"type": "b", "payload_base64": base64.b64encode(b"\x00\xff\n").decode()},
        {"type": "c", "payload_json": {"nested": [1, {"x": "}"}]}},
    ]
    done = table("enqueue", "--ndjson", stdin=lines(*objects))
    assert "enqueued 3 events" in done.out
    first, second, third = table.rows()
    assert bytes(first["payload"]) == b"payload 0"
    assert json.loads(first["headers"]) == {"h": "v", "n": 1}
    assert (first["partition_key"], first["aggregate_id"]) == ("k", "7")
    assert bytes(second["payload"]) == b"\x00\xff\n"
    assert json.loads(bytes(third["payload"])) == objects[2]["payload_json"]


def test_blank_lines_and_a_last_line_without_end_are_fine(table):
    text = b"\n  \r\n" + lines(event(1)) + b"\n" + lines(event(2)).rstrip() + b"\r"
    table("enqueue", "--ndjson", stdin=text)
    assert table.count() == 2
    assert "enqueued 0 events" in table("enqueue", "--ndjson", stdin=b"").out


def test_a_bad_line_ends_with_its_number_and_what_is_committed(table):
    objects = [event(number) for number in range(7)]
    objects[5]["hedaers"] = {}
    done = table("enqueue", "--ndjson", "--batch", "2", stdin=lines(*objects), status=1)
    assert "line 6: 'hedaers'" in done.err and "did you mean 'headers'?" in done.err
    assert "lines 1 to 4 (4 events) are committed" in done.err and "from line 5 on" in done.err
    assert table.count() == 4
    assert done.out == ""


def test_a_bad_line_in_the_first_batch_commits_nothing(table):
    done = table("enqueue", "--ndjson", stdin=lines(event(1)) + b"{broken\n", status=1)
    assert "line 2: " in done.err and "nothing is committed" in done.err
    assert table.count() == 0


def test_a_batch_that_the_store_refuses_is_undone_as_a_whole(table):
    twice = "0190b2a0-0000-7000-8000-000000000001"
    objects = [event(1), event(2), event(3, id=twice), event(4, id=twice), event(5)]
    done = table("enqueue", "--ndjson", "--batch", "2", stdin=lines(*objects), status=1)
    assert "lines 3 to 4: " in done.err and twice in done.err
    assert "lines 1 to 2 (2 events) are committed" in done.err
    assert table.count() == 2


def test_a_long_line_is_taken_whole(table):
    payload = "x" * (3 * 1024 * 1024)
    table("enqueue", "--ndjson", stdin=lines(event(1, payload=payload)))
    assert table.rows("SELECT length(payload) AS n FROM openoutbox_events") == [{"n": len(payload)}]


def test_a_batch_is_committed_before_the_input_ends(table):
    """Memory is bounded because nothing waits for the end."""
    enqueue = table.spawn("enqueue", "--ndjson", "--batch", "3", stdin=-1, stdout=-3)
    try:
        enqueue.stdin.write(lines(*[event(number) for number in range(4)]))
        enqueue.stdin.flush()
        give_up = time.monotonic() + settings.PATIENCE
        while table.count() < 3:
            assert time.monotonic() < give_up, "the first batch is never committed"
            time.sleep(0.01)
        assert table.count() == 3
        enqueue.stdin.close()
        assert enqueue.wait(settings.PATIENCE) == 0
    finally:
        enqueue.kill()
        enqueue.wait()
    assert table.count() == 4


def test_many_lines_arrive_all(table):
    count = settings.events(20000)
    identity = "0190b2a0-0000-7000-8000-{:012x}".format
    text = lines(*[event(number, id=identity(number)) for number in range(count)])
    done = table("enqueue", "--ndjson", "--json", stdin=text)
    assert json.loads(done.out)["enqueued"] == count
    assert table.count() == count
