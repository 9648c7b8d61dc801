"""test_crash.py - relays are killed at any instant, and nothing is lost
SPDX-License-Identifier: MIT
"""

import random
import time

import pytest

from harness.engines import every_engine
from harness.fleet import Fleet
from harness.observer import Observer
from harness.settings import SHORT_LEASE, events
from harness.sources import Producer
from harness.waiting import wait_until

pytestmark = every_engine


def killing_spree(table, fleet, observer, producer, victims, rounds):
    """Kills one of the victims at a random instant of each portion. The seed is printed, so that a
    failure can be looked into, though no two runs are alike."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(rounds):
        before = fleet.bytes_written()
        producer.more()
        fleet.wait_progress(before)
        time.sleep(chance.uniform(0, 0.2))  # not to wait for anything: to hit any instant
        fleet.kill_and_restart(chance.choice(victims))
        observer.check()
    wait_until(producer.done, "the producer is done")
    fleet.wait_drained()


def check_delivered(table, fleet):
    counts = fleet.delivered.counts()
    lost = table.ids() - set(counts)
    assert not lost, f"{len(lost)} events were never delivered, one is {min(lost)}"
    duplicates, stale = fleet.delivered.duplicates(), fleet.stale()
    print(f"{fleet.kills} kills, {duplicates} duplicates, {stale} stale, {fleet.delivered.torn} torn")
    assert duplicates <= fleet.kills * fleet.at_most_unsettled() + stale
    assert fleet.delivered.torn <= fleet.kills


@pytest.mark.long
def test_four_relays_two_of_them_killed_over_and_over(own_table, folder):
    table, rounds = own_table, 40
    portion = events(100_000) // rounds
    with (
        Observer(table) as observer,
        Fleet(folder, table, 4, claim={"lease": SHORT_LEASE}) as fleet,
        Producer(table, portion) as producer,
    ):
        killing_spree(table, fleet, observer, producer, fleet.relays[:2], rounds)
    assert table.states() == {"DELIVERED": portion * rounds}
    check_delivered(table, fleet)


@pytest.mark.parametrize("mode", ["lease", "hold"])
def test_a_single_relay_killed_at_any_instant(table, folder, mode):
    rounds = 8
    portion = events(1000)
    with (
        Observer(table) as observer,
        Fleet(folder, table, 1, claim={"mode": mode, "lease": SHORT_LEASE}) as fleet,
        Producer(table, portion) as producer,
    ):
        killing_spree(table, fleet, observer, producer, fleet.relays, rounds)
    assert table.states() == {"DELIVERED": portion * rounds}
    check_delivered(table, fleet)
    if mode == "hold":
        assert table.count("attempts > 0") == 0, "a crash frees held rows without a charge"
