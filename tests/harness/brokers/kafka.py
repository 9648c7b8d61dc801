"""kafka.py - a Kafka node of the tests, controller and broker in one, and what arrived there
SPDX-License-Identifier: MIT
"""

import base64
import contextlib
import fcntl
import functools
import logging
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import kafka as client
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from .. import processes
from ..postgres import free_port
from ..proxy import Proxy
from .base import Broker, Received

# The client complains at length while a server starts.
logging.getLogger("kafka").setLevel(logging.CRITICAL)

POM = Path(__file__).with_name("kafka-pom.xml")
JAVA = ["java", "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
LOGGING = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"

USER, PASSWORD = "relay", "relay-secret"
PARTITIONS = 3  # of a topic

SERVER = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=INSIDE
listeners=CONTROLLER://127.0.0.1:{controller},INSIDE://127.0.0.1:{inside},\
DIRECT://127.0.0.1:{direct},PROXIED://127.0.0.1:{proxied}
advertised.listeners=INSIDE://127.0.0.1:{inside},DIRECT://127.0.0.1:{direct},\
PROXIED://127.0.0.1:{proxy}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT,\
DIRECT:{protocol},PROXIED:{protocol}
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
background.threads=1
num.recovery.threads.per.data.dir=1
log.index.size.max.bytes=1048576
log.cleaner.enable=false
controlled.shutdown.enable=true
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""

SECURE = """
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={ca}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
"""

LOGINS = """
listener.name.{listener}.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.{listener}.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.{listener}.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


@functools.lru_cache
def jars():
    """The class path: fetched once by Maven, for all runs and checkouts of this machine."""
    version = re.search(r"kafka_2.13</artifactId>\s*<version>([^<]+)", POM.read_text()).group(1)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outbox-relay"
    folder = cache / f"kafka-{version}"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"kafka-{version}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            fetch(cache, folder)
    return f"{folder}/*"


def fetch(cache, folder):
    making = Path(tempfile.mkdtemp(prefix="kafka-", dir=cache))
    try:
        done = subprocess.run(
            [
                "mvn", "-B", "-q", "-f", str(POM), f"-Dmaven.repo.local={making / 'repository'}",
                "dependency:copy-dependencies", f"-DoutputDirectory={making / 'jars'}",
            ],
            capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"Maven cannot fetch Kafka: {done.stdout}{done.stderr}"
        (making / "jars").rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


class Kafka(Broker):
    """`changes` are lines of the server's configuration. A proxy has to listen at `proxy_port`: that is
    the address which the server tells those who come to it through the proxy."""

    name = "kafka"
    secure = ("tls", "password")

    def __init__(self, secure=False, **changes):
        super().__init__(secure)
        self.port, self.proxied_port, self.proxy_port = free_port(), free_port(), free_port()
        self.inside_port, self.controller_port = free_port(), free_port()
        self.changes = changes
        self._admin = None

    # ---- running ----

    def start(self):
        if not (self.folder / "server.properties").exists():
            self._prepare()
        with open(self.folder / "log", "ab") as log:
            self.process = processes.spawn(
                self._java("kafka.Kafka", self.folder / "server.properties"),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.wait_answers(self._answers)
        return self

    def kill(self):
        self._forget()
        super().kill()

    def restart(self):
        self._forget()
        super().restart()

    def close(self):
        self._forget()
        super().close()

    def _java(self, *arguments):
        return [*JAVA, LOGGING, "-cp", jars(), *[str(argument) for argument in arguments]]

    def _prepare(self):
        text = SERVER.format(
            folder=self.folder, controller=self.controller_port, inside=self.inside_port,
            direct=self.port, proxied=self.proxied_port, proxy=self.proxy_port,
            protocol="SASL_SSL" if self.secured else "PLAINTEXT",
        )  # fmt: skip
        users = []
        if self.secured:
            certificate = self.secured.server_key.read_text()
            certificate += self.secured.server_certificate.read_text()
            (self.folder / "server.pem").write_text(certificate)
            text += SECURE.format(folder=self.folder, ca=self.secured.ca)
            for listener in ("direct", "proxied"):
                text += LOGINS.format(listener=listener, user=USER, password=PASSWORD)
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                users += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
        text += "".join(f"{key}={value}\n" for key, value in self.changes.items())
        properties = self.folder / "server.properties"
        properties.write_text(text)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(
            self._java(
                "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", properties, *users
            ),
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"format the storage: {done.stdout}{done.stderr}"

    def _answers(self):
        """Whether the broker is there and takes part in its cluster."""
        try:
            self._forget()
            return bool(self.admin().describe_cluster()["brokers"])
        except (KafkaError, ValueError, OSError):
            return False

    # ---- clients that are not ours ----

    def _inside(self):
        return {"bootstrap_servers": f"127.0.0.1:{self.inside_port}", "api_version": (2, 6, 0)}

    def admin(self):
        if self._admin is None:
            self._admin = KafkaAdminClient(**self._inside())
        return self._admin

    def _forget(self):
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def _consumer(self, topic):
        consumer = client.KafkaConsumer(
            **self._inside(), enable_auto_commit=False, check_crcs=False,
            max_partition_fetch_bytes=16 << 20, fetch_max_bytes=64 << 20,
        )  # fmt: skip
        places = [client.TopicPartition(topic, number) for number in self._settled(topic)]
        return consumer, places

    def _settled(self, topic):
        """The numbers of the partitions. A broker that was frozen is fenced for a moment after it,
        and then leads none of them."""
        found = []

        def is_settled():
            found[:] = self._partitions(topic)
            return found and all(partition["leader"] >= 0 for partition in found)

        self.wait_answers(is_settled)
        return sorted(partition["partition"] for partition in found)

    @contextlib.contextmanager
    def set_back(self, topic):
        """What the topic gets meanwhile is gone afterwards: the server dies and comes back with the
        topic as it was."""
        kept = self.folder / "kept"
        logs = [log for log in (self.folder / "data").glob(f"{topic}-[0-9]*") if log.is_dir()]
        for log in logs:
            shutil.copytree(log, kept / log.name)
        yield
        self.kill()
        for log in logs:
            shutil.rmtree(log)
            shutil.copytree(kept / log.name, log)
        shutil.rmtree(kept)
        self.start()

    # ---- being measured ----

    def producer_arguments(self, topic):
        return ["--brokers", f"127.0.0.1:{self.port}", "--topic", topic]

    # ---- being published to ----

    def publisher(self, **changes):
        return self.publisher_through(self.port, **changes)

    def publisher_through(self, port, **changes):
        settings = {"driver": "kafka", "brokers": f"127.0.0.1:{port}"}
        if self.secured:
            settings.update(
                security="sasl_tls", sasl_mechanism="SCRAM-SHA-256", username=USER,
                password=PASSWORD, tls_ca=str(self.secured.ca),
            )  # fmt: skip
        return dict(settings, **changes)

    def proxy(self, **options):
        return Proxy(self.proxied_port, listen=self.proxy_port, **options)

    def topic(self, name, partitions=PARTITIONS, **settings):
        """`settings`: of the topic, with _ for the dots in their names."""
        configuration = {key.replace("_", "."): str(value) for key, value in settings.items()}
        new = NewTopic(name, partitions, 1, topic_configs=configuration)
        try:
            self.admin().create_topics([new], timeout_ms=30000)
        except TopicAlreadyExistsError:
            pass
        assert len(self._settled(name)) == partitions, f"{name} was there, and otherwise"
        return name

    def delete_topic(self, name):
        self.admin().delete_topics([name], timeout_ms=30000)

    def _partitions(self, topic):
        (found,) = self.admin().describe_topics([topic])
        return found["partitions"]

    def configure_topic(self, name, **settings):
        configuration = {key.replace("_", "."): str(value) for key, value in settings.items()}
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configuration)
        self.admin().alter_configs([resource])

    def records(self, topic):
        """Partition by partition, in the broker's order, as the client gives them."""
        consumer, places = self._consumer(topic)
        try:
            consumer.assign(places)
            found = []
            for place, end in consumer.end_offsets(places).items():
                consumer.assign([place])
                consumer.seek_to_beginning(place)
                while consumer.position(place) < end:
                    for records in consumer.poll(1000).values():
                        found += records
            return found
        finally:
            consumer.close(autocommit=False)

    def read(self, topic):
        return [received(record) for record in self.records(topic)]

    def count(self, topic):
        """Nothing is transactional here and nothing is thrown away, so offsets are without gaps."""
        consumer, places = self._consumer(topic)
        try:
            return sum(consumer.end_offsets(places).values())
        finally:
            consumer.close(autocommit=False)


    def codecs(self, *topics):
        """How what lies in the logs of the topics is compressed: a set for each, by Kafka's own tool."""
        found = {topic: set() for topic in topics}
        logs = {
            str(log): topic
            for topic in topics
            for log in (self.folder / "data").glob(f"{topic}-[0-9]*/*.log")
        }
        done = subprocess.run(
            self._java("kafka.tools.DumpLogSegments", "--files", ",".join(logs)),
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        topic = None
        for line in done.stdout.splitlines():
            if line.startswith("Dumping "):
                topic = logs[line.removeprefix("Dumping ")]
            codec = re.search(r"compresscodec: (\w+)", line)
            if codec:
                found[topic].add(codec.group(1))
        return found


def benchmark_server():
    return Kafka()


def received(record):
    headers = dict(record.headers)
    event_id = headers.get("event-id", headers.get("ce_id", b""))
    return Received(event_id.decode(), record.key, record.value, headers)
