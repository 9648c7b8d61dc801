/*
 * test_holdback.c - what is held back, until when, and what is forgotten
 * SPDX-License-Identifier: MIT
 */
#include "holdback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { LIMIT = 8, THREADS = 4, ROUNDS = 20000 };

static struct outbox_slice numbered(char text[16], int number)
{
    int len = snprintf(text, 16, "id-%d", number);
    return (struct outbox_slice){text, (uint64_t)len};
}

static void put(struct holdback *holdback, int number, int64_t until, int64_t attempts)
{
    char text[16];
    assert_true(holdback_put(holdback, numbered(text, number), until, attempts));
}

static bool holds(struct holdback *holdback, int number, int64_t now)
{
    char text[16];
    return holdback_holds(holdback, numbered(text, number), now);
}

static int64_t attempts(struct holdback *holdback, int number)
{
    char text[16];
    return holdback_attempts(holdback, numbered(text, number));
}

static void an_id_is_left_alone_until_its_instant(void **state)
{
    (void)state;
    struct holdback holdback;
    holdback_init(&holdback, LIMIT);
    assert_false(holds(&holdback, 1, 0));
    put(&holdback, 1, 100, 1);
    assert_true(holds(&holdback, 1, 99));
    assert_false(holds(&holdback, 1, 100));
    assert_false(holds(&holdback, 2, 0));
    put(&holdback, 1, 50, 2);
    assert_false(holds(&holdback, 1, 50));
    put(&holdback, 1, 500, 3);
    assert_true(holds(&holdback, 1, 499));
    holdback_clear(&holdback);
}

static void attempts_outlive_the_hold_and_end_with_the_event(void **state)
{
    (void)state;
    struct holdback holdback;
    char text[16];
    holdback_init(&holdback, LIMIT);
    assert_int_equal(attempts(&holdback, 1), 0);
    put(&holdback, 1, 100, 7);
    assert_false(holds(&holdback, 1, 200));
    assert_int_equal(attempts(&holdback, 1), 7);
    holdback_forget(&holdback, numbered(text, 1));
    assert_int_equal(attempts(&holdback, 1), 0);
    holdback_forget(&holdback, numbered(text, 1));
    holdback_clear(&holdback);
}

static void ids_are_bytes(void **state)
{
    (void)state;
    struct holdback holdback;
    holdback_init(&holdback, LIMIT);
    assert_true(holdback_put(&holdback, (struct outbox_slice){"a\0b", 3}, 10, 1));
    assert_true(holdback_holds(&holdback, (struct outbox_slice){"a\0b", 3}, 0));
    assert_false(holdback_holds(&holdback, (struct outbox_slice){"a\0c", 3}, 0));
    assert_false(holdback_holds(&holdback, (struct outbox_slice){"a", 1}, 0));
    assert_false(holdback_holds(&holdback, (struct outbox_slice){"", 0}, 0));
    holdback_clear(&holdback);
}

static void count_bytes(void *context, struct outbox_slice id)
{
    *(size_t *)context += id.len;
}

static void only_what_is_still_held_is_listed_and_takes_room(void **state)
{
    (void)state;
    struct holdback holdback;
    size_t bytes = 0;
    holdback_init(&holdback, LIMIT);
    assert_int_equal(holdback_list(&holdback, 0, NULL, NULL), 0);
    for (int i = 0; i < LIMIT; i++)
        put(&holdback, i, 100 + i, 1);
    assert_int_equal(holdback_list(&holdback, 99, count_bytes, &bytes), LIMIT);
    assert_int_equal(bytes, LIMIT * 4);
    assert_int_equal(holdback_room(&holdback, LIMIT), 0);
    assert_int_equal(holdback_list(&holdback, 102, NULL, NULL), LIMIT - 3);
    assert_int_equal(holdback_room(&holdback, LIMIT - 3), 3);
    assert_int_equal(holdback_room(&holdback, LIMIT + 5), 0);
    holdback_clear(&holdback);
}

static void a_full_memory_forgets_what_was_free_first(void **state)
{
    (void)state;
    struct holdback holdback;
    holdback_init(&holdback, LIMIT);
    /* 13 has no common divisor with 16: each instant once, in a mixed order */
    for (int i = 0; i < 2 * LIMIT; i++)
        put(&holdback, i, i * 13 % (2 * LIMIT), 1 + i);
    for (int i = 0; i < LIMIT; i++)
        put(&holdback, 100 + i, 1000, 1);
    for (int i = 0; i < 2 * LIMIT; i++) {
        bool forgotten = i * 13 % (2 * LIMIT) < LIMIT;
        assert_int_equal(attempts(&holdback, i), forgotten ? 0 : 1 + i);
    }
    assert_int_equal(holdback_list(&holdback, 999, NULL, NULL), LIMIT);
    holdback_clear(&holdback);
}

static void counts_as_due_later(void **state)
{
    (void)state;
    struct holdback holdback;
    struct outbox_store_stats stats = {.size = sizeof(stats), .pending = 3, .oldest_age = 9};
    holdback_init(&holdback, LIMIT);
    holdback_recount(&holdback, 0, &stats);
    assert_true(stats.scheduled == 0 && stats.oldest_age == 9);
    for (int i = 0; i < 4; i++)
        put(&holdback, i, 100 + i, 1);
    holdback_recount(&holdback, 101, &stats);
    assert_true(stats.pending == 3 && stats.scheduled == 2 && stats.oldest_age == 9);
    holdback_recount(&holdback, 99, &stats); /* one of them is gone from the table */
    assert_true(stats.pending == 3 && stats.scheduled == 3 && stats.oldest_age == -1);
    holdback_clear(&holdback);
}

struct user {
    struct holdback *holdback;
    int first;
};

static void *use(void *context)
{
    const struct user *user = context;
    char text[16];
    for (int i = 0; i < ROUNDS; i++) {
        struct outbox_slice id = numbered(text, user->first + i % 50);
        if (i % 3 == 0)
            (void)!holdback_put(user->holdback, id, i, i);
        else if (i % 3 == 1)
            (void)holdback_attempts(user->holdback, id);
        else
            holdback_forget(user->holdback, id);
        if (i % 100 == 0)
            (void)holdback_list(user->holdback, i, NULL, NULL);
    }
    return NULL;
}

static void sessions_use_it_at_the_same_time(void **state)
{
    (void)state;
    struct holdback holdback;
    pthread_t threads[THREADS];
    struct user users[THREADS];
    holdback_init(&holdback, 32);
    for (int i = 0; i < THREADS; i++) {
        users[i] = (struct user){&holdback, i * 25};
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(holdback_list(&holdback, -1, NULL, NULL) <= 64);
    holdback_clear(&holdback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_left_alone_until_its_instant),
        cmocka_unit_test(attempts_outlive_the_hold_and_end_with_the_event),
        cmocka_unit_test(ids_are_bytes),
        cmocka_unit_test(only_what_is_still_held_is_listed_and_takes_room),
        cmocka_unit_test(a_full_memory_forgets_what_was_free_first),
        cmocka_unit_test(counts_as_due_later),
        cmocka_unit_test(sessions_use_it_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
