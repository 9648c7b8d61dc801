/*
 * driver.h - what the files of this driver know of each other
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_POSTGRES_DRIVER_H
#define STORE_POSTGRES_DRIVER_H

#include "binary.h"
#include "holdback.h"
#include "names.h"
#include "states.h"
#include "watermark.h"

#include <libpq-fe.h>
#include <outbox/plugin.h>
#include <stdatomic.h>

/* The first key of every advisory lock taken by this driver; the second is the table's oid, or a
 * hash of its name. */
#define LOCK_AWAKE 20319 /* held by a relay that sleeps: the trigger looks at it */
#define LOCK_SCHEMA 20320
#define LOCK_MAINTAIN 20321 /* held by the session that maintains the table */

/* Events that are held back in memory at a time, of tables that cannot put off a retry. Each claim
 * names them all to the server. */
#define HELD_BACK_MAX 10000

/* ---- Settings ----------------------------------------------------------------------------- */

enum { SECRET_COUNT = 3 };

struct settings {
    char *url;
    char *password;              /* NULL: as the url says */
    char *secrets[SECRET_COUNT]; /* what an error text must never hold; NULL where there is none */
    char *application_name;
    int64_t statement_timeout; /* milliseconds, 0: none */
    uint32_t mode;             /* enum outbox_claim_mode */
    bool delete_delivered;
    bool wake;           /* init makes the trigger */
    bool binary_payload; /* init makes the payload bytea, whatever the layout's usual type */
    uint32_t partition;  /* enum outbox_partition_period: init makes a partitioned table; 0: not */
};

enum outbox_status settings_init(struct settings *settings,
                                 const struct outbox_store_config *config,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
void settings_clear(struct settings *settings);

/* Blots out every secret in `text`. */
void settings_scrub(const struct settings *settings, char *text);

/* Layout, names and states of a store whose settings are known. */
enum outbox_status shape_init(struct outbox_store *store, const struct outbox_settings *values,
                              struct outbox_error *error) OUTBOX_MUST_USE;

/* Whether the table must have a column for `role`. */
bool shape_requires(const struct outbox_store *store, enum role role);

/* In binary format; data NULL: SQL NULL. */
struct parameter {
    const char *data;
    size_t len;
};

/* ---- The table as one session found it ---------------------------------------------------- */

/* What a claim returns for each event, in this order where the column exists. */
enum field {
    FIELD_ID,
    FIELD_TYPE,
    FIELD_PAYLOAD,
    FIELD_PAYLOAD_SIZE,
    FIELD_ATTEMPTS,
    FIELD_AVAILABLE_AT,
    FIELD_CREATED_AT,
    FIELD_TIE,
    FIELD_TID,
    FIELD_HEADERS,
    FIELD_PARTITION_KEY,
    FIELD_ORDERING_KEY,
    FIELD_AGGREGATE_TYPE,
    FIELD_AGGREGATE_ID,
    FIELD_COUNT
};

/* What the values of an ordering column are, of which a position is made. */
enum tie_kind {
    TIE_NUMBER,
    TIE_INSTANT,
    TIE_UUID,
    TIE_BYTES,
    TIE_OTHER /* no position: every scan begins at the start */
};

struct table {
    bool exists;
    Oid oid;
    bool by_tid; /* rows can be found again by ctid: not partitioned, no children */
    bool is_partitioned, has_partitions;
    bool has[ROLE_COUNT];
    Oid type[ROLE_COUNT];
    char id_type[80]; /* to cast text to */
    enum state_kind state_kind;
    char state_cast[96];     /* what a state's literal ends with: "", "::mood" */
    size_t error_characters; /* that last_error holds at most, 0: any number */
    bool makes_created_ts;   /* it is generated, or has a default */
    bool holds_back;         /* a retry can only be put off in memory */
    bool writes_failures;    /* there is a column for something that a failure changes */
    enum role tie;           /* what orders events that became available at the same instant */
    enum tie_kind tie_kind;
    int field[FIELD_COUNT]; /* column of a claim's result, -1: not there */
    Oid claim_index;        /* 0: none that fits */
    bool lease_index, dead_index, id_index, id_unique;
    bool trigger;
    bool not_a_table; /* a view or the like: nothing else is known of it */
    bool may_select, may_insert, may_delete;
    bool may_update;        /* all columns that settling writes */
    char user[140];         /* whose rights these are, quoted */
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

/* Which index claims use, and what it orders by. */
void table_read_indexes(struct table *table, const struct outbox_store *store,
                        const PGresult *indexes);
extern const char table_indexes_sql[]; /* $1 the table's name */

/* A position in the order of claims and back. */
struct position table_position(const struct table *table, const PGresult *result, int row, int at,
                               int tie);
struct parameter table_tie(const struct table *table, struct position position, char bytes[16]);

/* ---- Statements --------------------------------------------------------------------------- */

/* The numbers of a claim's parameters, 0: not there. */
struct claim_places {
    int limit, at, tie, payload, held, token, count;
};
struct claim_places claim_places(const struct outbox_store *store, const struct table *table);

/* The same of a look, which has only these. */
struct claim_places look_places(const struct table *table);

enum statement {
    STATEMENT_ASYNC_COMMIT, /* for this transaction */
    STATEMENT_CLAIM,
    STATEMENT_LOOK,
    STATEMENT_DELIVERED,
    STATEMENT_DELIVERED_WHOLE, /* a leased claim, all of it */
    STATEMENT_MIXED,
    STATEMENT_RENEW,
    STATEMENT_OLDEST_LEASE,
    STATEMENT_REAP,
    STATEMENT_ENQUEUE,
    STATEMENT_STATS,
    STATEMENT_SMALL_STATS,
    STATEMENT_HOLDERS,
    STATEMENT_PRUNE,
    STATEMENT_COUNT_OLD,
    STATEMENT_COUNT
};

/* Rows beyond this are estimated, not counted. */
#define STATS_CAP 100000

/* Leases beyond this are not looked at to tell who holds them. */
#define HOLDERS_CAP 20000

/* malloc'ed; NULL if memory ran out. */
char *sql_text(enum statement statement, const struct outbox_store *store,
               const struct table *table) OUTBOX_MUST_USE;

/* ---- Exchanges: statements sent together and answered together ---------------------------- */

enum { EXCHANGE_MAX = 24, PARAMETER_MAX = 12, NOT_PREPARED = -1 };

struct exchange_item {
    int prepares; /* the statement that it prepares, or NOT_PREPARED */
    PGresult *result;
};

struct exchange {
    struct exchange_item items[EXCHANGE_MAX];
    size_t count;
    enum outbox_status refused; /* why nothing is sent */
    bool endless;               /* no limit on the time that the server takes */
    bool retriable;             /* the last one failed by a deadlock or the like */
};

/* Begins a new exchange; the results of the last one are gone. Failures of the queueing calls are
 * kept, and returned by exchange_run(). */
void exchange_start(struct outbox_session *session);

/* Queue a statement and return its place for exchange_result(). */
size_t exchange_text(struct outbox_session *session, const char *sql);
size_t exchange_query(struct outbox_session *session, const char *sql, const char *const *values,
                      int count); /* parameters and results as text */
size_t exchange_statement(struct outbox_session *session, enum statement statement,
                          const struct parameter *parameters, int count);

/* Sends what is queued in one round trip, all one transaction unless it says BEGIN or COMMIT
 * itself, and waits. On failure no transaction is left open, and *error says "WHAT TABLE: why". */
enum outbox_status exchange_run(struct outbox_session *session, const char *what,
                                struct outbox_error *error) OUTBOX_MUST_USE;
PGresult *exchange_result(struct outbox_session *session, size_t place);
PGresult *exchange_take(struct outbox_session *session, size_t place); /* now the caller's */
void exchange_clear(struct outbox_session *session);

/* Queues that what follows may read a whole table, for as long as that takes. */
void exchange_unlimited(struct outbox_session *session);

/* After a failed exchange: true, once a short random time has passed, if it is worth another try.
 */
bool exchange_again(struct outbox_session *session, unsigned tries);

/* Rolls back what is open; nothing if nothing is. */
enum outbox_status exchange_rollback(struct outbox_session *session,
                                     struct outbox_error *error) OUTBOX_MUST_USE;

/* ---- Failures ----------------------------------------------------------------------------- */

enum outbox_status failure_of_result(struct outbox_session *session, const PGresult *result,
                                     const char *what, struct outbox_error *error);
enum outbox_status failure_of_connection(struct outbox_session *session, const char *what,
                                         struct outbox_error *error);
enum outbox_status failure_to_connect(struct outbox_store *store, PGconn *conn,
                                      struct outbox_error *error);
enum outbox_status failure_of_memory(struct outbox_error *error);

/* ---- Store and session -------------------------------------------------------------------- */

struct wake {
    struct outbox_session *session; /* NULL: not connected */
    int64_t next_connect;           /* not before, host->now() */
    Oid table;
    bool armed;
    bool told; /* that there is no trigger */
};

struct outbox_store {
    const struct outbox_host *host;
    struct settings settings;
    const struct layout *layout;
    struct states states;
    struct names names;
    struct holdback holdback; /* by id in its binary format */
    atomic_bool is_full;      /* of what is held back: it was said */
    struct watermark pending; /* over (available_at, tie) of PENDING */
    struct watermark leases;  /* over locked_at of DELIVERING, tie unused */
    struct wake wake;         /* of the thread that arms */
};

struct prepared {
    char *sql;
    bool ready;
};

enum { SCRATCH_COUNT = 12, SCRATCH_HELD = 11 };

struct outbox_session {
    struct outbox_store *store;
    PGconn *conn;
    int interrupt_fd; /* eventfd: readable once the op that runs is interrupted */
    bool lost;        /* the connection is of no more use */
    bool forget;      /* the table changed: look at it again */
    bool examined;
    bool maintains; /* it holds LOCK_MAINTAIN */
    struct table table;
    struct prepared statements[STATEMENT_COUNT];
    struct exchange exchange;
    struct claim *held; /* mode hold: its rows are locked by the open transaction */
    struct claim *free_claims;
    struct buffer scratch[SCRATCH_COUNT]; /* parameters being built; of the op that runs */
    uint64_t random;
};

enum outbox_status session_connect(struct outbox_store *store, int64_t deadline,
                                   struct outbox_session **session,
                                   struct outbox_error *error) OUTBOX_MUST_USE;
void session_disconnect(struct outbox_session *session);

/* Any thread: the op that runs gives up. An op begins by entering, which forgets older interrupts.
 */
void session_interrupt(struct outbox_session *session);
void session_enter(struct outbox_session *session);
bool session_interrupted(struct outbox_session *session);

/* Drops what is known of the table and what is prepared for it. */
void session_forget_table(struct outbox_session *session);

/* ---- Claims ------------------------------------------------------------------------------- */

/* Where an event stands in its claim index, and its row in the result. */
struct placed {
    struct position position;
    int row;
};

struct claim {
    struct outbox_claim public; /* first: the relay holds a pointer to it */
    PGresult *result;           /* the events' memory */
    struct outbox_event *events;
    struct placed *placed; /* beside each event */
    char *ids;             /* ids that are no text in the result, as text */
    size_t capacity, ids_size;
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

/* What claim_take() is made of, for settle_and_take() to use within its own exchange. */
struct claim_plan {
    const struct outbox_claim_request *request;
    uint64_t ticket; /* of the watermark */
    struct position low;
    size_t place;
    bool looks; /* below the watermark, too: its answer is awaited at look_place */
    size_t look_place;
    int64_t looked_at;
    bool found_late;
};
enum outbox_status claim_check(const struct outbox_session *session,
                               const struct outbox_claim_request *request,
                               struct outbox_error *error) OUTBOX_MUST_USE;

/* Begins the scan no later than at `at_most`. */
void claim_queue(struct outbox_session *session, struct claim_plan *plan, struct position at_most);

/* The exchange that it was queued in failed. */
void claim_failed(struct outbox_session *session, struct claim_plan *plan);
enum outbox_status claim_read(struct outbox_session *session, struct claim_plan *plan,
                              struct outbox_claim **claim,
                              struct outbox_error *error) OUTBOX_MUST_USE;

/* A claim of no event; NULL if memory ran out. */
struct claim *claim_new(struct outbox_session *session) OUTBOX_MUST_USE;

/* What is held back in memory, for tables that cannot put off a retry.
 *
 * Before a claim: builds the list of what it leaves out in scratch[SCRATCH_HELD], and returns how
 * many events, at most `limit`, may be claimed. */
int64_t held_prepare(struct outbox_session *session, int64_t limit) OUTBOX_MUST_USE;

/* What is held back is not due. */
void held_recount(const struct outbox_session *session, struct outbox_store_stats *stats);

/* Takes out of a claim's places what is held back by now; returns how many are left. */
size_t held_filter(const struct outbox_session *session, struct claim *claim, size_t count);
int64_t held_attempts(const struct outbox_session *session, const struct claim *claim,
                      size_t index);

/* The settlement that the table can take: where it has no place for a dead event, that stays
 * pending and is put off for long, and the log says so. */
struct outbox_settlement held_instead(const struct outbox_session *session,
                                      const struct claim *claim,
                                      const struct outbox_settlement *settlement);

/* Before a settlement is sent: once its row is free it must be held back already. */
void held_put(const struct outbox_session *session, const struct claim *claim,
              const struct outbox_settlement *settlement, int charge);

/* After it is committed. */
void held_settled(const struct outbox_session *session, const struct outbox_settle_request *settle,
                  const struct claim *claim);

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
enum outbox_status lease_renew(struct outbox_session *session, struct outbox_slice token,
                               uint64_t expected, struct outbox_settle_result *result,
                               struct outbox_error *error);
enum outbox_status lease_reap(struct outbox_session *session,
                              const struct outbox_reap_request *request,
                              struct outbox_reap_result *result, struct outbox_error *error);
enum outbox_status enqueue_events(struct outbox_session *session,
                                  const struct outbox_enqueue_request *request,
                                  struct outbox_error *error);
enum outbox_status stats_read(struct outbox_session *session, struct outbox_store_stats *stats,
                              struct outbox_error *error);
enum outbox_status holders_read(struct outbox_session *session, outbox_holder_seen *emit,
                                void *context, uint32_t *partial, struct outbox_error *error);
enum outbox_status prune_events(struct outbox_session *session,
                                const struct outbox_prune_request *request,
                                struct outbox_prune_result *result, struct outbox_error *error);
enum outbox_status prune_maintain(struct outbox_session *session, uint32_t wanted,
                                  uint32_t *granted, struct outbox_error *error);
enum outbox_status schema_act(struct outbox_store *store, struct outbox_session *session,
                              uint32_t action, outbox_schema_line *emit, void *context,
                              struct outbox_error *error);
enum outbox_status wake_arm(struct outbox_store *store, int *fd, struct outbox_error *error);
void wake_disarm(struct outbox_store *store);
void wake_close(struct outbox_store *store);

/* ---- The SQL of init ---------------------------------------------------------------------- */

enum ddl_step {
    DDL_TABLE,
    DDL_DEFAULT,
    DDL_COLUMNS,
    DDL_CLAIM_INDEX,
    DDL_LEASE_INDEX,
    DDL_DEAD_INDEX,
    DDL_FUNCTION,
    DDL_TRIGGER,
    DDL_STEP_COUNT
};

/* Whether the layout's table needs it at all. */
bool ddl_has(enum ddl_step step, const struct outbox_store *store);

/* What the step is for, as an SQL comment. */
const char *ddl_comment(enum ddl_step step);

/* malloc'ed; NULL if memory ran out. */
char *ddl_text(enum ddl_step step, const struct outbox_store *store) OUTBOX_MUST_USE;

/* How rows are to be stored, as the end of a CREATE TABLE; not of one that is partitioned. */
extern const char ddl_storage[];

#endif
