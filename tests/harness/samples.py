"""samples.py - random events that a broker must carry exactly
SPDX-License-Identifier: MIT
"""

import random
import string
import uuid
from typing import NamedTuple

TOKEN = string.ascii_lowercase + string.digits + "!#$%&'*+-.^_`|~"
LETTERS = string.ascii_letters + string.digits + " .,:;-_/äöüßéñøΩжя世界한글日本\U0001f600\U0001f680"
CONTROLS = "\t\n\r\x01\x0b\x1f\x7f\u0085\u2028\"\\'{}%"
MOST_HEADERS = 20
LARGE = 64 * 1024  # bytes of a few payloads


class Sample(NamedTuple):
    id: str
    key: str  # None: the event has none
    payload: bytes
    headers: dict

    def row(self, type):
        return (self.id, type, self.key, self.payload, self.headers)


class Samples:
    """`count` random events for a broker, the same for the same seed. Names and values of headers are
    drawn from pools, for there are many."""

    def __init__(self, seed, broker, count):
        self.dice = random.Random(seed)
        self.broker = broker
        self.names = [self._name(number) for number in range(300)]
        self.values = [self._value() for _ in range(3000)]
        self.texts = [self._text(LETTERS + CONTROLS, 0, 400).encode() for _ in range(500)]
        self.events = [self._event(number) for number in range(count)]

    def _text(self, alphabet, shortest, longest):
        return "".join(self.dice.choices(alphabet, k=self.dice.randint(shortest, longest)))

    def _name(self, number):
        """Distinct, and none that a protocol or the relay has a use for."""
        if self.broker.header_names == "token":
            return f"x{number}{self._text(TOKEN, 0, 20)}"
        return f"x{number}{self._text(LETTERS + CONTROLS, 0, 20)}"

    def _value(self):
        if self.dice.random() < 0.1:
            return ""
        if self.broker.header_values == "line":
            return self._text(LETTERS, 1, 60).strip()
        return self._text(LETTERS + CONTROLS, 1, 60)

    def _payload(self, number):
        if number % 5000 == 1:
            return self.dice.randbytes(LARGE)
        kind = self.dice.random()
        if kind < 0.05:
            return b""
        if kind < 0.5:
            return self.dice.choice(self.texts)
        return self.dice.randbytes(int(1000 ** self.dice.random()))

    def _event(self, number):
        wanted = self.dice.choice((0, 0, 1, 1, 2, 3, 5, MOST_HEADERS if number % 10 == 0 else 4))
        names = self.dice.sample(self.names, wanted)
        return Sample(
            str(uuid.UUID(int=self.dice.getrandbits(128), version=4)),
            self._key(),
            self._payload(number),
            dict(zip(names, self.dice.choices(self.values, k=wanted))),
        )

    def _key(self):
        kind = self.dice.random()
        if kind < 0.3:
            return None
        if kind < 0.35:
            return ""
        return f"{self.dice.choice(('customer', 'Kunde ä', '世界', 'a/b'))}-{self.dice.randrange(1000)}"
