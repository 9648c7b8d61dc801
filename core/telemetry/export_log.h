/*
 * export_log.h - what the log says of exports: once, and then from time to time
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_EXPORT_LOG_H
#define CORE_TELEMETRY_EXPORT_LOG_H

#include "export_signal.h"

const char *signal_name(enum signal id);

/* `text` is the collector's or the connection's. */
void export_log_answer(struct export_signal *signal, enum export_verdict verdict,
                       const struct export_answer *answer, uint64_t rejected, const char *text,
                       int64_t now);

/* `dropped`: since the start. */
void export_log_drops(struct export_signal *signal, uint64_t dropped, int64_t now);

#endif
