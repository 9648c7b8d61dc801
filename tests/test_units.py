"""test_units.py - the test programs in C, each as one test, whatever folder they are in
SPDX-License-Identifier: MIT
"""

import json
import os
import subprocess

import pytest

from harness import processes, settings
from harness.engines import ENGINES
from harness.relay import assert_clean

SKIPPED = 77  # how a test program says that it cannot run here

# Programs that need a database of their own, and how they are told its address.
DATABASES = {"store-postgres": "OUTBOX_TEST_POSTGRES_URL", "store-mysql": "OUTBOX_TEST_MYSQL_URL"}
KNOWN = {"store-postgres": ["postgres"], "store-mysql": ["mariadb", "mysql"]}


def programs():
    """What the build knows as its tests; nothing can be forgotten this way."""
    if not (settings.BUILD / "build.ninja").exists():
        return []
    listed = subprocess.run(
        ["/usr/bin/meson", "introspect", "--tests", str(settings.BUILD)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(listed.stdout)


def runs():
    """Each program, once for each engine that it needs."""
    for program in programs():
        name = program["name"].replace(" ", "_")
        wanted = [engine for engine in KNOWN.get(name, []) if engine in ENGINES]
        for engine in wanted or [None]:
            yield pytest.param(program, engine, id=f"{name}-{engine}" if engine else name)


@pytest.fixture
def addressed(request):
    """What tells a program the address of a database on an engine."""

    def make(program, engine):
        if engine is None:
            return {}
        engine = request.getfixturevalue("engines")[engine]
        engine.need()
        return {DATABASES[program["name"]]: engine.shared.new_database().url}

    return make


@pytest.mark.parametrize("program, engine", runs())
def test_program(program, engine, folder, addressed):
    environment = dict(os.environ, **settings.SANITIZER_ENVIRONMENT)
    environment.update(program["env"], **addressed(program, engine))
    output = folder / "output"
    with open(output, "wb") as file:
        process = processes.spawn(
            program["cmd"], env=environment, cwd=program["workdir"] or settings.BUILD,
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        status = process.wait(settings.PATIENCE * 4)
    except subprocess.TimeoutExpired:
        status = "none: it hangs"
    finally:
        processes.end(process)
    text = output.read_text(errors="replace")
    if status == SKIPPED:
        pytest.skip(text.strip().splitlines()[-1] if text.strip() else "it says no reason")
    assert status == 0, f"{program['name']} ended with status {status}:\n{text[-8000:]}"
    assert_clean(text, program["name"])
