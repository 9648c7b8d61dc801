"""test_prune.py - `prune`, from its words to what is left in the table
SPDX-License-Identifier: MIT
"""

import json
import sqlite3

import pytest

AGES = "strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || {days} || ' days')"


@pytest.fixture
def finished(table):
    """Events that were finished 1 to 4 days ago, of each state and day one, and a pending one."""
    for state in ("DELIVERED", "DEAD"):
        for days in range(1, 5):
            table("enqueue", "--type", f"{state}.{days}", "--payload", "x")
    connection = sqlite3.connect(table.database)
    for row in table.rows():
        state, days = row["event_type"].split(".")
        then = AGES.format(days=days)
        connection.execute(
            f"UPDATE openoutbox_events SET status = ?, updated_at = {then},"
            f" delivered_at = CASE ? WHEN 'DELIVERED' THEN {then} END WHERE event_id = ?",
            (state, state, row["event_id"]),
        )
    connection.commit()
    connection.close()
    table("enqueue", "--type", "PENDING.0", "--payload", "x")
    return table


def left(cli):
    return sorted(row["event_type"] for row in cli.rows())


def test_the_ages_on_the_command_line_decide(finished):
    out = finished("prune", "--delivered-age", "60h", "--dead-age", "84h").out
    assert out == "orders: 2 delivered and 1 dead events deleted\n"
    assert left(finished) == [
        "DEAD.1", "DEAD.2", "DEAD.3", "DELIVERED.1", "DELIVERED.2", "PENDING.0",
    ]  # fmt: skip


def test_who_names_one_age_keeps_the_other_kind(finished):
    finished.configure(finished.pipeline(maintenance={"dead_age": "1h"}))
    out = finished("prune", "--delivered-age", "12h").out
    assert out == "orders: 4 delivered and 0 dead events deleted\n"


def test_without_ages_those_of_the_configuration_count(finished):
    finished.configure(finished.pipeline(maintenance={"dead_age": "60h", "batch": 1}))
    assert finished("prune").out == "orders: 0 delivered and 2 dead events deleted\n"


def test_dry_run_counts_and_deletes_nothing(finished):
    before = left(finished)
    out = finished("prune", "--dry-run", "--delivered-age", "60h", "--json").out
    assert json.loads(out) == {
        "ok": True,
        "pipelines": [
            {"pipeline": "orders", "ok": True, "delivered": 2, "dead": 0, "dry_run": True}
        ],
    }
    assert left(finished) == before


def test_an_event_that_waits_is_never_deleted(finished):
    finished("prune", "--delivered-age", "0s", "--dead-age", "0s", "--batch", "1")
    assert left(finished) == ["PENDING.0"]


def test_no_age_at_all_is_refused_with_the_places_for_one(finished):
    said = finished("prune", status=2).err
    assert "--delivered-age" in said and "pipelines[0].maintenance" in said


@pytest.mark.parametrize(
    "words, said",
    [
        (["--delivered-age", "7"], "'7' is not a duration"),
        (["--dead-age", "-1d"], "'-1d' is not a duration"),
        (["--dead-age", "1d", "--batch", "0"], "'0' is not a whole number from 1"),
    ],
)
def test_wrong_values_are_refused(finished, words, said):
    assert said in finished("prune", *words, status=2).err
    assert len(left(finished)) == 9


def test_a_missing_table_is_named(cli):
    said = cli("prune", "--dead-age", "1d", status=1).err
    assert "init" in said
