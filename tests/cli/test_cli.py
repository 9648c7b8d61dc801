"""test_cli.py - every command but enqueue, from its words to its exit status
SPDX-License-Identifier: MIT
"""

import json
import os
import signal
import sqlite3
import subprocess

import pytest
from harness import settings

COMMANDS = ["run", "check", "init", "enqueue", "stats", "prune", "partitions", "plugins", "demo"]
MISSING = ["list", "show", "replay", "kill", "verify"]

# ---- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli, command):
    for words in ([command, "--help"], ["help", command]):
        text = cli(*words).out
        assert f"outbox-relay {command}" in text
        assert f"  outbox-relay {command}" in text.split("Example:")[1]


def test_help_lists_the_commands_that_work_and_no_other(cli):
    text = cli("--help").out
    lines = [line for line in text.splitlines() if line.startswith("  ") and line[2].isalpha()]
    listed = [line.split()[0] for line in lines]
    assert listed == COMMANDS


def test_version_names_program_and_abi(cli):
    assert cli("--version").out.startswith("outbox-relay ")
    assert "ABI" in cli("-V").out


@pytest.mark.parametrize("command", MISSING)
def test_a_command_of_a_later_version_is_refused_by_name(cli, command):
    assert f"'{command}' is not available in this version" in cli(command, status=2).err


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "no command"),
        (["rnu"], "did you mean 'run'?"),
        (["frobnicate"], "unknown command 'frobnicate'"),
        (["run", "--onec"], "did you mean '--once'?"),
        (["run", "--once=1"], "'--once' takes no value"),
        (["run", "now"], "unexpected word 'now'"),
        (["run", "--json"], "'run' has no option --json"),
        (["demo", "-p", "x"], "'demo' has no option --pipeline"),
        (["check", "-x"], "unknown option '-x'"),
        (["check", "--co"], "ambiguous"),
        (["check", "--set"], "'--set' needs a value"),
        (["check", "--set", "log.level"], "'log.level' is not KEY=VALUE"),
        (["stats", "--watch", "often"], "'often' is not a whole number"),
        (["stats", "--watch=0"], "'0' is not a whole number"),
        (["plugins", "sqlit"], "did you mean 'sqlite'?"),
        (["plugins", "no-such-driver"], "no driver is called 'no-such-driver'"),
    ],
)
def test_a_wrong_word_is_named_with_the_remedy(cli, words, said):
    done = cli(*words, status=2)
    assert said in done.err
    assert "--help'" in done.err
    assert done.out == ""


def test_common_options_stand_before_or_behind_the_command(table):
    del table.environment["OUTBOX_CONFIG"]
    before = table("-c", table.path, "--json", "stats").out
    behind = table("stats", "--json", "-c", table.path).out
    assert json.loads(before) == json.loads(behind)


def test_control_characters_of_a_word_do_not_reach_the_terminal(cli):
    assert "\x1b" not in cli("\x1b[2Jx", status=2).err


@pytest.mark.parametrize("words", [["--help"], ["plugins"], ["plugins", "--json"], ["stats"]])
def test_output_that_does_not_arrive_is_a_failure(table, words):
    with open("/dev/full", "wb") as full:
        assert "cannot write standard output" in table(*words, status=1, stdout=full).err


def test_a_closed_pipe_is_a_failure_and_no_silence(table):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert "cannot write standard output" in table("plugins", status=1, stdout=writer).err
    finally:
        os.close(writer)


# ---- check ----------------------------------------------------------------------------------------


def test_check_says_that_a_good_file_is_good(cli):
    done = cli("check")
    assert "orders: sqlite to stdout" in done.out and "ok" in done.out
    assert json.loads(cli("check", "--json").out)["ok"] is True


def test_check_reports_every_mistake_at_once(cli):
    bad = cli.pipeline(claim={"batch_siz": 5, "workers": "many"})
    cli.configure(bad, log={"level": "loud"})
    done = cli("check", status=2)
    for word in ("batch_siz", "batch_size", "workers", "loud"):
        assert word in done.err
    document = json.loads(cli("check", "--json", status=2).out)
    assert document["ok"] is False
    assert len(document["mistakes"]) == 3


def test_a_file_that_is_not_there_is_named(cli):
    assert "nowhere.json" in cli("check", "-c", "nowhere.json", status=2).err


def test_check_connect_names_the_table_that_is_missing(cli):
    sqlite3.connect(cli.database).execute("CREATE TABLE unrelated (a)").connection.close()
    done = cli("check", "--connect", status=1)
    assert "openoutbox_events" in done.out and "error" in done.out
    document = json.loads(cli("check", "--connect", "--json", status=1).out)
    assert document["ok"] is False
    levels = {(f["side"], f["level"]) for f in document["pipelines"][0]["findings"]}
    assert ("store", "error") in levels and ("publisher", "info") in levels


def test_check_connect_is_content_once_the_table_is_there(table):
    assert "error" not in table("check", "--connect").out
    assert json.loads(table("check", "--connect", "--json").out)["ok"] is True


def test_a_pipeline_that_cannot_be_reached_does_not_hide_the_others(table):
    away = table.pipeline("away")
    away["store"] = {"driver": "sqlite", "url": f"sqlite:{table.folder}/nowhere/app.db"}
    table.configure(away, table.pipeline("here"))
    pipelines = json.loads(table("check", "--connect", "--json", status=1).out)["pipelines"]
    assert [(p["pipeline"], p["ok"]) for p in pipelines] == [("away", False), ("here", True)]


# ---- init -----------------------------------------------------------------------------------------


def test_init_print_shows_sql_that_makes_the_table_and_touches_nothing(cli):
    sql = cli("init", "--print").out
    assert not cli.database.exists()
    connection = sqlite3.connect(cli.database)
    connection.executescript(sql)
    connection.close()
    assert cli.count() == 0
    cli("check", "--connect")


def test_init_makes_the_table_and_says_so_and_can_be_repeated(cli):
    assert "the table is ready" in cli("init").out
    assert "nothing was to do" in cli("init").out
    again = json.loads(cli("init", "--json").out)
    assert again == {
        "ok": True,
        "pipelines": [{"pipeline": "orders", "store": "sqlite", "ok": True, "sql": []}],
    }


def test_init_that_fails_says_where_and_why(cli):
    cli.configure(cli.pipeline())
    done = cli("init", "--set", "pipelines.0.store.url=sqlite:/proc/nowhere/app.db", status=1)
    assert "pipeline 'orders', store 'sqlite'" in done.err and "/proc/nowhere" in done.err


# ---- run ------------------------------------------------------------------------------------------


def test_run_once_relays_what_is_pending_and_logs_start_and_end(table):
    table("enqueue", "--type", "a.b", "--payload", "hello")
    done = table("run", "--once")
    assert json.loads(done.out)["payload"] == "hello"
    lines = [json.loads(line) for line in done.err.splitlines()]
    start, end = lines[0], lines[-1]
    assert start["message"] == "relay starts" and start["version"] and start["relay"]
    pipelines = [line for line in lines if line["message"] == "pipeline"]
    assert (pipelines[0]["store"], pipelines[0]["publisher"]) == ("sqlite", "stdout")
    assert end["message"] == "relay ends" and (end["claimed"], end["delivered"]) == (1, 1)
    assert table.rows()[0]["status"] == "DELIVERED"


def test_run_with_mistakes_prints_them_all_and_does_not_start(table):
    done = table("run", "--set", "log.level=loud", "--set", "relay.idd=x", status=2)
    assert "loud" in done.err and "idd" in done.err and "relay starts" not in done.err


def wait_for_line(stream, part):
    for line in stream:
        if part in line:
            return line
    raise AssertionError(f"the relay ended without saying {part!r}")


def test_sighup_keeps_the_configuration_if_the_file_is_broken(table):
    relay = table.spawn("run", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_for_line(relay.stderr, '"message":"pipeline"')
        good = table.path.read_text()
        table.path.write_text("{")
        relay.send_signal(signal.SIGHUP)
        wait_for_line(relay.stderr, "configuration is wrong")
        wait_for_line(relay.stderr, "configuration kept as it was")
        table.path.write_text(good)
        relay.send_signal(signal.SIGHUP)
        wait_for_line(relay.stderr, "configuration read again")
        relay.send_signal(signal.SIGTERM)
        wait_for_line(relay.stderr, "relay ends")
        assert relay.wait(settings.PATIENCE) == 0
    finally:
        relay.kill()
        relay.wait()
        relay.stderr.close()


# ---- stats ----------------------------------------------------------------------------------------


def test_stats_counts_by_state(table):
    table("enqueue", "--type", "a", "--payload", "x")
    table("run", "--once")
    table("enqueue", "--type", "a", "--payload", "y")
    table("enqueue", "--type", "a", "--payload", "z", "--available-at", "+1h")
    counts = json.loads(table("stats", "--json").out)["pipelines"][0]
    assert counts["pipeline"] == "orders"
    assert (counts["pending"], counts["scheduled"], counts["delivering"]) == (2, 1, 0)
    assert (counts["delivered"], counts["dead"]) == (1, 0)
    assert counts["oldest_age_seconds"] >= 0
    title, row = table("stats").out.splitlines()
    assert title.split()[:3] == ["PIPELINE", "PENDING", "SCHEDULED"]
    assert row.split()[:3] == ["orders", "2", "1"]


def test_stats_of_a_store_that_is_away_fail_but_show_the_others(table):
    away = table.pipeline("away")
    away["store"] = {"driver": "sqlite", "url": f"sqlite:{table.folder}/nowhere/app.db"}
    table.configure(away, table.pipeline("here"))
    done = table("stats", "--json", status=1)
    first, second = json.loads(done.out)["pipelines"]
    assert "nowhere" in first["error"] and second["pending"] == 0
    assert "away" in table("stats", status=1).err
    assert table("stats", "-p", "here").out.splitlines()[1].startswith("here")


def test_stats_watch_looks_again_until_it_is_ended(table):
    watch = table.spawn("stats", "--watch", "1", "--json", stdout=subprocess.PIPE, text=True)
    try:
        first, second = json.loads(watch.stdout.readline()), json.loads(watch.stdout.readline())
        assert first["pipelines"][0]["delivered_per_second"] is None
        assert second["pipelines"][0]["delivered_per_second"] == 0
        watch.send_signal(signal.SIGINT)
        assert watch.wait(settings.PATIENCE) == -signal.SIGINT
    finally:
        watch.kill()
        watch.wait()
        watch.stdout.close()


# ---- plugins --------------------------------------------------------------------------------------


def test_plugins_lists_the_drivers_with_path_and_capabilities(cli):
    listed = json.loads(cli("plugins", "--json").out)["plugins"]
    known = {(plugin["kind"], plugin["name"]): plugin for plugin in listed}
    store = known["store", "sqlite"]
    assert store["path"].endswith("store-sqlite.so") and store["version"]
    assert "lease" in store["capabilities"] and store["abi"].startswith("1.")
    text = cli("plugins").out
    assert store["path"] in text and "publisher" in text


def test_plugins_name_shows_the_keys_of_the_configuration(cli):
    text = cli("plugins", "sqlite").out
    assert "url" in text and "(required)" in text
    options = json.loads(cli("plugins", "sqlite", "--json").out)["plugins"][0]["options"]
    assert {"url", "table"} <= {option["name"] for option in options}


def test_plugins_shows_what_was_refused_and_why(cli):
    (cli.folder / "store-broken.so").write_bytes(b"no driver")
    cli.environment["OUTBOX_PLUGIN_PATH"] = str(cli.folder)
    text = cli("plugins").out
    assert "store-broken.so: " in text.split("refused: ")[1]
    assert "refused" in cli("plugins", "broken", status=1).out
    listed = json.loads(cli("plugins", "--json").out)["plugins"]
    assert [plugin["refusal"] for plugin in listed if plugin["name"] == "broken"] != [""]


def test_plugins_also_looks_where_the_configuration_says(cli):
    hidden = cli.folder / "drivers"
    hidden.mkdir()
    (hidden / "store-broken.so").write_bytes(b"no driver")
    cli.configure(cli.pipeline(), relay={"plugin_path": [str(hidden)]})
    assert str(hidden) in cli("plugins").out


def test_the_reference_names_keys_of_the_core_and_of_drivers(cli):
    text = cli("plugins", "--reference").out
    assert "batch_size" in text and "busy_timeout" in text


# ---- demo -----------------------------------------------------------------------------------------


def test_demo_shows_everything_and_leaves_nothing_behind(cli):
    before = sorted(cli.folder.iterdir())
    del cli.environment["OUTBOX_CONFIG"]
    text = cli("demo").out
    assert "5 delivered, 0 dead" in text
    relayed = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert len(relayed) == 5
    assert sorted(cli.folder.iterdir()) == before


def test_demo_without_a_place_to_work_says_what_to_do(cli):
    cli.environment["TMPDIR"] = "/proc/nowhere"
    assert "TMPDIR" in cli("demo", status=1).err
