"""rabbitmq.py - a RabbitMQ node of the tests' own
SPDX-License-Identifier: MIT

It talks to an epmd of its own, a child of the tests like the node itself, so that nothing of it
outlives them. It is told what to do by erl_call, which answers at once where rabbitmqctl takes seconds.
"""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pika

from .. import processes
from ..waiting import wait_until
from .base import Broker, Received

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
PLUGINS = Path("/usr/lib/rabbitmq/lib")
PASSWORD = "correct-horse"
KEY_HEADER = "event-key"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class RabbitMQ(Broker):
    name = "rabbitmq"
    can_be_full = True
    roomy = {"window": 10_000}
    secure = ("tls", "password")
    unusable_header = "n" * 256

    def __init__(self, secure=False):
        super().__init__(secure)
        self.epmd = None
        self.epmd_port = None
        self.dist_port = None
        self.node = f"{self.folder.name}@localhost"
        self.cookie = os.urandom(12).hex()
        self.user, self.password = ("relay", PASSWORD) if secure else ("guest", "guest")
        self.certificates = secure or None
        self.config = []  # more lines of rabbitmq.conf

    # ---- running ----

    def start(self):
        if self.port is None:
            self.port, self.epmd_port, self.dist_port = free_port(), free_port(), free_port()
            cookie = self.folder / ".erlang.cookie"
            cookie.write_text(self.cookie)
            cookie.chmod(0o400)
            (self.folder / "enabled").write_text("[].\n")
            self._choose_plugins()
        self._configure()
        if self.epmd is None:
            self.epmd = processes.spawn(
                ["epmd", "-port", self.epmd_port, "-address", "127.0.0.1"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            wait_until(lambda: is_open(self.epmd_port), "epmd listens")
        with open(self.folder / "log", "ab") as log:
            self.process = processes.spawn(
                [SERVER], env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.wait_answers(self._answers, timeout=120)
        if self.secured:
            self._make_user()
        return self

    def _choose_plugins(self):
        """The node looks into every module of every plugin that it finds, enabled or not, which takes
        longer than all else of its start: so it finds none."""
        (self.folder / "plugins").mkdir()
        for path in PLUGINS.glob("rabbitmq_server-*/plugins/*"):
            if not path.name.startswith("rabbitmq_") or path.name.startswith("rabbitmq_prelaunch"):
                (self.folder / "plugins" / path.name).symlink_to(path)

    def _configure(self):
        lines = ["log.console = true", "log.console.level = info", "vm_memory_high_watermark.relative = 0.4",
                 "disk_free_limit.absolute = 1MB", *self.config]  # fmt: skip
        if self.certificates:
            lines += [
                "listeners.tcp = none",
                f"listeners.ssl.1 = 127.0.0.1:{self.port}",
                f"ssl_options.cacertfile = {self.certificates.ca}",
                f"ssl_options.certfile = {self.certificates.server_certificate}",
                f"ssl_options.keyfile = {self.certificates.server_key}",
                "ssl_options.verify = verify_peer",
                "ssl_options.fail_if_no_peer_cert = false",
                "ssl_options.versions.1 = tlsv1.3",
                "ssl_options.versions.2 = tlsv1.2",
            ]
        else:
            lines.append(f"listeners.tcp.1 = 127.0.0.1:{self.port}")
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")

    def _environment(self):
        return dict(
            os.environ,
            HOME=str(self.folder),
            ERL_EPMD_PORT=str(self.epmd_port),
            ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_NODENAME=self.node,
            RABBITMQ_DIST_PORT=str(self.dist_port),
            RABBITMQ_MNESIA_BASE=str(self.folder / "db"),
            RABBITMQ_LOG_BASE=str(self.folder / "logs"),
            RABBITMQ_LOGS="-",
            RABBITMQ_CONFIG_FILE=str(self.folder / "rabbitmq.conf"),
            RABBITMQ_CONF_ENV_FILE="/dev/null",
            RABBITMQ_ENABLED_PLUGINS_FILE=str(self.folder / "enabled"),
            RABBITMQ_PLUGINS_DIR=str(self.folder / "plugins"),
            ERL_CRASH_DUMP=str(self.folder / "erl_crash.dump"),
            RABBITMQ_PID_FILE=str(self.folder / "pid"),
            # The script then becomes the Erlang machine instead of standing between it and us.
            RUNNING_UNDER_SYSTEMD="1",
        )

    def _answers(self):
        if not is_open(self.port):
            return False
        return self.tell("rabbit:is_running().", check=False).endswith("true")

    def _make_user(self):
        self.tell(
            f'rabbit_auth_backend_internal:add_user(<<"{self.user}">>, <<"{self.password}">>, <<"t">>),'
            f'rabbit_auth_backend_internal:set_permissions(<<"{self.user}">>, <<"/">>,'
            ' <<".*">>, <<".*">>, <<".*">>, <<"t">>).',
            check=False,  # it is there after a restart
        )

    def tell(self, expression, check=True):
        """Evaluates Erlang in the node; returns what erl_call prints."""
        done = subprocess.run(
            ["erl_call", "-sname", self.node, "-c", self.cookie, "-timeout", "20", "-e"],
            input=expression + "\n", capture_output=True, text=True, timeout=60,
            env=dict(os.environ, ERL_EPMD_PORT=str(self.epmd_port), HOME=str(self.folder)),
        )  # fmt: skip
        answer = done.stdout.strip()
        if check:
            assert done.returncode == 0 and answer.startswith("{ok,"), (
                f"{expression}: {answer} {done.stderr}"
            )
        return answer.removeprefix("{ok,").removesuffix("}").strip()

    def restart(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process = None
        self.start()

    def close(self):
        try:
            if self.process is not None and self.process.poll() is not None:
                self.process = None  # it has ended by itself
            super().close()
        finally:
            if self.epmd is not None:
                processes.end(self.epmd)
                self.epmd = None

    # ---- being published to ----

    def publisher(self, **changes):
        return self.publisher_through(self.port, **changes)

    def publisher_through(self, port, **changes):
        publisher = {"driver": "rabbitmq", "url": f"amqp://127.0.0.1:{port}"}
        if self.secured:
            publisher = {
                "driver": "rabbitmq", "url": f"amqps://127.0.0.1:{port}", "username": self.user,
                "password": self.password, "tls_ca": str(self.secured.ca),
            }  # fmt: skip
        return dict(publisher, **changes)

    def connect(self, vhost="/"):
        """A pika connection, to be closed by who asked."""
        options = None
        if self.secured:
            import ssl

            context = ssl.create_default_context(cafile=str(self.secured.ca))
            options = pika.SSLOptions(context, "127.0.0.1")
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                "127.0.0.1", self.port, vhost, pika.PlainCredentials(self.user, self.password),
                ssl_options=options, heartbeat=0,
            )
        )  # fmt: skip

    def channel(self, vhost="/"):
        return Channel(self.connect(vhost))

    def topic(self, name):
        with self.channel() as channel:
            channel.queue_declare(name, durable=True)
        # It writes down what was declared some time later, and a crash before that loses the queue.
        self.tell("mnesia:dump_log().")
        return name

    def messages(self, queue, vhost="/"):
        """(method, properties, body) of all that is in the queue, which stays as it is."""
        with self.channel(vhost) as channel:
            count = channel.queue_declare(queue, passive=True).method.message_count
            found = []
            if count:
                channel.basic_qos(prefetch_count=0)
                for message in channel.consume(queue):
                    found.append(message)
                    if len(found) == count:
                        break
                channel.basic_nack(found[-1][0].delivery_tag, multiple=True, requeue=True)
                channel.cancel()
            return found

    def read(self, topic):
        return [received(properties, body) for _, properties, body in self.messages(topic)]

    def count(self, topic):
        with self.channel() as channel:
            return channel.queue_declare(topic, passive=True).method.message_count

    def producer_arguments(self, topic):
        """Of benchmarks/floor_rabbitmq."""
        return ["--url", f"amqp://127.0.0.1:{self.port}", "--queue", topic]

    # ---- being full ----

    def fill(self, topic):
        """A memory alarm: connections that publish are blocked."""
        self.tell("vm_memory_monitor:set_vm_memory_high_watermark(0.0001).")
        wait_until(lambda: "memory" in self.alarms(), "the alarm is raised")

    def make_room(self, topic):
        self.tell("vm_memory_monitor:set_vm_memory_high_watermark(0.4).")
        wait_until(lambda: "memory" not in self.alarms(), "the alarm is over")

    def alarms(self):
        return self.tell("rabbit_alarm:get_alarms().")


class Channel:
    """A channel on a connection of its own, both closed at the end of `with`."""

    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        return self.connection.channel()

    def __exit__(self, kind, error, trace):
        if self.connection.is_open:
            self.connection.close()


def is_open(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def received(properties, body):
    headers = {
        name: value if isinstance(value, bytes) else str(value).encode()
        for name, value in (properties.headers or {}).items()
    }
    return Received(properties.message_id, headers.pop(KEY_HEADER, None), body, headers)


def benchmark_server():
    return RabbitMQ()
