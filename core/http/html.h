/*
 * html.h - text and figures as they stand in a page for people
 * SPDX-License-Identifier: MIT
 *
 * Everything that is written between tags goes through here. A stream that fails (memory ran out)
 * keeps that in mind; its owner asks at the end.
 */
#ifndef CORE_HTTP_HTML_H
#define CORE_HTTP_HTML_H

#include <stdint.h>
#include <stdio.h>

/* Text for between tags and for a quoted attribute: markup means nothing in it, what is no UTF-8
 * and control characters are made visible. */
void html_text(FILE *out, const char *text);

/* 1234567 as 1,234,567. */
void html_count(FILE *out, int64_t number);

/* Events a second; NAN: a dash. */
void html_rate(FILE *out, double rate);

/* Seconds in the unit that people would use: 0.4 ms, 12 s, 3 h 20 min; NAN: a dash. */
void html_duration(FILE *out, double seconds);

/* The same in whole seconds, for what ticks before people's eyes. */
void html_age(FILE *out, int64_t nanoseconds);

/* Microseconds since 1970 as a <time> in UTC. */
void html_time(FILE *out, int64_t microseconds);

#endif
