/*
 * outgoing.h - bytes on their way into a connection, some of them where somebody else keeps them
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_OUTGOING_H
#define PUBLISHER_REDIS_OUTGOING_H

#include "bytes.h"

#include <sys/uio.h>

/* Kept between uses; larger memory is given back once all is sent. */
#define OUTGOING_KEPT ((uint64_t)1024 * 1024)

struct outgoing_piece {
    const char *data; /* NULL: in the text, from `start` on */
    uint64_t start, len;
};

/* Starts as all zeroes. One thread at a time. */
struct outgoing {
    struct bytes text;
    struct outgoing_piece *pieces;
    uint64_t piece_count, piece_capacity;
    uint64_t first;          /* piece that is not wholly sent */
    uint64_t sent;           /* bytes of it that are */
    uint64_t added, written; /* bytes, ever */
};

/* Where up to `text` bytes may be written, and room for `references` foreign pieces between them;
 * NULL if the memory is used up. What follows until the next call then cannot fail. */
char *outgoing_room(struct outgoing *outgoing, uint64_t text, uint64_t references) OUTBOX_MUST_USE;

/* Adds what was written up to `end`; more may be written from there on. */
void outgoing_add(struct outgoing *outgoing, const char *end);

/* Adds bytes that stay where they are until they are written. */
void outgoing_refer(struct outgoing *outgoing, struct outbox_slice bytes);

static inline bool outgoing_is_empty(const struct outgoing *outgoing)
{
    return outgoing->first == outgoing->piece_count;
}

/* The bytes to be sent next, in up to `most` vectors; returns how many. */
int outgoing_vectors(const struct outgoing *outgoing, struct iovec *vectors, int most);

/* Copies up to `size` of them; returns how many. */
uint64_t outgoing_peek(const struct outgoing *outgoing, char *buffer, uint64_t size);

/* So many of them are written. */
void outgoing_sent(struct outgoing *outgoing, uint64_t count);

void outgoing_clear(struct outgoing *outgoing);

#endif
