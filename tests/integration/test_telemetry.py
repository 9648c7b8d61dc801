"""test_telemetry.py - a real collector understands what a relay sends, as file and environment say
SPDX-License-Identifier: MIT
"""

import pytest

from harness import processes, settings
from harness.brokers.tls import Authority, openssl
from harness.collector import Collector
from harness.relay import NOBODY_TYPES
from harness.sqlite import SqliteOutbox

RESOURCE = {"telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version"}


@pytest.fixture(scope="module")
def certificates():
    folder = processes.short_folder("tls")
    yield Authority(folder)
    processes.remove_folder(folder)


@pytest.fixture
def outbox(folder, new_relay):
    settings.need("store-sqlite", "publisher-null")
    return SqliteOutbox(folder, new_relay)


def relay_of(outbox, telemetry=None, environment=None, **publisher):
    """Of an outbox with 30 events, not yet running."""
    relay = outbox.to(dict({"driver": "null"}, **publisher), environment=environment).relay
    outbox.put_all(*[{"payload": "{}"} for _ in range(30)])
    if telemetry is not None:
        relay.config["telemetry"] = telemetry
    relay.config["relay"]["id"] = outbox.path.parent.name.replace("[", ".").replace("]", "")[-60:]
    relay.write_config()
    return relay


def latest(collector, relay, name, **attributes):
    return collector.point(name, relay_id=relay.config["relay"]["id"], **attributes)


def lines(collector, relay):
    instance = relay.config["relay"]["id"]
    return [line for line in collector.logs() if line.resource.get("service.instance.id") == instance]


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_figures_and_lines_arrive_as_they_are(collector, outbox, protocol, compression):
    telemetry = {"endpoint": collector.endpoint, "protocol": protocol, "compression": compression}
    relay = relay_of(outbox, telemetry)
    relay.start("--once")
    assert relay.wait() == 0
    assert latest(collector, relay, "openoutbox.events.delivered", pipeline="p").value == 30
    assert latest(collector, relay, "openoutbox.events.total", status="success").value == 30
    latency = latest(collector, relay, "openoutbox.events.e2e_latency", pipeline="p")
    assert latency.count == sum(latency.counts) == 30
    assert len(latency.counts) == len(latency.bounds) + 1 and latency.sum > 0
    assert latency.start <= latency.time
    metric = collector.metrics("openoutbox.events.total")[-1]
    assert (metric.kind, metric.temporality, metric.monotonic) == ("sum", 2, True)
    assert (metric.unit, metric.scope) == ("{event}", "outbox-relay")
    assert collector.metrics("openoutbox.relay.state")[-1].kind == "gauge"
    assert RESOURCE | {"service.name", "service.version", "host.name", "process.pid"} <= set(
        metric.resource
    )
    assert metric.resource["service.name"] == "outbox-relay"
    (ended,) = [line for line in lines(collector, relay) if line.body == "pipeline ended"]
    assert (ended.severity, ended.severity_text) == (9, "INFO")
    assert ended.attributes["pipeline"] == "p" and ended.attributes["delivered"] == 30


def test_figures_come_again_and_again(collector, outbox):
    relay = relay_of(outbox, {"endpoint": collector.endpoint, "metrics": {"interval": "200ms"}}).start()
    name = "openoutbox.events.delivered"
    collector.wait(lambda: getattr(latest(collector, relay, name), "value", 0) == 30, "30 events")
    first = latest(collector, relay, name)
    outbox.put_all({"payload": "{}"}, {"payload": "{}"})
    collector.wait(lambda: latest(collector, relay, name).value == 32, "32 events")
    assert latest(collector, relay, name).start == first.start
    relay.stop()


def test_the_environment_alone_is_enough(collector, outbox):
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint + "/",
        "OTEL_SERVICE_NAME": "shop relay",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=not%20this,deployment.environment.name=te%2Cst, a=",
        "OTEL_LOGS_EXPORTER": "none",
    }
    relay = relay_of(outbox, environment=environment)
    assert relay.once() == 0
    assert latest(collector, relay, "openoutbox.events.delivered").value == 30
    resource = collector.metrics("openoutbox.events.delivered")[-1].resource
    assert resource["service.name"] == "shop relay"
    assert resource["deployment.environment.name"] == "te,st" and resource["a"] == ""
    assert not lines(collector, relay)


def test_the_file_wins_where_it_says_something(collector, outbox):
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:9/elsewhere",
        "OTEL_SERVICE_NAME": "of-the-environment",
        "OTEL_RESOURCE_ATTRIBUTES": "kept=yes",
        "OTEL_SDK_DISABLED": "true",
    }
    telemetry = {"endpoint": collector.endpoint, "service_name": "of-the-file", "enabled": True}
    relay = relay_of(outbox, telemetry, environment)
    assert relay.once() == 0
    assert latest(collector, relay, "openoutbox.events.delivered").value == 30
    resource = collector.metrics("openoutbox.events.delivered")[-1].resource
    assert (resource["service.name"], resource["kept"]) == ("of-the-file", "yes")


def test_dead_events_are_told_as_lines_and_not_without_end(collector, outbox):
    relay = relay_of(outbox, {"endpoint": collector.endpoint}, failure_rate=1.0, failure="rejected")
    assert relay.once() == 0
    assert outbox.states() == {"DEAD": 30}
    dead = [line for line in lines(collector, relay) if line.body == "event is DEAD"]
    assert len(dead) == 20 == len([line for line in relay.log() if line["message"] == "event is DEAD"])
    assert {line.severity for line in dead} == {17} and all(line.attributes["event_id"] for line in dead)
    (told,) = relay.logged("lines were left out that said the same")
    assert (told["line"], told["suppressed"], told["level"]) == ("event is DEAD", 10, "error")
    assert latest(collector, relay, "openoutbox.log.suppressed").value == 10


def test_tls_with_certificates_of_both_sides(certificates, outbox):
    collector = Collector(certificates, certificates.ca)
    try:
        collector.start()
        telemetry = {
            "endpoint": collector.endpoint,
            "certificate": str(certificates.ca),
            "client_certificate": str(certificates.client_certificate),
            "client_key": str(certificates.client_key),
        }
        relay = relay_of(outbox, telemetry)
        assert relay.once() == 0
        assert latest(collector, relay, "openoutbox.events.delivered").value == 30

        # Not trusted without being told to, and not let in without a certificate.
        for left_out in ("certificate", "client_certificate"):
            telemetry.pop(left_out)
            relay.config["relay"]["id"] = f"without-{left_out}"
            relay.write_config()
            assert relay.once() == 0
            assert latest(collector, relay, "openoutbox.events.delivered") is None
            assert relay.logged("telemetry cannot be exported for now")
            telemetry["certificate"] = str(certificates.ca)
    finally:
        collector.close()


def test_nobody_is_asked_for_the_password_of_a_key(certificates, outbox, folder):
    encrypted = folder / "encrypted.pem"
    openssl("pkey", "-in", certificates.client_key, "-aes256", "-passout", "pass:secret", "-out", encrypted)
    collector = Collector(certificates, certificates.ca)
    try:
        collector.start()
        telemetry = {
            "endpoint": collector.endpoint,
            "certificate": str(certificates.ca),
            "client_certificate": str(certificates.client_certificate),
            "client_key": str(encrypted),
        }
        relay = relay_of(outbox, telemetry)
        relay.wrapper = NOBODY_TYPES
        assert relay.once() == 0
        assert relay.logged("telemetry cannot be exported for now", "encrypted.pem")
    finally:
        collector.close()
