/*
 * template_oracle.c - templates and patterns as their documentation reads, to test by
 * SPDX-License-Identifier: MIT
 */
#include "template_oracle.h"

#include "glob.h"
#include "json_scan.h"
#include "template.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- Templates ---------------------------------------------------------------------------- */

static const struct outbox_event event = {
    .id = {"an-id", 5},
    .type = {"a.type", 6},
    .partition_key = {"", 0},
    .aggregate_id = {"x{y}z", 5},
    .attempts = -7,
    .created_at = 1700000000123456,
    .available_at = 0,
};

/* The fields that the event has. */
static const struct {
    const char *name, *value;
} present[] = {
    {"id", "an-id"},
    {"type", "a.type"},
    {"partition_key", ""},
    {"aggregate_id", "x{y}z"},
    {"attempts", "-7"},
    {"created_at", "2023-11-14T22:13:20.123456Z"},
    {"pipeline", "the-pipe"},
    {"header:o", "other"},
    {"available_at", "1970-01-01T00:00:00.000000Z"},
};
static const char *const absent[] = {"ordering_key", "aggregate_type"};

enum verdict { IS_TEXT, IS_ABSENT, IS_MISSING, IS_WRONG };

struct reading {
    enum verdict verdict;
    char *text; /* with room for any rendering of the template */
    size_t len;
    size_t pieces;
    bool by_default;
};

static void append(struct reading *reading, const char *bytes, size_t len)
{
    if (len > 0)
        memcpy(reading->text + reading->len, bytes, len);
    reading->len += len;
}

static bool is_name(const char *name, size_t len, const char *known)
{
    return strlen(known) == len && memcmp(name, known, len) == 0;
}

/* False: no such field. *value is NULL where the event lacks it. */
static bool look_up(const char *name, size_t len, struct outbox_slice header,
                    struct outbox_slice *value)
{
    *value = (struct outbox_slice){NULL, 0};
    for (size_t i = 0; i < sizeof(present) / sizeof(present[0]); i++)
        if (is_name(name, len, present[i].name)) {
            *value = outbox_slice_of(present[i].value);
            return true;
        }
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        if (is_name(name, len, absent[i]))
            return true;
    if (is_name(name, len, "header:h"))
        *value = header;
    return len > 7 && memcmp(name, "header:", 7) == 0;
}

/* A field from behind its brace on; returns the place behind its end, NULL if it is wrong. */
static const char *read_field(struct reading *reading, const char *at, struct outbox_slice header)
{
    const char *end = strpbrk(at, "{}");
    struct outbox_slice value;
    if (!end || *end == '{')
        return NULL;
    const char *bar = memchr(at, '|', (size_t)(end - at));
    if (!look_up(at, (size_t)((bar ? bar : end) - at), header, &value))
        return NULL;
    if (value.data)
        append(reading, value.data, value.len);
    else if (bar)
        append(reading, bar + 1, (size_t)(end - bar - 1));
    else
        reading->verdict = IS_MISSING;
    reading->by_default = !value.data;
    return end + 1;
}

static void read_template(struct reading *reading, const char *at, struct outbox_slice header)
{
    bool in_literal = false;
    while (*at) {
        bool doubled = (*at == '{' || *at == '}') && at[1] == *at;
        if (*at == '{' && !doubled) {
            at = read_field(reading, at + 1, header);
            reading->pieces++;
            in_literal = false;
        } else if (*at == '}' && !doubled) {
            at = NULL;
        } else {
            reading->pieces += !in_literal;
            in_literal = true;
            append(reading, at, 1);
            at += doubled ? 2 : 1;
        }
        if (!at) {
            reading->verdict = IS_WRONG;
            return;
        }
    }
    if (reading->verdict == IS_TEXT && reading->pieces == 1 && reading->by_default &&
        reading->len == 0)
        reading->verdict = IS_ABSENT;
}

static const char *compare(const struct reading *reading, const struct template *template,
                           struct outbox_slice header)
{
    const struct outbox_pair headers[] = {{{"o", 1}, {"other", 5}}, {{"h", 1}, header}};
    const struct event_source source = {.event = &event,
                                        .headers = headers,
                                        .header_count = header.data ? 2 : 1,
                                        .pipeline = "the-pipe"};
    const struct event_field *missing;
    const char *difference = NULL;
    struct outbox_slice text;
    struct arena arena;

    arena_init(&arena, 1);
    enum template_status status = template_render(template, &source, &arena, &text, &missing);
    struct outbox_slice direct = template_direct(template, &event);
    if (status != (reading->verdict == IS_MISSING ? TEMPLATE_MISSING : TEMPLATE_OK))
        difference = "one misses a field";
    else if (status == TEMPLATE_OK && (reading->verdict == IS_ABSENT) != (text.data == NULL))
        difference = "one gives no text";
    else if (status == TEMPLATE_OK && text.data &&
             (text.len != reading->len || memcmp(text.data, reading->text, text.len) != 0))
        difference = "the texts differ";
    else if (direct.data && (direct.data != text.data || direct.len != text.len))
        difference = "the quick way gives another text";
    else if (template_is_constant(template) && status != TEMPLATE_OK)
        difference = "a constant misses a field";
    arena_clear(&arena);
    return difference;
}

const char *template_disagreement(const char *text, struct outbox_slice header)
{
    struct config_memory *memory = config_memory_new();
    size_t room = (strlen(text) + 1) * (header.len + 40);
    struct reading reading = {.text = malloc(room)};
    const char *difference = NULL, *wrong;
    struct template template;
    char why[TEMPLATE_WHY];

    if (memory && reading.text) {
        wrong = template_compile(memory, text, &template, why);
        read_template(&reading, text, header);
        if ((wrong != NULL) != (reading.verdict == IS_WRONG))
            difference = wrong ? "refused a template" : "took what is no template";
        else if (!wrong)
            difference = compare(&reading, &template, header);
    }
    free(reading.text);
    config_memory_free(&memory);
    return difference;
}

/* ---- Patterns ----------------------------------------------------------------------------- */

#define LONGEST 200

/* Tries what is left of the pattern at each place of the text, from behind: fits[at] is whether
 * the text from there on fits the pattern from here on. */
static bool fits_pattern(struct outbox_slice pattern, struct outbox_slice text)
{
    bool fits[LONGEST + 1] = {false};
    const char *at = pattern.data + pattern.len;

    fits[text.len] = true;
    while (at > pattern.data) {
        size_t escapes = 0;
        at--;
        while (at - escapes > pattern.data && at[-1 - (long)escapes] == '\\')
            escapes++;
        bool escaped = escapes % 2 == 1;
        bool any = *at == '*' && !escaped, one = *at == '?' && !escaped;
        for (size_t i = 0; i <= text.len; i++) {
            size_t place = any ? text.len - i : i;
            bool next = place < text.len && fits[place + 1];
            fits[place] = any ? fits[place] || next : next && (one || text.data[place] == *at);
        }
        if (escaped)
            at--;
    }
    return fits[0];
}

const char *glob_disagreement(struct outbox_slice pattern, struct outbox_slice text)
{
    if (pattern.len > LONGEST || text.len > LONGEST)
        return NULL;
    return glob_matches(pattern, text) == fits_pattern(pattern, text) ? NULL
                                                                      : "a pattern fits for one";
}

/* ---- JSON --------------------------------------------------------------------------------- */

/* jansson ends a text at a NUL byte, which JSON nowhere has. */
const char *json_disagreement(struct outbox_slice text)
{
    json_error_t error = {0};
    struct json_scan scan = json_scan_of(text);
    bool ours = json_scan_is_json(text);
    json_t *value = text.len > 0 && memchr(text.data, '\0', text.len)
                        ? NULL
                        : json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool theirs = value != NULL;

    json_decref(value);
    if (ours == theirs)
        return NULL;
    if (ours) {
        enum json_error_code code = json_error_code(&error);
        return code == json_error_numeric_overflow || code == json_error_null_byte_in_key
                   ? NULL
                   : "one takes what is no JSON";
    }
    json_scan_blanks(&scan);
    if (!json_scan_value(&scan, 0) &&
        strcmp(scan.problem, "too many values within each other") == 0)
        return NULL;
    return "JSON is refused";
}
