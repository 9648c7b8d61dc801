/*
 * driver.h - what the files of this driver know of each other
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_MYSQL_DRIVER_H
#define STORE_MYSQL_DRIVER_H

#include "buffer.h"
#include "claim_arena.h"
#include "client.h"
#include "holdback.h"
#include "names.h"
#include "turn.h"
#include "watermark.h"

#include <outbox/plugin.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- The table as one session found it ---------------------------------------------------- */

/* How a column's values travel. */
enum kind {
    KIND_OTHER, /* as the text that the server makes of it */
    KIND_TEXT,
    KIND_BYTES,
    KIND_UUID_BYTES, /* BINARY(16) */
    KIND_UUID,       /* MariaDB's own type: as text */
    KIND_INTEGER,
    KIND_UNSIGNED,
    KIND_INSTANT,
    KIND_JSON,
    KIND_ENUM
};

struct column {
    bool exists;
    bool is_generated; /* by the server */
    bool nullable;
    enum kind kind;
    char type[64];    /* as the server writes it, cut */
    char charset[32]; /* of text */
    char collation[64];
    uint64_t max_chars; /* of text and bytes */
    uint64_t max_bytes;
    int64_t least, greatest; /* of integers */
};

struct table {
    bool exists, not_a_table;
    struct column columns[ROLE_COUNT];
    enum role key;     /* rows are found again by it */
    enum role tie;     /* what orders events that became available at the same instant; ROLE_NONE */
    char *claim_index; /* quoted; NULL: none that fits */
    char *key_index;   /* quoted; NULL: none begins with the key */
    bool key_unique;
    enum role key_second; /* behind the key in that index, which is unique with it; ROLE_NONE */
    bool locks_by_key;    /* the two, or the key alone, tell any row: claims lock by them */
    bool deletes_in;      /* a DELETE with an IN is sure to look up its keys one by one */
    char state[STATE_COUNT][STATE_TEXT_MAX + 3]; /* as literals; "": there is no such state */
    bool holds_back;                             /* a retry can only be put off in memory */
    bool writes_failures; /* there is a column for something that a failure changes */
    enum role window;     /* the column that bounds claims to recent partitions; ROLE_NONE */
    char *partitioned_by; /* an expression; NULL: it is not partitioned */
    bool local_time;      /* it has dates without a zone: they are in the server's */
    bool may_select, may_insert, may_update, may_delete;
    struct buffer problems; /* text: a line for each thing that stops relaying */
};

/* Looks at the table, whatever state it is in. */
enum outbox_status table_examine(struct outbox_session *session, struct table *table,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
void table_clear(struct table *table);

/* session->table is known and fit to relay from; SCHEMA names all that is wrong. */
enum outbox_status table_ensure(struct outbox_session *session,
                                struct outbox_error *error) OUTBOX_MUST_USE;

/* DENIED unless the session has every right that claiming and settling need: what could be claimed
 * but not settled would be published again and again. */
enum outbox_status table_may_relay(struct outbox_session *session,
                                   struct outbox_error *error) OUTBOX_MUST_USE;

/* What to do about its problems. */
const char *table_remedy(const struct table *table);

/* SCHEMA, with the table's problems in one sentence. */
enum outbox_status table_failure(const struct outbox_store *store, const struct table *table,
                                 struct outbox_error *error);

/* Whether the places in its order of claims can be compared, so that a scan can begin elsewhere
 * than at the start. */
bool table_has_places(const struct table *table);

static inline bool table_has(const struct table *table, enum role role)
{
    return role != ROLE_NONE && table->columns[role].exists;
}

/* Whether a claim reads it as an instant; any other role is text, whatever its type. */
static inline bool is_clock(enum role role)
{
    return role == ROLE_AVAILABLE_AT || role == ROLE_CREATED_AT;
}

/* Whether every key comes with its created_ts, which tells the partitions that a list is in. */
static inline bool table_has_span(const struct table *table)
{
    return table_has(table, ROLE_CREATED_TS) && !table->columns[ROLE_CREATED_TS].nullable;
}

/* Whether an INSERT can give it a value. */
static inline bool table_takes(const struct table *table, enum role role)
{
    return table_has(table, role) && !table->columns[role].is_generated;
}

/* In table_types.c: what a column is, and what is wrong with it. */
struct found_column {
    const char *type, *full_type, *charset, *collation; /* "" for none */
    uint64_t max_chars, max_bytes;
    bool nullable, is_generated;
};
void column_read(struct column *column, const struct found_column *found);
void column_judge(struct table *table, const struct outbox_store *store, enum role role,
                  const struct found_column *found);
void table_problem(struct table *table, const char *format, ...) OUTBOX_PRINTF(2, 3);
const char *role_types(enum role role);

/* ---- Statements --------------------------------------------------------------------------- */

enum statement {
    STATEMENT_CLAIM,       /* from the watermark on */
    STATEMENT_CLAIM_FIRST, /* from the start */
    STATEMENT_LOOK,        /* for candidates below the watermark */
    STATEMENT_LOOK_FREE,   /* for the first of them that is in no hands */
    STATEMENT_LEASE,
    STATEMENT_DELIVERED,
    STATEMENT_MIXED,
    STATEMENT_LEASES_OF, /* of one token: their keys */
    STATEMENT_RENEW,
    STATEMENT_OLDEST_LEASE,
    STATEMENT_EXPIRED, /* leases: their keys */
    STATEMENT_REAP_DEAD,
    STATEMENT_REAP_RETURNED,
    STATEMENT_ENQUEUE,
    STATEMENT_STATS,
    STATEMENT_SMALL_STATS,
    STATEMENT_ESTIMATE,
    STATEMENT_HOLDERS,
    STATEMENT_OLD_DELIVERED, /* finished events that are old: a look, in the order of claims */
    STATEMENT_OLD_DEAD,
    STATEMENT_LOCK_DELIVERED, /* of a list of keys those that are old and free */
    STATEMENT_LOCK_DEAD,
    STATEMENT_DELETE, /* locked rows, by key */
    STATEMENT_COUNT_OLD,
    STATEMENT_COUNT
};

/* Statements that list keys or rows are prepared for 1, 2, 4, ... of them; the last one is repeated
 * until the list is full. */
enum { SIZES = 15 };
unsigned size_for(size_t count);
static inline size_t size_count(unsigned size)
{
    return (size_t)1 << size;
}

/* A claim of more events than one statement lists is not made. */
#define CLAIM_MAX ((uint64_t)1 << (SIZES - 1))

/* Rows beyond this are estimated, not counted. */
#define STATS_CAP 100000

/* Leases beyond this are not looked at to tell who holds them. */
#define HOLDERS_CAP 20000

/* malloc'ed; NULL if memory ran out. */
char *sql_text(enum statement statement, size_t count, const struct outbox_store *store,
               const struct table *table) OUTBOX_MUST_USE;

/* Where each field of an event stands in the result of STATEMENT_CLAIM; -1: not there. Behind these
 * stand the size of the payload, whether the row could be locked, and in a table with local time
 * created_at and available_at in UTC. Returns the number of fields. */
int sql_fields(const struct table *table, int field[ROLE_COUNT]);

/* ---- Running them ------------------------------------------------------------------------- */

enum parameter_kind {
    PARAMETER_NULL,
    PARAMETER_INTEGER,
    PARAMETER_UNSIGNED,
    PARAMETER_INSTANT,
    PARAMETER_TEXT,
    PARAMETER_BYTES
};

/* Borrowed: what `data` points to stays until the statement has run. */
struct parameter {
    enum parameter_kind kind;
    int64_t number;
    const char *data;
    unsigned long len;
    MYSQL_TIME time;
};

struct parameters {
    struct parameter *values;
    MYSQL_BIND *binds;
    size_t count, capacity;
    bool failed; /* memory ran out */
};

/* The parameters of the next statement, one after another. */
void parameters_start(struct outbox_session *session);
void parameter_integer(struct outbox_session *session, int64_t number);
void parameter_unsigned(struct outbox_session *session, uint64_t number);
void parameter_instant(struct outbox_session *session, int64_t instant); /* since 1970 */
void parameter_text(struct outbox_session *session, struct outbox_slice text);
void parameter_bytes(struct outbox_session *session, struct outbox_slice bytes);

/* Both prepare if need be, bind and execute; on failure *error says "WHAT TABLE: why". */
enum outbox_status statement_run(struct outbox_session *session, enum statement statement,
                                 unsigned size, const char *what, MYSQL_STMT **executed,
                                 struct outbox_error *error) OUTBOX_MUST_USE;

/* Fetches the next row into what is bound; *more is false behind the last one, and the result is
 * freed then. */
enum outbox_status statement_fetch(struct outbox_session *session, MYSQL_STMT *statement,
                                   const char *what, bool *more,
                                   struct outbox_error *error) OUTBOX_MUST_USE;

/* What the last statement has cost the server until now: neither its preparation nor the way to the
 * server and back. Nanoseconds. */
int64_t statement_cost(const struct outbox_session *session);

/* For what is asked rarely and answers little: calls `take` for each row with its values as text,
 * NULL for SQL NULL. */
enum { ANSWER_COLUMNS = 12 };
typedef void take_row(void *context, const char *const values[ANSWER_COLUMNS]);
enum outbox_status ask(struct outbox_session *session, const char *sql, const char *what,
                       take_row *take, void *context, struct outbox_error *error) OUTBOX_MUST_USE;
enum outbox_status ask_statement(struct outbox_session *session, enum statement statement,
                                 const char *what, take_row *take, void *context,
                                 struct outbox_error *error) OUTBOX_MUST_USE;

/* A statement without parameters and rows, in plain text: COMMIT and the like. */
enum outbox_status command_run(struct outbox_session *session, const char *sql, const char *what,
                               struct outbox_error *error) OUTBOX_MUST_USE;
enum outbox_status commit(struct outbox_session *session, const char *what,
                          struct outbox_error *error) OUTBOX_MUST_USE;

/* Rolls back what is open, nothing if nothing is; held rows are let go. */
enum outbox_status rollback(struct outbox_session *session,
                            struct outbox_error *error) OUTBOX_MUST_USE;

/* After a failure: rolls back and returns `status`, or UNAVAILABLE if the session is lost by it. */
enum outbox_status give_up(struct outbox_session *session, enum outbox_status status);

/* After giving up: true, once a short random time has passed, if it is worth another try. */
bool try_again(struct outbox_session *session, unsigned tries);

void statements_close(struct outbox_session *session);

/* ---- Failures ----------------------------------------------------------------------------- */

enum outbox_status failure_of_server(struct outbox_session *session, unsigned number,
                                     const char *text, const char *what,
                                     struct outbox_error *error);
enum outbox_status failure_to_connect(const struct outbox_store *store, MYSQL *client,
                                      struct outbox_error *error);
enum outbox_status failure_of_memory(struct outbox_error *error);

/* ---- Keys and places ---------------------------------------------------------------------- */

/* What finds a row again: a number, or the bytes or text of its id; and the partition that it is
 * in, where the table has created_ts. */
struct key {
    uint64_t number;
    struct outbox_slice bytes;
    int64_t created_ts;
};

/* Bytes that fit in an index, and so characters of a key. */
#define INDEX_MAX 3072ULL

/* A list of keys, in the order in which rows are written everywhere. */
struct keys {
    struct key *list;
    size_t count, capacity;
    bool failed; /* memory ran out */
};
void keys_reset(struct keys *keys);
void keys_add(struct keys *keys, struct key key);
void keys_sort(struct keys *keys);
void keys_clear(struct keys *keys);

/* A key as a parameter, of the type of the table's key column. */
void push_key(struct outbox_session *session, const struct key *key);

/* The keys as parameters, filled up to a size for which there is a statement; returns that size.
 * Behind them, where the table has created_ts, the least and the greatest of it. */
unsigned keys_push(struct outbox_session *session, const struct keys *keys);

/* For a DELETE: the same, or one parameter, a list in JSON, and the two behind it. */
unsigned keys_push_deletion(struct outbox_session *session, const struct keys *keys);

/* These two alone: any of them may be in any order. */
void keys_push_span(struct outbox_session *session, const struct keys *keys);

/* Where a row stands, known by its key; false if that does not say. */
bool position_of_key(const struct table *table, const struct key *key,
                     struct position *position) OUTBOX_MUST_USE;

/* The least place behind that of a row that was seen: the same, if other rows may share it. */
struct position position_beyond(const struct table *table, struct position position);

/* The parameters of a bound that sql.c writes: of "from here on" and of "before here". */
void push_from(struct outbox_session *session, struct position position);
void push_before(struct outbox_session *session, struct position position);

/* A row that a statement found: the answers of LOOK, LEASES_OF, OLDEST_LEASE and EXPIRED, and of
 * those that look for old events, where `attempts` is 1 for an old one. */
struct found {
    struct key key;
    struct position position;
    int64_t attempts;
};

struct found_list {
    struct found *list;
    size_t count, capacity;
    struct arena memory; /* of the keys */
};
enum outbox_status found_read(struct outbox_session *session, MYSQL_STMT *statement,
                              const char *what, struct outbox_error *error) OUTBOX_MUST_USE;
void found_clear(struct found_list *found);

/* A column of the order of claims, as it came, into the position of its row. */
void position_tie(const struct table *table, struct position *position, int64_t number,
                  const MYSQL_TIME *time, const char bytes[16]);

/* ---- Store and session -------------------------------------------------------------------- */

/* Events that are held back in memory at a time, of tables that cannot put off a retry. A claim
 * names those of them that it would come upon. */
#define HELD_BACK_MAX 10000

struct outbox_store {
    const struct outbox_host *host;
    const struct layout *layout;
    struct states states;
    struct settings settings;
    struct names names;
    struct holdback holdback; /* by key */
    atomic_bool is_full;      /* of what is held back: it was said */
    struct watermark pending; /* over the order of claims */
    struct turn looking;      /* for candidates */
    struct watermark leases;  /* the same, of what is DELIVERING */
};

static inline bool is_lease(const struct outbox_store *store)
{
    return store->settings.mode == OUTBOX_MODE_LEASE;
}

/* Layout, names and states of a store whose settings are known. */
enum outbox_status shape_init(struct outbox_store *store, const struct outbox_settings *values,
                              struct outbox_error *error) OUTBOX_MUST_USE;

/* Whether the table must have a column for `role`. */
bool shape_requires(const struct outbox_store *store, enum role role);

/* Whether an event can be marked dead. */
bool shape_buries(const struct outbox_store *store);

/* How far a pass of pruning has come: through what is delivered, then through what is dead. */
enum { PRUNE_PHASES = 2 };
struct pruning {
    uint64_t ticket; /* the position that the last call returned */
    int phase;
    struct position from;
};

struct outbox_session {
    struct outbox_store *store;
    MYSQL *client;
    pthread_mutex_t mutex; /* of the four that follow, which interrupt() uses as well */
    pthread_cond_t woken;
    int socket; /* a duplicate: the library may close its own any time. -1: none */
    bool running, interrupted;
    bool lost;      /* the connection is of no more use */
    bool forget;    /* the table changed: look at it again */
    bool examined;  /* `table` is known and good */
    bool retriable; /* the last failure was a deadlock or the like */
    bool in_transaction;
    bool is_mariadb;
    bool maintains;      /* holds the lock of the table's maintainer */
    bool local_time;     /* its time zone is the server's, and not UTC */
    uint64_t max_packet; /* of what the server takes */
    int64_t sent;        /* when the last statement was */
    int64_t trip;        /* the least that a statement took: the way to the server and back */
    struct table table;
    MYSQL_STMT *statements[STATEMENT_COUNT][SIZES];
    struct parameters parameters;
    struct claim *held; /* mode hold: its rows are locked by the open transaction */
    struct claim *free_claims;
    struct pruning pruning;
    struct buffer outcomes, key_list; /* these are of the op that runs */
    struct keys keys, mixed_keys, held_keys;
    struct arena held_memory; /* of the last of these */
    struct found_list found;
    char tie_bytes[16]; /* of a bound, while its statement runs */
    uint64_t random;
};

enum outbox_status session_connect(struct outbox_store *store, int64_t deadline,
                                   struct outbox_session **session,
                                   struct outbox_error *error) OUTBOX_MUST_USE;
void session_disconnect(struct outbox_session *session);

/* A new connection in place of the old one; `endless`: its statements may take as long as they
 * like. */
enum outbox_status session_reconnect(struct outbox_session *session, bool endless,
                                     struct outbox_error *error) OUTBOX_MUST_USE;

/* How long definitions are waited for from now on; 0: as long as any statement. */
enum outbox_status session_wait_for_tables(struct outbox_session *session, int seconds,
                                           struct outbox_error *error) OUTBOX_MUST_USE;

/* Any thread: the op that runs gives up. Every op stands between entering and leaving. */
void session_interrupt(struct outbox_session *session);
void session_enter(struct outbox_session *session);
void session_leave(struct outbox_session *session);
bool session_interrupted(struct outbox_session *session);

/* Waits, unless it is interrupted meanwhile. */
void session_pause(struct outbox_session *session, int64_t nanoseconds);

/* Drops what is known of the table and what is prepared for it. */
void session_forget_table(struct outbox_session *session);

static inline int64_t now(const struct outbox_session *session)
{
    return session->store->host->now(session->store->host);
}

/* ---- Instants, microseconds since 1970 ---------------------------------------------------- */

/* Of a session with local time they are no instants but places on the server's clock. */

/* The server's "no date" is before all others. */
int64_t instant_of(const MYSQL_TIME *time);
MYSQL_TIME instant_to(int64_t instant);

/* Beyond it a TIMESTAMP has no values. */
#define LAST_TIMESTAMP "TIMESTAMP'2038-01-18 00:00:00'" /* in any time zone */
#define LAST_TIMESTAMP_UNIX (INT64_C(2147483647) * 1000000)

/* ---- Claims ------------------------------------------------------------------------------- */

struct placed {
    struct position position;
    struct key key;
};

struct claim {
    struct outbox_claim public; /* first: the relay holds a pointer to it */
    struct arena memory;        /* what the events point to */
    struct outbox_event *events;
    struct placed *placed; /* beside each event */
    size_t capacity;
    char token[128];
    size_t token_len;
    struct claim *next_free;
};

/* The ops, each in the file of its name. */
enum outbox_status claim_take(struct outbox_session *session,
                              const struct outbox_claim_request *request,
                              struct outbox_claim **claim, struct outbox_error *error);
void claim_return(struct outbox_session *session, struct outbox_claim *claim);
enum outbox_status claim_abandon(struct outbox_session *session, struct outbox_claim *claim,
                                 struct outbox_error *error);

/* The held rows, if any, were let go: they are to be found again. */
void claim_lost(struct outbox_session *session);
void claims_clear(struct outbox_session *session);

enum outbox_status settle_apply(struct outbox_session *session,
                                const struct outbox_settle_request *settle,
                                struct outbox_settle_result *result, struct outbox_error *error);
enum outbox_status settle_and_take(struct outbox_session *session,
                                   const struct outbox_settle_request *settle,
                                   struct outbox_settle_result *result,
                                   const struct outbox_claim_request *request,
                                   struct outbox_claim **claim, struct outbox_error *error);

/* In outcome.c: what becomes of each event that is not simply delivered, as JSON. */
void outcomes_start(struct outbox_session *session);
void outcomes_add(struct outbox_session *session, const struct key *key,
                  const struct outbox_settlement *settlement, bool charged);
void outcomes_end(struct outbox_session *session);
void key_add_json(const struct outbox_session *session, struct buffer *json, const struct key *key);

enum outbox_status lease_renew(struct outbox_session *session, struct outbox_slice token,
                               uint64_t expected, struct outbox_settle_result *result,
                               struct outbox_error *error);
enum outbox_status lease_reap(struct outbox_session *session,
                              const struct outbox_reap_request *request,
                              struct outbox_reap_result *result, struct outbox_error *error);
enum outbox_status enqueue_events(struct outbox_session *session,
                                  const struct outbox_enqueue_request *request,
                                  struct outbox_error *error);
enum outbox_status prune_events(struct outbox_session *session,
                                const struct outbox_prune_request *request,
                                struct outbox_prune_result *result, struct outbox_error *error);

/* The column that says when an event in that final state was finished; ROLE_NONE: there is no such
 * state, or no telling. */
enum role prune_since(const struct table *table, enum state state);
enum outbox_status prune_maintain(struct outbox_session *session, uint32_t wanted,
                                  uint32_t *granted, struct outbox_error *error);
enum outbox_status stats_read(struct outbox_session *session, struct outbox_store_stats *stats,
                              struct outbox_error *error);
enum outbox_status holders_read(struct outbox_session *session, outbox_holder_seen *emit,
                                void *context, uint32_t *partial, struct outbox_error *error);
enum outbox_status schema_act(struct outbox_store *store, struct outbox_session *session,
                              uint32_t action, outbox_schema_line *emit, void *context,
                              struct outbox_error *error);

/* ---- The SQL of init ---------------------------------------------------------------------- */

enum ddl_step { DDL_TABLE, DDL_COLUMNS, DDL_CLAIM_INDEX, DDL_STEP_COUNT };

/* Partitions of a new table, from now on. */
enum { DDL_DAYS = 8, DDL_MONTHS = 4 };

/* Whether the layout's table needs it at all. */
bool ddl_has(enum ddl_step step, const struct outbox_store *store);

/* What the step is for, as an SQL comment. */
const char *ddl_comment(enum ddl_step step);

/* malloc'ed; NULL if memory ran out. Adds only the columns that `table` lacks, all if it is NULL.
 */
char *ddl_text(enum ddl_step step, const struct outbox_store *store,
               const struct table *table) OUTBOX_MUST_USE;

#endif
