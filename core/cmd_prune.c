/*
 * cmd_prune.c - `prune`: deletes finished events of a certain age
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "clock.h"
#include "driver.h"
#include "progress.h"
#include "prune.h"
#include "table.h"

#include <inttypes.h>
#include <time.h>

#define BATCH_MAX 1000000

struct pruning {
    const struct cli *cli;
    const struct config *config;
    json_t *report; /* an array, or NULL for people */
    bool only_count;
    /* What the command line says; negative: nothing, the configuration decides. */
    struct maintenance given;
};

/* ---- What to do --------------------------------------------------------------------------- */

static struct maintenance plan(const struct pruning *pruning,
                               const struct pipeline_config *pipeline)
{
    const struct maintenance *given = &pruning->given;
    struct maintenance plan = pipeline->tunables.maintenance;
    /* Who names one age on the command line does not want the other kind deleted on the side. */
    if (prune_is_wanted(given)) {
        plan.delivered_age = given->delivered_age;
        plan.dead_age = given->dead_age;
    }
    if (given->batch > 0)
        plan.batch = given->batch;
    return plan;
}

static bool read_flags(struct pruning *pruning)
{
    long long batch = 0;
    pruning->given = (struct maintenance){.delivered_age = -1, .dead_age = -1};
    if (!cli_duration(pruning->cli, "delivered-age", &pruning->given.delivered_age) ||
        !cli_duration(pruning->cli, "dead-age", &pruning->given.dead_age) ||
        !cli_number(pruning->cli, "batch", 1, BATCH_MAX, &batch))
        return false;
    pruning->given.batch = (uint64_t)batch;
    return true;
}

static bool has_plan(const struct pruning *pruning)
{
    for (size_t i = 0; i < pruning->config->pipeline_count; i++) {
        const struct pipeline_config *pipeline = &pruning->config->pipelines[i];
        struct maintenance maintenance = plan(pruning, pipeline);
        if (prune_is_wanted(&maintenance))
            continue;
        (void)cli_usage_error(pruning->cli,
                              "pipeline '%s': how old events must be is not said: give "
                              "--delivered-age or --dead-age, or pipelines[%zu].maintenance",
                              pipeline->name, pipeline->index);
        return false;
    }
    return true;
}

/* ---- Doing it ----------------------------------------------------------------------------- */

static void rest_until(int64_t deadline)
{
    const struct timespec until = {.tv_sec = deadline / SECOND, .tv_nsec = deadline % SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        ;
}

static enum outbox_status prune(const struct pruning *pruning, struct store_link *link,
                                struct prune_pass *pass, struct outbox_error *error)
{
    struct progress progress;
    enum outbox_status status = OUTBOX_OK;
    if (!link->ops->prune)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "this store cannot delete events");
    status = store_link_connect(link, error);
    if (status == OUTBOX_OK && !pruning->only_count)
        status = store_link_maintain(link, error);
    progress_init(&progress);
    while (status == OUTBOX_OK && !pass->ended) {
        rest_until(pass->rest_until);
        status = prune_batch(pass, link->session, error);
        progress_show(&progress, pass->delivered + pass->dead);
    }
    progress_end(&progress);
    return status;
}

/* ---- Telling ------------------------------------------------------------------------------ */

static void tell(const struct pruning *pruning, const struct pipeline_config *pipeline,
                 const struct prune_pass *pass, const char *reason)
{
    char delivered[TABLE_NUMBER], dead[TABLE_NUMBER];
    if (pruning->report) {
        json_t *entry =
            json_pack("{s:o, s:b, s:I, s:I, s:b}", "pipeline", cli_json_text(pipeline->name), "ok",
                      !reason, "delivered", (json_int_t)pass->delivered, "dead",
                      (json_int_t)pass->dead, "dry_run", pruning->only_count);
        if (entry && reason)
            (void)json_object_set_new(entry, "error", cli_json_text(reason));
        (void)json_array_append_new(pruning->report, entry);
        return;
    }
    if (!reason || pass->delivered + pass->dead > 0)
        (void)printf("%s: %s delivered and %s dead events %s\n", pipeline->name,
                     table_number((int64_t)pass->delivered, delivered),
                     table_number((int64_t)pass->dead, dead),
                     pruning->only_count ? "would be deleted" : "deleted");
    if (reason)
        cli_error("pipeline '%s', store '%s': %s", pipeline->name, pipeline->store.plugin->name,
                  reason);
}

static int prune_pipeline(const struct pruning *pruning, const struct pipeline_config *pipeline)
{
    struct store_link link = {0};
    struct prune_pass pass;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    char reason[DRIVER_REASON];
    struct maintenance maintenance = plan(pruning, pipeline);

    prune_begin(&pass, pipeline->store.plugin->store, &maintenance, pruning->only_count);
    enum outbox_status status = store_link_open(&link, pruning->config, pipeline, &error);
    bool settings_wrong = cli_is_mistake(status);
    if (status == OUTBOX_OK)
        status = prune(pruning, &link, &pass, &error);
    tell(pruning, pipeline, &pass, status == OUTBOX_OK ? NULL : driver_reason(&error, reason));
    store_link_close(&link);
    if (settings_wrong)
        return CLI_USAGE;
    return status == OUTBOX_OK ? CLI_DONE : CLI_FAILED;
}

static int prune_all(struct pruning *pruning)
{
    int status = CLI_DONE;
    if (!has_plan(pruning))
        return CLI_USAGE;
    pruning->report = pruning->cli->json ? json_array() : NULL;
    for (size_t i = 0; i < pruning->config->pipeline_count; i++) {
        int one = prune_pipeline(pruning, &pruning->config->pipelines[i]);
        status = one > status ? one : status;
    }
    if (!pruning->cli->json)
        return status;
    json_t *document =
        json_pack("{s:b, s:o}", "ok", status == CLI_DONE, "pipelines", pruning->report);
    return cli_print_json(document) == CLI_DONE ? status : CLI_FAILED;
}

static int run(struct cli *cli)
{
    struct cli_setup setup;
    struct pruning pruning = {.cli = cli, .only_count = cli_has(cli, "dry-run")};

    if (!read_flags(&pruning))
        return CLI_USAGE;
    int status = cli_load(cli, &setup);
    if (status != CLI_DONE)
        return status;
    pruning.config = setup.config;
    status = prune_all(&pruning);
    cli_unload(&setup);
    return status;
}

static const struct cli_flag flags[] = {
    {"delivered-age", "AGE", false, "delete DELIVERED events that are older, as in 7d"},
    {"dead-age", "AGE", false, "delete DEAD events that are older, as in 30d"},
    {"batch", "N", false, "delete at most so many in one transaction (10000)"},
    {"dry-run", NULL, false, "only count what would be deleted"},
    {0},
};

const struct cli_command command_prune = {
    .name = "prune",
    .summary = "delete finished events",
    .about =
        "Deletes DELIVERED and DEAD events that were finished that long ago, in bounded batches,\n"
        "each a transaction of its own, with rests between them. Without an age the ages of\n"
        "pipelines[].maintenance count; with one, only events of the named state are deleted.\n"
        "It never touches other events. Of all relays and commands on a table one does this at\n"
        "a time.",
    .example = "  outbox-relay prune -c relay.json --delivered-age 7d --dry-run\n"
               "  outbox-relay prune -c relay.json --delivered-age 7d --dead-age 30d",
    .common = CLI_CONFIG | CLI_PIPELINE | CLI_JSON,
    .flags = flags,
    .run = run,
};
