"""test_partition_options.py - the words of `partitions`, on a store that has none
SPDX-License-Identifier: MIT
"""

import json

import pytest


@pytest.mark.parametrize(
    "words, said",
    [
        (["--period", "week"], "'week' is neither day nor month"),
        (["--lookahead", "7"], "'7' is not a duration"),
        (["--lookahead", "-7d"], "'-7d' is not a duration"),
        (["--retention", "a month"], "'a month' is not a duration"),
        (["--at", "2025-02-29T00:00:00Z"], "'2025-02-29T00:00:00Z' is no instant"),
        (["--at", "tomorrow"], "RFC 3339"),
        (["--look-ahead", "7d"], "did you mean '--lookahead'?"),
        (["now"], "unexpected word 'now'"),
    ],
)
def test_wrong_options_are_refused_by_name(cli, words, said):
    done = cli("partitions", *words, status=2)
    assert said in done.err and done.out == ""


def test_a_store_without_partitions_says_so(table):
    assert "this store has no partitions" in table("partitions", status=1).err
    document = json.loads(table("partitions", "--dry-run", "--json", status=1).out)
    assert document["ok"] is False
    (pipeline,) = document["pipelines"]
    assert pipeline["partitions"] == [] and "no partitions" in pipeline["error"]


def test_a_configuration_that_wants_partitions_of_such_a_store_is_refused(cli):
    cli.configure(cli.pipeline(maintenance={"partitions": {}}))
    said = cli("check", status=2).err
    assert "pipelines[0].maintenance.partitions: the store driver sqlite has no partitions" in said


@pytest.mark.parametrize(
    "partitions, said",
    [
        ({"period": "week"}, "partitions.period: found \"week\", allowed is one of day, month"),
        ({"lookahead": "1001d"}, "partitions.lookahead: found"),
        ({"retention": 30}, "partitions.retention: found 30"),
        ({"lookahed": "7d"}, "did you mean \"lookahead\"?"),
        ("day", "maintenance.partitions: found \"day\", allowed is an object"),
    ],
)  # fmt: skip
def test_mistakes_in_the_section_are_named_with_their_place(cli, partitions, said):
    cli.configure(cli.pipeline(maintenance={"partitions": partitions}))
    assert said in cli("check", status=2).err
