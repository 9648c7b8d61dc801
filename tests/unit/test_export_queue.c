/*
 * test_export_queue.c - spans and log records wait up to a bound, and leave in batches
 * SPDX-License-Identifier: MIT
 */
#include "telemetry/export_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct span_list *list_of(uint64_t count, int64_t first)
{
    struct span_list *list = span_list_new(count);

    assert_non_null(list);
    for (uint64_t i = 0; i < count; i++) {
        struct span *span = span_list_add(list);
        assert_non_null(span);
        span->start = first + (int64_t)i;
    }
    assert_null(span_list_add(list));
    return list;
}

/* Takes a batch and returns how many spans are in it, whose numbers go on from *next. */
static uint64_t take(struct export_queue *queue, int64_t *next)
{
    uint64_t at, count;
    const struct span_list *list = queue_look_spans(queue, &at, &count);

    for (uint64_t i = 0; i < count; i++, at++) {
        for (; at >= list->count; list = list->next)
            at = 0;
        assert_int_equal(list->spans[at].start, (*next)++);
    }
    queue_drop_spans(queue, count);
    return count;
}

static void spans_leave_in_batches_whatever_lists_they_came_in(void **state)
{
    struct export_queue queue;
    int64_t next = 0;

    (void)state;
    assert_true(queue_init(&queue, 100, 8));
    assert_false(queue_put_spans(&queue, list_of(3, 0)));
    assert_false(queue_put_spans(&queue, span_list_new(5))); /* nothing is in it */
    assert_true(queue_put_spans(&queue, list_of(20, 3)));
    assert_false(queue_put_spans(&queue, list_of(1, 23)));
    assert_int_equal(queue_room(&queue), 76);
    assert_int_equal(take(&queue, &next), 8);
    assert_int_equal(take(&queue, &next), 8);
    assert_int_equal(queue_room(&queue), 92);
    assert_int_equal(take(&queue, &next), 8);
    assert_int_equal(take(&queue, &next), 0);
    assert_false(queue_put_spans(&queue, list_of(2, 24)));
    assert_int_equal(take(&queue, &next), 2);
    assert_false(queue_put_spans(&queue, list_of(5, 26))); /* stays for the end */
    queue_clear(&queue);
}

static void spans_without_room_are_dropped_and_counted(void **state)
{
    struct export_queue queue;

    (void)state;
    assert_true(queue_init(&queue, 10, 5));
    assert_true(queue_put_spans(&queue, list_of(8, 0)));
    assert_false(queue_put_spans(&queue, list_of(3, 8)));
    assert_int_equal(atomic_load(&queue.dropped), 3);
    assert_false(queue_put_spans(&queue, list_of(2, 8)));
    assert_int_equal(queue_room(&queue), 0);
    queue_clear(&queue);
}

static void records_wait_and_leave_in_order(void **state)
{
    const struct log_field fields[] = {FIELD("pipeline", "p"), FIELD_NUMBER("n", -7)};
    struct export_queue queue;
    uint64_t count;

    (void)state;
    assert_true(queue_init(&queue, 5, 3));
    assert_null(queue_take_records(&queue, &count));
    for (int i = 0; i < 6; i++) {
        struct log_record *record = log_record_new(OUTBOX_LOG_WARN, "m", fields, 2, i);
        assert_non_null(record);
        assert_int_equal(queue_put_record(&queue, record), i == 2);
    }
    assert_int_equal(atomic_load(&queue.dropped), 1);
    struct log_record *record = queue_take_records(&queue, &count);
    assert_int_equal(count, 3);
    for (int i = 0; i < 3; i++) {
        struct log_record *next = record->next;
        assert_int_equal(record->time, i);
        assert_string_equal(record->message, "m");
        assert_string_equal(record->fields[0].text, "p");
        assert_null(record->fields[1].text);
        assert_int_equal(record->fields[1].number, -7);
        free(record);
        record = next;
    }
    assert_null(record);
    queue_clear(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_leave_in_batches_whatever_lists_they_came_in),
        cmocka_unit_test(spans_without_room_are_dropped_and_counted),
        cmocka_unit_test(records_wait_and_leave_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
