/*
 * export_allowance.c - how much of the processor sending may take, so that delivery has the rest
 * SPDX-License-Identifier: MIT
 */
#include "export_allowance.h"

#include "../clock.h"

/* So much may be taken at once, after a time with nothing to send: a queue of spans. */
#define BURST (10 * MILLISECOND)

void allowance_init(struct allowance *allowance, double share, int64_t now, int64_t processor)
{
    *allowance =
        (struct allowance){.share = share, .charged_at = now, .charged_processor = processor};
}

void allowance_charge(struct allowance *allowance, int64_t now, int64_t processor)
{
    int64_t paid = (int64_t)((double)(now - allowance->charged_at) * allowance->share);
    int64_t debt = allowance->debt + processor - allowance->charged_processor - paid;

    allowance->debt = debt > 0 ? debt : 0; /* what was not used up is not saved for later */
    allowance->charged_at = now;
    allowance->charged_processor = processor;
}

int64_t allowance_ready_at(const struct allowance *allowance, int64_t now)
{
    if (allowance->debt <= BURST)
        return now;
    return now + (int64_t)((double)(allowance->debt - BURST) / allowance->share) + 1;
}

int64_t allowance_processor(void)
{
    struct timespec used;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * SECOND + used.tv_nsec;
}
