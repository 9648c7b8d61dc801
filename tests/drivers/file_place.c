/*
 * file_place.c - a folder for one test of the publisher of files, and a disk that can fail
 * SPDX-License-Identifier: MIT
 */
#include "file_place.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd);

/* ---- A disk that fails -------------------------------------------------------------------- */

/* The driver's fdatasync() is this one: no real disk can be made to fail just then. */
atomic_int file_syncs, file_failing_syncs;
__attribute__((visibility("default"))) int fdatasync(int fd)
{
    atomic_fetch_add(&file_syncs, 1);
    if (atomic_load(&file_failing_syncs) > 0) {
        atomic_fetch_sub(&file_failing_syncs, 1);
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

/* ---- A folder of its own for each test ---------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

int place_make(void **state)
{
    const char *root = getenv("TMPDIR");
    struct place *place = calloc(1, sizeof(*place));
    if (!place)
        return -1;
    (void)snprintf(place->folder, sizeof(place->folder), "%s/outbox-file-XXXXXX",
                   root ? root : "/tmp");
    if (!mkdtemp(place->folder)) {
        free(place);
        return -1;
    }
    (void)snprintf(place->path, sizeof(place->path), "%s/events.ndjson", place->folder);
    atomic_store(&file_syncs, 0);
    *state = place;
    return 0;
}

int place_remove(void **state)
{
    struct place *place = *state;
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    atomic_store(&file_failing_syncs, 0);
    (void)setrlimit(RLIMIT_FSIZE, &all);
    char disk[320];
    (void)snprintf(disk, sizeof(disk), "%s/disk", place->folder);
    (void)umount2(disk, MNT_DETACH);
    int failed = nftw(place->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    free(place);
    return failed;
}

void assert_content(const char *path, const char *expected)
{
    size_t len;
    char *text = file_content(path, &len);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

void place_numbered(char name[320], const struct place *place, int number)
{
    (void)snprintf(name, 320, "%s.%d", place->path, number);
}

/* All lines of the rotated files and the current one, oldest first. */
json_t *place_lines(const struct place *place, int most)
{
    json_t *all = json_array();
    for (int number = most; number >= 0; number--) {
        char name[320];
        if (number > 0)
            place_numbered(name, place, number);
        else
            (void)snprintf(name, sizeof(name), "%s", place->path);
        if (access(name, F_OK) != 0)
            continue;
        json_t *lines = lines_of_file(name);
        assert_int_equal(json_array_extend(all, lines), 0);
        json_decref(lines);
    }
    return all;
}

struct sending *finish_new(struct subject *subject, const char *prefix, uint64_t count,
                           uint64_t size)
{
    struct sending *sending = sending_new(subject, prefix, count, size, 60 * SECOND);
    sending_finish(sending);
    return sending;
}

void finish_acked(struct subject *subject, const char *prefix, uint64_t count, uint64_t size)
{
    struct sending *sending = finish_new(subject, prefix, count, size);
    assert_int_equal(sending_count(sending, OUTBOX_ACKED), count);
    assert_int_equal(sending->calls, 1);
    sending_free(&sending);
}
