/*
 * test_publishers.c - the publishers that need no broker
 * SPDX-License-Identifier: MIT
 *
 * Run as: test_publishers FOLDER [NAME], FOLDER being plugins/ of a build folder.
 */
#include "test_publishers.h"

#include "publisher_host.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } groups[] = {{"null", test_publisher_null},
                  {"stdout", test_publisher_stdout},
                  {"file", test_publisher_file},
                  {"file", test_publisher_disk}};
    int failed = 0;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s FOLDER [NAME]\n", argv[0]);
        return 2;
    }
    /* However this program was started: a write that fails must not end the relay. */
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
    subject_use_folder(argv[1]);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (argc < 3 || strcmp(argv[2], groups[i].name) == 0)
            failed += groups[i].run();
    }
    return failed != 0;
}
