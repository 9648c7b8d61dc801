"""browser.py - a headless Chromium, driven over a pipe
SPDX-License-Identifier: MIT

The DevTools protocol through two pipes (--remote-debugging-pipe) needs neither a library for WebSockets
nor a driver program, opens no port, and Chromium ends by itself when the pipe does.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time

import pytest

from . import processes, settings
from .waiting import wait_until

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60  # seconds for one answer


def need():
    """The program; skips the test, with the reason, where there is none."""
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    pytest.skip("no chromium is installed")


class Browser:
    def __init__(self):
        self.profile = processes.short_folder("b")
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()
        # It wants them as descriptors 3 and 4.
        command = [
            "bash", "-c", f'exec 8<&{to_browser} 9>&{from_browser} && exec 3<&8 4>&9 && exec "$0" "$@"',
            need(), "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--hide-scrollbars", f"--user-data-dir={self.profile}",
        ]  # fmt: skip
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # which root cannot have
        self.process = processes.spawn(
            [*command, "about:blank"],
            pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=str(self.profile)),
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self.number = 0
        self.received = b""
        self.events = []  # of every tab, as they came

    def call(self, method, session=None, **params):
        """What a method returns; events that come meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.receive(deadline)
            assert answer is not None, f"the browser does not answer to {method}"
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def receive(self, deadline):
        """The next message, None after the deadline."""
        while b"\0" not in self.received:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.read_end], [], [], left)[0]:
                return None
            piece = os.read(self.read_end, 1 << 16)
            assert piece, f"the browser ended with status {self.process.poll()}"
            self.received += piece
        message, self.received = self.received.split(b"\0", 1)
        return json.loads(message)

    def new_tab(self, **options):
        return Tab(self, **options)

    def close(self):
        """Asks it to end, so that all of its processes do, and sees to that they have."""
        try:
            self.call("Browser.close")
            self.process.wait(20)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            pass  # it is ended below, in any case
        processes.end(self.process)
        os.close(self.write_end)
        os.close(self.read_end)
        wait_until(lambda: not self.survivors(), lambda: f"these end: {self.survivors()}")
        processes.remove_folder(self.profile)

    def survivors(self):
        """Processes that have our profile on their command line."""
        mark = str(self.profile).encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if mark in file.read():
                        found.append(int(pid))
            except OSError:
                continue  # it has ended
        return found


class Tab:
    """A page of its own, with what a person would find in its console."""

    def __init__(self, browser, width=1280, height=900, scheme="light", script=True):
        self.browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        self.target = browser.call(
            "Target.createTarget", url="about:blank", browserContextId=self.context
        )["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits", "DOM", "Accessibility"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        # A tab that is not in front would count as hidden.
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        if not script:
            self.call("Emulation.setScriptExecutionDisabled", value=True)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def events(self, *methods):
        self.call("Runtime.getIsolateId")  # whatever happened before has then been told
        return [
            event["params"]
            for event in self.browser.events
            if event.get("sessionId") == self.session and event["method"] in methods
        ]

    def open(self, url):
        failed = self.call("Page.navigate", url=url).get("errorText")
        assert not failed, f"{url}: {failed}"
        wait_until(lambda: self.events("Page.loadEventFired"), f"{url} is loaded")
        return self

    def evaluate(self, expression):
        """The value of an expression, also in a page whose own scripts are off."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression, what=None, timeout=None):
        return wait_until(
            lambda: self.evaluate(expression),
            lambda: f"{what or expression}; the page reads:\n{self.text()}", timeout, interval=0.1,
        )  # fmt: skip

    def text(self):
        return self.evaluate("document.body.innerText")

    def press(self, key, code=None):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key,
                      windowsVirtualKeyCode={"Tab": 9, "Enter": 13}[key])  # fmt: skip

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def trouble(self):
        """Whatever went wrong: console errors, exceptions, refusals by the policy, dialogs."""
        found = []
        for event in self.events("Runtime.consoleAPICalled"):
            found.append(f"console: {event['type']} {event['args']}")
        for event in self.events("Runtime.exceptionThrown"):
            found.append(f"exception: {event['exceptionDetails']}")
        for event in self.events("Log.entryAdded"):
            found.append(f"log: {event['entry']['text']}")
        for event in self.events("Audits.issueAdded"):
            found.append(f"issue: {event['issue']['code']} {event['issue']['details']}")
        for event in self.events("Page.javascriptDialogOpening"):
            found.append(f"dialog: {event['message']}")
        return found

    def asked(self):
        """Every address that was asked for."""
        return {event["request"]["url"] for event in self.events("Network.requestWillBeSent")}

    def close(self):
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)
