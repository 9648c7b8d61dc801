/*
 * wake.h - a file descriptor that becomes readable when any process commits
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_WAKE_H
#define STORE_SQLITE_WAKE_H

#include <outbox/store.h>

/* fd -1: not made yet. */
struct wake {
    int fd;
    int folder_watch; /* -1: none */
};

void wake_init(struct wake *wake);
void wake_clear(struct wake *wake);

/* Ops of the ABI, see <outbox/store.h>. */
enum outbox_status wake_arm(struct outbox_store *store, int *fd, struct outbox_error *error);
void wake_disarm(struct outbox_store *store);

#endif
