/*
 * message.c - one message of the relay as a message of the library
 * SPDX-License-Identifier: MIT
 */
#include "message.h"

#include "properties.h"
#include "subject.h"
#include "wire_text.h"

#include <limits.h>

#define CE_PREFIX "ce-"
#define CONTENT_TYPE "content-type"
/* "NATS/1.0" and the two ends of line around the headers, ": " and the end of line of each. */
#define BLOCK_SIZE UINT64_C(12)
#define HEADER_SIZE UINT64_C(4)

/* Servers before 2.10 look for these anywhere in the block of headers: found in the text of another
 * header they would be taken for a command, or hide the real one. */
static const char *const commands[] = {
    "Nats-Msg-Id", "Nats-Expected-", "Nats-Rollup", "Nats-TTL", "Nats-Batch-", "Nats-Schedule",
};

struct work {
    struct composer *composer;
    const struct outbox_message *message;
    natsMsg *made;
    uint64_t size;
    struct refusal *refusal;
};

OUTBOX_PRINTF(2, 3)
static enum composed refuse(struct work *work, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(work->refusal->reason, sizeof(work->refusal->reason), format, arguments);
    va_end(arguments);
    return REFUSED;
}

/* A name or value for a sentence. */
#define SHOWN(slice) (int)((slice).len < 100 ? (slice).len : 100), (slice).data ? (slice).data : ""

/* ---- Text that ends in NUL ---------------------------------------------------------------- */

/* The copy stays until the next call for another message. There is room: see reserve(). */
static const char *copy(struct bytes *text, struct outbox_slice slice)
{
    char *at = text->data + text->len;
    if (slice.len > 0)
        memcpy(at, slice.data, slice.len);
    at[slice.len] = '\0';
    text->len += slice.len + 1;
    return at;
}

/* Copies must not move while others are pointed to, so the room for all is made first. */
static bool reserve(struct composer *composer, const struct outbox_message *message)
{
    uint64_t most = message->topic.len + message->key.len + message->event->id.len +
                    message->content_type.len + 4;
    for (uint64_t i = 0; i < message->header_count; i++)
        most += message->headers[i].name.len + message->headers[i].value.len + 2;
    for (uint64_t i = 0; i < message->attribute_count; i++)
        most += sizeof(CE_PREFIX) + message->attributes[i].name.len +
                wire_text_encoded_max(message->attributes[i].value.len) + 1;
    for (uint64_t i = 0; i < message->property_count; i++)
        most += message->properties[i].value.len + 1;
    composer->text.len = 0;
    return bytes_room(&composer->text, most) != NULL;
}

static enum composed set(struct work *work, const char *name, const char *value)
{
    work->size += strlen(name) + strlen(value) + HEADER_SIZE;
    return natsMsgHeader_Set(work->made, name, value) == NATS_OK ? COMPOSED : NO_MEMORY;
}

/* ---- Headers of the event ----------------------------------------------------------------- */

static const char *command_in(struct outbox_slice text)
{
    if (!memmem(text.data ? text.data : "", text.len, "Nats-", 5))
        return NULL;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (memmem(text.data, text.len, commands[i], strlen(commands[i])))
            return commands[i];
    }
    return NULL;
}

static bool begins_with(struct outbox_slice name, const char *start)
{
    size_t len = strlen(start);
    return name.len >= len && strncasecmp(name.data, start, len) == 0;
}

static bool is_called(struct outbox_slice name, const char *other)
{
    return name.len == strlen(other) && strncasecmp(name.data, other, name.len) == 0;
}

/* Whether the driver sets a header of that name itself, in this message. */
static bool is_ours(const struct work *work, struct outbox_slice name)
{
    const struct outbox_message *message = work->message;
    const char *key_header = work->composer->settings->key_header;
    return (message->content_type.data && is_called(name, CONTENT_TYPE)) ||
           (message->attribute_count > 0 && begins_with(name, CE_PREFIX)) ||
           (message->key.data && *key_header && is_called(name, key_header));
}

static enum composed check_header(struct work *work, const struct outbox_pair *header)
{
    if (!wire_text_is_name(header->name))
        return refuse(work,
                      "header \"%.*s\": a name of a NATS header has only letters, digits and "
                      "!#$%%&'*+-.^_`|~",
                      SHOWN(header->name));
    if (!wire_text_is_value(header->value))
        return refuse(
            work,
            "header \"%.*s\": its value holds a control byte, or a blank at an end, which "
            "no NATS header keeps",
            SHOWN(header->name));
    if (begins_with(header->name, "Nats-"))
        return refuse(work,
                      "header \"%.*s\": names that begin with Nats- are commands to the server; "
                      "route.properties can set some",
                      SHOWN(header->name));
    const char *command = command_in(header->name);
    if (!command)
        command = command_in(header->value);
    if (command)
        return refuse(
            work, "header \"%.*s\": it holds the text %s, which some servers take for a command",
            SHOWN(header->name), command);
    if (is_ours(work, header->name))
        return refuse(work, "header \"%.*s\": the publisher itself sets one of that name",
                      SHOWN(header->name));
    return COMPOSED;
}

static enum composed set_headers(struct work *work)
{
    const struct outbox_message *message = work->message;
    struct bytes *text = &work->composer->text;
    for (uint64_t i = 0; i < message->header_count; i++) {
        const struct outbox_pair *header = &message->headers[i];
        enum composed result = check_header(work, header);
        if (result != COMPOSED)
            return result;
        const char *name = copy(text, header->name);
        result = set(work, name, copy(text, header->value));
        if (result != COMPOSED)
            return result;
    }
    return COMPOSED;
}

/* ---- Headers of ours ---------------------------------------------------------------------- */

/* The key, and the event's id, by which a stream knows a message that comes again. */
static enum composed set_identity(struct work *work, bool has_msg_id)
{
    const struct outbox_message *message = work->message;
    struct bytes *text = &work->composer->text;
    const char *key_header = work->composer->settings->key_header;
    struct outbox_slice id = message->event->id;
    if (message->key.data && *key_header) {
        if (!wire_text_is_value(message->key) || command_in(message->key))
            return refuse(
                work,
                "key \"%.*s\": header \"%.100s\" cannot carry it; it holds a control byte, "
                "a blank at an end, or the name of a command to the server",
                SHOWN(message->key), key_header);
        enum composed result = set(work, key_header, copy(text, message->key));
        if (result != COMPOSED)
            return result;
    }
    if (has_msg_id || id.len == 0)
        return COMPOSED;
    if (!wire_text_is_value(id) || command_in(id))
        return refuse(work,
                      "event id \"%.*s\": header " HEADER_MSG_ID
                      " cannot carry it; set route.properties." PROPERTY_MSG_ID,
                      SHOWN(id));
    return set(work, HEADER_MSG_ID, copy(text, id));
}

/* As the NATS binding of CloudEvents says. */
static enum composed set_attributes(struct work *work)
{
    const struct outbox_message *message = work->message;
    struct bytes *text = &work->composer->text;
    enum composed result = COMPOSED;
    if (message->content_type.data) {
        if (!wire_text_is_value(message->content_type))
            return refuse(work, "content type \"%.*s\": no NATS header keeps it",
                          SHOWN(message->content_type));
        result = set(work, CONTENT_TYPE, copy(text, message->content_type));
    }
    for (uint64_t i = 0; result == COMPOSED && i < message->attribute_count; i++) {
        const struct outbox_pair *attribute = &message->attributes[i];
        char *name = text->data + text->len;
        (void)copy(text, outbox_slice_of(CE_PREFIX));
        text->len--; /* the name goes on where the prefix ended */
        (void)copy(text, attribute->name);
        char *value = text->data + text->len;
        uint64_t len = wire_text_encode(attribute->value, value);
        value[len] = '\0';
        text->len += len + 1;
        if (!wire_text_is_name(attribute->name) || command_in((struct outbox_slice){value, len}))
            return refuse(work, "CloudEvents attribute \"%.*s\": no NATS header can carry it",
                          SHOWN(attribute->name));
        result = set(work, name, value);
    }
    return result;
}

/* An empty value is one that a template left out. */
static enum composed set_properties(struct work *work, bool *has_msg_id)
{
    const struct outbox_message *message = work->message;
    *has_msg_id = false;
    for (uint64_t i = 0; i < message->property_count; i++) {
        const struct outbox_pair *given = &message->properties[i];
        const struct property *property = property_find(given->name);
        if (!property || given->value.len == 0)
            continue;
        const char *why =
            property_trouble(property, given->value, work->composer->settings->jetstream);
        if (!why && command_in(given->value))
            why = "holds the name of a command to the server";
        if (why)
            return refuse(work, "property \"%s\" is \"%.*s\": it %s", property->name,
                          SHOWN(given->value), why);
        enum composed result =
            set(work, property->header, copy(&work->composer->text, given->value));
        if (result != COMPOSED)
            return result;
        *has_msg_id = *has_msg_id || strcmp(property->header, HEADER_MSG_ID) == 0;
    }
    return COMPOSED;
}

/* ---- The message -------------------------------------------------------------------------- */

static enum composed check_subject(struct work *work)
{
    struct outbox_slice subject = work->message->topic;
    const char *why = subject_trouble(subject);
    if (why)
        return refuse(work, "subject \"%.*s\": it %s; see route.topic", SHOWN(subject), why);
    if (subject_is_reserved(subject))
        return refuse(
            work,
            "subject \"%.*s\": what begins with $ is a request to the server itself; only "
            "$KV. can be published to",
            SHOWN(subject));
    return COMPOSED;
}

static enum composed check_size(struct work *work, uint64_t headers, uint64_t payload)
{
    uint64_t most = work->composer->max_message;
    if (payload > INT_MAX || (most > 0 && headers + payload > most))
        return refuse(work,
                      "the payload has %llu bytes and the headers %llu, and the server takes %llu "
                      "together (its max_payload)",
                      (unsigned long long)payload, (unsigned long long)headers,
                      (unsigned long long)most);
    return COMPOSED;
}

static enum composed fill(struct work *work)
{
    bool has_msg_id;
    enum composed result = set_headers(work);
    if (result == COMPOSED)
        result = set_attributes(work);
    if (result == COMPOSED)
        result = set_properties(work, &has_msg_id);
    if (result == COMPOSED)
        result = set_identity(work, has_msg_id);
    return result == COMPOSED
               ? check_size(work, work->size + BLOCK_SIZE, work->message->payload.len)
               : result;
}

enum composed message_compose(struct composer *composer, const struct outbox_message *message,
                              const char *reply, natsMsg **made, uint64_t *size,
                              struct refusal *refusal)
{
    struct work work = {.composer = composer, .message = message, .refusal = refusal};
    enum composed result = check_subject(&work);
    if (result == COMPOSED)
        result = check_size(&work, 0, message->payload.len);
    if (result != COMPOSED)
        return result;
    if (!reserve(composer, message))
        return NO_MEMORY;
    const char *subject = copy(&composer->text, message->topic);
    if (natsMsg_Create(&work.made, subject, reply, message->payload.data,
                       (int)message->payload.len) != NATS_OK)
        return NO_MEMORY;
    result = fill(&work);
    if (result == COMPOSED) {
        *made = work.made;
        *size = work.size + message->payload.len + message->topic.len;
    } else {
        natsMsg_Destroy(work.made);
    }
    return result;
}
