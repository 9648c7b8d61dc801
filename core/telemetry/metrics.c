/*
 * metrics.c - the figures themselves: written without locks, read by whoever exports them
 * SPDX-License-Identifier: MIT
 */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_histogram(enum instrument_id id)
{
    return instrument(id)->kind == INSTRUMENT_HISTOGRAM;
}

bool metrics_init(struct metrics *metrics)
{
    size_t cells = 0, histograms = 0;

    for (enum instrument_id id = 0; id < INSTRUMENT_COUNT; id++) {
        size_t *next = is_histogram(id) ? &histograms : &cells;
        metrics->first[id] = *next;
        *next += instrument_series(instrument(id));
    }
    metrics->cells = calloc(cells, sizeof(*metrics->cells));
    metrics->histograms = calloc(histograms, sizeof(*metrics->histograms));
    if (metrics->cells && metrics->histograms)
        return true;
    metrics_clear(metrics);
    return false;
}

void metrics_clear(struct metrics *metrics)
{
    free(metrics->cells);
    free(metrics->histograms);
    metrics->cells = NULL;
    metrics->histograms = NULL;
}

static _Atomic uint64_t *cell_of(const struct metrics *metrics, enum instrument_id id,
                                 size_t series)
{
    return &metrics->cells[metrics->first[id] + series];
}

static struct metric_histogram *histogram_of(const struct metrics *metrics, enum instrument_id id,
                                             size_t series)
{
    return &metrics->histograms[metrics->first[id] + series];
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double real_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* ---- Writing ------------------------------------------------------------------------------- */

void metrics_add(struct metrics *metrics, enum instrument_id id, size_t series, uint64_t increment)
{
    if (increment > 0)
        atomic_fetch_add_explicit(cell_of(metrics, id, series), increment, memory_order_relaxed);
}

void metrics_set(struct metrics *metrics, enum instrument_id id, size_t series, int64_t value)
{
    atomic_store_explicit(cell_of(metrics, id, series), (uint64_t)value, memory_order_relaxed);
}

void metrics_set_real(struct metrics *metrics, enum instrument_id id, size_t series, double value)
{
    atomic_store_explicit(cell_of(metrics, id, series), bits_of(value), memory_order_relaxed);
}

static size_t bucket_of(const struct instrument *instrument, double value)
{
    size_t low = 0, high = instrument->bound_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (value <= instrument->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void sum_add(struct metric_histogram *histogram, double value)
{
    uint64_t before = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&histogram->sum, &before,
                                                  bits_of(real_of(before) + value),
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void metrics_observe(struct metrics *metrics, enum instrument_id id, size_t series, double value,
                     uint64_t count)
{
    struct metric_histogram *histogram = histogram_of(metrics, id, series);

    atomic_fetch_add_explicit(&histogram->buckets[bucket_of(instrument(id), value)], count,
                              memory_order_relaxed);
    sum_add(histogram, value * (double)count);
}

void tally_add(struct histogram_tally *tally, enum instrument_id id, double value)
{
    tally->buckets[bucket_of(instrument(id), value)]++;
    tally->sum += value;
    tally->count++;
}

void metrics_observe_tally(struct metrics *metrics, enum instrument_id id, size_t series,
                           const struct histogram_tally *tally)
{
    struct metric_histogram *histogram = histogram_of(metrics, id, series);

    if (tally->count == 0)
        return;
    for (size_t i = 0; i <= instrument(id)->bound_count; i++)
        if (tally->buckets[i] > 0)
            atomic_fetch_add_explicit(&histogram->buckets[i], tally->buckets[i],
                                      memory_order_relaxed);
    sum_add(histogram, tally->sum);
}

/* ---- Reading ------------------------------------------------------------------------------- */

uint64_t metrics_read(const struct metrics *metrics, enum instrument_id id, size_t series)
{
    return atomic_load_explicit(cell_of(metrics, id, series), memory_order_relaxed);
}

double metrics_read_real(const struct metrics *metrics, enum instrument_id id, size_t series)
{
    return real_of(metrics_read(metrics, id, series));
}

void metrics_read_histogram(const struct metrics *metrics, enum instrument_id id, size_t series,
                            struct histogram_reading *reading)
{
    struct metric_histogram *histogram = histogram_of(metrics, id, series);

    *reading = (struct histogram_reading){0};
    for (size_t i = 0; i <= instrument(id)->bound_count; i++) {
        reading->buckets[i] = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        reading->count += reading->buckets[i];
    }
    reading->sum = real_of(atomic_load_explicit(&histogram->sum, memory_order_relaxed));
}

void histogram_join(struct histogram_reading *sum, const struct histogram_reading *other)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += other->buckets[i];
    sum->count += other->count;
    sum->sum += other->sum;
}

void histogram_subtract(struct histogram_reading *later, const struct histogram_reading *earlier)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        later->buckets[i] -= earlier->buckets[i];
    later->count -= earlier->count;
    later->sum -= earlier->sum;
}

double histogram_quantile(enum instrument_id id, const struct histogram_reading *reading,
                          double quantile)
{
    const struct instrument *shape = instrument(id);
    double rank = quantile * (double)reading->count, below = 0;

    if (reading->count == 0)
        return NAN;
    for (size_t i = 0; i < shape->bound_count; i++) {
        double inside = (double)reading->buckets[i];
        double from = i == 0 ? 0 : shape->bounds[i - 1];
        if (inside > 0 && below + inside >= rank)
            return from + (shape->bounds[i] - from) * (rank - below) / inside;
        below += inside;
    }
    return shape->bounds[shape->bound_count - 1];
}
