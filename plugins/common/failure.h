/*
 * failure.h - why a call of the operating system failed, in words
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_FAILURE_H
#define PLUGINS_COMMON_FAILURE_H

#include <outbox/types.h>

/* One sentence for an operator, as long as the text of an outbox_error, and the name of the error.
 */
struct failure {
    int number; /* of errno; 0: not of the operating system */
    char text[472];
};

/* "ENOSPC", or the number where the name is not known; `space` is used for the latter. */
const char *errno_name(int number, char space[16]);

/* Writes the sentence "DOING SUBJECT: REASON (NAME)" or, with a `remedy`, that and "; REMEDY". */
void failure_of_errno(struct failure *failure, int number, const char *doing, const char *subject,
                      const char *remedy);

/* Hands a failure to the relay as an error of class `status`, which it returns. */
enum outbox_status failure_report(const struct failure *failure, enum outbox_status status,
                                  struct outbox_error *error) OUTBOX_MUST_USE;

#endif
