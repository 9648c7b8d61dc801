/*
 * regular_file.h - opens files that are read to their end
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_REGULAR_FILE_H
#define CORE_REGULAR_FILE_H

#include <sys/types.h>

/* Opens for reading, never waiting: a pipe or a device could hold up the relay for ever, so it is
 * refused. -1 with the reason, valid until the next call of strerror(); else `*size` in bytes. */
int regular_file_open(const char *path, off_t *size, const char **reason)
    __attribute__((warn_unused_result));

#endif
