/*
 * postgres_rights.c - what a relay may do in PostgreSQL, and what check and init say of a table
 * SPDX-License-Identifier: MIT
 */
#include "postgres_fixture.h"

#define USER "outbox_tests_limited"

struct findings {
    char text[8192];
    int errors, warnings;
};

static void keep_finding(void *context, uint32_t level, const char *text)
{
    struct findings *findings = context;
    size_t len = strlen(findings->text);
    (void)snprintf(findings->text + len, sizeof(findings->text) - len, "%s\n", text);
    findings->errors += level == OUTBOX_LOG_ERROR;
    findings->warnings += level == OUTBOX_LOG_WARN;
}

static enum outbox_status check(struct opened *opened, struct findings *findings)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    *findings = (struct findings){.text = ""};
    return opened->ops->schema(opened->store, opened->session, OUTBOX_SCHEMA_CHECK, keep_finding,
                               findings, &error);
}

/* The contract's address with another parameter. */
static void address(struct fixture *fixture, char url[1024], const char *parameter)
{
    const char *own = ((struct server *)fixture->contract->context)->url;
    (void)snprintf(url, 1024, "%s%c%s", own, strchr(own, '?') ? '&' : '?', parameter);
}

static void drop_user(struct fixture *fixture)
{
    fixture_execute(fixture, "DO $$ BEGIN IF to_regrole('" USER "') IS NOT NULL THEN"
                             " DROP OWNED BY " USER "; DROP ROLE " USER "; END IF; END $$");
}

/* A store whose sessions have the rights of a role that has none yet. */
static void open_limited(struct fixture *fixture, struct opened *opened, uint32_t mode,
                         bool delete_delivered)
{
    char url[1024];
    drop_user(fixture);
    fixture_execute(fixture, "CREATE ROLE " USER);
    address(fixture, url, "options=-c%20role%3D" USER);
    const struct contract_value value = {.name = "url", .text = url};
    *opened = (struct opened){.ops = fixture->ops, .host = *contract_host()};
    opened->store =
        contract_store_open(fixture->contract->plugin, &value, 1, mode, delete_delivered);
    opened->session = contract_session_open(fixture->contract->plugin, opened->store);
}

static void refuses(struct opened *opened, const char *lacks, const char *grant)
{
    struct outbox_claim *claim = NULL;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(try_claim(opened, 10, &claim, &error), OUTBOX_DENIED);
    assert_string_equal(error.native, "42501");
    assert_non_null(strstr(error.text, lacks));
    assert_non_null(strstr(error.text, grant));
}

static void nothing_is_claimed_that_could_not_be_settled(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t modes[] = {OUTBOX_MODE_LEASE, OUTBOX_MODE_HOLD};
    fixture_enqueue(fixture, 2);
    for (int i = 0; i < 2; i++) {
        struct opened opened;
        open_limited(fixture, &opened, modes[i], true);
        refuses(&opened, "lacks SELECT, UPDATE, DELETE;",
                "GRANT SELECT, UPDATE, DELETE ON \"openoutbox_events\" TO " USER);
        fixture_execute(fixture, "GRANT SELECT ON openoutbox_events TO " USER);
        fixture_execute(fixture, "GRANT UPDATE (status, locked_by, locked_at, updated_at)"
                                 " ON openoutbox_events TO " USER);
        refuses(&opened, "lacks UPDATE, DELETE;", "GRANT UPDATE, DELETE");
        fixture_execute(fixture, "GRANT UPDATE ON openoutbox_events TO " USER);
        refuses(&opened, "lacks DELETE;", "GRANT DELETE");
        assert_int_equal(fixture_count(fixture, "status = 'PENDING'"), 2);
        fixture_execute(fixture, "GRANT DELETE ON openoutbox_events TO " USER);
        assert_int_equal(deliver(&opened, claim_from(&opened, 1)), 1); /* by the same session */
        close_opened(&opened);
        fixture_enqueue(fixture, 1);
    }
    drop_user(fixture);
}

static void a_right_that_is_revoked_stops_the_next_claim(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    uint64_t settled = 0;
    fixture_enqueue(fixture, 2);
    open_limited(fixture, &opened, OUTBOX_MODE_LEASE, true);
    fixture_execute(fixture, "GRANT SELECT, UPDATE, DELETE ON openoutbox_events TO " USER);
    struct outbox_claim *claim = claim_from(&opened, 1);
    fixture_execute(fixture, "REVOKE DELETE ON openoutbox_events FROM " USER);
    assert_int_equal(try_deliver(&opened, claim, &settled, &error), OUTBOX_DENIED);
    assert_non_null(strstr(error.text, "the relay needs SELECT and UPDATE"));
    refuses(&opened, "lacks DELETE;", "GRANT DELETE");
    assert_int_equal(fixture_count(fixture, "status = 'PENDING'"), 1);
    close_opened(&opened);
    drop_user(fixture);
}

static void attempts_at_the_end_of_their_column_block_no_other_event(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *type, *greatest;
    } cases[] = {{"smallint", "32767"}, {"bigint", "9223372036854775807"}};
    for (int i = 0; i < 2; i++) {
        struct opened opened;
        fixture_execute(fixture, "DELETE FROM openoutbox_events");
        fixture_execute(fixture, "ALTER TABLE openoutbox_events ALTER attempts TYPE %s",
                        cases[i].type);
        fixture_execute(fixture,
                        "INSERT INTO openoutbox_events (event_type, payload, attempts)"
                        " VALUES ('t', 'p', %s), ('t', 'p', 0), ('t', 'p', -5)",
                        cases[i].greatest);
        open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
        struct outbox_claim *claim = claim_from(&opened, 10);
        assert_int_equal(claim->count, 3);
        const struct outbox_settlement retry[] = {{.index = 0, .verdict = OUTBOX_SETTLE_RETRY},
                                                  {.index = 1, .verdict = OUTBOX_SETTLE_RETRY},
                                                  {.index = 2, .verdict = OUTBOX_SETTLE_RETRY}};
        const struct outbox_settle_request request = {sizeof(request), claim, retry,
                                                      sizeof(retry[0]), 3};
        struct outbox_settle_result result = {.size = sizeof(result)};
        struct outbox_error error = OUTBOX_ERROR_INIT;
        contract_ok(opened.ops->settle(opened.session, &request, &result, &error), &error);
        assert_int_equal(result.settled, 3);
        opened.ops->claim_close(opened.session, claim);
        claim = claim_from(&opened, 10);
        assert_int_equal(claim->count, 3);
        opened.ops->claim_close(opened.session, claim);
        fixture_age_leases(fixture, 61);
        const struct outbox_reap_request reap = {.size = sizeof(reap),
                                                 .lease = 1000000,
                                                 .foreign_lease = 1000000,
                                                 .owner_prefix = outbox_slice_of(OWNER),
                                                 .max_attempts = 25,
                                                 .base_delay = 1000,
                                                 .max_delay = 2000,
                                                 .max_events = 10};
        struct outbox_reap_result reaped = {.size = sizeof(reaped)};
        contract_ok(opened.ops->reap(opened.session, &reap, &reaped, &error), &error);
        assert_int_equal(reaped.returned, 2);
        assert_int_equal(reaped.dead, 1);
        char where[80];
        (void)snprintf(where, sizeof(where), "attempts = %s AND status = 'DEAD'",
                       cases[i].greatest);
        assert_int_equal(fixture_count(fixture, where), 1);
        close_opened(&opened);
    }
}

/* ---- What check says ---------------------------------------------------------------------- */

static void what_is_no_table_is_called_what_it_is(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *sql, *words, *drop;
    } cases[] = {
        {"CREATE VIEW openoutbox_events AS SELECT 1 AS one", "a view", "VIEW"},
        {"CREATE MATERIALIZED VIEW openoutbox_events AS SELECT 1 AS one", "a materialized view",
         "MATERIALIZED VIEW"},
        {"CREATE SEQUENCE openoutbox_events", "a sequence", "SEQUENCE"},
        {"CREATE TYPE openoutbox_events AS (one int)", "a composite type", "TYPE"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct opened opened;
        struct findings findings;
        fixture_execute(fixture, "%s", cases[i].sql);
        open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
        enum outbox_status status = check(&opened, &findings);
        close_opened(&opened);
        fixture_execute(fixture, "DROP %s openoutbox_events", cases[i].drop);
        assert_int_equal(status, OUTBOX_SCHEMA);
        assert_int_equal(findings.errors, 1);
        assert_non_null(strstr(findings.text, cases[i].words));
        assert_null(strstr(findings.text, "column"));
        assert_null(strstr(findings.text, "index"));
    }
}

static void check_reports_a_session_that_may_only_read(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    struct findings findings;
    char url[1024];
    address(fixture, url, "options=-c%20default_transaction_read_only%3Don");
    const struct contract_value value = {.name = "url", .text = url};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(try_open(fixture, &opened, &value, 1, OUTBOX_MODE_LEASE, &error), &error);
    opened.session = contract_session_open(fixture->contract->plugin, opened.store);
    assert_int_equal(check(&opened, &findings), OUTBOX_SCHEMA);
    assert_int_equal(findings.errors, 1);
    assert_non_null(strstr(findings.text, "transaction_read_only"));
    close_opened(&opened);
}

static void check_warns_of_leases_without_a_time_and_of_ids_that_may_repeat(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    struct findings findings;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    assert_int_equal(check(&opened, &findings), OUTBOX_OK);
    assert_int_equal(findings.warnings, 0);
    fixture_execute(fixture, "INSERT INTO openoutbox_events (event_type, payload, status)"
                             " VALUES ('t', 'p', 'DELIVERING')");
    assert_int_equal(check(&opened, &findings), OUTBOX_OK);
    assert_int_equal(findings.warnings, 1);
    assert_non_null(strstr(findings.text, "DELIVERING without locked_at"));
    fixture_execute(fixture, "DELETE FROM openoutbox_events");
    fixture_execute(fixture, "DO $$ DECLARE name text; BEGIN FOR name IN SELECT conname FROM"
                             " pg_constraint WHERE conrelid = 'openoutbox_events'::regclass AND"
                             " contype IN ('p', 'u') LOOP EXECUTE format('ALTER TABLE"
                             " openoutbox_events DROP CONSTRAINT %%I', name); END LOOP; END $$");
    fixture_execute(fixture, "CREATE INDEX ON openoutbox_events (event_id)");
    assert_int_equal(check(&opened, &findings), OUTBOX_OK);
    assert_int_equal(findings.warnings, 1);
    assert_non_null(strstr(findings.text, "no unique index on event_id"));
    close_opened(&opened);
}

static void a_schema_that_is_missing_has_a_remedy(void **state)
{
    struct fixture *fixture = *state;
    const struct contract_value value = {.name = "table", .text = "no_such_schema.events"};
    struct opened opened;
    struct findings findings = {.text = ""};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    open_with(fixture, &opened, &value, 1, OUTBOX_MODE_LEASE);
    assert_int_equal(opened.ops->schema(opened.store, opened.session, OUTBOX_SCHEMA_APPLY,
                                        keep_finding, &findings, &error),
                     OUTBOX_SCHEMA);
    assert_string_equal(error.native, "3F000");
    assert_non_null(strstr(error.text, "create the schema, or change `table`"));
    close_opened(&opened);
}

static void a_login_that_fails_has_a_remedy(void **state)
{
    struct fixture *fixture = *state;
    char url[1024];
    address(fixture, url, "user=outbox_no_such_user");
    const struct contract_value value = {.name = "url", .text = url};
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(try_open(fixture, &opened, &value, 1, OUTBOX_MODE_LEASE, &error), &error);
    assert_int_equal(opened.ops->session_open(opened.store,
                                              opened.host.now(&opened.host) + 10000000000,
                                              &opened.session, &error),
                     OUTBOX_DENIED);
    assert_non_null(strstr(error.text, "check `url` and `password`"));
    assert_null(strstr(error.text, "SELECT"));
    close_opened(&opened);
}

const struct CMUnitTest postgres_right_tests[] = {
    CONTRACT_TEST(nothing_is_claimed_that_could_not_be_settled, fixture_setup_lease),
    CONTRACT_TEST(a_right_that_is_revoked_stops_the_next_claim, fixture_setup_lease),
    CONTRACT_TEST(attempts_at_the_end_of_their_column_block_no_other_event, fixture_setup_lease),
    CONTRACT_TEST(what_is_no_table_is_called_what_it_is, fixture_setup_no_table),
    CONTRACT_TEST(check_reports_a_session_that_may_only_read, fixture_setup_lease),
    CONTRACT_TEST(check_warns_of_leases_without_a_time_and_of_ids_that_may_repeat,
                  fixture_setup_lease),
    CONTRACT_TEST(a_schema_that_is_missing_has_a_remedy, fixture_setup_no_table),
    CONTRACT_TEST(a_login_that_fails_has_a_remedy, fixture_setup_no_table),
};
const size_t postgres_right_test_count =
    sizeof(postgres_right_tests) / sizeof(postgres_right_tests[0]);
