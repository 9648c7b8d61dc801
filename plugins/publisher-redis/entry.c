/*
 * entry.c - a message as the command that hands it to Redis
 * SPDX-License-Identifier: MIT
 */
#include "entry.h"

#include "resp.h"
#include "utf8.h"

/* Redis closes the connection of who sends more (1024 * 1024). */
#define MOST_ARGUMENTS UINT64_C(1000000)

#define CONTENT_TYPE "content-type" /* after the prefix */
#define ATTRIBUTE_PREFIX "ce_"      /* after the prefix */

/* ---- XADD's options ----------------------------------------------------------------------- */

static bool append(struct entry_writer *writer, const char *text, uint64_t len)
{
    char *at = bytes_room(&writer->middle, len + RESP_FRAME);
    if (!at)
        return false;
    writer->middle.len += (uint64_t)(resp_argument(at, text, len) - at);
    writer->middle_count++;
    return true;
}

static bool append_text(struct entry_writer *writer, const char *text)
{
    return append(writer, text, strlen(text));
}

static bool append_number(struct entry_writer *writer, int64_t number)
{
    char digits[24];
    return append(writer, digits,
                  (uint64_t)(resp_digits(digits, number > 0 ? (uint64_t)number : 0) - digits));
}

static bool append_trim(struct entry_writer *writer, int64_t now)
{
    const struct settings *settings = writer->settings;
    if (settings->max_length == 0 && settings->max_age == 0)
        return true;
    return append_text(writer, settings->max_length > 0 ? "MAXLEN" : "MINID") &&
           append_text(writer, settings->trims_exactly ? "=" : "~") &&
           append_number(writer, settings->max_length > 0 ? settings->max_length
                                                          : now - settings->max_age / 1000000);
}

static bool make_middle(struct entry_writer *writer, int64_t now)
{
    writer->middle.len = 0;
    writer->middle_count = 0;
    return (writer->settings->on_missing == MISSING_CREATE || append_text(writer, "NOMKSTREAM")) &&
           append_trim(writer, now) && append_text(writer, "*") &&
           append_text(writer, writer->settings->payload_field);
}

bool entry_writer_init(struct entry_writer *writer, const struct settings *settings)
{
    writer->settings = settings;
    writer->envelope.format = LINE_NDJSON;
    return make_middle(writer, 0);
}

void entry_writer_clear(struct entry_writer *writer)
{
    bytes_clear(&writer->middle);
    lines_clear(&writer->envelope);
}

bool entry_writer_set_time(struct entry_writer *writer, int64_t now)
{
    return writer->settings->max_age == 0 || make_middle(writer, now);
}

/* ---- What Redis cannot carry -------------------------------------------------------------- */

static enum entry_made reject_name(char *reason, const char *what, struct outbox_slice name,
                                   const char *why)
{
    (void)snprintf(reason, ENTRY_REASON, "%s \"%.*s\"%s", what,
                   (int)(name.len < 100 ? name.len : 100), name.len ? name.data : "", why);
    return ENTRY_REJECTED;
}

static enum entry_made reject_size(char *reason, const char *what, uint64_t size, uint64_t longest)
{
    (void)snprintf(reason, ENTRY_REASON,
                   "the %s has %llu bytes, and the server takes %llu at most: see its "
                   "proto-max-bulk-len",
                   what, (unsigned long long)size, (unsigned long long)longest);
    return ENTRY_REJECTED;
}

/* Whether prefix and name together are the name of the field. */
static bool is_field(struct outbox_slice prefix, struct outbox_slice name, const char *field)
{
    size_t len = strlen(field);
    return prefix.len + name.len == len && memcmp(field, prefix.data, prefix.len) == 0 &&
           memcmp(field + prefix.len, name.data, name.len) == 0;
}

static bool is_attribute(const struct outbox_message *message, struct outbox_slice name)
{
    const size_t len = sizeof(ATTRIBUTE_PREFIX) - 1;
    if (name.len < len || memcmp(name.data, ATTRIBUTE_PREFIX, len) != 0)
        return false;
    for (uint64_t i = 0; i < message->attribute_count; i++) {
        struct outbox_slice known = message->attributes[i].name;
        if (known.len == name.len - len && memcmp(known.data, name.data + len, known.len) == 0)
            return true;
    }
    return false;
}

static enum entry_made check_header(const struct settings *settings, struct outbox_slice prefix,
                                    const struct outbox_message *message,
                                    const struct outbox_pair *header, uint64_t longest,
                                    char *reason)
{
    static const struct outbox_slice content_type = {CONTENT_TYPE, sizeof(CONTENT_TYPE) - 1};
    if (is_field(prefix, header->name, settings->payload_field) ||
        is_field(prefix, header->name, settings->key_field))
        return reject_name(reason, "the header", header->name,
                           " would have the field of the payload or the key: change header_prefix, "
                           "payload_field or key_field");
    if ((message->content_type.data && header->name.len == content_type.len &&
         memcmp(header->name.data, content_type.data, content_type.len) == 0) ||
        is_attribute(message, header->name))
        return reject_name(reason, "the header", header->name,
                           " would have the field of a CloudEvents attribute: rename it in "
                           "route.headers");
    if (prefix.len + header->name.len > longest || header->value.len > longest)
        return reject_name(reason, "the header", header->name,
                           " is longer than the server takes: see its proto-max-bulk-len");
    return ENTRY_MADE;
}

static enum entry_made check_stream(const struct settings *settings, struct outbox_slice prefix,
                                    const struct outbox_message *message, uint64_t longest,
                                    char *reason)
{
    if (message->header_count + message->attribute_count > MOST_ARGUMENTS / 2 - 20) {
        (void)snprintf(reason, ENTRY_REASON, "%llu headers are more than Redis takes",
                       (unsigned long long)message->header_count);
        return ENTRY_REJECTED;
    }
    for (uint64_t i = 0; i < message->header_count; i++) {
        enum entry_made made =
            check_header(settings, prefix, message, &message->headers[i], longest, reason);
        if (made != ENTRY_MADE)
            return made;
    }
    return message->key.len > longest ? reject_size(reason, "key", message->key.len, longest)
                                      : ENTRY_MADE;
}

/* ---- Streams ------------------------------------------------------------------------------ */

static char *put_field(char *at, struct outbox_slice prefix, struct outbox_slice name,
                       struct outbox_slice value)
{
    return resp_argument(resp_joined(at, prefix, name), value.data, value.len);
}

static char *put_attribute(char *at, struct outbox_slice prefix, const struct outbox_pair *pair)
{
    const size_t len = sizeof(ATTRIBUTE_PREFIX) - 1;
    at = resp_count(at, '$', prefix.len + len + pair->name.len);
    at = resp_raw(at, prefix.data, prefix.len);
    at = resp_raw(at, ATTRIBUTE_PREFIX, len);
    at = resp_end(resp_raw(at, pair->name.data, pair->name.len));
    return resp_argument(at, pair->value.data, pair->value.len);
}

static uint64_t stream_size(const struct entry_writer *writer, struct outbox_slice prefix,
                            const struct outbox_message *message)
{
    uint64_t size = 4 * RESP_FRAME + message->topic.len + writer->middle.len + RESP_NUMBER;
    size += 4 * RESP_FRAME + strlen(writer->settings->key_field) + message->key.len;
    for (uint64_t i = 0; i < message->header_count; i++)
        size += 2 * RESP_FRAME + prefix.len + message->headers[i].name.len +
                message->headers[i].value.len;
    for (uint64_t i = 0; i < message->attribute_count; i++)
        size += 2 * RESP_FRAME + prefix.len + sizeof(ATTRIBUTE_PREFIX) +
                message->attributes[i].name.len + message->attributes[i].value.len;
    return size + 2 * RESP_FRAME + prefix.len + sizeof(CONTENT_TYPE) + message->content_type.len;
}

static enum entry_made add_stream(struct entry_writer *writer, const struct outbox_message *message,
                                  uint64_t longest, struct outgoing *out, char *reason)
{
    const struct settings *settings = writer->settings;
    struct outbox_slice prefix = outbox_slice_of(settings->header_prefix);
    enum entry_made made = check_stream(settings, prefix, message, longest, reason);
    if (made != ENTRY_MADE)
        return made;
    uint64_t pairs = message->header_count + message->attribute_count;
    pairs += message->key.data != NULL;
    pairs += message->content_type.data != NULL;
    char *at = outgoing_room(out, stream_size(writer, prefix, message), 1);
    if (!at)
        return ENTRY_NO_MEMORY;

    at = resp_count(at, '*', 3 + writer->middle_count + 2 * pairs);
    at = resp_raw(at, RESP_LITERAL("4", "XADD"), sizeof(RESP_LITERAL("4", "XADD")) - 1);
    at = resp_argument(at, message->topic.data, message->topic.len);
    at = resp_raw(at, writer->middle.data, writer->middle.len);
    at = resp_count(at, '$', message->payload.len);
    outgoing_add(out, at);
    outgoing_refer(out, message->payload);
    at = resp_end(at);
    if (message->key.data)
        at = put_field(at, (struct outbox_slice){"", 0}, outbox_slice_of(settings->key_field),
                       message->key);
    for (uint64_t i = 0; i < message->header_count; i++)
        at = put_field(at, prefix, message->headers[i].name, message->headers[i].value);
    for (uint64_t i = 0; i < message->attribute_count; i++)
        at = put_attribute(at, prefix, &message->attributes[i]);
    if (message->content_type.data)
        at = put_field(at, prefix, outbox_slice_of(CONTENT_TYPE), message->content_type);
    outgoing_add(out, at);
    return ENTRY_MADE;
}

/* ---- Lists and channels ------------------------------------------------------------------- */

static enum entry_made check_envelope(const struct outbox_message *message, char *reason)
{
    if (message->content_type.data || message->attribute_count > 0) {
        (void)snprintf(reason, ENTRY_REASON,
                       "the envelope has no place for CloudEvents: for type list or pubsub use "
                       "route.format \"cloudevents-structured\" with \"envelope\": false");
        return ENTRY_REJECTED;
    }
    for (uint64_t i = 0; i < message->header_count; i++)
        if (!utf8_is_valid(message->headers[i].name) || !utf8_is_valid(message->headers[i].value))
            return reject_name(reason, "the header", message->headers[i].name,
                               " is not UTF-8, and the envelope is JSON");
    if (!utf8_is_valid(message->key) || !utf8_is_valid(message->topic))
        return reject_name(reason, "the key or topic", message->key,
                           " is not UTF-8, and the envelope is JSON");
    return ENTRY_MADE;
}

/* The payload, or the envelope around it. */
static enum entry_made make_body(struct entry_writer *writer, const struct outbox_message *message,
                                 struct outbox_slice *body, char *reason)
{
    *body = message->payload;
    if (!writer->settings->envelope) {
        if (message->attribute_count == 0)
            return ENTRY_MADE;
        (void)snprintf(reason, ENTRY_REASON,
                       "a bare payload has no place for CloudEvents attributes: use route.format "
                       "\"cloudevents-structured\"");
        return ENTRY_REJECTED;
    }
    enum entry_made made = check_envelope(message, reason);
    if (made != ENTRY_MADE)
        return made;
    lines_reset(&writer->envelope);
    if (!lines_add(&writer->envelope, message))
        return ENTRY_NO_MEMORY;
    /* Without the end of the line. */
    *body = (struct outbox_slice){writer->envelope.text.data, writer->envelope.text.len - 1};
    return ENTRY_MADE;
}

static enum entry_made add_body(struct entry_writer *writer, const struct outbox_message *message,
                                uint64_t longest, struct outgoing *out, char *reason)
{
    bool is_list = writer->settings->kind == KIND_LIST, is_made_here = writer->settings->envelope;
    struct outbox_slice body;
    enum entry_made made = make_body(writer, message, &body, reason);
    if (made != ENTRY_MADE)
        return made;
    if (body.len > longest)
        return reject_size(reason, "envelope", body.len, longest);
    char *at =
        outgoing_room(out, 4 * RESP_FRAME + message->topic.len + (is_made_here ? body.len : 0), 1);
    if (!at)
        return ENTRY_NO_MEMORY;
    at = resp_count(at, '*', 3);
    at = is_list
             ? resp_raw(at, RESP_LITERAL("5", "RPUSH"), sizeof(RESP_LITERAL("5", "RPUSH")) - 1)
             : resp_raw(at, RESP_LITERAL("7", "PUBLISH"), sizeof(RESP_LITERAL("7", "PUBLISH")) - 1);
    at = resp_argument(at, message->topic.data, message->topic.len);
    at = resp_count(at, '$', body.len);
    if (is_made_here) {
        at = resp_raw(at, body.data, body.len);
    } else {
        outgoing_add(out, at);
        outgoing_refer(out, body);
    }
    outgoing_add(out, resp_end(at));
    return ENTRY_MADE;
}

/* ---- All ---------------------------------------------------------------------------------- */

enum entry_made entry_add(struct entry_writer *writer, const struct outbox_message *message,
                          uint64_t longest, struct outgoing *out, char reason[ENTRY_REASON])
{
    if (message->payload.len > longest)
        return reject_size(reason, "payload", message->payload.len, longest);
    if (message->topic.len > longest)
        return reject_size(reason, "topic", message->topic.len, longest);
    return writer->settings->kind == KIND_STREAM ? add_stream(writer, message, longest, out, reason)
                                                 : add_body(writer, message, longest, out, reason);
}

const char *entry_command(const struct settings *settings)
{
    return settings->kind == KIND_STREAM ? "XADD"
           : settings->kind == KIND_LIST ? "RPUSH"
                                         : "PUBLISH";
}
