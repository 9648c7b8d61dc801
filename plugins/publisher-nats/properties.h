/*
 * properties.h - what route.properties can set
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_PROPERTIES_H
#define PUBLISHER_NATS_PROPERTIES_H

#include <outbox/types.h>
#include <stdbool.h>

#define PROPERTY_MSG_ID "msg_id"
#define PROPERTY_EXPECTED_STREAM "expected_stream"
#define PROPERTY_EXPECTED_LAST_MSG_ID "expected_last_msg_id"
#define PROPERTY_EXPECTED_LAST_SEQUENCE "expected_last_sequence"
#define PROPERTY_EXPECTED_LAST_SUBJECT_SEQUENCE "expected_last_subject_sequence"
#define PROPERTY_ROLLUP "rollup"

#define HEADER_MSG_ID "Nats-Msg-Id"

/* The header that a property becomes, and what its value may be. */
struct property {
    const char *name, *header;
    bool is_number, is_scope; /* digits; "sub" or "all" */
    bool needs_stream;        /* means nothing without JetStream */
};

/* NULL for none of that name. */
const struct property *property_find(struct outbox_slice name);

/* What is wrong with a value, to be put behind "it", or NULL. */
const char *property_trouble(const struct property *property, struct outbox_slice value,
                             bool jetstream);

#endif
