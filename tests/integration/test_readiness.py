"""test_readiness.py - /readyz goes red soon after something stands still, says what, and green soon after
SPDX-License-Identifier: MIT

The times are the promise itself, with the defaults: within ten seconds and within five.
"""

import time

import pytest

from harness.brokers.redis import Redis
from harness.http import LISTEN, Http
from harness.proxy import Proxy
from harness.relay import Relay, pipeline
from harness.settings import need
from harness.waiting import wait_until

# The bounds are those of a machine that does nothing else; a sanitizer is no such machine.
RED, GREEN = 10, 5

pytestmark = pytest.mark.long


class Scene:
    """A relay between a database and a broker, each reached through a proxy that can be cut or stalled."""

    def __init__(self, engine, folder):
        self.folder = folder
        self.server = engine.new_server(tcp=True)
        self.redis = Redis().start()
        self.database = self.server.new_database()
        self.table = engine.new_table(self.database).create_foreign()
        self.to_store = Proxy(self.server.port)
        self.to_redis = Proxy(self.redis.port)
        url = self.server.url(self.database.name, tcp=True).replace(
            f":{self.server.port}", f":{self.to_store.port}"
        )
        store = {"driver": "postgres", "url": url, "table": self.table.name}
        publisher = self.redis.publisher_through(self.to_redis.port)
        self.relay = Relay(folder, [pipeline(store, publisher)], http=LISTEN).start()
        self.http = Http(self.relay)

    def close(self):
        for proxy in (self.to_store, self.to_redis):
            proxy.heal()
        self.relay.close()
        for part in (self.to_store, self.to_redis, self.redis, self.server):
            part.close()

    def causes(self):
        """By cause; none when the relay is ready."""
        answer = self.http.ask("/readyz")
        if answer.status == 200:
            return {}
        (pipeline,) = answer.json()["pipelines"].values()
        return {cause["cause"]: cause["reason"] for cause in pipeline["causes"]}

    def red(self, *allowed):
        """Waits until one of these causes is why; returns the reason."""
        began = time.monotonic()
        causes = wait_until(
            lambda: {name: why for name, why in self.causes().items() if name in allowed},
            lambda: f"not ready for {allowed}: {self.causes()}", RED,
            meanwhile=self.relay.assert_running,
        )  # fmt: skip
        print(f"red for {causes} after {time.monotonic() - began:.1f} s")
        return next(iter(causes.values()))

    def green(self):
        began = time.monotonic()
        wait_until(
            lambda: not self.causes(), lambda: f"ready again: {self.causes()}", GREEN,
            meanwhile=self.relay.assert_running,
        )  # fmt: skip
        print(f"green after {time.monotonic() - began:.1f} s")

    def delivers_all(self):
        wait_until(
            lambda: self.table.states().keys() <= {"DELIVERED"},
            lambda: f"all is delivered: {self.table.states()}\n{self.relay.log_tail()}",
        )


@pytest.fixture(scope="module")
def scene(engines, tmp_path_factory):
    need("store-postgres", "publisher-redis")
    engines["postgres"].need()
    made = Scene(engines["postgres"], tmp_path_factory.mktemp("readiness"))
    made.green()
    yield made
    made.close()


def test_a_database_that_is_gone(scene):
    scene.to_store.refuse()
    scene.to_store.cut()
    assert scene.red("store")
    assert scene.http.get("/healthz").json() == {"status": "ok"}
    scene.to_store.heal()
    scene.green()


def test_a_database_that_does_not_answer(scene):
    scene.to_store.stall()
    assert scene.red("store")
    scene.to_store.heal()
    scene.green()


def test_a_table_that_is_gone(scene):
    scene.database.execute(f"ALTER TABLE {scene.table.name} RENAME TO elsewhere")
    assert scene.table.name in scene.red("store")
    scene.database.execute(f"ALTER TABLE elsewhere RENAME TO {scene.table.name}")
    scene.green()


def test_a_broker_that_is_gone_while_there_is_nothing_to_send(scene):
    scene.to_redis.refuse()
    scene.to_redis.cut()
    assert scene.red("publisher")
    scene.to_redis.heal()
    scene.green()


def test_a_broker_that_is_gone_while_events_wait(scene):
    scene.to_redis.refuse()
    scene.to_redis.cut()
    scene.table.insert_many(20)
    assert scene.red("publisher")
    scene.to_redis.heal()
    scene.green()
    scene.delivers_all()


def test_a_broker_that_does_not_answer_for_events(scene):
    scene.delivers_all()
    scene.to_redis.stall()
    scene.table.insert_many(20)
    assert scene.red("stalled", "publisher")
    scene.to_redis.heal()
    scene.green()
    scene.delivers_all()


def test_events_that_somebody_else_holds(scene):
    """Both sides are there, an event waits, and nothing moves."""
    scene.delivers_all()
    scene.table.insert(b"held", available_in=2)
    holder = scene.database.connect()
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {scene.table.name} WHERE status = 'PENDING' FOR UPDATE")
        assert cursor.rowcount == 1
    scene.http.wait_pipeline(
        lambda pipeline: pipeline["table"] and pipeline["table"]["oldest_age"] is not None,
        "the event is due",
    )
    assert "in flight" in scene.red("stalled")
    holder.rollback()
    holder.close()
    scene.green()
    scene.delivers_all()


def test_a_relay_that_stops_is_not_ready(scene):
    scene.to_redis.stall()
    scene.table.insert_many(5)
    wait_until(lambda: scene.http.pipeline()["in_flight"] == 5, "events are in flight")
    scene.relay.process.terminate()
    assert scene.red("stopping")
    scene.to_redis.heal()
    scene.relay.process.wait(30)
    assert scene.table.states() == {"DELIVERED": scene.table.count("TRUE")}
