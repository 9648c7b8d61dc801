/*
 * cmd_init.c - `init`: creates or upgrades the table
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "driver.h"

struct init {
    const struct config *config;
    bool print;     /* show the SQL, run nothing */
    json_t *report; /* an array, or NULL for people */
    json_t *lines;  /* of the pipeline at hand */
    size_t line_count;
};

static void take_line(void *context, uint32_t level, const char *text)
{
    struct init *init = context;

    (void)level;
    init->line_count++;
    if (init->report)
        (void)json_array_append_new(init->lines, cli_json_text(text));
    else
        (void)printf("%s%s\n", init->print ? "" : "    ", text);
}

static enum outbox_status change_schema(struct init *init, struct store_link *link,
                                        struct outbox_error *error)
{
    if (init->print)
        return link->ops->schema(link->store, NULL, OUTBOX_SCHEMA_PRINT, take_line, init, error);
    enum outbox_status status = store_link_connect(link, error);
    if (status != OUTBOX_OK)
        return status;
    return link->ops->schema(link->store, link->session, OUTBOX_SCHEMA_APPLY, take_line, init,
                             error);
}

static void report_pipeline(struct init *init, const struct pipeline_config *pipeline,
                            const char *reason)
{
    const char *driver = pipeline->store.plugin->name;

    if (init->report) {
        json_t *entry = json_pack("{s:o, s:s, s:b, s:o}", "pipeline", cli_json_text(pipeline->name),
                                  "store", driver, "ok", !reason, "sql", init->lines);
        if (entry && reason)
            (void)json_object_set_new(entry, "error", cli_json_text(reason));
        (void)json_array_append_new(init->report, entry);
        return;
    }
    if (reason)
        cli_error("pipeline '%s', store '%s': %s", pipeline->name, driver, reason);
    else if (!init->print)
        (void)printf("%s: the table is %s (store '%s')\n", pipeline->name,
                     init->line_count ? "ready" : "up to date, nothing was to do", driver);
}

static int init_pipeline(struct init *init, const struct pipeline_config *pipeline)
{
    struct store_link link = {0};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    char reason[DRIVER_REASON];

    init->line_count = 0;
    init->lines = init->report ? json_array() : NULL;
    if (init->print && !init->report)
        (void)printf("-- pipeline '%s', store '%s'\n", pipeline->name,
                     pipeline->store.plugin->name);

    enum outbox_status status = store_link_open(&link, init->config, pipeline, &error);
    bool settings_wrong = cli_is_mistake(status);
    if (status == OUTBOX_OK)
        status = change_schema(init, &link, &error);
    report_pipeline(init, pipeline, status == OUTBOX_OK ? NULL : driver_reason(&error, reason));
    store_link_close(&link);
    if (settings_wrong)
        return CLI_USAGE;
    return status == OUTBOX_OK ? CLI_DONE : CLI_FAILED;
}

static int run(struct cli *cli)
{
    struct cli_setup setup;
    int status = cli_load(cli, &setup);

    if (status != CLI_DONE)
        return status;
    struct init init = {
        .config = setup.config,
        .print = cli_has(cli, "print"),
        .report = cli->json ? json_array() : NULL,
    };
    for (size_t i = 0; i < setup.config->pipeline_count; i++) {
        int one = init_pipeline(&init, &setup.config->pipelines[i]);
        status = one > status ? one : status;
    }
    cli_unload(&setup);
    if (!cli->json)
        return status;
    json_t *document = json_pack("{s:b, s:o}", "ok", status == CLI_DONE, "pipelines", init.report);
    return cli_print_json(document) == CLI_DONE ? status : CLI_FAILED;
}

static const struct cli_flag flags[] = {
    {"print", NULL, false, "only show the SQL; needs no server"},
    {0},
};

const struct cli_command command_init = {
    .name = "init",
    .summary = "create or upgrade the table",
    .about = "Creates or upgrades the table of every pipeline. Harmless when repeated.",
    .example = "  outbox-relay init -c relay.json --print\n"
               "  outbox-relay init -c relay.json -p orders",
    .common = CLI_CONFIG | CLI_PIPELINE | CLI_JSON,
    .flags = flags,
    .run = run,
};
