/*
 * main.c - sets the process up and hands over to the command line
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"

#include <malloc.h>
#include <signal.h>

int main(int argc, char **argv)
{
    sigset_t stops;

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
