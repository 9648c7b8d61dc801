/*
 * metrics.h - the figures themselves: written without locks, read by whoever exports them
 * SPDX-License-Identifier: MIT
 *
 * A set belongs to one pipeline, or to the process. Its writers are the threads that do the work:
 * they touch it once for a batch, not for an event.
 */
#ifndef CORE_TELEMETRY_METRICS_H
#define CORE_TELEMETRY_METRICS_H

#include "instruments.h"

#include <stdatomic.h>

#define HISTOGRAM_BUCKETS 24 /* at most, the one without a bound included */

struct metric_histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum; /* bits of a double */
};

struct metrics {
    size_t first[INSTRUMENT_COUNT]; /* of an instrument's series, in one of these: */
    _Atomic uint64_t *cells;        /* a number, or the bits of a double if it is real */
    struct metric_histogram *histograms;
};

/* What one thread has seen, on its way into a histogram. */
struct histogram_tally {
    uint32_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count;
    double sum;
};

/* A consistent enough copy: the count is the sum of the buckets. */
struct histogram_reading {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count;
    double sum;
};

bool metrics_init(struct metrics *metrics) __attribute__((warn_unused_result));
void metrics_clear(struct metrics *metrics);

/* ---- Writing: any thread ------------------------------------------------------------------- */

void metrics_add(struct metrics *metrics, enum instrument_id id, size_t series, uint64_t increment);
void metrics_set(struct metrics *metrics, enum instrument_id id, size_t series, int64_t value);
void metrics_set_real(struct metrics *metrics, enum instrument_id id, size_t series, double value);

/* `value` in the instrument's unit, seen `count` times. */
void metrics_observe(struct metrics *metrics, enum instrument_id id, size_t series, double value,
                     uint64_t count);

void tally_add(struct histogram_tally *tally, enum instrument_id id, double value);
void metrics_observe_tally(struct metrics *metrics, enum instrument_id id, size_t series,
                           const struct histogram_tally *tally);

/* ---- Reading: any thread ------------------------------------------------------------------- */

uint64_t metrics_read(const struct metrics *metrics, enum instrument_id id, size_t series);
double metrics_read_real(const struct metrics *metrics, enum instrument_id id, size_t series);
void metrics_read_histogram(const struct metrics *metrics, enum instrument_id id, size_t series,
                            struct histogram_reading *reading);

/* sum += other; of instruments with the same buckets. */
void histogram_join(struct histogram_reading *sum, const struct histogram_reading *other);

/* later -= earlier: what was seen between two readings. */
void histogram_subtract(struct histogram_reading *later, const struct histogram_reading *earlier);

/* The value that the part `quantile` (0..1) of what was seen does not exceed, taken as spread
 * evenly within a bucket; NAN if nothing was seen. */
double histogram_quantile(enum instrument_id id, const struct histogram_reading *reading,
                          double quantile);

#endif
