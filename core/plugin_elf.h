/*
 * plugin_elf.h - whether a file is whole enough to be loaded
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_PLUGIN_ELF_H
#define CORE_PLUGIN_ELF_H

#include <outbox/types.h>
#include <stdbool.h>

/* Whether `path` is a regular file that holds all of the shared object that its header announces.
 * Loading a file that was cut would end the process. False with the reason in `error`. */
bool plugin_elf_check(const char *path, struct outbox_error *error)
    __attribute__((warn_unused_result));

#endif
