/*
 * sqlite_tables.c - store-sqlite's options, and tables that someone else has made
 * SPDX-License-Identifier: MIT
 */
#include "sqlite_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#define CLOCK "(strftime('%Y-%m-%d %H:%M:%f','now'))"

/* Exactly the columns of the layout, the ids as bytes, and another order of columns. */
#define FOREIGN_WITH_ID(id)                                                                        \
    "CREATE TABLE openoutbox_events("                                                              \
    "payload BLOB NOT NULL, headers TEXT NOT NULL DEFAULT '{}', " id ","                           \
    "event_type TEXT NOT NULL, partition_key TEXT, status TEXT NOT NULL DEFAULT 'PENDING',"        \
    "attempts INT NOT NULL DEFAULT 0, last_error TEXT,"                                            \
    "available_at TEXT NOT NULL DEFAULT " CLOCK ", locked_by TEXT, locked_at TEXT,"                \
    "delivered_at TEXT, created_at TEXT NOT NULL DEFAULT " CLOCK ","                               \
    "updated_at TEXT NOT NULL DEFAULT " CLOCK ")"

#define FOREIGN FOREIGN_WITH_ID("event_id BLOB PRIMARY KEY")

struct findings {
    char text[4096];
    int by_level[4];
};

static void keep_finding(void *context, uint32_t level, const char *text)
{
    struct findings *findings = context;
    size_t len = strlen(findings->text);
    (void)snprintf(findings->text + len, sizeof(findings->text) - len, "%s\n", text);
    findings->by_level[level]++;
}

static enum outbox_status check(struct fixture *fixture, struct findings *findings)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    *findings = (struct findings){.text = ""};
    return fixture->ops->schema(fixture->store, fixture->sessions[0], OUTBOX_SCHEMA_CHECK,
                                keep_finding, findings, &error);
}

static void make_table(struct fixture *fixture, const char *sql)
{
    fixture->contract->execute(fixture->contract->context, sql);
}

static void insert_bytes_id(struct fixture *fixture, int number)
{
    fixture_execute(fixture,
                    "INSERT INTO openoutbox_events(event_id,event_type,payload) "
                    "VALUES (x'0000000000007000800000000000%04x','t',x'%02x')",
                    (unsigned int)number, (unsigned int)number);
}

static void a_foreign_table_is_relayed_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    make_table(fixture, FOREIGN);
    assert_int_equal(check(fixture, &findings), OUTBOX_OK);
    assert_int_equal(findings.by_level[OUTBOX_LOG_ERROR], 0);
    assert_non_null(strstr(findings.text, "ordering_key"));
    assert_non_null(strstr(findings.text, "every claim reads the whole table"));
    for (int i = 4; i >= 0; i--)
        insert_bytes_id(fixture, i);
    /* With no index in whose order to find them, the oldest still come first. */
    fixture_execute(fixture, "UPDATE openoutbox_events SET available_at="
                             "'2020-01-01 00:00:0'||(hex(payload)%%10)||'.000'");
    struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
    assert_int_equal(claim->count, 5);
    for (int i = 0; i < 5; i++) {
        char id[EVENT_ID_SIZE];
        fixture_id(id, i);
        assert_true(fixture_same(outbox_claim_at(claim, (uint64_t)i)->id, id));
    }
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 5, OUTBOX_SETTLE_DELIVERED).settled, 5);
    assert_int_equal(fixture_count(fixture, "status='DELIVERED'"), 5);
    fixture_check_invariants(fixture);
}

static void a_foreign_table_keeps_its_kind_of_id(void **state)
{
    struct fixture *fixture = *state;
    make_table(fixture, FOREIGN);
    fixture_enqueue(fixture, 1);
    assert_int_equal(fixture_count(fixture, "typeof(event_id)='blob' AND length(event_id)=16"), 1);
    char id[EVENT_ID_SIZE];
    fixture_id(id, 0);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 1);
    assert_true(fixture_same(outbox_claim_at(claim, 0)->id, id));
    const struct outbox_new_event event = {.id = outbox_slice_of("no-uuid"),
                                           .type = outbox_slice_of("t"),
                                           .payload = outbox_slice_of("p")};
    const struct outbox_enqueue_request request = {sizeof(request), &event, sizeof(event), 1};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(fixture->ops->enqueue(fixture->sessions[0], &request, &error), OUTBOX_INVALID);
    assert_non_null(strstr(error.text, "no-uuid"));
}

static void numbers_serve_as_ids(void **state)
{
    struct fixture *fixture = *state;
    make_table(fixture, FOREIGN); /* a column for bytes leaves numbers as they are */
    fixture_execute(fixture, "INSERT INTO openoutbox_events(event_id,event_type,payload) "
                             "VALUES (77,'t',x'00'),(-5,'t',x'00')");
    struct outbox_claim *claim = fixture_claim(fixture, 0, 5);
    assert_int_equal(claim->count, 2);
    assert_true(fixture_same(outbox_claim_at(claim, 0)->id, "77"));
    assert_true(fixture_same(outbox_claim_at(claim, 1)->id, "-5"));
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 2, OUTBOX_SETTLE_DELIVERED).settled, 2);
}

static void init_adds_to_a_foreign_table_what_is_missing(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    make_table(fixture, FOREIGN);
    insert_bytes_id(fixture, 1);
    sqlite_apply(fixture, 0);
    assert_int_equal(check(fixture, &findings), OUTBOX_OK);
    assert_int_equal(findings.by_level[OUTBOX_LOG_WARN], 0);
    assert_int_equal(fixture_count(fixture, "ordering_key IS NULL AND aggregate_id IS NULL"), 1);
    assert_int_equal(fixture_claim(fixture, 1, 5)->count, 1);
}

static void a_good_index_under_another_name_will_do(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    char indexes[16];
    make_table(fixture, FOREIGN);
    fixture_execute(fixture, "CREATE INDEX a ON openoutbox_events(available_at,created_at) "
                             "WHERE status='PENDING'");
    fixture_execute(fixture,
                    "CREATE INDEX b ON openoutbox_events(locked_at) WHERE status='DELIVERING'");
    assert_int_equal(check(fixture, &findings), OUTBOX_OK);
    assert_null(strstr(findings.text, "reads the whole table"));
    sqlite_apply(fixture, 0);
    fixture->contract->query(
        fixture->contract->context,
        "SELECT count(*) FROM sqlite_schema WHERE type='index' AND sql NOTNULL", indexes,
        sizeof(indexes));
    assert_string_equal(indexes, "3"); /* these two, and the one for dead events */
}

/* VACUUM gives the rows of a table that has no index and no INTEGER PRIMARY KEY new numbers. */
static void vacuum_between_claim_and_settle_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    make_table(fixture, FOREIGN_WITH_ID("event_id BLOB"));
    for (int i = 0; i < 8; i++)
        insert_bytes_id(fixture, i);
    fixture_execute(fixture, "DELETE FROM openoutbox_events WHERE payload IN (x'00',x'02',x'04')");
    struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
    assert_int_equal(claim->count, 5);
    fixture_execute(fixture, "VACUUM");
    /* Only the first of the claim, the event 1, was delivered. */
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 1, OUTBOX_SETTLE_DELIVERED).settled, 1);
    assert_int_equal(fixture_count(fixture, "status='DELIVERED'"), 1);
    assert_int_equal(fixture_count(fixture, "status='DELIVERED' AND payload=x'01'"), 1);
}

static void ids_that_are_not_unique_are_refused_before_anything_is_claimed(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ids[] = {"'twice'),('t',x'00','twice'", "NULL"};
    for (size_t i = 0; i < 2; i++) {
        make_table(fixture, FOREIGN_WITH_ID("event_id BLOB"));
        fixture_execute(fixture,
                        "INSERT INTO openoutbox_events(event_type,payload,event_id) "
                        "VALUES ('t',x'00',%s)",
                        ids[i]);
        const struct outbox_claim_request request = {
            .size = sizeof(request),
            .max_events = 1,
            .max_payload = 1000,
            .token = outbox_slice_of(OWNER "1"),
        };
        struct outbox_claim *claim = NULL;
        struct outbox_error error = OUTBOX_ERROR_INIT;
        assert_int_equal(fixture->ops->claim(fixture->sessions[0], &request, &claim, &error),
                         OUTBOX_SCHEMA);
        assert_non_null(strstr(error.text, "event_id"));
        assert_int_equal(fixture_count(fixture, "status<>'PENDING'"), 0);
        fixture_execute(fixture, "DROP TABLE openoutbox_events");
    }
}

static void columns_can_be_called_otherwise(void **state)
{
    struct store_contract contract = *(const struct store_contract *)*state;
    const struct outbox_pair names[] = {{outbox_slice_of("payload"), outbox_slice_of("body")},
                                        {outbox_slice_of("seq"), outbox_slice_of("number")},
                                        {outbox_slice_of("status"), outbox_slice_of("order")},
                                        {outbox_slice_of("last_error"), outbox_slice_of("error")},
                                        {outbox_slice_of("attempts"), outbox_slice_of("charge")},
                                        {outbox_slice_of("event_id"), outbox_slice_of("key")}};
    const struct contract_value values[] = {
        contract.values[0],
        {.name = "table", .text = "main.Outgoing"},
        {.name = "columns", .pairs = names, .pair_count = 6},
    };
    contract.values = values;
    contract.value_count = 3;
    void *inner = &contract;
    assert_int_equal(fixture_setup_lease(&inner), 0);
    struct fixture *fixture = inner;
    fixture_execute(fixture, "INSERT INTO Outgoing(key,event_type,body) "
                             "VALUES('a','t',x'01'),('b','t',x'01')");
    struct outbox_claim *claim = fixture_claim(fixture, 0, 5);
    assert_int_equal(claim->count, 2);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 1, OUTBOX_SETTLE_DELIVERED).settled, 1);
    assert_int_equal(fixture_settle(fixture, 0, claim, 1, 1, OUTBOX_SETTLE_RETRY).settled, 1);
    char answer[64];
    contract.query(contract.context, "SELECT \"order\" FROM Outgoing WHERE number=1", answer,
                   sizeof(answer));
    assert_string_equal(answer, "DELIVERED");
    contract.query(contract.context, "SELECT error||charge FROM Outgoing WHERE key='b'", answer,
                   sizeof(answer));
    assert_string_equal(answer, "the broker said no1");
    assert_int_equal(fixture_teardown(&inner), 0);
}

static void what_is_no_ordinary_table_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    make_table(fixture, FOREIGN " WITHOUT ROWID");
    assert_int_equal(check(fixture, &findings), OUTBOX_SCHEMA);
    assert_non_null(strstr(findings.text, "WITHOUT ROWID"));
    fixture_execute(fixture, "ALTER TABLE openoutbox_events RENAME TO other");
    fixture_execute(fixture, "CREATE VIEW openoutbox_events AS SELECT * FROM other");
    assert_int_equal(check(fixture, &findings), OUTBOX_SCHEMA);
    assert_non_null(strstr(findings.text, "view"));
}

static void a_time_written_otherwise_is_refused_or_reported(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    make_table(fixture, FOREIGN);
    fixture_execute(fixture,
                    "INSERT INTO openoutbox_events(event_id,event_type,payload,available_at) "
                    "VALUES (x'00','t',x'00','2024-01-01T00:00:00Z')");
    assert_int_equal(check(fixture, &findings), OUTBOX_OK);
    assert_non_null(strstr(findings.text, "2024-01-01T00:00:00Z"));
    fixture_execute(fixture, "DROP TABLE openoutbox_events");
    sqlite_apply(fixture, 0);
    fixture_execute(fixture, "INSERT OR IGNORE INTO openoutbox_events(event_id,event_type,payload,"
                             "available_at) VALUES ('a','t',x'00','2024-01-01T00:00:00Z')");
    fixture_execute(fixture, "INSERT OR IGNORE INTO openoutbox_events(event_id,event_type,payload) "
                             "VALUES ('b','t',x'00')");
    assert_int_equal(fixture_count(fixture, "1=1"), 1);
}

static void a_time_of_the_wrong_shape_is_not_inserted(void **state)
{
    struct fixture *fixture = *state;
    static const char *const wrong[] = {
        "2024-1-01 00:00:00.0000", "2024-01-01 00:00:00Z",       "2024-01-01 00:00:00 UTC",
        "2024-01-01 00:00",        "2024-01-01 00:00:00.000000", "abcd-ef-gh ij:kl:mn.opq",
        "2024/01/01 00:00:00.000", "2024-01-01 00:00:00.000+02", " 2024-01-01 00:00:00.00",
        "2024-91-01 00:00:00.000", "2024-01-01 00:00:00,000",    "1704067200",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        fixture_execute(fixture,
                        "INSERT OR IGNORE INTO openoutbox_events(event_id,event_type,payload,"
                        "available_at) VALUES ('%zu','t',x'00','%s')",
                        i, wrong[i]);
    assert_int_equal(fixture_count(fixture, "1=1"), 0);
    fixture_execute(fixture, "INSERT INTO openoutbox_events(event_id,event_type,payload,"
                             "available_at) VALUES ('a','t',x'00','2024-01-01 00:00:00'),"
                             "('b','t',x'00','2024-12-31 23:59:59.999')");
    assert_int_equal(fixture_claim(fixture, 0, 5)->count, 2);
}

static void attempts_at_the_end_of_64_bits_stay_a_number(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 3);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 3);
    fixture_execute(fixture, "UPDATE openoutbox_events SET attempts=9223372036854775807");
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 1, OUTBOX_SETTLE_RETRY).settled, 1);
    assert_int_equal(fixture_settle(fixture, 0, claim, 1, 1, OUTBOX_SETTLE_DEAD).settled, 1);
    fixture_age_leases(fixture, 61);
    assert_int_equal(fixture_reap(fixture, 0, 25, 0).dead, 1);
    assert_int_equal(
        fixture_count(fixture, "attempts=9223372036854775807 AND typeof(attempts)='integer'"), 3);
}

static void a_file_that_may_only_be_read_is_reported(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    const struct sqlite_database *database = fixture->contract->context;
    const bool root = geteuid() == 0;
    fixture_enqueue(fixture, 1);
    assert_int_equal(fixture_count(fixture, "1=1"), 1); /* keeps the log there */
    fixture_session_close(fixture, 0);
    for (int i = 0; i < 2; i++) {
        const bool of_folder = i == 1;
        assert_int_equal(chmod(database->folder, of_folder ? 0555 : 0777), 0);
        assert_int_equal(chmod(database->path, of_folder ? 0666 : 0444), 0);
        assert_int_equal(root ? seteuid(65534) : 0, 0); /* root may write whatever the mode */
        fixture_session_reopen(fixture, 0);
        enum outbox_status status = check(fixture, &findings);
        fixture_session_close(fixture, 0);
        assert_int_equal(root ? seteuid(0) : 0, 0);
        assert_int_equal(chmod(database->folder, 0700), 0);
        assert_int_equal(chmod(database->path, 0644), 0);
        assert_int_equal(status, OUTBOX_SCHEMA);
        assert_int_equal(findings.by_level[OUTBOX_LOG_ERROR], 1);
        assert_non_null(strstr(findings.text, of_folder ? database->folder : database->path));
    }
    fixture_session_reopen(fixture, 0);
    assert_int_equal(check(fixture, &findings), OUTBOX_OK);
}

/* ---- Options ------------------------------------------------------------------------------ */

static enum outbox_status open_with(const struct store_contract *contract, uint32_t mode,
                                    const struct contract_value *values, size_t value_count,
                                    struct outbox_error *error)
{
    struct contract_settings made;
    assert_true(contract_settings_init(&made, contract->plugin, values, value_count));
    const struct outbox_store_config config = {
        .size = sizeof(config), .mode = mode, .settings = &made.settings};
    struct outbox_store *store = NULL;
    enum outbox_status status =
        contract->plugin->store->open(contract_host(), &config, &store, error);
    contract_settings_free(&made);
    if (status == OUTBOX_OK)
        contract->plugin->store->close(store);
    return status;
}

static void urls_that_name_no_file_are_refused(void **state)
{
    const struct store_contract *contract = *state;
    static const char *const urls[] = {"sqlite:", "sqlite::memory:", "sqlite://"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        const struct contract_value value = {.name = "url", .text = urls[i]};
        struct outbox_error error = OUTBOX_ERROR_INIT;
        assert_int_equal(open_with(contract, OUTBOX_MODE_LEASE, &value, 1, &error), OUTBOX_INVALID);
        assert_non_null(strstr(error.text, urls[i]));
    }
    static const char *const others[] = {"postgres://app:Secr3t@db/x", "app:Secr3t@db", "Secr3t",
                                         ""};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct contract_value value = {.name = "url", .text = others[i]};
        struct outbox_error error = OUTBOX_ERROR_INIT;
        assert_int_equal(open_with(contract, OUTBOX_MODE_LEASE, &value, 1, &error), OUTBOX_INVALID);
        assert_non_null(strstr(error.text, "sqlite:PATH"));
        assert_null(strstr(error.text, "Secr3t"));
        assert_true(i > 0 || strstr(error.text, "postgres"));
    }
    const struct contract_value good = {.name = "url", .text = "sqlite:///var/x.db"};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(open_with(contract, OUTBOX_MODE_LEASE, &good, 1, &error), &error);
}

static void refuse_columns(const struct store_contract *contract, const char *role,
                           const char *name, const char *part_of_text)
{
    const struct outbox_pair pair = {outbox_slice_of(role), outbox_slice_of(name)};
    const struct contract_value values[] = {contract->values[0],
                                            {.name = "columns", .pairs = &pair, .pair_count = 1}};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(open_with(contract, OUTBOX_MODE_LEASE, values, 2, &error), OUTBOX_INVALID);
    assert_non_null(strstr(error.text, part_of_text));
}

static void names_that_are_no_identifiers_are_refused(void **state)
{
    const struct store_contract *contract = *state;
    refuse_columns(contract, "paylod", "body", "paylod");
    refuse_columns(contract, "payload", "a\"; DROP TABLE x", "columns.payload");
    refuse_columns(contract, "payload", "", "columns.payload");
    refuse_columns(contract, "payload", "HEADERS", "headers");
    static const char *const tables[] = {"", " ", "a b", "other.events", "1st", "a\"b"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        const struct contract_value values[] = {contract->values[0],
                                                {.name = "table", .text = tables[i]}};
        struct outbox_error error = OUTBOX_ERROR_INIT;
        assert_int_equal(open_with(contract, OUTBOX_MODE_LEASE, values, 2, &error), OUTBOX_INVALID);
        assert_non_null(strstr(error.text, "table"));
    }
}

static void enqueueing_works_with_synchronous_normal(void **state)
{
    struct store_contract contract = *(const struct store_contract *)*state;
    const struct contract_value values[] = {contract.values[0],
                                            {.name = "synchronous", .text = "normal"}};
    contract.values = values;
    contract.value_count = 2;
    void *inner = &contract;
    assert_int_equal(fixture_setup_lease(&inner), 0);
    struct fixture *fixture = inner;
    fixture_enqueue(fixture, 3);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 5);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 3, OUTBOX_SETTLE_DELIVERED).settled, 3);
    assert_int_equal(fixture_teardown(&inner), 0);
}

#define PLAIN_TEST(name)                                                                           \
    {                                                                                              \
#name, name, NULL, NULL, NULL                                                              \
    }

const struct CMUnitTest sqlite_table_tests[] = {
    CONTRACT_TEST(a_foreign_table_is_relayed_as_it_is, fixture_setup_no_table),
    CONTRACT_TEST(a_foreign_table_keeps_its_kind_of_id, fixture_setup_no_table),
    CONTRACT_TEST(numbers_serve_as_ids, fixture_setup_no_table),
    CONTRACT_TEST(init_adds_to_a_foreign_table_what_is_missing, fixture_setup_no_table),
    CONTRACT_TEST(a_good_index_under_another_name_will_do, fixture_setup_no_table),
    CONTRACT_TEST(vacuum_between_claim_and_settle_loses_nothing, fixture_setup_no_table),
    CONTRACT_TEST(ids_that_are_not_unique_are_refused_before_anything_is_claimed,
                  fixture_setup_no_table),
    CONTRACT_TEST(what_is_no_ordinary_table_is_refused, fixture_setup_no_table),
    CONTRACT_TEST(a_time_written_otherwise_is_refused_or_reported, fixture_setup_no_table),
    CONTRACT_TEST(a_time_of_the_wrong_shape_is_not_inserted, fixture_setup_lease),
    CONTRACT_TEST(attempts_at_the_end_of_64_bits_stay_a_number, fixture_setup_lease),
    CONTRACT_TEST(a_file_that_may_only_be_read_is_reported, fixture_setup_lease),
    PLAIN_TEST(columns_can_be_called_otherwise),
    PLAIN_TEST(urls_that_name_no_file_are_refused),
    PLAIN_TEST(names_that_are_no_identifiers_are_refused),
    PLAIN_TEST(enqueueing_works_with_synchronous_normal),
};
const size_t sqlite_table_test_count = sizeof(sqlite_table_tests) / sizeof(sqlite_table_tests[0]);
