/*
 * probe.c - whether the file could be appended to, before anything is
 * SPDX-License-Identifier: MIT
 */
#include "output.h"
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static enum outbox_status class_of(int number)
{
    switch (number) {
    case EACCES:
    case EPERM:
        return OUTBOX_DENIED;
    case ENOENT:
        return OUTBOX_SCHEMA;
    case EINVAL:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOTDIR:
        return OUTBOX_INVALID;
    default:
        return OUTBOX_UNAVAILABLE;
    }
}

/* Asks for the space itself: free blocks alone say nothing of quotas. It stays behind the file's
 * end, for the next lines. */
static int reserve(int fd, uint64_t size, uint64_t wanted)
{
    struct rlimit limit;
    int failed;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        size + wanted > limit.rlim_cur)
        return EFBIG;
    do {
        failed = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)size, (off_t)wanted) < 0 ? errno : 0;
    } while (failed == EINTR);
    return failed == EOPNOTSUPP || failed == ENOSYS ? output_space(fd, wanted) : failed;
}

static int probe_file(const struct target *target)
{
    struct stat info;
    int failed = 0;
    int fd = open(target->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno;
    if (fstat(fd, &info) < 0)
        failed = errno;
    else
        failed =
            S_ISREG(info.st_mode) ? reserve(fd, (uint64_t)info.st_size, target->wanted) : EINVAL;
    (void)close(fd);
    return failed;
}

/* A probe makes no file. */
static int probe_folder(const struct target *target)
{
    int fd = open(target->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int failed = faccessat(AT_FDCWD, target->folder, W_OK | X_OK, AT_EACCESS) < 0 ? errno : 0;
    if (!failed)
        failed = output_space(fd, target->wanted);
    (void)close(fd);
    return failed;
}

enum outbox_status target_probe(struct target *target, struct outbox_error *error)
{
    struct failure failure;
    const char *remedy = NULL;
    int failed = probe_file(target);
    if (failed == ENOENT) {
        failed = probe_folder(target);
        remedy = failed == ENOENT ? "create its folder" : NULL;
    }
    if (!failed)
        return OUTBOX_OK;
    if (failed == EINVAL)
        remedy = "it is not a regular file: name another one in \"path\"";
    failure_of_errno(&failure, failed, "append to", target->path, remedy);
    return failure_report(&failure, class_of(failed), error);
}
