"""processes.py - child processes that cannot outlive the tests
SPDX-License-Identifier: MIT
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


def dying_with_us(command, with_signal="KILL", user=None):
    """The command, wrapped so that the kernel ends it when the thread that starts it is gone (so
    processes are started by the main thread alone). The wrapper replaces itself: its process id is the
    command's own."""
    wrapper = ["setpriv", "--pdeathsig", with_signal]
    if user:
        group = str(pwd.getpwnam(user).pw_gid)  # which need not be called as the user is
        wrapper += ["--reuid", user, "--regid", group, "--clear-groups"]
    return wrapper + ["--"] + [str(part) for part in command]


def spawn(command, with_signal="KILL", user=None, **options):
    """Starts a process in a group of its own."""
    return subprocess.Popen(
        dying_with_us(command, with_signal, user), start_new_session=True, **options
    )


def end(process):
    """Kills a process and what it started, however it feels."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def pause_group(process):
    """Stops a process and what it started where they stand, and returns when all of it does: a signal
    is there before each thread has seen it."""
    os.killpg(process.pid, signal.SIGSTOP)
    deadline = time.monotonic() + 30
    while not all(state in "TtZX" for state in group_states(process.pid)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"process {process.pid} does not stop: {group_states(process.pid)}")
        time.sleep(0.001)


def group_states(group):
    """The state of every thread of a process group, a letter each."""
    states = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(fields(stat)[2]) == group:
                states += [fields(task)[0] for task in stat.parent.glob("task/*/stat")]
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return "".join(states)


def fields(stat):
    """What stands behind the name in a stat file: state, parent, group and so on."""
    return stat.read_text().rpartition(")")[2].split()


def short_folder(purpose):
    """A new folder with a path short enough for a socket, that any user may pass through. Its name is
    unique, so two runs of the tests at once share nothing."""
    folder = Path(tempfile.mkdtemp(prefix=f"outbox-{purpose}-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def remove_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)
