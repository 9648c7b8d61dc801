/*
 * prometheus.c - the figures in Prometheus' text format
 * SPDX-License-Identifier: MIT
 */
#include "prometheus.h"

#include "../relay.h"
#include "../text.h"
#include "points.h"
#include "resource.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

struct page {
    FILE *file;
    const struct instrument *last;
};

/* One byte that is no UTF-8 would cost the whole page. */
static void put_value(FILE *file, const char *value)
{
    for (const char *end = value + strlen(value); value < end;) {
        size_t length = text_sequence(value, (size_t)(end - value));
        if (*value == '\\' || *value == '"')
            (void)fputc('\\', file);
        if (*value == '\n')
            (void)fputs("\\n", file);
        else if (length == 0)
            (void)fputs(REPLACEMENT, file);
        else
            (void)fwrite(value, length, 1, file);
        value += length > 0 ? length : 1;
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
    (void)fprintf(file, "%.15g\n", point->histogram.sum);
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
        (void)fprintf(page->file, "%.15g\n", point->real);
    else
        (void)fprintf(page->file, "%" PRId64 "\n", point->number);
}

/* A name that a label may have: what else is in it becomes an underline. Names that begin
 * with two of these are Prometheus' own. */
static const char *prometheus_label(const char *name, char label[PROMETHEUS_NAME])
{
    bool starts = isalpha((unsigned char)*name);

    (void)snprintf(label, PROMETHEUS_NAME, "%s%s", starts ? "" : "key_", name);
    for (char *at = label; *at; at++)
        if (!isalnum((unsigned char)*at))
            *at = '_';
    return label;
}

/* The first attribute from `at` on that makes this label. */
static size_t find_label(const struct resource *resource, size_t at, const char *label)
{
    char other[PROMETHEUS_NAME];

    while (at < resource->count &&
           strcmp(prometheus_label(resource->attributes[at].name, other), label) != 0)
        at++;
    return at;
}

static void put_attribute(FILE *file, const struct resource_attribute *attribute)
{
    if (attribute->text)
        put_value(file, attribute->text);
    else
        (void)fprintf(file, "%" PRId64, attribute->number);
}

/* Names that differ in dots and such become one label, and no label may come twice: it has all
 * values, by the rules of OpenTelemetry. */
static void put_attributes(FILE *file, const struct resource *resource)
{
    char label[PROMETHEUS_NAME];

    for (size_t i = 0; i < resource->count; i++) {
        (void)prometheus_label(resource->attributes[i].name, label);
        if (find_label(resource, 0, label) < i)
            continue;
        (void)fprintf(file, "%s%s=\"", i > 0 ? "," : "", label);
        put_attribute(file, &resource->attributes[i]);
        for (size_t j = i; (j = find_label(resource, j + 1, label)) < resource->count;) {
            (void)fputc(';', file);
            put_attribute(file, &resource->attributes[j]);
        }
        (void)fputc('"', file);
    }
}

/* Who it is that is asked, once for all series. */
static bool put_target(FILE *file, const struct config *config)
{
    struct resource resource;

    if (!resource_init(&resource, config))
        return false;
    (void)fputs("# HELP target_info The resource that these figures belong to.\n"
                "# TYPE target_info gauge\ntarget_info{",
                file);
    put_attributes(file, &resource);
    (void)fputs("} 1\n", file);
    resource_clear(&resource);
    return true;
}

char *prometheus_text(struct relay *relay, size_t *len)
{
    char *text = NULL;
    struct page page = {.file = open_memstream(&text, len)};

    if (!page.file)
        return NULL;
    points_visit(relay, put_point, &page);
    bool failed = !put_target(page.file, relay->config) || ferror(page.file) != 0;
    if (fclose(page.file) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
