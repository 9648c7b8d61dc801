/*
 * template.h - text made of an event: "{aggregate_type}.{type}"
 * SPDX-License-Identifier: MIT
 *
 * {NAME} is a field of the event (see event_field.h), {NAME|DEFAULT} one that may be missing; "{{"
 * and "}}" are braces.
 */
#ifndef CORE_TEMPLATE_H
#define CORE_TEMPLATE_H

#include "arena.h"
#include "config_memory.h"
#include "event_field.h"

struct template_piece {
    struct outbox_slice text; /* a literal, or the default of the field, absent if it has none */
    bool is_field;
    struct event_field field;
};

/* Compiled; never changes, any thread. */
struct template
{
    const struct template_piece *pieces;
    size_t count;
    size_t place; /* of a single field, see event_field_place(); else 0 */
};

enum template_status {
    TEMPLATE_OK,
    TEMPLATE_MISSING, /* the event has no such field, and there is no default */
    TEMPLATE_NO_MEMORY
};

/* Room for what is wrong with a template. */
#define TEMPLATE_WHY 256

/* Compiles `text`, of which a copy stays in `memory`. NULL, or what is wrong and how to write it
 * right: in `why`, or constant. */
const char *template_compile(struct config_memory *memory, const char *text,
                             struct template *template, char why[TEMPLATE_WHY])
    __attribute__((warn_unused_result));

/* Whether it is the same text for every event. */
bool template_is_constant(const struct template *template);

/* The quick way for what nearly all templates are, one text of the event: absent if it is not, or
 * the event lacks it, and then template_render() tells. */
static inline struct outbox_slice template_direct(const struct template *template,
                                                  const struct outbox_event *event)
{
    if (template->place == 0)
        return (struct outbox_slice){NULL, 0};
    return *(const struct outbox_slice *)(const void *)((const char *)event + template->place - 1);
}

/* The text: the event's own bytes or a literal where the template is a single piece, else in
 * `arena`. A template that is one field with an empty default gives an absent text where the field
 * is missing. On MISSING, *missing tells the field. */
enum template_status template_render(const struct template *template,
                                     const struct event_source *source, struct arena *arena,
                                     struct outbox_slice *text, const struct event_field **missing)
    __attribute__((warn_unused_result));

#endif
