/*
 * exporter.h - sends figures, spans and log lines to a collector, never in the work's way
 * SPDX-License-Identifier: MIT
 *
 * One thread for the process. Nobody waits for it: what finds no room is dropped and counted.
 */
#ifndef CORE_TELEMETRY_EXPORTER_H
#define CORE_TELEMETRY_EXPORTER_H

#include "encode.h"

struct exporter;

/* Starts to send log lines and spans. `counts`, of the process, is told what became of all. NULL if
 * there is nothing to send, or if it cannot be sent, which has been logged: the work goes on. The
 * functions below take NULL for an exporter that sends nothing. */
struct exporter *exporter_start(const struct config *config, struct metrics *counts);

/* From now on figures are sent, too. The relay must outlive the exporter. */
void exporter_observe(struct exporter *exporter, points_source *source, struct relay *relay);

/* Sends what there is, at most EXPORTER_LAST for a collector that answers and 2 s for one that does
 * not, and frees the exporter. Spans must no longer come then. */
#define EXPORTER_LAST (5 * SECOND)
void exporter_stop(struct exporter **exporter);

/* ---- Any thread ---------------------------------------------------------------------------- */

/* For how many spans there is room; 0 where none are wanted. */
uint64_t exporter_span_room(const struct exporter *exporter);

/* Takes the list and frees it. */
void exporter_spans(struct exporter *exporter, struct span_list *list);

/* Counts spans that were not even made, for want of room. */
void exporter_spans_lost(struct exporter *exporter, uint64_t count);

#endif
