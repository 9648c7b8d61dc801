"""test_mysql_tls.py - the server proves who it is, or gets neither password nor event
SPDX-License-Identifier: MIT
"""

import pytest

from harness.brokers.tls import Authority
from harness.engines import every_mysql
from harness.mysql import PASSWORD

@pytest.fixture
def authority(folder):
    folder.chmod(0o755)
    return Authority(folder / "tls")


@pytest.fixture
def serve(engine):
    """Starts a server with these options, and gives a table in it to a login with these rights."""
    servers = []

    def start(require="", plugin=None, **options):
        server = engine.new_server(**{name.replace("_", "-"): value for name, value in options.items()})
        servers.append(server)
        table = engine.new_table(server.new_database()).create_foreign()
        by = f"WITH {plugin} " if plugin else ""
        table.database.execute(f"CREATE USER guest@'%%' IDENTIFIED {by}BY %s {require}", (PASSWORD,))
        table.database.execute("GRANT ALL ON *.* TO guest@'%'")
        return table

    yield start
    for server in servers:
        server.close()


def showing(authority):
    """The options of a server that shows this authority's certificate."""
    return {
        "ssl_ca": authority.ca, "ssl_cert": authority.server_certificate, "ssl_key": authority.server_key,
    }  # fmt: skip


def store(table, host="localhost", **changes):
    server = table.database.server
    url = f"mysql://guest:{PASSWORD}@{host}:{server.port}/{table.database.name}"
    return dict({"url": url}, **changes)


def assert_delivers(table, outbox, new_relay, **changes):
    event_id = table.insert(b"x")
    relay = new_relay(outbox.to_file(table, store=changes))
    checked = relay.run("check", "--connect")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert relay.once() == 0, relay.log_tail()
    assert outbox.delivered.counts() == {event_id: 1}


def assert_refused(table, outbox, new_relay, words, **changes):
    table.insert(b"x")
    relay = new_relay(outbox.to_file(table, store=changes))
    checked = relay.run("check", "--connect")
    said = checked.stdout + checked.stderr
    assert checked.returncode == 1, said
    assert any(word in said.lower() for word in words), said
    assert relay.once() == 1, relay.log_tail()
    assert PASSWORD not in said + relay.log_text()
    assert table.states() == {"PENDING": 1}


@every_mysql
def test_verified_server_is_relayed_from(serve, authority, outbox, new_relay):
    table = serve(require="REQUIRE SSL", **showing(authority))
    assert_delivers(table, outbox, new_relay, **store(table, tls="verified", tls_ca=str(authority.ca)))


@every_mysql
def test_certificate_of_the_relay_is_shown(serve, authority, outbox, new_relay):
    table = serve(require="REQUIRE X509", **showing(authority))
    plain = store(table, tls="verified", tls_ca=str(authority.ca))
    assert_refused(table, outbox, new_relay, ["denied", "1045"], **plain)
    table.database.execute(f"DELETE FROM {table.name}")
    own = {"tls_certificate": str(authority.client_certificate), "tls_key": str(authority.client_key)}
    assert_delivers(table, outbox, new_relay, **plain, **own)


@every_mysql
@pytest.mark.parametrize("shown", ["stranger", "wrong_host", "expired"])
def test_certificate_that_proves_nothing_is_refused(serve, authority, outbox, new_relay, shown):
    table = serve(**showing(authority.presenting(shown)))
    wanted = store(table, tls="verified", tls_ca=str(authority.ca))
    assert_refused(table, outbox, new_relay, ["certificate", "tls", "ssl"], **wanted)


@every_mysql
def test_authorities_of_the_system_do_not_know_ours(serve, authority, outbox, new_relay):
    table = serve(**showing(authority))
    assert_refused(
        table, outbox, new_relay, ["certificate", "tls", "ssl"], **store(table, tls="verified")
    )


@every_mysql
def test_server_without_tls_gets_no_password(engine, serve, authority, outbox, new_relay):
    options = {"tls_version": ""} if engine.name == "mysql" else {}
    table = serve(**options)
    wanted = store(table, tls="verified", tls_ca=str(authority.ca))
    assert_refused(table, outbox, new_relay, ["tls", "ssl"], **wanted)


@every_mysql
def test_server_that_wants_tls_says_so(serve, authority, outbox, new_relay):
    table = serve(require_secure_transport="ON", **showing(authority))
    assert_refused(table, outbox, new_relay, ["tls", "secure"], **store(table, "127.0.0.1"))


@pytest.mark.parametrize("engine", ["mysql"], indirect=True)  # MariaDB 10.11 does not have it
@pytest.mark.parametrize("way", ["tls", "socket", "plain"])
def test_caching_sha2_password_logs_in(serve, authority, outbox, new_relay, way):
    """Each time on a server that has cached nothing yet."""
    table = serve(plugin="caching_sha2_password", **showing(authority))
    wanted = {
        "tls": store(table, tls="verified", tls_ca=str(authority.ca)),
        "socket": {"url": table.database.url.replace("mysql://relay", "mysql://guest")},
        "plain": store(table, "127.0.0.1"),
    }[way]
    assert_delivers(table, outbox, new_relay, **wanted)
