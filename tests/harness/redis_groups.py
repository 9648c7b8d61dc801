"""redis_groups.py - Redis servers that know of each other: replicas, sentinels, a cluster
SPDX-License-Identifier: MIT
"""

import subprocess

import redis as client

from . import processes
from .brokers.redis import Redis
from .postgres import free_port
from .waiting import wait_until

MASTER = "events"  # what the sentinels call it

# After how many milliseconds a silent server is called dead. On a machine with too much to do a server is
# silent for seconds, so the short time holds only while a test waits for its replica to take its place.
CALM, HASTY = 600_000, 1000


class Group:
    """Servers that end together."""

    def __init__(self):
        self.servers = []

    def new_server(self, **settings):
        settings.setdefault("repl_diskless_sync_delay", "0")
        self.servers.append(Redis(**settings))
        return self.servers[-1].start()

    def new_replica(self, master, **settings):
        replica = self.new_server(replicaof=f"127.0.0.1 {master.port}", **settings)
        wait_until(
            lambda: replica.client().info("replication")["master_link_status"] == "up",
            "the replica has what its master has",
        )
        return replica

    @staticmethod
    def is_up_to_date(master, replica):
        """Whether the replica has all that its master had when it was asked."""
        sent = master.client().info("replication")["master_repl_offset"]
        return replica.client().info("replication")["slave_repl_offset"] >= sent

    @staticmethod
    def is_promoted(replica):
        """Whether it is a master now. A sentinel that makes it one throws out all its clients, and may
        meet the one that asks."""
        try:
            return replica.client().info("replication")["role"] == "master"
        except client.ConnectionError:
            return False

    def close(self):
        for server in self.servers:
            server.close()


class Sentinels(Group):
    """A master, a replica and three sentinels, which call no master dead but in fail_over()."""

    def __init__(self):
        super().__init__()
        self.master = self.new_server()
        self.replica = self.new_replica(self.master)
        self.folder = processes.short_folder("sentinel")
        self.ports = []
        self.processes = []
        for _ in range(3):
            self._start_sentinel()
        wait_until(self._all_know, "the sentinels know each other and the replica")

    def _start_sentinel(self):
        port = free_port()
        config = self.folder / f"{port}.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {self.master.port} 2\n"
            f"sentinel down-after-milliseconds {MASTER} {CALM}\n"
            f"sentinel failover-timeout {MASTER} 4000\n"
        )
        with open(self.folder / "log", "ab") as log:
            self.processes.append(
                processes.spawn(
                    ["redis-server", config, "--sentinel"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            )
        self.ports.append(port)

    def _all_know(self):
        return all(self._knows(port) for port in self.ports)

    def _knows(self, port):
        try:
            about = client.Redis(port=port).sentinel_master(MASTER)
        except client.ConnectionError:
            return False
        return about["num-other-sentinels"] == 2 and about["num-slaves"] == 1

    def fail_over(self):
        """The master is gone: returns when the replica is what all sentinels take for the master."""
        self._set_patience(HASTY)
        wait_until(lambda: self.is_promoted(self.replica), "the replica is promoted")
        wait_until(lambda: all(map(self._has_switched, self.ports)), "all sentinels know of it")
        self._set_patience(CALM)

    def _set_patience(self, milliseconds):
        for port in self.ports:
            client.Redis(port=port).sentinel_set(MASTER, "down-after-milliseconds", milliseconds)

    def _has_switched(self, port):
        address = client.Redis(port=port).sentinel_get_master_addr_by_name(MASTER)
        return address[1] == self.replica.port

    def publisher(self, **changes):
        addresses = ", ".join(f"127.0.0.1:{port}" for port in self.ports)
        return {"driver": "redis", "sentinels": addresses, "master_name": MASTER, **changes}

    def close(self):
        for process in self.processes:
            processes.end(process)
        processes.remove_folder(self.folder)
        super().close()


class Cluster(Group):
    """Three masters that share the slots, and a replica of the first, which takes its place in fail_over()
    alone."""

    settings = {
        "cluster_enabled": "yes",
        "cluster_config_file": "nodes.conf",
        "cluster_node_timeout": CALM,
        "cluster_replica_no_failover": "yes",
        # Otherwise a replica whose election took too long gives up for good, as its data is too old.
        "cluster_replica_validity_factor": 0,
    }

    def __init__(self):
        super().__init__()
        self.masters = [self._new_node() for _ in range(3)]
        addresses = [f"127.0.0.1:{server.port}" for server in self.masters]
        self._cli("--cluster", "create", *addresses, "--cluster-yes")
        self._wait_complete(self.masters)
        self.replica = self._new_node()
        self._cli(
            "--cluster", "add-node", f"127.0.0.1:{self.replica.port}", addresses[0],
            "--cluster-slave", "--cluster-master-id", self.id_of(self.masters[0]),
        )  # fmt: skip
        wait_until(self._is_replicated, "the replica follows the first master")
        self._wait_complete([*self.masters, self.replica], count=4)

    def _new_node(self):
        return self.new_server(cluster_port=str(free_port()), **self.settings)

    def _cli(self, *arguments):
        done = subprocess.run(["redis-cli", *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def _wait_complete(self, servers, count=3):
        def is_complete(server):
            about = server.client().cluster("info")
            return about["cluster_state"] == "ok" and int(about["cluster_known_nodes"]) >= count

        wait_until(lambda: all(map(is_complete, servers)), "the cluster is complete")

    def _is_replicated(self):
        about = self.replica.client().info("replication")
        return about["role"] == "slave" and about["master_link_status"] == "up"

    def fail_over(self):
        """The first master is gone or silent: returns when its replica has its slots."""
        living = [*self.masters[1:], self.replica]
        self._set(living, cluster_node_timeout=HASTY, cluster_replica_no_failover="no")
        wait_until(lambda: self.is_promoted(self.replica), "the replica is promoted")
        self._set(living, cluster_node_timeout=CALM, cluster_replica_no_failover="yes")

    @staticmethod
    def _set(servers, **settings):
        for server in servers:
            for name, value in settings.items():
                server.client().config_set(name.replace("_", "-"), value)

    def id_of(self, server):
        return server.client().execute_command("CLUSTER MYID").decode()

    def owner(self, key):
        """The server whose slots hold the key."""
        slot = self.masters[0].client().cluster("keyslot", key)
        for server in [*self.masters, self.replica]:
            if server.process is None:
                continue
            for ranges in server.client().execute_command("CLUSTER SLOTS"):
                if isinstance(ranges, list) and ranges[0] <= slot <= ranges[1]:
                    return self._at(ranges[2][1])
        raise AssertionError(f"nobody has slot {slot}")

    def _at(self, port):
        return next(server for server in self.servers if server.port == port)

    def begin_move(self, key, source, target):
        """From here on until end_move() the slot is on its way: keys that are not there yet are asked
        for at the target."""
        slot = source.client().cluster("keyslot", key)
        target.client().execute_command(
            "CLUSTER SETSLOT", slot, "IMPORTING", self.id_of(source)
        )
        source.client().execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self.id_of(target))
        return slot

    def move_key(self, key, source, target):
        source.client().execute_command("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)

    def end_move(self, slot, target):
        for server in (target, *self.masters):
            server.client().execute_command("CLUSTER SETSLOT", slot, "NODE", self.id_of(target))
