#!/usr/bin/python3
"""run.py - the relay beside its floors, and its other promises about speed
SPDX-License-Identifier: MIT
"""

import argparse
import contextlib
import os
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

from targets import ALL_MODES, BROKERS, FULL, SMOKE  # noqa: E402

SCENARIOS = ("throughput", "sqlite", "history", "window", "pinned", "latency", "idle", "brokers",
             "observed")  # fmt: skip
ENGINES = ("postgres", "mariadb", "mysql")
ALL = ENGINES
RUNS_ON = {"throughput": ALL, "history": ALL, "latency": ALL, "idle": ALL, "window": ("mariadb", "mysql")}


def arguments():
    parser = argparse.ArgumentParser(
        description="Runs the relay beside its floors, in private servers at stock settings."
        " Exit status 1 if a target is missed, 2 if something cannot be measured."
    )
    # nargs="*" and choices do not go together with a default.
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO",
                        help=f"one of {', '.join(SCENARIOS)}; all by default")  # fmt: skip
    parser.add_argument("--build", help="a release build with -Dbenchmarks=true; ./dev bench makes one")
    parser.add_argument("--smoke", action="store_true", help="little of each; these bounds promise nothing")
    parser.add_argument("--events", type=int, help="events to drain (throughput, sqlite, pinned, observed)")
    parser.add_argument("--modes", type=lambda text: text.split(","),
                        help=f"of {','.join(ALL_MODES)} (throughput, sqlite)")  # fmt: skip
    parser.add_argument("--engines", type=lambda text: text.split(","),
                        help=f"of {','.join(ENGINES)} ; all by default")  # fmt: skip
    parser.add_argument("--brokers", type=lambda text: text.split(","),
                        help=f"of {','.join(BROKERS)} (brokers)")  # fmt: skip
    parser.add_argument("--rounds", type=int,
                        help="rounds, of which medians are taken (throughput, sqlite, observed)")
    parser.add_argument("--workers", type=int, help="claim.workers of the relay (throughput)")
    parser.add_argument("--batch", type=int, help="claim.batch_size of the relay (throughput)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--save", metavar="FILE", help="writes the tables to a Markdown file as well")
    options = parser.parse_args()
    for scenario in options.scenarios:
        if scenario not in SCENARIOS:
            parser.error(f"there is no scenario {scenario}: choose from {', '.join(SCENARIOS)}")
    for mode in options.modes or ():
        if mode not in ALL_MODES:
            parser.error(f"there is no mode {mode}: choose from {', '.join(ALL_MODES)}")
    for engine in options.engines or ():
        if engine not in ENGINES:
            parser.error(f"there is no engine {engine}: choose from {', '.join(ENGINES)}")
    for broker in options.brokers or ():
        if broker not in BROKERS:
            parser.error(f"there is no broker {broker}: choose from {', '.join(BROKERS)}")
    for name in ("events", "rounds", "workers", "batch"):
        number = getattr(options, name)
        if number is not None and number < 1:
            parser.error(f"--{name} {number}: at least 1")
    return options


def runners():
    import brokers
    import history
    import observed
    import pinned
    import running
    import throughput
    import throughput_sqlite
    import window

    return {
        "throughput": throughput.run,
        "sqlite": throughput_sqlite.run,
        "history": history.run,
        "window": window.run,
        "pinned": pinned.run,
        "latency": running.latency,
        "idle": running.idle,
        "brokers": brokers.run,
        "observed": observed.run,
    }


def made_with(labs):
    import sqlite3

    servers = [f"{lab.name} {lab.version()}" for lab in labs.values() if lab.is_running()]
    return ", ".join([*servers, f"SQLite {sqlite3.sqlite_version}"])


def open_labs(stack, options, say):
    """By engine; those that cannot be had are told and left out."""
    from lab_mysql import MysqlLab
    from lab_postgres import PostgresLab

    labs = {}
    for engine in ENGINES:
        lab = PostgresLab() if engine == "postgres" else MysqlLab(engine)
        stack.callback(lab.close)
        missing = lab.missing()
        if missing and engine in (options.engines or ()):
            raise RuntimeError(missing)
        if missing:
            say(f"{engine} is not measured: {missing}")
        else:
            labs[engine] = lab
    return labs


def rounds(options, labs):
    """Pairs of a scenario and where it runs."""
    for name in options.scenarios or SCENARIOS:
        for engine in RUNS_ON.get(name, ("postgres",)):
            if engine in labs and engine in (options.engines or ENGINES):
                yield name, labs[engine]


def run(options):
    import report

    scale = SMOKE if options.smoke else FULL
    run_one = runners()
    reports = []

    def say(text):
        print(text, file=sys.stderr, flush=True)

    with contextlib.ExitStack() as stack:
        labs = open_labs(stack, options, say)
        for name, lab in rounds(options, labs):
            say(f"{name}, {lab.name} ...")
            reports.append(run_one[name](lab, scale, options, say))
            if not options.json:
                print(report.markdown(reports[-1]), flush=True)
        servers = made_with(labs)
    if options.json:
        print(report.as_json(reports, servers))
    if options.save:
        page = Path(options.save)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(report.document(reports, servers), encoding="utf-8")
    return 0 if all(one.met for one in reports) else 1


def main():
    options = arguments()
    # Before anything of the harness is loaded: it looks here for the build.
    if options.build:
        os.environ["OUTBOX_BUILD"] = str(Path(options.build).resolve())
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        return run(options)
    except (RuntimeError, OSError, AssertionError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
