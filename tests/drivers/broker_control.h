/*
 * broker_control.h - asks the test that started this program to do something to the broker
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_BROKER_CONTROL_H
#define TESTS_BROKER_CONTROL_H

/* What the program was told of the broker, by environment variables; NULL where it was not. */
const char *broker_settings(void); /* JSON: the publisher section, OUTBOX_TEST_PUBLISHER */
const char *broker_topic(void);    /* OUTBOX_TEST_TOPIC */
const char *broker_bad_name(void); /* a header name that it cannot carry, OUTBOX_TEST_BAD_HEADER */
const char *broker_run(void);      /* of these tests, makes ids unique: OUTBOX_TEST_RUN */

/* `what` is "pause", "resume", "kill" or "start". Returns when it is done. */
void broker_ask(const char *what);

#endif
