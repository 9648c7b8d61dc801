/*
 * test_lease.c - when a lease wants renewal and when it is lost
 * SPDX-License-Identifier: MIT
 */
#include "clock.h"
#include "lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct lease lease_named(const char *token)
{
    struct lease lease = {0};
    (void)snprintf(lease.token, sizeof(lease.token), "%s", token);
    return lease;
}

static void count_lost(void *context, struct lease *lease)
{
    (void)lease;
    ++*(int *)context;
}

static void a_lease_is_due_at_half_its_time(void **state)
{
    (void)state;
    struct lease_book book;
    struct lease a = lease_named("a"), b = lease_named("b"), copy;
    lease_book_init(&book);
    assert_true(lease_next_due(&book) == NEVER);
    lease_enter(&book, &a, 0, 60 * SECOND, 5);
    lease_enter(&book, &b, 10 * SECOND, 60 * SECOND, 5);
    assert_true(lease_next_due(&book) == 30 * SECOND);
    assert_false(lease_due(&book, 29 * SECOND, &copy));
    assert_true(lease_due(&book, 30 * SECOND, &copy));
    assert_string_equal(copy.token, "a");
    lease_extend(&book, "a", 30 * SECOND, 60 * SECOND);
    assert_false(lease_due(&book, 30 * SECOND, &copy));
    assert_true(lease_next_due(&book) == 40 * SECOND);
    lease_postpone(&book, "b", 50 * SECOND);
    assert_true(lease_next_due(&book) == 50 * SECOND);
    lease_book_clear(&book);
}

static void an_expired_lease_is_lost_once_and_no_longer_renewed(void **state)
{
    (void)state;
    struct lease_book book;
    struct lease a = lease_named("a"), copy;
    int lost = 0;
    lease_book_init(&book);
    lease_enter(&book, &a, 0, SECOND, 1);
    lease_lose(&book, NULL, SECOND - 1, count_lost, &lost);
    assert_int_equal(lost, 0);
    lease_lose(&book, NULL, SECOND, count_lost, &lost);
    lease_lose(&book, NULL, SECOND, count_lost, &lost);
    assert_int_equal(lost, 1);
    assert_false(lease_due(&book, NEVER, &copy));
    lease_book_clear(&book);
}

static void a_settled_claim_leaves_the_book(void **state)
{
    (void)state;
    struct lease_book book;
    struct lease a = lease_named("a"), b = lease_named("b");
    int lost = 0;
    lease_book_init(&book);
    lease_enter(&book, &a, 0, SECOND, 3);
    lease_enter(&book, &b, 0, SECOND, 3);
    lease_settled(&book, &a, 2);
    assert_int_equal(a.outstanding, 1);
    lease_leave(&book, &a);
    lease_extend(&book, "a", 5 * SECOND, SECOND); /* a late answer finds nothing */
    lease_lose(&book, "a", 0, count_lost, &lost);
    assert_int_equal(lost, 0);
    lease_lose(&book, "b", 0, count_lost, &lost);
    assert_int_equal(lost, 1);
    lease_leave(&book, &b);
    assert_null(book.head);
    lease_book_clear(&book);
}

static void a_token_gives_back_the_id_of_its_relay(void **state)
{
    (void)state;
    static const char *const foreign[] = {
        "",     "outbox-relay",     "outbox-relay:",          "outbox-relay::1", "outbox-relay:one",
        "go:1", "Outbox-relay:a:1", "no outbox-relay:one:01",
    };
    char token[TOKEN_MAX + 1], id[65];
    memset(id, 'i', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    lease_token_make(token, id, UINT64_MAX, UINT64_MAX);
    struct outbox_slice relay = lease_token_relay(outbox_slice_of(token));
    assert_int_equal(relay.len, strlen(id));
    assert_memory_equal(relay.data, id, strlen(id));
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_null(lease_token_relay(outbox_slice_of(foreign[i])).data);
    assert_null(lease_token_relay((struct outbox_slice){NULL, 0}).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_due_at_half_its_time),
        cmocka_unit_test(an_expired_lease_is_lost_once_and_no_longer_renewed),
        cmocka_unit_test(a_settled_claim_leaves_the_book),
        cmocka_unit_test(a_token_gives_back_the_id_of_its_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
