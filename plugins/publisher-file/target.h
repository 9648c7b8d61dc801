/*
 * target.h - the file that lines are appended to
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_FILE_TARGET_H
#define PUBLISHER_FILE_TARGET_H

#include "failure.h"
#include "lines.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Space that a probe asks the disk for, at the least. */
#define TARGET_SPACE UINT64_C(4096)

/* One thread at a time, but for target_probe(). */
struct target {
    const struct outbox_host *host;
    char *path, *folder;
    mode_t mode;
    bool sync;         /* lines count as written once they are on the disk */
    uint64_t max_size; /* 0: never rotated */
    int64_t keep;      /* rotated files */

    int fd; /* -1: closed */
    bool is_folder_synced;
    uint64_t end;            /* while held: where the last whole line ends */
    uint64_t synced;         /* while held: the same, on the disk */
    _Atomic uint64_t wanted; /* bytes that the last write lacked room for, or TARGET_SPACE */
};

/* Copies `path`; false if the memory is used up. Does not touch the file. */
bool target_init(struct target *target, const struct outbox_host *host,
                 const char *path) OUTBOX_MUST_USE;
void target_clear(struct target *target);

/* Opens the file, made if it is not there, and locks it against other processes and publishers that
 * append to it, waiting until `deadline` at the longest. It is the file of that name, not one that
 * was renamed or removed meanwhile, and it ends with a newline or is empty. */
bool target_hold(struct target *target, int64_t deadline, struct failure *failure) OUTBOX_MUST_USE;
void target_release(struct target *target);

/* While held. Appends the first `count` lines and returns how many of them are in the file; of the
 * others nothing is. */
uint64_t target_append(struct target *target, const struct lines *lines, uint64_t count,
                       int64_t deadline, struct failure *failure) OUTBOX_MUST_USE;

/* While held. Brings what was appended to the disk if that is wanted. If that fails, everything
 * since the last commit is taken out of the file again. */
bool target_commit(struct target *target, struct failure *failure) OUTBOX_MUST_USE;

/* While held. Whether a line belongs into a new file, once `waiting` bytes are appended to this
 * one. */
bool target_is_full(const struct target *target, uint64_t waiting, uint64_t line) OUTBOX_MUST_USE;

/* While held and committed. Renames the file to PATH.1, an older PATH.1 to PATH.2 and so on, and
 * holds a new one. On failure it may be held no more. */
bool target_rotate(struct target *target, int64_t deadline,
                   struct failure *failure) OUTBOX_MUST_USE;

/* Whether lines could be appended now. Any thread, also while the target is in use. */
enum outbox_status target_probe(struct target *target, struct outbox_error *error) OUTBOX_MUST_USE;

#endif
