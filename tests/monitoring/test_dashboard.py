"""test_dashboard.py - the dashboard asks for what there is, and shows it in order
SPDX-License-Identifier: MIT
"""

import itertools
import json
import re

import yaml

from harness.prometheus import promtool
from monitoring.figures import DASHBOARD, documented, expressions, panels, selectors, series

WIDTH = 24  # of Grafana's grid


def dashboard():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def test_panels_have_ids_of_their_own():
    ids = [panel["id"] for panel in panels()]
    assert len(ids) > 30 and len(ids) == len(set(ids))


def test_panels_do_not_overlap_and_stay_in_the_grid():
    places = [(panel["title"], panel["gridPos"]) for panel in dashboard()["panels"]]
    for title, place in places:
        assert 0 <= place["x"] and place["x"] + place["w"] <= WIDTH, title
        assert place["y"] >= 0 and place["h"] > 0 and place["w"] > 0, title
    for (one, a), (other, b) in itertools.combinations(places, 2):
        apart = (
            a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        )  # fmt: skip
        assert apart, f"{one} and {other} overlap"


def test_every_expression_parses(folder):
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, (_, expression) in enumerate(expressions())
    ]
    assert len(rules) > 40
    path = folder / "expressions.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_expressions_refer_only_to_figures_that_there_are():
    known = series(documented())
    for title, expression in expressions():
        found = selectors(expression)
        assert found, f"{title}: {expression} selects nothing"
        assert found <= known, f"{title} refers to {found - known}"


def test_variables_ask_for_figures_that_there_are():
    asked = [one["definition"] for one in dashboard()["templating"]["list"] if one["type"] == "query"]
    names = [re.fullmatch(r"label_values\((\w+)(\{.*\})?, \w+\)", text).group(1) for text in asked]
    assert len(names) == 2 and set(names) <= series(documented())


def test_every_figure_is_shown():
    shown = set().union(*(selectors(expression) for _, expression in expressions()))
    for name, kind in documented().items():
        if kind == "histogram":
            name += "_bucket"
        # What delivered counts, the total has by status; target_info has no value.
        if name not in ("openoutbox_events_delivered_total", "target_info"):
            assert name in shown, f"no panel shows {name}"


def test_every_panel_uses_the_data_source_that_was_chosen():
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        if panel["type"] != "row":
            assert panel["datasource"] == chosen, panel["title"]
            assert all(target["datasource"] == chosen for target in panel["targets"]), panel["title"]
            assert panel["description"] and panel["targets"], panel["title"]


def test_the_backlog_is_never_summed_over_relays():
    """Every relay on a table reports the same one."""
    for title, expression in expressions():
        if "openoutbox_backlog" in expression:
            assert re.match(r"(sum\()?(max|min)( by \(pipeline(, figure)?\))? ?\(", expression), title
