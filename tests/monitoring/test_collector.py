"""test_collector.py - the Collector of the tests receives, decodes and keeps each signal
SPDX-License-Identifier: MIT
"""

import json
import urllib.error
import urllib.request

import pytest

from harness.collector import Collector

TRACE, SPAN, PARENT = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b173"
OTHER_TRACE, OTHER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
BEGAN, ENDED = 1544712660000000000, 1544712661000000000


def post(collector, signal, body):
    request = urllib.request.Request(
        f"{collector.endpoint}/v1/{signal}", json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status


def test_a_span_arrives(collector):
    span = {
        "traceId": TRACE, "spanId": SPAN, "parentSpanId": PARENT, "name": "publish", "kind": 4,
        "startTimeUnixNano": str(BEGAN), "endTimeUnixNano": str(ENDED),
        "attributes": [
            {"key": "count", "value": {"intValue": "9007199254740993"}},
            {"key": "names", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
        ],
        "links": [{"traceId": OTHER_TRACE, "spanId": OTHER_SPAN}],
        "status": {"code": 2, "message": "refused"},
    }  # fmt: skip
    spans = [{"scope": {"name": "relay"}, "spans": [span]}]
    assert post(collector, "traces", {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": spans}]}) == 200
    (got,) = collector.wait(lambda: collector.spans("publish"), "a span")
    assert (got.trace_id, got.span_id, got.parent_id) == (TRACE, SPAN, PARENT)
    assert (got.kind, got.start, got.end, got.scope) == (4, BEGAN, ENDED, "relay")
    assert got.attributes == {"count": 9007199254740993, "names": ["a"]}
    assert [link[:2] for link in got.links] == [(OTHER_TRACE, OTHER_SPAN)]
    assert (got.status, got.message) == (2, "refused")
    assert got.resource == {"service.name": "shop"}


def test_metrics_arrive(collector):
    times = {"startTimeUnixNano": str(BEGAN), "timeUnixNano": str(ENDED)}
    attributes = [{"key": "pipeline", "value": {"stringValue": "orders"}}]
    metrics = [
        {"name": "events", "unit": "{event}", "sum": {
            "aggregationTemporality": 2, "isMonotonic": True,
            "dataPoints": [{"asInt": "5", "attributes": attributes, **times}]}},
        {"name": "age", "unit": "s", "gauge": {"dataPoints": [{"asDouble": 0.5, **times}]}},
        {"name": "latency", "unit": "s", "histogram": {
            "aggregationTemporality": 2, "dataPoints": [
                {"count": "3", "sum": 1.5, "bucketCounts": ["1", "2"], "explicitBounds": [0.1], **times}]}},
    ]  # fmt: skip
    of_scope = [{"scope": {"name": "relay"}, "metrics": metrics}]
    body = {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": of_scope}]}
    assert post(collector, "metrics", body) == 200
    collector.wait(lambda: len(collector.metrics()) == 3, "three metrics")
    (events,) = collector.metrics("events")
    assert (events.kind, events.unit, events.temporality, events.monotonic) == ("sum", "{event}", 2, True)
    point = collector.point("events", pipeline="orders")
    assert (point.value, point.start, point.time) == (5, BEGAN, ENDED)
    assert collector.point("events", pipeline="bills") is None
    assert collector.point("age").value == 0.5
    latency = collector.point("latency")
    assert (latency.count, latency.sum, latency.counts, latency.bounds) == (3, 1.5, (1, 2), (0.1,))


def test_a_log_record_arrives(collector):
    record = {
        "timeUnixNano": str(BEGAN), "severityNumber": 17, "severityText": "ERROR",
        "body": {"stringValue": "event is DEAD"}, "traceId": TRACE, "spanId": SPAN,
        "attributes": [{"key": "pipeline", "value": {"stringValue": "orders"}}],
    }  # fmt: skip
    logs = [{"scope": {"name": "relay"}, "logRecords": [record]}]
    assert post(collector, "logs", {"resourceLogs": [{"resource": RESOURCE, "scopeLogs": logs}]}) == 200
    (got,) = collector.wait(collector.logs, "a log record")
    assert (got.body, got.severity, got.severity_text, got.time) == ("event is DEAD", 17, "ERROR", BEGAN)
    assert (got.trace_id, got.span_id, got.attributes) == (TRACE, SPAN, {"pipeline": "orders"})


def test_what_is_no_otlp_is_refused(collector):
    before = len(collector.requests("traces"))
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(collector, "traces", {"resourceSpans": "none"})
    assert refused.value.code == 400
    assert len(collector.requests("traces")) == before


def test_it_comes_back_at_the_same_address_with_what_it_had():
    collector = Collector()
    try:
        collector.start()
        endpoint = collector.endpoint
        assert post(collector, "logs", {"resourceLogs": []}) == 200
        collector.kill()
        with pytest.raises(urllib.error.URLError):
            post(collector, "logs", {"resourceLogs": []})
        collector.start()
        assert collector.endpoint == endpoint
        record = {"body": {"stringValue": "again"}}
        logs = [{"scopeLogs": [{"logRecords": [record]}]}]
        assert post(collector, "logs", {"resourceLogs": logs}) == 200
        assert [got.body for got in collector.logs()] == ["again"]
    finally:
        collector.close()
