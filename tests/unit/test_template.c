/*
 * test_template.c - text made of an event
 * SPDX-License-Identifier: MIT
 */
#include "messages.h"

#include <string.h>

#define FIELDS                                                                                     \
    "id, type, partition_key, ordering_key, aggregate_type, aggregate_id, attempts, created_at, "  \
    "available_at, pipeline or header:NAME"

/* A template as the topic of a message of the full event. */
static void check(const char *template, const char *expected)
{
    struct maker maker;
    char route[256];
    assert_true(snprintf(route, sizeof(route), "{'topic': '%s'}", template) < (int)sizeof(route));
    make(&maker, route, &full_event);
    assert_text(maker.message.topic, expected);
    maker_clear(&maker);
}

static void every_field_is_rendered(void **state)
{
    static const struct {
        const char *template, *expected;
    } fields[] = {
        {"{id}", "00000000-0000-7000-8000-000000000001"},
        {"{type}", "order.created"},
        {"{partition_key}", "pk"},
        {"{ordering_key}", "ok"},
        {"{aggregate_type}", "order"},
        {"{aggregate_id}", "42"},
        {"{attempts}", "3"},
        {"{created_at}", "2023-11-14T22:13:20.123456Z"},
        {"{available_at}", "2023-11-14T22:13:21.000000Z"},
        {"{pipeline}", "orders"},
        {"{header:tenant}", "acme"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        char among[80], expected[80];
        check(fields[i].template, fields[i].expected);
        (void)snprintf(among, sizeof(among), "a-%s.b", fields[i].template);
        (void)snprintf(expected, sizeof(expected), "a-%s.b", fields[i].expected);
        check(among, expected);
    }
}

static void pieces_are_joined_in_order(void **state)
{
    (void)state;
    check("plain", "plain");
    check("{aggregate_type}{aggregate_id}", "order42");
    check("v1/{aggregate_type}/{type}/x", "v1/order/order.created/x");
    check("{type}{type}{type}", "order.createdorder.createdorder.created");
    check("x{header:empty}", "x");
    check("\xC3\xA9{partition_key}\xE2\x82\xAC", "\xC3\xA9pk\xE2\x82\xAC");
}

static void doubled_braces_are_braces(void **state)
{
    (void)state;
    check("{{", "{");
    check("}}", "}");
    check("{{type}}", "{type}");
    check("{{{type}}}", "{order.created}");
    check("a{{}}b{{{{{partition_key}}}}}c", "a{}b{{pk}}c");
}

static void instants_before_1970_and_far_ahead_are_written(void **state)
{
    static const struct {
        int64_t instant;
        const char *expected;
    } times[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {-1000000, "1969-12-31T23:59:59.000000Z"},
        {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
        {INT64_MAX, "294247-01-10T04:00:54.775807Z"},
        {INT64_MIN, "-290308-12-21T19:59:05.224192Z"},
    };
    struct maker maker;
    (void)state;
    maker_init(&maker, "{'topic': '{created_at}'}");
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct outbox_event event = bare_event;
        event.created_at = times[i].instant;
        maker_make(&maker, &event, NO_LIMIT);
        assert_text(maker.message.topic, times[i].expected);
    }
    maker_clear(&maker);
}

static void default_stands_for_a_missing_field(void **state)
{
    struct maker maker;
    (void)state;
    make(&maker, "{'topic': '{partition_key|none}-{header:a|b|c}-{aggregate_id|}.'}", &bare_event);
    assert_text(maker.message.topic, "none-b|c-.");
    maker_clear(&maker);
    check("{partition_key|none}", "pk");
    check("x{header:empty|none}", "x"); /* there, though empty */
}

static void single_field_with_an_empty_default_may_give_no_text(void **state)
{
    struct maker maker;
    (void)state;
    make(&maker, "{}", &bare_event);
    assert_text(maker.message.key, NULL);
    maker_clear(&maker);
    make(&maker, "{'key': '{header:k|}'}", &bare_event);
    assert_text(maker.message.key, NULL);
    maker_clear(&maker);
    make(&maker, "{'key': '{partition_key|}{ordering_key|}'}", &bare_event);
    assert_text(maker.message.key, "");
    maker_clear(&maker);
    make(&maker, "{'key': ''}", &bare_event);
    assert_text(maker.message.key, "");
    maker_clear(&maker);
    struct outbox_event event = bare_event;
    event.partition_key = (struct outbox_slice){"", 0};
    make(&maker, "{}", &event);
    assert_text(maker.message.key, ""); /* an empty key is a key */
    maker_clear(&maker);
}

static void missing_field_is_told_with_its_key(void **state)
{
    (void)state;
    assert_never("{'topic': '{aggregate_type}'}", &bare_event,
                 "route.topic needs aggregate_type, which the event does not have: write "
                 "{aggregate_type|...} with a default where it may be missing");
    assert_never("{'key': 'a.{header:tenant}'}", &bare_event,
                 "route.key needs header:tenant, which the event does not have: write "
                 "{header:tenant|...} with a default where it may be missing");
    assert_never("{'properties': {'expires': '{header:ttl}'}}", &bare_event,
                 "route.properties.expires needs header:ttl, which the event does not have: write "
                 "{header:ttl|...} with a default where it may be missing");
    assert_never("{'headers': {'set': {'who': '{header:user}'}}}", &bare_event,
                 "route.headers.set.who needs header:user, which the event does not have: write "
                 "{header:user|...} with a default where it may be missing");
    assert_never("{'format': 'cloudevents', 'cloudevents': {'subject': '{ordering_key}'}}",
                 &bare_event,
                 "route.cloudevents.subject needs ordering_key, which the event does not have: "
                 "write {ordering_key|...} with a default where it may be missing");
}

static void topic_without_a_text_is_never_sent(void **state)
{
    (void)state;
    assert_never("{'topic': '{header:tenant|}'}", &bare_event,
                 "route.topic gives no text for this event");
    assert_never("{'topic': '{header:a|}{header:b|}'}", &bare_event,
                 "route.topic gives no text for this event");
}

static void names_of_headers_differ_by_case(void **state)
{
    (void)state;
    check("{header:Tenant|none}", "none");
}

static void single_piece_is_not_copied(void **state)
{
    struct maker maker;
    (void)state;
    make(&maker, "{'topic': '{aggregate_type}', 'key': '{header:tenant}'}", &full_event);
    assert_ptr_equal(maker.message.topic.data, full_event.aggregate_type.data);
    assert_ptr_equal(maker.message.key.data, full_event.headers.data + strlen("{\"tenant\":\""));
    maker_clear(&maker);

    make(&maker, "{'topic': 'orders', 'key': '{ordering_key|none}'}", &bare_event);
    struct outbox_slice topic = maker.message.topic, key = maker.message.key;
    maker_make(&maker, &bare_event, NO_LIMIT);
    assert_ptr_equal(maker.message.topic.data, topic.data);
    assert_ptr_equal(maker.message.key.data, key.data);
    maker_clear(&maker);
}

static void wrong_templates_are_refused_where_they_stand(void **state)
{
    (void)state;
    assert_route_refused(
        "mailer", "{'topic': '{typ}', 'key': 'a{', 'properties': {'priority': '{id'}}",
        ".topic: {typ} is no field of an event; there are " FIELDS,
        ".key: a \"{\" has no \"}\"; a brace that is meant as such is written twice",
        ".properties.priority: a \"{\" has no \"}\"; a brace that is meant as such is written "
        "twice",
        NULL);
    assert_route_refused(
        "mailer",
        "{'rules': [{'match': {'type': '*'}, 'topic': 'a}'}],"
        " 'headers': {'set': {'a': '{}', 'b.c': '{{{type}}'}},"
        " 'cloudevents': {'source': '{header:}', 'subject': '{a{id}}'}}",
        ".rules[0].topic: a \"}\" has no \"{\"; a brace that is meant as such is written twice",
        ".headers.set.a: {} is no field of an event; there are " FIELDS,
        ".headers.set[\"b.c\"]: a \"}\" has no \"{\"; a brace that is meant as such is written "
        "twice",
        ".cloudevents.source: {header:} is no field of an event; there are " FIELDS,
        ".cloudevents.subject: a \"{\" has no \"}\"; a brace that is meant as such is written "
        "twice",
        NULL);
    assert_route_refused("mailer",
                         "{'topic': '{abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz|x}'}",
                         ".topic: {abcdefghijklmnopqrstuvwxyzabcdefghijklmn...} is no field of an "
                         "event; there are " FIELDS,
                         NULL);
    assert_route_refused("mailer", "{'topic': '{ type }'}",
                         ".topic: { type } is no field of an event; there are " FIELDS, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_rendered),
        cmocka_unit_test(pieces_are_joined_in_order),
        cmocka_unit_test(doubled_braces_are_braces),
        cmocka_unit_test(instants_before_1970_and_far_ahead_are_written),
        cmocka_unit_test(default_stands_for_a_missing_field),
        cmocka_unit_test(single_field_with_an_empty_default_may_give_no_text),
        cmocka_unit_test(missing_field_is_told_with_its_key),
        cmocka_unit_test(topic_without_a_text_is_never_sent),
        cmocka_unit_test(names_of_headers_differ_by_case),
        cmocka_unit_test(single_piece_is_not_copied),
        cmocka_unit_test(wrong_templates_are_refused_where_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
