#!/usr/bin/env python3
"""build_page.py - turns page.html into C, and makes the policy that fits its style and script
SPDX-License-Identifier: MIT

Usage: build_page.py page.html page_parts.c
"""

import base64
import hashlib
import re
import sys

MARK = b"<!-- figures -->"
LINE = 20  # bytes

# The browser refuses these under the policy; better that the build does.
FORBIDDEN = re.compile(rb"<[^>]*\s(on[a-z]+|style)\s*=|javascript:|https?://(?!www\.w3\.org/2000/svg)")


def only(pattern, page, what):
    found = re.findall(pattern, page, re.DOTALL)
    if len(found) != 1:
        sys.exit(f"page.html has {len(found)} times {what}, and must have it once")
    return found[0]


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text).digest()).decode() + "'"


def array(name, data):
    lines = [
        "    " + "".join(f"{byte}," for byte in data[at : at + LINE])
        for at in range(0, len(data), LINE)
    ]
    body = "\n".join(lines)
    return f"const char {name}[] = {{\n{body}\n    0}};\nconst size_t {name}_length = {len(data)};\n"


def main(source, target):
    with open(source, "rb") as file:
        page = file.read()
    style = only(rb"<style>(.*?)</style>", page, "a <style>")
    script = only(rb"<script>(.*?)</script>", page, "a <script>")
    markup = page.replace(style, b"").replace(script, b"")
    if bad := FORBIDDEN.search(markup):
        sys.exit(f"page.html: not allowed by the page's own policy: {bad.group()!r}")
    if page.count(MARK) != 1 or not page.isascii():
        sys.exit(f"page.html must be ASCII and have {MARK!r} once")
    before, behind = page.split(MARK)
    policy = "; ".join((
        "default-src 'none'", f"style-src {digest(style)}", f"script-src {digest(script)}",
        "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
        "frame-ancestors 'none'",
    ))  # fmt: skip
    with open(target, "w", encoding="ascii") as file:
        file.write('/* Made by build_page.py of page.html. */\n#include "page.h"\n\n')
        file.write(array("page_before", before) + array("page_behind", behind))
        file.write(f'const char page_policy[] = "{policy}";\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
