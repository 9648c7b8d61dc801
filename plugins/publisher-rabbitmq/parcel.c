/*
 * parcel.c - a message made ready for AMQP: where to, properties, headers
 * SPDX-License-Identifier: MIT
 */
#include "parcel.h"

#include <stdlib.h>

#define NAME_MAX_BYTES 255u /* the protocol has one byte for the length of a name */
#define LONGEST_EXPIRATION UINT64_C(4294967295)
#define ATTRIBUTE_PREFIX "cloudEvents_"
#define ATTRIBUTE_PREFIX_LEN (sizeof(ATTRIBUTE_PREFIX) - 1)
#define NAMES_KEPT 4096u

#define PROPERTY(property_name, text)                                                              \
    {                                                                                              \
        .name = (property_name), .type = OUTBOX_OPTION_TEXT, .help = (text)                        \
    }

const struct outbox_option parcel_properties[PARCEL_PROPERTY_COUNT] = {
    PROPERTY("exchange", "the exchange instead of the one of the option"),
    PROPERTY("priority", "0 to 255"),
    PROPERTY("expiration", "milliseconds that the message may wait in a queue"),
    PROPERTY("delivery_mode", "2: persistent (the default), 1: lost when the broker restarts"),
    PROPERTY("type", "instead of the event's type"),
    PROPERTY("content_type", "where the format sets none"),
    PROPERTY("content_encoding", "such as gzip"),
    PROPERTY("correlation_id", "for the receiver"),
    PROPERTY("reply_to", "for the receiver"),
    PROPERTY("app_id", "for the receiver"),
    PROPERTY("user_id", "the broker refuses one that is not the connection's user"),
};

static bool is(struct outbox_slice slice, const char *text)
{
    size_t len = strlen(text);
    return slice.len == len && memcmp(slice.data, text, len) == 0;
}

struct outbox_slice parcel_exchange(const struct outbox_message *message,
                                    const struct settings *settings)
{
    for (uint64_t i = 0; i < message->property_count; i++) {
        if (is(message->properties[i].name, "exchange"))
            return message->properties[i].value;
    }
    return outbox_slice_of(settings->exchange);
}

/* ---- Properties --------------------------------------------------------------------------- */

static bool too_long(char *reason, const char *what, struct outbox_slice value)
{
    (void)snprintf(reason, PARCEL_REASON_SIZE,
                   "%s has %llu bytes (\"%.60s...\"): AMQP takes 255 at most", what,
                   (unsigned long long)value.len, value.data);
    return false;
}

static bool bad_property(char *reason, const struct outbox_pair *property, const char *allowed)
{
    (void)snprintf(reason, PARCEL_REASON_SIZE, "property \"%.*s\" is \"%.*s\": write %s",
                   (int)property->name.len, property->name.data,
                   (int)(property->value.len < 80 ? property->value.len : 80), property->value.data,
                   allowed);
    return false;
}

static bool parse_number(struct outbox_slice text, uint64_t maximum, uint64_t *number)
{
    *number = 0;
    if (text.len == 0 || text.len > 10)
        return false;
    for (uint64_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *number = *number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return *number <= maximum;
}

static bool set_number(amqp_basic_properties_t *properties, const struct outbox_pair *property,
                       char *reason, bool *is_known)
{
    uint64_t number;
    *is_known = true;
    if (is(property->name, "priority")) {
        if (!parse_number(property->value, 255, &number))
            return bad_property(reason, property, "a number from 0 to 255");
        properties->priority = (uint8_t)number;
        properties->_flags |= AMQP_BASIC_PRIORITY_FLAG;
    } else if (is(property->name, "delivery_mode")) {
        if (!parse_number(property->value, 2, &number) || number == 0)
            return bad_property(reason, property, "1 or 2");
        properties->delivery_mode = (uint8_t)number;
    } else if (is(property->name, "expiration")) {
        if (!parse_number(property->value, LONGEST_EXPIRATION, &number))
            return bad_property(reason, property, "milliseconds from 0 to 4294967295");
        properties->expiration = amqp_of(property->value);
        properties->_flags |= AMQP_BASIC_EXPIRATION_FLAG;
    } else {
        *is_known = false;
    }
    return true;
}

static bool set_text(struct parcel *parcel, const struct outbox_pair *property, char *reason)
{
    amqp_basic_properties_t *properties = &parcel->properties;
    const struct {
        const char *name;
        amqp_bytes_t *value;
        amqp_flags_t flag;
    } texts[] = {
        {"type", &properties->type, AMQP_BASIC_TYPE_FLAG},
        {"content_encoding", &properties->content_encoding, AMQP_BASIC_CONTENT_ENCODING_FLAG},
        {"correlation_id", &properties->correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG},
        {"reply_to", &properties->reply_to, AMQP_BASIC_REPLY_TO_FLAG},
        {"app_id", &properties->app_id, AMQP_BASIC_APP_ID_FLAG},
        {"user_id", &properties->user_id, AMQP_BASIC_USER_ID_FLAG},
        {"content_type", &properties->content_type, AMQP_BASIC_CONTENT_TYPE_FLAG},
    };
    bool is_set_already = is(property->name, "content_type") && parcel->message->content_type.data;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && !is_set_already; i++) {
        if (!is(property->name, texts[i].name))
            continue;
        if (property->value.len > NAME_MAX_BYTES)
            return too_long(reason, texts[i].name, property->value);
        *texts[i].value = amqp_of(property->value);
        properties->_flags |= texts[i].flag;
    }
    return true;
}

static bool set_properties(struct parcel *parcel, char *reason)
{
    const struct outbox_message *message = parcel->message;
    const struct outbox_event *event = message->event;
    amqp_basic_properties_t *properties = &parcel->properties;
    properties->_flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                         AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG;
    properties->delivery_mode = AMQP_DELIVERY_PERSISTENT;
    properties->message_id = amqp_of(event->id);
    properties->type = amqp_of(event->type);
    if (event->created_at > 0) {
        properties->timestamp = (uint64_t)event->created_at / 1000000;
        properties->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
    }
    if (message->content_type.data) {
        properties->content_type = amqp_of(message->content_type);
        properties->_flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
    }
    for (uint64_t i = 0; i < message->property_count; i++) {
        bool is_number;
        /* A template whose field is missing and whose default is empty. */
        if (message->properties[i].value.len == 0)
            continue;
        if (!set_number(properties, &message->properties[i], reason, &is_number) ||
            (!is_number && !set_text(parcel, &message->properties[i], reason)))
            return false;
    }
    if (event->id.len > NAME_MAX_BYTES)
        return too_long(reason, "the event's id", event->id);
    if (properties->type.len > NAME_MAX_BYTES)
        return too_long(reason, "the event's type", event->type);
    return message->content_type.len <= NAME_MAX_BYTES ||
           too_long(reason, "the content type", message->content_type);
}

/* ---- Headers ------------------------------------------------------------------------------ */

static bool out_of_memory(char *reason)
{
    (void)snprintf(reason, PARCEL_REASON_SIZE, "the headers need more memory than there is");
    return false;
}

static bool reserve(struct parcel *parcel, uint64_t count)
{
    if (count <= parcel->capacity)
        return true;
    if (count > INT32_MAX / 2)
        return false;
    uint64_t capacity = count + 16;
    amqp_table_entry_t *entries = realloc(parcel->entries, capacity * sizeof(*entries));
    if (!entries)
        return false;
    parcel->entries = entries;
    parcel->capacity = capacity;
    return true;
}

static bool same(struct outbox_slice a, struct outbox_slice b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Whether a header of the message has the name that an attribute will be given. */
static bool is_attribute(const struct outbox_message *message, struct outbox_slice name)
{
    if (name.len <= ATTRIBUTE_PREFIX_LEN ||
        memcmp(name.data, ATTRIBUTE_PREFIX, ATTRIBUTE_PREFIX_LEN) != 0)
        return false;
    const struct outbox_slice rest = {name.data + ATTRIBUTE_PREFIX_LEN,
                                      name.len - ATTRIBUTE_PREFIX_LEN};
    for (uint64_t i = 0; i < message->attribute_count; i++) {
        if (same(message->attributes[i].name, rest))
            return true;
    }
    return false;
}

static bool add(struct parcel *parcel, struct outbox_slice name, struct outbox_slice value,
                char *reason)
{
    amqp_table_t *headers = &parcel->properties.headers;
    if (name.len > NAME_MAX_BYTES)
        return too_long(reason, "the name of a header", name);
    headers->entries[headers->num_entries++] = (amqp_table_entry_t){
        .key = amqp_of(name),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value = {.bytes = amqp_of(value)}}};
    return true;
}

static bool taken(const struct outbox_pair *header, const char *by, char *reason)
{
    (void)snprintf(reason, PARCEL_REASON_SIZE,
                   "header \"%.*s\" has the name under which %s travels: rename one of them",
                   (int)(header->name.len < 100 ? header->name.len : 100), header->name.data, by);
    return false;
}

static bool add_headers(struct parcel *parcel, struct outbox_slice key_header, char *reason)
{
    const struct outbox_message *message = parcel->message;
    for (uint64_t i = 0; i < message->header_count; i++) {
        const struct outbox_pair *header = &message->headers[i];
        if (key_header.data && same(header->name, key_header))
            return taken(header, "the key (\"key_header\")", reason);
        if (message->attribute_count > 0 && is_attribute(message, header->name))
            return taken(header, "a CloudEvents attribute", reason);
        if (!add(parcel, header->name, header->value, reason))
            return false;
    }
    return !key_header.data || add(parcel, key_header, message->key, reason);
}

static bool add_attributes(struct parcel *parcel, char *reason)
{
    const struct outbox_message *message = parcel->message;
    uint64_t needed = 0;
    for (uint64_t i = 0; i < message->attribute_count; i++)
        needed += ATTRIBUTE_PREFIX_LEN + message->attributes[i].name.len;
    bytes_reset(&parcel->names, NAMES_KEPT);
    char *name = needed > 0 ? bytes_room(&parcel->names, needed) : NULL;
    if (needed > 0 && !name)
        return out_of_memory(reason);
    for (uint64_t i = 0; i < message->attribute_count; i++) {
        const struct outbox_pair *attribute = &message->attributes[i];
        struct outbox_slice full = {name, ATTRIBUTE_PREFIX_LEN + attribute->name.len};
        memcpy(name, ATTRIBUTE_PREFIX, ATTRIBUTE_PREFIX_LEN);
        memcpy(name + ATTRIBUTE_PREFIX_LEN, attribute->name.data, attribute->name.len);
        name += full.len;
        if (!add(parcel, full, attribute->value, reason))
            return false;
    }
    return true;
}

/* ---- The whole ---------------------------------------------------------------------------- */

bool parcel_prepare(struct parcel *parcel, const struct settings *settings,
                    const struct outbox_message *message, char reason[PARCEL_REASON_SIZE])
{
    struct outbox_slice key_header = {NULL, 0};
    if (message->key.data && settings->key_header[0])
        key_header = outbox_slice_of(settings->key_header);
    parcel->message = message;
    parcel->exchange = parcel_exchange(message, settings);
    memset(&parcel->properties, 0, sizeof(parcel->properties));
    if (parcel->exchange.len > NAME_MAX_BYTES)
        return too_long(reason, "the name of the exchange", parcel->exchange);
    if (message->topic.len > NAME_MAX_BYTES)
        return too_long(reason, "the routing key", message->topic);
    if (message->payload.len > settings->max_message_size) {
        (void)snprintf(reason, PARCEL_REASON_SIZE,
                       "the payload has %llu bytes, more than \"max_message_size\" (%llu)",
                       (unsigned long long)message->payload.len,
                       (unsigned long long)settings->max_message_size);
        return false;
    }
    if (!reserve(parcel, message->header_count + message->attribute_count + 1))
        return out_of_memory(reason);
    parcel->properties.headers.entries = parcel->entries;
    return set_properties(parcel, reason) && add_headers(parcel, key_header, reason) &&
           add_attributes(parcel, reason);
}

bool parcel_send(struct parcel *parcel, struct wire *wire, amqp_channel_t channel,
                 char reason[PARCEL_REASON_SIZE])
{
    amqp_basic_publish_t publish = {.exchange = amqp_of(parcel->exchange),
                                    .routing_key = amqp_of(parcel->message->topic),
                                    .mandatory = 1};
    if (wire_publish(wire, channel, &publish, &parcel->properties, parcel->message->payload))
        return true;
    (void)snprintf(reason, PARCEL_REASON_SIZE,
                   "headers and properties need more than the %llu bytes that a frame of this "
                   "connection has (frame_max of the broker)",
                   (unsigned long long)wire->frame_max);
    return false;
}

void parcel_clear(struct parcel *parcel)
{
    free(parcel->entries);
    bytes_clear(&parcel->names);
    *parcel = (struct parcel){0};
}
