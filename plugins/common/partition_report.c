/*
 * partition_report.c - what was done to partitions, told one by one
 * SPDX-License-Identifier: MIT
 */
#include "partition_report.h"

#define DAY INT64_C(86400000000)
#define YEAR_1 (INT64_C(-62135596800) * 1000000)
#define YEAR_10000 (INT64_C(253402300800) * 1000000)
#define LOOKAHEAD_MAX (36500 * DAY)

enum outbox_status partition_request_check(const struct outbox_partition_request *request,
                                           const char *table, struct outbox_error *error)
{
    const char *wrong = NULL;
    if (request->period != OUTBOX_PERIOD_DAY && request->period != OUTBOX_PERIOD_MONTH)
        wrong = "the period is neither day nor month";
    else if (request->lookahead < 0 || request->lookahead > LOOKAHEAD_MAX)
        wrong = "the lookahead is not between 0 and 36500 days";
    else if (request->now < YEAR_1 || request->now >= YEAR_10000 - LOOKAHEAD_MAX)
        wrong = "the instant to reckon from is too far away";
    if (!wrong)
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_INVALID, "", "tend the partitions of %s: %s", table, wrong);
}

static void tell(const struct partition_report *report, enum outbox_partition_action action,
                 const char *name, struct stretch stretch, const char *reason)
{
    const struct outbox_partition partition = {
        .size = sizeof(partition),
        .action = action,
        .name = outbox_slice_of(name),
        .from = stretch.from,
        .until = stretch.until,
        .reason = outbox_slice_of(reason),
    };
    report->emit(report->context, &partition);
}

void partition_created(const struct partition_report *report, const char *name,
                       struct stretch stretch)
{
    tell(report, OUTBOX_PARTITION_CREATED, name, stretch, NULL);
}

void partition_dropped(const struct partition_report *report, const char *name,
                       struct stretch stretch)
{
    tell(report, OUTBOX_PARTITION_DROPPED, name, stretch, NULL);
}

void partition_kept(const struct partition_report *report, const char *name, struct stretch stretch,
                    const char *format, ...)
{
    char reason[480];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    tell(report, OUTBOX_PARTITION_KEPT, name, stretch, reason);
}

void partition_kept_for(const struct partition_report *report, const char *name,
                        struct stretch stretch, int64_t events)
{
    partition_kept(report, name, stretch, "holds %lld%s event%s not delivered", (long long)events,
                   events < PARTITION_EVENTS_MAX ? "" : " or more",
                   events == 1 ? " that is" : "s that are");
}
