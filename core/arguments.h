/*
 * arguments.h - takes a command line apart
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_ARGUMENTS_H
#define CORE_ARGUMENTS_H

#include "cli.h"

#define ARGUMENTS_GO_ON (-1)

/* Reads options from argv[1] on: of the command once cli->command is set (then also its one word),
 * before that the common ones, up to the first word, whose place goes to *next. Returns
 * ARGUMENTS_GO_ON, or the exit status after --help, --version or a mistake. */
int arguments_read(struct cli *cli, int argc, char **argv, int *next)
    __attribute__((warn_unused_result));

/* After both readings: whether the command has the common options that were given. */
int arguments_check(const struct cli *cli) __attribute__((warn_unused_result));

#endif
