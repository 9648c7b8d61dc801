/*
 * watermark.h - where in an index the living rows begin
 * SPDX-License-Identifier: MIT
 *
 * Claimed rows leave dead entries at the head of the index, and a long transaction anywhere keeps
 * them from being removed. So a scan starts at a low watermark, and a look below it, in search of
 * what was committed late, is paced so that it costs no more than 2 % of the time.
 */
#ifndef PLUGINS_COMMON_WATERMARK_H
#define PLUGINS_COMMON_WATERMARK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* An index key: an instant of the database's clock, and what tells equal instants apart, a number
 * or, with `rest`, the 16 bytes of an id. */
struct position {
    int64_t at, tie;
    uint64_t rest;
};

#define POSITION_FIRST ((struct position){INT64_MIN, INT64_MIN, 0})
#define POSITION_LAST ((struct position){INT64_MAX, INT64_MAX, UINT64_MAX})

/* Shared by the sessions of a store. */
struct watermark {
    pthread_mutex_t mutex;
    struct position low;
    uint64_t lowered;  /* times it was put back: a scan that began before must not raise it */
    int64_t next_look; /* nanoseconds of host->now() */
    bool looking;      /* a session is at it */
};

void watermark_init(struct watermark *watermark);
void watermark_clear(struct watermark *watermark);

/* The position to scan from; *ticket goes to watermark_raise(). */
struct position watermark_read(struct watermark *watermark, uint64_t *ticket);

/* Everything before `to` was seen to be taken by a scan that began with `ticket`. */
void watermark_raise(struct watermark *watermark, struct position to, uint64_t ticket);

/* There is, or will be, a living row at `to`. */
void watermark_lower(struct watermark *watermark, struct position to);

/* True for one caller when a look below is due; it ends with watermark_looked(), with what the look
 * cost in nanoseconds. */
bool watermark_look(struct watermark *watermark, int64_t now);
void watermark_looked(struct watermark *watermark, int64_t now, int64_t cost);

int position_compare(struct position a, struct position b);

#endif
