/*
 * export_allowance.h - how much of the processor sending may take, so that delivery has the rest
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_EXPORT_ALLOWANCE_H
#define CORE_TELEMETRY_EXPORT_ALLOWANCE_H

#include <stdint.h>

/* A debt of processor time, which is paid off by letting time pass. Of the exporter's thread. */
struct allowance {
    double share; /* of one core, above 0 */
    int64_t debt; /* nanoseconds of processor time */
    int64_t charged_at, charged_processor;
};

/* `processor` is the thread's time up to now. */
void allowance_init(struct allowance *allowance, double share, int64_t now, int64_t processor);
void allowance_charge(struct allowance *allowance, int64_t now, int64_t processor);

/* From when on more may be sent; not after `now` if it may be now. */
int64_t allowance_ready_at(const struct allowance *allowance, int64_t now);

/* The processor time of the calling thread. */
int64_t allowance_processor(void);

#endif
