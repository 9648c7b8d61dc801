/*
 * partition_change.c - cuts partitions out of others and drops them, hardly ever waiting
 * SPDX-License-Identifier: MIT
 *
 * Both need the table for themselves for a moment, and everybody who comes after one that waits for
 * it waits as well. So the session waits for a second at most, which is the least that the servers
 * know.
 */
#include "partitions.h"

#include <stdlib.h>

/* For the look that is made while everybody else has to wait. Seconds. */
#define PROOF_LIMIT "3"

static const char cutting[] = "make partitions of";
static const char dropping[] = "drop a partition of";
static const char looking[] = "look into a partition of";

/* ---- Failures ----------------------------------------------------------------------------- */

#define OTHERS "busy: others hold the table, and were not to wait for this"

static const struct {
    const char *number;
    enum part_outcome outcome;
    const char *words; /* NULL: the server's own; "": it took longer than it may */
} meanings[] = {
    {"1205", PART_BUSY, OTHERS}, {"1213", PART_BUSY, OTHERS}, {"3024", PART_BUSY, ""},
    {"1969", PART_BUSY, ""},     {"1493", PART_RACED, NULL}, /* bounds out of order: somebody has
                                                                cut there, too */
    {"1507", PART_RACED, NULL},                              /* no such partition */
    {"1517", PART_RACED, NULL},                              /* the name is taken */
    {"1520", PART_RACED, NULL}, /* the bounds are not those of what is cut */
    {"1735", PART_RACED, NULL}, /* no such partition, in a SELECT */
};

static const char slow_look[] =
    "busy: looking through it takes longer than everybody else may wait";
static const char slow_scan[] =
    "busy: looking through it takes longer than statement_timeout: raise that";
static const char slow_cut[] =
    "busy: it takes longer than statement_timeout to move the events that wait behind it: raise "
    "that, at an hour when writers can wait";

static struct part_change judge(struct outbox_session *session, enum outbox_status status,
                                const char *slow, struct outbox_error *error)
{
    struct part_change change = {PART_FAILED, status, 0};
    if (status == OUTBOX_OK)
        change.outcome = PART_DONE;
    if (status == OUTBOX_OK || session->lost || status == OUTBOX_INTERRUPTED)
        return change;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (strcmp(error->native, meanings[i].number) != 0)
            continue;
        change.outcome = meanings[i].outcome;
        const char *words = meanings[i].words;
        if (words)
            (void)outbox_fail(error, status, meanings[i].number, "%s", words[0] ? words : slow);
        return change;
    }
    if (status == OUTBOX_DENIED)
        (void)outbox_fail(
            error, status, error->native,
            "change the partitions of %s: that takes the rights ALTER, CREATE, INSERT, "
            "DROP and LOCK TABLES: GRANT them, or do it as a user who has them",
            session->store->names.table);
    return change;
}

static struct part_change out_of_memory(struct outbox_error *error)
{
    return (struct part_change){PART_FAILED, failure_of_memory(error), 0};
}

struct part_change part_busy(struct outbox_error *error)
{
    return (struct part_change){PART_BUSY, outbox_fail(error, OUTBOX_TIMEOUT, "", OTHERS), 0};
}

/* ---- Cutting ------------------------------------------------------------------------------ */

static void add_name(struct buffer *sql, const char *name)
{
    char *quoted = quote_identifier(name, strlen(name));
    buffer_text(sql, "%s", quoted ? quoted : "");
    sql->failed |= !quoted;
    free(quoted);
}

static void add_part(struct buffer *sql, const struct part *part)
{
    buffer_text(sql, "PARTITION ");
    add_name(sql, part->name);
    if (part->until == INT64_MAX)
        buffer_text(sql, " VALUES LESS THAN MAXVALUE");
    else
        buffer_text(sql, " VALUES LESS THAN (%lld)", (long long)(part->until / 1000000));
}

struct part_change part_cut(struct outbox_session *session, const struct part_set *set,
                            size_t index, const struct part *made, size_t count,
                            struct outbox_error *error)
{
    struct buffer sql = {0};
    buffer_text(&sql, "ALTER TABLE %s ", session->store->names.table);
    if (index < set->count) {
        buffer_text(&sql, "REORGANIZE PARTITION ");
        add_name(&sql, set->parts[index].name);
        buffer_text(&sql, " INTO (");
    } else {
        buffer_text(&sql, "ADD PARTITION (");
    }
    for (size_t i = 0; i < count; i++) {
        buffer_text(&sql, i > 0 ? ", " : "");
        add_part(&sql, &made[i]);
    }
    if (index < set->count) {
        buffer_text(&sql, ", ");
        add_part(&sql, &set->parts[index]);
    }
    buffer_text(&sql, ")");
    char *text = buffer_take(&sql);
    if (!text)
        return out_of_memory(error);
    struct part_change change =
        judge(session, command_run(session, text, cutting, error), slow_cut, error);
    free(text);
    return change;
}

/* ---- Looking ------------------------------------------------------------------------------ */

static void take_number(void *context, const char *const values[ANSWER_COLUMNS])
{
    if (values[0])
        *(int64_t *)context = strtoll(values[0], NULL, 10);
}

enum outbox_status part_oldest(struct outbox_session *session, const struct part_set *set,
                               size_t index, int64_t *oldest, struct outbox_error *error)
{
    struct buffer sql = {0};
    int64_t seconds = INT64_MAX;
    buffer_text(&sql, "SELECT CAST(MIN(%s) AS SIGNED) FROM %s PARTITION (", set->expression,
                session->store->names.table);
    add_name(&sql, set->parts[index].name);
    buffer_text(&sql, ")");
    char *text = buffer_take(&sql);
    if (!text)
        return failure_of_memory(error);
    parameters_start(session);
    enum outbox_status status = ask(session, text, looking, take_number, &seconds, error);
    free(text);
    if (status == OUTBOX_OK)
        status = commit(session, looking, error);
    *oldest = seconds > INT64_MAX / 1000000 ? INT64_MAX : seconds * 1000000;
    return status;
}

/* The state of an event that a relay has not done with. Any other value is unfinished as well, but
 * only a look at every row finds that. */
static void add_unfinished(struct buffer *sql, const struct outbox_session *session, bool any)
{
    const struct table *table = &session->table;
    const char *status = session->store->names.quoted[ROLE_STATUS];
    const enum state listed[2] = {any ? STATE_DELIVERED : STATE_PENDING,
                                  any ? STATE_DEAD : STATE_DELIVERING};
    if (!table_has(table, ROLE_STATUS))
        return; /* what is finished is gone */
    buffer_text(sql, " WHERE (%s IN (NULL", status);
    for (int i = 0; i < 2; i++)
        if (table->state[listed[i]][0])
            buffer_text(sql, ", %s", table->state[listed[i]]);
    buffer_text(sql, any ? ")) IS NOT TRUE" : "))");
}

/* Of the table by its own name alone: under a lock an alias would be another table. */
static char *unfinished_sql(const struct outbox_session *session, const struct part *part,
                            bool locked)
{
    struct buffer sql = {0};
    if (locked && session->is_mariadb)
        buffer_text(&sql, "SET STATEMENT max_statement_time = " PROOF_LIMIT " FOR ");
    buffer_text(&sql, "SELECT %sCOUNT(*) FROM (SELECT 1 FROM %s PARTITION (",
                locked && !session->is_mariadb ? "/*+ MAX_EXECUTION_TIME(" PROOF_LIMIT "000) */ "
                                               : "",
                session->store->names.table);
    add_name(&sql, part->name);
    buffer_text(&sql, ")");
    add_unfinished(&sql, session, !locked);
    buffer_text(&sql, " LIMIT %d) AS unfinished", PARTITION_EVENTS_MAX);
    return buffer_take(&sql);
}

static struct part_change count_unfinished(struct outbox_session *session, const struct part *part,
                                           bool locked, struct outbox_error *error)
{
    struct part_change change = {PART_DONE, OUTBOX_OK, 0};
    char *sql = unfinished_sql(session, part, locked);
    if (!sql)
        return out_of_memory(error);
    int64_t events = 0;
    parameters_start(session);
    enum outbox_status status = ask(session, sql, looking, take_number, &events, error);
    free(sql);
    change = judge(session, status, locked ? slow_look : slow_scan, error);
    change.events = events;
    if (change.outcome == PART_DONE && events > 0)
        change.outcome = PART_IN_USE;
    return change;
}

struct part_change part_look(struct outbox_session *session, const struct part_set *set,
                             size_t index, struct outbox_error *error)
{
    struct part_change change = count_unfinished(session, &set->parts[index], false, error);
    if (change.outcome == PART_FAILED)
        return change;
    enum outbox_status status = rollback(session, error);
    return status == OUTBOX_OK ? change : (struct part_change){PART_FAILED, status, 0};
}

/* ---- Dropping ----------------------------------------------------------------------------- */

static void take_bound(void *context, const char *const values[ANSWER_COLUMNS])
{
    *(int64_t *)context = values[0] ? strtoll(values[0], NULL, 10) : -1;
}

/* Somebody may have made it larger. */
static enum outbox_status read_bound(struct outbox_session *session, const struct part *part,
                                     int64_t *seconds, struct outbox_error *error)
{
    const struct names *names = &session->store->names;
    parameters_start(session);
    parameter_text(session, outbox_slice_of(names->schema));
    parameter_text(session, outbox_slice_of(names->relation));
    parameter_text(session, outbox_slice_of(part->name));
    return ask(session,
               "SELECT MAX(partition_description) FROM information_schema.partitions WHERE"
               " table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND partition_name = ?",
               dropping, take_bound, seconds, error);
}

static struct part_change prove_and_drop(struct outbox_session *session, const struct part *part,
                                         struct outbox_error *error)
{
    int64_t bound = -1;
    struct part_change change =
        judge(session, read_bound(session, part, &bound, error), slow_look, error);
    if (change.outcome == PART_DONE && bound != part->until / 1000000)
        change.outcome = PART_RACED;
    if (change.outcome == PART_DONE)
        change = count_unfinished(session, part, true, error);
    if (change.outcome != PART_DONE)
        return change;
    struct buffer sql = {0};
    buffer_text(&sql, "ALTER TABLE %s DROP PARTITION ", session->store->names.table);
    add_name(&sql, part->name);
    char *text = buffer_take(&sql);
    if (!text)
        return out_of_memory(error);
    change = judge(session, command_run(session, text, dropping, error), slow_look, error);
    free(text);
    return change;
}

struct part_change part_drop(struct outbox_session *session, const struct part_set *set,
                             size_t index, struct outbox_error *error)
{
    struct outbox_error unlocking = OUTBOX_ERROR_INIT;
    struct buffer sql = {0};
    buffer_text(&sql, "LOCK TABLES %s WRITE", session->store->names.table);
    char *text = buffer_take(&sql);
    if (!text)
        return out_of_memory(error);
    struct part_change change =
        judge(session, command_run(session, text, dropping, error), slow_look, error);
    free(text);
    if (change.outcome != PART_DONE)
        return change;
    change = prove_and_drop(session, &set->parts[index], error);
    if (session->lost)
        return change; /* and so is the lock */
    enum outbox_status status = command_run(session, "UNLOCK TABLES", dropping, &unlocking);
    if (status != OUTBOX_OK && change.outcome != PART_FAILED) {
        *error = unlocking;
        change = (struct part_change){PART_FAILED, status, 0};
    }
    return change;
}
