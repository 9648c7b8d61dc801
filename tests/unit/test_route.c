/*
 * test_route.c - patterns, rules, and where events go by them
 * SPDX-License-Identifier: MIT
 */
#include "glob.h"
#include "messages.h"

#include <string.h>

/* ---- Patterns ----------------------------------------------------------------------------- */

static void patterns_fit_whole_texts(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"a", "a", true},
        {"a", "A", false},
        {"a", "ab", false},
        {"b", "ab", false},
        {"*", "", true},
        {"*", "a.b/c", true},
        {"**", "", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"?*", "", false},
        {"?*?", "ab", true},
        {"?*?", "a", false},
        {"order.*", "order.", true},
        {"order.*", "order", false},
        {"order.*", "border.x", false},
        {"*.created", "order.item.created", true},
        {"*.created", "created", false},
        {"*a*b", "aab", true},
        {"*ab", "aaab", true},
        {"*aab*", "aaaaab", true},
        {"*a*a*a*b", "aaaaaaaaaaaa", false},
        {"a*b*c", "abbbc", true},
        {"a*b*c", "acbc", true},
        {"a*b*c", "acb", false},
        {"*.v?.*", "x.v.v2.y", true},
        {"a?c*", "abcabc", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"\\?", "?", true},
        {"\\?", "a", false},
        {"\\\\", "\\", true},
        {"\\a", "a", true},
        {"*\\*", "ab*", true},
        {"*\\*", "ab*c", false},
        {"*\\*c", "a*b*c", true},
        {"\\", "\\", true}, /* takes nothing: it is itself */
        {"a\\", "a\\", true},
        {"[a]", "a", false},
        {"[a]", "[a]", true},
        {"\xC3\xA9*", "\xC3\xA9t\xC3\xA9", true},
        {"??", "\xC3\xA9", true}, /* bytes, not characters */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (glob_matches(outbox_slice_of(cases[i].pattern), outbox_slice_of(cases[i].text)) !=
            cases[i].fits)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
}

static void nul_bytes_are_bytes(void **state)
{
    (void)state;
    assert_true(glob_matches((struct outbox_slice){"a?b", 3}, (struct outbox_slice){"a\0b", 3}));
    assert_false(glob_matches((struct outbox_slice){"a", 1}, (struct outbox_slice){"a\0", 2}));
    assert_true(glob_matches((struct outbox_slice){"*", 1}, (struct outbox_slice){NULL, 0}));
}

/* Were a '*' to try all that the ones before it could be, this would take for ever. */
static void many_stars_take_no_time(void **state)
{
    char text[4096], pattern[256];
    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(pattern); i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[sizeof(pattern) - 1] = 'b';
    assert_false(glob_matches((struct outbox_slice){pattern, sizeof(pattern)},
                              (struct outbox_slice){text, sizeof(text)}));
}

/* ---- Rules -------------------------------------------------------------------------------- */

static void check_topic(struct maker *maker, const struct outbox_event *event, const char *expected)
{
    maker_make(maker, event, NO_LIMIT);
    assert_int_equal(maker->status, MESSAGE_MADE);
    assert_text(maker->message.topic, expected);
}

static void first_rule_that_matches_decides(void **state)
{
    struct maker maker;
    struct outbox_event event = full_event;
    (void)state;
    maker_init(&maker, "{'topic': 'rest', 'rules': ["
                       " {'match': {'type': 'order.*', 'header:tenant': 'acme'}, 'topic': 'both'},"
                       " {'match': {'type': 'order.*'}, 'topic': 'orders'},"
                       " {'match': {'type': 'order.created'}, 'topic': 'never'},"
                       " {'match': {'attempts': '?'}, 'topic': 'tried'}]}");
    check_topic(&maker, &full_event, "both");
    event.headers = (struct outbox_slice)SLICE("{\"tenant\":\"other\"}");
    check_topic(&maker, &event, "orders");
    event.type = (struct outbox_slice)SLICE("invoice");
    check_topic(&maker, &event, "tried");
    event.attempts = 10;
    check_topic(&maker, &event, "rest");
    maker_clear(&maker);
}

static void every_field_can_be_matched(void **state)
{
    static const char *const matches[] = {
        "'id': '*001'",         "'type': 'order.created'", "'partition_key': 'p?'",
        "'ordering_key': 'ok'", "'aggregate_type': 'o*'",  "'aggregate_id': '42'",
        "'attempts': '3'",      "'created_at': '2023-*Z'", "'available_at': '*21.000000Z'",
        "'pipeline': 'orders'", "'header:tenant': 'a*'",   "'header:empty': ''",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        struct maker maker;
        char route[160];
        (void)snprintf(route, sizeof(route), "{'rules': [{'match': {%s}, 'topic': 'found'}]}",
                       matches[i]);
        make(&maker, route, &full_event);
        assert_text(maker.message.topic, "found");
        maker_clear(&maker);
    }
}

static void missing_field_matches_nothing(void **state)
{
    struct maker maker;
    struct outbox_event event = bare_event;
    (void)state;
    maker_init(&maker, "{'topic': 'rest', 'rules': ["
                       " {'match': {'aggregate_type': '*'}, 'topic': 'aggregate'},"
                       " {'match': {'header:tenant': '*'}, 'topic': 'tenant'},"
                       " {'match': {'header:tenant': ''}, 'topic': 'empty'}]}");
    check_topic(&maker, &bare_event, "rest");
    event.aggregate_type = (struct outbox_slice){"", 0};
    check_topic(&maker, &event, "aggregate"); /* there, though empty */
    maker_clear(&maker);
}

static void dropped_event_becomes_no_message(void **state)
{
    struct maker maker;
    struct outbox_event event = bare_event;
    (void)state;
    maker_init(&maker, "{'topic': '{header:needed}', 'rules': ["
                       " {'match': {'type': 'order.*'}, 'drop': true},"
                       " {'match': {'type': '*'}, 'drop': false, 'topic': 'kept'}]}");
    event.payload_size = NO_LIMIT; /* not even one that could never be sent */
    maker_make(&maker, &event, 10);
    assert_int_equal(maker.status, MESSAGE_DROPPED);
    event = bare_event;
    event.type = (struct outbox_slice)SLICE("invoice");
    check_topic(&maker, &event, "kept");
    maker_clear(&maker);
}

/* A dropped event is looked at like any other: one that cannot be read is not known to match. */
static void event_with_bad_headers_is_not_dropped(void **state)
{
    const struct outbox_event event = with_headers("{");
    (void)state;
    assert_never("{'rules': [{'match': {'type': '*'}, 'drop': true}]}", &event,
                 "headers are not a JSON object: the text ends too early at byte 1");
}

static void rule_inherits_what_it_leaves_out(void **state)
{
    struct maker maker;
    (void)state;
    make(&maker,
         "{'topic': 'base', 'key': 'k', 'properties': {'priority': '1', 'expires': '{type}'},"
         " 'rules': [{'match': {'type': '*'}, 'properties': {'expires': '9'}}]}",
         &full_event);
    assert_text(maker.message.topic, "base");
    assert_text(maker.message.key, "k");
    assert_pairs(maker.message.properties, maker.message.property_count, "expires", "9", "priority",
                 "1", NULL);
    maker_clear(&maker);

    make(&maker,
         "{'topic': 'base', 'key': 'k', 'properties': {'priority': '1'},"
         " 'rules': [{'match': {'type': '*'}, 'topic': 't', 'key': ''}]}",
         &full_event);
    assert_text(maker.message.topic, "t");
    assert_text(maker.message.key, "");
    assert_pairs(maker.message.properties, maker.message.property_count, "priority", "1", NULL);
    maker_clear(&maker);
}

static void wrong_rules_are_refused_all_at_once(void **state)
{
    (void)state;
    assert_route_refused(
        "mailer",
        "{'rules': [{'match': {}}, {'match': {'typ': 'x', 'header:': 'y'}, 'topic': ''},"
        " {'topic': 'x'}, 5, {'match': {'type': 'a'}, 'drop': true, 'topic': 'x'},"
        " {'match': {'type': 'a'}, 'drop': true, 'key': ''},"
        " {'match': {'type': 'a'}, 'drop': true, 'properties': {}},"
        " {'match': 'order.*'}, {'match': {'type': 5}, 'tpoic': 'x'}]}",
        ".rules[0].match: is empty; allowed is at least one field and its pattern, {\"type\": "
        "\"*\"} for every event",
        ".rules[1].match.typ: no field of an event; allowed is id, type, partition_key, "
        "ordering_key, aggregate_type, aggregate_id, attempts, created_at, available_at, pipeline "
        "or header:NAME",
        ".rules[1].match[\"header:\"]: no field of an event; allowed is id, type, partition_key, "
        "ordering_key, aggregate_type, aggregate_id, attempts, created_at, available_at, pipeline "
        "or header:NAME",
        ".rules[1].topic: is empty; allowed is a template with a text",
        ".rules[2].match: missing; this key is required: an object whose values are text",
        ".rules[3]: found 5, allowed is an object",
        ".rules[4]: drops its events, so it cannot have topic, key or properties: leave out these "
        "or \"drop\"",
        ".rules[5]: drops its events, so it cannot have topic, key or properties: leave out these "
        "or \"drop\"",
        ".rules[6]: drops its events, so it cannot have topic, key or properties: leave out these "
        "or \"drop\"",
        ".rules[7].match: found \"order.*\", allowed is an object whose values are text",
        ".rules[8].tpoic: unknown key; did you mean \"topic\"?",
        ".rules[8].match.type: found 5, allowed is text in quotes", NULL);
    assert_route_refused("mailer", "{'rules': {'match': {'type': 'x'}}}",
                         ".rules: found an object, allowed is an array of objects", NULL);
    assert_route_refused("mailer", "{'topic': ''}",
                         ".topic: is empty; allowed is a template with a text", NULL);
}

/* ---- Properties --------------------------------------------------------------------------- */

static void properties_are_rendered(void **state)
{
    struct maker maker;
    (void)state;
    make(&maker, "{'properties': {'priority': '{header:p|}', 'expires': '{attempts}s'}}",
         &full_event);
    assert_pairs(maker.message.properties, maker.message.property_count, "expires", "3s", NULL);
    maker_clear(&maker);
    make(&maker, "{}", &full_event);
    assert_int_equal(maker.message.property_count, 0);
    maker_clear(&maker);
}

static void unknown_property_is_refused_with_the_nearest(void **state)
{
    (void)state;
    assert_route_refused(
        "mailer",
        "{'properties': {'prioritty': '1', 'priority': '1'},"
        " 'rules': [{'match': {'type': '*'}, 'properties': {'exchange': 'x'}}]}",
        ".properties.prioritty: the publisher mailer has no such property of a message; did you "
        "mean \"priority\"?",
        ".rules[0].properties.exchange: the publisher mailer has no such property of a message; "
        "allowed is priority, expires",
        NULL);
    assert_route_refused("sample", "{'properties': {'priority': '1'}}",
                         ".properties.priority: the publisher sample has no such property of a "
                         "message; allowed is nothing",
                         NULL);
}

/* ---- What check --connect is told --------------------------------------------------------- */

static void destinations_that_depend_on_no_event_are_known(void **state)
{
    struct maker maker;
    struct outbox_message *messages;
    uint64_t count;
    (void)state;
    maker_init(&maker, "{'topic': 'rest', 'properties': {'priority': '1'}, 'rules': ["
                       " {'match': {'type': 'a'}, 'drop': true},"
                       " {'match': {'type': 'b'}, 'topic': '{type}'},"
                       " {'match': {'type': 'c'}, 'topic': 'v{{1}}', 'key': '{id}'},"
                       " {'match': {'type': 'd'}, 'properties': {'expires': '{header:ttl}'}}]}");
    assert_true(route_known_destinations(maker.loaded.config->pipelines[0].route, &maker.arena,
                                         &messages, &count));
    assert_int_equal(count, 2);
    assert_text(messages[0].topic, "v{1}");
    assert_pairs(messages[0].properties, messages[0].property_count, "priority", "1", NULL);
    assert_text(messages[1].topic, "rest");
    assert_null(messages[0].event);
    maker_clear(&maker);

    maker_init(&maker, "{}");
    assert_true(route_known_destinations(maker.loaded.config->pipelines[0].route, &maker.arena,
                                         &messages, &count));
    assert_int_equal(count, 0);
    maker_clear(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_fit_whole_texts),
        cmocka_unit_test(nul_bytes_are_bytes),
        cmocka_unit_test(many_stars_take_no_time),
        cmocka_unit_test(first_rule_that_matches_decides),
        cmocka_unit_test(every_field_can_be_matched),
        cmocka_unit_test(missing_field_matches_nothing),
        cmocka_unit_test(dropped_event_becomes_no_message),
        cmocka_unit_test(event_with_bad_headers_is_not_dropped),
        cmocka_unit_test(rule_inherits_what_it_leaves_out),
        cmocka_unit_test(wrong_rules_are_refused_all_at_once),
        cmocka_unit_test(properties_are_rendered),
        cmocka_unit_test(unknown_property_is_refused_with_the_nearest),
        cmocka_unit_test(destinations_that_depend_on_no_event_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
