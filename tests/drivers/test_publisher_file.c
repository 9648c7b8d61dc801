/*
 * test_publisher_file.c - the publisher that appends to a file
 * SPDX-License-Identifier: MIT
 */
#include "file_place.h"
#include "test_publishers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* ---- Appending ---------------------------------------------------------------------------- */

static void lines_are_appended_and_on_disk_before_they_are_acked(void **state)
{
    struct place *place = *state;
    struct subject subject;
    write_file(place->path, "{\"id\":\"before\"}\n");
    subject_open(&subject, "file", SETTINGS({.name = "path", .text = place->path}));
    finish_acked(&subject, "a", 2000, 512);
    assert_int_equal(atomic_load(&file_syncs), 1);
    finish_acked(&subject, "b", 1, 1);
    assert_int_equal(atomic_load(&file_syncs), 2);
    subject_close(&subject);
    json_t *lines = lines_of_file(place->path);
    assert_int_equal(json_array_size(lines), 2002);
    assert_true(lines_in_order(lines, "a", 2000));
    assert_true(lines_in_order(lines, "b", 1));
    json_decref(lines);
}

static void without_sync_the_disk_is_not_waited_for(void **state)
{
    struct place *place = *state;
    struct subject subject;
    subject_open(&subject, "file",
                 SETTINGS({.name = "path", .text = place->path}, {.name = "sync", .integer = 0}));
    finish_acked(&subject, "a", 10, 1);
    subject_close(&subject);
    assert_int_equal(atomic_load(&file_syncs), 0);
}

static void raw_appends_the_payload(void **state)
{
    struct place *place = *state;
    struct subject subject;
    subject_open(
        &subject, "file",
        SETTINGS({.name = "path", .text = place->path}, {.name = "format", .text = "raw"}));
    finish_acked(&subject, "a", 3, 2);
    subject_close(&subject);
    assert_content(place->path, "aa\nbb\ncc\n");
}

static void a_new_file_has_the_mode_whatever_the_umask(void **state)
{
    struct place *place = *state;
    struct subject subject;
    struct stat info;
    mode_t before = umask(077);
    subject_open(&subject, "file",
                 SETTINGS({.name = "path", .text = place->path}, {.name = "mode", .text = "0664"}));
    finish_acked(&subject, "a", 1, 1);
    (void)umask(before);
    subject_close(&subject);
    assert_int_equal(stat(place->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0664);
}

static void a_line_torn_by_a_crash_stays_alone(void **state)
{
    struct place *place = *state;
    struct subject subject;
    write_file(place->path, "whole\nhal");
    subject_open(
        &subject, "file",
        SETTINGS({.name = "path", .text = place->path}, {.name = "format", .text = "raw"}));
    finish_acked(&subject, "a", 2, 1);
    assert_int_equal(subject.logged, 1);
    subject_close(&subject);
    assert_content(place->path, "whole\nhal\na\nb\n");
}

static void settings_that_cannot_be_are_refused(void **state)
{
    static const char *const modes[] = {"", "8", "rw", "01777", "00640", "0x1"};
    struct place *place = *state;
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(subject_try_open(&subject, "file",
                                          SETTINGS({.name = "path", .text = place->path},
                                                   {.name = "mode", .text = modes[i]}),
                                          &error),
                         OUTBOX_INVALID);
        assert_non_null(strstr(error.text, "\"mode\""));
        subject_close(&subject);
    }
    const char *const paths[] = {"", place->folder, "events/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(subject_try_open(&subject, "file",
                                          SETTINGS({.name = "path", .text = paths[i]}), &error),
                         OUTBOX_INVALID);
        assert_non_null(strstr(error.text, "\"path\""));
        subject_close(&subject);
    }
}

/* ---- Other hands on the file -------------------------------------------------------------- */

static void a_file_renamed_or_removed_by_others_is_made_anew(void **state)
{
    struct place *place = *state;
    struct subject subject;
    char rotated[320];
    place_numbered(rotated, place, 9);
    subject_open(&subject, "file", SETTINGS({.name = "path", .text = place->path}));
    finish_acked(&subject, "a", 3, 1);
    assert_int_equal(rename(place->path, rotated), 0);
    finish_acked(&subject, "b", 3, 1);
    json_t *old = lines_of_file(rotated), *new = lines_of_file(place->path);
    assert_int_equal(json_array_size(old), 3);
    assert_true(lines_in_order(new, "b", 3));
    json_decref(old);
    json_decref(new);

    assert_int_equal(unlink(place->path), 0);
    finish_acked(&subject, "c", 3, 1);
    new = lines_of_file(place->path);
    assert_int_equal(json_array_size(new), 3);
    assert_true(lines_in_order(new, "c", 3));
    json_decref(new);
    subject_close(&subject);
}

static void a_file_that_others_truncate_goes_on_from_its_start(void **state)
{
    struct place *place = *state;
    struct subject subject;
    subject_open(&subject, "file", SETTINGS({.name = "path", .text = place->path}));
    finish_acked(&subject, "a", 3, 100);
    assert_int_equal(truncate(place->path, 0), 0);
    finish_acked(&subject, "b", 1, 1);
    subject_close(&subject);
    json_t *lines = lines_of_file(place->path);
    assert_int_equal(json_array_size(lines), 1);
    json_decref(lines);
}

static void a_lock_held_by_another_ends_with_the_deadline(void **state)
{
    struct place *place = *state;
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    write_file(place->path, "");
    int fd = open(place->path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    subject_open(&subject, "file", SETTINGS({.name = "path", .text = place->path}));
    struct sending *sending = sending_new(&subject, "a", 3, 1, SECOND / 20);
    assert_int_equal(sending_publish(sending, &error), OUTBOX_UNAVAILABLE);
    assert_string_equal(error.native, "ETIMEDOUT");
    assert_true(subject.host.now(&subject.host) >= sending->batch.deadline);
    assert_int_equal(sending_ended(sending), 0);
    sending_free(&sending);
    (void)close(fd);
    finish_acked(&subject, "b", 3, 1);
    subject_close(&subject);
}

static void a_pipe_of_that_name_is_refused_without_waiting(void **state)
{
    struct place *place = *state;
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(mkfifo(place->path, 0600), 0);
    subject_open(&subject, "file", SETTINGS({.name = "path", .text = place->path}));
    assert_int_equal(subject_ping(&subject, &error), OUTBOX_INVALID);
    struct sending *sending = sending_new(&subject, "a", 1, 1, SECOND);
    assert_int_equal(sending_publish(sending, &error), OUTBOX_UNAVAILABLE);
    assert_non_null(strstr(error.text, "not a regular file"));
    sending_free(&sending);
    subject_close(&subject);
}

static void a_missing_folder_is_named_and_its_coming_noticed(void **state)
{
    struct place *place = *state;
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    char folder[320], path[400];
    (void)snprintf(folder, sizeof(folder), "%s/later", place->folder);
    (void)snprintf(path, sizeof(path), "%s/events", folder);
    subject_open(&subject, "file", SETTINGS({.name = "path", .text = path}));
    assert_int_equal(subject_ping(&subject, &error), OUTBOX_SCHEMA);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, "create its folder"));
    struct sending *sending = sending_new(&subject, "a", 1, 1, SECOND);
    assert_int_equal(sending_publish(sending, &error), OUTBOX_UNAVAILABLE);
    assert_non_null(strstr(error.text, "create its folder"));
    assert_int_equal(sending_ended(sending), 0);
    sending_free(&sending);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(subject_ping(&subject, &error), OUTBOX_OK);
    assert_int_not_equal(access(path, F_OK), 0);
    finish_acked(&subject, "b", 1, 1);
    subject_close(&subject);
}

/* ---- Rotation ----------------------------------------------------------------------------- */

static void rotation_splits_between_lines_and_loses_none(void **state)
{
    struct place *place = *state;
    struct subject subject;
    subject_open(&subject, "file",
                 SETTINGS({.name = "path", .text = place->path},
                          {.name = "max_size", .integer = 5000},
                          {.name = "keep", .integer = 1000}));
    finish_acked(&subject, "a", 300, 100);
    finish_acked(&subject, "large", 2, 9000);
    finish_acked(&subject, "b", 300, 100);
    subject_close(&subject);
    int number = 1;
    char name[320];
    struct stat info;
    for (place_numbered(name, place, number); stat(name, &info) == 0;
         place_numbered(name, place, number)) {
        json_t *lines = lines_of_file(name);
        assert_true(info.st_size <= 5000 || json_array_size(lines) == 1);
        json_decref(lines);
        number++;
    }
    assert_in_range(number, 10, 100);
    json_t *all = place_lines(place, number);
    assert_int_equal(json_array_size(all), 602);
    assert_true(lines_in_order(all, "a", 300));
    assert_true(lines_in_order(all, "b", 300));
    json_decref(all);
}

static void rotation_keeps_so_many_files(void **state)
{
    struct place *place = *state;
    struct subject subject;
    char name[320];
    subject_open(&subject, "file",
                 SETTINGS({.name = "path", .text = place->path}, {.name = "format", .text = "raw"},
                          {.name = "max_size", .integer = 4}, {.name = "keep", .integer = 2}));
    finish_acked(&subject, "a", 5, 3);
    subject_close(&subject);
    assert_content(place->path, "eee\n");
    place_numbered(name, place, 1);
    assert_content(name, "ddd\n");
    place_numbered(name, place, 2);
    assert_content(name, "ccc\n");
    place_numbered(name, place, 3);
    assert_int_not_equal(access(name, F_OK), 0);
}

/* A folder stands where the rotated file should go. */
static void a_rotation_that_fails_loses_nothing(void **state)
{
    struct place *place = *state;
    struct subject subject;
    char name[320];
    place_numbered(name, place, 1);
    assert_int_equal(mkdir(name, 0700), 0);
    subject_open(&subject, "file",
                 SETTINGS({.name = "path", .text = place->path}, {.name = "format", .text = "raw"},
                          {.name = "max_size", .integer = 8}, {.name = "keep", .integer = 1}));
    struct sending *sending = finish_new(&subject, "a", 5, 3);
    assert_int_equal(sending_prefix(sending, OUTBOX_ACKED), 2);
    assert_int_equal(sending_count(sending, OUTBOX_AWAY), 3);
    assert_non_null(strstr(sending->endings[2].reason, "EISDIR"));
    assert_content(place->path, "aaa\nbbb\n");
    sending_free(&sending);
    assert_int_equal(rmdir(name), 0);
    finish_acked(&subject, "b", 1, 3);
    subject_close(&subject);
    assert_content(place->path, "aaa\n");
    assert_content(name, "aaa\nbbb\n");
}

/* ---- Many --------------------------------------------------------------------------------- */

struct publishing {
    struct subject *subject;
    int number;
    pthread_t thread;
};

static void *publish_batches(void *argument)
{
    struct publishing *publishing = argument;
    for (int i = 0; i < 5; i++) {
        char prefix[32];
        (void)snprintf(prefix, sizeof(prefix), "p%d_%d", publishing->number, i);
        struct sending *sending = sending_new(publishing->subject, prefix, 200, 100, 60 * SECOND);
        sending_finish(sending);
        if (sending_count(sending, OUTBOX_ACKED) != 200)
            abort();
        sending_free(&sending);
    }
    return NULL;
}

/* Two pipelines share the file, with two threads each, and rotate it under each other. */
static void threads_and_pipelines_share_a_file(void **state)
{
    struct place *place = *state;
    struct subject subjects[2];
    struct publishing publishing[4];
    for (int i = 0; i < 2; i++)
        subject_open(&subjects[i], "file",
                     SETTINGS({.name = "path", .text = place->path},
                              {.name = "max_size", .integer = 30000},
                              {.name = "keep", .integer = 1000}));
    for (int i = 0; i < 4; i++) {
        publishing[i] = (struct publishing){.subject = &subjects[i % 2], .number = i};
        assert_int_equal(
            pthread_create(&publishing[i].thread, NULL, publish_batches, &publishing[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(publishing[i].thread, NULL), 0);
    subject_close(&subjects[0]);
    subject_close(&subjects[1]);

    json_t *all = place_lines(place, 1000);
    assert_int_equal(json_array_size(all), 4 * 5 * 200);
    for (int i = 0; i < 20; i++) {
        char prefix[32];
        (void)snprintf(prefix, sizeof(prefix), "p%d_%d", i / 5, i % 5);
        assert_true(lines_in_order(all, prefix, 200));
    }
    json_decref(all);
}

int test_publisher_file(void)
{
    const struct CMUnitTest tests[] = {
        file_test(lines_are_appended_and_on_disk_before_they_are_acked),
        file_test(without_sync_the_disk_is_not_waited_for),
        file_test(raw_appends_the_payload),
        file_test(a_new_file_has_the_mode_whatever_the_umask),
        file_test(a_line_torn_by_a_crash_stays_alone),
        file_test(settings_that_cannot_be_are_refused),
        file_test(a_file_renamed_or_removed_by_others_is_made_anew),
        file_test(a_file_that_others_truncate_goes_on_from_its_start),
        file_test(a_lock_held_by_another_ends_with_the_deadline),
        file_test(a_pipe_of_that_name_is_refused_without_waiting),
        file_test(a_missing_folder_is_named_and_its_coming_noticed),
        file_test(rotation_splits_between_lines_and_loses_none),
        file_test(rotation_keeps_so_many_files),
        file_test(a_rotation_that_fails_loses_nothing),
        file_test(threads_and_pipelines_share_a_file),
    };
    return cmocka_run_group_tests_name("publisher-file", tests, NULL, NULL);
}
