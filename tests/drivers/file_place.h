/*
 * file_place.h - a folder for one test of the publisher of files, and a disk that can fail
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FILE_PLACE_H
#define TESTS_FILE_PLACE_H

#include "publisher_host.h"
#include "publisher_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
/* After those that it needs. */
#include <cmocka.h>

#define SETTINGS(...) ((const struct outbox_setting[]){__VA_ARGS__, {0}})

/* The state of a test: a folder of its own and the path of a file in it, which is not there yet. */
struct place {
    char folder[256];
    char path[300];
};

int place_make(void **state);
int place_remove(void **state);
#define file_test(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)

/* Calls of fdatasync() in this test so far, and how many of the next ones fail with EIO. */
extern atomic_int file_syncs, file_failing_syncs;

/* The path of a rotated file. */
void place_numbered(char name[320], const struct place *place, int number);

/* All lines of the rotated files, up to number `most`, and of the current one, oldest first. */
json_t *place_lines(const struct place *place, int most);

void assert_content(const char *path, const char *expected);

/* Publishes a new batch and waits for it; the second checks that all of it is ACKED, in one call.
 */
struct sending *finish_new(struct subject *subject, const char *prefix, uint64_t count,
                           uint64_t size);
void finish_acked(struct subject *subject, const char *prefix, uint64_t count, uint64_t size);

#endif
