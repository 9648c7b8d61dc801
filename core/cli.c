/*
 * cli.c - what every command has in common
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"

#include "arguments.h"
#include "nearest.h"
#include "text.h"
#include "units.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#define DEFAULT_CONFIG "/etc/outbox/relay.json"
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct cli_command *const commands[] = {
    &command_run,   &command_check,      &command_init,    &command_enqueue, &command_stats,
    &command_prune, &command_partitions, &command_plugins, &command_demo,
};

/* Words of the command language that do nothing yet. */
static const char *const missing_commands[] = {
    "list", "show", "replay", "kill", "verify",
};

void cli_help(FILE *out)
{
    help_print(out, commands, COUNT(commands));
}

/* ---- Messages ----------------------------------------------------------------------------- */

static void print_message(const char *prefix, const char *format, va_list arguments)
{
    char piece[TEXT_ESCAPED_MAX];
    char *text;
    int length = vasprintf(&text, format, arguments);

    if (length < 0) {
        (void)fputs("outbox-relay: out of memory\n", stderr);
        return;
    }
    (void)fputs(prefix, stderr);
    for (const char *at = text; at < text + length;) {
        size_t size = text_escape_plain(&at, text + length, piece);
        (void)fwrite(piece, 1, size, stderr);
    }
    (void)fputc('\n', stderr);
    free(text);
}

void cli_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_message("outbox-relay: ", format, arguments);
    va_end(arguments);
}

int cli_usage_error(const struct cli *cli, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_message("outbox-relay: ", format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "Try 'outbox-relay%s%s --help'.\n", cli->command ? " " : "",
                  cli->command ? cli->command->name : "");
    return CLI_USAGE;
}

/* ---- What was given ----------------------------------------------------------------------- */

static const struct cli_given *find_given(const struct cli *cli, const char *flag)
{
    for (size_t i = cli->given_count; i-- > 0;)
        if (strcmp(cli->given[i].flag->name, flag) == 0)
            return &cli->given[i];
    return NULL;
}

bool cli_has(const struct cli *cli, const char *flag)
{
    return find_given(cli, flag) != NULL;
}

const char *cli_value(const struct cli *cli, const char *flag)
{
    const struct cli_given *given = find_given(cli, flag);
    return given ? given->value : NULL;
}

bool cli_number(const struct cli *cli, const char *flag, long long lowest, long long highest,
                long long *number)
{
    const char *text = cli_value(cli, flag);
    char *end;

    if (!text)
        return true;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9' && value >= lowest &&
        value <= highest) {
        *number = value;
        return true;
    }
    (void)cli_usage_error(cli, "--%s '%s' is not a whole number from %lld to %lld", flag, text,
                          lowest, highest);
    return false;
}

bool cli_duration(const struct cli *cli, const char *flag, int64_t *nanoseconds)
{
    const char *text = cli_value(cli, flag);

    if (!text || duration_parse(text, nanoseconds))
        return true;
    (void)cli_usage_error(cli, "--%s '%s' is not a duration, as in 90s, 24h or 7d", flag, text);
    return false;
}

/* ---- Configuration ------------------------------------------------------------------------ */

struct config_source cli_source(const struct cli *cli)
{
    return (struct config_source){
        .path = cli->config_path,
        .set = cli->set,
        .set_count = cli->set_count,
        .only_pipeline = cli->pipeline,
    };
}

void cli_unload(struct cli_setup *setup)
{
    config_free(&setup->config);
    plugins_free(&setup->plugins);
}

static bool names_file(const char *mistake, const char *path)
{
    size_t length = strlen(path);
    return strncmp(mistake, path, length) == 0 && mistake[length] == ':';
}

int cli_load(const struct cli *cli, struct cli_setup *setup)
{
    struct config_source source = cli_source(cli);
    struct mistakes mistakes = {0};

    setup->config = NULL;
    setup->plugins = plugins_new();
    if (!setup->plugins) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    setup->config = config_load(&source, setup->plugins, &mistakes);
    if (setup->config) {
        mistakes_clear(&mistakes);
        return CLI_DONE;
    }
    for (size_t i = 0; i < mistakes.count; i++)
        cli_error("%s", mistakes.lines[i]);
    if (mistakes.count != 1 || !names_file(mistakes.lines[0], cli->config_path))
        cli_error("%zu mistake%s in %s", mistakes.count, mistakes.count == 1 ? "" : "s",
                  cli->config_path);
    mistakes_clear(&mistakes);
    cli_unload(setup);
    return CLI_USAGE;
}

const struct pipeline_config *cli_one_pipeline(const struct cli *cli, const struct config *config)
{
    char names[256] = "";
    size_t length = 0;

    if (config->pipeline_count == 1)
        return &config->pipelines[0];
    for (size_t i = 0; i < config->pipeline_count && length < sizeof(names); i++)
        length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s", i ? ", " : "",
                                   config->pipelines[i].name);
    (void)cli_usage_error(cli, "there are several pipelines: pick one of %s with -p", names);
    return NULL;
}

/* ---- JSON --------------------------------------------------------------------------------- */

json_t *cli_json_text(const char *text)
{
    size_t length = 0, left = strlen(text);
    json_t *string = json_string(text);

    if (string)
        return string;
    char *clean = malloc(left * 3 + 1); /* U+FFFD takes three bytes */
    if (!clean)
        return NULL;
    while (left > 0) {
        size_t size = text_sequence(text, left);
        memcpy(clean + length, size ? text : "\xef\xbf\xbd", size ? size : 3);
        length += size ? size : 3;
        text += size ? size : 1;
        left -= size ? size : 1;
    }
    string = json_stringn(clean, length);
    free(clean);
    return string;
}

int cli_print_json(json_t *document)
{
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

    json_decref(document);
    if (!text) {
        cli_error("out of memory for the JSON output");
        return CLI_FAILED;
    }
    (void)puts(text);
    free(text);
    return CLI_DONE;
}

/* ---- The program -------------------------------------------------------------------------- */

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int refuse_command(const struct cli *cli, const char *name)
{
    struct nearest nearest;

    for (size_t i = 0; i < COUNT(missing_commands); i++)
        if (strcmp(missing_commands[i], name) == 0)
            return cli_usage_error(cli, "'%s' is not available in this version", name);
    nearest_init(&nearest, name);
    for (size_t i = 0; i < COUNT(commands); i++)
        nearest_offer(&nearest, commands[i]->name);
    if (nearest.best)
        return cli_usage_error(cli, "unknown command '%s'; did you mean '%s'?", name, nearest.best);
    return cli_usage_error(cli, "unknown command '%s'", name);
}

/* `help` and `help COMMAND`, as people try them. */
static int show_help(const struct cli *cli, const char *name)
{
    const struct cli_command *command = name ? find_command(name) : NULL;

    if (name && !command)
        return refuse_command(cli, name);
    if (command)
        help_print_command(stdout, command);
    else
        cli_help(stdout);
    return CLI_DONE;
}

/* Anything that waits can be ended from the keyboard, unless it wants to end in its own way. */
static void restore_signals(void)
{
    sigset_t stops;
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGHUP);
    (void)sigprocmask(SIG_UNBLOCK, &stops, NULL);
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    int next;
    int status = arguments_read(cli, argc, argv, &next);

    if (status == ARGUMENTS_GO_ON && next == argc)
        return cli_usage_error(cli, "no command is given; 'outbox-relay demo' shows what this is");
    if (status != ARGUMENTS_GO_ON)
        return status;

    const char *name = argv[next];
    if (strcmp(name, "help") == 0)
        return show_help(cli, next + 1 < argc ? argv[next + 1] : NULL);
    cli->command = find_command(name);
    if (!cli->command)
        return refuse_command(cli, name);
    status = arguments_read(cli, argc - next, argv + next, &next);
    if (status == ARGUMENTS_GO_ON)
        status = arguments_check(cli);
    if (status != ARGUMENTS_GO_ON)
        return status;
    if (!cli->command->holds_signals)
        restore_signals();
    return cli->command->run(cli);
}

/* What was printed must have arrived: a full disk or a closed pipe is no success. */
static int finish_output(int status)
{
    errno = 0;
    bool failed = fflush(stdout) != 0 || ferror(stdout);
    int reason = errno;
    /* Without anything written a stream that was closed before the start is no failure. */
    failed = (fclose(stdout) != 0 && errno != EBADF) || failed;
    reason = reason ? reason : errno;
    if (!failed)
        return status;
    cli_error("cannot write standard output%s%s", reason ? ": " : "",
              reason ? strerror(reason) : "");
    return status == CLI_DONE ? CLI_FAILED : status;
}

int cli_main(int argc, char **argv)
{
    const char *from_environment = getenv("OUTBOX_CONFIG");
    struct cli cli = {.config_path = DEFAULT_CONFIG};

    if (from_environment && *from_environment) {
        cli.config_path = from_environment;
        cli.config_chosen = true;
    }
    int status = run_command(&cli, argc, argv);
    free(cli.set);
    free(cli.given);
    return finish_output(status);
}
