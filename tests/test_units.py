"""test_units.py - the test programs in C, each as one test, whatever folder they are in
SPDX-License-Identifier: MIT
"""

import json
import os
import subprocess

import pytest

from harness import processes, settings
from harness.relay import assert_clean

SKIPPED = 77  # how a test program says that it cannot run here

# Programs that need a database of their own, and how they are told its address.
DATABASES = {"store-postgres": "OUTBOX_TEST_POSTGRES_URL"}


def programs():
    """What the build knows as its tests; nothing can be forgotten this way."""
    if not (settings.BUILD / "build.ninja").exists():
        return []
    listed = subprocess.run(
        ["/usr/bin/meson", "introspect", "--tests", str(settings.BUILD)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(listed.stdout)


PROGRAMS = programs()


@pytest.mark.parametrize(
    "program", PROGRAMS, ids=[program["name"].replace(" ", "_") for program in PROGRAMS]
)
def test_program(program, folder, request):
    environment = dict(os.environ, **settings.SANITIZER_ENVIRONMENT)
    environment.update(program["env"])
    if program["name"] in DATABASES:
        environment[DATABASES[program["name"]]] = request.getfixturevalue("database").url
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
