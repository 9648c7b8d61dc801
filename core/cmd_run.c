/*
 * cmd_run.c - `run`: relays until told to stop
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "log.h"
#include "relay.h"

#include <signal.h>
#include <unistd.h>

/* What a re-read of the file needs. */
struct reload {
    const struct cli *cli;
    struct plugins *plugins;
};

/* Mistakes leave the relay as it runs: a file that is being edited must not end it. */
static struct config *reload_config(void *context)
{
    const struct reload *reload = context;
    struct config_source source = cli_source(reload->cli);
    struct mistakes mistakes = {0};
    struct config *config = config_load(&source, reload->plugins, &mistakes);

    for (size_t i = 0; !config && i < mistakes.count; i++)
        log_line(OUTBOX_LOG_ERROR, "configuration is wrong", FIELD("mistake", mistakes.lines[i]),
                 FIELD("file", reload->cli->config_path));
    if (!config)
        log_line(
            OUTBOX_LOG_WARN, "configuration kept as it was",
            FIELD("remedy", "correct the file, see outbox-relay check, and send SIGHUP again"));
    mistakes_clear(&mistakes);
    return config;
}

static void log_start(const struct config *config, const struct cli *cli)
{
    log_line(OUTBOX_LOG_INFO, "relay starts", FIELD("version", OUTBOX_VERSION),
             FIELD("relay", config->relay_id), FIELD("file", cli->config_path),
             FIELD_NUMBER("pid", getpid()), FIELD_NUMBER("pipelines", config->pipeline_count));
    for (size_t i = 0; i < config->pipeline_count; i++) {
        const struct pipeline_config *pipeline = &config->pipelines[i];
        log_line(OUTBOX_LOG_INFO, "pipeline", FIELD("pipeline", pipeline->name),
                 FIELD("store", pipeline->store.plugin->name),
                 FIELD("store_version", pipeline->store.plugin->version),
                 FIELD("publisher", pipeline->publisher.plugin->name),
                 FIELD("publisher_version", pipeline->publisher.plugin->version),
                 FIELD("mode", pipeline->mode == OUTBOX_MODE_HOLD ? "hold" : "lease"),
                 FIELD_NUMBER("workers", pipeline->workers),
                 FIELD_NUMBER("batch_size", pipeline->tunables.batch_size));
    }
}

static void log_end(const struct relay_totals *totals, int status)
{
    log_line(OUTBOX_LOG_INFO, "relay ends", FIELD_NUMBER("claimed", totals->claimed),
             FIELD_NUMBER("delivered", totals->delivered), FIELD_NUMBER("dropped", totals->dropped),
             FIELD_NUMBER("retried", totals->retried), FIELD_NUMBER("dead", totals->dead),
             FIELD_NUMBER("released", totals->released), FIELD_NUMBER("stale", totals->stale),
             FIELD_NUMBER("status", status));
}

static int run(struct cli *cli)
{
    struct cli_setup setup;
    struct relay_totals totals = {0};
    int status = cli_load(cli, &setup);

    if (status != CLI_DONE)
        return status;
    log_setup(setup.config->log_level, setup.config->log_format);
    log_start(setup.config, cli);
    struct reload reload = {cli, setup.plugins};
    status = relay_run(setup.config, cli_has(cli, "once"), reload_config, &reload, &totals);
    log_end(&totals, status);
    cli_unload(&setup);
    return status;
}

static const struct cli_flag flags[] = {
    {"once", NULL, false, "relay what is pending now, then end"},
    {0},
};

const struct cli_command command_run = {
    .name = "run",
    .summary = "relay events until SIGTERM or SIGINT",
    .about =
        "Relays the events of every pipeline until SIGTERM or SIGINT, then settles what is in\n"
        "flight within relay.shutdown_timeout. SIGHUP reads the configuration again and takes\n"
        "over its tunables. Logs go to standard error.",
    .example = "  outbox-relay run -c relay.json\n"
               "  outbox-relay run -c relay.json --once --set log.level=debug",
    .common = CLI_CONFIG | CLI_PIPELINE,
    .holds_signals = true,
    .flags = flags,
    .run = run,
};
