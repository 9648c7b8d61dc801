/*
 * partitions.c - the op `partitions`: creates what the coming time needs, drops what is over
 * SPDX-License-Identifier: MIT
 */
#include "partitions.h"

#define DAY INT64_C(86400000000)

/* What `init` creates partitions for. */
#define FIRST_LOOKAHEAD (7 * DAY)

/* A transaction that began in a partition's time may insert into it so long after. */
#define LATE (INT64_C(3600) * 1000000)

enum { IDENTIFIER_SIZE = 64 };

struct tending {
    struct outbox_session *session;
    const struct outbox_partition_request *request;
    struct partition_report report;
    struct partition_set set;
    int64_t now;
};

/* ---- Creating ----------------------------------------------------------------------------- */

/* openoutbox_events_p20240229. A long table name is cut, between characters. */
static void make_name(const struct tending *tending, struct stretch stretch,
                      char name[IDENTIFIER_SIZE])
{
    const char *relation = tending->session->store->names.relation;
    char period[PERIOD_NAME];
    stretch_name(tending->request->period, stretch, period);
    size_t room = IDENTIFIER_SIZE - sizeof("_") - strlen(period), len = strlen(relation);
    if (len > room)
        for (len = room; len > 0 && ((unsigned char)relation[len] & 0xC0) == 0x80;)
            len--;
    (void)snprintf(name, IDENTIFIER_SIZE, "%.*s_%s", (int)len, relation, period);
}

/* By somebody else, at the same time; then there is nothing to say. Otherwise its name is taken. */
static enum outbox_status look_again(struct tending *tending, struct stretch missing,
                                     const char *name, int64_t *next, struct outbox_error *error)
{
    char reason[sizeof(error->text)];
    struct stretch still;
    memcpy(reason, error->text, sizeof(reason));
    enum outbox_status status = partition_set_read(tending->session, &tending->set, error);
    if (status != OUTBOX_OK)
        return status;
    *next = missing.from;
    if (stretch_missing(tending->set.stretch, tending->set.count, tending->request->period,
                        missing.from, missing.until, &still) &&
        still.from == missing.from && still.until == missing.until) {
        partition_kept(&tending->report, name, missing,
                       "%s, and is no partition for that time: rename it, or attach it", reason);
        *next = missing.until;
    }
    return OUTBOX_OK;
}

static void keep_for_default(const struct tending *tending, struct stretch missing,
                             const char *name, int64_t events)
{
    partition_kept(&tending->report, name, missing,
                   "the DEFAULT partition %s holds %lld%s event%s of that time: move them out",
                   tending->set.default_name, (long long)events,
                   events < PARTITION_EVENTS_MAX ? "" : " or more", events == 1 ? "" : "s");
}

static struct partition_change try_to_create(struct tending *tending, struct stretch missing,
                                             const char *name, struct outbox_error *error)
{
    struct partition_change change = {.outcome = PARTITION_DONE};
    if (tending->set.default_table)
        change = partition_look_into_default(tending->session, &tending->set, missing, error);
    if (change.outcome == PARTITION_DONE && !tending->request->only_show)
        change = partition_create(tending->session, &tending->set, missing, name, error);
    return change;
}

/* *next is where to go on looking. */
static enum outbox_status create_one(struct tending *tending, struct stretch missing, int64_t *next,
                                     struct outbox_error *error)
{
    char name[IDENTIFIER_SIZE];
    make_name(tending, missing, name);
    *next = missing.until;
    struct partition_change change = try_to_create(tending, missing, name, error);
    switch (change.outcome) {
    case PARTITION_DONE:
        partition_created(&tending->report, name, missing);
        return OUTBOX_OK;
    case PARTITION_BUSY:
    case PARTITION_IN_USE:
        if (change.events > 0)
            keep_for_default(tending, missing, name, change.events);
        else
            partition_kept(&tending->report, name, missing, "%s", error->text);
        return OUTBOX_OK;
    case PARTITION_RACED:
        return look_again(tending, missing, name, next, error);
    default:
        return change.status;
    }
}

static enum outbox_status create_missing(struct tending *tending, struct outbox_error *error)
{
    struct stretch missing;
    enum outbox_status status = OUTBOX_OK;
    int64_t at = tending->now, end = at + tending->request->lookahead + 1;
    while (status == OUTBOX_OK && stretch_missing(tending->set.stretch, tending->set.count,
                                                  tending->request->period, at, end, &missing))
        status = create_one(tending, missing, &at, error);
    return status;
}

/* ---- Dropping ----------------------------------------------------------------------------- */

/* The long look comes first and without a lock; what it leaves for the proof is short. */
static struct partition_change try_to_drop(struct tending *tending, size_t index,
                                           struct outbox_error *error)
{
    struct partition_change change = partition_look(tending->session, &tending->set, index, error);
    if (change.outcome == PARTITION_DONE && !tending->request->only_show)
        change = partition_drop(tending->session, &tending->set, index, error);
    return change;
}

static enum outbox_status drop_one(struct tending *tending, size_t index,
                                   struct outbox_error *error)
{
    const char *name = partition_name(&tending->set, index);
    struct stretch stretch = tending->set.stretch[index];
    struct partition_change change = try_to_drop(tending, index, error);
    switch (change.outcome) {
    case PARTITION_DONE:
        partition_dropped(&tending->report, name, stretch);
        return OUTBOX_OK;
    case PARTITION_BUSY:
    case PARTITION_IN_USE:
        if (change.events > 0)
            partition_kept_for(&tending->report, name, stretch, change.events);
        else
            partition_kept(&tending->report, name, stretch, "%s", error->text);
        return OUTBOX_OK;
    case PARTITION_RACED: /* somebody was quicker */
        return OUTBOX_OK;
    default:
        return change.status;
    }
}

static enum outbox_status drop_old(struct tending *tending, struct outbox_error *error)
{
    const struct partition_set *set = &tending->set;
    int64_t retention = tending->request->retention;
    enum outbox_status status = OUTBOX_OK;
    if (retention < 0)
        return OUTBOX_OK;
    int64_t oldest = retention < INT64_MAX / 2 ? tending->now - retention : INT64_MIN;
    for (size_t i = 0; status == OUTBOX_OK && i < set->count; i++) {
        if (set->stretch[i].until > oldest)
            continue;
        if (set->stretch[i].until <= set->now - LATE)
            status = drop_one(tending, i, error);
        else
            partition_kept(&tending->report, partition_name(set, i), set->stretch[i],
                           "by the server's clock its time is not over for an hour");
    }
    return status;
}

/* ---- The op ------------------------------------------------------------------------------- */

enum outbox_status partitions_tend(struct outbox_session *session,
                                   const struct outbox_partition_request *request,
                                   outbox_partition_change *emit, void *context,
                                   struct outbox_error *error)
{
    struct tending tending = {
        .session = session, .request = request, .report = {.emit = emit, .context = context}};
    enum outbox_status status =
        partition_request_check(request, session->store->names.table, error);
    if (status == OUTBOX_OK)
        status = exchange_rollback(session, error);
    if (status == OUTBOX_OK)
        status = table_ensure(session, error);
    if (status == OUTBOX_OK)
        status = partition_set_read(session, &tending.set, error);
    tending.now = request->now != 0 ? request->now : tending.set.now;
    if (status == OUTBOX_OK)
        status = create_missing(&tending, error);
    if (status == OUTBOX_OK)
        status = drop_old(&tending, error);
    partition_set_clear(&tending.set);
    return status;
}

/* ---- For init ----------------------------------------------------------------------------- */

struct lines {
    outbox_schema_line *emit;
    void *context;
};

static void emit_line(void *context, const struct outbox_partition *partition)
{
    const struct lines *lines = context;
    char line[640];
    bool is_kept = partition->action == OUTBOX_PARTITION_KEPT;
    (void)snprintf(line, sizeof(line), "-- partition %.*s%s%.*s", (int)partition->name.len,
                   partition->name.data, is_kept ? " was not created: " : " is created",
                   is_kept ? (int)partition->reason.len : 0, is_kept ? partition->reason.data : "");
    lines->emit(lines->context, is_kept ? OUTBOX_LOG_WARN : OUTBOX_LOG_INFO, line);
}

enum outbox_status partitions_begin(struct outbox_session *session, outbox_schema_line *emit,
                                    void *context, struct outbox_error *error)
{
    struct lines lines = {emit, context};
    const struct outbox_partition_request request = {.size = sizeof(request),
                                                     .lookahead = FIRST_LOOKAHEAD,
                                                     .retention = -1,
                                                     .period = session->store->settings.partition};
    return partitions_tend(session, &request, emit_line, &lines, error);
}
