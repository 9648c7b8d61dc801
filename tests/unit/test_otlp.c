/*
 * test_otlp.c - figures, spans and lines as messages, in both of their forms
 * SPDX-License-Identifier: MIT
 */
#include "telemetry/encode.h"
#include "telemetry/export_body.h"
#include "telemetry/otlp_json.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static struct resource_attribute attributes[] = {{"service.name", "shop\xff", 0},
                                                 {"process.pid", NULL, 42}};
static const struct resource resource = {.attributes = attributes, .count = 2};

static json_t *json_of(const ProtobufCMessage *message)
{
    struct byte_buffer text = {0};

    assert_non_null(message);
    otlp_json(&text, message);
    assert_false(text.failed);
    json_t *document = json_loadb(text.bytes, text.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    buffer_clear(&text);
    return document;
}

static json_t *only(json_t *array)
{
    assert_int_equal(json_array_size(array), 1);
    return json_array_get(array, 0);
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static json_t *items_of(json_t *document, const char *of_resource, const char *of_scope,
                        const char *items)
{
    json_t *group = only(json_object_get(document, of_resource));
    json_t *pairs = json_object_get(json_object_get(group, "resource"), "attributes");
    assert_int_equal(json_array_size(pairs), 2);
    const json_t *name = json_object_get(json_array_get(pairs, 0), "value");
    assert_string_equal(text_at(name, "stringValue"), "shop\xef\xbf\xbd");
    const json_t *pid = json_object_get(json_array_get(pairs, 1), "value");
    assert_string_equal(text_at(pid, "intValue"), "42");
    json_t *scope = only(json_object_get(group, of_scope));
    assert_string_equal(text_at(json_object_get(scope, "scope"), "name"), "outbox-relay");
    return json_object_get(scope, items);
}

/* ---- Figures ------------------------------------------------------------------------------ */

static void visit_some(struct relay *relay, point_visitor *visit, void *context)
{
    struct point point = {.instrument = instrument(EVENTS_TOTAL),
                          .attributes = {{"pipeline", "p"}, {"status", "success"}},
                          .attribute_count = 2,
                          .number = INT64_C(9007199254740993)};

    (void)relay;
    visit(context, &point);
    point.attributes[1].value = "failed";
    point.number = 0;
    visit(context, &point);
    point = (struct point){.instrument = instrument(BACKLOG_OLDEST_AGE), .real = 0.25};
    visit(context, &point);
    point = (struct point){.instrument = instrument(PUBLISHER_LATENCY)};
    point.histogram.buckets[1] = 2;
    point.histogram.count = 2;
    visit(context, &point);
}

static void figures_keep_their_values_and_kinds(void **state)
{
    struct arena arena;
    uint64_t items;

    (void)state;
    arena_init(&arena, 0);
    json_t *document = json_of(encode_metrics(&arena, &resource, visit_some, NULL, 7, &items));
    assert_int_equal(items, 4);
    json_t *metrics = items_of(document, "resourceMetrics", "scopeMetrics", "metrics");
    assert_int_equal(json_array_size(metrics), 3);

    const json_t *total = json_array_get(metrics, 0);
    const json_t *sum = json_object_get(total, "sum");
    const json_t *points = json_object_get(sum, "dataPoints");
    assert_string_equal(text_at(total, "name"), "openoutbox.events.total");
    assert_true(json_is_true(json_object_get(sum, "isMonotonic")));
    assert_int_equal(json_integer_value(json_object_get(sum, "aggregationTemporality")), 2);
    assert_int_equal(json_array_size(points), 2);
    assert_string_equal(text_at(json_array_get(points, 0), "asInt"), "9007199254740993");
    assert_string_equal(text_at(json_array_get(points, 0), "startTimeUnixNano"), "7");
    assert_string_equal(text_at(json_array_get(points, 1), "asInt"), "0");

    json_t *gauge = json_object_get(json_array_get(metrics, 1), "gauge");
    const json_t *age = only(json_object_get(gauge, "dataPoints"));
    assert_float_equal(json_real_value(json_object_get(age, "asDouble")), 0.25, 0);

    json_t *histogram = json_object_get(json_array_get(metrics, 2), "histogram");
    json_t *latency = only(json_object_get(histogram, "dataPoints"));
    size_t bounds = instrument(PUBLISHER_LATENCY)->bound_count;
    assert_int_equal(json_array_size(json_object_get(latency, "explicitBounds")), bounds);
    assert_int_equal(json_array_size(json_object_get(latency, "bucketCounts")), bounds + 1);
    assert_string_equal(text_at(latency, "count"), "2");
    assert_non_null(json_object_get(latency, "sum")); /* although it is 0 */
    json_decref(document);
    arena_clear(&arena);
}

static void a_number_that_json_lacks_is_a_text(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{NAN, "NaN"}, {INFINITY, "Infinity"}, {-INFINITY, "-Infinity"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        Otlp__NumberDataPoint point = OTLP__NUMBER_DATA_POINT__INIT;
        point.value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
        point.as_double = cases[i].value;
        json_t *document = json_of(&point.base);
        assert_string_equal(text_at(document, "asDouble"), cases[i].text);
        json_decref(document);
    }
}

/* ---- Spans -------------------------------------------------------------------------------- */

static struct span_list *some_spans(void)
{
    struct span_list *list = span_list_new(2);

    assert_non_null(list);
    struct span *span = span_list_add(list);
    memset(span->context.trace_id, 0xab, TRACE_ID);
    memset(span->context.span_id, 0x01, SPAN_ID);
    span->name = outbox_slice_of("batch");
    span->start = 1;
    span->end = INT64_C(1544712660000000000);
    span = span_list_add(list);
    memset(span->context.trace_id, 0xcd, TRACE_ID);
    memset(span->context.span_id, 0x02, SPAN_ID);
    memset(span->parent_id, 0x03, SPAN_ID);
    memset(span->link.trace_id, 0xab, TRACE_ID);
    memset(span->link.span_id, 0x01, SPAN_ID);
    span->kind = SPAN_PRODUCER;
    span->name = span_list_text(list, outbox_slice_of("send \x1f\"x\""));
    span->trace_state = outbox_slice_of("a=b");
    span->failed = true;
    span->failure = outbox_slice_of("no such topic");
    span_text(span, "messaging.destination.name", outbox_slice_of("t"));
    span_text(span, "left.out", (struct outbox_slice){NULL, 0});
    span_number(span, "messaging.message.body.size", 0);
    return list;
}

static void spans_keep_ids_links_and_status(void **state)
{
    struct span_list *list = some_spans();
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    json_t *document = json_of(encode_spans(&arena, &resource, list, 0, 2));
    const json_t *spans = items_of(document, "resourceSpans", "scopeSpans", "spans");
    assert_int_equal(json_array_size(spans), 2);
    const json_t *batch = json_array_get(spans, 0), *send = json_array_get(spans, 1);
    assert_string_equal(text_at(batch, "traceId"), "abababababababababababababababab");
    assert_string_equal(text_at(batch, "spanId"), "0101010101010101");
    assert_string_equal(text_at(batch, "endTimeUnixNano"), "1544712660000000000");
    assert_null(json_object_get(batch, "parentSpanId"));
    assert_null(json_object_get(batch, "links"));
    assert_null(json_object_get(batch, "status"));
    assert_string_equal(text_at(send, "parentSpanId"), "0303030303030303");
    assert_string_equal(text_at(send, "name"), "send \x1f\"x\"");
    assert_string_equal(text_at(send, "traceState"), "a=b");
    assert_int_equal(json_integer_value(json_object_get(send, "kind")), 4);
    const json_t *link = only(json_object_get(send, "links"));
    assert_string_equal(text_at(link, "spanId"), "0101010101010101");
    const json_t *status = json_object_get(send, "status");
    assert_int_equal(json_integer_value(json_object_get(status, "code")), 2);
    assert_string_equal(text_at(status, "message"), "no such topic");
    const json_t *pairs = json_object_get(send, "attributes");
    assert_int_equal(json_array_size(pairs), 2);
    const json_t *size = json_object_get(json_array_get(pairs, 1), "value");
    assert_string_equal(text_at(size, "intValue"), "0");
    json_decref(document);
    arena_clear(&arena);
    span_list_free(&list);
}

static void a_part_of_a_list_can_be_sent_alone(void **state)
{
    struct span_list *list = some_spans();
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    json_t *document = json_of(encode_spans(&arena, &resource, list, 1, 1));
    const json_t *span = only(items_of(document, "resourceSpans", "scopeSpans", "spans"));
    assert_string_equal(text_at(span, "spanId"), "0202020202020202");
    json_decref(document);
    arena_clear(&arena);
    span_list_free(&list);
}

/* ---- Lines -------------------------------------------------------------------------------- */

static void lines_keep_level_message_and_fields(void **state)
{
    const struct log_field fields[] = {FIELD("event_id", "e\xfe"), FIELD_NUMBER("count", -3)};
    struct log_record *record =
        log_record_new(OUTBOX_LOG_ERROR, "event is DEAD", fields, 2, INT64_C(1544712660000000000));
    struct arena arena;

    (void)state;
    assert_non_null(record);
    record->next = NULL;
    arena_init(&arena, 0);
    json_t *document = json_of(encode_logs(&arena, &resource, record));
    const json_t *line = only(items_of(document, "resourceLogs", "scopeLogs", "logRecords"));
    assert_string_equal(text_at(line, "timeUnixNano"), "1544712660000000000");
    assert_int_equal(json_integer_value(json_object_get(line, "severityNumber")), 17);
    assert_string_equal(text_at(line, "severityText"), "ERROR");
    assert_string_equal(text_at(json_object_get(line, "body"), "stringValue"), "event is DEAD");
    const json_t *pairs = json_object_get(line, "attributes");
    const json_t *id = json_array_get(pairs, 0), *count = json_array_get(pairs, 1);
    assert_string_equal(text_at(id, "key"), "event_id");
    assert_string_equal(text_at(json_object_get(id, "value"), "stringValue"), "e\xef\xbf\xbd");
    assert_string_equal(text_at(json_object_get(count, "value"), "intValue"), "-3");
    json_decref(document);
    arena_clear(&arena);
    free(record);
}

/* ---- Bodies ------------------------------------------------------------------------------- */

static void a_body_is_the_message_packed_and_perhaps_compressed(void **state)
{
    struct span_list *list = some_spans();
    struct export_body plain, packed;
    struct arena arena;
    unsigned char back[4096];

    (void)state;
    arena_init(&arena, 0);
    const ProtobufCMessage *message = encode_spans(&arena, &resource, list, 0, 2);
    struct signal_settings settings = {0};
    assert_true(body_make(&plain, message, 2, &settings));
    settings.is_gzip = true;
    assert_true(body_make(&packed, message, 2, &settings));

    z_stream stream = {.next_in = (Bytef *)packed.bytes.bytes,
                       .avail_in = (uInt)packed.bytes.length,
                       .next_out = back,
                       .avail_out = sizeof(back)};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, plain.bytes.length);
    assert_memory_equal(back, plain.bytes.bytes, plain.bytes.length);
    (void)inflateEnd(&stream);

    Otlp__ExportTraceServiceRequest *read = otlp__export_trace_service_request__unpack(
        NULL, plain.bytes.length, (const uint8_t *)plain.bytes.bytes);
    assert_non_null(read);
    assert_int_equal(read->resource_spans[0]->scope_spans[0]->n_spans, 2);
    otlp__export_trace_service_request__free_unpacked(read, NULL);
    body_clear(&plain);
    body_clear(&packed);
    arena_clear(&arena);
    span_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_keep_their_values_and_kinds),
        cmocka_unit_test(a_number_that_json_lacks_is_a_text),
        cmocka_unit_test(spans_keep_ids_links_and_status),
        cmocka_unit_test(a_part_of_a_list_can_be_sent_alone),
        cmocka_unit_test(lines_keep_level_message_and_fields),
        cmocka_unit_test(a_body_is_the_message_packed_and_perhaps_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
