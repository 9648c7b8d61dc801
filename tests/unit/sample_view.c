/*
 * sample_view.c - a view filled by hand, with what a real relay rarely shows at once
 * SPDX-License-Identifier: MIT
 */
#include "sample_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START INT64_C(1769860800000000) /* 2026-01-31T12:00:00Z */
#define SECONDS INT64_C(1000000000)
#define RELAY_ID "host-1-4711-0a1b2c3d"
#define UNSEEN ((struct view_latency){NAN, NAN, NAN})

static struct view *new_view(size_t pipelines)
{
    struct view *view = calloc(1, sizeof(struct view) + pipelines * sizeof(struct view_pipeline));
    if (!view)
        abort();
    view->relay_id = RELAY_ID;
    view->version = "0.1.0";
    view->pid = 4711;
    view->alive = true;
    view->pipeline_count = pipelines;
    return view;
}

static void add_dead(struct view_pipeline *pipeline, int64_t at, const char *id, const char *reason)
{
    struct view_dead *dead = &pipeline->dead_events[pipeline->dead_count++];
    dead->at = at;
    (void)snprintf(dead->id, sizeof(dead->id), "%s", id);
    (void)snprintf(dead->reason, sizeof(dead->reason), "%s", reason);
}

static void add_cause(struct view_pipeline *pipeline, const char *name, const char *reason)
{
    struct view_cause *cause = &pipeline->causes[pipeline->cause_count++];
    cause->name = name;
    (void)snprintf(cause->reason, sizeof(cause->reason), "%s", reason);
}

static void add_counter(struct view_pipeline *pipeline, const char *driver, const char *name,
                        int64_t value)
{
    struct view_counter *counter = &pipeline->counters[pipeline->counter_count++];
    (void)snprintf(counter->driver, sizeof(counter->driver), "%s", driver);
    (void)snprintf(counter->name, sizeof(counter->name), "%s", name);
    counter->value = value;
}

/* Of a relay of this make, where it is one. */
static void add_holder(struct view_pipeline *pipeline, const char *name, bool is_relay,
                       uint64_t events, uint64_t claims, int64_t held_for)
{
    struct holder *holder = &pipeline->holders.list[pipeline->holders.count++];
    *holder = (struct holder){.is_relay = is_relay,
                              .is_self = is_relay && strcmp(name, RELAY_ID) == 0,
                              .events = events,
                              .claims = claims,
                              .held_for = held_for};
    (void)snprintf(holder->name, sizeof(holder->name), "%s", name);
}

static void fill_active(struct view_pipeline *pipeline, uint64_t turn)
{
    *pipeline = (struct view_pipeline){
        .name = "orders",
        .store = "sample",
        .publisher = "broker",
        .mode = "lease",
        .workers = 2,
        .state = 1,
        .claimed = 1234567 + 1000 * turn,
        .delivered = 1234067 + 1000 * turn,
        .retried = 42,
        .unknown = 3,
        .rejected = 2,
        .dead = 2,
        .pruned = 1000000,
        .in_flight = 500,
        .delivered_rate = 1840.4 + 300 * sin((double)turn / 3),
        .failed_rate = 0.2,
        .e2e = {0.0124, 0.0481, 0.213},
        .publish = {0.0031, 0.0102, 0.0874},
        .claim = {0.00042, 0.00091, 0.0052},
        .settle = {0.00061, 0.0013, 0.0061},
        .counted = true,
        .counted_ago = 2 * SECONDS,
        .table = {.pending = 12840 + (int64_t)turn % 7 * 40,
                  .scheduled = 312,
                  .delivering = 500,
                  .delivered = 8412000,
                  .dead = 17,
                  .oldest_age = 1400000,
                  .estimated = OUTBOX_ESTIMATED_DELIVERED},
        .holders = {.looked = true},
    };
    add_holder(pipeline, "host-2-811-77e0b1a4", true, 1500, 3, 41 * INT64_C(1000000));
    add_holder(pipeline, RELAY_ID, true, 500, 1, 120000);
    add_dead(pipeline, START - 90 * 1000000, "0199d7a0-8c0e-7d41-b1f4-52fb3a9c1e77",
             "the broker refuses it: message of 1203991 bytes is larger than the 1048576 allowed");
    add_dead(pipeline, START - 3600 * INT64_C(1000000), "0199d7a0-11aa-7b02-9a3d-0c5f8be4d210",
             "route.topic: the event has no aggregate_type; give the field a default, as in "
             "{aggregate_type|none}");
    add_counter(pipeline, "sample", "deadlocks", 3);
    add_counter(pipeline, "sample", "lock_timeouts", 12);
}

static void fill_paused(struct view_pipeline *pipeline)
{
    *pipeline = (struct view_pipeline){
        .name = "invoices",
        .store = "sample",
        .publisher = "broker",
        .mode = "hold",
        .workers = 1,
        .state = 2,
        .claimed = 8120,
        .delivered = 8100,
        .released = 20,
        .delivered_rate = 0,
        .failed_rate = 0,
        .e2e = UNSEEN,
        .publish = UNSEEN,
        .claim = {0.00042, 0.00091, 0.0052},
        .settle = UNSEEN,
        .counted = true,
        .counted_ago = 4 * SECONDS,
        .table = {.pending = 2412398,
                  .scheduled = -1,
                  .delivering = -1,
                  .delivered = -1,
                  .dead = 0,
                  .oldest_age = INT64_C(11520000000),
                  .estimated = OUTBOX_ESTIMATED_PENDING},
        .holders = {.looked = true,
                    .status = OUTBOX_UNSUPPORTED,
                    .reason = "look who holds events of outbox: in mode hold the database knows "
                              "no owner"},
    };
    add_cause(pipeline, "publisher",
              "connect to mq.example.org:5671: Connection refused; tried again in 8 s");
}

static void fill_hostile(struct view_pipeline *pipeline)
{
    *pipeline = (struct view_pipeline){
        .name = "hostile.and-of-a-name-that-is-as-long-as-a-name-may-be-0123456789",
        .store = HOSTILE,
        .publisher = HOSTILE,
        .mode = "lease",
        .workers = 64,
        .state = 3,
        .delivered_rate = NAN,
        .failed_rate = NAN,
        .e2e = UNSEEN,
        .publish = UNSEEN,
        .claim = UNSEEN,
        .settle = UNSEEN,
        .table = {.oldest_age = -1},
    };
    add_cause(pipeline, "store", HOSTILE);
    add_cause(pipeline, "publisher", HOSTILE);
    add_dead(pipeline, START, HOSTILE, HOSTILE);
    add_dead(pipeline, START, "x", "");
    memset(pipeline->dead_events[1].id, 'i', sizeof(pipeline->dead_events[1].id) - 1);
    memset(pipeline->dead_events[1].reason, 'r', sizeof(pipeline->dead_events[1].reason) - 1);
    add_counter(pipeline, HOSTILE, "<b>", INT64_MIN);
    pipeline->holders.looked = pipeline->holders.partial = true;
    add_holder(pipeline, HOSTILE, false, UINT64_C(99999999999), 64, -1);
    add_holder(pipeline, HOSTILE, true, 1, 1, INT64_MAX);
    add_holder(pipeline, "", false, 1, 1, 0);
    add_holder(pipeline, "x", false, 1, 1, 0);
    struct holder *last = &pipeline->holders.list[3];
    memset(last->name, 'h', sizeof(last->name) - 1);
}

struct view *sample_view(uint64_t turn)
{
    struct view *view = new_view(3);
    view->uptime = (3 * 86400 + 4 * 3600 + (int64_t)turn) * SECONDS;
    view->taken_at = START + (int64_t)turn * 2000000;
    fill_active(&view->pipelines[0], turn);
    fill_paused(&view->pipelines[1]);
    fill_hostile(&view->pipelines[2]);
    return view;
}

struct view *sample_view_empty(void)
{
    struct view *view = new_view(1);
    struct view_pipeline *pipeline = &view->pipelines[0];
    fill_hostile(pipeline);
    pipeline->name = "orders";
    pipeline->store = "sample";
    pipeline->publisher = "broker";
    pipeline->state = 1;
    pipeline->cause_count = pipeline->dead_count = pipeline->counter_count = 0;
    pipeline->holders = (struct holders){.looked = false};
    view->ready = true;
    view->taken_at = START;
    return view;
}
