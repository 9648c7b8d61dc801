"""test_prometheus_server.py - the Prometheus of the tests scrapes and answers
SPDX-License-Identifier: MIT
"""

import http.server
import threading

import pytest

from harness.postgres import free_port
from harness.prometheus import Prometheus

METRICS = b"""# HELP shop_orders_total Orders.
# TYPE shop_orders_total counter
shop_orders_total{pipeline="orders"} 42
"""


class Exposition(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(METRICS)

    def log_message(self, *_):
        """Nothing to the terminal."""


@pytest.fixture
def exposition():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exposition)
    thread = threading.Thread(target=server.serve_forever, name="exposition")
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_scrapes_a_target_and_knows_one_that_is_down(exposition, folder):
    nobody = f"127.0.0.1:{free_port()}"
    rules = folder / "rules.yml"
    rules.write_text('{"groups": [{"name": "t", "rules": [{"alert": "Down", "expr": "up == 0"}]}]}')
    prometheus = Prometheus(exposition, nobody, rules=[rules])
    try:
        prometheus.start()
        prometheus.wait_value("shop_orders_total", lambda value: value == 42)
        (sample,) = prometheus.query("shop_orders_total")
        assert sample.labels == {"instance": exposition, "job": "outbox-relay", "pipeline": "orders"}
        prometheus.wait_value(f'up{{instance="{nobody}"}}', lambda value: value == 0)
        assert prometheus.value(f'up{{instance="{exposition}"}}') == 1
        assert prometheus.health()[exposition] == ("up", "")
        prometheus.wait_value('ALERTS{alertstate="firing"}', lambda value: value == 1)
        assert prometheus.firing() == [("Down", {"instance": nobody, "job": "outbox-relay"})]
        assert prometheus.value("no_such_metric") is None
        with pytest.raises(AssertionError, match="parse error"):
            prometheus.query("sum(")
    finally:
        prometheus.close()
