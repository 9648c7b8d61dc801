"""evidence.py - reads what the publisher `file` wrote, independently of the relay
SPDX-License-Identifier: MIT
"""

import base64
import collections
import json


class Delivered:
    """The files of all relays of a test together."""

    def __init__(self, *paths):
        self.paths = list(paths)

    def lines(self):
        """The complete lines as objects. A line that a killed relay left unfinished is no delivery;
        it is counted in `torn`."""
        self.torn = 0
        found = []
        for path in self.paths:
            if not path.exists():
                continue
            for line in path.read_bytes().split(b"\n"):
                if not line:
                    continue
                try:
                    found.append(json.loads(line))
                except ValueError:
                    self.torn += 1
        return found

    def counts(self):
        """How often each event id was delivered."""
        return collections.Counter(line["id"] for line in self.lines())

    def ids(self):
        return set(self.counts())

    def duplicates(self):
        """Deliveries beyond the first of each event."""
        return sum(count - 1 for count in self.counts().values())

    def of(self, event_id):
        """The one delivery of an event; fails if there is none or more than one."""
        found = [line for line in self.lines() if line["id"] == event_id]
        assert len(found) == 1, f"event {event_id} was delivered {len(found)} times"
        return found[0]

    def payload(self, event_id):
        line = self.of(event_id)
        if "payload_base64" in line:
            return base64.b64decode(line["payload_base64"], validate=True)
        return line["payload"].encode()
