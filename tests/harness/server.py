"""server.py - a private server of the tests: one process, one folder, a loopback port
SPDX-License-Identifier: MIT
"""

import os
import signal

from . import processes
from .postgres import free_port
from .waiting import wait_until


class Server:
    """A subclass says how it is started. The port stays the same over kill() and start()."""

    name = None

    def __init__(self):
        self.folder = processes.short_folder(self.name)
        self.process = None
        self.port = None

    def start(self):
        """Starts the server on a free loopback port, or again on its own, and waits until it answers.
        Returns self."""
        raise NotImplementedError

    def start_on_free_port(self, spawn, answers):
        """A port that was free may be taken when the server asks for it: then another one is tried."""
        is_new = self.port is None
        for attempt in range(5):
            if is_new:
                self.port = free_port()
            spawn()
            try:
                self.wait_answers(answers)
                return self
            except RuntimeError:
                if not is_new or attempt == 4:
                    raise
        return self

    def kill(self):
        """Ends the server as a crash does."""
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
            # One that has ended by itself has no group any more.
            if self.process.poll() is None:
                self.resume()
            processes.end(self.process)
            self.process = None
        processes.remove_folder(self.folder)

    def wait_answers(self, condition, timeout=None):
        wait_until(condition, f"{self.name} answers", timeout, meanwhile=self.assert_alive)

    def assert_alive(self):
        status = self.process.poll()
        if status is not None:
            raise RuntimeError(f"{self.name} ended with status {status}:\n{self.log_tail()}")

    def log_tail(self):
        log = self.folder / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""
