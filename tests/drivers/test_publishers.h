/*
 * test_publishers.h - the groups of tests, one for each publisher
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_TEST_PUBLISHERS_H
#define TESTS_TEST_PUBLISHERS_H

/* Each returns how many of its tests have failed. */
int test_publisher_null(void);
int test_publisher_stdout(void);
int test_publisher_file(void);
int test_publisher_disk(void);

#endif
