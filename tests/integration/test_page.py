"""test_page.py - the page for people, in a browser
SPDX-License-Identifier: MIT

Pictures of it are written to $OUTBOX_PICTURES, if that is a folder.
"""

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from harness import browser as browsers
from harness import processes, settings
from harness.http import LISTEN, Http
from harness.sqlite import TABLE, SqliteOutbox
from harness.waiting import wait_until

HOSTILE_ID = "<img src=x onerror=alert(1)>"
HOSTILE_FIELD = "<script>alert(2)</script>"

# What the page does every two seconds it does ten times a second.
HASTE = "const slow = setTimeout; window.setTimeout = (what, time) => slow(what, time / 20);"


@pytest.fixture(scope="module")
def browser():
    made = browsers.Browser()
    yield made
    made.close()


@pytest.fixture
def new_tab(browser):
    """Makes tabs; in none of them may anything have gone wrong, nor anything have been asked of
    anybody but the relay."""
    made = []

    def new(**options):
        made.append(browser.new_tab(**options))
        return made[-1]

    yield new
    for tab in made:
        trouble, asked = tab.trouble(), tab.asked()
        tab.close()
        assert not trouble, trouble
        assert all(url.startswith(("http://127.0.0.1:", "data:", "about:")) for url in asked), asked


@pytest.fixture
def outbox(folder, new_relay):
    settings.need("store-sqlite", "publisher-null")
    return SqliteOutbox(folder, lambda *pipelines, **options: new_relay(*pipelines, http=LISTEN, **options))


class Sample:
    """The relay's HTTP side with figures that no real relay has all at once."""

    def __init__(self, folder, *arguments):
        self.log_path = folder / "sample.log"
        with open(self.log_path, "wb") as log:
            self.process = processes.spawn(
                [settings.BUILD / "tests" / "unit" / "http_sample", "127.0.0.1:0", *arguments],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        line = wait_until(self.log_path.read_text, "the sample listens")
        self.url = f"http://{json.loads(line.splitlines()[0])['address']}/"

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(settings.PATIENCE)
        assert status == 0, self.log_path.read_text()


@pytest.fixture
def sample(request, folder):
    made = Sample(folder, *getattr(request, "param", ()))
    yield made
    made.close()


def figure(tab, name):
    """What stands beside a name in the first pipeline."""
    return tab.evaluate(
        "(() => { const dt = [...document.querySelectorAll('section:first-of-type dt')]"
        f".find(dt => dt.textContent === {json.dumps(name)});"
        "return dt && dt.nextSibling.textContent })()"
    )


def wait_figure(tab, name, wanted):
    wait_until(
        lambda: figure(tab, name) == wanted,
        lambda: f"{name} is {wanted}, it is {figure(tab, name)}",
    )


# ---- what it shows --------------------------------------------------------------------------------


def test_figures_change_under_the_readers_eyes(outbox, new_tab):
    outbox.to({"driver": "null"}).relay.start()
    http = Http(outbox.relay)
    http.wait_ready()
    tab = new_tab(width=700, height=300).open(http.url)
    tab.wait("document.title === 'Ready - Outbox Relay'")
    assert figure(tab, "Delivered") == "0"
    # What a reader is at: a place, a marked text, a control; and a folded list, below.
    tab.evaluate(
        "window.mark = document.querySelector('h2'); getSelection().selectAllChildren(window.mark);"
        "scrollTo(0, 150); document.querySelector('.skip').focus({preventScroll: true})"
    )
    before = outbox.put_all(*[{"payload": ""}] * 1200)
    wait_figure(tab, "Delivered", f"{len(before):,}")
    tab.wait("document.querySelector('svg.spark path').getAttribute('d').includes('L')")
    assert tab.evaluate("window.mark === document.querySelector('h2')"), "the same heading as before"
    assert tab.evaluate("getSelection().toString()") == "p"
    assert tab.evaluate("document.activeElement.className") == "unseen skip"
    assert tab.evaluate("scrollY") == 150
    assert tab.evaluate("document.getElementById('news').textContent") == "", "no state has changed"


def test_changes_of_a_state_are_said_aloud(outbox, folder, new_tab):
    path = folder / "missing" / "delivered"
    outbox.to({"driver": "file", "path": str(path)}).relay.start()
    outbox.put()
    http = Http(outbox.relay)
    http.wait_ready(503)
    tab = new_tab()
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=HASTE)
    tab.open(http.url)
    tab.wait("document.title === 'Not ready - Outbox Relay'")
    tab.wait("document.querySelector('.causes').textContent.includes('missing')")
    path.parent.mkdir()
    tab.wait("document.title === 'Ready - Outbox Relay'")
    assert "p: Active" in tab.evaluate("document.getElementById('news').textContent")
    assert tab.evaluate("document.querySelector('.causes')") is None


def test_without_javascript_the_figures_are_there_too(outbox, new_tab):
    outbox.to({"driver": "null"})
    outbox.put_all(*[{"payload": ""}] * 1200)
    outbox.relay.start()
    http = Http(outbox.relay)
    http.wait_pipeline(lambda pipeline: pipeline["totals"]["delivered"] == 1200, "all are delivered")
    tab = new_tab(script=False).open(http.url)
    text = tab.text()
    assert "1,200" in text
    assert "loads itself again every five seconds" in text
    assert tab.evaluate("document.querySelector('meta[http-equiv=refresh]').content") == "5"


def test_a_dead_event_with_markup_in_it_is_text(outbox, new_tab):
    outbox.to({"driver": "null"}, route={"topic": f"{{header:{HOSTILE_FIELD}}}"})
    connection = sqlite3.connect(outbox.path)
    connection.execute(
        f"INSERT INTO {TABLE} (event_id, event_type, payload) VALUES (?, 't', x'00')", (HOSTILE_ID,)
    )
    connection.commit()
    connection.close()
    outbox.relay.start()
    http = Http(outbox.relay)
    http.wait_pipeline(lambda pipeline: pipeline["dead_events"], "the event is dead")
    tab = new_tab()
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=HASTE)
    tab.open(http.url)
    assert tab.evaluate("document.querySelector('.dead .id').textContent") == HOSTILE_ID
    assert HOSTILE_FIELD in tab.evaluate("document.querySelector('.dead tbody').textContent")
    # Once more, taken over by the script, beside one that is new.
    outbox.put(type="u")
    tab.wait("document.querySelectorAll('.dead tbody tr').length === 2")
    assert HOSTILE_ID in tab.evaluate("document.querySelector('.dead tbody').textContent")
    assert tab.evaluate("document.querySelectorAll('#figures script, #figures img').length") == 0
    # A list that was folded stays so.
    tab.evaluate("document.querySelector('details').open = false")
    outbox.put(type="u")
    tab.wait("document.querySelectorAll('.dead tbody tr').length === 3")
    assert tab.evaluate("document.querySelector('details').open") is False


def test_a_relay_that_does_not_answer_is_said_to(outbox, new_tab, browser):
    outbox.to({"driver": "null"}).relay.start()
    http = Http(outbox.relay)
    http.wait_ready()
    tab = browser.new_tab()  # whose console rightly complains
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=HASTE)
    tab.open(http.url)
    tab.wait("document.title === 'Ready - Outbox Relay'")
    outbox.relay.stop()
    tab.wait("document.getElementById('fresh').textContent.startsWith('Not updated since')")
    assert tab.evaluate("document.title") == "No answer - Outbox Relay"
    assert tab.evaluate("document.getElementById('news').textContent") == "The relay does not answer."
    outbox.relay.start("--set", f"http.listen={http.address}")
    tab.wait("document.title === 'Ready - Outbox Relay'")
    assert "Not updated" not in tab.text()
    tab.close()


def test_a_relay_that_answers_again_is_said_to(sample, new_tab):
    tab = new_tab()
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=HASTE)
    tab.open(sample.url)
    tab.evaluate("window.ask = fetch; window.fetch = () => Promise.reject(new Error('away')); 0")
    tab.wait("document.getElementById('news').textContent === 'The relay does not answer.'")
    tab.evaluate("window.fetch = window.ask; 0")
    tab.wait("document.getElementById('news').textContent === 'The relay answers again.'")


def test_a_page_that_nobody_sees_asks_nothing(sample, new_tab):
    tab = new_tab()
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=HASTE)
    tab.open(sample.url)
    tab.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.away});"
        "window.asked = 0; const ask = fetch; window.fetch = (...all) => { window.asked++; return ask(...all) }"
    )
    tab.wait("window.asked > 2")
    tab.evaluate("window.away = true")
    asked = tab.evaluate("new Promise(done => slow(() => done(window.asked), 500))")
    assert tab.evaluate("new Promise(done => slow(() => done(window.asked), 1000))") == asked
    tab.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    tab.wait(f"window.asked > {asked}")


# ---- how it looks ---------------------------------------------------------------------------------

# The contrast of every text with what it stands on.
CONTRAST = """(() => {
    const light = colour => {
        const [red, green, blue] = colour.match(/[\\d.]+/g).map(part => part / 255).map(
            part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ground = node => {
        const colour = getComputedStyle(node).backgroundColor;
        return colour === "rgba(0, 0, 0, 0)" ? ground(node.parentElement) : colour;
    };
    const poor = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const node = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || node.closest("script, noscript, .unseen")) continue;
        const [low, high] = [light(getComputedStyle(node).color), light(ground(node))].sort((a, b) => a - b);
        if ((high + 0.05) / (low + 0.05) < 4.5) poor.push(node.outerHTML);
    }
    return poor;
})()"""

# Headings in order, tables that say what they are about.
STRUCTURE = """(() => {
    const wrong = [];
    let level = 0;
    for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
        const next = Number(heading.nodeName[1]);
        if (next > level + 1) wrong.push(heading.outerHTML);
        level = next;
    }
    for (const table of document.querySelectorAll("table"))
        if (!table.caption || table.querySelector("th:not([scope])")) wrong.push(table.outerHTML);
    for (const one of ["header", "main", "nav", "footer", "h1"])
        if (document.querySelectorAll(one).length !== 1) wrong.push(one);
    const ids = [...document.querySelectorAll("[id]")].map(node => node.id);
    if (new Set(ids).size !== ids.length) wrong.push("an id twice");
    if (document.querySelector("[style], #figures [onclick]")) wrong.push("a style of its own");
    return wrong;
})()"""


@pytest.mark.parametrize("width", [320, 400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(sample, folder, new_tab, width, scheme):
    tab = new_tab(width=width, scheme=scheme).open(sample.url)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(CONTRAST) == []
    assert tab.evaluate(STRUCTURE) == []
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(ground[4:].split(",")[0]) > 128) == (scheme == "light")
    tab.screenshot(folder / "page.png")
    assert (folder / "page.png").stat().st_size > 10000


def test_the_keyboard_finds_its_way(sample, new_tab):
    tab = new_tab().open(sample.url)
    seen = []
    for _ in range(6):
        tab.press("Tab")
        shown = tab.evaluate(
            "(() => { const node = document.activeElement, box = node.getBoundingClientRect(),"
            " style = getComputedStyle(node); return [node.nodeName + (node.hash || ''), style.outlineStyle,"
            " parseFloat(style.outlineWidth), box.width > 5 && box.height > 5] })()"
        )
        seen.append(shown[0])
        assert shown[1:] == ["solid", 3, True], shown
    assert seen == ["A#main", "A#pipeline-0", "A#pipeline-1", "A#pipeline-2", "SUMMARY", "SUMMARY"]


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("sample", [("2",)], indirect=True, ids=["friendly"])
def test_pictures(sample, folder, new_tab, width):
    """Of what an operator would see: without the hostile pipeline, after some minutes."""
    tab = new_tab(width=width, height=1000 if width == 400 else 1300)
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=HASTE.replace("20", "200"))
    tab.open(sample.url)
    tab.wait("document.querySelector('svg.spark path').getAttribute('d').startsWith('M0.0 ')")
    path = Path(os.environ.get("OUTBOX_PICTURES", folder)) / f"page-{width}.png"
    tab.screenshot(path)
    assert path.stat().st_size > 10000
