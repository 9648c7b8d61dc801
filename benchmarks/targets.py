"""targets.py - what the relay has to reach, and how much is done to see it
SPDX-License-Identifier: MIT
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """How much each scenario does and the bounds that decide. All are ratios but those of `latency`,
    `idle`, processor time and memory, which are promises in absolute units."""

    name: str
    # throughput
    events: int
    rounds: int
    modes: tuple
    floor_variants: tuple  # (connections, batch); the best one is the floor
    sqlite_events: int
    floor_ratio: float  # relay / floor, at least
    processor_us: float  # of the relay, an event, at most
    peak_mib: float  # of the relay, at most
    # history
    delivered_rows: int
    pending_rows: int
    claims: int
    history_modes: tuple
    history_statistics: int  # how many of the server's that could matter
    history_ratio: float  # with history / without, at most
    # window
    window_rows: int  # a day
    window_ratio: float  # scan of the flat table / claim with a window, at least
    # pinned
    pinned_events: int
    pinned_span: int
    pinned_modes: tuple
    pinned_ratio: float  # last span / first span, at most
    # latency
    latency_seconds: int
    # idle
    idle_seconds: int
    slack: float  # by how much a Promise may be missed
    # brokers
    broker_events: int
    broker_ratio: float  # relay / the slower of producer and store loop, at least
    # observed
    observed_rounds: int  # pairs of runs
    tempers: tuple  # of collectors
    observed_ratio: float  # observed / unobserved, at least
    unheard_ratio: float  # the same where the collector is of no use
    observed_us: float  # more processor time an event, at most


BROKERS = ("kafka", "nats", "redis", "rabbitmq", "webhook")
TEMPERS = ("good", "busy", "away", "refuses", "down", "silent")
ALL_MODES = ("lease-keep", "lease-delete", "hold-keep", "hold-delete")

FULL = Scale(
    name="full",
    events=200_000, rounds=3, modes=ALL_MODES, sqlite_events=200_000,
    floor_variants=((1, 500), (1, 1000), (2, 500), (2, 1000)),
    floor_ratio=0.9, processor_us=5.0, peak_mib=20.0,
    delivered_rows=5_000_000, pending_rows=20_000, claims=150,
    history_modes=("lease", "hold"), history_statistics=2, history_ratio=1.2,
    window_rows=20_000, window_ratio=10.0,
    pinned_events=500_000, pinned_span=100_000, pinned_modes=("lease", "hold"), pinned_ratio=1.25,
    latency_seconds=30, idle_seconds=20, slack=1.0,
    broker_events=100_000, broker_ratio=0.8,
    observed_rounds=15, tempers=TEMPERS, observed_ratio=0.97, unheard_ratio=0.98, observed_us=0.5,
)  # fmt: skip

@dataclass(frozen=True)
class Promise:
    """Of a make of the server, in absolute units."""

    p50_ms: float
    p99_ms: float
    idle_percent: float  # of a core
    idle_transactions: float  # a second


POSTGRES = Promise(p50_ms=3.0, p99_ms=15.0, idle_percent=0.5, idle_transactions=20.0)
# There is nothing that wakes: half of an event's way is the time until the relay looks.
MYSQL = Promise(p50_ms=25.0, p99_ms=25.0, idle_percent=1.0, idle_transactions=20.0)

# For a test, on a machine that is busy with other tests: shows that every scenario still runs and that
# nothing is off by a factor. These bounds promise nothing; only those of FULL do.
SMOKE = Scale(
    name="smoke",
    events=20_000, rounds=1, modes=("lease-keep", "hold-delete"), sqlite_events=10_000,
    floor_variants=((2, 500),),
    floor_ratio=0.2, processor_us=50.0, peak_mib=40.0,
    delivered_rows=100_000, pending_rows=3_000, claims=20,
    history_modes=("hold",), history_statistics=1, history_ratio=3.0,
    window_rows=2_000, window_ratio=0.5,
    pinned_events=40_000, pinned_span=10_000, pinned_modes=("lease",), pinned_ratio=3.0,
    latency_seconds=3, idle_seconds=3, slack=30.0,
    broker_events=10_000, broker_ratio=0.1,
    observed_rounds=1, tempers=("good",), observed_ratio=0.2, unheard_ratio=0.2, observed_us=20.0,
)  # fmt: skip

BATCH_OF_CLAIMS = 100  # events a claim, in scenario history
EVENTS_A_SECOND = 100  # in scenario latency
PAYLOAD = 512  # bytes, except where the rows are history
