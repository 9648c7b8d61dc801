"""relay.py - a relay process under test
SPDX-License-Identifier: MIT
"""

import copy
import itertools
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from . import processes, settings
from .waiting import wait_until

SHUTDOWN_TIMEOUT = 20  # seconds, in every configuration made here


def merged(base, changes):
    """`changes` laid over `base`, object by object."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def pipeline(store, publisher, name="p", **changes):
    return merged({"name": name, "store": store, "publisher": publisher}, changes)


# A wrapper: standard input is a pipe into which nobody ever writes, so who reads from it waits without an end.
NOBODY_TYPES = [
    sys.executable, "-c",
    "import os, sys\n"
    "end, other = os.pipe()\n"
    "os.dup2(end, 0)\n"
    "os.set_inheritable(other, True)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])",
]  # fmt: skip


class Relay:
    """One configuration and the processes started with it, one at a time. Standard error is kept
    over restarts, and searched for a sanitizer's report at every end."""

    numbers = itertools.count(1)

    def __init__(self, folder, pipelines, environment=None, wrapper=(), **sections):
        self.name = f"relay{next(self.numbers)}"
        self.folder = folder
        self.config_path = folder / f"{self.name}.json"
        self.log_path = folder / f"{self.name}.log"
        self.process = None
        self.wrapper = list(wrapper)
        self.environment = dict(os.environ, **settings.SANITIZER_ENVIRONMENT)
        self.environment.update(environment or {})
        self.config = merged(
            {
                "relay": {"shutdown_timeout": f"{SHUTDOWN_TIMEOUT}s"},
                "log": {"level": "info", "format": "json"},
                "pipelines": pipelines,
            },
            sections,
        )
        self.write_config()

    def write_config(self):
        """Writes the configuration as it now is; for SIGHUP."""
        self.config_path.write_text(json.dumps(self.config, indent=1))

    # ---- running ----

    def command(self, subcommand, *arguments):
        return [str(settings.BINARY), subcommand, "-c", str(self.config_path), *arguments]

    def start(self, *arguments, **options):
        assert self.process is None, f"{self.name} runs already"
        with open(self.log_path, "ab") as log:
            self.process = processes.spawn(
                self.wrapper + self.command("run", *arguments),
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options,
            )  # fmt: skip
        return self

    def run(self, subcommand, *arguments, stdin=None, timeout=120):
        """Runs another subcommand to its end; returns its completed process with text output."""
        done = subprocess.run(
            processes.dying_with_us(self.command(subcommand, *arguments)),
            env=self.environment, input=stdin, stdin=None if stdin else subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip
        assert_clean(done.stderr, f"outbox-relay {subcommand}")
        return done

    def once(self, timeout=None):
        """Drains what is pending; returns the exit status."""
        self.start("--once")
        return self.wait(timeout)

    def wait(self, timeout=None):
        """Waits for the process to end by itself."""
        try:
            status = self.process.wait(timeout or settings.PATIENCE)
        except subprocess.TimeoutExpired:
            processes.end(self.process)
            self.process = None
            raise AssertionError(f"{self.name} did not end:\n{self.log_tail()}") from None
        self.process = None
        self.assert_clean()
        return status

    def stop(self):
        """Ends the relay as an operator does: it must drain, within its timeout, and succeed."""
        self.wait_started()
        began = time.monotonic()
        self.process.terminate()
        status = self.wait(SHUTDOWN_TIMEOUT + settings.PATIENCE)
        took = time.monotonic() - began
        assert status == 0, f"{self.name} ended with status {status}:\n{self.log_tail()}"
        assert took < SHUTDOWN_TIMEOUT + 5, f"{self.name} took {took:.1f} s to stop"

    def kill(self):
        """Ends the relay as a crash does."""
        self.assert_running()
        processes.end(self.process)
        self.process = None
        self.assert_clean()

    def reload(self):
        self.write_config()
        self.process.send_signal(signal.SIGHUP)

    def wait_started(self):
        """Until the process has said so; before that it is not the relay yet that gets a signal."""
        wait_until(
            lambda: any(line.get("pid") == self.process.pid for line in self.log()),
            lambda: f"{self.name} starts:\n{self.log_tail()}",
            meanwhile=self.assert_running,
        )

    def assert_running(self):
        status = self.process.poll()
        assert status is None, f"{self.name} ended with status {status}:\n{self.log_tail()}"

    def close(self):
        """For the end of a test: whatever still runs is stopped in order, so that leaks show."""
        if self.process is not None:
            self.stop()

    # ---- looking ----

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self):
        return self.log_text()[-4000:]

    def log(self):
        """The log as objects: time, level, message and fields."""
        lines = []
        for line in self.log_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"level": "raw", "message": line})
        return [line for line in lines if isinstance(line, dict)]

    def logged(self, *words, level=None):
        """Lines that hold all the words, in any field, whatever their case."""
        found = []
        for line in self.log():
            text = json.dumps(line, ensure_ascii=False).lower()
            if all(word.lower() in text for word in words) and level in (None, line.get("level")):
                found.append(line)
        return found

    def wait_logged(self, *words, timeout=None, level=None):
        return wait_until(
            lambda: self.logged(*words, level=level),
            lambda: f"{self.name} logs {words}:\n{self.log_tail()}",
            timeout, meanwhile=self.assert_running,
        )  # fmt: skip

    def assert_clean(self):
        assert_clean(self.log_text(), self.name)

    def processor_seconds(self):
        """User and system time of the running process."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_clean(text, who):
    """No sanitizer found anything. Once in many thousand times the leak checker itself crashes while it
    looks, and takes the exit status along: then this run has shown nothing."""
    if "LeakSanitizer has encountered a fatal error" in text:
        pytest.skip(f"{who}: the leak checker crashed")
    for mark in settings.SANITIZER_REPORTS:
        at = text.find(mark)
        assert at < 0, f"{who}: a sanitizer reports:\n{text[max(0, at - 500):at + 8000]}"
