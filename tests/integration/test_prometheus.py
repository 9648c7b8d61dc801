"""test_prometheus.py - a real Prometheus reads what relays expose, and its alerts and our dashboard see it
SPDX-License-Identifier: MIT
"""

import math
import re

import pytest

from harness import settings
from harness.http import LISTEN, Http
from harness.prometheus import Prometheus, promtool
from harness.sqlite import SqliteOutbox
from monitoring.figures import RULES, documented, expressions, exposed

# Only there once a driver counts something; telemetry is what another section of the configuration is about.
SOMETIMES = {"openoutbox_driver_incidents_total"}


@pytest.fixture
def sqlite(folder, new_relay):
    """Its events of type `bare` cannot be sent: the topic needs a key that they do not have."""
    settings.need("store-sqlite", "publisher-null")
    made = SqliteOutbox(folder, lambda *pipelines, **options: new_relay(*pipelines, http=LISTEN, **options))
    rules = [{"match": {"type": "bare"}, "topic": "{partition_key}"}]
    return made.to({"driver": "null"}, route={"topic": "t", "rules": rules})


@pytest.fixture
def new_prometheus():
    made = []

    def new(*targets, **options):
        made.append(Prometheus(*targets, **options))
        return made[-1].start()

    yield new
    for server in made:
        server.close()


def metrics(http):
    return http.get("/metrics").body.decode()


def test_figures_are_what_the_page_says_and_the_linter_finds_no_fault(sqlite):
    relay = sqlite.relay.start()
    http = Http(relay)
    sqlite.put()
    sqlite.wait_states(DELIVERED=1)
    http.wait_pipeline(lambda pipeline: pipeline["table"], "the table is counted")
    text = metrics(http)
    done = promtool("check", "metrics", stdin=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), text
    found, known = exposed(text), documented()
    assert set(found.items()) - set(known.items()) == set(), "what is exposed is not on the page"
    assert known.keys() - found.keys() - SOMETIMES == set(), "what is on the page is not exposed"
    relay.stop()


def test_a_backlog_that_nobody_could_count_is_not_said_to_be_empty(folder, new_relay):
    settings.need("store-sqlite", "publisher-null")
    store = {"driver": "sqlite", "url": f"sqlite:{folder}/missing.db"}
    relay = new_relay({"name": "p", "store": store, "publisher": {"driver": "null"}}, http=LISTEN).start()
    text = metrics(Http(relay))
    assert "openoutbox_relay_state" in text
    assert "openoutbox_backlog" not in text
    relay.stop()


def test_a_page_of_odd_attributes_can_be_read(folder, new_relay):
    """No label comes twice or is Prometheus' own, and all is UTF-8."""
    settings.need("store-sqlite", "publisher-null")
    names = [
        "a.b=1", "a-b=2", "a_b=3", "__name__=x", "__a=y", "9=z", "%C3%A9=e", "%FF=f", "bad=%FF%22%5C%0A",
        "service_name=other", "long." + "x" * 200 + "1=4", "long." + "x" * 200 + "2=5", "job=j", "empty=",
    ]  # fmt: skip
    sqlite = SqliteOutbox(folder, lambda *pipelines, **options: new_relay(*pipelines, http=LISTEN, **options))
    relay = sqlite.to({"driver": "null"}, {"OTEL_RESOURCE_ATTRIBUTES": ",".join(names)}).relay.start()
    text = metrics(Http(relay))
    done = promtool("check", "metrics", stdin=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), text
    (info,) = [line for line in text.splitlines() if line.startswith("target_info{")]
    labels = re.findall(r'([a-zA-Z_0-9]+)="((?:[^"\\]|\\.)*)"[,}]', info)
    found = dict(labels)
    assert len(found) == len(labels) and not any(name.startswith("__") for name in found)
    assert found["a_b"] == "1;2;3" and found["service_name"] == "outbox-relay;other"
    assert found["bad"] == '\ufffd\\"\\\\\\n' and found["empty"] == ""
    assert (found["key___name__"], found["key___a"], found["key_9"]) == ("x", "y", "z")
    relay.stop()


def test_prometheus_sees_what_relays_do(sqlite, own_table, outbox, new_relay, new_prometheus):
    one = sqlite.relay.start()
    other = new_relay(outbox.to_file(own_table, "orders"), http=LISTEN).start()
    addresses = [Http(relay).address for relay in (one, other)]
    prometheus = new_prometheus(*addresses, rules=[RULES]).wait_scraped()
    assert sorted(sample.value for sample in prometheus.query("up")) == [1, 1]
    # From here on counters rise from zero before its eyes.
    prometheus.wait_value("count(openoutbox_events_total == 0)", lambda value: value == 4)

    bare, good, orders = 3, settings.events(200), settings.events(400)
    kinds = ["t"] * good + ["bare"] * bare
    sqlite.put_all(*[{"type": kind, "payload": "{}"} for kind in kinds])
    own_table.insert_many(orders)
    prometheus.wait_value('openoutbox_events_total{pipeline="p",status="success"}', lambda value: value == good)
    prometheus.wait_value('openoutbox_events_total{pipeline="p",status="failed"}', lambda value: value == bare)
    prometheus.wait_value('openoutbox_events_total{pipeline="orders",status="success"}', lambda value: value == orders)
    prometheus.wait_value('openoutbox_backlog_dead{pipeline="p"}', lambda value: value == bare)
    assert prometheus.value('openoutbox_events_total{pipeline="orders",status="failed"}') == 0
    assert prometheus.value('openoutbox_events_outcomes_total{outcome="unsendable",pipeline="p"}') == bare
    assert prometheus.value('openoutbox_events_outcomes_total{outcome="acked",pipeline="orders"}') == orders
    assert prometheus.value('openoutbox_events_e2e_latency_seconds_count{pipeline="orders"}') == orders
    check_percentiles(prometheus)
    check_dashboard(prometheus)
    check_alerts(prometheus)


def check_percentiles(prometheus):
    for name in ("events_e2e", "publisher", "storage"):
        quantile = "histogram_quantile({}, sum by (le) (rate(openoutbox_{}_latency_seconds_bucket[1m])))"
        half, most = (prometheus.value(quantile.format(q, name)) for q in (0.5, 0.99))
        assert 0 < half <= most < settings.PATIENCE, name


def check_dashboard(prometheus):
    """Each of its panels shows something, what nothing has happened to yet shows zero."""
    for title, expression in expressions():
        samples = prometheus.query(expression)
        if not any(name in expression for name in SOMETIMES):
            assert samples, f"{title} shows nothing: {expression}"
            assert not all(math.isinf(sample.value) for sample in samples), title


def check_alerts(prometheus):
    """Of those that do not wait: events have just become DEAD, and all else is well."""
    prometheus.wait_value('count(ALERTS{alertstate="firing"})', lambda value: value > 0)
    ((name, labels),) = prometheus.firing()
    assert (name, labels["pipeline"], labels["severity"]) == ("OutboxNewDeadEvents", "p", "warning")
    (alert,) = [one for one in prometheus.ask("alerts")["alerts"] if one["state"] == "firing"]
    assert alert["annotations"]["summary"] == "Events of pipeline p have become DEAD"
    assert not re.search(r"no value|\{\{|error expanding", alert["annotations"]["description"])
