"""settings.py - what this run of the tests is about: which build, which sanitizer, how much load
SPDX-License-Identifier: MIT
"""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("OUTBOX_BUILD", ROOT / "build")).resolve()
BINARY = Path(os.environ.get("OUTBOX_RELAY_BIN", BUILD / "outbox-relay")).resolve()
SANITIZE = os.environ.get("OUTBOX_SANITIZE", "none")

# The one constant by which a sanitized build, several times slower, gets less to do: every count
# of events in a load test is multiplied by it. What is tested stays the same.
SCALE = {"none": 1.0, "address,undefined": 0.5, "thread": 0.3}[SANITIZE]

# How long a condition may take before a test gives up on it. Generous: it decides nothing but when a
# test that has already failed says so.
PATIENCE = 60 if SANITIZE == "none" else 180

# Leases in tests about crashes: short, so that what a killed relay held comes back soon, and long
# enough that a live relay on a busy machine can renew.
SHORT_LEASE = "2s" if SANITIZE == "none" else "5s"

SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    "TSAN_OPTIONS": "halt_on_error=0:exitcode=66:second_deadlock_stack=1"
    f":suppressions={ROOT}/tests/drivers/thread.supp",
}

if SANITIZE == "thread":
    # See there: libraries with C11 threads crash without it.
    SANITIZER_ENVIRONMENT["LD_PRELOAD"] = str(BUILD / "tests" / "drivers" / "c11-threads.so")

SANITIZER_REPORTS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "AddressSanitizer:DEADLYSIGNAL",
    "runtime error:",
    "WARNING: ThreadSanitizer",
    "ThreadSanitizer: nested bug",
)


def events(count):
    """`count` events, or as many as this build can handle in the same time."""
    return max(20, int(count * SCALE))


def has_driver(name):
    """Whether the build made this driver."""
    return any(BUILD.glob(f"**/{name}.so"))


def need(*drivers):
    """Skips the test, with the reason, if the build left a driver out."""
    for driver in drivers:
        if not has_driver(driver):
            pytest.skip(f"{driver} was not built")
