/*
 * test_message.c - limits of size, and messages made while memory runs out
 * SPDX-License-Identifier: MIT
 */
#include "messages.h"

#include <stdlib.h>
#include <string.h>

/* The linker sends the allocations of the relay through this. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

/* Allocations until one fails; negative: none does. */
static long left = -1;

void *__wrap_malloc(size_t size)
{
    return left >= 0 && left-- == 0 ? NULL : __real_malloc(size);
}

/* ---- Sizes -------------------------------------------------------------------------------- */

static void payload_may_be_as_large_as_the_limit(void **state)
{
    struct maker maker;
    const struct outbox_event event = with_payload("0123456789", 10);
    (void)state;
    maker_init(&maker, "{}");
    maker_make(&maker, &event, 10);
    assert_int_equal(maker.status, MESSAGE_MADE);
    assert_ptr_equal(maker.message.payload.data, event.payload.data);
    maker_make(&maker, &event, 9);
    assert_int_equal(maker.status, MESSAGE_NEVER);
    assert_text(maker.why, "payload of 10 bytes is larger than 9 bytes, by publish.max_payload or "
                           "the publisher's own limit");
    maker_clear(&maker);
}

/* A store does not even fetch it. */
static void payload_too_large_to_be_fetched_is_never_sent(void **state)
{
    static const char *const formats[] = {"raw", "cloudevents", "cloudevents-structured"};
    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct maker maker;
        struct outbox_event event = bare_event;
        char route[80];
        event.payload = (struct outbox_slice){NULL, 0};
        event.payload_size = (uint64_t)1 << 40;
        (void)snprintf(route, sizeof(route), "{'format': '%s'}", formats[i]);
        maker_init(&maker, route);
        maker_make(&maker, &event, (uint64_t)1 << 20);
        assert_int_equal(maker.status, MESSAGE_NEVER);
        assert_text(maker.why, "payload of 1099511627776 bytes is larger than 1048576 bytes, by "
                               "publish.max_payload or the publisher's own limit");
        maker_clear(&maker);
    }
}

static void envelope_counts_by_its_own_size(void **state)
{
    struct maker maker;
    const struct outbox_event event = with_payload("\xFF\xFF\xFF", 3);
    (void)state;
    make(&maker, "{'format': 'cloudevents-structured'}", &event);
    uint64_t size = maker.message.payload.len;
    maker_make(&maker, &event, size);
    assert_int_equal(maker.status, MESSAGE_MADE);
    maker_make(&maker, &event, size - 1);
    assert_int_equal(maker.status, MESSAGE_NEVER);
    char why[160];
    (void)snprintf(
        why, sizeof(why),
        "a CloudEvent of %llu bytes is larger than %llu bytes, by publish.max_payload or "
        "the publisher's own limit",
        (unsigned long long)size, (unsigned long long)size - 1);
    assert_text(maker.why, why);
    maker_clear(&maker);
}

static void binary_mode_counts_the_payload_alone(void **state)
{
    struct maker maker;
    const struct outbox_event event = with_payload("0123456789", 10);
    (void)state;
    maker_init(&maker, "{'format': 'cloudevents'}");
    maker_make(&maker, &event, 10);
    assert_int_equal(maker.status, MESSAGE_MADE);
    maker_clear(&maker);
}

static void payload_may_be_any_bytes_or_none(void **state)
{
    char bytes[256];
    struct maker maker;
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    struct outbox_event event = with_payload(bytes, sizeof(bytes));
    make(&maker, "{}", &event);
    assert_ptr_equal(maker.message.payload.data, bytes);
    assert_int_equal(maker.message.payload.len, sizeof(bytes));
    event = with_payload("", 0);
    maker_make(&maker, &event, 0);
    assert_int_equal(maker.status, MESSAGE_MADE);
    assert_non_null(maker.message.payload.data);
    assert_int_equal(maker.message.payload.len, 0);
    maker_clear(&maker);
}

/* ---- Memory ------------------------------------------------------------------------------- */

/* Every piece of the arena comes from malloc(), which refuses number `at`. True if it got there. */
static bool refused_at(struct maker *maker, const struct outbox_event *event, long at)
{
    arena_clear(&maker->arena);
    arena_init(&maker->arena, 1);
    left = at;
    maker_make(maker, event, NO_LIMIT);
    bool refused = left < 0;
    left = -1;
    return refused;
}

/* Whichever piece is refused, the event is not blamed for it. Returns how many pieces there are. */
static long exhaust(const char *route, const struct outbox_event *event,
                    enum message_status expected)
{
    struct maker maker;
    long at = 0;
    maker_init(&maker, route);
    for (; refused_at(&maker, event, at); at++)
        assert_int_equal(maker.status, MESSAGE_NO_MEMORY);
    assert_int_equal(maker.status, expected);
    maker_clear(&maker);
    return at;
}

#define EVERYTHING                                                                                 \
    "'topic': '{aggregate_type}.{attempts}', 'key': '{created_at}',"                               \
    " 'properties': {'priority': '{attempts}', 'expires': '{id}{id}'},"                            \
    " 'rules': [{'match': {'attempts': '9'}, 'drop': true},"                                       \
    "           {'match': {'created_at': '2023*'}, 'key': '{available_at}'}],"                     \
    " 'headers': {'prefix': 'p-', 'rename': {'a': 'b'}, 'set': {'x': '{type}{type}'}}"

static void any_piece_of_memory_may_be_refused(void **state)
{
    struct outbox_event event = full_event;
    (void)state;
    event.headers = (struct outbox_slice)SLICE("{\"a\":\"\\u00e9\",\"b\":\"\\n\",\"c\":\"c\"}");
    assert_true(exhaust("{" EVERYTHING "}", &event, MESSAGE_MADE) > 15);
    assert_true(exhaust("{" EVERYTHING ", 'format': 'cloudevents'}", &event, MESSAGE_MADE) > 17);
    assert_true(
        exhaust("{" EVERYTHING ", 'format': 'cloudevents-structured'}", &event, MESSAGE_MADE) > 18);
}

static void default_route_takes_one_piece(void **state)
{
    (void)state;
    assert_int_equal(exhaust("{}", &bare_event, MESSAGE_MADE), 1);
}

static void memory_may_be_refused_while_an_event_is_found_to_be_at_fault(void **state)
{
    static const char *const routes[] = {
        "{'topic': '{header:none}'}",
        "{'topic': '{header:none|}'}",
        "{'key': 'x{header:none}'}",
        "{'properties': {'priority': '{header:none}'}}",
        "{'headers': {'set': {'x': '{header:none}'}}}",
        "{'headers': {'rename': {'tenant': 'empty'}}}",
        "{'format': 'cloudevents', 'cloudevents': {'source': '{header:empty}'}}",
        "{'format': 'cloudevents', 'cloudevents': {'source': ' '}}",
        "{'format': 'cloudevents', 'cloudevents': {'subject': '{header:none}'}}",
        "{'format': 'cloudevents', 'cloudevents': {'content_type': '\\u0007'}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        assert_true(exhaust(routes[i], &full_event, MESSAGE_NEVER) > 0);
}

/* That they are wrong is known by then; only where is not told. */
static void wrong_headers_need_no_memory_to_be_told(void **state)
{
    struct maker maker;
    const struct outbox_event event = with_headers("[]");
    (void)state;
    maker_init(&maker, "{}");
    assert_true(refused_at(&maker, &event, 0));
    assert_int_equal(maker.status, MESSAGE_NEVER);
    assert_text(maker.why, "headers are not a JSON object");
    maker_clear(&maker);
}

static void memory_may_be_refused_before_an_event_is_dropped(void **state)
{
    (void)state;
    assert_true(exhaust("{'rules': [{'match': {'attempts': '3'}, 'drop': true}]}", &full_event,
                        MESSAGE_DROPPED) > 0);
}

static void memory_may_be_refused_for_the_known_destinations(void **state)
{
    struct maker maker;
    struct outbox_message *messages;
    uint64_t count;
    long at = 0;
    bool known = false;
    (void)state;
    maker_init(&maker, "{'topic': 'a', 'properties': {'priority': '1'},"
                       " 'rules': [{'match': {'type': '*'}, 'topic': 'b'}]}");
    for (; !known; at++) {
        arena_clear(&maker.arena);
        arena_init(&maker.arena, 1);
        left = at;
        known = route_known_destinations(maker.loaded.config->pipelines[0].route, &maker.arena,
                                         &messages, &count);
        assert_int_equal(known, left >= 0);
        left = -1;
    }
    assert_int_equal(count, 2);
    assert_true(at > 2);
    maker_clear(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_may_be_as_large_as_the_limit),
        cmocka_unit_test(payload_too_large_to_be_fetched_is_never_sent),
        cmocka_unit_test(envelope_counts_by_its_own_size),
        cmocka_unit_test(binary_mode_counts_the_payload_alone),
        cmocka_unit_test(payload_may_be_any_bytes_or_none),
        cmocka_unit_test(any_piece_of_memory_may_be_refused),
        cmocka_unit_test(default_route_takes_one_piece),
        cmocka_unit_test(memory_may_be_refused_while_an_event_is_found_to_be_at_fault),
        cmocka_unit_test(wrong_headers_need_no_memory_to_be_told),
        cmocka_unit_test(memory_may_be_refused_before_an_event_is_dropped),
        cmocka_unit_test(memory_may_be_refused_for_the_known_destinations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
