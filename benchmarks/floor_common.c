/*
 * floor_common.c - what the floors share: their arguments, a clock and the report
 * SPDX-License-Identifier: MIT
 */
#include "floor_common.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: %s --url URL [--table NAME] [--mode lease|hold] [--delivered keep|delete]\n"
    "          [--settle-by row|id] [--connections N] [--batch N]\n"
    "Drains the pending events of a table without publishing them and prints how long it took.\n";

static bool parse_number(const char *text, unsigned maximum, unsigned *number)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value == 0 || value > maximum)
        return false;
    *number = (unsigned)value;
    return true;
}

static bool parse_choice(const char *text, const char *no, const char *yes, bool *chosen)
{
    *chosen = strcmp(text, yes) == 0;
    return *chosen || strcmp(text, no) == 0;
}

/* The name goes into SQL text, so only what needs no quoting is taken. */
static bool is_plain_name(const char *name)
{
    if (!isalpha((unsigned char)name[0]) || strlen(name) > 63)
        return false;
    for (const char *at = name; *at; at++)
        if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '_')
            return false;
    return true;
}

static bool parse_option(int letter, const char *text, struct floor_options *options)
{
    switch (letter) {
    case 'u':
        options->url = text;
        return true;
    case 't':
        options->table = text;
        return is_plain_name(text);
    case 'm':
        return parse_choice(text, "lease", "hold", &options->hold);
    case 'd':
        return parse_choice(text, "keep", "delete", &options->delete_settled);
    case 's':
        return parse_choice(text, "row", "id", &options->by_id);
    case 'c':
        return parse_number(text, FLOOR_MAX_CONNECTIONS, &options->connections);
    case 'b':
        return parse_number(text, FLOOR_MAX_BATCH, &options->batch);
    default:
        return false;
    }
}

int floor_options_parse(int argc, char **argv, struct floor_options *options, bool *done)
{
    static const struct option names[] = {
        {"url", required_argument, NULL, 'u'},
        {"table", required_argument, NULL, 't'},
        {"mode", required_argument, NULL, 'm'},
        {"delivered", required_argument, NULL, 'd'},
        {"settle-by", required_argument, NULL, 's'},
        {"connections", required_argument, NULL, 'c'},
        {"batch", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct floor_options){.table = "openoutbox_events", .connections = 1, .batch = 500};
    *done = false;
    for (int letter; (letter = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (letter == 'h') {
            *done = true;
            printf(usage, argv[0]);
            return 0;
        }
        if (!parse_option(letter, optarg, options)) {
            if (letter != '?')
                fprintf(stderr, "%s: \"%s\" is not possible here; see --help\n", argv[0], optarg);
            return 2;
        }
    }
    if (options->url && optind == argc)
        return 0;
    fprintf(stderr, usage, argv[0]);
    return 2;
}

int64_t floor_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void floor_report(const struct floor_options *options, uint64_t events, int64_t elapsed)
{
    printf("{\"mode\": \"%s\", \"delivered\": \"%s\", \"connections\": %u, \"batch\": %u, "
           "\"events\": %" PRIu64 ", \"seconds\": %.6f}\n",
           options->hold ? "hold" : "lease", options->delete_settled ? "delete" : "keep",
           options->connections, options->batch, events, (double)elapsed / 1e9);
}
