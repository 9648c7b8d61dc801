/*
 * arguments.c - takes a command line apart
 * SPDX-License-Identifier: MIT
 */
#include "arguments.h"

#include "nearest.h"

#include <getopt.h>
#include <stdlib.h>

enum { CODE_SET = 1000, CODE_JSON, CODE_FLAG = 2000 };
#define OPTIONS_MAX 32

static const struct option common_options[] = {
    {"config", required_argument, NULL, 'c'},   {"pipeline", required_argument, NULL, 'p'},
    {"set", required_argument, NULL, CODE_SET}, {"json", no_argument, NULL, CODE_JSON},
    {"help", no_argument, NULL, 'h'},           {"version", no_argument, NULL, 'V'},
};
#define COMMON_COUNT (sizeof(common_options) / sizeof(*common_options))

/* All long options that hold for now; the array stays ended by a zeroed one. */
static size_t list_options(const struct cli_command *command, struct option options[OPTIONS_MAX])
{
    size_t count = COMMON_COUNT;

    memset(options, 0, OPTIONS_MAX * sizeof(*options));
    memcpy(options, common_options, sizeof(common_options));
    for (size_t i = 0; command && command->flags && command->flags[i].name; i++) {
        const struct cli_flag *flag = &command->flags[i];
        if (count + 1 == OPTIONS_MAX)
            abort();
        options[count].name = flag->name;
        options[count].has_arg = !flag->argument            ? no_argument
                                 : flag->argument[0] == '[' ? optional_argument
                                                            : required_argument;
        options[count++].val = CODE_FLAG + (int)i;
    }
    return count;
}

/* What getopt_long() could not make out: unknown, ambiguous, or a value where none belongs. */
static int refuse_option(const struct cli *cli, const struct option *options, size_t count,
                         const char *word)
{
    char name[64];
    struct nearest nearest;
    size_t begin_alike = 0;

    if (strncmp(word, "--", 2) != 0)
        return cli_usage_error(cli, "unknown option '-%c'", optopt);
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    if (optopt != 0)
        return cli_usage_error(cli, "option '--%s' takes no value", name);

    nearest_init(&nearest, name);
    for (size_t i = 0; i < count; i++) {
        begin_alike += strncmp(options[i].name, name, strlen(name)) == 0;
        nearest_offer(&nearest, options[i].name);
    }
    if (begin_alike > 1)
        return cli_usage_error(cli, "option '--%s' is ambiguous: write more of it", name);
    if (nearest.best)
        return cli_usage_error(cli, "unknown option '--%s'; did you mean '--%s'?", name,
                               nearest.best);
    return cli_usage_error(cli, "unknown option '--%s'", name);
}

static int keep_set(struct cli *cli, const char *value)
{
    const char **grown;

    if (!strchr(value, '=') || value[0] == '=')
        return cli_usage_error(cli, "--set '%s' is not KEY=VALUE, as in --set log.level=debug",
                               value);
    grown = reallocarray(cli->set, cli->set_count + 1, sizeof(*grown));
    if (!grown) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    cli->set = grown;
    cli->set[cli->set_count++] = value;
    return ARGUMENTS_GO_ON;
}

static int keep_flag(struct cli *cli, const struct cli_flag *flag, const char *value)
{
    struct cli_given *grown;

    if (!flag->repeats && cli_has(cli, flag->name))
        return cli_usage_error(cli, "option '--%s' is given twice", flag->name);
    grown = reallocarray(cli->given, cli->given_count + 1, sizeof(*grown));
    if (!grown) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    cli->given = grown;
    cli->given[cli->given_count++] = (struct cli_given){flag, value};
    return ARGUMENTS_GO_ON;
}

/* getopt_long() takes an optional value only behind '='; a word that follows is meant as one, too,
 * where the command has no use for a word of its own. */
static const char *optional_value(const struct cli *cli, const struct cli_flag *flag, int argc,
                                  char **argv)
{
    if (optarg || !flag->argument || flag->argument[0] != '[' || cli->command->argument)
        return optarg;
    if (optind < argc && argv[optind][0] != '-')
        return argv[optind++];
    return NULL;
}

static int take_option(struct cli *cli, int code, int argc, char **argv)
{
    switch (code) {
    case 'c':
        cli->config_path = optarg;
        cli->config_chosen = true;
        cli->common |= CLI_CONFIG;
        return ARGUMENTS_GO_ON;
    case 'p':
        cli->pipeline = optarg;
        cli->common |= CLI_PIPELINE;
        return ARGUMENTS_GO_ON;
    case CODE_SET:
        cli->common |= CLI_CONFIG;
        return keep_set(cli, optarg);
    case CODE_JSON:
        cli->json = true;
        cli->common |= CLI_JSON;
        return ARGUMENTS_GO_ON;
    case 'h':
        if (cli->command)
            help_print_command(stdout, cli->command);
        else
            cli_help(stdout);
        return CLI_DONE;
    case 'V':
        (void)printf("outbox-relay %s (driver ABI %d.%d)\n", OUTBOX_VERSION, OUTBOX_ABI_MAJOR,
                     OUTBOX_ABI_MINOR);
        return CLI_DONE;
    default: {
        const struct cli_flag *flag = &cli->command->flags[code - CODE_FLAG];
        return keep_flag(cli, flag, optional_value(cli, flag, argc, argv));
    }
    }
}

/* The words behind the options of a command. */
static int take_words(struct cli *cli, int argc, char **argv)
{
    int words = argc - optind;
    int allowed = cli->command->argument ? 1 : 0;

    if (words > allowed)
        return cli_usage_error(cli, "unexpected word '%s'", argv[optind + allowed]);
    if (words == 1)
        cli->argument = argv[optind];
    return ARGUMENTS_GO_ON;
}

int arguments_read(struct cli *cli, int argc, char **argv, int *next)
{
    struct option options[OPTIONS_MAX];
    size_t count = list_options(cli->command, options);
    const char *shorts = cli->command ? ":c:p:hV" : "+:c:p:hV";
    int status = ARGUMENTS_GO_ON;

    optind = 0; /* glibc: begin anew, also what is kept inside a cluster of letters */
    opterr = 0;
    while (status == ARGUMENTS_GO_ON) {
        int code = getopt_long(argc, argv, shorts, options, NULL);
        if (code == -1)
            break;
        if (code == ':')
            return cli_usage_error(cli, "option '%s' needs a value", argv[optind - 1]);
        if (code == '?')
            return refuse_option(cli, options, count, argv[optind - 1]);
        status = take_option(cli, code, argc, argv);
    }
    *next = optind;
    if (status != ARGUMENTS_GO_ON || !cli->command)
        return status;
    return take_words(cli, argc, argv);
}

int arguments_check(const struct cli *cli)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {CLI_CONFIG, "--config or --set"}, {CLI_PIPELINE, "--pipeline"}, {CLI_JSON, "--json"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (cli->common & ~cli->command->common & names[i].bit)
            return cli_usage_error(cli, "'%s' has no option %s", cli->command->name, names[i].name);
    return ARGUMENTS_GO_ON;
}
