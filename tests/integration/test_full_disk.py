"""test_full_disk.py - the publisher `file` has no space left
SPDX-License-Identifier: MIT
"""

import os
import subprocess

import pytest

from harness.observer import Observer
from harness.waiting import wait_until

EVENTS = 2000  # more than the small disk holds
SMALL, LARGE = 256 * 1024, 64 * 1024 * 1024


class SmallDisk:
    """A file system of its own, of so many bytes."""

    wrapper = ()

    def __init__(self, folder):
        self.folder = folder / "disk"
        self.folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "outbox-test", str(self.folder)],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            pytest.skip(f"mounting a small file system is not allowed here: {done.stderr.strip()}")

    def grow(self, relay):
        subprocess.run(
            ["mount", "-o", f"remount,size={LARGE}", str(self.folder)], check=True
        )

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


class FileSizeLimit:
    """The kernel refuses to let the relay's files grow, with EFBIG: the disk of an ordinary user."""

    wrapper = ("env", "--ignore-signal=XFSZ", "prlimit", f"--fsize={SMALL}:")

    def __init__(self, folder):
        self.folder = folder / "limited"
        self.folder.mkdir()

    def grow(self, relay):
        subprocess.run(
            ["prlimit", "--pid", str(relay.process.pid), "--fsize=unlimited:"], check=True
        )

    def close(self):
        pass


@pytest.fixture(params=[SmallDisk, FileSizeLimit])
def disk(request, folder):
    if request.param is SmallDisk and os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    made = request.param(folder)
    yield made
    made.close()


@pytest.mark.parametrize("mode", ["lease", "hold"])
def test_full_disk_pauses_and_loses_nothing(table, outbox, new_relay, disk, mode):
    table.insert_many(EVENTS, payload_size=512)
    path = disk.folder / "delivered.ndjson"
    outbox.delivered.paths = [path]
    relay = new_relay(
        outbox.to_file(
            table, path=path, claim={"mode": mode, "batch_size": 100}, retry={"max_attempts": 1}
        ),
        wrapper=disk.wrapper,
    )
    with Observer(table):
        relay.start()
        relay.wait_logged("delivered.ndjson", "pause")
        wait_until(
            lambda: table.count("status = 'DELIVERING'") == 0,
            lambda: f"what was not written is released:\n{relay.log_tail()}",
        )
        states = table.states()
        assert states["PENDING"] > 0 and "DEAD" not in states
        disk.grow(relay)
        wait_until(
            lambda: table.states() == {"DELIVERED": EVENTS},
            lambda: f"the rest is delivered, there are {table.states()}:\n{relay.log_tail()}",
        )
        relay.stop()
    assert table.count("attempts > 0") == 0
    assert outbox.delivered.ids() == table.ids()
