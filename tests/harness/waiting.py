"""waiting.py - waits for a condition, never for a time
SPDX-License-Identifier: MIT
"""

import time

from . import settings


class NeverHappened(AssertionError):
    """A condition did not come true in the time a test had for it."""


def wait_until(condition, what, timeout=None, interval=0.02, meanwhile=None):
    """Polls condition() until it is true and returns what it returned. `what` tells the reader of a
    failure what was waited for; it may be a function, called only then. `meanwhile` is called between
    polls and may raise to give up."""
    deadline = time.monotonic() + (settings.PATIENCE if timeout is None else timeout)
    while True:
        value = condition()
        if value:
            return value
        if meanwhile:
            meanwhile()
        if time.monotonic() > deadline:
            raise NeverHappened(f"never happened: {what() if callable(what) else what}")
        time.sleep(interval)
