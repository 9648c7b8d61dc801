/*
 * window.c - what was sent and has no answer yet
 * SPDX-License-Identifier: MIT
 *
 * A serial is the count of messages and, in its lowest bits, the number of the slot: an answer
 * finds its slot at once, and one that comes too late finds the slot in use by another message, or
 * free.
 */
#include "window.h"

#include <stdlib.h>

#define SLOT_BITS 17
#define SLOT_MASK ((UINT64_C(1) << SLOT_BITS) - 1)

bool window_init(struct window *window, uint32_t size)
{
    *window = (struct window){.size = size, .oldest = WINDOW_NONE, .newest = WINDOW_NONE};
    window->slots = calloc(size, sizeof(*window->slots));
    if (!window->slots)
        return false;
    for (uint32_t i = 0; i < size; i++)
        window->slots[i].behind = i + 1 < size ? i + 1 : WINDOW_NONE;
    return true;
}

void window_clear(struct window *window)
{
    free(window->slots);
    window->slots = NULL;
}

struct slot *window_take(struct window *window, int64_t now)
{
    uint32_t number = window->free;
    struct slot *slot = &window->slots[number];
    window->free = slot->behind;
    window->used++;
    slot->serial = ++window->sent << SLOT_BITS | number;
    slot->sent_at = now;
    slot->before = window->newest;
    slot->behind = WINDOW_NONE;
    if (window->newest == WINDOW_NONE)
        window->oldest = number;
    else
        window->slots[window->newest].behind = number;
    window->newest = number;
    return slot;
}

void window_give_back(struct window *window, struct slot *slot)
{
    uint32_t number = (uint32_t)(slot - window->slots);
    struct slot *before = window_at(window, slot->before),
                *behind = window_at(window, slot->behind);
    if (before)
        before->behind = slot->behind;
    else
        window->oldest = slot->behind;
    if (behind)
        behind->before = slot->before;
    else
        window->newest = slot->before;
    slot->parcel = NULL;
    slot->behind = window->free;
    window->free = number;
    window->used--;
}

void window_token(const struct slot *slot, char token[WINDOW_TOKEN_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t rest = slot->serial;
    for (int i = WINDOW_TOKEN_SIZE - 2; i >= 0; i--) {
        token[i] = digits[rest & 15];
        rest >>= 4;
    }
    token[WINDOW_TOKEN_SIZE - 1] = '\0';
}

struct slot *window_find(const struct window *window, const char *token)
{
    uint64_t serial = 0;
    for (int i = 0; i < WINDOW_TOKEN_SIZE - 1; i++) {
        char c = token[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return NULL;
        serial = serial << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    uint64_t number = serial & SLOT_MASK;
    if (token[WINDOW_TOKEN_SIZE - 1] != '\0' || number >= window->size)
        return NULL;
    struct slot *slot = &window->slots[number];
    return slot->parcel && slot->serial == serial ? slot : NULL;
}
