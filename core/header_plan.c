/*
 * header_plan.c - the headers of a message out of those of the event
 * SPDX-License-Identifier: MIT
 */
#include "header_plan.h"

#include "glob.h"

#include <stdarg.h>
#include <strings.h>

#define WHY_TEXT 400

enum made cannot_make(struct arena *arena, struct outbox_slice *why, const char *format, ...)
{
    char *text = arena_alloc(arena, WHY_TEXT);
    va_list arguments;

    if (!text)
        return MADE_NO_MEMORY;
    va_start(arguments, format);
    (void)vsnprintf(text, WHY_TEXT, format, arguments);
    va_end(arguments);
    *why = outbox_slice_of(text);
    return MADE_NOTHING;
}

/* What became of a template that gave no text. */
static __attribute__((noinline)) enum made not_made(enum template_status status, const char *key,
                                                    struct outbox_slice entry,
                                                    const struct event_field *missing,
                                                    struct arena *arena, struct outbox_slice *why)
{
    char name[100];

    if (status != TEMPLATE_MISSING)
        return MADE_NO_MEMORY;
    (void)event_field_name(missing, name, sizeof(name));
    return cannot_make(arena, why,
                       "%s%s%.*s needs %s, which the event does not have: write {%s|...} with a "
                       "default where it may be missing",
                       key, entry.len > 0 ? "." : "", (int)(entry.len > 100 ? 100 : entry.len),
                       entry.len > 0 ? entry.data : "", name, name);
}

enum made text_render(const struct template *template, const char *key,
                      const struct event_source *source, struct arena *arena,
                      struct outbox_slice *text, struct outbox_slice *why)
{
    const struct event_field *missing = NULL;
    enum template_status status = template_render(template, source, arena, text, &missing);

    if (status == TEMPLATE_OK)
        return MADE;
    return not_made(status, key, (struct outbox_slice){NULL, 0}, missing, arena, why);
}

enum made entry_make(const struct named_template *entry, const char *key,
                     const struct event_source *source, struct arena *arena,
                     struct outbox_pair *pair, struct outbox_slice *why)
{
    const struct event_field *missing = NULL;
    enum template_status status =
        template_render(&entry->template, source, arena, &pair->value, &missing);

    pair->name = entry->name;
    return status == TEMPLATE_OK ? MADE : not_made(status, key, entry->name, missing, arena, why);
}

bool header_is(struct outbox_slice header, const char *name)
{
    return header.len == strlen(name) && strncasecmp(header.data, name, header.len) == 0;
}

static bool is_same(struct outbox_slice a, struct outbox_slice b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static struct outbox_pair *find(struct outbox_pair *pairs, uint64_t count, struct outbox_slice name)
{
    for (uint64_t i = 0; i < count; i++)
        if (is_same(pairs[i].name, name))
            return &pairs[i];
    return NULL;
}

/* ---- Steps -------------------------------------------------------------------------------- */

static bool is_own(struct outbox_slice name)
{
    static const struct outbox_slice own[] = {{HEADER_EVENT_ID, sizeof(HEADER_EVENT_ID) - 1},
                                              {HEADER_EVENT_TYPE, sizeof(HEADER_EVENT_TYPE) - 1}};
    return is_same(name, own[0]) || is_same(name, own[1]);
}

/* The relay's own take the place of headers with their names: consumers rely on them. */
static void add_own(const struct outbox_event *event, const char *except, struct outbox_pair *pairs,
                    uint64_t *count)
{
    uint64_t kept = 0;

    for (uint64_t i = 0; i < *count; i++)
        if (!is_own(pairs[i].name) && !(except && header_is(pairs[i].name, except)))
            pairs[kept++] = pairs[i];
    pairs[kept++] = (struct outbox_pair){outbox_slice_of(HEADER_EVENT_ID), event->id};
    pairs[kept++] = (struct outbox_pair){outbox_slice_of(HEADER_EVENT_TYPE), event->type};
    *count = kept;
}

static bool is_dropped(const struct header_plan *plan, struct outbox_slice name)
{
    for (size_t i = 0; i < plan->drop_count; i++)
        if (glob_matches(plan->drops[i].value, name))
            return true;
    return false;
}

static bool add_prefix(struct outbox_slice prefix, struct arena *arena, struct outbox_slice *name)
{
    char *joined = arena_alloc(arena, prefix.len + name->len);

    if (!joined)
        return false;
    memcpy(joined, prefix.data, prefix.len);
    memcpy(joined + prefix.len, name->data, name->len);
    *name = (struct outbox_slice){joined, prefix.len + name->len};
    return true;
}

static const struct outbox_pair *find_rename(const struct header_plan *plan,
                                             struct outbox_slice name)
{
    for (size_t i = 0; i < plan->rename_count; i++)
        if (is_same(plan->renames[i].name, name))
            return &plan->renames[i];
    return NULL;
}

/* A new name that is taken would make one header of two. */
static enum made check_renames(const struct header_plan *plan, const struct outbox_pair *pairs,
                               uint64_t count, struct arena *arena, struct outbox_slice *why)
{
    for (size_t i = 0; i < plan->rename_count; i++) {
        struct outbox_slice name = plan->renames[i].value;
        uint64_t found = 0;
        for (uint64_t j = 0; j < count; j++)
            found += is_same(pairs[j].name, name);
        if (found > 1)
            return cannot_make(arena, why,
                               "two headers of the event are called \"%.*s\" after "
                               "route.headers.rename and .prefix: choose another name",
                               (int)name.len, name.data);
    }
    return MADE;
}

static enum made change_names(const struct header_plan *plan, struct arena *arena,
                              struct outbox_pair *pairs, uint64_t *count, struct outbox_slice *why)
{
    uint64_t kept = 0;

    for (uint64_t i = 0; i < *count; i++) {
        struct outbox_pair pair = pairs[i];
        if (is_dropped(plan, pair.name))
            continue;
        const struct outbox_pair *rename = find_rename(plan, pair.name);
        if (rename)
            pair.name = rename->value;
        else if (plan->prefix.len > 0 && !add_prefix(plan->prefix, arena, &pair.name))
            return MADE_NO_MEMORY;
        pairs[kept++] = pair;
    }
    *count = kept;
    return check_renames(plan, pairs, kept, arena, why);
}

/* Made before the names change, for templates look at the event's own headers. */
static enum made make_sets(const struct header_plan *plan, const struct event_source *source,
                           struct arena *arena, struct outbox_pair *sets, struct outbox_slice *why)
{
    for (size_t i = 0; i < plan->set_count; i++) {
        enum made made =
            entry_make(&plan->sets[i], "route.headers.set", source, arena, &sets[i], why);
        if (made != MADE)
            return made;
    }
    return MADE;
}

static void put_sets(const struct outbox_pair *sets, size_t set_count, struct outbox_pair *pairs,
                     uint64_t *count)
{
    for (size_t i = 0; i < set_count; i++) {
        struct outbox_pair set = sets[i]; /* its place may be the one that is written to */
        struct outbox_pair *earlier = find(pairs, *count, set.name);
        if (!set.value.data)
            continue;
        if (earlier)
            earlier->value = set.value;
        else
            pairs[(*count)++] = set;
    }
}

enum made header_plan_apply(const struct header_plan *plan, const struct event_source *source,
                            const char *except, struct arena *arena, struct outbox_pair *pairs,
                            uint64_t *count, struct outbox_slice *why)
{
    struct outbox_pair *sets = pairs + *count + 2;
    enum made made = make_sets(plan, source, arena, sets, why);

    if (made != MADE)
        return made;
    add_own(source->event, except, pairs, count);
    if (plan->drop_count > 0 || plan->rename_count > 0 || plan->prefix.len > 0)
        made = change_names(plan, arena, pairs, count, why);
    if (made == MADE)
        put_sets(sets, plan->set_count, pairs, count);
    return made;
}
