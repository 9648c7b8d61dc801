/*
 * window.h - what was sent and has no answer yet
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_WINDOW_H
#define PUBLISHER_NATS_WINDOW_H

#include <outbox/types.h>
#include <stdbool.h>

struct parcel;

#define WINDOW_NONE UINT32_MAX
#define WINDOW_TOKEN_SIZE 17

/* A message on its way. Those in use are linked from the oldest to the newest. */
struct slot {
    struct parcel *parcel; /* NULL: free */
    uint64_t index;        /* of the message in its batch */
    uint64_t serial;       /* grows from message to message */
    int64_t sent_at;
    uint32_t before,
        behind; /* WINDOW_NONE: no more; of a free slot `behind` is the next free one */
};

/* One thread at a time. */
struct window {
    struct slot *slots;
    uint32_t size, used;
    uint32_t free, oldest, newest;
    uint64_t sent; /* messages so far */
};

bool window_init(struct window *window, uint32_t size) OUTBOX_MUST_USE;
void window_clear(struct window *window);

/* A slot for one more message, of which there must be room; the caller fills in parcel and index.
 */
struct slot *window_take(struct window *window, int64_t now);
void window_give_back(struct window *window, struct slot *slot);

static inline bool window_is_full(const struct window *window)
{
    return window->used == window->size;
}

/* NULL at the end. */
static inline struct slot *window_at(const struct window *window, uint32_t number)
{
    return number == WINDOW_NONE ? NULL : &window->slots[number];
}

/* The serial as text, and back: NULL if no such message is on its way. */
void window_token(const struct slot *slot, char token[WINDOW_TOKEN_SIZE]);
struct slot *window_find(const struct window *window, const char *token);

#endif
