/*
 * progress.c - how far long work is, for a person who watches
 * SPDX-License-Identifier: MIT
 */
#include "progress.h"

#include "clock.h"
#include "table.h"

#include <unistd.h>

#define EVERY (100 * MILLISECOND)

void progress_init(struct progress *progress)
{
    *progress = (struct progress){.shows = isatty(STDERR_FILENO)};
}

void progress_show(struct progress *progress, uint64_t events)
{
    char number[TABLE_NUMBER];
    int64_t now = clock_now();

    if (!progress->shows || now < progress->next)
        return;
    progress->next = now + EVERY;
    progress->shown = true;
    (void)fprintf(stderr, "\r%s events", table_number((int64_t)events, number));
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        (void)fputs("\r\033[K", stderr);
    progress->shown = false;
}
