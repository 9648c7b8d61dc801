"""report.py - what a scenario found, for people and for machines
SPDX-License-Identifier: MIT
"""

import datetime
import json
import os
import platform
from dataclasses import asdict, dataclass, field


@dataclass
class Check:
    """A figure and the bound that decides about it."""

    what: str
    value: float
    bound: float
    at_least: bool = False
    unit: str = ""

    @property
    def met(self):
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def text(self):
        sign = ">=" if self.at_least else "<="
        verdict = "met" if self.met else "MISSED"
        return f"{self.what}: {self.value:.3g}{self.unit} ({sign} {self.bound:g}{self.unit}) {verdict}"


@dataclass
class Report:
    title: str
    columns: list
    rows: list = field(default_factory=list)
    checks: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def met(self):
        return all(check.met for check in self.checks)


def figure(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def progress(report):
    """The newest row, for a person who waits."""
    pairs = zip(report.columns, report.rows[-1])
    return "  " + ", ".join(f"{column}: {figure(value)}" for column, value in pairs)


def table(report):
    cells = [report.columns] + [[figure(value) for value in row] for row in report.rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(report.columns))]
    lines = []
    for row in cells:
        parts = [row[0].ljust(widths[0])]
        parts += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("| " + " | ".join(parts) + " |")
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    return lines


def markdown(report):
    lines = [f"## {report.title}", ""] + table(report) + [""]
    lines += [f"- {check.text()}" for check in report.checks]
    lines += [f"- {note}" for note in report.notes]
    return "\n".join(lines) + "\n"


def machine():
    """What a reader has to know of the machine, and nothing that names it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.machine()} {platform.system()}"


def document(reports, versions):
    """A whole page for benchmarks/results/."""
    today = datetime.date.today().isoformat()
    head = f"# Results of {today}\n\n{machine()}; {versions}.\n"
    return head + "".join("\n" + markdown(report) for report in reports)


def as_json(reports, versions):
    def plain(report):
        checks = [dict(asdict(check), met=check.met) for check in report.checks]
        return dict(asdict(report), checks=checks, met=report.met)

    return json.dumps(
        {"machine": machine(), "versions": versions, "reports": [plain(r) for r in reports]}, indent=1
    )
