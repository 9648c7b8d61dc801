/*
 * help.c - the texts of --help
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"

#define TITLE_WIDTH 27

struct common_help {
    unsigned bit; /* 0: every command has it */
    const char *title, *help;
};

static const struct common_help common_help[] = {
    {CLI_CONFIG, "-c, --config FILE",
     "configuration; else $OUTBOX_CONFIG, else /etc/outbox/relay.json"},
    {CLI_CONFIG, "    --set KEY=VALUE", "override a value, as in pipelines.0.claim.workers=4"},
    {CLI_PIPELINE, "-p, --pipeline NAME", "only this pipeline"},
    {CLI_JSON, "    --json", "print JSON, for machines"},
    {0, "-h, --help", "show this help"},
};

static void print_line(FILE *out, const char *title, const char *help)
{
    (void)fprintf(out, "  %-*s %s\n", TITLE_WIDTH, title, help);
}

static void print_common(FILE *out, unsigned bits)
{
    for (size_t i = 0; i < sizeof(common_help) / sizeof(*common_help); i++)
        if (!common_help[i].bit || (common_help[i].bit & bits))
            print_line(out, common_help[i].title, common_help[i].help);
}

void help_print(FILE *out, const struct cli_command *const *commands, size_t count)
{
    (void)fputs("Usage: outbox-relay [OPTION...] COMMAND [OPTION...]\n"
                "Relays events from a transactional outbox to a message broker.\n\n"
                "Commands:\n",
                out);
    for (size_t i = 0; i < count; i++)
        print_line(out, commands[i]->name, commands[i]->summary);
    (void)fputs("\nOptions of most commands:\n", out);
    print_common(out, CLI_CONFIG | CLI_PIPELINE | CLI_JSON);
    print_line(out, "-V, --version", "show the version");
    (void)fputs("\nExit status: 0 done, 1 failed at run time, 2 usage or configuration error.\n"
                "Example: outbox-relay demo    (needs no server)\n"
                "Each command has a --help of its own: outbox-relay run --help\n",
                out);
}

void help_print_command(FILE *out, const struct cli_command *command)
{
    char title[64];

    (void)fprintf(out, "Usage: outbox-relay %s [OPTION...]%s%s\n%s\n\nOptions:\n", command->name,
                  command->argument ? " " : "", command->argument ? command->argument : "",
                  command->about);
    for (const struct cli_flag *flag = command->flags; flag && flag->name; flag++) {
        (void)snprintf(title, sizeof(title), "    --%s%s%s", flag->name, flag->argument ? " " : "",
                       flag->argument ? flag->argument : "");
        print_line(out, title, flag->help);
    }
    print_common(out, command->common);
    (void)fprintf(out, "\nExample:\n%s\n", command->example);
}
