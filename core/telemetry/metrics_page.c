/*
 * metrics_page.c - the reference page of what the relay measures
 * SPDX-License-Identifier: MIT
 */
#include "metrics_page.h"

#include "instruments.h"

static const char head[] =
    "# Metrics\n"
    "\n"
    "Every figure that a relay tells, under its OpenTelemetry name and the one that Prometheus "
    "sees.\n"
    "This page is made from the table that declares them, `core/telemetry/instruments.c`; what to\n"
    "look at and what to alert on is in [monitoring.md](monitoring.md).\n"
    "\n"
    "All have the attribute `relay_id`; those of a pipeline `pipeline`, too.\n";

static const char *kind_of(const struct instrument *instrument)
{
    static const char *const kinds[] = {[INSTRUMENT_COUNTER] = "counter",
                                        [INSTRUMENT_GAUGE] = "gauge",
                                        [INSTRUMENT_HISTOGRAM] = "histogram"};
    return kinds[instrument->kind];
}

static void put_attributes(FILE *out, const struct instrument *instrument)
{
    for (size_t i = 0; i < INSTRUMENT_ATTRIBUTES && instrument->attributes[i].name; i++) {
        (void)fprintf(out, "- `%s`: ", instrument->attributes[i].name);
        for (const char *const *value = instrument->attributes[i].values; *value; value++)
            (void)fprintf(out, "%s`%s`", value == instrument->attributes[i].values ? "" : ", ",
                          *value);
        (void)fputs("\n", out);
    }
}

static void put_bounds(FILE *out, const struct instrument *instrument)
{
    if (instrument->bound_count == 0)
        return;
    (void)fputs("- buckets up to:", out);
    for (size_t i = 0; i < instrument->bound_count; i++)
        (void)fprintf(out, " %.15g", instrument->bounds[i]);
    (void)fputs("\n", out);
}

static void put_instrument(FILE *out, const struct instrument *instrument)
{
    char name[PROMETHEUS_NAME];

    (void)prometheus_name(instrument->name, instrument->unit,
                          instrument->kind == INSTRUMENT_COUNTER, name);
    (void)fprintf(out, "\n### `%s`\n\n%s\n\n- Prometheus: `%s`%s\n- %s%s%s\n", instrument->name,
                  instrument->help, name,
                  instrument->is_untyped
                      ? ", without a type: its linter takes a gauge of that name "
                        "for a part of a histogram"
                      : "",
                  kind_of(instrument), *instrument->unit ? ", in " : "", instrument->unit);
    put_attributes(out, instrument);
    put_bounds(out, instrument);
}

static void put_section(FILE *out, const char *title, bool of_process)
{
    (void)fprintf(out, "\n## %s\n", title);
    for (enum instrument_id id = 0; id < INSTRUMENT_COUNT; id++)
        if (instrument(id)->of_process == of_process)
            put_instrument(out, instrument(id));
}

void metrics_page_write(FILE *out)
{
    (void)fputs(head, out);
    put_section(out, "Of a pipeline", false);
    put_section(out, "Of the process", true);
}
