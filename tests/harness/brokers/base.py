"""base.py - what every broker of the tests can do
SPDX-License-Identifier: MIT
"""

from typing import NamedTuple

from ..proxy import Proxy
from ..server import Server


class Received(NamedTuple):
    """One message as a client that is not ours read it. Headers are all that arrived, the relay's own
    included; a key or header that the protocol carries in another place is put back where it was."""

    event_id: str
    key: bytes  # None: the message has none
    payload: bytes
    headers: dict  # str to bytes


class Broker(Server):
    """One private server. A subclass says how it is started, how the relay is pointed at it and how
    what arrived is read back. What it had confirmed is still there after kill() and start()."""

    name = None  # of the driver: publisher-NAME
    can_be_full = False  # whether fill() and make_room() mean something
    secure = ()  # what a Broker(secure=authority) asks for, of "tls", "password"
    wrong_password = {"password": "no-such-password"}  # changes to publisher() that make it the wrong one
    roomy = {}  # changes to publisher() by which it takes 10,000 messages without an answer
    header_names = "any"  # text that headers can be called: any, or "token" as in HTTP
    header_values = "any"  # text that headers can have: any, or one "line" without blanks around it
    unusable_header = None  # a name that no header can have here

    def __init__(self, secure=False):
        super().__init__()
        self.secured = secure  # a tls.Authority where TLS and a password are wanted

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
