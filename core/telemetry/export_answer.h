/*
 * export_answer.h - what a collector's answer means
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_EXPORT_ANSWER_H
#define CORE_TELEMETRY_EXPORT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct export_answer {
    long status; /* of HTTP; 0: none came, because of: */
    const char *problem;
    const char *type; /* the body's media type; NULL: none said */
    const char *body;
    size_t length;
};

enum export_verdict { EXPORT_TAKEN, EXPORT_RETRY, EXPORT_REFUSED };

#define ANSWER_TEXT 256

/* Sets how much of it was not taken although the request was, at most `items`, and the collector's
 * words, "" if there are none. A body that is no answer is nothing worse than that. */
enum export_verdict answer_judge(const struct export_answer *answer, uint64_t items,
                                 uint64_t *rejected, char text[ANSWER_TEXT]);

#endif
