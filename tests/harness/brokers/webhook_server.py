"""webhook_server.py - an HTTP/1.1 server that writes down what it is sent, run as a process of its own
SPDX-License-Identifier: MIT

Reads the bytes of a request itself: the parsers of the standard library change some header values.
A request is in FOLDER/received.ndjson before it is answered, so it outlives a killed server. How it
answers is read from FOLDER/rules.json whenever that changes, see webhook.py.
"""

import asyncio
import base64
import json
import os
import ssl
import sys
import time
from pathlib import Path

END_OF_HEAD = b"\r\n\r\n"


class Rules:
    """The rules file, and how often each rule was used."""

    def __init__(self, path):
        self.path = path
        self.stamp = None
        self.rules = []

    def find(self, request):
        try:
            stat = os.stat(self.path)
        except FileNotFoundError:
            return {}
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self.stamp:
            self.rules = json.loads(self.path.read_text())
            self.stamp = stamp
        for rule in self.rules:
            if self.fits(rule, request):
                return rule
        return {}

    @staticmethod
    def fits(rule, request):
        if request["method"] not in rule.get("methods", ("POST", "PUT", "PATCH")):
            return False
        if "path" in rule and rule["path"] != request["path"]:
            return False
        if "payload" in rule and rule["payload"].encode() not in request["body"]:
            return False
        if "times" in rule:
            rule["times"] -= 1
            return rule["times"] >= 0
        return True


class Server:
    def __init__(self, folder, settings):
        self.folder = folder
        self.settings = settings
        self.rules = Rules(folder / "rules.json")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self.received = os.open(folder / "received.ndjson", flags, 0o644)
        self.connections = 0
        self.in_flight = 0

    async def run(self):
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), "127.0.0.1", self.settings["port"], ssl=self.tls(),
            backlog=1024,
        )  # fmt: skip
        written = self.folder / "port.new"
        written.write_text(str(server.sockets[0].getsockname()[1]))
        written.rename(self.folder / "port")
        await server.serve_forever()

    def tls(self):
        if "certificate" not in self.settings:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.settings["certificate"], self.settings["key"])
        if "client_ca" in self.settings:
            context.load_verify_locations(self.settings["client_ca"])
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def is_welcome(self, request):
        wanted = self.settings.get("authorization")
        given = [value for name, value in request["headers"] if name.lower() == "authorization"]
        return wanted is None or given == [wanted]

    def note(self, request, status):
        line = dict(request, status=status, at=time.time())
        line["body"] = base64.b64encode(request["body"]).decode()
        os.write(self.received, json.dumps(line).encode() + b"\n")


class Connection(asyncio.Protocol):
    """One request after the other; nobody sends the next one before the answer."""

    def __init__(self, server):
        self.server = server
        self.data = bytearray()
        self.is_answering = False

    def connection_made(self, transport):
        self.transport = transport
        self.server.connections += 1
        self.number = self.server.connections

    def connection_lost(self, _):
        if self.is_answering:
            self.server.in_flight -= 1

    def data_received(self, data):
        self.data += data
        if not self.data[:1].isalpha():
            self.transport.close()  # somebody speaks TLS to a server that has none
            return
        request = None if self.is_answering else self.take()
        if request:
            self.is_answering = True
            self.server.in_flight += 1
            request["connection"] = self.number
            request["in_flight"] = self.server.in_flight
            self.decide(request)

    def take(self):
        """The next request if it is there to its end."""
        head_len = self.data.find(END_OF_HEAD)
        if head_len < 0:
            return None
        lines = self.data[:head_len].decode("latin-1").split("\r\n")
        headers, length = [], 0
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.append((name, value.strip(" \t")))
            if name.lower() == "content-length":
                length = int(value)
        end = head_len + len(END_OF_HEAD) + length
        if len(self.data) < end:
            return None
        body = bytes(self.data[end - length : end])
        del self.data[:end]
        method, path, _ = lines[0].split(" ")
        return {"method": method, "path": path, "headers": headers, "body": body}

    # ---- answers ----

    def decide(self, request):
        rule = self.server.rules.find(request)
        status = rule.get("status", 200 if request["method"] == "HEAD" else 204)
        if not self.server.is_welcome(request):
            rule, status = {"body": "who are you?"}, 401
        self.server.note(request, status)
        answer = getattr(self, rule.get("behave", "whole"))
        if rule.get("delay"):
            loop = asyncio.get_running_loop()
            loop.call_later(rule["delay"], answer, request, status, rule)
        else:
            answer(request, status, rule)

    def done(self):
        if self.is_answering:
            self.is_answering = False
            self.server.in_flight -= 1

    def head(self, status, headers):
        lines = [f"HTTP/1.1 {status} Said-So"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n").encode("latin-1")

    def whole(self, request, status, rule):
        body = rule.get("body", "").encode()
        headers = dict(rule.get("headers", {}))
        if status != 204:
            headers["Content-Length"] = len(body)
        if request["method"] == "HEAD" or status == 204:
            body = b""
        self.done()
        self.transport.write(self.head(status, headers) + b"\r\n" + body)

    def echo(self, request, status, rule):
        """Says what it was told: all headers."""
        body = json.dumps(request["headers"])
        self.whole(request, status, dict(rule, body=body))

    def close(self, request, status, rule):
        self.transport.abort()

    def silence(self, request, status, rule):
        """Never answers, and keeps the connection."""

    def half_header(self, request, status, rule):
        """Ends in the middle of the header."""
        self.transport.write(self.head(status, {"X-Half": "yes"}))
        self.transport.close()

    def half_body(self, request, status, rule):
        """Ends in the middle of the body."""
        self.transport.write(self.head(status, {"Content-Length": 1000}) + b"\r\nonly this")
        self.transport.close()

    def endless_body(self, request, status, rule):
        self.transport.write(self.head(status, {}) + b"\r\n")
        self.go_on(b"and so on " * 1000)

    def endless_header(self, request, status, rule):
        self.transport.write(self.head(status, {}))
        self.go_on(b"X-And-So: on\r\n" * 1000)

    def go_on(self, data):
        if self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() < 1000000:
            self.transport.write(data)
        asyncio.get_running_loop().call_later(0.001, self.go_on, data)


def main():
    folder = Path(sys.argv[1])
    asyncio.run(Server(folder, json.loads((folder / "settings.json").read_text())).run())


if __name__ == "__main__":
    main()
