/*
 * regular_file.c - opens files that are read to their end
 * SPDX-License-Identifier: MIT
 */
#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int regular_file_open(const char *path, off_t *size, const char **reason)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &status) != 0)
        *reason = strerror(errno);
    else if (S_ISDIR(status.st_mode))
        *reason = strerror(EISDIR);
    else if (!S_ISREG(status.st_mode))
        *reason = "it is no regular file";
    else {
        *size = status.st_size;
        return fd;
    }
    if (fd >= 0)
        (void)close(fd);
    return -1;
}
