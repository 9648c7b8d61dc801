"""otlp.py - OTLP JSON as plain Python objects
SPDX-License-Identifier: MIT

https://opentelemetry.io/docs/specs/otlp/: ids are hexadecimal text, 64-bit numbers are text.
"""

import base64
from typing import Any, NamedTuple


class Span(NamedTuple):
    name: str
    trace_id: str
    span_id: str
    parent_id: str  # "" without a parent
    kind: int  # 1 internal, 2 server, 3 client, 4 producer, 5 consumer
    start: int  # nanoseconds since 1970, as all times here
    end: int
    attributes: dict
    links: list  # of Link
    events: list  # of Event
    status: int  # 0 unset, 1 ok, 2 error
    message: str  # of the status
    trace_state: str
    resource: dict
    scope: str


class Link(NamedTuple):
    trace_id: str
    span_id: str
    attributes: dict


class Event(NamedTuple):
    name: str
    time: int
    attributes: dict


class Metric(NamedTuple):
    name: str
    unit: str
    description: str
    kind: str  # sum, gauge, histogram
    temporality: int  # 0 of a gauge, 1 delta, 2 cumulative
    monotonic: bool
    points: list  # of Point
    resource: dict
    scope: str


class Point(NamedTuple):
    attributes: dict
    start: int
    time: int
    value: Any  # int or float; None of a histogram
    count: int = 0
    sum: float = 0.0
    counts: tuple = ()  # of the buckets
    bounds: tuple = ()
    exemplars: tuple = ()  # as they came


class LogRecord(NamedTuple):
    body: Any
    severity: int  # 1-4 trace, 5-8 debug, 9-12 info, 13-16 warn, 17-20 error, 21-24 fatal
    severity_text: str
    time: int
    observed: int
    attributes: dict
    trace_id: str
    span_id: str
    resource: dict
    scope: str


def value_of(any_value):
    """Python's value of an AnyValue; None of an empty one."""
    for kind, value in any_value.items():
        if kind == "intValue":
            return int(value)
        if kind == "arrayValue":
            return [value_of(one) for one in value.get("values", [])]
        if kind == "kvlistValue":
            return attributes_of(value.get("values", []))
        if kind == "bytesValue":
            return base64.b64decode(value)
        return value
    return None


def attributes_of(pairs):
    keys = [pair["key"] for pair in pairs]
    assert len(keys) == len(set(keys)), f"an attribute is there twice: {sorted(keys)}"
    return {pair["key"]: value_of(pair.get("value", {})) for pair in pairs}


def _items(requests, resources, scopes, items):
    """(item, its resource's attributes, its scope's name) of every request."""
    for request in requests:
        for of_resource in request.get(resources, []):
            resource = attributes_of(of_resource.get("resource", {}).get("attributes", []))
            for of_scope in of_resource.get(scopes, []):
                scope = of_scope.get("scope", {}).get("name", "")
                for item in of_scope.get(items, []):
                    yield item, resource, scope


def _attributes(item):
    return attributes_of(item.get("attributes", []))


def spans(requests):
    return [
        Span(
            item.get("name", ""), item["traceId"], item["spanId"], item.get("parentSpanId", ""),
            item.get("kind", 0), int(item.get("startTimeUnixNano", 0)), int(item.get("endTimeUnixNano", 0)),
            _attributes(item),
            [Link(link["traceId"], link["spanId"], _attributes(link)) for link in item.get("links", [])],
            [
                Event(event.get("name", ""), int(event.get("timeUnixNano", 0)), _attributes(event))
                for event in item.get("events", [])
            ],
            item.get("status", {}).get("code", 0), item.get("status", {}).get("message", ""),
            item.get("traceState", ""), resource, scope,
        )
        for item, resource, scope in _items(requests, "resourceSpans", "scopeSpans", "spans")
    ]  # fmt: skip


def metrics(requests):
    made = []
    for item, resource, scope in _items(requests, "resourceMetrics", "scopeMetrics", "metrics"):
        (kind,) = {"sum", "gauge", "histogram", "exponentialHistogram", "summary"} & item.keys()
        data = item[kind]
        made.append(
            Metric(
                item["name"], item.get("unit", ""), item.get("description", ""), kind,
                data.get("aggregationTemporality", 0), data.get("isMonotonic", False),
                [_point(point) for point in data.get("dataPoints", [])], resource, scope,
            )
        )  # fmt: skip
    return made


def _point(point):
    value = None
    if "asInt" in point:
        value = int(point["asInt"])
    elif "asDouble" in point:
        value = float(point["asDouble"])
    return Point(
        _attributes(point), int(point.get("startTimeUnixNano", 0)), int(point.get("timeUnixNano", 0)),
        value, int(point.get("count", 0)), float(point.get("sum", 0)),
        tuple(int(count) for count in point.get("bucketCounts", [])),
        tuple(float(bound) for bound in point.get("explicitBounds", [])),
        tuple(point.get("exemplars", [])),
    )  # fmt: skip


def log_records(requests):
    return [
        LogRecord(
            value_of(item.get("body", {})), item.get("severityNumber", 0), item.get("severityText", ""),
            int(item.get("timeUnixNano", 0)), int(item.get("observedTimeUnixNano", 0)), _attributes(item),
            item.get("traceId", ""), item.get("spanId", ""), resource, scope,
        )
        for item, resource, scope in _items(requests, "resourceLogs", "scopeLogs", "logRecords")
    ]  # fmt: skip
