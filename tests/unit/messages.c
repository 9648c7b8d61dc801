/*
 * messages.c - makes messages by the route of a configuration, for the tests
 * SPDX-License-Identifier: MIT
 */
#include "messages.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 4096

const struct outbox_event full_event = {
    .id = SLICE("00000000-0000-7000-8000-000000000001"),
    .type = SLICE("order.created"),
    .payload = SLICE("{\"id\":42}"),
    .payload_size = 9,
    .headers = SLICE("{\"tenant\":\"acme\",\"empty\":\"\"}"),
    .partition_key = SLICE("pk"),
    .ordering_key = SLICE("ok"),
    .aggregate_type = SLICE("order"),
    .aggregate_id = SLICE("42"),
    .attempts = 3,
    .created_at = 1700000000123456,
    .available_at = 1700000001000000,
};

const struct outbox_event bare_event = {
    .id = SLICE("00000000-0000-7000-8000-000000000002"),
    .type = SLICE("order.created"),
    .payload = SLICE("x"),
    .payload_size = 1,
};

struct outbox_event with_headers(const char *json)
{
    struct outbox_event event = bare_event;
    event.headers = outbox_slice_of(json);
    return event;
}

struct outbox_event with_payload(const void *bytes, size_t len)
{
    struct outbox_event event = bare_event;
    event.payload = (struct outbox_slice){bytes, len};
    event.payload_size = len;
    return event;
}

static void write_pipeline(const char *publisher, const char *route, char text[TEXT_MAX])
{
    int len = snprintf(text, TEXT_MAX,
                       "{'pipelines': [{'name': 'orders', 'store': {'driver': 'sample', 'url': "
                       "'u'}, 'publisher': {'driver': '%s'}, 'route': %s}]}",
                       publisher, route);
    assert_true(len > 0 && len < TEXT_MAX);
    for (char *at = text; *at; at++)
        if (*at == '\'')
            *at = '"';
}

void maker_init(struct maker *maker, const char *route)
{
    char text[TEXT_MAX];
    *maker = (struct maker){.status = MESSAGE_MADE};
    write_pipeline("mailer", route, text);
    loaded_init_text(&maker->loaded, text);
    arena_init(&maker->arena, 0);
}

void maker_make(struct maker *maker, const struct outbox_event *event, uint64_t max_payload)
{
    arena_reset(&maker->arena);
    maker->why = (struct outbox_slice){NULL, 0};
    maker->trace = NULL;
    maker->status =
        message_make(maker->loaded.config->pipelines[0].route, event, max_payload, maker->tracer,
                     &maker->arena, &maker->message, &maker->trace, &maker->why);
}

void maker_clear(struct maker *maker)
{
    arena_clear(&maker->arena);
    loaded_clear(&maker->loaded);
}

void make(struct maker *maker, const char *route, const struct outbox_event *event)
{
    maker_init(maker, route);
    maker_make(maker, event, NO_LIMIT);
    if (maker->status == MESSAGE_NEVER)
        fail_msg("%.*s", (int)maker->why.len, maker->why.data);
    assert_int_equal(maker->status, MESSAGE_MADE);
    assert_ptr_equal(maker->message.event, event);
}

void assert_text(struct outbox_slice text, const char *expected)
{
    if (!expected) {
        assert_null(text.data);
        return;
    }
    if (!text.data || text.len != strlen(expected) || memcmp(text.data, expected, text.len) != 0)
        fail_msg("found \"%.*s\" instead of \"%s\"", (int)text.len, text.data ? text.data : "",
                 expected);
}

void assert_pairs(const struct outbox_pair *pairs, uint64_t count, ...)
{
    uint64_t seen = 0;
    va_list expected;
    va_start(expected, count);
    for (const char *name = va_arg(expected, const char *); name;
         name = va_arg(expected, const char *)) {
        const char *value = va_arg(expected, const char *);
        if (seen == count)
            fail_msg("there is no \"%s\"", name);
        assert_text(pairs[seen].name, name);
        assert_text(pairs[seen++].value, value);
    }
    va_end(expected);
    if (seen < count)
        fail_msg("there is one more, \"%.*s\"", (int)pairs[seen].name.len, pairs[seen].name.data);
}

void assert_never(const char *route, const struct outbox_event *event, const char *why)
{
    struct maker maker;
    maker_init(&maker, route);
    maker_make(&maker, event, NO_LIMIT);
    assert_int_equal(maker.status, MESSAGE_NEVER);
    assert_text(maker.why, why);
    maker_clear(&maker);
}

void assert_route_refused(const char *publisher, const char *route, ...)
{
    char text[TEXT_MAX], full[TEXT_MAX];
    struct loaded loaded;
    size_t count = 0;
    va_list lines;
    write_pipeline(publisher, route, text);
    loaded_init(&loaded, &(struct config_source){.text = text});
    va_start(lines, route);
    for (const char *line = va_arg(lines, const char *); line; line = va_arg(lines, const char *)) {
        if (count == loaded.mistakes.count)
            fail_msg("this mistake was not noted: %s", line);
        (void)snprintf(full, sizeof(full), "pipelines[0].route%s", line);
        assert_string_equal(loaded.mistakes.lines[count++], full);
    }
    va_end(lines);
    if (count < loaded.mistakes.count)
        fail_msg("this mistake was not expected: %s", loaded.mistakes.lines[count]);
    loaded_clear(&loaded);
}
