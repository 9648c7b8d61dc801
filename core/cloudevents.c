/*
 * cloudevents.c - an event as a CloudEvent 1.0
 * SPDX-License-Identifier: MIT
 */
#include "cloudevents.h"

#include "base64.h"
#include "json_scan.h"
#include "text.h"

/* specversion, id, source, type, subject, time, partitionkey, traceparent, tracestate */
#define MOST_ATTRIBUTES 9

struct attributes {
    struct outbox_pair *pairs;
    uint64_t count;
    struct outbox_slice content_type; /* of the payload */
};

/* ---- Attributes --------------------------------------------------------------------------- */

/* U+FDD0 to U+FDEF and the last two of each plane. */
static bool is_noncharacter(const unsigned char *at, size_t len)
{
    if (len == 3 && at[0] == 0xef && at[1] == 0xb7)
        return at[2] >= 0x90 && at[2] <= 0xaf;
    if (len == 3)
        return at[0] == 0xef && at[1] == 0xbf && at[2] >= 0xbe;
    return len == 4 && (at[1] & 0x0f) == 0x0f && at[2] == 0xbf && at[3] >= 0xbe;
}

/* What CloudEvents calls a String: UTF-8 without control and noncharacters. */
static bool is_string(struct outbox_slice text)
{
    size_t len;

    for (uint64_t at = 0; at < text.len; at += len) {
        const char *sequence = text.data + at;
        len = text_sequence(sequence, text.len - at);
        if (len == 0 || text_is_control(sequence, len) ||
            is_noncharacter((const unsigned char *)sequence, len))
            return false;
    }
    return true;
}

/* Of RFC 3986 the characters, not the grammar: what is wrong in practice is a blank or an umlaut.
 */
static bool is_uri_reference(struct outbox_slice text)
{
    for (uint64_t i = 0; i < text.len; i++) {
        char byte = text.data[i];
        bool is_alnum = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9');
        if (!is_alnum && (byte == '\0' || !strchr("-._~:/?#[]@!$&'()*+,;=%", byte)))
            return false;
    }
    return true;
}

static enum made check_strings(const struct attributes *attributes, struct arena *arena,
                               struct outbox_slice *why)
{
    const char *wrong = is_string(attributes->content_type) ? NULL : "datacontenttype";

    for (uint64_t i = 0; i < attributes->count && !wrong; i++)
        if (!is_string(attributes->pairs[i].value))
            wrong = attributes->pairs[i].name.data;
    if (!wrong)
        return MADE;
    return cannot_make(
        arena, why,
        "the attribute %s has a character that a CloudEvent must not have: a control "
        "character, a noncharacter, or bytes that are not UTF-8",
        wrong);
}

/* An attribute that is empty is as good as none. */
static void add(struct attributes *attributes, const char *name, struct outbox_slice value)
{
    if (value.len > 0)
        attributes->pairs[attributes->count++] = (struct outbox_pair){outbox_slice_of(name), value};
}

static bool add_time(struct attributes *attributes, const struct outbox_event *event,
                     struct arena *arena)
{
    char *text = arena_alloc(arena, EVENT_TIME_TEXT);

    if (!text)
        return false;
    event_time_write(event->created_at, text);
    /* RFC 3339 ends with the year 9999, databases do not. */
    if (text[4] == '-' && text[0] != '-')
        add(attributes, "time", outbox_slice_of(text));
    return true;
}

static struct outbox_slice content_type_of(const struct event_source *source)
{
    for (uint64_t i = 0; i < source->header_count; i++)
        if (header_is(source->headers[i].name, "content-type"))
            return source->headers[i].value;
    return (struct outbox_slice){NULL, 0};
}

static enum made make_attributes(const struct cloudevents_plan *plan,
                                 const struct event_source *source, struct outbox_slice key,
                                 struct arena *arena, struct attributes *attributes,
                                 struct outbox_slice *why)
{
    const struct outbox_event *event = source->event;
    struct outbox_slice origin, subject;
    enum made made =
        text_make(&plan->source, "route.cloudevents.source", source, arena, &origin, why);

    if (made == MADE)
        made = text_make(&plan->subject, "route.cloudevents.subject", source, arena, &subject, why);
    if (made != MADE)
        return made;
    if (origin.len == 0 || event->type.len == 0 || event->id.len == 0)
        return cannot_make(arena, why, "%s is empty, and a CloudEvent must have one",
                           origin.len == 0        ? "route.cloudevents.source"
                           : event->type.len == 0 ? "the event's type"
                                                  : "the event's id");
    if (!is_uri_reference(origin))
        return cannot_make(arena, why,
                           "route.cloudevents.source gives \"%.*s\", which is no URI reference: it "
                           "has a character that must be written %%XX",
                           (int)(origin.len > 100 ? 100 : origin.len), origin.data);
    attributes->content_type = content_type_of(source);
    if (attributes->content_type.len == 0)
        attributes->content_type = plan->content_type;
    add(attributes, "specversion", outbox_slice_of("1.0"));
    add(attributes, "id", event->id);
    add(attributes, "source", origin);
    add(attributes, "type", event->type);
    add(attributes, "subject", subject);
    if (!add_time(attributes, event, arena))
        return MADE_NO_MEMORY;
    add(attributes, "partitionkey", key);
    add(attributes, "traceparent", event_header(source, outbox_slice_of("traceparent")));
    add(attributes, "tracestate", event_header(source, outbox_slice_of("tracestate")));
    return check_strings(attributes, arena, why);
}

/* ---- The envelope ------------------------------------------------------------------------- */

/* Writes or, while `to` is NULL, only counts. */
struct writer {
    char *to;
    uint64_t len;
};

static void put(struct writer *writer, const char *bytes, uint64_t len)
{
    if (writer->to && len > 0)
        memcpy(writer->to + writer->len, bytes, len);
    writer->len += len;
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

static void put_string(struct writer *writer, struct outbox_slice text)
{
    const char *at = text.data, *end = text.data + text.len;
    char escaped[TEXT_ESCAPED_MAX];

    put_text(writer, "\"");
    while (at < end)
        put(writer, escaped, text_escape_json(&at, end, escaped));
    put_text(writer, "\"");
}

static void put_base64(struct writer *writer, struct outbox_slice bytes)
{
    size_t len = base64_length(bytes.len);

    put_text(writer, "\"");
    if (writer->to)
        base64_encode(bytes.data, bytes.len, writer->to + writer->len);
    writer->len += len;
    put_text(writer, "\"");
}

/* "application/json", "application/vnd.x+json; charset=utf-8" and the like, and none at all: in an
 * envelope that means JSON. */
static bool is_json_type(struct outbox_slice type)
{
    if (type.len == 0)
        return true;
    const char *end = memchr(type.data, ';', type.len);
    uint64_t len = end ? (uint64_t)(end - type.data) : type.len;

    while (len > 0 && type.data[len - 1] == ' ')
        len--;
    return len >= 5 && header_is((struct outbox_slice){type.data + len - 4, 4}, "json") &&
           (type.data[len - 5] == '/' || type.data[len - 5] == '+');
}

static void write_envelope(struct writer *writer, const struct attributes *attributes,
                           struct outbox_slice payload, bool is_json)
{
    for (uint64_t i = 0; i < attributes->count; i++) {
        put_text(writer, i == 0 ? "{" : ",");
        put_string(writer, attributes->pairs[i].name);
        put_text(writer, ":");
        put_string(writer, attributes->pairs[i].value);
    }
    if (attributes->content_type.len > 0) {
        put_text(writer, ",\"datacontenttype\":");
        put_string(writer, attributes->content_type);
    }
    put_text(writer, is_json ? ",\"data\":" : ",\"data_base64\":");
    if (is_json)
        put(writer, payload.data, payload.len);
    else
        put_base64(writer, payload);
    put_text(writer, "}");
}

static enum made make_envelope(const struct attributes *attributes, struct arena *arena,
                               struct outbox_message *message)
{
    struct outbox_slice payload = message->payload;
    bool is_json = is_json_type(attributes->content_type) && json_scan_is_json(payload);
    struct writer writer = {NULL, 0};

    write_envelope(&writer, attributes, payload, is_json);
    writer = (struct writer){arena_alloc(arena, writer.len), 0};
    if (!writer.to)
        return MADE_NO_MEMORY;
    write_envelope(&writer, attributes, payload, is_json);
    message->payload = (struct outbox_slice){writer.to, writer.len};
    message->content_type = outbox_slice_of("application/cloudevents+json");
    return MADE;
}

enum made cloudevents_make(const struct route *route, const struct event_source *source,
                           struct arena *arena, struct outbox_message *message,
                           struct outbox_slice *why)
{
    struct attributes attributes = {
        .pairs = arena_alloc(arena, MOST_ATTRIBUTES * sizeof(struct outbox_pair))};

    if (!attributes.pairs)
        return MADE_NO_MEMORY;
    enum made made =
        make_attributes(&route->cloudevents, source, message->key, arena, &attributes, why);
    if (made != MADE)
        return made;
    if (route->format == FORMAT_CLOUDEVENTS_STRUCTURED)
        return make_envelope(&attributes, arena, message);
    if (attributes.content_type.len > 0)
        message->content_type = attributes.content_type;
    message->attributes = attributes.pairs;
    message->attribute_count = attributes.count;
    return MADE;
}
