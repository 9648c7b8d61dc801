"""test_telemetry_faults.py - a collector that is slow, broken or away costs a relay nothing but telemetry
SPDX-License-Identifier: MIT
"""

import json
import time
from email.utils import formatdate

import pytest

from harness import settings
from harness.bad_collector import BadCollector
from harness.sqlite import SqliteOutbox
from harness.stream import peak_memory

SECRET = "Bearer s3cr3t-token"
FAST = {"metrics": {"interval": "200ms"}, "logs": {"delay": "100ms"}}
# What ends a relay whose collector does not answer: 2 s, and some air for a busy machine.
QUICK = 2 + (3 if settings.SANITIZE == "none" else 10)


@pytest.fixture
def new_collector():
    made = []

    def new(rule=None):
        made.append(BadCollector(rule))
        return made[-1]

    yield new
    for collector in made:
        collector.close()


@pytest.fixture
def outbox(folder, new_relay):
    settings.need("store-sqlite", "publisher-null")
    return SqliteOutbox(folder, new_relay)


def relay_of(outbox, telemetry, environment=None, events=30, **changes):
    relay = outbox.to({"driver": "null"}, environment=environment).relay
    outbox.put_all(*[{"payload": "{}"} for _ in range(events)])
    relay.config["telemetry"] = telemetry
    relay.config.update(changes)
    relay.write_config()
    return relay


def metrics_alone(collector):
    """The section that sends these, often, and nothing else."""
    return {
        "endpoint": collector.endpoint, "metrics": {"interval": "100ms"},
        "traces": {"enabled": False}, "logs": {"enabled": False},
    }  # fmt: skip


def delivered(outbox):
    outbox.wait_states(DELIVERED=30)


def figure(request, name, **attributes):
    """The value of a point in a request of metrics, which is JSON."""
    wanted = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    (scope,) = json.loads(request.body)["resourceMetrics"][0]["scopeMetrics"]
    for metric in scope["metrics"]:
        for point in metric.get("sum", metric.get("gauge", {})).get("dataPoints", []):
            if metric["name"] == name and all(pair in point["attributes"] for pair in wanted):
                return int(point["asInt"])
    return None


def last_figure(collector, name, **attributes):
    return figure(collector.requests("metrics")[-1], name, **attributes)


# ---- away -----------------------------------------------------------------------------------------


def test_a_collector_that_is_away_neither_stops_nor_delays_a_relay(outbox):
    relay = relay_of(outbox, {"endpoint": "http://127.0.0.1:9", **FAST}).start()
    delivered(outbox)
    relay.wait_logged("telemetry cannot be exported for now", "127.0.0.1:9/v1/logs")
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < QUICK
    # The failure to send lines is no line to be sent, or there would be no end of them.
    assert len(relay.logged("telemetry cannot be exported for now", "/v1/logs")) == 1


def test_a_collector_that_never_answers_holds_up_neither_events_nor_the_end(outbox, new_collector):
    collector = new_collector(lambda request, handler: handler.hang())
    relay = relay_of(outbox, {"endpoint": collector.endpoint, **FAST}).start()
    delivered(outbox)
    outbox.wait(lambda: collector.requests("metrics") and collector.requests("logs"), "it is asked")
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < QUICK


def test_what_has_no_room_is_dropped_and_counted_and_memory_stays(outbox, new_collector):
    def rule(request, handler):
        if request.signal == "logs":
            handler.hang()
        else:
            handler.answer(200)

    collector = new_collector(rule)
    telemetry = {
        "endpoint": collector.endpoint, "protocol": "http/json", "metrics": {"interval": "100ms"},
        "logs": {"queue_size": 8, "batch_size": 4, "delay": "10ms"},
    }  # fmt: skip
    relay = relay_of(outbox, telemetry)
    relay.config["pipelines"][0]["publisher"].update(failure_rate=1.0, failure="rejected")
    relay.write_config()
    relay.start()
    outbox.wait_states(DEAD=30)
    outbox.wait(
        lambda: (last_figure(collector, "openoutbox.telemetry.dropped", signal="logs") or 0) > 0
        if collector.requests("metrics")
        else False,
        "drops are counted",
    )
    peak = peak_memory(relay)
    assert peak < 20 * 1024 * 1024 or settings.SANITIZE != "none"
    relay.stop()


def test_spans_without_room_are_among_those_that_the_log_tells_of(outbox, new_collector):
    collector = new_collector(lambda request, handler: handler.hang())
    telemetry = {
        "endpoint": collector.endpoint, "traces": {"queue_size": 8, "batch_size": 4},
        "metrics": {"enabled": False}, "logs": {"enabled": False},
    }  # fmt: skip
    relay = relay_of(outbox, telemetry)
    assert relay.once() == 0
    told = relay.logged("telemetry was dropped", "traces")
    assert sum(line["dropped"] for line in told) >= 30, "all that there was"


# ---- overloaded -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status, form", [(429, "seconds"), (503, "date")])
def test_a_collector_is_left_alone_as_long_as_it_asks(outbox, new_collector, status, form):
    def rule(request, handler):
        first = len(collector.requests(request.signal)) == 1
        # A date has no fractions: it is between 1 and 2 s from now.
        wish = "1" if form == "seconds" else formatdate(int(time.time()) + 2, usegmt=True)
        handler.answer(status if first else 200, **({"retry_after": wish} if first else {}))

    collector = new_collector(rule)
    relay = relay_of(outbox, {"endpoint": collector.endpoint, **FAST}).start()
    outbox.wait(lambda: len(collector.requests("logs")) >= 2, "lines are sent again")
    first, second = collector.requests("logs")[:2]
    assert second.time - first.time >= 1
    assert second.body == first.body
    relay.wait_logged("telemetry is exported again", "logs")
    relay.stop()


@pytest.mark.parametrize("fault", ["502", "504", "hang up"])
def test_what_may_work_later_is_sent_again(outbox, new_collector, fault):
    asked = []

    def rule(request, handler):
        if request.signal != "logs" or len(asked) > 0:
            handler.answer(200)
        elif fault == "hang up":
            handler.hang_up()
        else:
            handler.answer(int(fault))
        asked.extend([request] if request.signal == "logs" else [])

    collector = new_collector(rule)
    relay = relay_of(outbox, {"endpoint": collector.endpoint, **FAST}).start()
    outbox.wait(lambda: len(asked) >= 2, "lines are sent again")
    assert asked[1].body == asked[0].body
    relay.stop()


def test_what_is_not_taken_for_too_long_is_dropped_and_counted(outbox, new_collector):
    collector = new_collector(
        lambda request, handler: handler.answer(503 if request.signal == "logs" else 200)
    )
    telemetry = {
        "endpoint": collector.endpoint, "protocol": "http/json", "metrics": {"interval": "100ms"},
        "logs": {"delay": "10ms", "patience": "10ms"},
    }  # fmt: skip
    relay = relay_of(outbox, telemetry).start()
    relay.wait_logged("telemetry was dropped", "logs")
    outbox.wait(
        lambda: (last_figure(collector, "openoutbox.telemetry.dropped", signal="logs") or 0) > 0
        and last_figure(collector, "openoutbox.telemetry.failures", signal="logs") > 0
        if collector.requests("metrics")
        else False,
        "the drop is counted",
    )
    relay.stop()


def test_a_request_without_an_answer_ends_with_the_patience_for_its_batch(outbox, new_collector):
    collector = new_collector(lambda request, handler: handler.hang())
    telemetry = {
        "endpoint": collector.endpoint, "timeout": "1h", "metrics": {"enabled": False},
        "logs": {"delay": "10ms", "patience": "300ms"},
    }  # fmt: skip
    relay = relay_of(outbox, telemetry).start()
    relay.wait_logged("telemetry was dropped", "logs")
    relay.stop()


# ---- refusing -------------------------------------------------------------------------------------


def test_what_is_refused_is_not_sent_again_and_told_with_the_reason(outbox, new_collector):
    reason = b'{"code": 3, "message": "no such tenant"}'
    collector = new_collector(
        lambda request, handler: handler.answer(400, reason, content_type="application/json")
    )
    relay = relay_of(outbox, {"endpoint": collector.endpoint, **FAST}).start()
    (line,) = relay.wait_logged("the collector refused the telemetry", "/v1/logs")
    assert (line["status"], line["error"]) == (400, "no such tenant")
    outbox.wait(lambda: len(collector.requests("metrics")) >= 2, "it goes on")
    relay.stop()
    bodies = [request.body for request in collector.requests("logs")]
    assert len(bodies) == len(set(bodies))


def test_a_collector_that_refuses_now_and_then_does_not_fill_the_log(outbox, new_collector):
    collector = new_collector(
        lambda request, handler: handler.answer(400 if len(collector.received) % 2 else 200)
    )
    relay = relay_of(outbox, metrics_alone(collector)).start()
    outbox.wait(lambda: len(collector.requests("metrics")) >= 8, "it goes on")
    relay.stop()
    assert len(relay.logged("the collector refused the telemetry")) == 1
    assert len(relay.logged("telemetry is exported again")) == 1


def test_a_collector_that_refuses_everything_is_asked_ever_more_seldom(outbox, new_collector):
    collector = new_collector(lambda request, handler: handler.answer(400))
    relay = relay_of(outbox, metrics_alone(collector)).start()
    outbox.wait(lambda: len(collector.requests("metrics")) >= 4, "it goes on")
    relay.stop()
    times = [request.time for request in collector.requests("metrics")]
    # The first refusal may be of that one batch; after the second 1 s less up to a half, then 2 s.
    assert times[2] - times[1] >= 0.5 and times[3] - times[2] >= 1


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("type", ["application/json", "application/x-protobuf", "text/html"])
def test_an_answer_that_is_none_does_no_harm(outbox, new_collector, status, type):
    collector = new_collector(
        lambda request, handler: handler.answer(status, b"\xff\x0a\xff{[" * 1000, content_type=type)
    )
    relay = relay_of(outbox, {"endpoint": collector.endpoint})
    assert relay.once() == 0
    assert len(collector.requests("metrics")) == 1
    assert outbox.states() == {"DELIVERED": 30}


def test_an_answer_without_an_end_is_read_to_a_bound(outbox, new_collector):
    collector = new_collector(lambda request, handler: handler.never_end())
    relay = relay_of(outbox, {"endpoint": collector.endpoint, "protocol": "http/json"})
    began = time.monotonic()
    assert relay.once() == 0
    assert time.monotonic() - began < QUICK
    assert not relay.logged("telemetry cannot be exported")


def test_what_was_taken_in_part_is_counted(outbox, new_collector):
    body = b'{"partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "too old"}}'
    collector = new_collector(
        lambda request, handler: handler.answer(200, body, content_type="application/json; charset=utf-8")
    )
    telemetry = {"endpoint": collector.endpoint, "protocol": "http/json", **FAST}
    relay = relay_of(outbox, telemetry).start()
    (line,) = relay.wait_logged("the collector rejected a part of the telemetry", "metrics")
    assert (line["rejected"], line["error"]) == (3, "too old")
    outbox.wait(
        lambda: last_figure(collector, "openoutbox.telemetry.dropped", signal="metrics") == 3,
        "three points are counted as dropped",
    )
    assert last_figure(collector, "openoutbox.telemetry.exported", signal="metrics") > 3
    relay.stop()


def test_a_redirect_is_not_followed(outbox, new_collector):
    elsewhere = new_collector()
    collector = new_collector(
        lambda request, handler: handler.answer(307, location=elsewhere.endpoint + request.path)
    )
    relay = relay_of(outbox, {"endpoint": collector.endpoint, "headers": {"authorization": SECRET}})
    assert relay.once() == 0
    assert relay.logged("refused", "redirects are not followed")
    assert not elsewhere.received and not elsewhere.strays and not collector.strays


# ---- headers and addresses ------------------------------------------------------------------------


def test_headers_of_file_and_environment_go_out_and_nowhere_else(outbox, new_collector, folder):
    collector = new_collector()
    secret = folder / "token"
    secret.write_text(SECRET + "\n")
    telemetry = {
        "endpoint": collector.endpoint.replace("//", "//user:s3cr3t-password@") + "/base/",
        "metrics": {"endpoint": collector.endpoint + "/own?key=s3cr3t-key", "headers": {"x-tenant": "a"}},
        "headers": {"authorization": {"file": str(secret)}, "x-empty": ""},
    }
    environment = {"OTEL_EXPORTER_OTLP_HEADERS": "x-environment=1"}
    relay = relay_of(outbox, telemetry, environment)
    assert relay.once() == 0
    (metrics,), (logs,) = collector.requests("own"), collector.requests("logs")
    assert metrics.path == "/own?key=s3cr3t-key" and metrics.headers["x-tenant"] == "a"
    assert "authorization" not in metrics.headers
    assert logs.path == "/base/v1/logs" and logs.headers["authorization"] == SECRET
    assert logs.headers["x-empty"] == "" and "x-environment" not in logs.headers
    assert logs.headers["content-type"] == "application/x-protobuf"
    assert logs.headers["user-agent"].startswith("outbox-relay/")
    assert "s3cr3t" not in relay.log_text()


def test_headers_of_the_environment_are_decoded(outbox, new_collector):
    collector = new_collector()
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20s3cr3t-token, x-a = b%2Cc",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "x-logs=1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_BLRP_SCHEDULE_DELAY": "soon",
    }
    relay = outbox.to({"driver": "null"}, environment=environment).relay
    assert relay.once() == 0
    metrics, logs = collector.requests("metrics")[-1], collector.requests("logs")[-1]
    assert (metrics.headers["authorization"], metrics.headers["x-a"]) == (SECRET, "b,c")
    assert logs.headers["x-logs"] == "1" and "authorization" not in logs.headers
    assert metrics.headers["content-type"] == "application/x-protobuf"
    warned = {line["variable"]: line["problem"] for line in relay.logged("a variable of the environment")}
    assert set(warned) == {"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_BLRP_SCHEDULE_DELAY"}
    assert "grpc" in warned["OTEL_EXPORTER_OTLP_PROTOCOL"]
    checked = relay.run("check")
    assert checked.returncode == 0 and all(variable in checked.stderr for variable in warned)
    assert "s3cr3t" not in relay.log_text()


def test_nothing_is_sent_without_an_address(outbox, new_collector):
    relay = outbox.to({"driver": "null"}, environment={"OTEL_SERVICE_NAME": "x"}).relay
    assert relay.once() == 0
    assert not relay.logged("telemetry")


def test_a_change_is_told_to_need_a_new_start(outbox, new_collector):
    collector = new_collector()
    relay = relay_of(outbox, {"endpoint": collector.endpoint, **FAST}).start()
    delivered(outbox)
    relay.config["telemetry"].update(headers={"a": "b"}, traces={"sampler": "always_off"})
    relay.reload()
    relay.wait_logged("configuration read again")
    changed = {line["key"] for line in relay.logged("applies at the next start only")}
    headers = {f"telemetry.{signal}.headers" for signal in ("metrics", "traces", "logs")}
    assert changed == headers | {"telemetry.traces.sampler"}
    relay.stop()
