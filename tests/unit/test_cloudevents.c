/*
 * test_cloudevents.c - events as CloudEvents 1.0, in binary and in structured mode
 * SPDX-License-Identifier: MIT
 */
#include "messages.h"

#include <jansson.h>
#include <string.h>

#define BINARY "'format': 'cloudevents'"
#define STRUCTURED "'format': 'cloudevents-structured'"
#define ID "00000000-0000-7000-8000-000000000002"
#define TIME "1970-01-01T00:00:00.000000Z"
#define FORBIDDEN                                                                                  \
    " has a character that a CloudEvent must not have: a control character, a noncharacter, or "   \
    "bytes that are not UTF-8"

/* ---- Binary mode -------------------------------------------------------------------------- */

static void binary_mode_leaves_the_payload_alone(void **state)
{
    struct maker maker;
    (void)state;
    make(&maker, "{" BINARY "}", &full_event);
    assert_ptr_equal(maker.message.payload.data, full_event.payload.data);
    assert_int_equal(maker.message.payload.len, full_event.payload.len);
    assert_text(maker.message.content_type, "application/json");
    assert_pairs(maker.message.attributes, maker.message.attribute_count, "specversion", "1.0",
                 "id", "00000000-0000-7000-8000-000000000001", "source", "/outbox/orders", "type",
                 "order.created", "subject", "42", "time", "2023-11-14T22:13:20.123456Z",
                 "partitionkey", "pk", NULL);
    assert_pairs(maker.message.headers, maker.message.header_count, "tenant", "acme", "empty", "",
                 "event-id", "00000000-0000-7000-8000-000000000001", "event-type", "order.created",
                 NULL);
    maker_clear(&maker);
}

static void attributes_without_a_value_are_left_out(void **state)
{
    struct maker maker;
    struct outbox_event event = with_headers("{\"traceparent\":\"\",\"tracestate\":\"\"}");
    (void)state;
    event.partition_key = event.aggregate_id = (struct outbox_slice){"", 0};
    make(&maker, "{" BINARY ", 'cloudevents': {'content_type': ''}}", &event);
    assert_pairs(maker.message.attributes, maker.message.attribute_count, "specversion", "1.0",
                 "id", ID, "source", "/outbox/orders", "type", "order.created", "time", TIME, NULL);
    assert_text(maker.message.content_type, NULL);
    maker_clear(&maker);
}

static void attributes_are_taken_from_templates_key_and_headers(void **state)
{
    struct maker maker;
    struct outbox_event event = with_headers("{\"traceparent\":\"00-0af7-b7ad-01\",\"tracestate\":"
                                             "\"a=1\",\"tenant\":\"acme\"}");
    (void)state;
    make(&maker,
         "{" BINARY ", 'key': 'k-{header:tenant}', 'cloudevents': {'source':"
         " 'urn:tenant:{header:tenant}', 'subject': '{attempts}'}}",
         &event);
    assert_pairs(maker.message.attributes, maker.message.attribute_count, "specversion", "1.0",
                 "id", ID, "source", "urn:tenant:acme", "type", "order.created", "subject", "0",
                 "time", TIME, "partitionkey", "k-acme", "traceparent", "00-0af7-b7ad-01",
                 "tracestate", "a=1", NULL);
    maker_clear(&maker);
}

static void content_type_of_the_event_is_no_header_any_more(void **state)
{
    struct maker maker;
    struct outbox_event event = with_headers("{\"a\":1,\"Content-Type\":\"text/plain\",\"b\":2}");
    (void)state;
    make(&maker, "{" BINARY ", 'headers': {'prefix': 'x-', 'drop': ['b']}}", &event);
    assert_text(maker.message.content_type, "text/plain");
    assert_pairs(maker.message.headers, maker.message.header_count, "x-a", "1", "x-event-id", ID,
                 "x-event-type", "order.created", NULL);
    maker_clear(&maker);
    make(&maker, "{" STRUCTURED "}", &event);
    assert_text(maker.message.content_type, "application/cloudevents+json");
    assert_pairs(maker.message.headers, maker.message.header_count, "a", "1", "b", "2", "event-id",
                 ID, "event-type", "order.created", NULL);
    maker_clear(&maker);
}

static void time_that_rfc_3339_cannot_write_is_left_out(void **state)
{
    static const int64_t beyond[] = {INT64_MAX, INT64_MIN, INT64_C(253402300800000000)};
    struct maker maker;
    (void)state;
    maker_init(&maker, "{" BINARY "}");
    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        struct outbox_event event = bare_event;
        event.created_at = beyond[i];
        maker_make(&maker, &event, NO_LIMIT);
        assert_int_equal(maker.status, MESSAGE_MADE);
        assert_pairs(maker.message.attributes, maker.message.attribute_count, "specversion", "1.0",
                     "id", ID, "source", "/outbox/orders", "type", "order.created", NULL);
    }
    maker_clear(&maker);
}

/* ---- What can be no CloudEvent ------------------------------------------------------------ */

static void required_attributes_must_not_be_empty(void **state)
{
    struct outbox_event event = bare_event;
    (void)state;
    event.type.len = 0;
    assert_never("{" BINARY ", 'topic': 't'}", &event,
                 "the event's type is empty, and a CloudEvent must have one");
    assert_never("{" STRUCTURED ", 'topic': 't'}", &event,
                 "the event's type is empty, and a CloudEvent must have one");
    event = bare_event;
    event.id.len = 0;
    assert_never("{" BINARY "}", &event, "the event's id is empty, and a CloudEvent must have one");
    assert_never("{" BINARY ", 'cloudevents': {'source': '{aggregate_type|}'}}", &bare_event,
                 "route.cloudevents.source is empty, and a CloudEvent must have one");
    assert_route_refused("mailer", "{" BINARY ", 'cloudevents': {'source': ''}}",
                         ".cloudevents.source: is empty; allowed is a template with a text", NULL);
}

static void source_must_be_a_uri_reference(void **state)
{
    static const char *const wrong[] = {"a b", "\xC3\xA9", "a\"b", "<a>", "a\\b", "{", "a|b", "^"};
    struct maker maker;
    struct outbox_event event = bare_event;
    (void)state;
    maker_init(&maker, "{" BINARY ", 'cloudevents': {'source': '{aggregate_type}'}}");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char why[200];
        event.aggregate_type = outbox_slice_of(wrong[i]);
        (void)snprintf(why, sizeof(why),
                       "route.cloudevents.source gives \"%s\", which is no URI reference: it has a "
                       "character that must be written %%XX",
                       wrong[i]);
        maker_make(&maker, &event, NO_LIMIT);
        assert_int_equal(maker.status, MESSAGE_NEVER);
        assert_text(maker.why, why);
    }
    event.aggregate_type = (struct outbox_slice){"a\0b", 3};
    maker_make(&maker, &event, NO_LIMIT);
    assert_int_equal(maker.status, MESSAGE_NEVER);
    event.aggregate_type = outbox_slice_of("https://u@h:1/a%20b;c=d?e=f&g=[h]#i~j'k(l)*+,!$-_.");
    maker_make(&maker, &event, NO_LIMIT);
    assert_int_equal(maker.status, MESSAGE_MADE);
    maker_clear(&maker);
}

static void attributes_must_be_proper_text(void **state)
{
    static const struct outbox_slice wrong[] = {
        SLICE("a\nb"),
        SLICE("\x1f"),
        SLICE("a\0b"),
        SLICE("\x7f"),
        SLICE("\xC2\x85"),
        SLICE("\xEF\xBF\xBE"),
        SLICE("\xEF\xB7\x90"),
        SLICE("\xEF\xB7\xAF"),
        SLICE("\xF0\x9F\xBF\xBF"),
        SLICE("\xF4\x8F\xBF\xBE"),
        SLICE("\xC3"),
        SLICE("\xED\xA0\x80"),
    };
    static const struct outbox_slice right[] = {
        SLICE("\xC2\xA0"),         SLICE("\xEF\xBF\xBD"),
        SLICE("\xEF\xB7\x8F"),     SLICE("\xEF\xB7\xB0"),
        SLICE("\xF0\x9F\x98\x80"), SLICE("\xF0\x9F\xBE\xBF"),
        SLICE("\xF0\x90\xBF\xBD"), SLICE("\"\\/ ")};
    struct maker maker;
    struct outbox_event event = bare_event;
    (void)state;
    maker_init(&maker, "{" BINARY "}");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        event.aggregate_id = wrong[i];
        maker_make(&maker, &event, NO_LIMIT);
        assert_int_equal(maker.status, MESSAGE_NEVER);
        assert_text(maker.why, "the attribute subject" FORBIDDEN);
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        event.aggregate_id = right[i];
        maker_make(&maker, &event, NO_LIMIT);
        assert_int_equal(maker.status, MESSAGE_MADE);
    }
    maker_clear(&maker);
    event = bare_event;
    event.type = (struct outbox_slice)SLICE("a\tb");
    assert_never("{" STRUCTURED "}", &event, "the attribute type" FORBIDDEN);
    event = bare_event;
    event.partition_key = (struct outbox_slice)SLICE("a\x1f"
                                                     "b");
    assert_never("{" STRUCTURED "}", &event, "the attribute partitionkey" FORBIDDEN);
    event = with_headers("{\"content-type\":\"text/plain\\n\"}");
    assert_never("{" BINARY "}", &event, "the attribute datacontenttype" FORBIDDEN);
}

static void formats_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    assert_route_refused(
        "sample", "{" BINARY "}",
        ".format: found \"cloudevents\", but the publisher sample has no place for "
        "attributes; allowed is raw or cloudevents-structured",
        NULL);
    assert_route_refused("mailer", "{'format': 'cloudevent'}",
                         ".format: found \"cloudevent\", allowed is one of raw, "
                         "cloudevents, cloudevents-structured",
                         NULL);
    assert_route_refused(
        "mailer",
        "{" BINARY
        ", 'headers': {'set': {'Content-Type': 'a/b'}, 'rename': {'ct': 'content-type'}}}",
        ".headers.rename.ct: the format has a place of its own for \"content-type\": it is that of "
        "the event, else route.cloudevents.content_type",
        ".headers.set.Content-Type: the format has a place of its own for \"content-type\": it is "
        "that of the event, else route.cloudevents.content_type",
        NULL);
    struct maker maker;
    maker_init(&maker, "{" STRUCTURED "}");
    maker_clear(&maker);
}

/* ---- Structured mode ---------------------------------------------------------------------- */

static json_t *envelope_of(const struct maker *maker)
{
    json_error_t error;
    assert_text(maker->message.content_type, "application/cloudevents+json");
    assert_int_equal(maker->message.attribute_count, 0);
    json_t *envelope = json_loadb(maker->message.payload.data, maker->message.payload.len,
                                  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!envelope)
        fail_msg("%s at byte %d of %.*s", error.text, error.position,
                 (int)maker->message.payload.len, maker->message.payload.data);
    return envelope;
}

static void assert_member(const json_t *envelope, const char *name, const char *expected)
{
    const json_t *member = json_object_get(envelope, name);
    if (!expected) {
        assert_null(member);
        return;
    }
    assert_non_null(json_string_value(member));
    assert_string_equal(json_string_value(member), expected);
}

static void envelope_holds_attributes_and_data(void **state)
{
    struct maker maker;
    (void)state;
    make(&maker, "{" STRUCTURED "}", &full_event);
    json_t *envelope = envelope_of(&maker), *data = json_pack("{s:i}", "id", 42);
    assert_int_equal(json_object_size(envelope), 9);
    assert_member(envelope, "specversion", "1.0");
    assert_member(envelope, "id", "00000000-0000-7000-8000-000000000001");
    assert_member(envelope, "source", "/outbox/orders");
    assert_member(envelope, "type", "order.created");
    assert_member(envelope, "subject", "42");
    assert_member(envelope, "time", "2023-11-14T22:13:20.123456Z");
    assert_member(envelope, "partitionkey", "pk");
    assert_member(envelope, "datacontenttype", "application/json");
    assert_true(json_equal(json_object_get(envelope, "data"), data));
    json_decref(data);
    json_decref(envelope);
    maker_clear(&maker);
}

static void odd_attributes_are_escaped(void **state)
{
    static const char odd[] = "q\"b\\s/ \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80'<>&";
    struct maker maker;
    struct outbox_event event = bare_event;
    (void)state;
    event.type = event.aggregate_id = event.partition_key = outbox_slice_of(odd);
    make(&maker, "{" STRUCTURED ", 'topic': 't'}", &event);
    json_t *envelope = envelope_of(&maker);
    assert_member(envelope, "type", odd);
    assert_member(envelope, "subject", odd);
    assert_member(envelope, "partitionkey", odd);
    json_decref(envelope);
    maker_clear(&maker);
}

/* The member behind the attributes, to the byte. */
static void check_data(const char *content_type, const void *bytes, size_t len,
                       const char *expected)
{
    struct maker maker;
    char headers[120], route[160];
    struct outbox_event event = with_payload(bytes, len);
    (void)snprintf(headers, sizeof(headers), "{\"content-type\":\"%s\"}", content_type);
    event.headers = outbox_slice_of(headers);
    (void)snprintf(route, sizeof(route), "{" STRUCTURED ", 'cloudevents': {'content_type': ''}}");
    make(&maker, route, &event);
    struct outbox_slice payload = maker.message.payload;
    json_t *envelope = json_loadb(payload.data, payload.len, 0, NULL);
    assert_non_null(envelope);
    json_decref(envelope);
    size_t tail = strlen(expected);
    assert_true(payload.len > tail);
    assert_text((struct outbox_slice){payload.data + payload.len - tail, tail}, expected);
    maker_clear(&maker);
}

static void json_is_embedded_byte_for_byte(void **state)
{
    static const char *const types[] = {"application/json",
                                        "Application/JSON",
                                        "text/json",
                                        "application/vnd.acme+json",
                                        "application/json; charset=utf-8",
                                        "application/problem+json ;x=\\\"y\\\"",
                                        ""};
    static const char *const payloads[] = {"{}",
                                           "[ 1 , 2.50e+3 ]",
                                           " \n{\"b\":1,\"a\":\"\\u00e9\xC3\xA9\",\"b\":2}\r\n",
                                           "null",
                                           "\"text\"",
                                           "-0",
                                           "123456789012345678901234567890.5",
                                           "true"};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        for (size_t j = 0; j < sizeof(payloads) / sizeof(payloads[0]); j++) {
            char expected[120];
            (void)snprintf(expected, sizeof(expected), ",\"data\":%s}", payloads[j]);
            check_data(types[i], payloads[j], strlen(payloads[j]), expected);
        }
}

static void all_else_is_in_base64(void **state)
{
    static const struct {
        const char *type;
        struct outbox_slice payload;
        const char *expected;
    } cases[] = {
        {"application/json", SLICE(""), ",\"data_base64\":\"\"}"},
        {"application/json", SLICE(" "), ",\"data_base64\":\"IA==\"}"},
        {"application/json", SLICE("{\"a\":}"), ",\"data_base64\":\"eyJhIjp9\"}"},
        {"application/json", SLICE("{} {}"), ",\"data_base64\":\"e30ge30=\"}"},
        {"application/json", SLICE("1}"), ",\"data_base64\":\"MX0=\"}"},
        {"application/json", SLICE("01"), ",\"data_base64\":\"MDE=\"}"},
        {"application/json", SLICE("NaN"), ",\"data_base64\":\"TmFO\"}"},
        {"application/json", SLICE("\"\xFF\""), ",\"data_base64\":\"Iv8i\"}"},
        {"application/json", SLICE("\"\\ud800\""), ",\"data_base64\":\"Ilx1ZDgwMCI=\"}"},
        {"application/json", SLICE("\"a\0\""), ",\"data_base64\":\"ImEAIg==\"}"},
        {"application/json", SLICE("\xEF\xBB\xBF{}"), ",\"data_base64\":\"77u/e30=\"}"},
        {"", SLICE("\xDE\xAD"), ",\"data_base64\":\"3q0=\"}"},
        {"text/plain", SLICE("{}"), ",\"data_base64\":\"e30=\"}"},
        {"application/jsonx", SLICE("{}"), ",\"data_base64\":\"e30=\"}"},
        {"application/xjson", SLICE("{}"), ",\"data_base64\":\"e30=\"}"},
        {"json", SLICE("{}"), ",\"data_base64\":\"e30=\"}"},
        {"text/plain; x=/json", SLICE("{}"), ",\"data_base64\":\"e30=\"}"},
        {"application/avro", SLICE("\x00\x01\x02"), ",\"data_base64\":\"AAEC\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_data(cases[i].type, cases[i].payload.data, cases[i].payload.len, cases[i].expected);
}

static void envelope_without_a_content_type_does_not_name_one(void **state)
{
    struct maker maker;
    (void)state;
    make(&maker, "{" STRUCTURED ", 'cloudevents': {'content_type': ''}}", &full_event);
    json_t *envelope = envelope_of(&maker);
    assert_member(envelope, "datacontenttype", NULL);
    assert_non_null(json_object_get(envelope, "data"));
    json_decref(envelope);
    maker_clear(&maker);
}

/* So deep that a reader may not follow: such JSON is not embedded. */
static void deep_json_is_in_base64(void **state)
{
    char payload[2 * 65];
    (void)state;
    memset(payload, '[', 64), memset(payload + 64, ']', 64);
    struct maker maker;
    struct outbox_event event = with_payload(payload, 128);
    make(&maker, "{" STRUCTURED "}", &event);
    json_t *envelope = envelope_of(&maker);
    assert_non_null(json_object_get(envelope, "data"));
    json_decref(envelope);
    memset(payload, '[', 65), memset(payload + 65, ']', 65);
    event = with_payload(payload, 130);
    maker_make(&maker, &event, NO_LIMIT);
    envelope = envelope_of(&maker);
    assert_non_null(json_object_get(envelope, "data_base64"));
    json_decref(envelope);
    maker_clear(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_mode_leaves_the_payload_alone),
        cmocka_unit_test(attributes_without_a_value_are_left_out),
        cmocka_unit_test(attributes_are_taken_from_templates_key_and_headers),
        cmocka_unit_test(content_type_of_the_event_is_no_header_any_more),
        cmocka_unit_test(time_that_rfc_3339_cannot_write_is_left_out),
        cmocka_unit_test(required_attributes_must_not_be_empty),
        cmocka_unit_test(source_must_be_a_uri_reference),
        cmocka_unit_test(attributes_must_be_proper_text),
        cmocka_unit_test(formats_that_do_not_fit_are_refused),
        cmocka_unit_test(envelope_holds_attributes_and_data),
        cmocka_unit_test(odd_attributes_are_escaped),
        cmocka_unit_test(json_is_embedded_byte_for_byte),
        cmocka_unit_test(all_else_is_in_base64),
        cmocka_unit_test(envelope_without_a_content_type_does_not_name_one),
        cmocka_unit_test(deep_json_is_in_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
