"""observed.py - what it costs to be observed, by collectors of every temper
SPDX-License-Identifier: MIT

The relay drains the same table unobserved and observed, in pairs. Observed: the HTTP side listens and
metrics, traces and logs go to a collector. The collectors are nginx, which takes or refuses everything at
next to no cost, so that what is measured is the relay; a port where nobody listens; and a socket that is
connected to and never answers.

The relay and the database share one core, so whatever observing takes is taken from delivering, and which
core a thread happens to run on makes no difference between two runs. The collectors have the others.
"""

import contextlib
import datetime
import json
import os
import socket
from itertools import accumulate
from math import comb
from statistics import median

from harness import processes
from harness.waiting import wait_until

from report import Check, Report, progress

MODE, DELIVERED = "lease", "delete"
GOOD = "good"

COLUMNS = ["collector", "unobserved/s", "observed/s", "of unobserved", "95 %", "us/event", "us/event more",
           "peak MiB"]  # fmt: skip

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log; user root;
events {{ worker_connections 256; }}
http {{
    access_log off; keepalive_requests 1000000; client_max_body_size 64m; client_body_buffer_size 4m;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /good {{ return 200; }}
        location /busy {{ return 429; }}
        location /away {{ return 503; }}
        location /refuses {{ return 400 "\\xff\\x00 no protobuf at all"; }}
    }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def nginx():
    """Its address."""
    folder, port = processes.short_folder("collector"), free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    with open(folder / "output", "ab") as output:
        process = processes.spawn(
            ["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "log"],
            stdout=output, stderr=output,
        )  # fmt: skip

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(listens, "nginx listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.end(process)
        processes.remove_folder(folder)


@contextlib.contextmanager
def silence():
    """The address of a socket that the kernel connects and nobody reads."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def collectors():
    """Endpoints by temper."""
    with nginx() as address, silence() as silent:
        tempers = {temper: f"{address}/{temper}" for temper in (GOOD, "busy", "away", "refuses")}
        yield {**tempers, "down": f"http://127.0.0.1:{free_port()}", "silent": silent}


def confine(cores, pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # a helper of the server that has just ended
            os.sched_setaffinity(pid, cores)


@contextlib.contextmanager
def confined(cores, pids=()):
    """This process, what it starts, and some others to some cores."""
    before = os.sched_getaffinity(0)
    confine(cores, [0, *pids])
    try:
        yield
    finally:
        confine(before, [0, *pids])


def sections(endpoint):
    if endpoint is None:
        return {}
    return {
        "http": {"listen": "127.0.0.1:0"},
        "telemetry": {"endpoint": endpoint, "metrics": {"interval": "1s"}},
    }


def seconds_of_work(log):
    """From the relay's first line to that of the pipeline's end: the last export comes after it."""
    lines = [json.loads(line) for line in log.splitlines()]
    times = {line["message"]: datetime.datetime.fromisoformat(line["time"]) for line in lines}
    return (times["pipeline ended"] - times["relay starts"]).total_seconds()


class Trial:
    """One temper: its runs."""

    def __init__(self, lab, empty, endpoint):
        self.lab = lab
        self.sections = sections(endpoint)
        startups = [self.measure(empty) for _ in range(3)]
        self.startup = median(one.work for one in startups)
        self.startup_processor = median(one.processor for one in startups)
        self.runs = []

    def measure(self, source):
        with self.lab.copy(source) as database:
            changes = {"claim": {"mode": MODE}, "delivered": DELIVERED}
            relay = self.lab.relay(
                self.lab.to_null(self.lab.store(database), **changes), **self.sections
            )
            figures = self.lab.measure(relay.command("run", "--once"))
            figures.work = seconds_of_work(figures.log)
            return figures

    def run(self, source, count):
        figures = self.measure(source)
        figures.rate = count / (figures.work - self.startup)
        figures.each = (figures.processor - self.startup_processor) / count * 1e6
        self.runs.append(figures)

    def rate(self):
        return median(run.rate for run in self.runs)

    def each(self):
        return median(run.each for run in self.runs)

    def peak(self):
        return max(run.peak_mib for run in self.runs)


def interval(values):
    """In which the median of all that could be measured lies in 95 of 100 cases, by the signs alone: nothing
    is assumed of how the values are spread. Of fewer than six it is their whole range."""
    values, count = sorted(values), len(values)
    tails = accumulate(comb(count, below) / 2**count for below in range(count // 2))
    at = max(sum(tail <= 0.025 for tail in tails) - 1, 0)
    return values[at], values[count - 1 - at]


def measure_pairs(lab, source, empty, endpoint, count, rounds):
    """The unobserved trial and the observed one, each run of which has its neighbour of the other: what the
    machine does from minute to minute meets both. Who is first in a pair changes from pair to pair."""
    pair = Trial(lab, empty, None), Trial(lab, empty, endpoint)
    for number in range(rounds):
        for trial in pair if number % 2 == 0 else reversed(pair):
            trial.run(source, count)
    return pair


def summarise(report, temper, unobserved, observed, scale):
    pairs = list(zip(unobserved.runs, observed.runs))
    shares = [one.rate / other.rate for other, one in pairs]
    more = median(one.each - other.each for other, one in pairs)
    share, (low, high) = median(shares), interval(shares)
    report.rows.append(
        [temper, unobserved.rate(), observed.rate(), share, f"{low:.3f} to {high:.3f}",
         unobserved.each(), more, observed.peak()]
    )  # fmt: skip
    report.checks += [
        Check(
            f"{temper}, of unobserved", share,
            scale.observed_ratio if temper == GOOD else scale.unheard_ratio, at_least=True,
        ),
        Check(f"{temper}, peak memory", observed.peak(), scale.peak_mib, unit=" MiB"),
        Check(f"{temper}, more processor time an event", more, scale.observed_us, unit=" us"),
    ]  # fmt: skip


def run(lab, scale, options, say):
    count = options.events or scale.events
    source = lab.prepared(f"filled_{count}", lambda database: lab.fill_pending(database, count))
    empty = lab.prepared("empty", lambda database: None)
    rounds = options.rounds or scale.observed_rounds
    report = Report(
        f"Observed: {count:,} events of 512 bytes, {lab.name} to null, {MODE}-{DELIVERED}", list(COLUMNS)
    )
    core, *others = sorted(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        with confined(others or [core]):
            endpoints = stack.enter_context(collectors())
        stack.enter_context(confined([core], lab.processes()))
        for temper in scale.tempers:
            pair = measure_pairs(lab, source, empty, endpoints[temper], count, rounds)
            summarise(report, temper, *pair, scale)
            say(progress(report))
    report.notes += [
        f"{rounds} pairs of runs over identical tables, one unobserved and one observed, each first in turn;"
        " from the relay's first line to the pipeline's end, less what the same command needs over an"
        " empty table",
        "of unobserved: the median of the pairs' ratios, and the interval that holds it in 95 of 100 cases",
        "the relay and the server share one core, the collector has another",
        "observed: http, metrics every second, logs, and every event and batch traced (parentbased_always_on)",
        "good takes everything; busy answers 429, away 503, refuses 400 with garbage; down: connection "
        "refused; silent: connected and never answered",
    ]
    return report
