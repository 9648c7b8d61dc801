"""test_telemetry_spans.py - spans reach a collector by thousands, or are dropped and counted
SPDX-License-Identifier: MIT
"""

import os
import subprocess
import time

import pytest

from harness import processes, settings
from harness.bad_collector import BadCollector
from harness.relay import assert_clean

PROGRAM = settings.BUILD / "tests" / "unit" / "export_spans"
QUEUE = 2048


def export(endpoint, protocol, count, *how):
    """How many were exported, dropped, how many requests failed, and the peak of memory in KiB."""
    done = subprocess.run(
        processes.dying_with_us([str(PROGRAM), f"{endpoint}/v1/traces", protocol, str(count), *how]),
        capture_output=True, text=True, timeout=settings.PATIENCE,
        env=dict(os.environ, **settings.SANITIZER_ENVIRONMENT),
    )  # fmt: skip
    assert_clean(done.stderr, "export_spans")
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_all_spans_arrive_whole(collector, protocol):
    before, count = len(collector.spans()), 5050
    began = time.monotonic()
    assert export(collector.endpoint, protocol, count, "patient")[:3] == [count, 0, 0]
    assert time.monotonic() - began < (8 if settings.SANITIZE == "none" else 30), "it has slept"
    spans = collector.spans()[before:]
    assert sorted(span.attributes["number"] for span in spans) == list(range(count))
    odd = next(span for span in spans if span.attributes["number"] == 77)
    assert (odd.name, odd.kind, odd.status, odd.message) == ("span 77", 4, 2, "odd")
    assert (odd.trace_id, odd.parent_id) == ("ab" * 16, "01" * 8)
    assert [link[:2] for link in odd.links] == [("02" * 16, "03" * 8)]
    assert odd.end - odd.start == 5 and odd.attributes["messaging.destination.name"] == "orders"
    assert (odd.resource["service.name"], odd.scope) == ("spans", "outbox-relay")
    sizes = [
        sum(len(scope["spans"]) for one in request["resourceSpans"] for scope in one["scopeSpans"])
        for request in collector.requests("traces")
    ]
    assert max(sizes) <= 512


def test_a_collector_that_never_answers_costs_a_bounded_memory():
    collector = BadCollector(lambda request, handler: handler.hang())
    try:
        began = time.monotonic()
        few = export(collector.endpoint, "http/protobuf", 4 * QUEUE)
        assert time.monotonic() - began < (5 if settings.SANITIZE == "none" else 20)
        many = export(collector.endpoint, "http/protobuf", 40 * QUEUE)
    finally:
        collector.close()
    for count, (exported, dropped, failures, _) in ((4 * QUEUE, few), (40 * QUEUE, many)):
        assert (exported, dropped) == (0, count) and failures == 1
    if settings.SANITIZE == "none":
        assert many[3] < few[3] + 1024 and many[3] < 20 * 1024


def test_a_collector_that_is_away_does_not_hold_up_the_end():
    began = time.monotonic()
    exported, dropped, failures, _ = export("http://127.0.0.1:9", "http/protobuf", 1000)
    assert time.monotonic() - began < (2 if settings.SANITIZE == "none" else 15)
    assert (exported, dropped) == (0, 1000) and failures >= 1
