/*
 * broker_control.c - asks the test that started this program to do something to the broker
 * SPDX-License-Identifier: MIT
 */
#include "broker_control.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
/* After those that it needs. */
#include <cmocka.h>

const char *broker_settings(void)
{
    return getenv("OUTBOX_TEST_PUBLISHER");
}

const char *broker_topic(void)
{
    return getenv("OUTBOX_TEST_TOPIC");
}

const char *broker_bad_name(void)
{
    return getenv("OUTBOX_TEST_BAD_HEADER");
}

const char *broker_run(void)
{
    return getenv("OUTBOX_TEST_RUN");
}

/* One line there, one byte back: '+' when it is done. */
void broker_ask(const char *what)
{
    const char *descriptor = getenv("OUTBOX_TEST_CONTROL");
    char line[32], answer = 0;
    assert_non_null(descriptor);
    int fd = (int)strtol(descriptor, NULL, 10);
    int length = snprintf(line, sizeof(line), "%s\n", what);
    assert_int_equal(send(fd, line, (size_t)length, MSG_NOSIGNAL), length);
    ssize_t got = recv(fd, &answer, 1, 0);
    if (got != 1 || answer != '+')
        fail_msg("the broker was to %s: %s", what, got < 0 ? strerror(errno) : "it did not");
}
