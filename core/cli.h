/*
 * cli.h - what every command has in common
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CLI_H
#define CORE_CLI_H

#include "config.h"
#include "plugins.h"

#include <jansson.h>
#include <outbox/plugin.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit statuses. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* A long option of one command. */
struct cli_flag {
    const char *name;
    const char *argument; /* NULL: takes none; "[X]": may have one */
    bool repeats;
    const char *help;
};

/* Which common options a command has. --help is always there. */
enum { CLI_CONFIG = 1u << 0, CLI_PIPELINE = 1u << 1, CLI_JSON = 1u << 2 };

struct cli;

struct cli_command {
    const char *name;
    const char *summary;  /* one line, in the list of commands */
    const char *argument; /* the one word it may have behind its options, "[NAME]"; NULL: none */
    const char *about;    /* paragraphs of its --help */
    const char *example;  /* lines of its --help */
    unsigned common;      /* CLI_CONFIG ... */
    bool holds_signals;   /* takes SIGTERM, SIGINT and SIGHUP itself: they stay blocked */
    const struct cli_flag *flags; /* ends with a NULL name; NULL: none */
    int (*run)(struct cli *cli);  /* returns an exit status */
};

struct cli_given {
    const struct cli_flag *flag;
    const char *value; /* NULL: none was given */
};

/* A command line, taken apart. */
struct cli {
    const struct cli_command *command;
    const char *config_path; /* never NULL */
    bool config_chosen;      /* by -c or $OUTBOX_CONFIG, not the default */
    unsigned common;         /* the common options that were given */
    const char *pipeline;
    const char **set;
    size_t set_count;
    bool json;
    const char *argument;
    struct cli_given *given;
    size_t given_count;
};

/* The whole program after main() has set the process up. */
int cli_main(int argc, char **argv);

bool cli_has(const struct cli *cli, const char *flag);
const char *cli_value(const struct cli *cli, const char *flag); /* the last one given, or NULL */

/* Reads a whole number of [lowest, highest] from a flag that has a value; `*number` keeps what it
 * is if the flag was not given. False after having said what is wrong. */
bool cli_number(const struct cli *cli, const char *flag, long long lowest, long long highest,
                long long *number) __attribute__((warn_unused_result));

/* The same for a duration, as in 7d. */
bool cli_duration(const struct cli *cli, const char *flag, int64_t *nanoseconds)
    __attribute__((warn_unused_result));

/* "outbox-relay: ..." on standard error, control characters made visible. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with a pointer to --help; returns CLI_USAGE. */
int cli_usage_error(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The configuration and the drivers that it names. */
struct cli_setup {
    struct plugins *plugins;
    struct config *config;
};

/* Reads the configuration. CLI_DONE, or the exit status after every mistake was printed. */
int cli_load(const struct cli *cli, struct cli_setup *setup) __attribute__((warn_unused_result));
void cli_unload(struct cli_setup *setup);
struct config_source cli_source(const struct cli *cli);

/* Whether a driver's open failed for what the configuration says: trying again does not help. */
static inline bool cli_is_mistake(enum outbox_status status)
{
    return status == OUTBOX_INVALID || status == OUTBOX_UNSUPPORTED;
}

/* The only pipeline there is, or NULL after having said that one must be picked. */
const struct pipeline_config *cli_one_pipeline(const struct cli *cli, const struct config *config)
    __attribute__((warn_unused_result));

/* Prints the document on one line and releases it; NULL counts as out of memory. */
int cli_print_json(json_t *document) __attribute__((warn_unused_result));

/* A JSON string of text that need not be UTF-8. */
json_t *cli_json_text(const char *text);

/* The texts of --help (help.c). */
void cli_help(FILE *out);
void help_print(FILE *out, const struct cli_command *const *commands, size_t count);
void help_print_command(FILE *out, const struct cli_command *command);

extern const struct cli_command command_run, command_check, command_init, command_enqueue,
    command_stats, command_prune, command_partitions, command_plugins, command_demo;

#endif
