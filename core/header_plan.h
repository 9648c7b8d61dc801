/*
 * header_plan.h - the headers of a message out of those of the event
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HEADER_PLAN_H
#define CORE_HEADER_PLAN_H

#include "route.h"

/* The headers that the relay adds to every message. */
#define HEADER_EVENT_ID "event-id"
#define HEADER_EVENT_TYPE "event-type"

/* Places behind the event's own headers that header_plan_apply() needs. */
static inline uint64_t header_plan_room(const struct header_plan *plan)
{
    return 2 + plan->set_count;
}

/* A text of an event that could not be made. */
enum made {
    MADE,
    MADE_NOTHING, /* the event can never be sent: *why says so, in the arena or constant */
    MADE_NO_MEMORY
};

/* Changes `pairs` in place: the *count headers of the event, with room behind them, become those of
 * the message. `except` names one more header to leave out, whatever its case; NULL: none. */
enum made header_plan_apply(const struct header_plan *plan, const struct event_source *source,
                            const char *except, struct arena *arena, struct outbox_pair *pairs,
                            uint64_t *count, struct outbox_slice *why)
    __attribute__((warn_unused_result));

/* Renders a template of `key`, of the configuration; *why tells key and field of one that is
 * missing. */
enum made text_render(const struct template *template, const char *key,
                      const struct event_source *source, struct arena *arena,
                      struct outbox_slice *text, struct outbox_slice *why)
    __attribute__((warn_unused_result));

static inline enum made text_make(const struct template *template, const char *key,
                                  const struct event_source *source, struct arena *arena,
                                  struct outbox_slice *text, struct outbox_slice *why)
{
    *text = template_direct(template, source->event);
    return text->data ? MADE : text_render(template, key, source, arena, text, why);
}

/* The same for an entry of the map `key`: *pair gets its name and text. */
enum made entry_make(const struct named_template *entry, const char *key,
                     const struct event_source *source, struct arena *arena,
                     struct outbox_pair *pair, struct outbox_slice *why)
    __attribute__((warn_unused_result));

/* A sentence in the arena for *why; MADE_NOTHING, or MADE_NO_MEMORY. */
enum made cannot_make(struct arena *arena, struct outbox_slice *why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether two names are the same whatever their case; `name` ends in NUL. */
bool header_is(struct outbox_slice header, const char *name);

#endif
