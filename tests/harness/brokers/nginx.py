"""nginx.py - nginx as a receiver that accepts everything: HTTP/2, and as fast as it gets
SPDX-License-Identifier: MIT
"""

import collections
import json
import shutil
import socket
import urllib.request

import pytest

from .. import processes
from ..waiting import wait_until

CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    log_format told escape=json '{{"protocol":"$server_protocol","connection":"$connection",'
                                '"method":"$request_method","id":"$http_webhook_id"}}';
    access_log {access};
    keepalive_requests {requests};
    server {{
        listen 127.0.0.1:{port}{listen} backlog=1024;
        {tls}
        location / {{ {answer}; }}
        location = /status {{ stub_status; }}
    }}
    server {{
        listen unix:{folder}/sink;
        access_log off;
        location / {{ return 204; }}
    }}
}}
"""

# Without the second one it would answer before it has read the payload, and with HTTP/2 then reset the
# stream: libcurl 7.88 sometimes takes that for a failure.
AT_ONCE, ONCE_READ = "return 204", "proxy_pass http://unix:{folder}/sink"

Told = collections.namedtuple("Told", "protocol connection method id")


class Nginx:
    """authority: serves https. http2: over TLS by ALPN, without TLS to those who know. requests: how
    many a connection takes until it is ended. tells: whether told() is wanted."""

    def __init__(self, authority=None, http2=False, requests=1000000, tells=True):
        if shutil.which("nginx") is None:
            pytest.skip("nginx is not installed")
        self.folder = processes.short_folder("nginx")
        self.authority = authority
        self.process = None
        self.asked = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        tls = ""
        if authority:
            tls = (
                f"ssl_certificate {authority.server_certificate};"
                f" ssl_certificate_key {authority.server_key};"
            )
        (self.folder / "nginx.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder, port=self.port, requests=requests, tls=tls,
                listen=(" ssl" if authority else "") + (" http2" if http2 else ""),
                access=f"{self.folder}/told told" if tells else "off",
                answer=ONCE_READ.format(folder=self.folder) if http2 else AT_ONCE,
            )
        )  # fmt: skip

    def start(self):
        with open(self.folder / "output", "ab") as output:
            self.process = processes.spawn(
                ["nginx", "-c", self.folder / "nginx.conf", "-p", self.folder, "-e", self.folder / "log"],
                stdout=output, stderr=output,
            )  # fmt: skip
        wait_until(self.listens, "nginx listens", meanwhile=self.assert_alive)
        return self

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def assert_alive(self):
        status = self.process.poll()
        output = (self.folder / "output").read_text(errors="replace")
        assert status is None, f"nginx ended with status {status}:\n{output}"

    def url(self, path="/"):
        return f"{'https' if self.authority else 'http'}://localhost:{self.port}{path}"

    def told(self):
        """What it was asked, pings left out."""
        path = self.folder / "told"
        lines = path.read_text().splitlines() if path.exists() else []
        told = [Told(**json.loads(line)) for line in lines]
        return [one for one in told if one.method == "POST"]

    def requests(self):
        """How many it has answered, this question left out."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status") as answer:
            numbers = answer.read().decode().splitlines()[2].split()
        self.asked += 1
        return int(numbers[2]) - self.asked

    def close(self):
        if self.process is not None:
            processes.end(self.process)
        processes.remove_folder(self.folder)
