/*
 * output.h - bytes into a descriptor, by a deadline
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_OUTPUT_H
#define PLUGINS_COMMON_OUTPUT_H

#include <outbox/types.h>
#include <signal.h>
#include <stdbool.h>

/* Writes all of `data`, and waits until `deadline` of the host's clock for a reader that is slow.
 * *written is what went out, whatever is returned: 0 or the number of errno, ETIMEDOUT for the
 * deadline. Only a regular file or a terminal can keep a write beyond it. */
int output_write(int fd, const struct outbox_host *host, int64_t deadline, const char *data,
                 uint64_t len, uint64_t *written) OUTBOX_MUST_USE;

/* Whether a write would be taken now; waits like output_write(). */
int output_wait(int fd, const struct outbox_host *host, int64_t deadline) OUTBOX_MUST_USE;

/* Whether the volume of a file or folder has so many bytes left: 0 or the number of errno. */
int output_space(int fd, uint64_t bytes) OUTBOX_MUST_USE;

/* Keeps the signals that a failing write sends (SIGPIPE, SIGXFSZ) from ending the process, whatever
 * the process decided about them. Between begin and end, on one thread. */
struct output_signals {
    sigset_t before, pending;
};
void output_signals_begin(struct output_signals *signals);
void output_signals_end(const struct output_signals *signals);

#endif
