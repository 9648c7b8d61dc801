/*
 * main.c - sets the process up and hands over to the command line
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

/* Whatever is opened next would take the place of a standard stream that was closed, and what is
 * printed would go there. The place is filled the wrong way round, so that its use still fails. */
static bool fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    sigset_t stops;

    if (!fill_standard_streams())
        return CLI_FAILED; /* there is nowhere to say why */

    /* Threads share two arenas: one each would keep more memory than the events in flight. */
    (void)mallopt(M_ARENA_MAX, 2);

    /* Drivers may start threads, and a thread inherits what is blocked here. */
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &stops, NULL);
    (void)signal(SIGPIPE, SIG_IGN);

    return cli_main(argc, argv);
}
