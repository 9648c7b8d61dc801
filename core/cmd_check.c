/*
 * cmd_check.c - `check`: validates the file, and what it points to
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "clock.h"
#include "driver.h"
#include "route.h"

#define PING_TIME (10 * SECOND)

struct check {
    const struct cli *cli;
    const struct config *config;
    bool connect;
    bool json;
    json_t *findings; /* of the pipeline at hand, for machines */
    size_t errors, wrong_settings;
};

static const char *level_name(uint32_t level)
{
    if (level == OUTBOX_LOG_ERROR)
        return "error";
    return level == OUTBOX_LOG_WARN ? "warn" : "info";
}

/* One finding about a side ("store", "publisher") of a pipeline. */
static void find(struct check *check, const char *side, uint32_t level, const char *text)
{
    check->errors += level == OUTBOX_LOG_ERROR;
    if (check->json)
        (void)json_array_append_new(check->findings,
                                    json_pack("{s:s, s:s, s:o}", "side", side, "level",
                                              level_name(level), "text", cli_json_text(text)));
    else
        (void)printf("  %-9s %-5s %s\n", side, level_name(level), text);
}

static void find_failure(struct check *check, const char *side, const struct outbox_error *error)
{
    char reason[DRIVER_REASON];
    find(check, side, OUTBOX_LOG_ERROR, driver_reason(error, reason));
}

/* A driver does not open: its text speaks of its keys, so the place of these goes before it. */
static void find_refusal(struct check *check, const struct pipeline_config *pipeline,
                         const char *side, enum outbox_status status,
                         const struct outbox_error *error)
{
    char reason[DRIVER_REASON], text[DRIVER_REASON + 160];

    check->wrong_settings += cli_is_mistake(status);
    (void)snprintf(text, sizeof(text), "pipelines[%zu] (%s).%s: %s", pipeline->index,
                   pipeline->name, side, driver_reason(error, reason));
    find(check, side, OUTBOX_LOG_ERROR, text);
}

static void take_schema_line(void *context, uint32_t level, const char *text)
{
    find(context, "store", level, text);
}

static void check_connected_store(struct check *check, struct store_link *link)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    size_t errors = check->errors;

    if (store_link_connect(link, &error) != OUTBOX_OK ||
        link->ops->ping(link->session, &error) != OUTBOX_OK) {
        find_failure(check, "store", &error);
        return;
    }
    find(check, "store", OUTBOX_LOG_INFO, "reachable");
    enum outbox_status status = link->ops->schema(link->store, link->session, OUTBOX_SCHEMA_CHECK,
                                                  take_schema_line, check, &error);
    if (status != OUTBOX_OK && check->errors == errors)
        find_failure(check, "store", &error);
}

static void check_store(struct check *check, const struct pipeline_config *pipeline)
{
    struct store_link link = {0};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status = store_link_open(&link, check->config, pipeline, &error);

    if (status != OUTBOX_OK) {
        find_refusal(check, pipeline, "store", status, &error);
        return;
    }
    if (check->connect)
        check_connected_store(check, &link);
    store_link_close(&link);
}

static void take_publisher_line(void *context, uint32_t level, const char *text)
{
    find(context, "publisher", level, text);
}

/* The destinations that the configuration knows, and the topics of the command line. */
static bool list_destinations(const struct check *check, const struct route *route,
                              struct arena *arena, struct outbox_publisher_check *what)
{
    struct outbox_message *known, *all;
    uint64_t count;

    if (!route_known_destinations(route, arena, &known, &count))
        return false;
    all = arena_alloc(arena, (count + check->cli->given_count) * sizeof(*all));
    if (!all)
        return false;
    memcpy(all, known, count * sizeof(*all));
    for (size_t i = 0; i < check->cli->given_count; i++) {
        const struct cli_given *given = &check->cli->given[i];
        if (strcmp(given->flag->name, "topic") == 0)
            all[count++] = (struct outbox_message){.topic = outbox_slice_of(given->value)};
    }
    what->destinations = all;
    what->destination_size = sizeof(*all);
    what->destination_count = count;
    return true;
}

static void check_destinations(struct check *check, const struct pipeline_config *pipeline,
                               struct outbox_publisher *publisher)
{
    const struct outbox_publisher_ops *ops = pipeline->publisher.plugin->publisher;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_publisher_check what = {.size = sizeof(what),
                                          .max_payload = pipeline->tunables.max_payload};
    struct arena arena;

    if (!ops->check)
        return;
    arena_init(&arena, 0);
    if (!list_destinations(check, pipeline->route, &arena, &what)) {
        find(check, "publisher", OUTBOX_LOG_ERROR, "out of memory for the topics to look at");
    } else {
        if (what.destination_count == 0)
            find(check, "publisher", OUTBOX_LOG_INFO,
                 "every topic depends on the event: name those to look at with --topic");
        if (ops->check(publisher, &what, clock_now() + PING_TIME, take_publisher_line, check,
                       &error) != OUTBOX_OK)
            find_failure(check, "publisher", &error);
    }
    arena_clear(&arena);
}

/* Opening one may already make files, so a check that does not connect leaves it alone. */
static void check_publisher(struct check *check, const struct pipeline_config *pipeline)
{
    const struct outbox_publisher_ops *ops = pipeline->publisher.plugin->publisher;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_publisher *publisher;
    struct host host;

    host_init(&host, pipeline->name, pipeline->publisher.plugin->name);
    enum outbox_status status = driver_publisher_open(&host, pipeline, &publisher, &error);
    if (status != OUTBOX_OK) {
        find_refusal(check, pipeline, "publisher", status, &error);
        host_clear(&host);
        return;
    }
    if (ops->ping(publisher, clock_now() + PING_TIME, &error) != OUTBOX_OK) {
        find_failure(check, "publisher", &error);
    } else {
        find(check, "publisher", OUTBOX_LOG_INFO, "reachable");
        check_destinations(check, pipeline, publisher);
    }
    ops->close(publisher);
    host_clear(&host);
}

static json_t *check_pipeline(struct check *check, const struct pipeline_config *pipeline)
{
    const char *store = pipeline->store.plugin->name;
    const char *publisher = pipeline->publisher.plugin->name;
    size_t errors = check->errors;

    check->findings = check->json ? json_array() : NULL;
    if (!check->json)
        (void)printf("%s: %s to %s\n", pipeline->name, store, publisher);
    check_store(check, pipeline);
    if (check->connect)
        check_publisher(check, pipeline);
    if (!check->json) {
        if (check->errors == errors)
            (void)printf("  ok\n");
        return NULL;
    }
    return json_pack("{s:o, s:s, s:s, s:b, s:o}", "pipeline", cli_json_text(pipeline->name),
                     "store", store, "publisher", publisher, "ok", check->errors == errors,
                     "findings", check->findings);
}

/* The mistakes as a document, where a person would read them on standard error. */
static int print_mistakes(const struct cli *cli, const struct mistakes *mistakes)
{
    json_t *lines = json_array();

    for (size_t i = 0; i < mistakes->count; i++)
        (void)json_array_append_new(lines, cli_json_text(mistakes->lines[i]));
    int printed =
        cli_print_json(json_pack("{s:b, s:o, s:o, s:[]}", "ok", 0, "file",
                                 cli_json_text(cli->config_path), "mistakes", lines, "pipelines"));
    return printed == CLI_DONE ? CLI_USAGE : printed;
}

static int load_for_machines(const struct cli *cli, struct cli_setup *setup)
{
    struct config_source source = cli_source(cli);
    struct mistakes mistakes = {0};
    int status = CLI_DONE;

    *setup = (struct cli_setup){.plugins = plugins_new()};
    if (!setup->plugins) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    setup->config = config_load(&source, setup->plugins, &mistakes);
    if (!setup->config) {
        status = print_mistakes(cli, &mistakes);
        cli_unload(setup);
    }
    mistakes_clear(&mistakes);
    return status;
}

static int check_all(const struct cli *cli, struct check *check)
{
    json_t *pipelines = cli->json ? json_array() : NULL;

    for (size_t i = 0; i < check->config->pipeline_count; i++) {
        json_t *entry = check_pipeline(check, &check->config->pipelines[i]);
        if (cli->json)
            (void)json_array_append_new(pipelines, entry);
    }
    if (cli->json && cli_print_json(json_pack("{s:b, s:o, s:[], s:o}", "ok", check->errors == 0,
                                              "file", cli_json_text(cli->config_path), "mistakes",
                                              "pipelines", pipelines)) != CLI_DONE)
        return CLI_FAILED;
    if (check->wrong_settings > 0)
        return CLI_USAGE;
    return check->errors > 0 ? CLI_FAILED : CLI_DONE;
}

/* They are no mistakes: the relay runs all the same. */
static void show_warnings(const struct telemetry_settings *telemetry)
{
    for (size_t i = 0; i < telemetry->warning_count; i++)
        cli_error("warning: %s: %s; %s", telemetry->warnings[i].variable,
                  telemetry->warnings[i].problem, telemetry->warnings[i].remedy);
}

static int run(struct cli *cli)
{
    struct cli_setup setup;
    int status = cli->json ? load_for_machines(cli, &setup) : cli_load(cli, &setup);

    if (status != CLI_DONE)
        return status;
    show_warnings(&setup.config->telemetry);
    struct check check = {
        .cli = cli, .config = setup.config, .connect = cli_has(cli, "connect"), .json = cli->json};
    status = check_all(cli, &check);
    cli_unload(&setup);
    return status;
}

static const struct cli_flag flags[] = {
    {"connect", NULL, false, "also reach every store and publisher"},
    {"topic", "NAME", true, "with --connect: a topic that must be there, besides those of `route`"},
    {0},
};

const struct cli_command command_check = {
    .name = "check",
    .summary = "validate the configuration",
    .about = "Validates the configuration and prints every mistake in it. With --connect also\n"
             "reaches every store and publisher and says what is missing there: a table, an\n"
             "index, a topic, a right. Topics that depend on the event are named with --topic.\n"
             "Exit status 2 if the configuration is wrong, 1 if something cannot be relayed.",
    .example = "  outbox-relay check -c relay.json --connect",
    .common = CLI_CONFIG | CLI_PIPELINE | CLI_JSON,
    .flags = flags,
    .run = run,
};
