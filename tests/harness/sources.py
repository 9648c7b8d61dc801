"""sources.py - a producer that keeps committing while a test does its worst
SPDX-License-Identifier: MIT
"""

import threading


class Producer:
    """Inserts events in portions from a thread of its own, a portion for each call of `more`, so that
    a test decides how its faults and the load mix. A portion that the server lost is made again. With a
    `type` the events are those of Table.insert_stream()."""

    def __init__(self, table, portion, type=None):
        self.table = table
        self.portion = portion
        self.type = type
        self.asked = 0
        self.made = 0
        self._ask = threading.Semaphore(0)
        self._stop = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._stop.set()
        self._ask.release()
        self._thread.join(120)
        if error is None:
            self.check()

    def more(self):
        self.asked += 1
        self._ask.release()

    def done(self):
        """Whether every portion asked for is committed."""
        self.check()
        return self.made == self.asked

    def check(self):
        if self._failure:
            raise AssertionError("the producer failed") from self._failure

    def _run(self):
        try:
            while True:
                self._ask.acquire()
                if self._stop.is_set():
                    return
                while not self._insert():
                    if self._stop.wait(0.1):
                        return
                self.made += 1
        except Exception as error:  # carried over to the test's thread by check()
            self._failure = error

    def _insert(self):
        database, connection = self.table.database, None
        try:
            connection = database.connect()
            self.table.load(connection, self.portion, self.type)
            return True
        except database.Error as error:
            if not database.may_try_again(error, connection):
                raise
            return False
        finally:
            database.disconnect(connection)
