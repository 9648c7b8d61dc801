/*
 * outgoing.c - bytes on their way into a connection, some of them where somebody else keeps them
 * SPDX-License-Identifier: MIT
 */
#include "outgoing.h"

#include <stdlib.h>

#define SMALLEST_CAPACITY 256u

static bool room_for_pieces(struct outgoing *outgoing, uint64_t extra)
{
    uint64_t needed = outgoing->piece_count + extra;
    if (needed <= outgoing->piece_capacity)
        return true;
    uint64_t capacity = outgoing->piece_capacity ? outgoing->piece_capacity : SMALLEST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    struct outgoing_piece *pieces = realloc(outgoing->pieces, capacity * sizeof(*pieces));
    if (!pieces)
        return false;
    outgoing->pieces = pieces;
    outgoing->piece_capacity = capacity;
    return true;
}

char *outgoing_room(struct outgoing *outgoing, uint64_t text, uint64_t references)
{
    /* Each reference stands between two pieces of text. */
    if (!room_for_pieces(outgoing, 2 * references + 1))
        return NULL;
    return bytes_room(&outgoing->text, text);
}

void outgoing_add(struct outgoing *outgoing, const char *end)
{
    uint64_t start = outgoing->text.len;
    uint64_t len = (uint64_t)(end - outgoing->text.data) - start;
    struct outgoing_piece *last = &outgoing->pieces[outgoing->piece_count];
    if (len == 0)
        return;
    outgoing->text.len += len;
    outgoing->added += len;
    if (outgoing->piece_count > outgoing->first && !last[-1].data)
        last[-1].len += len;
    else
        outgoing->pieces[outgoing->piece_count++] =
            (struct outgoing_piece){.start = start, .len = len};
}

void outgoing_refer(struct outgoing *outgoing, struct outbox_slice bytes)
{
    if (bytes.len == 0)
        return;
    outgoing->added += bytes.len;
    outgoing->pieces[outgoing->piece_count++] =
        (struct outgoing_piece){.data = bytes.data, .len = bytes.len};
}

/* What is left of piece number `index`. */
static const char *rest_of(const struct outgoing *outgoing, uint64_t index, uint64_t *len)
{
    const struct outgoing_piece *piece = &outgoing->pieces[index];
    uint64_t sent = index == outgoing->first ? outgoing->sent : 0;
    *len = piece->len - sent;
    return (piece->data ? piece->data : outgoing->text.data + piece->start) + sent;
}

int outgoing_vectors(const struct outgoing *outgoing, struct iovec *vectors, int most)
{
    int count = 0;
    for (uint64_t i = outgoing->first; i < outgoing->piece_count && count < most; i++) {
        uint64_t len;
        const char *data = rest_of(outgoing, i, &len);
        vectors[count++] = (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    }
    return count;
}

uint64_t outgoing_peek(const struct outgoing *outgoing, char *buffer, uint64_t size)
{
    uint64_t copied = 0;
    for (uint64_t i = outgoing->first; i < outgoing->piece_count && copied < size; i++) {
        uint64_t len;
        const char *data = rest_of(outgoing, i, &len);
        if (len > size - copied)
            len = size - copied;
        memcpy(buffer + copied, data, len);
        copied += len;
    }
    return copied;
}

void outgoing_sent(struct outgoing *outgoing, uint64_t count)
{
    outgoing->written += count;
    outgoing->sent += count;
    while (outgoing->first < outgoing->piece_count &&
           outgoing->sent >= outgoing->pieces[outgoing->first].len) {
        outgoing->sent -= outgoing->pieces[outgoing->first].len;
        outgoing->first++;
    }
    if (!outgoing_is_empty(outgoing))
        return;
    outgoing->first = outgoing->piece_count = 0;
    bytes_reset(&outgoing->text, OUTGOING_KEPT);
}

void outgoing_clear(struct outgoing *outgoing)
{
    bytes_clear(&outgoing->text);
    free(outgoing->pieces);
    *outgoing = (struct outgoing){0};
}
