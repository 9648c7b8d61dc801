"""bad_collector.py - a receiver of OTLP that answers whatever a test wants, or not at all
SPDX-License-Identifier: MIT

The real Collector (collector.py) shows that what is sent is right. This one shows what becomes of it
where a collector is overloaded, broken or no collector.
"""

import gzip
import http.server
import threading
import time
from typing import NamedTuple


class Request(NamedTuple):
    signal: str  # metrics, traces, logs
    path: str
    headers: dict  # names in lower case
    body: bytes  # decompressed
    time: float  # monotonic


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # a relay that was killed leaves no thread behind

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        signal = self.path.rpartition("/")[2].partition("?")[0]
        self.server.owner.take(Request(signal, self.path, headers, body, time.monotonic()), self)

    def do_GET(self):
        self.server.owner.strays.append(self.path)
        self.answer(200)

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang(self):
        """Answers nothing until the collector is closed."""
        self.server.owner.closing.wait()
        self.close_connection = True

    def hang_up(self):
        self.close_connection = True

    def never_end(self):
        """A body without an end."""
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            while not self.server.owner.closing.is_set():
                self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


class BadCollector:
    """`rule(request, handler)` answers a request by one call of the handler."""

    def __init__(self, rule=None):
        self.rule = rule or (lambda request, handler: handler.answer(200))
        self.received = []
        self.strays = []
        self.closing = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def take(self, request, handler):
        self.received.append(request)
        self.rule(request, handler)

    def requests(self, signal):
        return [request for request in self.received if request.signal == signal]

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
