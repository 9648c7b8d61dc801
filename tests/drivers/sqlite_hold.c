/*
 * sqlite_hold.c - how store-sqlite holds rows without holding SQLite's lock
 * SPDX-License-Identifier: MIT
 */
#include "sqlite_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "-openoutbox_events-held"

/* A second relay, or a second pipeline, with the database at `path`. */
struct other {
    struct fixture *fixture;
    struct outbox_store *store;
    struct outbox_session *session;
    struct outbox_claim *claim;
};

static void other_open_in(struct other *other, struct fixture *fixture, const char *path,
                          uint32_t mode)
{
    const struct store_contract *contract = fixture->contract;
    char url[300];
    (void)snprintf(url, sizeof(url), "sqlite:%s", path);
    const struct contract_value value = {.name = "url", .text = url};
    other->fixture = fixture;
    other->store = contract_store_open(contract->plugin, &value, 1, mode, false);
    other->session = contract_session_open(contract->plugin, other->store);
}

static void other_open(struct other *other, struct fixture *fixture, const char *path)
{
    other_open_in(other, fixture, path, OUTBOX_MODE_HOLD);
}

static uint64_t other_claim(struct other *other)
{
    const struct outbox_claim_request request = {.size = sizeof(request),
                                                 .max_events = 100,
                                                 .max_payload = 1000,
                                                 .token = outbox_slice_of(OWNER "other")};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    const struct outbox_store_ops *ops = other->fixture->ops;
    contract_ok(ops->claim(other->session, &request, &other->claim, &error), &error);
    return other->claim->count;
}

static void other_abandon(struct other *other)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    const struct outbox_store_ops *ops = other->fixture->ops;
    contract_ok(ops->abandon(other->session, other->claim, &error), &error);
    ops->claim_close(other->session, other->claim);
}

static void other_close(struct other *other)
{
    const struct outbox_store_ops *ops = other->fixture->ops;
    ops->session_close(other->session);
    ops->close(other->store);
}

/* ---- Who holds what ----------------------------------------------------------------------- */

static void two_stores_on_one_file_exclude_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct other other;
    fixture_enqueue(fixture, 10);
    other_open(&other, fixture, sqlite_path(fixture));
    assert_int_equal(fixture_claim(fixture, 0, 4)->count, 4);
    assert_int_equal(other_claim(&other), 6);
    assert_int_equal(fixture_claim(fixture, 1, 10)->count, 0);
    other_abandon(&other);
    assert_int_equal(fixture_claim(fixture, 1, 10)->count, 6);
    other_close(&other);
}

static void a_lease_and_a_hold_exclude_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct other lease;
    fixture_enqueue(fixture, 10);
    other_open_in(&lease, fixture, sqlite_path(fixture), OUTBOX_MODE_LEASE);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 4);
    assert_int_equal(claim->count, 4);
    assert_int_equal(other_claim(&lease), 6);
    assert_int_equal(fixture_claim(fixture, 1, 10)->count, 0);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 4, OUTBOX_SETTLE_RELEASE).settled, 4);
    fixture->ops->claim_close(lease.session, lease.claim);
    assert_int_equal(other_claim(&lease), 4);
    fixture->ops->claim_close(lease.session, lease.claim);
    other_close(&lease);
}

static void a_file_known_by_two_paths_is_one_file(void **state)
{
    struct fixture *fixture = *state;
    struct other other;
    char link[200];
    (void)snprintf(link, sizeof(link), "%s.link", sqlite_path(fixture));
    assert_int_equal(symlink(sqlite_path(fixture), link), 0);
    fixture_enqueue(fixture, 5);
    other_open(&other, fixture, link);
    assert_int_equal(other_claim(&other), 5);
    assert_int_equal(fixture_claim(fixture, 0, 10)->count, 0);
    other_abandon(&other);
    other_close(&other);
    assert_int_equal(unlink(link), 0);
}

/* VACUUM gives new numbers only to the rows of a table that has no index. */
static void what_is_held_stays_held_through_vacuum(void **state)
{
    struct fixture *fixture = *state;
    fixture_execute(fixture, "CREATE TABLE made AS SELECT * FROM openoutbox_events");
    fixture_execute(fixture, "DROP TABLE openoutbox_events");
    fixture_execute(fixture, "ALTER TABLE made RENAME TO openoutbox_events");
    fixture_execute(fixture, "CREATE UNIQUE INDEX by_id ON openoutbox_events(event_id)");
    for (int i = 0; i < 6; i++)
        fixture_execute(fixture,
                        "INSERT INTO openoutbox_events(event_id,event_type,payload,status,"
                        "available_at,attempts) VALUES('id %d','t',x'00','PENDING','2020-01-01',0)",
                        i);
    struct outbox_claim *claim = fixture_claim(fixture, 1, 4);
    assert_int_equal(claim->count, 4);
    fixture_execute(fixture, "DELETE FROM openoutbox_events WHERE event_id IN ('id 0','id 4')");
    fixture_execute(fixture, "VACUUM");
    struct outbox_claim *rest = fixture_claim(fixture, 0, 10);
    assert_int_equal(rest->count, 1);
    assert_true(fixture_same(outbox_claim_at(rest, 0)->id, "id 5"));
    assert_int_equal(fixture_settle(fixture, 1, claim, 0, 4, OUTBOX_SETTLE_DELIVERED).settled, 3);
}

static void a_lock_file_that_was_deleted_is_made_anew(void **state)
{
    struct fixture *fixture = *state;
    char path[200];
    (void)snprintf(path, sizeof(path), "%s" LOCK_FILE, sqlite_path(fixture));
    fixture_enqueue(fixture, 5);
    assert_int_equal(fixture_claim(fixture, 0, 5)->count, 5);
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->abandon(fixture->sessions[0], fixture->open[0].claim, &error),
                &error);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fixture_claim(fixture, 1, 2)->count, 2);
    assert_int_equal(fixture_claim(fixture, 0, 5)->count, 3);
}

static void the_lock_file_has_the_rights_of_the_database(void **state)
{
    struct fixture *fixture = *state;
    char path[200];
    struct stat found;
    (void)snprintf(path, sizeof(path), "%s" LOCK_FILE, sqlite_path(fixture));
    assert_int_equal(chmod(sqlite_path(fixture), 0660), 0);
    fixture_enqueue(fixture, 1);
    assert_int_equal(fixture_claim(fixture, 0, 5)->count, 1);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0660);
    assert_int_equal(found.st_size, 0);
}

/* ---- Others ------------------------------------------------------------------------------- */

static void producers_write_while_rows_are_held(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 5);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 5);
    fixture_insert_at(fixture, "while", -1);
    fixture_execute(fixture, "UPDATE openoutbox_events SET partition_key='k'");
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 5, OUTBOX_SETTLE_DELIVERED).settled, 5);
    assert_int_equal(fixture_count(fixture, "status='DELIVERED' AND partition_key='k'"), 5);
}

static void what_is_no_longer_pending_when_it_is_settled_is_stale(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 3);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 3);
    fixture_execute(fixture, "UPDATE openoutbox_events SET status='DEAD' WHERE seq=1");
    fixture_execute(fixture, "DELETE FROM openoutbox_events WHERE seq=2");
    const struct outbox_settle_result result =
        fixture_settle(fixture, 0, claim, 0, 3, OUTBOX_SETTLE_DELIVERED);
    assert_int_equal(result.settled, 1);
    assert_int_equal(result.stale, 2);
    fixture_expect(fixture, 0, "status", "DEAD");
}

static void a_claim_that_was_abandoned_is_settled_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    fixture_enqueue(fixture, 3);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 3);
    contract_ok(fixture->ops->abandon(fixture->sessions[0], claim, &error), &error);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 3, OUTBOX_SETTLE_DELIVERED).stale, 3);
    assert_int_equal(fixture_count(fixture, "status='PENDING'"), 3);
}

static void the_cost_of_a_claim_does_not_grow_with_what_is_pending(void **state)
{
    struct fixture *fixture = *state;
    fixture_execute(fixture,
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) "
                    "INSERT INTO openoutbox_events(event_id,event_type,payload) "
                    "SELECT 'new-'||i,'t',x'00' FROM n");
    struct outbox_claim *claim = fixture_claim(fixture, 0, 50);
    int64_t before = sqlite_steps();
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 50, OUTBOX_SETTLE_DELIVERED).settled, 50);
    assert_int_equal(fixture_claim(fixture, 0, 50)->count, 50);
    assert_in_range(sqlite_steps() - before, 1, 20000);
}

const struct CMUnitTest sqlite_hold_tests[] = {
    CONTRACT_TEST(two_stores_on_one_file_exclude_each_other, fixture_setup_hold),
    CONTRACT_TEST(a_lease_and_a_hold_exclude_each_other, fixture_setup_hold),
    CONTRACT_TEST(a_file_known_by_two_paths_is_one_file, fixture_setup_hold),
    CONTRACT_TEST(what_is_held_stays_held_through_vacuum, fixture_setup_hold),
    CONTRACT_TEST(a_lock_file_that_was_deleted_is_made_anew, fixture_setup_hold),
    CONTRACT_TEST(the_lock_file_has_the_rights_of_the_database, fixture_setup_hold),
    CONTRACT_TEST(producers_write_while_rows_are_held, fixture_setup_hold),
    CONTRACT_TEST(what_is_no_longer_pending_when_it_is_settled_is_stale, fixture_setup_hold),
    CONTRACT_TEST(a_claim_that_was_abandoned_is_settled_no_more, fixture_setup_hold),
    CONTRACT_TEST(the_cost_of_a_claim_does_not_grow_with_what_is_pending, fixture_setup_hold),
};
const size_t sqlite_hold_test_count = sizeof(sqlite_hold_tests) / sizeof(sqlite_hold_tests[0]);
