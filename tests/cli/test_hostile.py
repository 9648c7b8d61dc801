"""test_hostile.py - streams, files and settings that are not what they should be
SPDX-License-Identifier: MIT
"""

import json
import os
import signal
import subprocess
import threading

import pytest
from harness import settings


def driver(name):
    return settings.BUILD / "plugins" / name / f"{name}.so"


def add(table, count=1):
    for number in range(count):
        table("enqueue", "--type", "a", "--payload", str(number))


def close(*descriptors):
    """What a shell does for `<&-`."""

    def in_child():
        for descriptor in descriptors:
            os.close(descriptor)

    return in_child


def lines(*objects):
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


# ---- streams that are closed ----------------------------------------------------------------------


def test_an_event_is_not_lost_to_a_standard_output_that_is_closed(table):
    add(table)
    done = subprocess.run(
        [table.binary, "run", "--once"], env=table.environment, stderr=subprocess.PIPE,
        preexec_fn=close(0, 1), timeout=settings.PATIENCE,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Bad file descriptor" in done.stderr.decode(), "something else has taken its place"
    assert [row["status"] for row in table.rows()] != ["DELIVERED"]
    table("run", "--once")
    assert [row["status"] for row in table.rows()] == ["DELIVERED"]


def test_a_closed_standard_output_that_nothing_is_written_to_is_no_failure(table):
    out = table.folder / "events.ndjson"
    table.configure(table.pipeline(publisher={"driver": "file", "path": str(out)}))
    add(table)
    table("run", "--once", preexec_fn=close(1))
    assert len(out.read_text().splitlines()) == 1


def test_enqueue_that_cannot_say_so_tells_that_the_event_is_committed(table):
    with open("/dev/full", "wb") as full:
        for more in ([], ["--json"]):
            words = ["enqueue", "--type", "a", "--payload", "x", *more]
            done = table(*words, status=1, stdout=full)
            assert "1 event is committed" in done.err and "do not send it again" in done.err
    assert table.count() == 2


# ---- files that are none --------------------------------------------------------------------------


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(cli):
    pipe = cli.folder / "pipe"
    os.mkfifo(pipe)
    assert "is no regular file" in cli("check", "-c", pipe, status=2).err
    secret = cli.pipeline()
    secret["store"]["url"] = {"file": str(pipe)}
    if settings.has_driver("store-postgres"):
        secret["store"]["driver"] = "postgres"
        cli.configure(secret)
        assert "is no regular file" in cli("check", status=2).err
    os.rename(pipe, cli.folder / "store-pipe.so")
    cli.environment["OUTBOX_PLUGIN_PATH"] = str(cli.folder)
    assert "is no regular file" in cli("plugins").out


@pytest.mark.parametrize("part", [0, 0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_driver_that_is_cut_short_is_refused_and_the_others_load(cli, part):
    whole = driver("store-sqlite").read_bytes()
    (cli.folder / "store-cut.so").write_bytes(whole[: int(len(whole) * part)])
    cli.environment["OUTBOX_PLUGIN_PATH"] = str(cli.folder)
    listed = json.loads(cli("plugins", "--json").out)["plugins"]
    refusals = {plugin["name"]: plugin.get("refusal") for plugin in listed}
    assert "it cannot be loaded" in refusals["cut"]
    assert not refusals["sqlite"] and not refusals["stdout"]


# ---- settings -------------------------------------------------------------------------------------


def test_a_driver_that_refuses_its_settings_is_status_2_everywhere(table):
    wrong = table.pipeline()
    wrong["store"]["url"] = "nonsense://x"
    table.configure(wrong)
    for words in (["check"], ["init"], ["stats"], ["run", "--once"], ["run"]):
        table(*words, status=2)


def test_check_names_the_place_of_what_a_driver_refuses(table):
    wrong = table.pipeline("second")
    wrong["store"]["url"] = "nonsense://x"
    wrong["publisher"] = {"driver": "file", "path": "/proc/nowhere/events"}
    table.configure(table.pipeline(), wrong)
    out = table("check", "--connect", status=2).out
    assert "pipelines[1] (second).store: " in out
    assert "/proc/nowhere/events" in out, "a wrong store hides the publisher"
    assert "pipelines[1] (second).store: " in table("check", "-p", "second", status=2).out


def test_every_list_of_mistakes_names_its_file(cli):
    cli.configure(cli.pipeline(), log={"level": "loud"})
    assert f"1 mistake in {cli.path}" in cli("check", status=2).err


@pytest.mark.parametrize("value", ["null", "5", "true", "1.50"])
def test_a_text_key_takes_what_set_says_word_for_word(cli, value):
    cli.configure(cli.pipeline())
    words = ["check", "--set", f"pipelines.0.name={value}"]
    assert f"{value}: sqlite to stdout" in cli(*words).out


def test_the_null_publisher_can_be_chosen_by_set(cli):
    if not settings.has_driver("publisher-null"):
        pytest.skip("publisher-null was not built")
    words = ["check", "--set", "pipelines.0.publisher.driver=null"]
    assert "sqlite to null" in cli(*words).out


def test_a_folder_of_drivers_that_is_not_there_is_warned_about(cli):
    cli.configure(cli.pipeline(), relay={"plugin_path": [f"{cli.folder}/nowhere"]})
    assert f"{cli.folder}/nowhere" in cli("check").err


def test_a_driver_that_is_missing_is_told_with_whole_folders(cli):
    folders = [f"{cli.folder}/{'x' * 40}{number}" for number in range(9)]
    cli.environment["OUTBOX_PLUGIN_PATH"] = ":".join(folders)
    wrong = cli.pipeline()
    wrong["store"]["driver"] = "nosuch"
    cli.configure(wrong)
    told = cli("check", status=2).err.split("store-NAME.so in ")[1].split(")")[0]
    named, _, more = told.rpartition(" and ")
    assert all(name in folders for name in named.split(", ") if name)
    assert "folders" in more and more.split()[0].isdigit()


def test_what_is_no_name_of_a_driver_is_told_so(cli):
    wrong = cli.pipeline()
    wrong["store"]["driver"] = "../../x"
    cli.configure(wrong)
    assert "not a driver's name, allowed is a-z 0-9 -" in cli("check", status=2).err


# ---- lines ----------------------------------------------------------------------------------------


def test_an_event_that_the_store_refuses_is_told_by_its_line(table):
    twice = "0190b2a0-0000-7000-8000-000000000001"
    one = {"type": "a", "payload": "x"}
    text = lines(one) + b"\n\n" + lines(one | {"id": twice}) + b"\n" + lines(one | {"id": twice})
    done = table("enqueue", "--ndjson", stdin=text, status=1)
    assert "lines 1 to 6: line 6: event 2 (id " in done.err
    assert table.count() == 0


# ---- SIGHUP ---------------------------------------------------------------------------------------


def test_what_sighup_cannot_change_is_named_without_its_value(table):
    first = table.pipeline(publisher={"driver": "file", "path": str(table.folder / "secret-one")})
    table.configure(first)
    relay = table.spawn("run", stderr=subprocess.PIPE, text=True)
    giving_up = threading.Timer(settings.PATIENCE, relay.kill)
    giving_up.start()
    try:
        while "relay starts" not in relay.stderr.readline():
            assert relay.poll() is None
        changed = table.pipeline(claim={"workers": 3}, delivered="delete")
        changed["publisher"] = {"driver": "file", "path": str(table.folder / "secret-two")}
        table.configure(changed, table.pipeline("new"))
        relay.send_signal(signal.SIGHUP)
        said = ""
        while "configuration read again" not in said:
            line = relay.stderr.readline()
            assert line, said
            said += line
        for word in ("claim.workers", "delivered", "publisher.path", "new"):
            assert f'"{word}"' in said, said
        assert "secret" not in said and "claim.mode" not in said and "store.url" not in said
        relay.send_signal(signal.SIGTERM)
        assert relay.wait() == 0
    finally:
        giving_up.cancel()
        relay.kill()
        relay.wait()
        relay.stderr.close()


def test_sighup_with_a_pipe_for_a_configuration_keeps_the_relay_running(table):
    relay = table.spawn("run", stderr=subprocess.PIPE, text=True)
    giving_up = threading.Timer(settings.PATIENCE, relay.kill)
    giving_up.start()
    try:
        while "relay starts" not in relay.stderr.readline():
            assert relay.poll() is None
        table.path.unlink()
        os.mkfifo(table.path)
        relay.send_signal(signal.SIGHUP)
        while "configuration kept" not in relay.stderr.readline():
            assert relay.poll() is None
        relay.send_signal(signal.SIGTERM)
        assert relay.wait() == 0
    finally:
        giving_up.cancel()
        relay.kill()
        relay.wait()
        relay.stderr.close()


# ---- the tree -------------------------------------------------------------------------------------


def test_the_script_of_the_tree_works_through_a_link(tmp_path):
    link = tmp_path / "dev"
    link.symlink_to(settings.ROOT / "dev")
    done = subprocess.run(
        ["bash", "-x", link, "help"], capture_output=True, text=True, timeout=settings.PATIENCE
    )
    assert done.returncode == 0 and "usage: ./dev" in done.stdout
    assert f"+ cd {settings.ROOT}\n" in done.stderr
