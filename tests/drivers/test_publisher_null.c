/*
 * test_publisher_null.c - the publisher that sends nothing
 * SPDX-License-Identifier: MIT
 */
#include "publisher_host.h"
#include "test_publishers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* After those that it needs. */
#include <cmocka.h>

#define SETTINGS(...) ((const struct outbox_setting[]){__VA_ARGS__, {0}})

static void without_delay_one_call_acks_the_whole_batch(void **state)
{
    struct subject subject;
    (void)state;
    subject_open(&subject, "null", NULL);
    struct sending *sending = sending_new(&subject, "e", 500, 8, SECOND);
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(sending_publish(sending, &error), OUTBOX_OK);
    assert_int_equal(sending_count(sending, OUTBOX_ACKED), 500);
    assert_int_equal(sending->calls, 1);
    assert_int_equal(subject_ping(&subject, &error), OUTBOX_OK);
    sending_free(&sending);
    subject_close(&subject);
}

/* The events that failed, as a bitmap to compare. */
static uint64_t failures_of(const struct outbox_setting *settings, uint32_t outcome,
                            unsigned char failed[10000])
{
    struct subject subject;
    subject_open(&subject, "null", settings);
    struct sending *sending = sending_new(&subject, "e", 10000, 1, SECOND);
    sending_finish(sending);
    uint64_t count = sending_count(sending, outcome);
    assert_int_equal(count + sending_count(sending, OUTBOX_ACKED), 10000);
    for (size_t i = 0; i < 10000; i++) {
        failed[i] = sending->endings[i].outcome == outcome;
        assert_true(!failed[i] || strstr(sending->endings[i].reason, "failure_rate"));
    }
    sending_free(&sending);
    subject_close(&subject);
    return count;
}

static void the_wished_share_fails_and_a_seed_repeats_itself(void **state)
{
    static unsigned char first[10000], again[10000], other[10000];
    (void)state;
    uint64_t count = failures_of(
        SETTINGS({.name = "failure_rate", .number = 0.3}, {.name = "seed", .integer = 7}),
        OUTBOX_RETRY, first);
    assert_in_range(count, 2700, 3300);
    (void)failures_of(
        SETTINGS({.name = "failure_rate", .number = 0.3}, {.name = "seed", .integer = 7}),
        OUTBOX_RETRY, again);
    assert_memory_equal(first, again, sizeof(first));
    (void)failures_of(
        SETTINGS({.name = "failure_rate", .number = 0.3}, {.name = "seed", .integer = 8}),
        OUTBOX_RETRY, other);
    assert_memory_not_equal(first, other, sizeof(first));
}

static void failures_have_the_chosen_outcome(void **state)
{
    static const struct {
        const char *name;
        uint32_t outcome;
    } failures[] = {{"retry", OUTBOX_RETRY},
                    {"unknown", OUTBOX_UNKNOWN},
                    {"rejected", OUTBOX_REJECTED},
                    {"away", OUTBOX_AWAY}};
    static unsigned char failed[10000];
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(failures_of(SETTINGS({.name = "failure_rate", .number = 1},
                                              {.name = "failure", .text = failures[i].name}),
                                     failures[i].outcome, failed),
                         10000);
}

static void with_a_delay_nothing_ends_before_it_is_over(void **state)
{
    struct subject subject;
    const int64_t delay = SECOND / 50;
    (void)state;
    subject_open(&subject, "null", SETTINGS({.name = "delay", .integer = delay}));
    struct sending *first = sending_new(&subject, "a", 100, 1, 60 * SECOND);
    struct sending *second = sending_new(&subject, "b", 100, 1, 60 * SECOND);
    int64_t start = subject.host.now(&subject.host);
    sending_finish(first);
    assert_true(first->last_end - start >= delay);
    assert_int_equal(first->calls, 1);
    assert_int_equal(sending_count(first, OUTBOX_ACKED), 100);
    sending_finish(second);
    assert_true(second->last_end - first->last_end >= delay);
    sending_free(&first);
    sending_free(&second);
    subject_close(&subject);
}

static void a_deadline_before_the_delay_ends_unknown(void **state)
{
    struct subject subject;
    (void)state;
    subject_open(&subject, "null", SETTINGS({.name = "delay", .integer = FOREVER}));
    struct sending *later = sending_new(&subject, "later", 3, 1, FOREVER / 2);
    struct sending *soon = sending_new(&subject, "soon", 3, 1, SECOND / 50);
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(sending_publish(later, &error), OUTBOX_OK);
    sending_finish(soon);
    assert_int_equal(sending_count(soon, OUTBOX_UNKNOWN), 3);
    assert_true(soon->last_end >= soon->batch.deadline);
    assert_int_equal(sending_ended(later), 0);
    subject_close(&subject);
    sending_free(&later);
    sending_free(&soon);
}

static void cancel_ends_its_batch_only(void **state)
{
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    (void)state;
    subject_open(&subject, "null", SETTINGS({.name = "delay", .integer = FOREVER}));
    struct sending *kept = sending_new(&subject, "kept", 3, 1, 2 * FOREVER);
    struct sending *dropped = sending_new(&subject, "dropped", 3, 1, 2 * FOREVER);
    assert_int_equal(sending_publish(kept, &error), OUTBOX_OK);
    assert_int_equal(sending_publish(dropped, &error), OUTBOX_OK);
    subject.plugin->publisher->cancel(subject.publisher, &dropped->batch);
    assert_int_equal(sending_count(dropped, OUTBOX_RETRY), 3);
    subject.plugin->publisher->cancel(subject.publisher, &dropped->batch);
    assert_int_equal(sending_ended(kept), 0);
    subject_close(&subject);
    sending_free(&kept);
    sending_free(&dropped);
}

static void close_ends_what_waits_as_unknown(void **state)
{
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    (void)state;
    subject_open(&subject, "null", SETTINGS({.name = "delay", .integer = FOREVER}));
    struct sending *sending = sending_new(&subject, "e", 5, 1, 2 * FOREVER);
    assert_int_equal(sending_publish(sending, &error), OUTBOX_OK);
    assert_int_equal(sending_ended(sending), 0);
    subject_close(&subject);
    assert_int_equal(sending_count(sending, OUTBOX_UNKNOWN), 5);
    sending_free(&sending);
}

static void flush_tells_whether_something_waits(void **state)
{
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    (void)state;
    subject_open(&subject, "null", SETTINGS({.name = "delay", .integer = FOREVER}));
    const struct outbox_publisher_ops *ops = subject.plugin->publisher;
    int64_t soon = subject.host.now(&subject.host) + SECOND / 50;
    assert_int_equal(ops->flush(subject.publisher, soon, &error), OUTBOX_OK);
    struct sending *sending = sending_new(&subject, "e", 5, 1, 2 * FOREVER);
    assert_int_equal(sending_publish(sending, &error), OUTBOX_OK);
    assert_int_equal(ops->flush(subject.publisher, soon, &error), OUTBOX_TIMEOUT);
    ops->cancel(subject.publisher, &sending->batch);
    assert_int_equal(ops->flush(subject.publisher, soon, &error), OUTBOX_OK);
    sending_free(&sending);
    subject_close(&subject);
}

static void *publish_and_cancel(void *argument)
{
    struct subject *subject = argument;
    for (int i = 0; i < 50; i++) {
        struct sending *sending = sending_new(subject, "e", 20, 1, 60 * SECOND);
        struct outbox_error error = OUTBOX_ERROR_INIT;
        if (sending_publish(sending, &error) != OUTBOX_OK)
            abort();
        if (i % 2)
            subject->plugin->publisher->cancel(subject->publisher, &sending->batch);
        sending_wait(sending);
        sending_free(&sending);
    }
    return NULL;
}

static void four_threads_publish_at_once(void **state)
{
    struct subject subject;
    pthread_t threads[4];
    (void)state;
    subject_open(&subject, "null",
                 SETTINGS({.name = "delay", .integer = SECOND / 2000},
                          {.name = "failure_rate", .number = 0.5}));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publish_and_cancel, &subject), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    subject_close(&subject);
}

int test_publisher_null(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_delay_one_call_acks_the_whole_batch),
        cmocka_unit_test(the_wished_share_fails_and_a_seed_repeats_itself),
        cmocka_unit_test(failures_have_the_chosen_outcome),
        cmocka_unit_test(with_a_delay_nothing_ends_before_it_is_over),
        cmocka_unit_test(a_deadline_before_the_delay_ends_unknown),
        cmocka_unit_test(cancel_ends_its_batch_only),
        cmocka_unit_test(close_ends_what_waits_as_unknown),
        cmocka_unit_test(flush_tells_whether_something_waits),
        cmocka_unit_test(four_threads_publish_at_once),
    };
    return cmocka_run_group_tests_name("publisher-null", tests, NULL, NULL);
}
