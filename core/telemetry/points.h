/*
 * points.h - every figure of a relay, one after the other, for those who export them
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_POINTS_H
#define CORE_TELEMETRY_POINTS_H

#include "metrics.h"

struct point_attribute {
    const char *name, *value;
};

#define POINT_ATTRIBUTES 4

/* One series at one moment. Valid during the visit. */
struct point {
    const struct instrument *instrument;
    struct point_attribute attributes[POINT_ATTRIBUTES]; /* relay_id, pipeline and its own */
    size_t attribute_count;
    /* By kind of instrument: */
    int64_t number;
    double real;
    struct histogram_reading histogram;
};

typedef void point_visitor(void *context, const struct point *point);

struct relay;

/* Brings the gauges up to date and visits all points, those of one instrument in a row. Series that
 * have no value yet (a backlog that was never counted) are left out. Any thread, from relay_run()'s
 * start of observation to its end; visits do not wait for pipelines. */
void points_visit(struct relay *relay, point_visitor *visit, void *context);

#endif
