/*
 * template_oracle.h - templates and patterns as their documentation reads, to test by
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_TEMPLATE_ORACLE_H
#define TESTS_TEMPLATE_ORACLE_H

#include <outbox/types.h>

/* What the core makes of the template, against what the oracle does; `header` is the value of the
 * header "h" of an event that has not every field. NULL: the same, else how they differ. */
const char *template_disagreement(const char *text, struct outbox_slice header);

/* The same for a pattern; long ones are not looked at. */
const char *glob_disagreement(struct outbox_slice pattern, struct outbox_slice text);

/* The same for whether a text is JSON, by jansson. */
const char *json_disagreement(struct outbox_slice text);

#endif
