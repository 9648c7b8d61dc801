/*
 * partition_set.c - which partitions a table has, and what is in them
 * SPDX-License-Identifier: MIT
 */
#include "partitions.h"

#include <ctype.h>
#include <stdlib.h>

static const char what[] = "look at the partitions of";

static const char list_sql[] =
    "SELECT DISTINCT partition_name, partition_description, partition_expression, partition_method,"
    " partition_ordinal_position FROM information_schema.partitions"
    " WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND partition_name IS NOT "
    "NULL"
    " ORDER BY partition_ordinal_position";

struct reading {
    struct part_set *set;
    bool by_range;
};

static int64_t of_seconds(int64_t seconds)
{
    const int64_t most = INT64_MAX / 1000000;
    return seconds > most ? INT64_MAX : seconds < -most ? INT64_MIN : seconds * 1000000;
}

static bool reserve(struct part_set *set)
{
    if (set->count < set->capacity)
        return true;
    size_t capacity = set->capacity ? set->capacity * 2 : 64;
    struct part *parts = realloc(set->parts, capacity * sizeof(*parts));
    if (!parts)
        return false;
    set->parts = parts;
    set->capacity = capacity;
    return true;
}

static void take_partition(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct reading *reading = context;
    struct part_set *set = reading->set;
    const char *bound = values[1] ? values[1] : "";
    set->failed = set->failed || !reserve(set);
    if (set->failed)
        return;
    struct part *part = &set->parts[set->count];
    (void)snprintf(part->name, sizeof(part->name), "%s", values[0] ? values[0] : "");
    part->from = set->count > 0 ? set->parts[set->count - 1].until : INT64_MIN;
    part->until =
        strcasecmp(bound, "MAXVALUE") == 0 ? INT64_MAX : of_seconds(strtoll(bound, NULL, 10));
    (void)snprintf(set->expression, sizeof(set->expression), "%s", values[2] ? values[2] : "");
    reading->by_range = values[3] && strcasecmp(values[3], "RANGE") == 0;
    set->count++;
}

static void take_now(void *context, const char *const values[ANSWER_COLUMNS])
{
    *(int64_t *)context = values[0] ? strtoll(values[0], NULL, 10) : 0;
}

/* ---- Whether it is time that they are made by --------------------------------------------- */

/* `expression` without blanks and quotes is `before`, `name` and `after`. */
static bool reads(const char *expression, const char *before, const char *name, const char *after)
{
    const char *pieces[] = {before, name, after};
    for (int i = 0; i < 3; i++)
        for (const char *at = pieces[i]; *at; at++, expression++) {
            expression += strspn(expression, " `");
            if (tolower((unsigned char)*expression) != tolower((unsigned char)*at))
                return false;
        }
    return expression[strspn(expression, " `")] == '\0';
}

static bool is_seconds(const struct outbox_session *session, const struct part_set *set)
{
    char *const *column = session->store->names.column;
    if (column[ROLE_CREATED_TS] && reads(set->expression, "", column[ROLE_CREATED_TS], ""))
        return true;
    return column[ROLE_CREATED_AT] &&
           reads(set->expression, "unix_timestamp(", column[ROLE_CREATED_AT], ")");
}

static enum outbox_status judge(const struct outbox_session *session, const struct reading *reading,
                                struct outbox_error *error)
{
    const struct part_set *set = reading->set;
    const char *table = session->store->names.table;
    if (set->failed)
        return failure_of_memory(error);
    if (set->count == 0)
        return outbox_fail(
            error, OUTBOX_UNSUPPORTED, "",
            "%s %s: it has none; make it with \"partition\": \"day\" or \"month\", or "
            "ALTER TABLE ... PARTITION BY RANGE (created_ts)",
            what, table);
    if (!reading->by_range || !is_seconds(session, set))
        return outbox_fail(
            error, OUTBOX_UNSUPPORTED, "",
            "%s %s: they are made by %.100s; they have to be by RANGE of created_ts, or "
            "of UNIX_TIMESTAMP(created_at): see `columns`",
            what, table, set->expression);
    return OUTBOX_OK;
}

/* ---- What each is for --------------------------------------------------------------------- */

/* Less than a period is none: somebody cuts by the days of another time zone. */
static bool is_gap(enum outbox_partition_period period, int64_t from, int64_t until)
{
    if (from == INT64_MIN || from >= until)
        return from < until;
    return period_start(period, from) == from || period_next(period, from) < until;
}

/* A partition that is called as the last period that it holds is for that alone: what it holds
 * before is a gap. What has no bound is there to be cut. */
static struct stretch taken_by(const struct part *part, enum outbox_partition_period period)
{
    struct stretch stretch = {part->from, part->until};
    char name[PERIOD_NAME];
    if (part->until == INT64_MAX)
        return (struct stretch){INT64_MAX, INT64_MAX};
    if (part->until == INT64_MIN)
        return stretch;
    int64_t start = period_start(period, part->until - 1);
    period_name(period, start, name);
    if (strcasecmp(name, part->name) == 0 && is_gap(period, stretch.from, start))
        stretch.from = start;
    return stretch;
}

static enum outbox_status take_stretches(struct part_set *set, enum outbox_partition_period period,
                                         struct outbox_error *error)
{
    free(set->taken);
    set->taken = malloc(set->count * sizeof(*set->taken));
    if (!set->taken)
        return failure_of_memory(error);
    for (size_t i = 0; i < set->count; i++)
        set->taken[i] = taken_by(&set->parts[i], period);
    return OUTBOX_OK;
}

enum outbox_status part_set_read(struct outbox_session *session, struct part_set *set,
                                 enum outbox_partition_period period, struct outbox_error *error)
{
    const struct names *names = &session->store->names;
    struct reading reading = {.set = set};
    set->count = 0;
    set->expression[0] = '\0';
    parameters_start(session);
    parameter_text(session, outbox_slice_of(names->schema));
    parameter_text(session, outbox_slice_of(names->relation));
    enum outbox_status status = ask(session, list_sql, what, take_partition, &reading, error);
    if (status == OUTBOX_OK)
        status = judge(session, &reading, error);
    if (status == OUTBOX_OK)
        status = take_stretches(set, period, error);
    parameters_start(session);
    if (status == OUTBOX_OK)
        status = ask(session, "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)", what,
                     take_now, &set->now, error);
    return status == OUTBOX_OK ? commit(session, what, error) : status;
}

void part_set_clear(struct part_set *set)
{
    free(set->parts);
    free(set->taken);
    *set = (struct part_set){0};
}

size_t part_find(const struct part_set *set, int64_t instant)
{
    size_t i = 0;
    while (i < set->count && set->parts[i].until <= instant)
        i++;
    return i;
}
