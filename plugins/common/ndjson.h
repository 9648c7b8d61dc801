/*
 * ndjson.h - a message as one line of JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_NDJSON_H
#define PLUGINS_COMMON_NDJSON_H

#include "bytes.h"

#include <outbox/publisher.h>

/* Appends one JSON object and a newline: id, type, topic, key, payload (text) or payload_base64
 * (where the bytes are not UTF-8), headers, aggregate_type, aggregate_id, ordering_key, attempts,
 * created_at. What is absent is left out. In every other text than the payload, bytes that are not
 * UTF-8 become U+FFFD. False if the memory is used up; *line is then as it was. */
bool ndjson_append(struct bytes *line, const struct outbox_message *message) OUTBOX_MUST_USE;

#endif
