/*
 * report.c - outcomes, gathered into runs before the relay is told
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include "outcome.h"

void report_flush(struct report *report)
{
    const char *reason = report->outcome == OUTBOX_ACKED ? NULL : report->reason;
    outcome_complete(report->host, report->batch, report->first, report->count, report->outcome,
                     reason);
    report->count = 0;
}

static bool continues(const struct report *report, const struct outbox_batch *batch, uint64_t index,
                      enum outbox_outcome outcome, const char *reason)
{
    return report->count > 0 && report->batch == batch && report->first + report->count == index &&
           report->outcome == outcome &&
           (outcome == OUTBOX_ACKED ||
            strncmp(report->reason, reason, sizeof(report->reason) - 1) == 0);
}

void report_add(struct report *report, const struct outbox_batch *batch, uint64_t index,
                enum outbox_outcome outcome, const char *reason)
{
    if (continues(report, batch, index, outcome, reason)) {
        report->count++;
        return;
    }
    report_flush(report);
    report->batch = batch;
    report->first = index;
    report->count = 1;
    report->outcome = outcome;
    if (outcome != OUTBOX_ACKED)
        (void)snprintf(report->reason, sizeof(report->reason), "%s", reason);
}
