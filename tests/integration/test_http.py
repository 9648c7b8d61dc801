"""test_http.py - what a relay answers over HTTP, and what it does not let others do to it
SPDX-License-Identifier: MIT
"""

import os
import signal
import socket
import threading
from http.client import HTTPException
from pathlib import Path

import pytest

from harness.http import LISTEN, Http
from harness.settings import events, need
from harness.sqlite import SqliteOutbox
from harness.waiting import wait_until

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture
def sqlite(folder, new_relay):
    need("store-sqlite", "publisher-null")
    return SqliteOutbox(folder, lambda *pipelines, **options: new_relay(*pipelines, http=LISTEN, **options))


@pytest.fixture
def idle(sqlite):
    """The address of a relay that has nothing to do."""
    sqlite.to({"driver": "null"}).relay.start()
    return Http(sqlite.relay)


# ---- what is answered -----------------------------------------------------------------------------


def test_a_relay_at_work_shows_what_it_does(own_table, outbox, new_relay):
    """On PostgreSQL, to a file."""
    relay = new_relay(outbox.to_file(own_table, "orders"), http=LISTEN).start()
    http = Http(relay)
    count = events(2000)
    own_table.insert_many(count)
    own_table.insert(b"later", available_in=3600)
    http.wait_pipeline(
        lambda pipeline: pipeline["totals"]["delivered"] == count and pipeline["table"]
        and pipeline["table"]["pending"] == 1, "all are delivered but the one that is due later",
    )  # fmt: skip
    assert http.wait_ready() == {"status": "ready", "pipelines": {"orders": {"status": "ready"}}}
    assert http.get("/healthz").json() == {"status": "ok"}
    stats = http.stats()
    assert stats["pid"] == relay.process.pid and stats["ready"] and stats["alive"]
    (pipeline,) = stats["pipelines"]
    assert pipeline["name"] == "orders" and pipeline["state"] == "active"
    assert (pipeline["store"], pipeline["publisher"]) == ("postgres", "file")
    assert pipeline["table"]["scheduled"] == 1 and pipeline["table"]["oldest_age"] is None
    assert 0 < pipeline["latency"]["e2e"]["p50"] <= pipeline["latency"]["e2e"]["p99"]
    page = http.get("/").body.decode()
    assert f">{count:,}<" in page and stats["relay_id"] in page
    metrics = http.get("/metrics").body.decode().splitlines()
    (delivered,) = [line for line in metrics if line.startswith("openoutbox_events_delivered_total{")]
    assert delivered.endswith(f" {count}") and 'pipeline="orders"' in delivered
    relay.stop()


def test_who_waits_for_the_publisher_is_healthy_but_not_ready(sqlite, folder):
    path = folder / "missing" / "delivered"
    sqlite.to({"driver": "file", "path": str(path)}).relay.start()
    http = Http(sqlite.relay)
    sqlite.put()
    wait_until(
        lambda: any("missing" in cause["reason"] for cause in http.pipeline()["causes"]),
        "it says what the publisher misses",
    )
    said = http.wait_ready(503)
    assert said["status"] == "not ready"
    (cause,) = [c for c in said["pipelines"]["p"]["causes"] if c["cause"] in ("publisher", "starting")]
    assert "missing" in cause["reason"]
    assert http.get("/healthz").json() == {"status": "ok"}
    assert b"missing" in http.get("/").body
    path.parent.mkdir()
    http.wait_ready()
    sqlite.wait_states(DELIVERED=1)
    sqlite.relay.stop()


def test_events_that_wait_and_do_not_move_are_a_stall(sqlite):
    sqlite.to({"driver": "null", "delay": "1h"}, publish={"timeout": "1h"})
    sqlite.relay.start("--set", "http.stall_after=1s")
    http = Http(sqlite.relay)
    http.wait_ready()
    sqlite.put()
    said = http.wait_ready(503)
    assert [cause["cause"] for cause in said["pipelines"]["p"]["causes"]] == ["stalled"]
    assert http.get("/healthz").json() == {"status": "ok"}
    sqlite.relay.kill()


def test_who_stops_is_not_ready(sqlite):
    """The broker takes its time, and meanwhile nobody should send anything here."""
    sqlite.to({"driver": "null", "delay": "3s"})
    sqlite.relay.start()
    http = Http(sqlite.relay)
    http.wait_ready()
    sqlite.put()
    http.wait_pipeline(lambda pipeline: pipeline["in_flight"] == 1, "it is handed over")
    sqlite.relay.process.send_signal(signal.SIGTERM)
    said = http.wait_ready(503)
    assert [cause["cause"] for cause in said["pipelines"]["p"]["causes"]] == ["stopping"]
    assert sqlite.relay.wait() == 0
    assert sqlite.states() == {"DELIVERED": 1}


def test_answers_come_with_the_right_headers(idle):
    types = {
        "/": "text/html; charset=utf-8",
        "/healthz": "application/json",
        "/readyz": "application/json",
        "/stats": "application/json",
        "/metrics": "text/plain; version=0.0.4; charset=utf-8",
    }
    idle.wait_ready()
    for path, type in types.items():
        answer = idle.get(path)
        assert answer.headers["Content-Type"] == type
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert int(answer.headers["Content-Length"]) == len(answer.body) > 0
        assert idle.get(path + "?x=1&y").status == 200
        head = idle.ask(path, "HEAD")
        assert head.status == 200 and head.body == b"" and head.headers["Content-Type"] == type


def test_nothing_else_is_there_and_nothing_can_be_changed(idle):
    for path in ("/x", "/healthz/", "/../etc/passwd", "/%2e%2e/", "//"):
        assert b"/healthz" in idle.get(path, 404).body
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"):
        answer = idle.ask("/stats", method, b"x" * 100000 if method == "PUT" else None)
        assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD", method
    assert idle.ask("/healthz", "GET", b"a body means nothing here").status == 200


# ---- where it listens -----------------------------------------------------------------------------


def sockets(process):
    """The sockets that a process has open."""
    found = []
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            link = os.readlink(descriptor)
        except FileNotFoundError:  # closed meanwhile
            continue
        if link.startswith("socket:"):
            found.append(link)
    return found


def test_without_the_section_nothing_listens(folder, new_relay):
    need("store-sqlite", "publisher-null")
    outbox = SqliteOutbox(folder, new_relay).to({"driver": "null"})
    outbox.relay.start()
    outbox.put()
    outbox.wait_states(DELIVERED=1)
    assert not outbox.relay.logged("http listens")
    assert sockets(outbox.relay.process) == []


def test_an_address_that_cannot_be_had_ends_the_relay_before_it_claims(sqlite):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        sqlite.to({"driver": "null"})
        sqlite.put()
        sqlite.relay.start("--set", f"http.listen={address}")
        assert sqlite.relay.wait() == 1
    (line,) = sqlite.relay.logged("http cannot listen", level="error")
    assert line["address"] == address and line["error"] == "Address already in use"
    assert "http.listen" in line["remedy"]
    assert sqlite.states() == {"PENDING": 1}


def test_a_port_can_be_had_again_at_once(sqlite):
    sqlite.to({"driver": "null"}).relay.start()
    http = Http(sqlite.relay)
    with http.connect():  # which the relay closes, and whose end the kernel remembers
        sqlite.relay.stop()
    sqlite.relay.start("--set", f"http.listen={http.address}").wait_started()
    wait_until(lambda: len(sqlite.relay.logged("http listens")) == 2, "it listens again")
    assert http.get("/healthz").status == 200


def test_it_listens_at_ipv6(sqlite):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    sqlite.to({"driver": "null"}).relay.start("--set", "http.listen=[::1]:0")
    http = Http(sqlite.relay)
    assert http.address.startswith("[::1]:")
    assert http.get("/healthz").status == 200


def test_a_changed_address_is_said_to_need_a_new_start(idle):
    relay = idle.relay
    relay.config["http"] = {"listen": "127.0.0.1:1", "stall_after": "9s"}
    relay.reload()
    relay.wait_logged("a changed key applies at the next start only", "http.listen")
    relay.wait_logged("a changed key applies at the next start only", "http.stall_after")
    assert idle.get("/healthz").status == 200


# ---- what others can do to it ---------------------------------------------------------------------


def test_a_request_that_is_too_large_or_none_is_refused(idle):
    for request in (
        b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # without a Host
    ):
        with idle.connect() as connection:
            try:
                connection.sendall(request)
                answer = connection.recv(1000)
            except ConnectionError:  # it has heard enough
                continue
            assert not answer or answer.split()[1][:1] == b"4", answer[:200]
    assert idle.get("/healthz").status == 200


def test_connections_are_bounded_and_hold_nothing_up(sqlite):
    sqlite.to({"driver": "null"}).relay.start()
    http = Http(sqlite.relay)
    http.wait_ready()
    wait_until(lambda: len(sockets(sqlite.relay.process)) == 1, "only the one that listens is left")
    connections = [http.connect() for _ in range(80)]
    try:
        wait_until(
            lambda: len(sockets(sqlite.relay.process)) == 65,
            lambda: f"64 are taken, there are {len(sockets(sqlite.relay.process))}",
        )
        for connection in connections[:30]:
            connection.close()
        assert http.get("/healthz").status == 200
        sqlite.put()
        sqlite.wait_states(DELIVERED=1)
        sqlite.relay.stop()
    finally:
        for connection in connections:
            connection.close()


def test_many_may_look_at_once_from_the_start_to_the_end(sqlite):
    """Whoever looks sees whole answers, and the relay neither waits for them nor loses an event."""
    count = events(5000)
    sqlite.to({"driver": "null"}, claim={"batch_size": 20})
    sqlite.put_all(*[{"payload": ""}] * count)
    sqlite.relay.start()
    http = Http(sqlite.relay)
    wrong, seen = [], []

    def look():
        try:
            while True:
                for path in ("/", "/stats", "/metrics", "/readyz", "/healthz"):
                    answer = http.ask(path)
                    if answer.status not in (200, 503) or len(answer.body) != int(answer.headers["Content-Length"]):
                        wrong.append((path, answer.status, answer.body))
                    seen.append(path)
        except (OSError, HTTPException):  # the relay has ended
            return

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    sqlite.wait_states(DELIVERED=count)
    sqlite.relay.stop()
    for looker in lookers:
        looker.join()
    assert not wrong, wrong[:3]
    assert len(seen) > 20


def test_no_thread_takes_a_signal_that_is_meant_for_the_relay(idle):
    idle.wait_ready()
    tasks = list(Path(f"/proc/{idle.relay.process.pid}/task").iterdir())
    assert len(tasks) > 2
    for task in tasks:
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
        blocked = int(status["SigBlk"], 16)
        for number in STOPS:
            assert blocked & 1 << (number - 1), f"{status['Name']} does not block {number.name}"


def test_a_run_that_ends_by_itself_can_be_looked_at_too(sqlite):
    sqlite.to({"driver": "null"})
    sqlite.put()
    assert sqlite.relay.once() == 0
    assert sqlite.relay.logged("http listens")
    assert sqlite.states() == {"DELIVERED": 1}
