/*
 * prune.c - deleting finished events, and which session does it
 * SPDX-License-Identifier: MIT
 *
 * The claim index holds the rows of a state together, in the order in which they became available,
 * and what became available lately was not finished long ago. So a pass walks the head of each
 * finished state's stretch. It reads without locking, takes what nobody else holds, and deletes by
 * key, in the order of all writes.
 */
#include "driver.h"

#include <stdlib.h>

/* Rows looked at in one call, whatever becomes of them. */
#define WINDOW CLAIM_MAX

/* A lock's name has at most 64 characters and is the whole server's. */
#define MAINTAINER                                                                                 \
    "CONCAT('outbox:', SHA2(CONCAT(COALESCE(?, DATABASE()), '.', CAST(? AS CHAR)), 224))"

struct phase {
    enum state state;
    enum statement find, lock;
};

static const struct phase phases[PRUNE_PHASES] = {
    {STATE_DELIVERED, STATEMENT_OLD_DELIVERED, STATEMENT_LOCK_DELIVERED},
    {STATE_DEAD, STATEMENT_OLD_DEAD, STATEMENT_LOCK_DEAD},
};

static int64_t age_of(const struct outbox_prune_request *request, int phase)
{
    return phase == 0 ? request->delivered_age : request->dead_age;
}

enum role prune_since(const struct table *table, enum state state)
{
    static const enum role since[] = {ROLE_DELIVERED_AT, ROLE_UPDATED_AT, ROLE_CREATED_AT};
    if (!table->state[state][0])
        return ROLE_NONE;
    for (size_t i = state == STATE_DELIVERED ? 0 : 1; i < sizeof(since) / sizeof(since[0]); i++)
        if (table_has(table, since[i]))
            return since[i];
    return ROLE_NONE;
}

/* Goes on to the next phase that deletes anything. */
static void skip_phases(const struct outbox_session *session,
                        const struct outbox_prune_request *request, struct pruning *pruning)
{
    while (pruning->phase < PRUNE_PHASES &&
           (age_of(request, pruning->phase) < 0 ||
            prune_since(&session->table, phases[pruning->phase].state) == ROLE_NONE))
        pruning->phase++;
}

/* ---- A pass ------------------------------------------------------------------------------- */

/* A position that this session did not give begins the pass anew: what is gone stays gone. */
static void go_to(const struct outbox_session *session, struct pruning *pruning,
                  const struct outbox_prune_request *request)
{
    if (request->position == 0 || request->position != pruning->ticket) {
        pruning->phase = 0;
        pruning->from = POSITION_FIRST;
    }
    skip_phases(session, request, pruning);
}

static enum outbox_status find_old(struct outbox_session *session, int64_t age,
                                   struct outbox_error *error)
{
    static const char what[] = "look for finished events in";
    const struct pruning *pruning = &session->pruning;
    MYSQL_STMT *statement;
    parameters_start(session);
    parameter_integer(session, age);
    push_from(session, pruning->from);
    if (table_has(&session->table, ROLE_AVAILABLE_AT))
        parameter_integer(session, age);
    parameter_integer(session, (int64_t)WINDOW);
    enum outbox_status status =
        statement_run(session, phases[pruning->phase].find, 0, what, &statement, error);
    return status == OUTBOX_OK ? found_read(session, statement, what, error) : status;
}

/* Up to `most` of those found that are old enough, as keys. Sets where the next call begins; false:
 * the state's stretch is at its end. */
static bool take_old(struct outbox_session *session, uint64_t most, struct position *next)
{
    const struct found_list *found = &session->found;
    keys_reset(&session->keys);
    size_t i = 0;
    for (; i < found->count && session->keys.count < most; i++)
        if (found->list[i].attempts)
            keys_add(&session->keys, found->list[i].key);
    keys_sort(&session->keys);
    if (i == found->count && found->count < WINDOW)
        return false;
    *next = found->list[i - 1].position;
    return true;
}

/* Of the keys, those whose rows are still as they were found and are not locked by anybody. */
static enum outbox_status lock_old(struct outbox_session *session, int64_t age,
                                   struct outbox_error *error)
{
    static const char what[] = "take finished events of";
    MYSQL_STMT *statement;
    parameters_start(session);
    unsigned size = keys_push(session, &session->keys);
    parameter_integer(session, age);
    enum outbox_status status =
        statement_run(session, phases[session->pruning.phase].lock, size, what, &statement, error);
    if (status == OUTBOX_OK)
        status = found_read(session, statement, what, error);
    keys_reset(&session->keys);
    for (size_t i = 0; status == OUTBOX_OK && i < session->found.count; i++)
        keys_add(&session->keys, session->found.list[i].key);
    keys_sort(&session->keys);
    return status;
}

static enum outbox_status delete_locked(struct outbox_session *session, uint64_t *deleted,
                                        struct outbox_error *error)
{
    MYSQL_STMT *statement;
    if (session->keys.count == 0)
        return OUTBOX_OK;
    parameters_start(session);
    unsigned size = keys_push_deletion(session, &session->keys);
    enum outbox_status status =
        statement_run(session, STATEMENT_DELETE, size, "prune", &statement, error);
    if (status == OUTBOX_OK)
        *deleted = mysql_stmt_affected_rows(statement);
    return status;
}

/* The bound is inclusive, for rows that tie: a call that moved nothing would come again for ever.
 */
static void move_on(const struct table *table, struct pruning *pruning, struct position next,
                    uint64_t deleted)
{
    bool stuck = deleted == 0 && position_compare(next, pruning->from) == 0;
    pruning->from = next;
    if (!stuck)
        return;
    if (table_has(table, ROLE_AVAILABLE_AT))
        pruning->from.at++;
    else if (table->columns[table->tie].kind != KIND_UUID_BYTES || ++pruning->from.rest == 0)
        pruning->from.tie++;
}

static enum outbox_status delete_old(struct outbox_session *session,
                                     const struct outbox_prune_request *request,
                                     struct outbox_prune_result *result, struct outbox_error *error)
{
    struct pruning *pruning = &session->pruning;
    uint64_t most = request->max_events < CLAIM_MAX ? request->max_events : CLAIM_MAX;
    uint64_t deleted = 0;
    struct position next;
    bool more = false;
    int64_t age = age_of(request, pruning->phase);
    enum outbox_status status = find_old(session, age, error);
    if (status == OUTBOX_OK) {
        more = take_old(session, most, &next);
        if (session->keys.count > 0)
            status = lock_old(session, age, error);
    }
    if (status == OUTBOX_OK)
        status = delete_locked(session, &deleted, error);
    if (status == OUTBOX_OK)
        status = commit(session, "prune", error);
    if (status != OUTBOX_OK)
        return give_up(session, status);
    *(pruning->phase == 0 ? &result->delivered : &result->dead) = deleted;
    if (more && (deleted > 0 || table_has_places(&session->table))) {
        move_on(&session->table, pruning, next, deleted);
    } else {
        pruning->phase++;
        pruning->from = POSITION_FIRST;
    }
    return OUTBOX_OK;
}

/* ---- Only counting ------------------------------------------------------------------------ */

static void take_counts(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct outbox_prune_result *result = context;
    result->delivered = values[0] ? strtoull(values[0], NULL, 10) : 0;
    result->dead = values[1] ? strtoull(values[1], NULL, 10) : 0;
}

/* A look at the whole table may take longer than any other statement. */
static enum outbox_status count_old(struct outbox_session *session,
                                    const struct outbox_prune_request *request,
                                    struct outbox_prune_result *result, struct outbox_error *error)
{
    static const char what[] = "count finished events in";
    enum outbox_status status = session_reconnect(session, true, error);
    if (status == OUTBOX_OK)
        status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return status;
    parameters_start(session);
    for (int phase = 0; phase < PRUNE_PHASES; phase++) {
        parameter_integer(session, age_of(request, phase));
        parameter_integer(session, age_of(request, phase));
    }
    status = ask_statement(session, STATEMENT_COUNT_OLD, what, take_counts, result, error);
    if (session->lost)
        return give_up(session, status);
    struct outbox_error ignored = OUTBOX_ERROR_INIT;
    enum outbox_status back =
        session_reconnect(session, false, status == OUTBOX_OK ? error : &ignored);
    return status == OUTBOX_OK ? back : status;
}

enum outbox_status prune_events(struct outbox_session *session,
                                const struct outbox_prune_request *request,
                                struct outbox_prune_result *result, struct outbox_error *error)
{
    *result = (struct outbox_prune_result){.size = result->size};
    if (request->max_events == 0 && !request->only_count)
        return outbox_fail(error, OUTBOX_INVALID, "", "prune %s: max_events is 0",
                           session->store->names.table);
    enum outbox_status status = rollback(session, error);
    if (status == OUTBOX_OK)
        status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return status;
    if (request->only_count)
        return count_old(session, request, result, error);
    struct pruning *pruning = &session->pruning;
    go_to(session, pruning, request);
    unsigned tries = 0;
    if (pruning->phase < PRUNE_PHASES) {
        do
            status = delete_old(session, request, result, error);
        while (status != OUTBOX_OK && try_again(session, tries++));
    }
    skip_phases(session, request, pruning);
    if (status == OUTBOX_OK && pruning->phase < PRUNE_PHASES)
        result->position = ++pruning->ticket;
    return status;
}

/* ---- One maintainer ----------------------------------------------------------------------- */

static void take_flag(void *context, const char *const values[ANSWER_COLUMNS])
{
    *(bool *)context = values[0] && values[0][0] == '1';
}

/* A lock of the session, which would count if it were taken twice. */
enum outbox_status prune_maintain(struct outbox_session *session, uint32_t wanted,
                                  uint32_t *granted, struct outbox_error *error)
{
    const struct names *names = &session->store->names;
    const char *what = wanted ? "become the maintainer of" : "stop maintaining";
    bool is_done = false;
    *granted = session->maintains;
    if (session->maintains == (wanted != 0))
        return OUTBOX_OK;
    parameters_start(session);
    parameter_text(session, outbox_slice_of(names->schema));
    parameter_text(session, outbox_slice_of(names->relation));
    enum outbox_status status =
        ask(session,
            wanted ? "SELECT GET_LOCK(" MAINTAINER ", 0)" : "SELECT RELEASE_LOCK(" MAINTAINER ")",
            what, take_flag, &is_done, error);
    if (status == OUTBOX_OK && !session->held)
        status = commit(session, what, error);
    if (status != OUTBOX_OK)
        return give_up(session, status);
    session->maintains = wanted && is_done;
    *granted = session->maintains;
    return OUTBOX_OK;
}
