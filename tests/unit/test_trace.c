/*
 * test_trace.c - the trace of an event: what comes in, what goes out
 * SPDX-License-Identifier: MIT
 */
#include "messages.h"
#include "telemetry/tracer.h"

#include <stdlib.h>
#include <string.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define SAMPLED "00-" TRACE "-" SPAN "-01"
#define OTHER "00-" TRACE "-00000000000000aa-01"
#define UNSAMPLED "00-" TRACE "-" SPAN "-00"

static struct exporter *const some_exporter = (struct exporter *)(uintptr_t)16;

static struct tracer tracer_of(bool is_parent_based, double ratio)
{
    struct tracer tracer = {.exporter = some_exporter,
                            .sampler = {.is_parent_based = is_parent_based, .ratio = ratio}};
    random_init(&tracer.random);
    return tracer;
}

/* Makes a message of an event with these headers. */
static void make_traced(struct maker *maker, struct tracer *tracer, struct outbox_event *event,
                        const char *headers)
{
    *event = headers ? with_headers(headers) : bare_event;
    maker_init(maker, "{}");
    maker->tracer = tracer;
    maker_make(maker, event, 1 << 20);
    assert_int_equal(maker->status, MESSAGE_MADE);
}

static struct outbox_slice header(const struct maker *maker, const char *name)
{
    for (uint64_t i = 0; i < maker->message.header_count; i++)
        if (maker->message.headers[i].name.len == strlen(name) &&
            memcmp(maker->message.headers[i].name.data, name, strlen(name)) == 0)
            return maker->message.headers[i].value;
    return (struct outbox_slice){NULL, 0};
}

static void headers_that_are_none_are_not_taken_for_one(void **state)
{
    static const char *const wrong[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-more",
        "00-" TRACE "-" SPAN "-01 ",
        "ff-" TRACE "-" SPAN "-01",
        "0x-" TRACE "-" SPAN "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00_" TRACE "_" SPAN "_01",
        "01-" TRACE "-" SPAN "-01x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct trace_parent parent;
        assert_false(traceparent_parse(outbox_slice_of(wrong[i]), &parent));
    }
}

static void a_header_is_read_and_written_alike(void **state)
{
    struct trace_parent parent;
    char text[TRACEPARENT_LEN];
    (void)state;
    assert_true(traceparent_parse(outbox_slice_of(SAMPLED), &parent));
    assert_true(parent.is_sampled);
    traceparent_write(&parent.context, text);
    assert_memory_equal(text, SAMPLED, TRACEPARENT_LEN);
    assert_true(traceparent_parse(outbox_slice_of(UNSAMPLED), &parent));
    assert_false(parent.is_sampled);
    assert_true(traceparent_parse(outbox_slice_of("01-" TRACE "-" SPAN "-03-later"), &parent));
    assert_true(parent.is_sampled);
}

static void a_trace_goes_on_with_the_event(void **state)
{
    struct tracer tracer = tracer_of(true, 0);
    struct outbox_event event;
    struct maker maker;
    struct trace_parent out;
    (void)state;
    make_traced(&maker, &tracer, &event,
                "{\"a\":\"1\",\"traceparent\":\"" SAMPLED "\",\"tracestate\":\"x=1,y=2\"}");
    assert_non_null(maker.trace);
    assert_true(traceparent_parse(header(&maker, "traceparent"), &out));
    assert_true(out.is_sampled);
    assert_memory_equal(out.context.trace_id, maker.trace->context.trace_id, TRACE_ID);
    assert_memory_equal(out.context.span_id, maker.trace->context.span_id, SPAN_ID);
    assert_memory_equal(header(&maker, "traceparent").data, "00-" TRACE "-", 36);
    assert_int_equal(maker.trace->parent_id[0], 0xb7);
    assert_memory_not_equal(maker.trace->parent_id, maker.trace->context.span_id, SPAN_ID);
    assert_text(maker.trace->state, "x=1,y=2");
    assert_text(header(&maker, "tracestate"), "x=1,y=2");
    assert_text(header(&maker, "a"), "1");
    maker_clear(&maker);
}

static void the_header_keeps_its_name(void **state)
{
    struct tracer tracer = tracer_of(true, 0);
    struct outbox_event event;
    struct maker maker;
    (void)state;
    make_traced(&maker, &tracer, &event, "{\"Traceparent\":\"" SAMPLED "\"}");
    assert_non_null(maker.trace);
    assert_int_equal(header(&maker, "Traceparent").len, TRACEPARENT_LEN);
    assert_null(header(&maker, "traceparent").data);
    maker_clear(&maker);
}

static void one_header_tells_the_parent(void **state)
{
    static const char *const twice[] = {
        "{\"Traceparent\":\"" OTHER "\",\"traceparent\":\"" SAMPLED "\",\"b\":\"2\"}",
        "{\"traceparent\":\"" SAMPLED "\",\"TRACEPARENT\":\"" OTHER "\",\"b\":\"2\"}",
    };
    struct tracer tracer = tracer_of(true, 0);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct outbox_event event;
        struct maker maker;
        make_traced(&maker, &tracer, &event, twice[i]);
        assert_non_null(maker.trace);
        assert_memory_equal(header(&maker, "traceparent").data, maker.trace->header,
                            TRACEPARENT_LEN);
        assert_int_equal(maker.trace->parent_id[0], 0xb7);
        assert_null(header(&maker, "Traceparent").data);
        assert_null(header(&maker, "TRACEPARENT").data);
        assert_text(header(&maker, "b"), "2");
        maker_clear(&maker);
    }
}

static void state_goes_with_its_trace_alone(void **state)
{
    struct tracer tracer = tracer_of(true, 1);
    struct outbox_event event;
    struct maker maker;
    (void)state;
    make_traced(&maker, &tracer, &event,
                "{\"Tracestate\":\"x=1\",\"traceparent\":\"nonsense\",\"tracestate\":\"y=2\"}");
    assert_non_null(maker.trace);
    assert_null(maker.trace->state.data);
    assert_null(header(&maker, "tracestate").data);
    assert_null(header(&maker, "Tracestate").data);
    maker_clear(&maker);
}

static void a_state_too_long_for_a_span_still_goes_on(void **state)
{
    struct tracer tracer = tracer_of(true, 1);
    char headers[4096], long_state[SPAN_TEXT + 2];
    struct outbox_event event;
    struct maker maker;
    (void)state;
    memset(long_state, 'x', sizeof(long_state));
    long_state[1] = '=';
    long_state[sizeof(long_state) - 1] = '\0';
    (void)snprintf(headers, sizeof(headers), "{\"traceparent\":\"%s\",\"tracestate\":\"%s\"}",
                   SAMPLED, long_state);
    make_traced(&maker, &tracer, &event, headers);
    assert_non_null(maker.trace);
    assert_null(maker.trace->state.data);
    assert_text(header(&maker, "tracestate"), long_state);
    maker_clear(&maker);
}

static void what_is_not_recorded_goes_out_as_it_came(void **state)
{
    struct tracer tracer = tracer_of(true, 1);
    struct outbox_event event;
    struct maker maker;
    (void)state;
    make_traced(&maker, &tracer, &event, "{\"traceparent\":\"" UNSAMPLED "\"}");
    assert_null(maker.trace);
    assert_text(header(&maker, "traceparent"), UNSAMPLED);
    maker_clear(&maker);

    tracer = tracer_of(true, 0);
    make_traced(&maker, &tracer, &event, NULL);
    assert_null(maker.trace);
    assert_null(header(&maker, "traceparent").data);
    maker_clear(&maker);
}

static void an_event_without_a_trace_begins_one(void **state)
{
    static const char *const without[] = {NULL, "{\"traceparent\":\"nonsense\"}"};
    struct tracer tracer = tracer_of(true, 1);
    static const unsigned char none[SPAN_ID] = {0};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct outbox_event event;
        struct maker maker;
        struct trace_parent out;
        make_traced(&maker, &tracer, &event, without[i]);
        assert_non_null(maker.trace);
        assert_memory_equal(maker.trace->parent_id, none, SPAN_ID);
        assert_true(traceparent_parse(header(&maker, "traceparent"), &out));
        maker_clear(&maker);
    }
}

static void a_state_without_a_trace_ends_where_one_begins(void **state)
{
    struct tracer tracer = tracer_of(true, 1);
    struct outbox_event event;
    struct maker maker;
    (void)state;
    make_traced(&maker, &tracer, &event,
                "{\"tracestate\":\"x=1\",\"a\":\"1\",\"traceparent\":\"nonsense\"}");
    assert_non_null(maker.trace);
    assert_null(maker.trace->state.data);
    assert_null(header(&maker, "tracestate").data);
    assert_text(header(&maker, "a"), "1");
    assert_memory_equal(header(&maker, "traceparent").data, maker.trace->header, TRACEPARENT_LEN);
    maker_clear(&maker);
    make_traced(&maker, &tracer, &event, "{\"tracestate\":\"x=1\"}");
    assert_null(header(&maker, "tracestate").data);
    assert_memory_equal(header(&maker, "traceparent").data, maker.trace->header, TRACEPARENT_LEN);
    maker_clear(&maker);
    tracer = tracer_of(true, 0);
    make_traced(&maker, &tracer, &event, "{\"tracestate\":\"x=1\"}");
    assert_text(header(&maker, "tracestate"), "x=1");
    maker_clear(&maker);
}

static void what_is_too_large_has_a_trace(void **state)
{
    struct tracer tracer = tracer_of(true, 1);
    struct outbox_event event = with_headers("{\"traceparent\":\"" SAMPLED "\"}");
    struct maker maker;
    (void)state;
    event.payload_size = 101;
    maker_init(&maker, "{}");
    maker.tracer = &tracer;
    maker_make(&maker, &event, 100);
    assert_int_equal(maker.status, MESSAGE_NEVER);
    assert_non_null(maker.trace);
    assert_int_equal(maker.trace->parent_id[0], 0xb7);
    maker_clear(&maker);
}

static void a_sampler_without_parents_decides_alone(void **state)
{
    struct tracer tracer = tracer_of(false, 1);
    struct outbox_event event;
    struct maker maker;
    (void)state;
    make_traced(&maker, &tracer, &event, "{\"traceparent\":\"" UNSAMPLED "\"}");
    assert_non_null(maker.trace);
    maker_clear(&maker);
    tracer = tracer_of(false, 0);
    make_traced(&maker, &tracer, &event, "{\"traceparent\":\"" SAMPLED "\"}");
    assert_null(maker.trace);
    maker_clear(&maker);
}

static void a_ratio_is_kept_and_is_the_same_for_a_trace(void **state)
{
    enum { TRACES = 20000 };
    struct tracer tracer = tracer_of(true, 0.25);
    struct tracer wider = tracer_of(true, 0.5);
    int chosen = 0;
    (void)state;
    for (int i = 0; i < TRACES; i++) {
        struct outbox_pair pairs[2] = {{outbox_slice_of("traceparent"), {NULL, 0}}};
        struct span_context context;
        char text[TRACEPARENT_LEN];
        struct arena arena;
        const struct event_trace *trace;
        uint64_t count = 1;
        if (!tracer_begin(&tracer, &context))
            continue;
        chosen++;
        /* Who keeps more keeps these, too. */
        wider.sampler.is_parent_based = false;
        traceparent_write(&context, text);
        pairs[0].value = (struct outbox_slice){text, sizeof(text)};
        arena_init(&arena, 0);
        assert_true(tracer_continue(&wider, pairs, &count, &arena, &trace));
        assert_non_null(trace);
        arena_clear(&arena);
    }
    /* Ten standard deviations. */
    assert_in_range(chosen, TRACES / 4 - 620, TRACES / 4 + 620);
}

/* One in a thousand is a common choice; so are smaller ones. */
static void a_small_ratio_is_kept_too(void **state)
{
    enum { TRACES = 1000000 };
    static const double ratios[] = {0.001, 0.003, 0.0005};
    (void)state;
    for (size_t i = 0; i < sizeof(ratios) / sizeof(*ratios); i++) {
        struct tracer tracer = tracer_of(true, ratios[i]);
        int chosen = 0, expected = (int)(TRACES * ratios[i]);
        for (int j = 0; j < TRACES; j++) {
            struct span_context context;
            chosen += tracer_begin(&tracer, &context);
        }
        /* More than six standard deviations. */
        assert_in_range(chosen, expected * 7 / 10, expected * 13 / 10);
    }
}

static void rules_for_headers_hold_for_the_trace_too(void **state)
{
    struct tracer tracer = tracer_of(true, 1);
    struct outbox_event event = with_headers("{\"traceparent\":\"" SAMPLED "\"}");
    struct maker maker;
    (void)state;
    maker_init(&maker, "{'headers': {'rename': {'traceparent': 'ce-traceparent'}}}");
    maker.tracer = &tracer;
    maker_make(&maker, &event, 1 << 20);
    assert_int_equal(maker.status, MESSAGE_MADE);
    assert_memory_equal(header(&maker, "ce-traceparent").data, maker.trace->header,
                        TRACEPARENT_LEN);
    assert_null(header(&maker, "traceparent").data);
    maker_clear(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_that_are_none_are_not_taken_for_one),
        cmocka_unit_test(a_header_is_read_and_written_alike),
        cmocka_unit_test(a_trace_goes_on_with_the_event),
        cmocka_unit_test(the_header_keeps_its_name),
        cmocka_unit_test(one_header_tells_the_parent),
        cmocka_unit_test(state_goes_with_its_trace_alone),
        cmocka_unit_test(a_state_too_long_for_a_span_still_goes_on),
        cmocka_unit_test(what_is_not_recorded_goes_out_as_it_came),
        cmocka_unit_test(an_event_without_a_trace_begins_one),
        cmocka_unit_test(a_state_without_a_trace_ends_where_one_begins),
        cmocka_unit_test(what_is_too_large_has_a_trace),
        cmocka_unit_test(a_sampler_without_parents_decides_alone),
        cmocka_unit_test(a_ratio_is_kept_and_is_the_same_for_a_trace),
        cmocka_unit_test(a_small_ratio_is_kept_too),
        cmocka_unit_test(rules_for_headers_hold_for_the_trace_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
