/*
 * test_publisher_disk.c - the publisher that appends to a file, on disks that are full or fail
 * SPDX-License-Identifier: MIT
 */
#include "file_place.h"
#include "test_publishers.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was ACKED stands in the file and nothing else does; when there is room again, the rest
 * follows. */
static void check_full(struct place *place, struct subject *subject, const char *native,
                       void (*make_room)(const struct place *))
{
    enum { COUNT = 1000 };
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct sending *sending = finish_new(subject, "a", COUNT, 500);
    uint64_t acked = sending_prefix(sending, OUTBOX_ACKED);
    assert_in_range(acked, 1, COUNT - 1);
    assert_int_equal(sending_count(sending, OUTBOX_AWAY), COUNT - acked);
    assert_non_null(strstr(sending->endings[COUNT - 1].reason, native));
    sending_free(&sending);
    json_t *lines = lines_of_file(place->path);
    assert_int_equal(json_array_size(lines), acked);
    assert_true(lines_in_order(lines, "a", acked));
    json_decref(lines);

    assert_int_equal(subject_ping(subject, &error), OUTBOX_UNAVAILABLE);
    assert_string_equal(error.native, native);
    make_room(place);
    assert_int_equal(subject_ping(subject, &error), OUTBOX_OK);
    finish_acked(subject, "b", COUNT, 500);
    lines = lines_of_file(place->path);
    assert_int_equal(json_array_size(lines), acked + COUNT);
    assert_true(lines_in_order(lines, "a", acked));
    assert_true(lines_in_order(lines, "b", COUNT));
    json_decref(lines);
}

static void limit_file_size(rlim_t bytes)
{
    const struct rlimit limit = {bytes, RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void lift_limit(const struct place *place)
{
    (void)place;
    limit_file_size(RLIM_INFINITY);
}

static void a_limit_on_file_size_is_away_and_loses_nothing(void **state)
{
    struct place *place = *state;
    struct subject subject;
    for (int sync = 0; sync <= 1; sync++) {
        subject_open(
            &subject, "file",
            SETTINGS({.name = "path", .text = place->path}, {.name = "sync", .integer = sync}));
        limit_file_size(100001);
        check_full(place, &subject, "EFBIG", lift_limit);
        subject_close(&subject);
        assert_int_equal(unlink(place->path), 0);
    }
}

static void enlarge_disk(const struct place *place)
{
    char folder[320];
    (void)snprintf(folder, sizeof(folder), "%s/disk", place->folder);
    assert_int_equal(mount("none", folder, "tmpfs", MS_REMOUNT, "size=8m"), 0);
}

static void a_full_disk_is_away_and_loses_nothing(void **state)
{
    struct place *place = *state, disk = *place;
    struct subject subject;
    char folder[320];
    (void)snprintf(folder, sizeof(folder), "%s/disk", place->folder);
    (void)snprintf(disk.path, sizeof(disk.path), "%.250s/disk/events", place->folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    if (mount("none", folder, "tmpfs", 0, "size=128k") != 0)
        skip();
    subject_open(&subject, "file", SETTINGS({.name = "path", .text = disk.path}));
    check_full(&disk, &subject, "ENOSPC", enlarge_disk);
    subject_close(&subject);
}

static void what_the_disk_did_not_take_is_not_acked(void **state)
{
    struct place *place = *state;
    struct subject subject;
    subject_open(
        &subject, "file",
        SETTINGS({.name = "path", .text = place->path}, {.name = "format", .text = "raw"}));
    finish_acked(&subject, "a", 2, 1);
    atomic_store(&file_failing_syncs, 1);
    struct sending *sending = finish_new(&subject, "b", 1000, 2000);
    assert_int_equal(sending_count(sending, OUTBOX_AWAY), 1000);
    assert_non_null(strstr(sending->endings[0].reason, "EIO"));
    sending_free(&sending);
    assert_content(place->path, "a\nb\n");
    finish_acked(&subject, "c", 1, 1);
    subject_close(&subject);
    assert_content(place->path, "a\nb\na\n");
}

static void a_disk_that_fails_within_a_rotation_keeps_what_it_took(void **state)
{
    struct place *place = *state;
    struct subject subject;
    char name[320];
    place_numbered(name, place, 1);
    subject_open(&subject, "file",
                 SETTINGS({.name = "path", .text = place->path}, {.name = "format", .text = "raw"},
                          {.name = "max_size", .integer = 4}));
    finish_acked(&subject, "a", 1, 3);
    atomic_store(&file_failing_syncs, 1);
    struct sending *sending = finish_new(&subject, "b", 3, 3);
    assert_int_equal(sending_count(sending, OUTBOX_AWAY), 3);
    sending_free(&sending);
    assert_content(place->path, "");
    assert_content(name, "aaa\n");
    subject_close(&subject);
}

int test_publisher_disk(void)
{
    const struct CMUnitTest tests[] = {
        file_test(a_limit_on_file_size_is_away_and_loses_nothing),
        file_test(a_full_disk_is_away_and_loses_nothing),
        file_test(what_the_disk_did_not_take_is_not_acked),
        file_test(a_disk_that_fails_within_a_rotation_keeps_what_it_took),
    };
    return cmocka_run_group_tests_name("publisher-file, disks", tests, NULL, NULL);
}
