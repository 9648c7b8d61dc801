"""fleet.py - several relays on one table, some of them killed over and over
SPDX-License-Identifier: MIT
"""

from .evidence import Delivered
from .relay import Relay, merged, pipeline
from .waiting import wait_until

MAX_IN_FLIGHT, WORKERS, BATCH = 500, 2, 100  # of each relay


class Fleet:
    """Relays of one configuration that publish to a file each."""

    def __init__(self, folder, table, size, **changes):
        self.table = table
        self.kills = 0
        self.paths = [folder / f"fleet{number}.ndjson" for number in range(size)]
        base = {
            "claim": {"batch_size": BATCH, "workers": WORKERS, "poll_max": "100ms"},
            "publish": {"max_in_flight": MAX_IN_FLIGHT},
            "retry": {"base_delay": "50ms", "max_delay": "1s"},
        }
        self.relays = [
            Relay(
                folder,
                [
                    pipeline(
                        dict(driver=table.database.driver, url=table.database.url, table=table.name),
                        {"driver": "file", "path": str(path)},
                        **merged(base, changes),
                    )
                ],
            )
            for path in self.paths
        ]
        self.delivered = Delivered(*self.paths)

    def __enter__(self):
        for relay in self.relays:
            relay.start()
        return self

    def __exit__(self, kind, error, trace):
        for relay in self.relays:
            if error is None:
                relay.close()
            elif relay.process is not None:
                relay.kill()

    def kill_and_restart(self, relay):
        """A crash at whatever instant this is."""
        relay.kill()
        self.kills += 1
        relay.start()

    @staticmethod
    def at_most_unsettled():
        """Events of one relay that the publisher may have and the table not yet know of: what waits
        for the broker, and a batch of each worker that is being settled."""
        return MAX_IN_FLIGHT + WORKERS * BATCH

    def assert_running(self):
        for relay in self.relays:
            if relay.process is not None:
                relay.assert_running()

    def bytes_written(self):
        return sum(path.stat().st_size for path in self.paths if path.exists())

    def wait_progress(self, beyond, timeout=None):
        """Until some relay has written more than it had."""
        wait_until(
            lambda: self.bytes_written() > beyond,
            lambda: f"the fleet delivers more:\n{self.relays[0].log_tail()}",
            timeout, meanwhile=self.assert_running,
        )  # fmt: skip

    def wait_drained(self, timeout=None):
        """Until nothing is left to deliver."""
        wait_until(
            lambda: self.table.count("status IN ('PENDING', 'DELIVERING')") == 0,
            lambda: f"everything is settled, there are {self.table.states()}:\n"
            + self.relays[0].log_tail(),
            timeout, interval=0.1, meanwhile=self.assert_running,
        )  # fmt: skip

    def stale(self):
        """Settlements that came after their lease was gone, as relays that ended in order report."""
        return sum(
            line["stale"]
            for relay in self.relays
            for line in relay.logged("pipeline ended")
        )
