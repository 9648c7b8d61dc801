/*
 * settings.h - what is sent to a collector, where to and how: as file and environment say together
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_SETTINGS_H
#define CORE_TELEMETRY_SETTINGS_H

#include "instruments.h"

#include <outbox/types.h>

/* Durations are nanoseconds. */
struct signal_settings {
    const char *endpoint; /* the whole URL; NULL: the signal is not sent. May hold a password */
    bool is_json, is_gzip;
    int64_t timeout;                                           /* of one request */
    const char *certificate, *client_certificate, *client_key; /* files; NULL: none */
    const struct outbox_pair *headers;                         /* secret; both end in NUL */
    uint64_t header_count;
    int64_t delay;       /* from one export to the next; a full batch does not wait for it */
    int64_t patience;    /* for one batch, with all its attempts */
    uint64_t queue_size; /* spans or log records that wait, at most */
    uint64_t batch_size; /* of these in one request, at most */
};

/* What becomes of a trace. With a parent that was decided on, by choice, its decision holds. */
struct telemetry_sampler {
    bool is_parent_based;
    double ratio; /* of the others: 0 none, 1 all */
};

/* A variable of the environment that is not as it should be. Shows no secret. */
struct telemetry_warning {
    const char *variable, *problem, *remedy;
};

#define TELEMETRY_WARNINGS 32

struct telemetry_settings {
    struct signal_settings signals[SIGNAL_COUNT];
    struct telemetry_sampler sampler;
    double processor_share; /* of one core, that sending may take */
    const char *service_name;
    const struct outbox_pair *attributes; /* of the resource; both end in NUL */
    uint64_t attribute_count;
    struct telemetry_warning warnings[TELEMETRY_WARNINGS];
    size_t warning_count;
};

#endif
