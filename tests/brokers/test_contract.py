"""test_contract.py - what every publisher driver owes the relay, shown by a program that loads it
SPDX-License-Identifier: MIT
"""

import itertools
import json
import os
import socket
import subprocess
import uuid

import pytest

from harness import processes, settings
from harness.relay import assert_clean
from harness.waiting import wait_until

PROGRAM = settings.BUILD / "tests" / "drivers" / "test-broker-contract"

# The program's cases, and how many messages the broker must have got in the end if that is certain.
CASES = {
    "batches_of_1": 400,
    "batches_of_500": 8000,
    "batches_of_10000": 40000,
    "keys": 3,
    "bad_header_name": 200,
    "cancel_before_publish": 500,
    "cancel_after_publish": None,
    "deadline_in_the_past": None,
    "flush": 10100,
    "flush_of_a_paused_broker": None,
    "close_with_messages_in_flight": None,
    "ping_of_a_paused_broker": 200,
    "broker_killed_and_started": None,
}
HARMFUL = ("pause", "kill")
topics = itertools.count(1)


class Program:
    """A running program and what it asks for on the way; the main thread answers, for it alone may
    start servers."""

    def __init__(self, broker, topic, case, output):
        self.broker = broker
        self.harmed = None
        self.output = output
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.control = ours
        environment = dict(
            os.environ,
            OUTBOX_TEST_PUBLISHER=json.dumps(broker.publisher()),
            OUTBOX_TEST_TOPIC=topic,
            OUTBOX_TEST_RUN=uuid.uuid4().hex[:12],
            OUTBOX_TEST_CONTROL=str(theirs.fileno()),
            **settings.SANITIZER_ENVIRONMENT,
        )
        if broker.unusable_header is not None:
            environment["OUTBOX_TEST_BAD_HEADER"] = broker.unusable_header
        with open(output, "wb") as file:
            self.process = processes.spawn(
                [PROGRAM, settings.BUILD / "plugins", case],
                env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
            )  # fmt: skip
        theirs.close()

    def obey(self):
        try:
            order = self.control.recv(100).decode().strip()
        except (BlockingIOError, ConnectionError):
            return
        if not order:
            return
        {
            "pause": self.broker.pause,
            "resume": self.broker.resume,
            "kill": self.broker.kill,
            "start": self.broker.start,
        }[order]()
        self.harmed = order if order in HARMFUL else None
        self.control.send(b"+")

    def run(self):
        try:
            wait_until(
                lambda: self.process.poll() is not None,
                lambda: f"the program ends:\n{self.text()}",
                settings.PATIENCE * 3, meanwhile=self.obey,
            )  # fmt: skip
            return self.process.returncode
        finally:
            processes.end(self.process)
            self.control.close()
            self.mend()

    def mend(self):
        """Also after a program that failed halfway."""
        if self.harmed == "pause":
            self.broker.resume()
        if self.harmed == "kill":
            self.broker.start()
        self.harmed = None

    def text(self):
        return self.output.read_text(errors="replace")[-6000:]


@pytest.mark.parametrize("case", CASES)
def test_contract(private_broker, case, folder):
    broker = private_broker
    if case == "bad_header_name" and broker.unusable_header is None:
        pytest.skip(f"{broker.name} carries every header name")
    topic = broker.topic(f"contract-{case.replace('_', '-')}.{next(topics)}")
    program = Program(broker, topic, case, folder / "output")
    status = program.run()
    assert status == 0, f"{case} ended with status {status}:\n{program.text()}"
    assert_clean(program.text(), case)
    assert "SKIPPED" in program.text() or "[       OK ]" in program.text(), program.text()
    if "SKIPPED" in program.text():
        pytest.skip(f"publisher-{broker.name} does not have the op")
    if CASES[case] is not None:
        assert broker.count(topic) == CASES[case]
    if case == "keys":
        keys = [message.key for message in broker.read(topic)]
        assert sorted(keys, key=repr) == sorted([b"k", b"", None], key=repr)
