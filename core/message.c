/*
 * message.c - makes the message to publish out of an event
 * SPDX-License-Identifier: MIT
 */
#include "message.h"

#include "cloudevents.h"
#include "headers.h"

static enum made check_size(uint64_t size, uint64_t max, const char *what, struct arena *arena,
                            struct outbox_slice *why)
{
    if (size <= max)
        return MADE;
    return cannot_make(arena, why,
                       "%s of %llu bytes is larger than %llu bytes, by publish.max_payload or the "
                       "publisher's own limit",
                       what, (unsigned long long)size, (unsigned long long)max);
}

static enum made parse_headers(const struct outbox_event *event, uint64_t room, struct arena *arena,
                               struct outbox_pair **pairs, uint64_t *count,
                               struct outbox_slice *why)
{
    const char *mistake = NULL;

    switch (headers_parse(event->headers, room, arena, pairs, count, &mistake)) {
    case HEADERS_OK:
        return MADE;
    case HEADERS_INVALID:
        *why = outbox_slice_of(mistake);
        return MADE_NOTHING;
    case HEADERS_NO_MEMORY:
        break;
    }
    return MADE_NO_MEMORY;
}

static enum made make_properties(const struct destination *destination,
                                 const struct event_source *source, struct arena *arena,
                                 struct outbox_message *message, struct outbox_slice *why)
{
    if (destination->property_count == 0)
        return MADE;
    struct outbox_pair *pairs = arena_alloc(arena, destination->property_count * sizeof(*pairs));
    if (!pairs)
        return MADE_NO_MEMORY;
    for (size_t i = 0; i < destination->property_count; i++) {
        struct outbox_pair *pair = &pairs[message->property_count];
        enum made made =
            entry_make(&destination->properties[i], "route.properties", source, arena, pair, why);
        if (made != MADE)
            return made;
        message->property_count += pair->value.data != NULL;
    }
    message->properties = pairs;
    return MADE;
}

static enum made make_address(const struct destination *destination,
                              const struct event_source *source, struct arena *arena,
                              struct outbox_message *message, struct outbox_slice *why)
{
    enum made made =
        text_make(&destination->topic, "route.topic", source, arena, &message->topic, why);

    if (made == MADE && message->topic.len == 0)
        return cannot_make(arena, why, "route.topic gives no text for this event");
    if (made == MADE)
        made = text_make(&destination->key, "route.key", source, arena, &message->key, why);
    return made == MADE ? make_properties(destination, source, arena, message, why) : made;
}

static enum made make(const struct route *route, const struct destination *destination,
                      const struct event_source *source, uint64_t max_payload,
                      struct outbox_pair *pairs, struct arena *arena,
                      struct outbox_message *message, struct outbox_slice *why)
{
    bool is_raw = route->format == FORMAT_RAW;
    uint64_t count = source->header_count;
    enum made made = make_address(destination, source, arena, message, why);

    if (made == MADE && !is_raw)
        made = cloudevents_make(route, source, arena, message, why);
    if (made == MADE && !is_raw)
        made = check_size(message->payload.len, max_payload, "a CloudEvent", arena, why);
    if (made == MADE)
        made = header_plan_apply(&route->headers, source, is_raw ? NULL : "content-type", arena,
                                 pairs, &count, why);
    message->headers = pairs;
    message->header_count = count;
    return made;
}

static enum message_status status_of(enum made made)
{
    if (made == MADE)
        return MESSAGE_MADE;
    return made == MADE_NOTHING ? MESSAGE_NEVER : MESSAGE_NO_MEMORY;
}

enum message_status message_make(const struct route *route, const struct outbox_event *event,
                                 uint64_t max_payload, struct tracer *tracer, struct arena *arena,
                                 struct outbox_message *message, const struct event_trace **trace,
                                 struct outbox_slice *why)
{
    struct event_source source = {.event = event, .pipeline = route->pipeline};
    const struct route_rule *rule = NULL;
    struct outbox_pair *pairs = NULL;
    uint64_t room = header_plan_room(&route->headers) + (tracer ? TRACER_HEADERS : 0);
    enum made made = parse_headers(event, room, arena, &pairs, &source.header_count, why);

    if (made != MADE)
        return status_of(made);
    source.headers = pairs;
    if (route->rule_count > 0 && !route_find(route, &source, arena, &rule))
        return MESSAGE_NO_MEMORY;
    if (rule && rule->drop)
        return MESSAGE_DROPPED;
    if (tracer && !tracer_continue(tracer, pairs, &source.header_count, arena, trace))
        return MESSAGE_NO_MEMORY;
    made = check_size(event->payload_size, max_payload, "payload", arena, why);
    if (made != MADE)
        return status_of(made);
    *message = (struct outbox_message){.event = event, .payload = event->payload};
    return status_of(make(route, rule ? &rule->destination : &route->otherwise, &source,
                          max_payload, pairs, arena, message, why));
}
