/*
 * pem.h - looks at certificate files before a connection needs them
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_PEM_H
#define PUBLISHER_WEBHOOK_PEM_H

#include <outbox/types.h>

/* Each is INVALID, naming the key and the file, if a file cannot be read or holds something else.
 */
enum outbox_status pem_check_ca(const char *path, struct outbox_error *error) OUTBOX_MUST_USE;

/* Also if the key is not the certificate's own, or wants a password, for which nobody could be
 * asked.
 */
enum outbox_status pem_check_pair(const char *certificate, const char *key,
                                  struct outbox_error *error) OUTBOX_MUST_USE;

#endif
