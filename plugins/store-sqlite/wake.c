/*
 * wake.c - a file descriptor that becomes readable when any process commits
 * SPDX-License-Identifier: MIT
 *
 * A commit in WAL mode writes to the file DATABASE-wal, whichever process makes it, and inotify
 * reports that at no cost to the producer. The file goes away with the last connection and comes
 * back with the next; its folder is watched for as long as it is away, and no longer, since other
 * files may live there.
 */
#include "wake.h"

#include "session.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

void wake_init(struct wake *wake)
{
    wake->fd = -1;
    wake->folder_watch = -1;
}

void wake_clear(struct wake *wake)
{
    if (wake->fd >= 0)
        (void)close(wake->fd); /* nothing was written to it */
    wake_init(wake);
}

static void drain(int fd)
{
    char events[4096] __attribute__((aligned(8)));
    while (read(fd, events, sizeof(events)) > 0)
        ;
}

static enum outbox_status watch_failed(struct wake *wake, const char *path, int code,
                                       struct outbox_error *error)
{
    wake_clear(wake);
    return outbox_fail(error, OUTBOX_UNAVAILABLE, strerrorname_np(code),
                       "watch %.300s for commits: %s", path, strerror(code));
}

static enum outbox_status watch_folder(struct wake *wake, char *wal, struct outbox_error *error)
{
    char *slash = strrchr(wal, '/');
    if (!slash)
        return watch_failed(wake, wal, ENOENT, error);
    slash[slash == wal ? 1 : 0] = '\0';
    wake->folder_watch = inotify_add_watch(wake->fd, wal, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    return wake->folder_watch >= 0 ? OUTBOX_OK : watch_failed(wake, wal, errno, error);
}

static void unwatch_folder(struct wake *wake)
{
    if (wake->folder_watch >= 0)
        (void)inotify_rm_watch(wake->fd, wake->folder_watch); /* may have gone with the folder */
    wake->folder_watch = -1;
}

/* Watches the log itself if it is there. Also says whether it is. */
static bool watch_wal(struct wake *wake, const char *wal)
{
    return inotify_add_watch(wake->fd, wal, IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF) >= 0;
}

static enum outbox_status watch(struct wake *wake, char *wal, struct outbox_error *error)
{
    if (watch_wal(wake, wal)) {
        unwatch_folder(wake);
        return OUTBOX_OK;
    }
    if (errno != ENOENT)
        return watch_failed(wake, wal, errno, error);
    char folder[PATH_MAX + 8];
    (void)snprintf(folder, sizeof(folder), "%s", wal);
    enum outbox_status status = watch_folder(wake, folder, error);
    if (status == OUTBOX_OK && watch_wal(wake, wal)) /* it came back in between */
        unwatch_folder(wake);
    return status;
}

enum outbox_status wake_arm(struct outbox_store *store, int *fd, struct outbox_error *error)
{
    struct wake *wake = &store->wake;
    if (wake->fd < 0)
        wake->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (wake->fd < 0)
        return watch_failed(wake, store->path, errno, error);
    char resolved[PATH_MAX];
    if (!realpath(store->path, resolved))
        return watch_failed(wake, store->path, errno, error);
    char wal[PATH_MAX + 8];
    (void)snprintf(wal, sizeof(wal), "%s-wal", resolved);
    enum outbox_status status = watch(wake, wal, error);
    if (status != OUTBOX_OK)
        return status;
    /* The relay's own last settle has written to the log as well; what a producer has committed so
     * far is found by the poll that follows. */
    drain(wake->fd);
    *fd = wake->fd;
    return OUTBOX_OK;
}

void wake_disarm(struct outbox_store *store)
{
    if (store->wake.fd >= 0)
        drain(store->wake.fd);
}
