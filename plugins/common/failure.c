/*
 * failure.c - why a call of the operating system failed, in words
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"

#include <errno.h>

const char *errno_name(int number, char space[16])
{
    static const struct {
        int number;
        const char *name;
    } known[] = {
        {EACCES, "EACCES"},
        {EAGAIN, "EAGAIN"},
        {EBADF, "EBADF"},
        {EDQUOT, "EDQUOT"},
        {EFBIG, "EFBIG"},
        {EINVAL, "EINVAL"},
        {EIO, "EIO"},
        {EISDIR, "EISDIR"},
        {ELOOP, "ELOOP"},
        {EMFILE, "EMFILE"},
        {ENFILE, "ENFILE"},
        {ENOENT, "ENOENT"},
        {ENOLCK, "ENOLCK"},
        {ENOMEM, "ENOMEM"},
        {ENOSPC, "ENOSPC"},
        {ENOTDIR, "ENOTDIR"},
        {ENXIO, "ENXIO"},
        {EPERM, "EPERM"},
        {EPIPE, "EPIPE"},
        {EROFS, "EROFS"},
        {ESTALE, "ESTALE"},
        {ETIMEDOUT, "ETIMEDOUT"},
        {ECONNRESET, "ECONNRESET"},
        {ENAMETOOLONG, "ENAMETOOLONG"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].number == number)
            return known[i].name;
    }
    (void)snprintf(space, 16, "%d", number);
    return space;
}

void failure_of_errno(struct failure *failure, int number, const char *doing, const char *subject,
                      const char *remedy)
{
    char reason[128], name[16];
    failure->number = number;
    (void)snprintf(failure->text, sizeof(failure->text), "%s %.256s: %s (%s)%s%s", doing, subject,
                   strerror_r(number, reason, sizeof(reason)), errno_name(number, name),
                   remedy ? "; " : "", remedy ? remedy : "");
}

enum outbox_status failure_report(const struct failure *failure, enum outbox_status status,
                                  struct outbox_error *error)
{
    char name[16];
    return outbox_fail(error, status, failure->number ? errno_name(failure->number, name) : "",
                       "%s", failure->text);
}
