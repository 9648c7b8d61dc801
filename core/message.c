/*
 * message.c - makes the message to publish out of an event
 * SPDX-License-Identifier: MIT
 */
#include "message.h"

#include "headers.h"

static struct outbox_slice too_large(struct arena *arena, uint64_t size, uint64_t max)
{
    char *text = arena_alloc(arena, 128);
    int len;

    if (!text)
        return (struct outbox_slice){NULL, 0};
    len = snprintf(text, 128,
                   "payload of %llu bytes is larger than %llu bytes, by publish.max_payload or the "
                   "publisher's own limit",
                   (unsigned long long)size, (unsigned long long)max);
    return (struct outbox_slice){text, (uint64_t)len};
}

bool message_make(const struct outbox_event *event, uint64_t max_payload, struct arena *arena,
                  struct outbox_message *message, struct outbox_slice *why)
{
    struct outbox_pair *pairs = NULL;
    uint64_t count = 0;
    const char *mistake = NULL;

    if (event->payload_size > max_payload) {
        *why = too_large(arena, event->payload_size, max_payload);
        return false;
    }
    switch (headers_parse(event->headers, 0, arena, &pairs, &count, &mistake)) {
    case HEADERS_OK:
        break;
    case HEADERS_INVALID:
        *why = outbox_slice_of(mistake);
        return false;
    case HEADERS_NO_MEMORY:
        return false;
    }
    *message = (struct outbox_message){.event = event,
                                       .topic = event->type,
                                       .key = event->partition_key,
                                       .payload = event->payload,
                                       .headers = pairs,
                                       .header_count = count};
    return true;
}
