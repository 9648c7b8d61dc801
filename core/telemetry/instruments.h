/*
 * instruments.h - what the relay measures, each figure declared once
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_INSTRUMENTS_H
#define CORE_TELEMETRY_INSTRUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum instrument_kind { INSTRUMENT_COUNTER, INSTRUMENT_GAUGE, INSTRUMENT_HISTOGRAM };

enum instrument_id {
    /* Of each pipeline. */
    EVENTS_BATCH_SIZE,
    EVENTS_TOTAL,
    EVENTS_E2E_LATENCY,
    STORAGE_LATENCY,
    PUBLISHER_LATENCY,
    BACKLOG_PENDING,
    BACKLOG_OLDEST_AGE,
    BACKLOG_SCHEDULED,
    BACKLOG_DELIVERING,
    BACKLOG_DEAD,
    BACKLOG_ESTIMATED,
    BACKLOG_SAMPLE_AGE,
    RELAY_STATE,
    RELAY_READY,
    RELAY_STALLED,
    STORE_UP,
    PUBLISHER_UP,
    EVENTS_CLAIMED,
    EVENTS_DELIVERED,
    EVENTS_DROPPED,
    EVENTS_RETRIED,
    EVENTS_DEAD,
    EVENTS_RELEASED,
    EVENTS_STALE,
    EVENTS_PRUNED,
    EVENTS_OUTCOMES,
    EVENTS_IN_FLIGHT,
    LEASES_EXPIRED,
    DRIVER_INCIDENTS, /* kept by struct host: its attributes are the drivers' */
    /* Of the process. */
    TELEMETRY_EXPORTED,
    TELEMETRY_DROPPED,
    TELEMETRY_FAILURES,
    LOG_SUPPRESSED,
    PROCESS_CPU_TIME,
    PROCESS_MEMORY,
    PROCESS_UPTIME,
    INSTRUMENT_COUNT
};

/* Values of the attributes, in the order of their tables. */
enum events_status { EVENTS_SUCCESS, EVENTS_FAILED };
enum storage_status { STORAGE_SUCCESS, STORAGE_ERROR, STORAGE_STATUS_COUNT };
enum storage_op {
    STORAGE_CLAIM,
    STORAGE_SETTLE,
    STORAGE_SETTLE_AND_CLAIM,
    STORAGE_RENEW,
    STORAGE_REAP,
    STORAGE_STATS,
    STORAGE_HOLDERS,
    STORAGE_PRUNE,
    STORAGE_PARTITIONS,
    STORAGE_CONNECT
};
enum publisher_status { PUBLISHER_SUCCESS, PUBLISHER_FAILED };
enum outcome_class {
    CLASS_ACKED,
    CLASS_RETRY,
    CLASS_UNKNOWN,
    CLASS_REJECTED,
    CLASS_AWAY,
    CLASS_UNSENDABLE
};
enum estimated_figure { FIGURE_PENDING, FIGURE_DEAD };
enum signal { SIGNAL_METRICS, SIGNAL_TRACES, SIGNAL_LOGS, SIGNAL_COUNT };

#define INSTRUMENT_ATTRIBUTES 2 /* at most, beside relay_id and pipeline */

/* An attribute whose values are known beforehand. */
struct instrument_attribute {
    const char *name;
    const char *const *values; /* end in NULL */
};

struct instrument {
    const char *name; /* as OpenTelemetry has it: openoutbox.events.total */
    const char *unit; /* UCUM: "s", "By", "{event}", "" */
    enum instrument_kind kind;
    bool of_process;
    bool is_real;    /* a counter or gauge that is no whole number */
    bool is_untyped; /* Prometheus' linter would take it for a part of a histogram */
    const char *help;
    struct instrument_attribute attributes[INSTRUMENT_ATTRIBUTES]; /* first without a name ends */
    const double *bounds; /* of a histogram: upper bounds of the buckets but the last, rising */
    size_t bound_count;
};

/* Never NULL, of static lifetime. */
const struct instrument *instrument(enum instrument_id id);

/* How many series it has: one for each combination of its attributes' values. */
size_t instrument_series(const struct instrument *instrument);

/* The value of its attribute `index` in a series. */
const char *instrument_value(const struct instrument *instrument, size_t series, size_t index);

/* The name by the OpenTelemetry-to-Prometheus rules, without a histogram's suffixes. Returns
 * `text`. */
#define PROMETHEUS_NAME 96
const char *prometheus_name(const char *name, const char *unit, bool is_counter,
                            char text[PROMETHEUS_NAME]);

#endif
