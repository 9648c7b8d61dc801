"""proxy.py - a TCP proxy that cuts, stalls and refuses when a test says so
SPDX-License-Identifier: MIT
"""

import errno
import queue
import selectors
import socket
import struct
import threading
import time

TO_SERVER, TO_CLIENT = "to server", "to client"
RST, FIN = "rst", "fin"

CHUNK = 256 * 1024
RECORDED = 32 * 1024 * 1024  # bytes at most
FIN_PATIENCE = 1  # seconds that the other side has to answer a FIN in kind


class Proxy:
    """Listens on a loopback address (`listen`, or a free port: `port`) and forwards to host:port, in a
    thread of its own. All methods take effect before they return and may be called from any thread.

    connections  how many were accepted
    cuts         how many were cut by cut_after()
    passed       bytes passed on, by direction
    seen         with record=True all bytes that were passed on, both directions mixed
    """

    def __init__(self, port, host="127.0.0.1", listen=0, record=False, address="127.0.0.1"):
        self.target = (host, port)
        self.connections = 0
        self.cuts = 0
        self.passed = {TO_SERVER: 0, TO_CLIENT: 0}
        self.seen = bytearray() if record else None
        self._cut = None
        self._stalled = set()
        self._live = set()
        self._address = address
        self._listener = bound(address, listen)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._orders = queue.SimpleQueue()
        self._waker, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._obey)
        self._listen()
        self._failure = None
        self._running = True
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    # ---- what a test may ask for ----

    def cut_after(self, count, direction, how=RST, every=True):
        """Cuts each connection (every=False: only the first that gets there) once exactly `count` of
        its bytes went in the direction; bytes of connections there are count from now. It holds for
        the connections to come as well, until heal()."""

        def order():
            self._cut = (count, direction, how, every)
            for connection in list(self._live):
                connection.counted = {TO_SERVER: 0, TO_CLIENT: 0}

        self._do(order)

    def cut(self, how=RST):
        """Cuts all connections there are. New ones are welcome."""
        self._do(lambda: [connection.cut(how) for connection in list(self._live)])

    def stall(self, *directions):
        """Passes nothing on any more (in these directions, or in both); still accepts. The bytes wait
        until heal()."""
        self._do(lambda: self._stall(set(directions) or {TO_SERVER, TO_CLIENT}))

    def refuse(self):
        """New connections are refused, as if nobody listened. Those there are go on: see cut()."""

        def order():
            if self._listening:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listening = False
                self._listener = bound(self._address, self.port)  # keeps the port ours: not listening refuses

        self._do(order)

    def heal(self):
        """Ends cut_after(), stall() and refuse()."""

        def order():
            self._cut = None
            self._stall(set())
            if not self._listening:
                self._listen()

        self._do(order)

    def open_connections(self):
        return len(self._live)

    def close(self):
        if self._running:
            self._do(self._end)
            self._thread.join()
        self._waker.close()
        self._woken.close()
        self._selector.close()
        self.check()

    def check(self):
        if self._failure:
            raise AssertionError("the proxy failed") from self._failure

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()

    # ---- the thread ----

    def _do(self, order):
        """Runs order() in the proxy's thread and waits for it."""
        self.check()
        done = threading.Event()
        self._orders.put((order, done))
        self._waker.send(b"x")
        while not done.wait(0.1):
            self.check()
        self.check()

    def _obey(self, _events):
        self._woken.recv(4096)
        while not self._orders.empty():
            order, done = self._orders.get()
            order()
            done.set()

    def _run(self):
        try:
            while self._running:
                for key, events in self._selector.select(self._patience()):
                    key.data(events)
                self._expire()
        except Exception as error:  # carried over to the test's thread by check()
            self._failure = error
            self._running = False

    def _patience(self):
        ends = [connection.ends_at for connection in self._live if connection.ends_at]
        return max(0, min(ends) - time.monotonic()) if ends else None

    def _expire(self):
        now = time.monotonic()
        for connection in list(self._live):
            if connection.ends_at and connection.ends_at <= now:
                connection.close()

    def _listen(self):
        self._listener.listen(512)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._listening = True

    def _accept(self, _events):
        while self._listening:
            try:
                client, _ = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # gone before it was accepted
                continue
            self.connections += 1
            self._live.add(Connection(self, client))

    def _stall(self, directions):
        self._stalled = directions
        for connection in list(self._live):
            connection.watch()

    def _end(self):
        for connection in list(self._live):
            connection.close()
        if self._listening:
            self._selector.unregister(self._listener)
        self._listener.close()
        self._running = False


class Side:
    """One end of a connection: its socket, what is to be written to it, and what it listens for."""

    def __init__(self, sock):
        self.socket = sock
        self.waiting = b""  # for this socket to take
        self.ended = False  # it has sent its last byte
        self.shut = False  # we have sent it our last byte
        self.events = 0


class Connection:
    """A client and the server behind it. Only ever touched by the proxy's thread."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.counted = {TO_SERVER: 0, TO_CLIENT: 0}
        self.connected = False
        self.ends_at = None  # once it is being cut in order
        self.pending_cut = None
        server = socket.socket()
        self.client, self.server = Side(client), Side(server)
        for side in (self.client, self.server):
            side.socket.setblocking(False)
            side.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        status = server.connect_ex(proxy.target)
        self.refused = status not in (0, errno.EINPROGRESS)
        self.watch()

    def watch(self):
        """Asks the selector for just what can go on now."""
        if self.refused:
            self.cut(RST)
            return
        for side in (self.client, self.server):
            self._set(side, self._wanted(side))

    def _wanted(self, side):
        if self.ends_at:
            return 0 if side.ended else selectors.EVENT_READ
        if not self.connected:
            return selectors.EVENT_WRITE if side is self.server else 0
        wanted = 0
        if not self._other(side).waiting and not side.ended and self._flows(side):
            wanted |= selectors.EVENT_READ
        if side.waiting and self._flows(self._other(side)):
            wanted |= selectors.EVENT_WRITE
        return wanted

    def _other(self, side):
        return self.server if side is self.client else self.client

    def _direction(self, source):
        return TO_SERVER if source is self.client else TO_CLIENT

    def _flows(self, source):
        return self._direction(source) not in self.proxy._stalled

    def _set(self, side, events):
        if events == side.events:
            return
        selector = self.proxy._selector
        if not side.events:
            selector.register(side.socket, events, lambda what: self._step(side, what))
        elif not events:
            selector.unregister(side.socket)
        else:
            selector.modify(side.socket, events, lambda what: self._step(side, what))
        side.events = events

    def _step(self, side, events):
        if self not in self.proxy._live:  # cut by an event of the same round
            return
        try:
            if self.ends_at:
                self._drain(side)
            elif not self.connected:
                self._connect()
            else:
                if events & selectors.EVENT_WRITE:
                    self._flush(side)
                if events & selectors.EVENT_READ and side.events & selectors.EVENT_READ:
                    self._forward(side)
        except BlockingIOError:
            pass
        except OSError:  # one end was reset: so is the other
            self.cut(RST)
            return
        if self in self.proxy._live:
            self.watch()

    def _connect(self):
        status = self.server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if status:
            raise OSError(status, "the server refuses")
        self.connected = True

    def _forward(self, source):
        direction = self._direction(source)
        limit = self._limit(direction)
        if limit == 0:  # of a connection that had its bytes before
            self._strike()
            return
        data = source.socket.recv(CHUNK)
        if not data:
            source.ended = True
            self._pass_end(source)
            return
        if limit is not None and len(data) >= limit:
            data = data[:limit]
            self.pending_cut = self.proxy._cut[2]
        self.counted[direction] += len(data)
        self.proxy.passed[direction] += len(data)
        seen = self.proxy.seen
        if seen is not None and len(seen) < RECORDED:
            seen += data
        target = self._other(source)
        target.waiting = memoryview(data)
        self._flush(target)

    def _limit(self, direction):
        """How many bytes may still go before a cut; None: all of them."""
        cut = self.proxy._cut
        if cut is None or cut[1] != direction:
            return None
        return max(0, cut[0] - self.counted[direction])

    def _flush(self, side):
        try:
            while side.waiting:
                side.waiting = side.waiting[side.socket.send(side.waiting) :]
        except BlockingIOError:
            return
        if self.pending_cut and not side.waiting:
            self._strike()
        elif self._other(side).ended:
            self._pass_end(self._other(side))

    def _strike(self):
        cut = self.proxy._cut
        how = self.pending_cut or (cut[2] if cut else RST)
        if cut is not None and not cut[3]:
            self.proxy._cut = None
        self.proxy.cuts += 1
        self.cut(how)

    def _pass_end(self, source):
        """One end has sent its last byte: so has the other to hear, once it has the rest."""
        target = self._other(source)
        if target.waiting or target.shut:
            return
        target.shut = True
        target.socket.shutdown(socket.SHUT_WR)
        if target.ended and source.shut:
            self.close()

    def cut(self, how):
        if how == RST or not self.connected:
            for side in (self.client, self.server):
                side.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close()
            return
        # Both hear the end; what they still send is read and dropped, as unread bytes would turn the
        # FIN into a RST.
        self.ends_at = time.monotonic() + FIN_PATIENCE
        for side in (self.client, self.server):
            try:
                side.socket.shutdown(socket.SHUT_WR)
            except OSError:
                side.ended = True
        self.watch()

    def _drain(self, side):
        if not side.socket.recv(CHUNK):
            side.ended = True
        if self.client.ended and self.server.ended:
            self.close()

    def close(self):
        for side in (self.client, self.server):
            if side.events:
                self.proxy._selector.unregister(side.socket)
                side.events = 0
            side.socket.close()
        self.proxy._live.discard(self)


def bound(address, port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    return sock
