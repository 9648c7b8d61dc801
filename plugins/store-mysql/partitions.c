/*
 * partitions.c - the op `partitions`: cuts out what the coming time needs, drops what is over
 * SPDX-License-Identifier: MIT
 */
#include "partitions.h"

/* Clocks of producers may be so late: no partition is dropped before. */
#define LATE (INT64_C(3600) * 1000000)

/* New partitions that one statement makes: it takes the table for itself as long as it works. */
enum { CUT_MAX = 128 };

/* Periods that are made up for, where nobody has tended the table: an event with an id of a wrong
 * time must not make a partition for each day since 1970. */
enum { BACK_MAX = 128 };
#define LONGEST_MONTH (INT64_C(31) * 86400 * 1000000)
#define DAY (INT64_C(86400) * 1000000)

struct tending {
    struct outbox_session *session;
    const struct outbox_partition_request *request;
    struct partition_report report;
    struct part_set set;
    int64_t now;
    bool is_busy; /* others hold the table: everybody has waited for that once, and shall not again
                   */
};

static struct part_change note_busy(struct tending *tending, struct part_change change)
{
    tending->is_busy |= change.outcome == PART_BUSY;
    return change;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct stretch stretch_of(const struct part *part)
{
    return (struct stretch){part->from, part->until};
}

/* ---- Creating ----------------------------------------------------------------------------- */

/* What is missing from *at on and would be cut out of the same partition. */
struct cut {
    size_t index; /* of that */
    size_t count;
    struct part made[CUT_MAX];
};

static bool next_missing(const struct tending *tending, int64_t at, int64_t end,
                         struct stretch *missing)
{
    return stretch_missing(tending->set.taken, tending->set.count, tending->request->period, at,
                           end, missing);
}

static bool is_taken(const struct part_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcasecmp(set->parts[i].name, name) == 0)
            return true;
    return false;
}

static void plan_cut(const struct tending *tending, int64_t at, int64_t end, struct cut *cut)
{
    struct stretch missing;
    cut->count = 0;
    while (cut->count < CUT_MAX && next_missing(tending, at, end, &missing)) {
        size_t index = part_find(&tending->set, missing.from);
        if (cut->count > 0 && index != cut->index)
            return;
        cut->index = index;
        struct part *made = &cut->made[cut->count++];
        stretch_name(tending->request->period, missing, made->name);
        if (is_taken(&tending->set, made->name))
            stretch_name_by_time(missing, made->name);
        made->from = missing.from;
        made->until = at = missing.until;
    }
}

static void report_cut(const struct tending *tending, const struct cut *cut, const char *reason)
{
    for (size_t i = 0; i < cut->count; i++) {
        const struct part *made = &cut->made[i];
        if (reason)
            partition_kept(&tending->report, made->name, stretch_of(made), "%s", reason);
        else
            partition_created(&tending->report, made->name, stretch_of(made));
    }
}

/* By somebody else, at the same time; then there is nothing to say. Otherwise a name is taken. */
static enum outbox_status look_again(struct tending *tending, const struct cut *cut, int64_t *next,
                                     struct outbox_error *error)
{
    char reason[sizeof(error->text)];
    struct stretch still;
    memcpy(reason, error->text, sizeof(reason));
    enum outbox_status status =
        part_set_read(tending->session, &tending->set, tending->request->period, error);
    if (status != OUTBOX_OK)
        return status;
    bool same = next_missing(tending, cut->made[0].from, cut->made[0].until, &still) &&
                still.from == cut->made[0].from && still.until == cut->made[0].until;
    if (same)
        report_cut(tending, cut, reason);
    else
        *next = cut->made[0].from;
    return OUTBOX_OK;
}

static enum outbox_status make_cut(struct tending *tending, const struct cut *cut, int64_t *next,
                                   struct outbox_error *error)
{
    struct part_change change = {PART_DONE, OUTBOX_OK, 0};
    *next = cut->made[cut->count - 1].until;
    if (tending->is_busy)
        change = part_busy(error);
    else if (!tending->request->only_show)
        change = note_busy(tending, part_cut(tending->session, &tending->set, cut->index, cut->made,
                                             cut->count, error));
    switch (change.outcome) {
    case PART_DONE:
        report_cut(tending, cut, NULL);
        return OUTBOX_OK;
    case PART_BUSY:
        report_cut(tending, cut, error->text);
        return OUTBOX_OK;
    case PART_RACED:
        return look_again(tending, cut, next, error);
    default:
        return change.status;
    }
}

static int64_t first_made_up_for(const struct tending *tending)
{
    enum outbox_partition_period period = tending->request->period;
    return period_start(period, tending->now -
                                    BACK_MAX * (period == OUTBOX_PERIOD_DAY ? DAY : LONGEST_MONTH));
}

/* Where to begin: with what was made after the last period that has a partition, if it waits in the
 * one behind it. What is older than is made up for goes into the first that is made. */
static enum outbox_status find_start(struct tending *tending, int64_t *at,
                                     struct outbox_error *error)
{
    const struct part_set *set = &tending->set;
    size_t last = set->count - 1;
    *at = tending->now;
    if (set->parts[last].until != INT64_MAX || set->parts[last].from > *at)
        return OUTBOX_OK;
    int64_t oldest;
    enum outbox_status status = part_oldest(tending->session, set, last, &oldest, error);
    if (oldest < *at)
        *at = later(later(oldest, set->parts[last].from), first_made_up_for(tending));
    return status;
}

static enum outbox_status create_missing(struct tending *tending, struct outbox_error *error)
{
    int64_t at, end = tending->now + tending->request->lookahead + 1;
    struct stretch missing;
    struct cut cut;
    enum outbox_status status = find_start(tending, &at, error);
    while (status == OUTBOX_OK && next_missing(tending, at, end, &missing)) {
        plan_cut(tending, at, end, &cut);
        status = make_cut(tending, &cut, &at, error);
    }
    return status;
}

/* ---- Dropping ----------------------------------------------------------------------------- */

/* The long look comes first and without a lock; what it leaves for the proof is short. */
static struct part_change try_to_drop(struct tending *tending, size_t index,
                                      struct outbox_error *error)
{
    struct part_change change = part_look(tending->session, &tending->set, index, error);
    if (change.outcome != PART_DONE || tending->request->only_show)
        return change;
    if (tending->is_busy)
        return part_busy(error);
    return note_busy(tending, part_drop(tending->session, &tending->set, index, error));
}

static enum outbox_status drop_one(struct tending *tending, size_t index,
                                   struct outbox_error *error)
{
    const struct part *part = &tending->set.parts[index];
    struct part_change change = try_to_drop(tending, index, error);
    switch (change.outcome) {
    case PART_DONE:
        partition_dropped(&tending->report, part->name, stretch_of(part));
        return OUTBOX_OK;
    case PART_IN_USE:
        partition_kept_for(&tending->report, part->name, stretch_of(part), change.events);
        return OUTBOX_OK;
    case PART_BUSY:
        partition_kept(&tending->report, part->name, stretch_of(part), "%s", error->text);
        return OUTBOX_OK;
    case PART_RACED: /* somebody was quicker */
        return OUTBOX_OK;
    default:
        return change.status;
    }
}

static enum outbox_status drop_old(struct tending *tending, struct outbox_error *error)
{
    const struct part_set *set = &tending->set;
    int64_t retention = tending->request->retention;
    enum outbox_status status = OUTBOX_OK;
    if (retention < 0)
        return OUTBOX_OK;
    int64_t oldest = retention < INT64_MAX / 2 ? tending->now - retention : INT64_MIN;
    for (size_t i = 0; status == OUTBOX_OK && i < set->count; i++) {
        const struct part *part = &set->parts[i];
        if (part->until > oldest)
            return OUTBOX_OK;
        if (part->until > set->now - LATE)
            partition_kept(&tending->report, part->name, stretch_of(part),
                           "by the server's clock its time is not over for an hour");
        else if (set->count == 1)
            partition_kept(&tending->report, part->name, stretch_of(part),
                           "it is the only one: a table has to have one");
        else
            status = drop_one(tending, i, error);
    }
    return status;
}

/* ---- The op ------------------------------------------------------------------------------- */

static enum outbox_status tend(struct tending *tending, struct outbox_error *error)
{
    enum outbox_status status = create_missing(tending, error);
    /* What was cut is there by now, and was none of what is old. */
    return status == OUTBOX_OK ? drop_old(tending, error) : status;
}

enum outbox_status partitions_tend(struct outbox_session *session,
                                   const struct outbox_partition_request *request,
                                   outbox_partition_change *emit, void *context,
                                   struct outbox_error *error)
{
    struct tending tending = {
        .session = session, .request = request, .report = {.emit = emit, .context = context}};
    struct outbox_error ignored = OUTBOX_ERROR_INIT;
    enum outbox_status status = rollback(session, error);
    if (status == OUTBOX_OK)
        status = partition_request_check(request, session->store->names.table, error);
    if (status == OUTBOX_OK)
        status = table_ensure(session, error);
    if (status == OUTBOX_OK)
        status = part_set_read(session, &tending.set, request->period, error);
    tending.now = request->now != 0 ? request->now : tending.set.now;
    if (status == OUTBOX_OK)
        status = session_wait_for_tables(session, 1, error);
    if (status == OUTBOX_OK) {
        status = tend(&tending, error);
        enum outbox_status back = session_wait_for_tables(session, 0, &ignored);
        if (status == OUTBOX_OK && back != OUTBOX_OK) {
            *error = ignored;
            status = back;
        }
    }
    part_set_clear(&tending.set);
    return status == OUTBOX_OK ? commit(session, "tend the partitions of", error)
                               : give_up(session, status);
}
