/*
 * environment.h - OpenTelemetry's variables, read as its specification wants it
 * SPDX-License-Identifier: MIT
 *
 * An empty variable counts as none. A wrong value is noted as a warning, by the variable's name,
 * and is as good as none.
 */
#ifndef CORE_TELEMETRY_ENVIRONMENT_H
#define CORE_TELEMETRY_ENVIRONMENT_H

#include "../config_memory.h"
#include "settings.h"

struct environment {
    struct config_memory *memory;
    struct telemetry_settings *settings; /* takes the warnings */
    bool failed;                         /* memory ran out */
};

/* printf's way; what is noted must hold no secret. */
void environment_warn(struct environment *environment, const char *variable, const char *remedy,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

const char *environment_text(const char *variable); /* NULL if there is none */

/* These leave the value as it is where there is none. */
void environment_count(struct environment *environment, const char *variable, uint64_t least,
                       uint64_t most, uint64_t *value);
void environment_milliseconds(struct environment *environment, const char *variable, int64_t least,
                              int64_t most, int64_t *nanoseconds);
void environment_ratio(struct environment *environment, const char *variable, double *value);

/* The index of the variable's value among `words`, which end in NULL; `index` if there is none. */
size_t environment_choice(struct environment *environment, const char *variable,
                          const char *const *words, size_t index);

/* "name=value,name=value", percent-decoded. NULL if there is none or it is wrong. */
const struct outbox_pair *environment_pairs(struct environment *environment, const char *variable,
                                            uint64_t *count);

#endif
