/*
 * export_signal.h - one signal's way out: what is due is made a request, sent, and sent again
 * SPDX-License-Identifier: MIT
 *
 * But for the queue all of it is the exporter's thread's. Times are of the monotonic clock.
 */
#ifndef CORE_TELEMETRY_EXPORT_SIGNAL_H
#define CORE_TELEMETRY_EXPORT_SIGNAL_H

#include "../backoff.h"
#include "encode.h"
#include "export_allowance.h"
#include "export_queue.h"
#include "export_request.h"

/* What the signals of an exporter share. */
struct export_shared {
    struct curl_library curl;
    CURLM *multi;
    struct resource resource;
    struct metrics *counts;
    int64_t started; /* of the wall clock */
    /* Set once the relay can be observed. */
    _Atomic(points_source *) source;
    struct relay *relay;
    struct allowance allowance;
    bool is_stopping;
    int64_t stop_by; /* while stopping: when all is over */
};

struct export_signal {
    struct export_shared *shared;
    const struct signal_settings *settings;
    enum signal id;
    struct export_queue queue; /* of spans or records */
    uint64_t counted_drops;

    struct export_request request;
    struct export_body body; /* being sent, or waiting to be sent again */
    bool is_sending;
    int64_t deadline;   /* of what is being sent */
    int64_t give_up_at; /* the body is then dropped */
    int64_t send_at;    /* not before */
    bool is_held_back;  /* send_at is the collector's wish */
    int64_t due_at;     /* the next body, unless a batch is full before */
    struct backoff backoff;
    bool is_refused; /* the last batch was */

    bool is_last_made; /* of the figures, while stopping */
    bool is_over;

    bool is_told; /* the log has said that it fails, and not yet that it does no more */
    int64_t logged_at, drops_logged_at;
    uint64_t logged_drops;
};

bool signal_init(struct export_signal *signal, enum signal id,
                 const struct signal_settings *settings, struct export_shared *shared)
    __attribute__((warn_unused_result));
/* Counts as dropped what is still there. */
void signal_clear(struct export_signal *signal);

/* Does what is due. Returns when to come again, or NEVER if only something new can make it due. */
int64_t signal_step(struct export_signal *signal, int64_t now);

/* libcurl has finished the signal's request. */
void signal_finish(struct export_signal *signal, CURLcode code, int64_t now);

/* From now on everything goes out at once, each request once. */
void signal_stop(struct export_signal *signal, int64_t now);

#endif
