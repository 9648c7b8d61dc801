/*
 * store.h - what a driver for a database implements
 * SPDX-License-Identifier: MIT
 */
#ifndef OUTBOX_STORE_H
#define OUTBOX_STORE_H

#include <outbox/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open store (settings, shared state) and one connection to it; both the driver's own. */
struct outbox_store;
struct outbox_session;

enum outbox_store_capability {
    OUTBOX_STORE_LEASE = 1u << 0,  /* claims with a committed lease: claim mode `lease` */
    OUTBOX_STORE_HOLD = 1u << 1,   /* claims with row locks that end with the session, as those of
                                      an open transaction do: claim mode `hold` */
    OUTBOX_STORE_STREAM = 1u << 2, /* reads a log: claiming is reading on, settling confirms a
                                      position in order, retries are kept by the relay */
    OUTBOX_STORE_WAKE = 1u << 3    /* wake_arm() and wake_disarm() work */
};

enum outbox_claim_mode { OUTBOX_MODE_LEASE = 1, OUTBOX_MODE_HOLD = 2 };

/* What a pipeline wants of its store beside the driver's own settings. */
struct outbox_store_config {
    uint64_t size;
    uint32_t mode;             /* enum outbox_claim_mode: one the driver has the capability for */
    uint32_t delete_delivered; /* 1: settling DELIVERED deletes the row instead of marking it */
    struct outbox_slice relay_id; /* for application_name and the like */
    const struct outbox_settings *settings;
};

/* ---- Claiming ----------------------------------------------------------------------------- */

enum outbox_claim_flag {
    OUTBOX_CLAIM_FROM_START =
        1u << 0 /* look from the oldest pending event on, whatever low
                   watermark the driver keeps: finding nothing is then final */
};

struct outbox_claim_request {
    uint64_t size;
    uint64_t max_events;       /* never 0 */
    uint64_t max_payload;      /* bytes; a larger payload stays in the database */
    struct outbox_slice token; /* lease: owner and claim, new for every claim, at most 120 bytes */
    uint32_t flags;            /* enum outbox_claim_flag */
    uint32_t reserved;
};

/* Events claimed together. Made by the driver, which may keep more behind it; the relay reads it
 * and gives it back with claim_close(). Events come oldest first. */
struct outbox_claim {
    uint64_t size;
    const struct outbox_event *events;
    uint64_t event_size; /* byte distance between events */
    uint64_t count;      /* 0: nothing is pending */
};

static inline const struct outbox_event *outbox_claim_at(const struct outbox_claim *claim,
                                                         uint64_t index)
{
    return (const struct outbox_event *)(const void *)((const char *)claim->events +
                                                       index * claim->event_size);
}

/* ---- Settling ----------------------------------------------------------------------------- */

enum outbox_verdict {
    OUTBOX_SETTLE_DELIVERED = 1, /* DELIVERED, or the row deleted */
    OUTBOX_SETTLE_RETRY = 2,     /* PENDING, attempts + 1, available `delay` after now */
    OUTBOX_SETTLE_DEAD = 3,      /* DEAD, attempts + `charge` */
    OUTBOX_SETTLE_RELEASE = 4    /* PENDING as before the claim, no attempt charged */
};

struct outbox_settlement {
    uint64_t index;            /* of the event in its claim; ascending within one call */
    uint32_t verdict;          /* enum outbox_verdict */
    uint32_t charge;           /* DEAD: 1 if this attempt counts */
    int64_t delay;             /* microseconds. RETRY: until it is available. DEAD: what a table
                                  without a place for dead events waits before it tries again */
    struct outbox_slice error; /* what to write to last_error; absent: leave it as it is */
};

struct outbox_settle_request {
    uint64_t size;
    struct outbox_claim *claim;
    const struct outbox_settlement *settlements;
    uint64_t settlement_size; /* byte distance between settlements */
    uint64_t count;           /* never 0; may be fewer than the claim holds, in mode lease */
};

static inline const struct outbox_settlement *outbox_settlement_at(
    const struct outbox_settle_request *request, uint64_t index)
{
    return (const struct outbox_settlement *)(const void *)((const char *)request->settlements +
                                                            index * request->settlement_size);
}

struct outbox_settle_result {
    uint64_t size;
    uint64_t settled; /* events that changed state */
    uint64_t stale;   /* events that were no longer ours: unchanged */
};

/* How an expired lease is charged: as a failed attempt, with the pipeline's backoff. */
struct outbox_reap_request {
    uint64_t size;
    int64_t lease;         /* microseconds after which a claim of one of our relays expires */
    int64_t foreign_lease; /* the same for a claim whose owner is no relay of ours */
    struct outbox_slice owner_prefix; /* what the tokens of all our relays begin with */
    int64_t max_attempts;             /* at that many attempts the event becomes DEAD */
    int64_t base_delay, max_delay;    /* microseconds: base * 2^(attempts-1), at most max */
    uint64_t max_events;              /* at most so many in one call */
};

struct outbox_reap_result {
    uint64_t size;
    uint64_t returned; /* back to PENDING */
    uint64_t dead;
};

/* ---- Producing and looking ---------------------------------------------------------------- */

/* An event to insert. `id` absent: the driver makes a UUID v7. `available_at` 0: now. */
struct outbox_new_event {
    struct outbox_slice id, type, payload, headers;
    struct outbox_slice partition_key, ordering_key, aggregate_type, aggregate_id;
    int64_t available_at; /* microseconds since 1970, 0: now */
};

struct outbox_enqueue_request {
    uint64_t size;
    const struct outbox_new_event *events;
    uint64_t event_size;
    uint64_t count;
};

/* Counts; -1 where the store cannot tell. Those flagged in `estimated` are no exact counts. */
struct outbox_store_stats {
    uint64_t size;
    int64_t pending;   /* due now or later */
    int64_t scheduled; /* of these, available in the future */
    int64_t delivering, delivered, dead;
    int64_t oldest_age; /* microseconds since the oldest due event became available, -1: none */
    uint32_t estimated; /* bits of enum outbox_stats_estimated */
    uint32_t reserved;
};

enum outbox_stats_estimated {
    OUTBOX_ESTIMATED_PENDING = 1u << 0,
    OUTBOX_ESTIMATED_DELIVERED = 1u << 1,
    OUTBOX_ESTIMATED_DEAD = 1u << 2
};

/* ---- Maintenance, since 1.2 ---------------------------------------------------------------- */

/* Which finished events to delete. An age counts from when the event was finished: delivered_at of
 * a DELIVERED one, the last change of a DEAD one. */
struct outbox_prune_request {
    uint64_t size;
    int64_t delivered_age, dead_age; /* microseconds; -1: such events are kept */
    uint64_t max_events;             /* never 0 */
    uint64_t position;   /* 0 begins a pass over the table; else as the last call of it returned */
    uint32_t only_count; /* 1: changes nothing and counts what a whole pass would delete;
                            max_events and position do not matter then */
    uint32_t reserved;
};

struct outbox_prune_result {
    uint64_t size;
    uint64_t delivered, dead; /* events that were deleted, or would be */
    uint64_t position;        /* of the next call, means something to the driver; 0: that was all */
};

/* ---- Partitions, since 1.3 ------------------------------------------------------------------ */

/* Periods of the calendar in UTC. */
enum outbox_partition_period { OUTBOX_PERIOD_DAY = 1, OUTBOX_PERIOD_MONTH = 2 };

struct outbox_partition_request {
    uint64_t size;
    int64_t now;        /* microseconds since 1970 to reckon from; 0: the database's clock */
    int64_t lookahead;  /* microseconds, not negative: partitions are there until now + lookahead */
    int64_t retention;  /* microseconds: a partition that ended before now - retention is dropped;
                           -1: none is */
    uint32_t period;    /* enum outbox_partition_period, of those that are created */
    uint32_t only_show; /* 1: changes nothing and reports what would be done */
};

enum outbox_partition_action {
    OUTBOX_PARTITION_CREATED = 1,
    OUTBOX_PARTITION_DROPPED = 2,
    OUTBOX_PARTITION_KEPT = 3 /* should have been changed and was not: `reason` says why */
};

/* What was done to one partition, or would be, or could not be done this time. */
struct outbox_partition {
    uint64_t size;
    uint32_t action; /* enum outbox_partition_action */
    uint32_t reserved;
    struct outbox_slice name;
    int64_t from, until; /* microseconds since 1970, `until` excluded; INT64_MIN and INT64_MAX where
                            it has no bound */
    struct outbox_slice reason; /* KEPT: "holds 3 events that are not delivered", "busy: ...";
                                   otherwise what is worth knowing, or absent */
};

/* Called for each, in the order in which it was done. What it gets is valid during the call. */
typedef void outbox_partition_change(void *context, const struct outbox_partition *partition);

/* ---- Who works at the table, since 1.5 ------------------------------------------------------ */

enum outbox_holders_bound {
    OUTBOX_HOLDERS_MAX = 64,      /* entries that one call emits at most */
    OUTBOX_HOLDER_TOKEN_MAX = 120 /* characters of a token that an entry shows at most */
};

/* What is held under one token of a claim. */
struct outbox_holder {
    uint64_t size;
    struct outbox_slice token; /* as the table has it, whoever wrote it; absent: it names none */
    uint64_t events;
    int64_t held_for; /* microseconds by the database's clock since the earliest of these events was
                         claimed or its lease renewed, never negative; -1: not known */
};

/* Called for each. What it gets is valid during the call. */
typedef void outbox_holder_seen(void *context, const struct outbox_holder *holder);

enum outbox_schema_action {
    OUTBOX_SCHEMA_CHECK = 1, /* looks, changes nothing */
    OUTBOX_SCHEMA_PRINT = 2, /* emits the SQL that APPLY would run; needs no server */
    OUTBOX_SCHEMA_APPLY = 3  /* creates or upgrades the table; harmless when repeated */
};

/* A line about the schema: of SQL (PRINT, APPLY) or a finding (CHECK). `level` is an
 * outbox_log_level: ERROR for what stops relaying, WARN for what is slow or missing, INFO else. */
typedef void outbox_schema_line(void *context, uint32_t level, const char *text);

/*
 * Threads: open and close are called by one thread, never beside another op of that store. Several
 * sessions may be open at once; each is used by one thread at a time, except for interrupt().
 * wake_arm and wake_disarm are called by one thread at a time, any session may be in use meanwhile.
 *
 * Failures: an op that returns UNAVAILABLE has lost its session; the relay closes that session and
 * opens a new one. Whether what was asked has been committed is then not known, and need not be: a
 * settled event stays settled, an unsettled one comes again. Any other failure has changed nothing.
 * Deadlocks and serialisation failures are retried inside the driver.
 *
 * Claims outlive their session, because the broker may still be reading their events: a claim
 * belongs to the store. In mode lease it is settled and closed through any later session, under its
 * token. In mode hold its rows went back when its session ended, and it is only closed.
 *
 * R = required, O = optional (NULL: unsupported, and the relay says so where it matters).
 */
struct outbox_store_ops {
    uint64_t size;

    /* R. Checks settings and prepares; does not connect. `config` and what it points to is valid
     * during the call only. `host` stays valid until close() returns. */
    enum outbox_status (*open)(const struct outbox_host *host,
                               const struct outbox_store_config *config,
                               struct outbox_store **store, struct outbox_error *error);

    /* R. Frees it. All its claims and sessions are closed by then. */
    void (*close)(struct outbox_store *store);

    /* R. Connects. Blocks until `deadline` at most. The table need not exist. */
    enum outbox_status (*session_open)(struct outbox_store *store, int64_t deadline,
                                       struct outbox_session **session, struct outbox_error *error);

    /* R. Disconnects, also after a failure. A held transaction is rolled back. */
    void (*session_close)(struct outbox_session *session);

    /* O. Any thread: makes the op that runs on the session, if any, return INTERRUPTED soon. The
     * session may be lost by it, and every later op on it then returns UNAVAILABLE; whether what
     * was asked has been committed is then not known either. */
    void (*interrupt)(struct outbox_session *session);

    /* R. A round trip to the server. */
    enum outbox_status (*ping)(struct outbox_session *session, struct outbox_error *error);

    /* R. See enum outbox_schema_action. `session` is NULL for PRINT. CHECK returns SCHEMA if
     * something stops relaying and then emits at least one line of level ERROR. */
    enum outbox_status (*schema)(struct outbox_store *store, struct outbox_session *session,
                                 uint32_t action, outbox_schema_line *emit, void *context,
                                 struct outbox_error *error);

    /* R. Claims up to max_events due events that nobody else holds, without waiting for a lock.
     * Mode lease: they are DELIVERING under `token` and that is committed before claim returns.
     * Mode hold: they are locked, in a transaction that stays open or by what is as good, until
     * they are settled or the claim is abandoned; one claim a session. *claim is set also when it
     * holds no event. */
    enum outbox_status (*claim)(struct outbox_session *session,
                                const struct outbox_claim_request *request,
                                struct outbox_claim **claim, struct outbox_error *error);

    /* R. Applies outcomes, all in one transaction, by a number of statements that does not depend
     * on the number of events. Mode lease: only rows still DELIVERING under the claim's token
     * change, the others are stale. Mode hold: all events of the claim are settled by one call,
     * which commits. */
    enum outbox_status (*settle)(struct outbox_session *session,
                                 const struct outbox_settle_request *settle,
                                 struct outbox_settle_result *result, struct outbox_error *error);

    /* O. settle() and then claim(), in one round trip and, in mode lease, one transaction. */
    enum outbox_status (*settle_and_claim)(struct outbox_session *session,
                                           const struct outbox_settle_request *settle,
                                           struct outbox_settle_result *result,
                                           const struct outbox_claim_request *request,
                                           struct outbox_claim **claim, struct outbox_error *error);

    /* R. Frees the events. Does not touch the database: what is not settled stays claimed, until
     * its lease expires or abandon() or session_close() rolls its transaction back. `session` is
     * any open session of the store, used by the calling thread, or NULL if there is none any more;
     * it need not be the one that claimed. All claims are closed before the store. */
    void (*claim_close)(struct outbox_session *session, struct outbox_claim *claim);

    /* O, required with HOLD. Mode hold: rolls back, which frees the rows. */
    enum outbox_status (*abandon)(struct outbox_session *session, struct outbox_claim *claim,
                                  struct outbox_error *error);

    /* O, required with LEASE. Moves the lease's start to now for every event still DELIVERING under
     * `token`. `session` may be another than the one that claimed. result->stale counts, out of
     * `expected` events, those that are no longer held. */
    enum outbox_status (*renew)(struct outbox_session *session, struct outbox_slice token,
                                uint64_t expected, struct outbox_settle_result *result,
                                struct outbox_error *error);

    /* O, required with LEASE. Ends expired leases. Cheap when there are none. */
    enum outbox_status (*reap)(struct outbox_session *session,
                               const struct outbox_reap_request *request,
                               struct outbox_reap_result *result, struct outbox_error *error);

    /* O. Inserts events in one transaction. INVALID names the first event (by its index and id)
     * that cannot be inserted; nothing is inserted then. */
    enum outbox_status (*enqueue)(struct outbox_session *session,
                                  const struct outbox_enqueue_request *request,
                                  struct outbox_error *error);

    /* O. Counts, cheaply: estimates where an exact figure would read the whole history. */
    enum outbox_status (*stats)(struct outbox_session *session, struct outbox_store_stats *stats,
                                struct outbox_error *error);

    /* O, with WAKE. The relay is about to sleep: from the return on, a commit that makes an event
     * due makes *fd readable (a hint only: it may be missed, or come for nothing). *fd stays the
     * driver's and is valid until wake_disarm() or the next wake_arm(). Once armed, the relay polls
     * once more before it sleeps. Returns UNAVAILABLE if the channel is broken; the relay then
     * polls, and arms again next time. Called again while armed it empties the fd; what comes
     * after that makes it readable anew. Must not block longer than a round trip. */
    enum outbox_status (*wake_arm)(struct outbox_store *store, int *fd, struct outbox_error *error);

    /* O, with WAKE. The relay is awake: producers need not signal any more. Empties the fd. */
    void (*wake_disarm)(struct outbox_store *store);

    /* O, since 1.2. Deletes finished events, at most max_events of them, in one transaction that
     * reads a bounded part of the table. Never touches an event that is neither DELIVERED nor DEAD,
     * and passes over rows that somebody else has locked. */
    enum outbox_status (*prune)(struct outbox_session *session,
                                const struct outbox_prune_request *request,
                                struct outbox_prune_result *result, struct outbox_error *error);

    /* O, since 1.2. Makes the session the only one that maintains this table, or (`wanted` 0) gives
     * that up; it ends with the session, too. *granted is 1 if it is the one now. Never waits.
     * NULL: several may do it at a time. */
    enum outbox_status (*maintain)(struct outbox_session *session, uint32_t wanted,
                                   uint32_t *granted, struct outbox_error *error);

    /* O, since 1.3. Creates the partitions that the time from now to now + lookahead needs, in gaps
     * too, and drops those that have ended before the retention. Never drops one that holds an
     * event that is neither DELIVERED nor DEAD, never makes an insert fail, and never waits longer
     * than about a second for a lock: what is busy or in use is KEPT, for the next call. Each
     * change is whole or not done at all, so that a call that was killed is carried on by the next
     * one. What was emitted before a failure has been done. UNSUPPORTED, with the remedy, if the
     * table has no partitions by time. */
    enum outbox_status (*partitions)(struct outbox_session *session,
                                     const struct outbox_partition_request *request,
                                     outbox_partition_change *emit, void *context,
                                     struct outbox_error *error);

    /* O, since 1.5. Tells under which tokens events are DELIVERING, those held longest first; none
     * if none are. Changes nothing. Reads a bounded number of rows, through the index that finds
     * expired leases, never the history: *partial is 1 if there may be more to tell than was, and 0
     * if that was all. UNSUPPORTED, having emitted nothing, where the database does not know it
     * (mode hold; a table that nothing can be leased in) or could not tell it cheaply (no such
     * index). The relay shows the error's text to people. */
    enum outbox_status (*holders)(struct outbox_session *session, outbox_holder_seen *emit,
                                  void *context, uint32_t *partial, struct outbox_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
