"""nats.py - a private NATS server with JetStream, and its streams as nats-py reads them
SPDX-License-Identifier: MIT
"""

import asyncio
import fcntl
import functools
import importlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from .. import processes
from ..postgres import free_port
from .base import Broker, Received

NATS_PY = "2.9.0"  # the client that is not ours

# Both hold what has to be escaped on its way to the server.
USER, PASSWORD = 're"lay', 'pass"word\\ with {blanks}'
PAGE = 5000  # messages


@functools.lru_cache
def client():
    """The module nats of PyPI, fetched once for all runs and checkouts of this machine."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outbox-relay"
    folder = cache / f"python-{python}-nats-py-{NATS_PY}"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{folder.name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            fetch(cache, folder)
    sys.path.append(str(folder))
    return importlib.import_module("nats")


def fetch(cache, folder):
    making = Path(tempfile.mkdtemp(prefix="nats-py-", dir=cache))
    try:
        done = subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check",
                "--target", str(making / "python"), f"nats-py=={NATS_PY}",
            ],
            capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"pip cannot fetch nats-py: {done.stdout}{done.stderr}"
        (making / "python").rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


class Nats(Broker):
    """`changes` are lines that are put into the server's configuration, `authorization` takes the place
    of one that a secured server has. A test asks its own questions by `ask()`."""

    name = "nats"
    can_be_full = True
    secure = ("tls", "password")
    header_names, header_values, unusable_header = "token", "line", "a b"

    def __init__(self, secure=False, changes=(), authorization=None, jetstream=True):
        super().__init__(secure)
        self.changes = list(changes)
        self.authorization = authorization
        self.jetstream = jetstream
        self.monitor_port = None

    # ---- running ----

    def start(self):
        # A port that was free may be taken when the server asks for it: then another one is tried.
        is_new = self.port is None
        for attempt in range(5):
            if is_new:
                self.port, self.monitor_port = free_port(), free_port()
            self._spawn()
            try:
                self.wait_answers(self._answers)
                return self
            except RuntimeError:
                if not is_new or attempt == 4:
                    raise
        return self

    def _spawn(self):
        self.write_config()
        with open(self.folder / "log", "ab") as log:
            self.process = processes.spawn(
                ["nats-server", "-c", self.folder / "nats.conf"], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def write_config(self):
        """Writes the configuration as it now is; a SIGHUP makes the server read it."""
        (self.folder / "nats.conf").write_text("".join(f"{line}\n" for line in self._lines()))

    def _lines(self):
        yield f"listen: 127.0.0.1:{self.port}"
        yield f"http: 127.0.0.1:{self.monitor_port}"
        if self.jetstream:
            yield f'jetstream {{ store_dir: "{self.folder}/js", max_file_store: 20G }}'
        if self.secured:
            yield (
                f'tls {{ cert_file: "{self.secured.server_certificate}",'
                f' key_file: "{self.secured.server_key}" }}'
            )
        if self.authorization:
            yield f"authorization {{ {self.authorization} }}"
        elif self.secured:
            yield (
                "authorization { users: ["
                f" {{ user: {json.dumps(USER)}, password: {json.dumps(PASSWORD)} }} ] }}"
            )
        yield from self.changes

    def _answers(self):
        path = "?js-enabled-only=true" if self.jetstream else ""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.monitor_port}/healthz{path}", timeout=5
            ) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    # ---- being published to ----

    def publisher(self, **changes):
        return self.publisher_through(self.port, **changes)

    def publisher_through(self, port, **changes):
        scheme = "tls" if self.secured else "nats"
        settings = {"driver": "nats", "url": f"{scheme}://127.0.0.1:{port}"}
        if self.secured:
            settings["tls_ca"] = str(self.secured.ca)
        if self.secured and not self.authorization:
            settings.update(username=USER, password=PASSWORD)
        return dict(settings, **changes)

    def producer_arguments(self, topic):
        """Of benchmarks/floor_nats."""
        return [f"nats://127.0.0.1:{self.port}", topic]

    def topic(self, name):
        self.add_stream(name)
        return name

    # ---- asking ----

    def ask(self, question, **credentials):
        """What the coroutine question(connection, jetstream) returns."""

        async def connected():
            options = dict(credentials)
            if self.secured and not self.authorization and not credentials:
                # The client puts them into JSON as it should.
                options.update(user=USER, password=PASSWORD)
            if self.secured:
                options["tls"] = ssl.create_default_context(cafile=str(self.secured.ca))
                options["tls"].check_hostname = False
                options["tls"].verify_mode = ssl.CERT_NONE
            connection = await client().connect(
                f"nats://127.0.0.1:{self.port}", allow_reconnect=False, **options
            )
            keep_raw_headers(connection)
            try:
                return await question(connection, connection.jetstream(timeout=30))
            finally:
                await connection.close()

        return asyncio.run(connected())

    def add_stream(self, subject, stream=None, **config):
        name = stream or stream_of(subject)
        self.ask(lambda _, js: js.add_stream(name=name, subjects=[subject], **config))
        return name

    def change_stream(self, subject, **config):
        async def change(_, js):
            info = await js.stream_info(stream_of(subject))
            return await js.update_stream(info.config.evolve(**config))

        return self.ask(change)

    def delete_stream(self, subject):
        self.ask(lambda _, js: js.delete_stream(stream_of(subject)))

    def count(self, topic):
        return self.ask(lambda _, js: js.stream_info(stream_of(topic))).state.messages

    def messages(self, topic):
        """Everything in the stream of the topic, as (subject, headers, payload); headers are a list of
        pairs of bytes, as they came over the wire."""

        async def read(_, js):
            found = []
            left = (await js.stream_info(stream_of(topic))).state.messages
            config = client().js.api.ConsumerConfig(
                ack_policy=client().js.api.AckPolicy.NONE, mem_storage=True
            )
            if left == 0:
                return found
            pulled = await js.pull_subscribe("", stream=stream_of(topic), config=config)
            pulled._sub._pending_bytes_limit = 0  # no limit
            while len(found) < left:
                for message in await pulled.fetch(min(PAGE, left - len(found)), timeout=30):
                    pairs = message.headers.pairs if message.headers is not None else ()
                    found.append((message.subject, list(pairs), message.data))
            await pulled.unsubscribe()
            return found

        return self.ask(read)

    def read(self, topic):
        return [received(headers, payload) for _, headers, payload in self.messages(topic)]

    # ---- being full ----

    def fill(self, topic):
        self.change_stream(topic, max_msgs=max(1, self.count(topic)), discard="new")

    def make_room(self, topic):
        self.change_stream(topic, max_msgs=-1)


def stream_of(subject):
    """No dot can be in the name of a stream."""
    return subject.replace(".", "_")


class RawHeaders(dict):
    """Headers as the client knows them (none), with the bytes that came over the wire in `pairs`."""

    pairs = ()


def keep_raw_headers(connection):
    """The client reads headers as those of mail, which it trims and decodes; the tests want what came.
    What has a status is of the server and keeps the client's way."""
    original = connection._process_headers

    async def process(block):
        if not block or not block.startswith(b"NATS/1.0\r\n"):
            return await original(block)
        lines = block[len(b"NATS/1.0\r\n") :].removesuffix(b"\r\n\r\n").split(b"\r\n")
        headers = RawHeaders()
        headers.pairs = [tuple(line.split(b": ", 1)) for line in lines]
        return headers

    connection._process_headers = process


def received(headers, payload):
    found = {name.decode(): value for name, value in headers}
    assert len(found) == len(headers), f"a header came twice: {headers}"
    key = found.pop("event-key", None)
    # Where the protocol carries the event's id.
    assert found.pop("Nats-Msg-Id") == found["event-id"]
    return Received(found["event-id"].decode(), key, payload, found)


def benchmark_server():
    return Nats()
