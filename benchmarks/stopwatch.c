/*
 * stopwatch.c - runs a command and writes what it took, from a process too small to blur its memory
 * SPDX-License-Identifier: MIT
 *
 * The kernel counts the memory that a process had before it became another program into its peak.
 * Started from an interpreter, every small program would look as large as the interpreter.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int write_figures(const char *path, int status, double wall, const struct rusage *usage)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        fprintf(stderr, "stopwatch: %s: %s\n", path, strerror(errno));
        return EXIT_FAILURE;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(file, "{\"status\": %d, \"wall\": %.6f, \"cpu\": %.6f, \"peak_kib\": %ld}\n", code,
            wall, seconds_of(usage->ru_utime) + seconds_of(usage->ru_stime), usage->ru_maxrss);
    return fclose(file) == 0 ? code : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s FILE COMMAND [ARGUMENT...]\n", argv[0]);
        return 2;
    }
    double started = now();
    pid_t child;
    int failed = posix_spawnp(&child, argv[2], NULL, NULL, argv + 2, environ);
    if (failed) {
        fprintf(stderr, "stopwatch: %s: %s\n", argv[2], strerror(failed));
        return 127;
    }
    int status = 0;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) != child) {
        fprintf(stderr, "stopwatch: wait for %s: %s\n", argv[2], strerror(errno));
        return EXIT_FAILURE;
    }
    return write_figures(argv[1], status, now() - started, &usage);
}
