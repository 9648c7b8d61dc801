/*
 * target.c - opens, locks, appends to and syncs the file
 * SPDX-License-Identifier: MIT
 */
#include "target.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NANOSECONDS INT64_C(1000000000)
#define LONGEST_LOCK_PAUSE INT64_C(50000000)
#define CREATE_TRIES 8

bool target_init(struct target *target, const struct outbox_host *host, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t folder_len = slash ? (size_t)(slash - path) : 0;
    target->host = host;
    target->fd = -1;
    target->wanted = TARGET_SPACE;
    target->path = strdup(path);
    if (!slash)
        target->folder = strdup(".");
    else
        target->folder = folder_len ? strndup(path, folder_len) : strdup("/");
    if (target->path && target->folder)
        return true;
    target_clear(target);
    return false;
}

static void close_file(struct target *target)
{
    if (target->fd >= 0)
        (void)close(target->fd);
    target->fd = -1;
}

void target_clear(struct target *target)
{
    close_file(target);
    free(target->path);
    free(target->folder);
    target->path = NULL;
    target->folder = NULL;
}

static bool fail(const struct target *target, struct failure *failure, int number,
                 const char *doing, const char *remedy)
{
    failure_of_errno(failure, number, doing, target->path, remedy);
    return false;
}

/* Opens the file, or makes one with exactly the mode that was asked for, whatever the umask. */
static int open_or_create(const struct target *target)
{
    /* Without O_NONBLOCK a pipe of that name would keep the thread. */
    int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    for (int tries = 0; tries < CREATE_TRIES; tries++) {
        int fd = open(target->path, flags);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        fd = open(target->path, flags | O_CREAT | O_EXCL, target->mode);
        if (fd >= 0) {
            if (fchmod(fd, target->mode) == 0)
                return fd;
            int number = errno;
            (void)close(fd);
            errno = number;
            return -1;
        }
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

static bool open_file(struct target *target, struct failure *failure)
{
    struct stat info;
    target->fd = open_or_create(target);
    if (target->fd < 0)
        return fail(target, failure, errno, "open", errno == ENOENT ? "create its folder" : NULL);
    if (fstat(target->fd, &info) == 0 && S_ISREG(info.st_mode)) {
        /* Whoever has made it may have died before its name was on the disk. */
        target->is_folder_synced = false;
        return true;
    }
    close_file(target);
    return fail(target, failure, EINVAL, "open",
                "it is not a regular file: name another one in \"path\"");
}

/* No call waits for a file lock with a limit, so this one looks again and again, more seldom each
 * time. */
static bool lock_file(struct target *target, int64_t deadline, struct failure *failure)
{
    const struct outbox_host *host = target->host;
    int64_t pause = NANOSECONDS / 1000;
    while (flock(target->fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return fail(target, failure, errno, "lock", NULL);
        int64_t left = deadline - host->now(host);
        if (left <= 0)
            return fail(target, failure, ETIMEDOUT, "lock",
                        "another process or pipeline that appends to it holds the lock");
        struct timespec timeout = {0, (long)(pause < left ? pause : left)};
        (void)ppoll(NULL, 0, &timeout, NULL);
        pause = pause * 2 < LONGEST_LOCK_PAUSE ? pause * 2 : LONGEST_LOCK_PAUSE;
    }
    return true;
}

/* Whether the open file still is the one of that name. */
static bool is_current(const struct target *target, struct stat *opened)
{
    struct stat named;
    return fstat(target->fd, opened) == 0 && opened->st_nlink > 0 &&
           stat(target->path, &named) == 0 && named.st_dev == opened->st_dev &&
           named.st_ino == opened->st_ino;
}

/* A writer that died has left half a line: what comes next must not be taken for its end. */
static bool end_torn_line(struct target *target, int64_t deadline, struct failure *failure)
{
    char last = '\n';
    uint64_t written;
    if (target->end > 0 && pread(target->fd, &last, 1, (off_t)(target->end - 1)) < 0)
        return fail(target, failure, errno, "read the end of", NULL);
    if (last == '\n')
        return true;
    int failed = output_write(target->fd, target->host, deadline, "\n", 1, &written);
    if (failed)
        return fail(target, failure, failed, "append to", NULL);
    target->end += written;
    outbox_log(target->host, OUTBOX_LOG_WARN,
               "%.300s ended in the middle of a line, which now stands as a line of its own",
               target->path);
    return true;
}

bool target_hold(struct target *target, int64_t deadline, struct failure *failure)
{
    struct stat info;
    for (;;) {
        if (target->fd < 0 && !open_file(target, failure))
            return false;
        if (!lock_file(target, deadline, failure)) {
            close_file(target);
            return false;
        }
        if (is_current(target, &info))
            break;
        close_file(target);
    }
    target->end = (uint64_t)info.st_size;
    target->synced = target->end;
    if (end_torn_line(target, deadline, failure))
        return true;
    close_file(target);
    return false;
}

void target_release(struct target *target)
{
    if (target->fd >= 0 && flock(target->fd, LOCK_UN) < 0)
        close_file(target);
}

/* Takes what stands behind `end` out of the file; leaves it where somebody who does not lock has
 * appended meanwhile. */
static void cut_file(struct target *target, uint64_t end, uint64_t expected_size)
{
    struct stat info;
    if (fstat(target->fd, &info) == 0 && (uint64_t)info.st_size == expected_size &&
        ftruncate(target->fd, (off_t)end) == 0)
        return;
    outbox_log(target->host, OUTBOX_LOG_WARN,
               "%.300s keeps lines of events that are not delivered: they will come again",
               target->path);
}

uint64_t target_append(struct target *target, const struct lines *lines, uint64_t count,
                       int64_t deadline, struct failure *failure)
{
    uint64_t written, whole_end, len = count > 0 ? lines->ends[count - 1] : 0;
    int failed = output_write(target->fd, target->host, deadline, lines->text.data, len, &written);
    if (!failed) {
        target->end += len;
        target->wanted = TARGET_SPACE;
        return count;
    }
    (void)fail(target, failure, failed, "append to", NULL);
    uint64_t whole = lines_within(lines, written, &whole_end);
    uint64_t size = target->end + written;
    target->end += whole_end;
    target->wanted = len - whole_end > TARGET_SPACE ? len - whole_end : TARGET_SPACE;
    if (whole_end < written)
        cut_file(target, target->end, size);
    return whole;
}

static int sync_folder(const struct target *target)
{
    int fd = open(target->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    /* EINVAL: a file system that has nothing to sync for a folder. */
    int failed = fsync(fd) < 0 && errno != EINVAL ? errno : 0;
    (void)close(fd);
    return failed;
}

static int sync_file(struct target *target)
{
    while (fdatasync(target->fd) < 0) {
        if (errno != EINTR)
            return errno;
    }
    if (target->is_folder_synced)
        return 0;
    int failed = sync_folder(target);
    target->is_folder_synced = !failed;
    return failed;
}

bool target_commit(struct target *target, struct failure *failure)
{
    int failed = target->sync && target->end != target->synced ? sync_file(target) : 0;
    if (!failed) {
        target->synced = target->end;
        return true;
    }
    cut_file(target, target->synced, target->end);
    /* After a failed sync the system may count the lost pages as written: never go on with them. */
    close_file(target);
    target->end = target->synced;
    return fail(target, failure, failed, "sync", NULL);
}

bool target_is_full(const struct target *target, uint64_t waiting, uint64_t line)
{
    uint64_t before = target->end + waiting;
    return target->max_size > 0 && before > 0 && before + line > target->max_size;
}

static bool numbered_name(const struct target *target, int64_t number, char **name)
{
    if (asprintf(name, "%s.%lld", target->path, (long long)number) >= 0)
        return true;
    *name = NULL;
    errno = ENOMEM;
    return false;
}

static bool rename_to(const struct target *target, int64_t from, int64_t to)
{
    char *old_name = NULL, *new_name = NULL;
    bool is_done = (from == 0 || numbered_name(target, from, &old_name)) &&
                   numbered_name(target, to, &new_name) &&
                   rename(old_name ? old_name : target->path, new_name) == 0;
    int number = errno;
    free(old_name);
    free(new_name);
    errno = number;
    return is_done;
}

/* The first number that no rotated file has, or the last one, whose file is the oldest and goes. */
static int64_t free_number(const struct target *target)
{
    struct stat info;
    for (int64_t number = 1; number < target->keep; number++) {
        char *name;
        if (!numbered_name(target, number, &name))
            return -1;
        bool is_free = lstat(name, &info) < 0 && errno == ENOENT;
        free(name);
        if (is_free)
            return number;
    }
    return target->keep;
}

bool target_rotate(struct target *target, int64_t deadline, struct failure *failure)
{
    int64_t number = free_number(target);
    bool is_done = number > 0;
    for (; is_done && number > 0; number--)
        is_done = rename_to(target, number - 1, number);
    if (!is_done)
        return fail(target, failure, errno, "rotate", NULL);
    close_file(target);
    return target_hold(target, deadline, failure);
}
