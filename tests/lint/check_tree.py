#!/usr/bin/python3
"""check_tree.py - the rules of this tree that no compiler checks
SPDX-License-Identifier: MIT

Prints one line for each breach: file, line, what is wrong and what to do. Run by ./dev lint.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("include", "core", "plugins", "sdk", "tests", "benchmarks")
LONGEST = 600  # lines

BANNED = {
    "strcpy": "memcpy with a length, or snprintf",
    "strcat": "memcpy with a length, or snprintf",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "strtok": "strcspn",
    "atoi": "strtoll with a check",
    "atol": "strtoll with a check",
    "atoll": "strtoll with a check",
    "atof": "strtod with a check",
    "usleep": "a condition to wait for",
    "sleep": "a condition to wait for",
    "fork": "a thread: a driver may be open",
}
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
UNDONE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')

LIBC = {"stdarg.h", "stddef.h", "stdint.h", "stdio.h", "string.h"}

# Words that are a driver's name and also common words: only the name of its file counts.
COMMON_WORDS = {"file", "stdout", "null"}

TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/" r'|"(?:\\.|[^"\\\n])*"' r"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)


def code_only(text):
    """The text with comments and literals blanked out, line by line as it was."""
    return TOKEN.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def driver_names():
    """(name, how it would be written) of every driver in plugins/."""
    for folder in sorted((ROOT / "plugins").iterdir()):
        kind, dash, name = folder.name.partition("-")
        if folder.is_dir() and dash and kind in ("store", "publisher"):
            yield name, folder.name
    # Their libraries are as telling as their names.
    for library in ("libpq", "sqlite3", "librdkafka", "hiredis"):
        yield library, library


def c_files(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            yield path, path.read_text(encoding="utf-8")


class Breaches:
    def __init__(self):
        self.count = 0

    def add(self, path, line, text):
        self.count += 1
        print(f"{path.relative_to(ROOT)}:{line}: {text}")


def check_calls(breaches):
    for path, text in c_files(*SOURCES):
        for number, line in enumerate(code_only(text).splitlines(), 1):
            for call in BANNED_CALL.findall(line):
                # Tests start servers; the daemon and its drivers start nothing.
                if call == "fork" and path.is_relative_to(ROOT / "tests"):
                    continue
                breaches.add(path, number, f"{call}() is not used here: {BANNED[call]}")


def check_driver_names(breaches):
    patterns = []
    for name, written in driver_names():
        word = written if name in COMMON_WORDS else name
        patterns.append((re.compile(re.escape(word), re.IGNORECASE), word))
    for path, text in c_files("core"):
        if path.name == "cmd_demo.c":
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, word in patterns:
                if pattern.search(line):
                    breaches.add(path, number, f"core/ knows no driver, this names {word}")


def check_includes(breaches):
    core = {path.name for path in (ROOT / "core").glob("*.h")}
    for path, text in c_files("plugins", "include"):
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            name = match.group(1)
            beside = (path.parent / name).exists()
            if "core/" in name or (name in core and not beside):
                breaches.add(path, number, f"a driver and the ABI include nothing of core/: {name}")
            elif path.is_relative_to(ROOT / "include") and not (
                name.startswith("outbox/") or name in LIBC
            ):
                breaches.add(path, number, f"the ABI includes only itself and libc: {name}")


def check_shape(breaches):
    """Length, header comment, no debts."""
    for path, text in c_files(*SOURCES):
        lines = text.splitlines()
        if len(lines) > LONGEST:
            breaches.add(path, len(lines), f"longer than {LONGEST} lines: split it by job")
        head = text.partition("*/")[0]
        if not head.startswith(f"/*\n * {path.name} - "):
            breaches.add(path, 1, f'does not begin with "/*", " * {path.name} - what it is"')
        if "\n * SPDX-License-Identifier: MIT\n" not in head:
            breaches.add(path, 2, "has no line SPDX-License-Identifier: MIT in its header comment")
        for number, line in enumerate(lines, 1):
            if UNDONE.search(line):
                breaches.add(path, number, "is not finished, by its own words")
            if line != line.rstrip() or "\t" in line:
                breaches.add(path, number, "has a tab or space that ./dev format removes")
        if not text.endswith("\n"):
            breaches.add(path, len(lines), "does not end with a newline")


def check_scripts(breaches):
    for path in sorted((ROOT / "tests").rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > LONGEST:
            breaches.add(path, len(lines), f"longer than {LONGEST} lines: split it by job")
        for number, line in enumerate(lines, 1):
            if UNDONE.search(line) and path != Path(__file__).resolve():
                breaches.add(path, number, "is not finished, by its own words")


def main():
    breaches = Breaches()
    for check in (check_calls, check_driver_names, check_includes, check_shape, check_scripts):
        check(breaches)
    return 1 if breaches.count else 0


if __name__ == "__main__":
    sys.exit(main())
