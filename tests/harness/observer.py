"""observer.py - watches every row of an outbox table for states and transitions that may not be
SPDX-License-Identifier: MIT
"""

import threading


class Observer:
    """A thread that takes one sample after the other on a connection of its own. A lost server is
    waited for: what it remembers of the rows is then learned anew. Use as a context manager; leaving
    it takes a last sample and fails the test if a sample found something, or if none was taken."""

    def __init__(self, table, pause=0.05):
        self.table = table
        self.pause = pause
        self.samples = 0
        self.rows = 0
        self.broken = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._connection = self._view = None
        self._failure = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._stop.set()
        self._thread.join(120)
        if error is None:
            self.check()
            assert self.samples > 1, "the observer took no sample"

    def check(self):
        """Fails if a sample found something. For use between steps of a test."""
        if self._failure:
            raise AssertionError("the observer failed") from self._failure
        assert not self.broken, "rows broke an invariant:\n" + "\n".join(self.broken[:20])

    def _run(self):
        try:
            while not self._stop.is_set():
                self._try_sample()
                self._stop.wait(self.pause)
            self._try_sample()
        except Exception as error:  # carried over to the test's thread by check()
            self._failure = error
        finally:
            self.table.database.disconnect(self._connection)

    def _try_sample(self):
        database = self.table.database
        try:
            if self._connection is None:
                self._connection = database.connect()
                self._view = self.table.view(self.table, self._connection)
            rows, broken = self._view.sample()
            self.rows = max(self.rows, rows)
            for what, count, example in broken:
                self.broken.append(f"sample {self.samples}: {what}: {count} rows, one is {example}")
                self.broken += [f"    {when} {row}" for when, row in self._view.show(example)]
            self.samples += 1
        except database.Error as error:
            if not database.is_lost(error, self._connection):
                raise
            database.disconnect(self._connection)
            self._connection = None
