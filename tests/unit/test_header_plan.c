/*
 * test_header_plan.c - the headers of a message out of those of the event
 * SPDX-License-Identifier: MIT
 */
#include "messages.h"

#include <string.h>

#define ID "00000000-0000-7000-8000-000000000002"
#define OWN "event-id", ID, "event-type", "order.created"

#define assert_headers(maker, ...)                                                                 \
    assert_pairs((maker).message.headers, (maker).message.header_count, __VA_ARGS__)

static void make_with(struct maker *maker, const char *plan, struct outbox_event *event,
                      const char *headers)
{
    char route[1024];
    *event = with_headers(headers);
    (void)snprintf(route, sizeof(route), "{'headers': {%s}}", plan);
    make(maker, route, event);
}

static void every_message_has_id_and_type(void **state)
{
    static const char *const nothings[] = {NULL, "", "{}", " { } "};
    (void)state;
    for (size_t i = 0; i < sizeof(nothings) / sizeof(nothings[0]); i++) {
        struct maker maker;
        struct outbox_event event = bare_event;
        if (nothings[i])
            event = with_headers(nothings[i]);
        make(&maker, "{}", &event);
        assert_headers(maker, OWN, NULL);
        assert_ptr_equal(maker.message.headers[0].value.data, event.id.data);
        maker_clear(&maker);
    }
}

static void headers_of_the_event_come_first_in_their_order(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker, "", &event, "{\"z\":\"1\",\"a\":2,\"m\":\"\"}");
    assert_headers(maker, "z", "1", "a", "2", "m", "", OWN, NULL);
    assert_ptr_equal(maker.message.headers[0].value.data, event.headers.data + strlen("{\"z\":\""));
    maker_clear(&maker);
}

static void own_headers_win_over_those_of_the_event(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker, "", &event,
              "{\"event-id\":\"forged\",\"a\":\"1\",\"event-type\":null,\"Event-Id\":\"other\"}");
    assert_headers(maker, "a", "1", "Event-Id", "other", OWN, NULL);
    maker_clear(&maker);
}

static void bad_headers_are_never_sent(void **state)
{
    const struct outbox_event event = with_headers("[1]");
    (void)state;
    assert_never("{}", &event, "headers are not a JSON object: no opening brace at byte 0");
}

static void many_headers_all_arrive(void **state)
{
    static char json[64 * 1024];
    struct maker maker;
    size_t len = 0;
    (void)state;
    maker_init(&maker, "{'headers': {'set': {'extra': '{id}', 'h7': 'set'}}}");
    for (unsigned count = 0; count < 1500; count = count * 2 + 1) {
        len = 0;
        for (unsigned i = 0; i < count; i++)
            len += (size_t)snprintf(json + len, sizeof(json) - len, "%c\"h%u\":\"%u\"",
                                    i == 0 ? '{' : ',', i, i);
        (void)snprintf(json + len, sizeof(json) - len, "%s", count == 0 ? "{}" : "}");
        struct outbox_event event = with_headers(json);
        maker_make(&maker, &event, NO_LIMIT);
        assert_int_equal(maker.status, MESSAGE_MADE);
        assert_int_equal(maker.message.header_count, count + 3 + (count <= 7));
        for (unsigned i = 0; i < count; i++) {
            char name[16], value[16];
            (void)snprintf(name, sizeof(name), "h%u", i);
            (void)snprintf(value, sizeof(value), "%u", i);
            assert_text(maker.message.headers[i].name, name);
            assert_text(maker.message.headers[i].value, i == 7 ? "set" : value);
        }
        assert_pairs(maker.message.headers + count, 3, OWN, "extra", ID, NULL);
    }
    maker_clear(&maker);
}

/* ---- Changes ------------------------------------------------------------------------------ */

static void dropped_headers_are_left_out(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker, "'drop': ['internal-*', 'x?', 'event-type', '\\\\*']", &event,
              "{\"internal-a\":1,\"x1\":1,\"x12\":2,\"*\":3,\"Internal-b\":4}");
    assert_headers(maker, "x12", "2", "Internal-b", "4", "event-id", ID, NULL);
    maker_clear(&maker);
    make_with(&maker, "'drop': ['*']", &event, "{\"a\":1}");
    assert_int_equal(maker.message.header_count, 0);
    maker_clear(&maker);
}

static void renamed_headers_stay_in_their_place(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker, "'rename': {'b': 'B', 'event-id': 'Nats-Msg-Id', 'gone': 'x'}", &event,
              "{\"a\":1,\"b\":2,\"c\":3}");
    assert_headers(maker, "a", "1", "B", "2", "c", "3", "Nats-Msg-Id", ID, "event-type",
                   "order.created", NULL);
    maker_clear(&maker);
}

static void names_can_be_swapped(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker, "'rename': {'a': 'b', 'b': 'a'}", &event, "{\"a\":1,\"b\":2}");
    assert_headers(maker, "b", "1", "a", "2", OWN, NULL);
    maker_clear(&maker);
}

static void prefix_goes_before_what_is_not_renamed(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker, "'prefix': 'app-', 'rename': {'b': 'B', 'event-id': 'event-id'}", &event,
              "{\"a\":1,\"b\":2}");
    assert_headers(maker, "app-a", "1", "B", "2", "event-id", ID, "app-event-type", "order.created",
                   NULL);
    maker_clear(&maker);
}

static void set_headers_are_added_or_replace(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker,
              "'set': {'a': 'new', 'who': '{pipeline}/{header:a}', 'event-type': '{type}.v1',"
              " 'no': '{header:no|}', 'empty': ''}",
              &event, "{\"a\":\"old\",\"no-such\":1}");
    assert_headers(maker, "a", "new", "no-such", "1", "event-id", ID, "event-type",
                   "order.created.v1", "who", "orders/old", "empty", "", NULL);
    maker_clear(&maker);
}

/* The steps are taken in the order of the documentation: drop, rename, prefix, set. */
static void steps_have_an_order(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker,
              "'set': {'p-kept': 's', 'old': 's2'}, 'prefix': 'p-', 'rename': {'old': 'x-new'},"
              " 'drop': ['x-*', 'p-*', 'gone', 'event-*']",
              &event, "{\"old\":1,\"gone\":2,\"kept\":\"{header:old}\"}");
    assert_headers(maker, "x-new", "1", "p-kept", "s", "old", "s2", NULL);
    maker_clear(&maker);
}

static void templates_see_the_headers_before_the_changes(void **state)
{
    struct maker maker;
    struct outbox_event event = with_headers("{\"a\":\"1\",\"b\":\"2\",\"event-id\":\"mine\"}");
    (void)state;
    make(&maker,
         "{'topic': '{header:a}', 'key': '{header:event-id}', 'headers': {'drop': ['*'],"
         " 'set': {'c': '{header:a}{header:b}'}}}",
         &event);
    assert_text(maker.message.topic, "1");
    assert_text(maker.message.key, "mine");
    assert_headers(maker, "c", "12", NULL);
    maker_clear(&maker);
}

/* ---- Two of a name ------------------------------------------------------------------------ */

static void headers_that_come_to_share_a_name_are_never_sent(void **state)
{
    struct outbox_event event = with_headers("{\"a\":1,\"b\":2}");
    (void)state;
    assert_never(
        "{'headers': {'rename': {'a': 'b'}}}", &event,
        "two headers of the event are called \"b\" after route.headers.rename and .prefix: "
        "choose another name");
    assert_never("{'headers': {'rename': {'a': 'event-id'}}}", &event,
                 "two headers of the event are called \"event-id\" after route.headers.rename and "
                 ".prefix: choose another name");
    event = with_headers("{\"a\":1,\"x\":2}");
    assert_never("{'headers': {'prefix': 'p-', 'rename': {'a': 'p-x'}}}", &event,
                 "two headers of the event are called \"p-x\" after route.headers.rename and "
                 ".prefix: choose another name");
}

static void name_that_became_free_can_be_taken(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker, "'rename': {'a': 'b'}, 'drop': ['b']", &event, "{\"a\":1,\"b\":2}");
    assert_headers(maker, "b", "1", OWN, NULL);
    maker_clear(&maker);
}

static void names_without_a_sense_are_refused(void **state)
{
    (void)state;
    assert_route_refused("mailer",
                         "{'headers': {'rename': {'a': '', 'b': 'x', 'c': 'x'}, 'set': {'': '1'},"
                         " 'drop': 'x', 'prefx': 'y'}}",
                         ".headers.prefx: unknown key; did you mean \"prefix\"?",
                         ".headers.drop: found \"x\", allowed is an array of texts",
                         ".headers.rename.a: the name is empty; allowed is that of a header",
                         ".headers.rename.c: \"x\" is the new name of \"b\" already",
                         ".headers.set[\"\"]: the name is empty; allowed is that of a header",
                         NULL);
}

static void raw_messages_may_have_a_header_content_type(void **state)
{
    struct maker maker;
    struct outbox_event event;
    (void)state;
    make_with(&maker, "'set': {'content-type': 'text/plain'}", &event,
              "{\"Content-Type\":\"a/b\"}");
    assert_headers(maker, "Content-Type", "a/b", OWN, "content-type", "text/plain", NULL);
    assert_text(maker.message.content_type, NULL);
    assert_int_equal(maker.message.attribute_count, 0);
    maker_clear(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_has_id_and_type),
        cmocka_unit_test(headers_of_the_event_come_first_in_their_order),
        cmocka_unit_test(own_headers_win_over_those_of_the_event),
        cmocka_unit_test(bad_headers_are_never_sent),
        cmocka_unit_test(many_headers_all_arrive),
        cmocka_unit_test(dropped_headers_are_left_out),
        cmocka_unit_test(renamed_headers_stay_in_their_place),
        cmocka_unit_test(names_can_be_swapped),
        cmocka_unit_test(prefix_goes_before_what_is_not_renamed),
        cmocka_unit_test(set_headers_are_added_or_replace),
        cmocka_unit_test(steps_have_an_order),
        cmocka_unit_test(templates_see_the_headers_before_the_changes),
        cmocka_unit_test(headers_that_come_to_share_a_name_are_never_sent),
        cmocka_unit_test(name_that_became_free_can_be_taken),
        cmocka_unit_test(names_without_a_sense_are_refused),
        cmocka_unit_test(raw_messages_may_have_a_header_content_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
