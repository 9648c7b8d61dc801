/*
 * entry.h - a message as the command that hands it to Redis
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_ENTRY_H
#define PUBLISHER_REDIS_ENTRY_H

#include "lines.h"
#include "outgoing.h"
#include "settings.h"

#define ENTRY_REASON 400

enum entry_made { ENTRY_MADE, ENTRY_REJECTED, ENTRY_NO_MEMORY };

/* One thread at a time. */
struct entry_writer {
    const struct settings *settings;
    struct bytes middle;   /* of XADD: what stands between the stream and the payload */
    uint64_t middle_count; /* arguments in it */
    struct lines envelope; /* of the message at hand */
};

/* Starts as all zeroes. */
bool entry_writer_init(struct entry_writer *writer,
                       const struct settings *settings) OUTBOX_MUST_USE;
void entry_writer_clear(struct entry_writer *writer);

/* To be called now and then, for max_age; `now` is milliseconds since 1970. */
bool entry_writer_set_time(struct entry_writer *writer, int64_t now) OUTBOX_MUST_USE;

/* Adds the command. What is REJECTED has its reason written and adds nothing. `longest` is the
 * largest argument that the server takes: it closes the connection of who sends a larger one. */
enum entry_made entry_add(struct entry_writer *writer, const struct outbox_message *message,
                          uint64_t longest, struct outgoing *out,
                          char reason[ENTRY_REASON]) OUTBOX_MUST_USE;

/* "XADD", "RPUSH" or "PUBLISH". */
const char *entry_command(const struct settings *settings);

#endif
