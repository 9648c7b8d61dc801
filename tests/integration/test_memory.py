"""test_memory.py - a short run under valgrind
SPDX-License-Identifier: MIT
"""

import shutil

import pytest

from harness import settings

VALGRIND = (
    "valgrind", "--quiet", "--error-exitcode=97", "--leak-check=full",
    "--errors-for-leak-kinds=definite",
)  # fmt: skip


@pytest.mark.parametrize("mode", ["lease", "hold"])
def test_valgrind_finds_nothing(own_table, outbox, new_relay, mode):
    if settings.SANITIZE != "none":
        pytest.skip("a sanitizer watches this build already")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    own_table.insert_many(195)
    bad = [own_table.insert(b"x", headers=[number]) for number in range(5)]
    relay = new_relay(
        outbox.to_file(own_table, claim={"mode": mode, "batch_size": 50}), wrapper=VALGRIND
    )
    assert relay.once(timeout=120) == 0, relay.log_tail()
    assert own_table.states() == {"DELIVERED": 195, "DEAD": len(bad)}
    assert "==" not in relay.log_text().replace("{", "\n{"), relay.log_tail()
