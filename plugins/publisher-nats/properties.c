/*
 * properties.c - what route.properties can set
 * SPDX-License-Identifier: MIT
 */
#include "properties.h"

#include "wire_text.h"

static const struct property table[] = {
    {.name = PROPERTY_MSG_ID, .header = HEADER_MSG_ID},
    {.name = PROPERTY_EXPECTED_STREAM, .header = "Nats-Expected-Stream", .needs_stream = true},
    {.name = PROPERTY_EXPECTED_LAST_MSG_ID,
     .header = "Nats-Expected-Last-Msg-Id",
     .needs_stream = true},
    {.name = PROPERTY_EXPECTED_LAST_SEQUENCE,
     .header = "Nats-Expected-Last-Sequence",
     .is_number = true,
     .needs_stream = true},
    {.name = PROPERTY_EXPECTED_LAST_SUBJECT_SEQUENCE,
     .header = "Nats-Expected-Last-Subject-Sequence",
     .is_number = true,
     .needs_stream = true},
    {.name = PROPERTY_ROLLUP, .header = "Nats-Rollup", .is_scope = true, .needs_stream = true},
};

static bool is_text(struct outbox_slice slice, const char *text)
{
    return slice.len == strlen(text) && memcmp(slice.data, text, slice.len) == 0;
}

const struct property *property_find(struct outbox_slice name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (is_text(name, table[i].name))
            return &table[i];
    }
    return NULL;
}

static bool is_number(struct outbox_slice value)
{
    for (uint64_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
    }
    return value.len <= 19;
}

const char *property_trouble(const struct property *property, struct outbox_slice value,
                             bool jetstream)
{
    if (property->needs_stream && !jetstream)
        return "needs \"jetstream\": true";
    if (property->is_number && !is_number(value))
        return "has to be a number of up to 19 digits";
    if (property->is_scope && !is_text(value, "sub") && !is_text(value, "all"))
        return "has to be \"sub\" or \"all\"";
    return wire_text_is_value(value) ? NULL : "holds a control byte, or a blank at an end";
}
