/*
 * progress.h - how far long work is, for a person who watches
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_PROGRESS_H
#define CORE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* A line on standard error that is written over, and only if that is a terminal. */
struct progress {
    bool shows, shown;
    int64_t next; /* not before, monotonic */
};

void progress_init(struct progress *progress);

/* "N events", at most a few times a second. */
void progress_show(struct progress *progress, uint64_t events);

/* Before anything else is written: wipes the line. */
void progress_end(struct progress *progress);

#endif
