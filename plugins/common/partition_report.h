/*
 * partition_report.h - what was done to partitions, told one by one
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_PARTITION_REPORT_H
#define PLUGINS_COMMON_PARTITION_REPORT_H

#include "stretch.h"

/* INVALID if a request asks for what no calendar has. */
enum outbox_status partition_request_check(const struct outbox_partition_request *request,
                                           const char *table,
                                           struct outbox_error *error) OUTBOX_MUST_USE;

/* Undelivered events are counted up to here. */
#define PARTITION_EVENTS_MAX 1000

/* Who is told. */
struct partition_report {
    outbox_partition_change *emit;
    void *context;
};

void partition_created(const struct partition_report *report, const char *name,
                       struct stretch stretch);
void partition_dropped(const struct partition_report *report, const char *name,
                       struct stretch stretch);

/* It should have been changed and was not, for that reason. */
OUTBOX_PRINTF(4, 5)
void partition_kept(const struct partition_report *report, const char *name, struct stretch stretch,
                    const char *format, ...);

/* It should have been dropped, and holds that many events that are not delivered. */
void partition_kept_for(const struct partition_report *report, const char *name,
                        struct stretch stretch, int64_t events);

#endif
