/*
 * encode_metrics.c - all figures of a process as one request
 * SPDX-License-Identifier: MIT
 */
#include "encode.h"

#include "../clock.h"

struct draft {
    struct arena *arena;
    Otlp__ScopeMetrics *scope;
    Otlp__Metric *metric; /* of the last point */
    const struct instrument *instrument;
    int64_t start, now;
    uint64_t items;
    bool failed;
};

/* ---- Metrics ------------------------------------------------------------------------------ */

static bool add_data(struct draft *draft, Otlp__Metric *metric)
{
    switch (draft->instrument->kind) {
    case INSTRUMENT_COUNTER:
        metric->data_case = OTLP__METRIC__DATA_SUM;
        metric->sum = otlp_new(draft->arena, &otlp__sum__descriptor);
        if (!metric->sum)
            return false;
        metric->sum->is_monotonic = true;
        metric->sum->aggregation_temporality =
            OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
        return true;
    case INSTRUMENT_GAUGE:
        metric->data_case = OTLP__METRIC__DATA_GAUGE;
        metric->gauge = otlp_new(draft->arena, &otlp__gauge__descriptor);
        return metric->gauge;
    case INSTRUMENT_HISTOGRAM:
        metric->data_case = OTLP__METRIC__DATA_HISTOGRAM;
        metric->histogram = otlp_new(draft->arena, &otlp__histogram__descriptor);
        if (!metric->histogram)
            return false;
        metric->histogram->aggregation_temporality =
            OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
        return true;
    }
    return false;
}

static bool begin_metric(struct draft *draft, const struct instrument *instrument)
{
    Otlp__Metric *metric = otlp_add(draft->arena, &otlp__metric__descriptor,
                                    &draft->scope->n_metrics, &draft->scope->metrics);
    if (!metric)
        return false;
    draft->metric = metric;
    draft->instrument = instrument;
    metric->name = otlp_text(draft->arena, outbox_slice_of(instrument->name));
    metric->unit = otlp_text(draft->arena, outbox_slice_of(instrument->unit));
    metric->description = otlp_text(draft->arena, outbox_slice_of(instrument->help));
    return metric->name && metric->unit && metric->description && add_data(draft, metric);
}

/* ---- Points ------------------------------------------------------------------------------- */

static bool add_attributes(struct draft *draft, const struct point *point, size_t *count,
                           Otlp__KeyValue ***items)
{
    for (size_t i = 0; i < point->attribute_count; i++)
        if (!otlp_add_text(draft->arena, count, items, point->attributes[i].name,
                           outbox_slice_of(point->attributes[i].value)))
            return false;
    return true;
}

static bool add_number(struct draft *draft, const struct point *point)
{
    bool is_sum = point->instrument->kind == INSTRUMENT_COUNTER;
    size_t *count =
        is_sum ? &draft->metric->sum->n_data_points : &draft->metric->gauge->n_data_points;
    Otlp__NumberDataPoint ***items =
        is_sum ? &draft->metric->sum->data_points : &draft->metric->gauge->data_points;
    Otlp__NumberDataPoint *made =
        otlp_add(draft->arena, &otlp__number_data_point__descriptor, count, items);

    if (!made)
        return false;
    made->start_time_unix_nano = is_sum ? (uint64_t)draft->start : 0;
    made->time_unix_nano = (uint64_t)draft->now;
    if (point->instrument->is_real) {
        made->value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
        made->as_double = point->real;
    } else {
        made->value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
        made->as_int = point->number;
    }
    return add_attributes(draft, point, &made->n_attributes, &made->attributes);
}

static bool copy_buckets(struct draft *draft, const struct point *point,
                         Otlp__HistogramDataPoint *made)
{
    size_t bounds = point->instrument->bound_count;

    made->explicit_bounds = arena_alloc(draft->arena, bounds * sizeof(double));
    made->bucket_counts = arena_alloc(draft->arena, (bounds + 1) * sizeof(uint64_t));
    if (!made->explicit_bounds || !made->bucket_counts)
        return false;
    for (size_t i = 0; i < bounds; i++)
        made->explicit_bounds[i] = point->instrument->bounds[i];
    for (size_t i = 0; i <= bounds; i++)
        made->bucket_counts[i] = point->histogram.buckets[i];
    made->n_explicit_bounds = bounds;
    made->n_bucket_counts = bounds + 1;
    return true;
}

static bool add_histogram(struct draft *draft, const struct point *point)
{
    Otlp__Histogram *histogram = draft->metric->histogram;
    Otlp__HistogramDataPoint *made = otlp_add(draft->arena, &otlp__histogram_data_point__descriptor,
                                              &histogram->n_data_points, &histogram->data_points);

    if (!made)
        return false;
    made->start_time_unix_nano = (uint64_t)draft->start;
    made->time_unix_nano = (uint64_t)draft->now;
    made->count = point->histogram.count;
    made->known_sum_case = OTLP__HISTOGRAM_DATA_POINT__KNOWN_SUM_SUM;
    made->sum = point->histogram.sum;
    return copy_buckets(draft, point, made) &&
           add_attributes(draft, point, &made->n_attributes, &made->attributes);
}

static void add_point(void *context, const struct point *point)
{
    struct draft *draft = context;
    bool added = !draft->failed;

    if (added && draft->instrument != point->instrument)
        added = begin_metric(draft, point->instrument);
    if (added)
        added = point->instrument->kind == INSTRUMENT_HISTOGRAM ? add_histogram(draft, point)
                                                                : add_number(draft, point);
    draft->failed = !added;
    draft->items++;
}

/* ---- The request -------------------------------------------------------------------------- */

const ProtobufCMessage *encode_metrics(struct arena *arena, const struct resource *resource,
                                       points_source *source, struct relay *relay, int64_t start,
                                       uint64_t *items)
{
    Otlp__ScopeMetrics *scope = NULL;
    const ProtobufCMessage *request =
        otlp_request(arena, &otlp__export_metrics_service_request__descriptor, resource, &scope);

    if (!request)
        return NULL;
    struct draft draft = {.arena = arena, .scope = scope, .start = start, .now = clock_wall()};
    source(relay, add_point, &draft);
    *items = draft.items;
    return draft.failed ? NULL : request;
}
