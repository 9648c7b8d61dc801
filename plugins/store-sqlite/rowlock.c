/*
 * rowlock.c - locks on single rows, for mode hold
 * SPDX-License-Identifier: MIT
 */
#include "rowlock.h"

#include "session.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below the greatest offset of a file. Two rows beyond it may by chance share a place: then the
 * second waits until the first is settled. */
#define PLACES (UINT64_C(1) << 62)

void rowlock_init(struct rowlock *lock)
{
    lock->fd = -1;
}

void rowlock_clear(struct rowlock *lock)
{
    if (lock->fd >= 0)
        (void)close(lock->fd); /* nothing was written to it */
    lock->fd = -1;
}

/* ---- The file ----------------------------------------------------------------------------- */

static enum outbox_status file_failed(const char *path, struct outbox_error *error)
{
    int code = errno;
    bool denied = code == EACCES || code == EPERM || code == EROFS;
    return outbox_fail(
        error, denied ? OUTBOX_DENIED : OUTBOX_UNAVAILABLE, strerrorname_np(code),
        "open %.300s, where the rows are locked that a relay holds: %s%s", path, strerror(code),
        denied ? "; give the relay's user the right to write the file and its folder" : "");
}

/* DATABASE-TABLE-held, beside the file itself: SQLite has followed symbolic links. To it names of
 * either case are the same. */
static char *path_of(const struct outbox_session *session)
{
    const char *database = sqlite3_db_filename(session->db, "main");
    const char *table = session->store->columns.table;
    char *path = sqlite3_mprintf("%s-%s-held", database ? database : session->store->path, table);
    for (char *at = path ? path + strlen(path) - strlen("-held") - strlen(table) : NULL; at && *at;
         at++)
        *at = (char)tolower((unsigned char)*at);
    return path;
}

/* Whoever may write the database may lock its rows, as it is with SQLite's own files. */
static void share(int fd, const struct stat *database)
{
    struct stat found;
    if (fstat(fd, &found) != 0)
        return;
    if (found.st_uid == geteuid() && (found.st_mode ^ database->st_mode) & 0666)
        (void)fchmod(fd,
                     database->st_mode & 0666); /* others may then fail to open it, and say so */
    if (geteuid() == 0 && (found.st_uid != database->st_uid || found.st_gid != database->st_gid) &&
        fchown(fd, database->st_uid, database->st_gid) != 0)
        return; /* as above */
}

/* With `create` 0 a file that is not there stays closed. */
static enum outbox_status open_file(struct outbox_session *session, const char *path, int create,
                                    struct outbox_error *error)
{
    struct stat database;
    if (stat(session->store->path, &database) != 0)
        return file_failed(session->store->path, error);
    int fd = open(path, O_RDWR | create | O_CLOEXEC | O_NOFOLLOW, database.st_mode & 0666);
    if (fd < 0)
        return !create && errno == ENOENT ? OUTBOX_OK : file_failed(path, error);
    if (create)
        share(fd, &database);
    session->rowlock.fd = fd;
    return OUTBOX_OK;
}

/* Called while nothing is locked, it notices a file that was deleted meanwhile. */
static enum outbox_status ready(struct outbox_session *session, int create,
                                struct outbox_error *error)
{
    struct stat found;
    struct rowlock *lock = &session->rowlock;
    if (lock->fd >= 0 && fstat(lock->fd, &found) == 0 && found.st_nlink > 0)
        return OUTBOX_OK;
    rowlock_clear(lock);
    char *path = path_of(session);
    if (!path)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "lock rows: memory is out");
    enum outbox_status status = open_file(session, path, create, error);
    sqlite3_free(path);
    return status;
}

enum outbox_status rowlock_ready(struct outbox_session *session, struct outbox_error *error)
{
    return ready(session, O_CREAT, error);
}

/* ---- The rows ----------------------------------------------------------------------------- */

static off_t place_of(int64_t row)
{
    return (off_t)((uint64_t)row % PLACES);
}

static struct flock lock_on(short type, off_t start, off_t len)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
}

static enum outbox_status lock_failed(struct outbox_error *error)
{
    int code = errno;
    return outbox_fail(error, OUTBOX_UNAVAILABLE, strerrorname_np(code),
                       "lock a row that is claimed: %s", strerror(code));
}

enum outbox_status rowlock_take(struct outbox_session *session, int64_t row, bool *taken,
                                struct outbox_error *error)
{
    struct flock wanted = lock_on(F_WRLCK, place_of(row), 1);
    *taken = fcntl(session->rowlock.fd, F_OFD_SETLK, &wanted) == 0;
    return *taken || errno == EAGAIN || errno == EACCES ? OUTBOX_OK : lock_failed(error);
}

enum outbox_status rowlock_is_free(struct outbox_session *session, int64_t row, bool *is_free,
                                   struct outbox_error *error)
{
    struct flock wanted = lock_on(F_WRLCK, place_of(row), 1);
    if (fcntl(session->rowlock.fd, F_OFD_GETLK, &wanted) != 0)
        return lock_failed(error);
    *is_free = wanted.l_type == F_UNLCK;
    return OUTBOX_OK;
}

enum outbox_status rowlock_others(struct outbox_session *session, bool *others,
                                  struct outbox_error *error)
{
    struct flock wanted = lock_on(F_WRLCK, 0, 0);
    enum outbox_status status = ready(session, 0, error);
    *others = false;
    if (status != OUTBOX_OK || session->rowlock.fd < 0)
        return status;
    if (fcntl(session->rowlock.fd, F_OFD_GETLK, &wanted) != 0)
        return lock_failed(error);
    *others = wanted.l_type != F_UNLCK;
    return OUTBOX_OK;
}

/* A lock that cannot be given back goes with the file. */
static void give(struct rowlock *lock, off_t start, off_t len)
{
    struct flock free_again = lock_on(F_UNLCK, start, len);
    if (lock->fd >= 0 && fcntl(lock->fd, F_OFD_SETLK, &free_again) != 0)
        rowlock_clear(lock);
}

void rowlock_give(struct rowlock *lock, int64_t row)
{
    give(lock, place_of(row), 1);
}

void rowlock_give_all(struct rowlock *lock)
{
    give(lock, 0, 0);
}
