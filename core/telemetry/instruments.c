/*
 * instruments.c - what the relay measures, each figure declared once
 * SPDX-License-Identifier: MIT
 */
#include "instruments.h"

#include <stdio.h>
#include <string.h>

#define BOUNDS(array) .bounds = (array), .bound_count = sizeof(array) / sizeof(*(array))

static const double seconds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                 0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
/* An event may have waited for its broker all night. */
static const double long_seconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                      0.25,  0.5,    1,     2.5,  5,     10,   30,
                                      60,    300,    900,   3600, 14400, 86400};
static const double sizes[] = {1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};

static const char *const attempt_statuses[] = {"success", "failed", NULL};
static const char *const storage_statuses[] = {"success", "error", NULL};
static const char *const storage_ops[] = {
    "claim",   "settle", "settle_and_claim", "renew",   "reap", "stats",
    "holders", "prune",  "partitions",       "connect", NULL};
static const char *const outcomes[] = {"acked", "retry",      "unknown", "rejected",
                                       "away",  "unsendable", NULL};
static const char *const figures[] = {"pending", "dead", NULL};
static const char *const signals[] = {"metrics", "traces", "logs", NULL};

static const struct instrument instruments[INSTRUMENT_COUNT] = {
    [EVENTS_BATCH_SIZE] = {.name = "openoutbox.events.batch_size",
                           .unit = "{event}",
                           .kind = INSTRUMENT_HISTOGRAM,
                           .help = "Events of a claim that found some.",
                           BOUNDS(sizes)},
    [EVENTS_TOTAL] = {.name = "openoutbox.events.total",
                      .unit = "{event}",
                      .kind = INSTRUMENT_COUNTER,
                      .help = "Attempts that ended: events that were delivered, and attempts that "
                              "failed, whatever became of the event.",
                      .attributes = {{"status", attempt_statuses}}},
    [EVENTS_E2E_LATENCY] = {.name = "openoutbox.events.e2e_latency",
                            .unit = "s",
                            .kind = INSTRUMENT_HISTOGRAM,
                            .help = "From an event's creation to the broker's acknowledgement, by "
                                    "the clocks of the database and the relay.",
                            BOUNDS(long_seconds)},
    [STORAGE_LATENCY] = {.name = "openoutbox.storage.latency",
                         .unit = "s",
                         .kind = INSTRUMENT_HISTOGRAM,
                         .help = "Calls of the store.",
                         .attributes = {{"op", storage_ops}, {"status", storage_statuses}},
                         BOUNDS(seconds)},
    [PUBLISHER_LATENCY] = {.name = "openoutbox.publisher.latency",
                           .unit = "s",
                           .kind = INSTRUMENT_HISTOGRAM,
                           .help = "From handing an event to the publisher to its outcome.",
                           .attributes = {{"status", attempt_statuses}},
                           BOUNDS(seconds)},
    [BACKLOG_PENDING] = {.name = "openoutbox.backlog.pending_count",
                         .unit = "{event}",
                         .kind = INSTRUMENT_GAUGE,
                         .is_untyped = true,
                         .help = "Events that wait in the table, due now or later; an estimate "
                                 "where openoutbox.backlog.estimated says so."},
    [BACKLOG_OLDEST_AGE] = {.name = "openoutbox.backlog.oldest_age_seconds",
                            .unit = "s",
                            .kind = INSTRUMENT_GAUGE,
                            .is_real = true,
                            .help = "How long the oldest due event has been due; 0 if none is."},
    [BACKLOG_SCHEDULED] = {.name = "openoutbox.backlog.scheduled",
                           .unit = "{event}",
                           .kind = INSTRUMENT_GAUGE,
                           .help = "Pending events that are due only later."},
    [BACKLOG_DELIVERING] = {.name = "openoutbox.backlog.delivering",
                            .unit = "{event}",
                            .kind = INSTRUMENT_GAUGE,
                            .help = "Events that some relay has claimed and not settled."},
    [BACKLOG_DEAD] = {.name = "openoutbox.backlog.dead",
                      .unit = "{event}",
                      .kind = INSTRUMENT_GAUGE,
                      .help = "DEAD events in the table."},
    [BACKLOG_ESTIMATED] = {.name = "openoutbox.backlog.estimated",
                           .unit = "",
                           .kind = INSTRUMENT_GAUGE,
                           .help = "1 where a figure of the backlog is an estimate, 0 where it is "
                                   "a count.",
                           .attributes = {{"figure", figures}}},
    [BACKLOG_SAMPLE_AGE] = {.name = "openoutbox.backlog.sample_age",
                            .unit = "s",
                            .kind = INSTRUMENT_GAUGE,
                            .is_real = true,
                            .help = "How old the figures of the backlog are."},
    [RELAY_STATE] = {.name = "openoutbox.relay.state",
                     .unit = "",
                     .kind = INSTRUMENT_GAUGE,
                     .help = "1 active, 2 paused because the publisher is away, 3 error: the store "
                             "is away or refuses."},
    [RELAY_READY] = {.name = "openoutbox.relay.ready",
                     .unit = "",
                     .kind = INSTRUMENT_GAUGE,
                     .help = "1 if the pipeline is ready, as /readyz says; else 0."},
    [RELAY_STALLED] = {.name = "openoutbox.relay.stalled",
                       .unit = "",
                       .kind = INSTRUMENT_GAUGE,
                       .help = "1 if events wait and nothing has moved for http.stall_after."},
    [STORE_UP] = {.name = "openoutbox.store.up",
                  .unit = "",
                  .kind = INSTRUMENT_GAUGE,
                  .help = "1 if the store answers; else 0."},
    [PUBLISHER_UP] = {.name = "openoutbox.publisher.up",
                      .unit = "",
                      .kind = INSTRUMENT_GAUGE,
                      .help = "1 if the publisher can send; else 0."},
    [EVENTS_CLAIMED] = {.name = "openoutbox.events.claimed",
                        .unit = "{event}",
                        .kind = INSTRUMENT_COUNTER,
                        .help = "Events that were claimed."},
    [EVENTS_DELIVERED] = {.name = "openoutbox.events.delivered",
                          .unit = "{event}",
                          .kind = INSTRUMENT_COUNTER,
                          .help = "Events that were acknowledged and settled as DELIVERED."},
    [EVENTS_DROPPED] = {.name = "openoutbox.events.dropped",
                        .unit = "{event}",
                        .kind = INSTRUMENT_COUNTER,
                        .help = "Events that a rule sends nowhere, settled as DELIVERED."},
    [EVENTS_RETRIED] = {.name = "openoutbox.events.retried",
                        .unit = "{event}",
                        .kind = INSTRUMENT_COUNTER,
                        .help = "Events that failed and wait for another attempt."},
    [EVENTS_DEAD] = {.name = "openoutbox.events.dead",
                     .unit = "{event}",
                     .kind = INSTRUMENT_COUNTER,
                     .help = "Events that became DEAD."},
    [EVENTS_RELEASED] = {.name = "openoutbox.events.released",
                         .unit = "{event}",
                         .kind = INSTRUMENT_COUNTER,
                         .help = "Events that were given back with no attempt charged."},
    [EVENTS_STALE] = {.name = "openoutbox.events.stale",
                      .unit = "{event}",
                      .kind = INSTRUMENT_COUNTER,
                      .help = "Events that were no longer this relay's when it settled them: they "
                              "may be delivered twice."},
    [EVENTS_PRUNED] = {.name = "openoutbox.events.pruned",
                       .unit = "{event}",
                       .kind = INSTRUMENT_COUNTER,
                       .help = "Finished events that maintenance deleted."},
    [EVENTS_OUTCOMES] = {.name = "openoutbox.events.outcomes",
                         .unit = "{event}",
                         .kind = INSTRUMENT_COUNTER,
                         .help = "What the publisher said of events; unsendable: never handed to "
                                 "it.",
                         .attributes = {{"outcome", outcomes}}},
    [EVENTS_IN_FLIGHT] = {.name = "openoutbox.events.in_flight",
                          .unit = "{event}",
                          .kind = INSTRUMENT_GAUGE,
                          .help = "Events that this relay has claimed and not settled."},
    [LEASES_EXPIRED] = {.name = "openoutbox.leases.expired",
                        .unit = "{event}",
                        .kind = INSTRUMENT_COUNTER,
                        .help = "Events whose claim this relay ended because its lease had "
                                "expired."},
    [DRIVER_INCIDENTS] = {.name = "openoutbox.driver.incidents",
                          .unit = "{incident}",
                          .kind = INSTRUMENT_COUNTER,
                          .help = "What a driver counts, such as deadlocks that it retried: by "
                                  "driver and counter."},
    [TELEMETRY_EXPORTED] = {.name = "openoutbox.telemetry.exported",
                            .unit = "{item}",
                            .kind = INSTRUMENT_COUNTER,
                            .of_process = true,
                            .help = "Points, spans and log records that a collector took.",
                            .attributes = {{"signal", signals}}},
    [TELEMETRY_DROPPED] = {.name = "openoutbox.telemetry.dropped",
                           .unit = "{item}",
                           .kind = INSTRUMENT_COUNTER,
                           .of_process = true,
                           .help = "Points, spans and log records that were given up: the queue "
                                   "was full, or the collector refused them.",
                           .attributes = {{"signal", signals}}},
    [TELEMETRY_FAILURES] = {.name = "openoutbox.telemetry.failures",
                            .unit = "{request}",
                            .kind = INSTRUMENT_COUNTER,
                            .of_process = true,
                            .help = "Requests to the collector that failed, retries included.",
                            .attributes = {{"signal", signals}}},
    [LOG_SUPPRESSED] = {.name = "openoutbox.log.suppressed",
                        .unit = "{line}",
                        .kind = INSTRUMENT_COUNTER,
                        .of_process = true,
                        .help = "Repeated log lines that were left out."},
    [PROCESS_CPU_TIME] = {.name = "process.cpu.time",
                          .unit = "s",
                          .kind = INSTRUMENT_COUNTER,
                          .of_process = true,
                          .is_real = true,
                          .help = "Processor time of the process, user and system."},
    [PROCESS_MEMORY] = {.name = "process.memory.usage",
                        .unit = "By",
                        .kind = INSTRUMENT_GAUGE,
                        .of_process = true,
                        .help = "Resident memory of the process."},
    [PROCESS_UPTIME] = {.name = "process.uptime",
                        .unit = "s",
                        .kind = INSTRUMENT_GAUGE,
                        .of_process = true,
                        .is_real = true,
                        .help = "Time since the relay started."},
};

const struct instrument *instrument(enum instrument_id id)
{
    return &instruments[id];
}

static size_t count_values(const struct instrument_attribute *attribute)
{
    size_t count = 0;
    while (attribute->values[count])
        count++;
    return count;
}

size_t instrument_series(const struct instrument *instrument)
{
    size_t series = 1;
    for (size_t i = 0; i < INSTRUMENT_ATTRIBUTES && instrument->attributes[i].name; i++)
        series *= count_values(&instrument->attributes[i]);
    return series;
}

/* The last attribute's value changes fastest. */
const char *instrument_value(const struct instrument *instrument, size_t series, size_t index)
{
    for (size_t i = INSTRUMENT_ATTRIBUTES; i-- > index + 1;)
        if (instrument->attributes[i].name)
            series /= count_values(&instrument->attributes[i]);
    const struct instrument_attribute *attribute = &instrument->attributes[index];
    return attribute->values[series % count_values(attribute)];
}

static void append(char name[PROMETHEUS_NAME], const char *suffix)
{
    size_t len = strlen(name), added = strlen(suffix);
    if (len >= added && strcmp(name + len - added, suffix) == 0)
        return;
    (void)snprintf(name + len, PROMETHEUS_NAME - len, "%s", suffix);
}

const char *prometheus_name(const char *name, const char *unit, bool is_counter,
                            char text[PROMETHEUS_NAME])
{
    (void)snprintf(text, PROMETHEUS_NAME, "%s", name);
    for (char *at = text; *at; at++)
        if (*at == '.')
            *at = '_';
    if (strcmp(unit, "s") == 0)
        append(text, "_seconds");
    else if (strcmp(unit, "By") == 0)
        append(text, "_bytes");
    if (is_counter)
        append(text, "_total");
    return text;
}
