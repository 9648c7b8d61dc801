/*
 * printable.h - foreign bytes as text that a person can read
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_PRINTABLE_H
#define PUBLISHER_WEBHOOK_PRINTABLE_H

#include <outbox/types.h>

/* Writes as much of `from` as fits into `size` bytes, a NUL included, and returns the bytes written
 * without it. Blanks and line ends that follow each other become one blank, other control bytes and
 * what is no UTF-8 a question mark. No character is cut. */
uint64_t printable_write(char *to, uint64_t size, struct outbox_slice from);

#endif
