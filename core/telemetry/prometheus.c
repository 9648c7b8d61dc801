/*
 * prometheus.c - the figures in Prometheus' text format
 * SPDX-License-Identifier: MIT
 */
#include "prometheus.h"

#include "../relay.h"
#include "points.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct page {
    FILE *file;
    const struct instrument *last;
};

static void put_value(FILE *file, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            (void)fputc('\\', file);
        if (*value == '\n')
            (void)fputs("\\n", file);
        else
            (void)fputc(*value, file);
    }
}

static void put_label(FILE *file, const char *name, const char *value)
{
    (void)fprintf(file, "%s=\"", name);
    put_value(file, value);
    (void)fputc('"', file);
}

/* `bound`: of a bucket, else NULL. */
static void put_series(FILE *file, const char *name, const char *suffix, const struct point *point,
                       const char *bound)
{
    (void)fprintf(file, "%s%s{", name, suffix);
    for (size_t i = 0; i < point->attribute_count; i++) {
        if (i > 0)
            (void)fputc(',', file);
        put_label(file, point->attributes[i].name, point->attributes[i].value);
    }
    if (bound) {
        (void)fputc(',', file);
        put_label(file, "le", bound);
    }
    (void)fputs("} ", file);
}

static void put_histogram(FILE *file, const char *name, const struct point *point)
{
    const struct instrument *instrument = point->instrument;
    uint64_t below = 0;
    char bound[32];

    for (size_t i = 0; i <= instrument->bound_count; i++) {
        (void)snprintf(bound, sizeof(bound), "%.15g",
                       i < instrument->bound_count ? instrument->bounds[i] : 0);
        below += point->histogram.buckets[i];
        put_series(file, name, "_bucket", point, i < instrument->bound_count ? bound : "+Inf");
        (void)fprintf(file, "%" PRIu64 "\n", below);
    }
    put_series(file, name, "_sum", point, NULL);
    (void)fprintf(file, "%.9g\n", point->histogram.sum);
    put_series(file, name, "_count", point, NULL);
    (void)fprintf(file, "%" PRIu64 "\n", point->histogram.count);
}

static const char *type_of(const struct instrument *instrument)
{
    static const char *const types[] = {[INSTRUMENT_COUNTER] = "counter",
                                        [INSTRUMENT_GAUGE] = "gauge",
                                        [INSTRUMENT_HISTOGRAM] = "histogram"};
    return instrument->is_untyped ? "untyped" : types[instrument->kind];
}

static void put_point(void *context, const struct point *point)
{
    struct page *page = context;
    const struct instrument *instrument = point->instrument;
    char name[PROMETHEUS_NAME];

    (void)prometheus_name(instrument->name, instrument->unit,
                          instrument->kind == INSTRUMENT_COUNTER, name);
    if (instrument != page->last)
        (void)fprintf(page->file, "# HELP %s %s\n# TYPE %s %s\n", name, instrument->help, name,
                      type_of(instrument));
    page->last = instrument;
    if (instrument->kind == INSTRUMENT_HISTOGRAM) {
        put_histogram(page->file, name, point);
        return;
    }
    put_series(page->file, name, "", point, NULL);
    if (instrument->is_real)
        (void)fprintf(page->file, "%.9g\n", point->real);
    else
        (void)fprintf(page->file, "%" PRId64 "\n", point->number);
}

char *prometheus_text(struct relay *relay, size_t *len)
{
    char *text = NULL;
    struct page page = {.file = open_memstream(&text, len)};

    if (!page.file)
        return NULL;
    points_visit(relay, put_point, &page);
    bool failed = ferror(page.file) != 0;
    if (fclose(page.file) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
