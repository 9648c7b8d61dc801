"""test_benchmarks.py - every scenario of benchmarks/ still runs and still decides
SPDX-License-Identifier: MIT
"""

import subprocess
import sys

import pytest

from harness import settings


@pytest.mark.long
def test_every_scenario_runs_and_nothing_is_off_by_a_factor():
    if settings.SANITIZE != "none":
        pytest.skip("figures of a sanitized build mean nothing")
    settings.need("store-postgres", "store-mysql", "store-sqlite", "publisher-null")
    done = subprocess.run(
        [sys.executable, settings.ROOT / "benchmarks" / "run.py", "--smoke", "--build", settings.BUILD,
         "--engines", "postgres,mariadb"],  # MySQL goes the same way as MariaDB, and takes its time
        capture_output=True, text=True, timeout=settings.PATIENCE * 20,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in ("Throughput", "lease-keep", "hold-delete", "Latency, MariaDB", "Idle, PostgreSQL"):
        assert shown in done.stdout
