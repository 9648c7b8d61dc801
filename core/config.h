/*
 * config.h - the configuration file, checked and resolved
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <outbox/plugin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Durations are nanoseconds, sizes bytes. */

enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* How a table's partitions are tended. */
struct partitioning {
    bool is_wanted;  /* while the relay runs */
    uint32_t period; /* enum outbox_partition_period */
    int64_t lookahead;
    int64_t retention; /* negative: none is dropped */
};

/* What becomes of finished events, and of the table around them. */
struct maintenance {
    int64_t delivered_age, dead_age; /* after which they are deleted; negative: never */
    int64_t every;                   /* from one pass over the table to the next */
    uint64_t batch;                  /* events deleted in one transaction, at most */
    struct partitioning partitioning;
};

/* What SIGHUP may change while a pipeline runs. */
struct tunables {
    uint64_t batch_size;
    int64_t lease, foreign_lease;
    int64_t poll_min, poll_max;
    int64_t publish_timeout;
    uint64_t max_in_flight;       /* events */
    uint64_t max_in_flight_bytes; /* of their payloads */
    uint64_t max_payload;         /* bytes */
    int64_t max_attempts;
    int64_t base_delay, max_delay;
    double jitter; /* fraction of the delay, 0..1 */
    struct maintenance maintenance;
};

/* A driver chosen by the file and its keys, checked against the driver's table. The settings live
 * as long as the configuration. */
struct driver_config {
    const struct outbox_plugin *plugin;
    struct outbox_settings settings;
};

struct route;

struct pipeline_config {
    const char *name;
    size_t index; /* in the file */
    struct driver_config store, publisher;
    uint32_t mode; /* enum outbox_claim_mode */
    uint64_t workers;
    bool notify;
    bool delete_delivered;
    struct tunables tunables;
    const struct route *route;
};

struct config {
    const char *relay_id; /* resolved: never "auto" */
    int64_t shutdown_timeout;
    const char *http_listen; /* NULL: nothing listens */
    int64_t stall_after;     /* events wait and nothing moves for so long: not ready */
    bool is_observed;        /* somebody reads what the relay measures */
    uint32_t log_level;      /* enum outbox_log_level */
    enum log_format log_format;
    struct pipeline_config *pipelines;
    size_t pipeline_count;
    struct config_memory *memory; /* everything above lives in it */
};

struct plugins;

/* A list of mistakes, each one line: JSON path, what was found, what is allowed, the remedy. */
struct mistakes {
    char **lines;
    size_t count;
};

struct config_source {
    const char *path; /* of the file; NULL: `text` is the file's content */
    const char *text;
    const char *const *set; /* "a.b.0.c=VALUE" of --set, in order */
    size_t set_count;
    const char *only_pipeline; /* -p NAME: drop the others after checking all; NULL keeps all */
};

/* Reads, expands, checks and resolves; loads the drivers that the file names through `plugins`, to
 * which it first adds relay.plugin_path. Returns NULL with at least one mistake, or a configuration
 * with none. The caller frees both. */
struct config *config_load(const struct config_source *source, struct plugins *plugins,
                           struct mistakes *mistakes) __attribute__((warn_unused_result));
void config_free(struct config **config);
void mistakes_clear(struct mistakes *mistakes);

#endif
