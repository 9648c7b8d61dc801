"""test_rules.py - the alert rules fire when they should, and say what they should
SPDX-License-Identifier: MIT
"""

import re

import yaml

from harness.prometheus import promtool
from monitoring.figures import PAGE, RULES, RULES_TEST, documented, selectors, series

OTHERS = {"up"}  # of Prometheus itself


def alerts():
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def fired():
    """The labels that each alert has in the tests of the rules: names by alert, over all that fire."""
    labels = {}
    for case in yaml.safe_load(RULES_TEST.read_text(encoding="utf-8"))["tests"]:
        for look in case["promql_expr_test"]:
            for sample in look["exp_samples"]:
                pairs = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
                labels.setdefault(pairs["alertname"], []).append(pairs)
    return labels


def test_the_rules_are_well_formed():
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def test_each_alert_fires_when_it_should_and_not_when_it_should_not():
    done = promtool("test", "rules", RULES_TEST)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {alert["alert"] for alert in alerts()} == set(fired())


def test_alerts_refer_only_to_figures_that_there_are():
    for alert in alerts():
        unknown = selectors(alert["expr"]) - series(documented()) - OTHERS
        assert not unknown, f"{alert['alert']} refers to {unknown}"


def test_each_alert_says_how_bad_it_is_what_it_means_and_what_to_do():
    for alert in alerts():
        assert alert["labels"]["severity"] in ("critical", "warning"), alert["alert"]
        assert set(alert["annotations"]) == {"summary", "description"}, alert["alert"]
        assert all(text.strip() for text in alert["annotations"].values()), alert["alert"]


def test_annotations_name_only_labels_that_the_alert_has():
    for alert in alerts():
        named = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
        for labels in fired()[alert["alert"]]:
            assert named <= labels.keys(), alert["alert"]


def test_the_backlog_is_never_summed_over_relays():
    for alert in alerts():
        assert not re.search(r"sum[^(]*\([^(]*\(?[^)]*openoutbox_backlog", alert["expr"]), alert["alert"]


def test_the_page_has_every_alert_with_its_severity():
    rows = re.findall(r"^\| `(Outbox\w+)` \| (\w+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(alert["alert"], alert["labels"]["severity"]) for alert in alerts()]
