"""webhook_server.py - an HTTP/1.1 server that writes down what it is sent, run as a process of its own
SPDX-License-Identifier: MIT

Reads the bytes of a request itself: the parsers of the standard library change some header values.
A request is in FOLDER/received.ndjson before it is answered, so it outlives a killed server. How it
answers is read from FOLDER/rules.json for every request, see webhook.py.
"""

import asyncio
import base64
import hashlib
import json
import os
import ssl
import sys
import time
from pathlib import Path

LONGEST_HEAD = 1024 * 1024


class Closed(Exception):
    """The connection is to end here."""


class Server:
    def __init__(self, folder, settings):
        self.folder = folder
        self.settings = settings
        self.received = os.open(
            folder / "received.ndjson", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644
        )
        self.connections = 0
        self.in_flight = 0
        self.used = {}  # how often a rule was used, by its text

    async def run(self):
        server = await asyncio.start_server(
            self.serve, "127.0.0.1", self.settings["port"], ssl=self.tls(), backlog=1024,
            limit=LONGEST_HEAD,
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

    # ---- a connection ----

    async def serve(self, reader, writer):
        self.connections += 1
        number = self.connections
        try:
            while True:
                request = await self.read(reader)
                request["connection"] = number
                self.in_flight += 1
                request["in_flight"] = self.in_flight
                try:
                    await self.answer(request, writer)
                finally:
                    self.in_flight -= 1
        except (Closed, asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def read(reader):
        head = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        method, path, _ = head[0].decode("latin-1").split(" ")
        headers = []
        for line in head[1:]:
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip(" \t")))
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        return {"method": method, "path": path, "headers": headers, "body": body}

    # ---- answers ----

    def rule_for(self, request):
        try:
            rules = json.loads((self.folder / "rules.json").read_text())
        except FileNotFoundError:
            return {}
        for rule in rules:
            if self.fits(rule, request):
                return rule
        return {}

    def fits(self, rule, request):
        if request["method"] not in rule.get("methods", ["POST", "PUT", "PATCH"]):
            return False
        if "path" in rule and rule["path"] != request["path"]:
            return False
        if "payload" in rule and rule["payload"].encode() not in request["body"]:
            return False
        if "times" in rule:
            known = hashlib.md5(json.dumps(rule, sort_keys=True).encode()).digest()
            self.used[known] = self.used.get(known, 0) + 1
            return self.used[known] <= rule["times"]
        return True

    def is_welcome(self, request):
        wanted = self.settings.get("authorization")
        given = [value for name, value in request["headers"] if name.lower() == "authorization"]
        return wanted is None or given == [wanted]

    async def answer(self, request, writer):
        rule = self.rule_for(request)
        status = rule.get("status", 204 if request["method"] != "HEAD" else 200)
        if not self.is_welcome(request):
            rule, status = {"body": "who are you?"}, 401
        self.note(request, status)
        if rule.get("delay"):
            await asyncio.sleep(rule["delay"])
        behave = rule.get("behave", "answer_whole")
        if behave == "close":
            writer.transport.abort()
            raise Closed
        await getattr(self, behave)(writer, request, status, rule)

    def note(self, request, status):
        line = {
            "at": time.time(),
            "status": status,
            "method": request["method"],
            "path": request["path"],
            "headers": request["headers"],
            "body": base64.b64encode(request["body"]).decode(),
            "connection": request["connection"],
            "in_flight": request["in_flight"],
        }
        os.write(self.received, json.dumps(line).encode() + b"\n")

    async def answer_bytes(self, writer, data):
        writer.write(data)
        await writer.drain()

    def head(self, status, headers):
        lines = [f"HTTP/1.1 {status} Said-So"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n").encode()

    async def answer_whole(self, writer, request, status, rule):
        body = rule.get("body", "").encode()
        headers = dict(rule.get("headers", {}))
        if status != 204:
            headers["Content-Length"] = len(body)
        if request["method"] == "HEAD" or status == 204:
            body = b""
        await self.answer_bytes(writer, self.head(status, headers) + b"\r\n" + body)

    async def half_header(self, writer, request, status, rule):
        """Ends in the middle of the header."""
        await self.answer_bytes(writer, self.head(status, {"X-Half": "yes"}))
        raise Closed

    async def half_body(self, writer, request, status, rule):
        """Ends in the middle of the body."""
        head = self.head(status, {"Content-Length": 1000})
        await self.answer_bytes(writer, head + b"\r\nonly this")
        raise Closed

    async def endless_body(self, writer, request, status, rule):
        await self.answer_bytes(writer, self.head(status, {}) + b"\r\n")
        while True:
            await self.answer_bytes(writer, b"and so on " * 100)

    async def endless_header(self, writer, request, status, rule):
        await self.answer_bytes(writer, self.head(status, {}))
        while True:
            await self.answer_bytes(writer, b"X-And-So: on\r\n" * 100)

    async def silence(self, writer, request, status, rule):
        """Never answers, and keeps the connection."""
        await asyncio.get_running_loop().create_future()


def main():
    folder = Path(sys.argv[1])
    asyncio.run(Server(folder, json.loads((folder / "settings.json").read_text())).run())


if __name__ == "__main__":
    main()
