"""base.py - what every broker of the tests can do
SPDX-License-Identifier: MIT
"""

import os
import signal
from typing import NamedTuple

from .. import processes
from ..proxy import Proxy
from ..waiting import wait_until


class Received(NamedTuple):
    """One message as a client that is not ours read it. Headers are all that arrived, the relay's own
    included; a key or header that the protocol carries in another place is put back where it was."""

    event_id: str
    key: bytes  # None: the message has none
    payload: bytes
    headers: dict  # str to bytes


class Broker:
    """One private server. A subclass says how it is started, how the relay is pointed at it and how
    what arrived is read back. The address and what is durable stay the same over kill() and start().
    """

    name = None  # of the driver: publisher-NAME
    can_be_full = False  # whether fill() and make_room() mean something
    secure = ()  # what a Broker(secure=authority) asks for, of "tls", "password"
    wrong_password = {"password": "no-such-password"}  # changes to publisher() that make it the wrong one
    roomy = {}  # changes to publisher() by which it takes 10,000 messages without an answer
    header_names = "any"  # text that headers can be called: any, or "token" as in HTTP
    header_values = "any"  # text that headers can have: any, or one "line" without blanks around it
    unusable_header = None  # a name that no header can have here

    def __init__(self, secure=False):
        self.folder = processes.short_folder(self.name)
        self.secured = secure  # a tls.Authority where TLS and a password are wanted
        self.process = None
        self.port = None

    # ---- running ----

    def start(self):
        """Starts the server on a free loopback port, or again on its own, and waits until it answers.
        Returns self."""
        raise NotImplementedError

    def kill(self):
        """Ends the server as a crash does; what it had confirmed is there after start()."""
        processes.end(self.process)
        self.process = None

    def restart(self):
        """Ends the server in order and starts it again."""
        self.process.terminate()
        self.process.wait(60)
        self.process = None
        self.start()

    def pause(self):
        """Stops every process of the server where it stands; connections stay open."""
        processes.pause_group(self.process)

    def resume(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def close(self):
        if self.process is not None:
            self.resume()
            processes.end(self.process)
            self.process = None
        processes.remove_folder(self.folder)

    def wait_answers(self, condition, timeout=None):
        wait_until(condition, f"{self.name} answers", timeout, meanwhile=self.assert_alive)

    def assert_alive(self):
        status = self.process.poll()
        if status is not None:
            log = self.folder / "log"
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"{self.name} ended with status {status}:\n{tail}")

    # ---- being published to ----

    def publisher(self, **changes):
        """The `publisher` section that points the relay at this server."""
        raise NotImplementedError

    def publisher_through(self, port, **changes):
        """The same, at 127.0.0.1:port, where a proxy stands before the server."""
        raise NotImplementedError

    def proxy(self, **options):
        """A proxy before this server, to be pointed at by publisher_through(). To be overridden where
        the server tells its clients an address, which then is that of the proxy."""
        return Proxy(self.port, **options)

    def topic(self, name):
        """Makes what events of route.topic `name` need: a topic, stream, queue and so on. Returns the
        topic to route to."""
        raise NotImplementedError

    def read(self, topic):
        """Everything that arrived at the topic, a list of Received in the broker's order, over and
        over from the start."""
        raise NotImplementedError

    def count(self, topic):
        """How many messages arrived at the topic, duplicates included; quick."""
        return len(self.read(topic))

    # ---- being full ----

    def fill(self, topic):
        """Makes the server refuse messages because it has no room."""
        raise NotImplementedError

    def make_room(self, topic):
        raise NotImplementedError
