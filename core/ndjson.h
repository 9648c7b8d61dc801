/*
 * ndjson.h - events to enqueue, an object a line
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_NDJSON_H
#define CORE_NDJSON_H

#include "arena.h"

#include <outbox/store.h>
#include <stdbool.h>

/* Events for one transaction; owns all that they point to. One thread. */
struct ndjson_batch {
    struct outbox_new_event *events;
    size_t count, capacity;
    size_t bytes; /* of the lines that the events came from */
    struct arena arena;
};

bool ndjson_batch_init(struct ndjson_batch *batch, size_t capacity)
    __attribute__((warn_unused_result));
void ndjson_batch_reset(struct ndjson_batch *batch);
void ndjson_batch_clear(struct ndjson_batch *batch);

/* Whether a line holds nothing but white space. */
bool ndjson_is_blank(const char *line, size_t length);

/* Adds the event that the line describes; there must be room. The line is not looked at afterwards.
 * Keys: type, exactly one of payload (text), payload_json (its bytes as they stand) and
 * payload_base64, and as wanted id, key, ordering_key, aggregate_type, aggregate_id, headers (an
 * object) and available_at; a null counts as absent, but for payload_json, where it is the payload.
 * On failure adds nothing and says in `error` what is wrong and what is right. */
bool ndjson_add(struct ndjson_batch *batch, const char *line, size_t length,
                struct outbox_error *error) __attribute__((warn_unused_result));

#endif
