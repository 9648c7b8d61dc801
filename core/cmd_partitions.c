/*
 * cmd_partitions.c - `partitions`: creates the partitions that are needed and drops old ones
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "driver.h"
#include "partitions.h"
#include "table.h"
#include "timestamp.h"

#include <stdlib.h>
#include <string.h>

struct partitions {
    const struct cli *cli;
    const struct config *config;
    json_t *report;      /* an array, or NULL for people */
    struct table *table; /* for people */
    const struct pipeline_config *pipeline;
    json_t *changes; /* of the pipeline at hand */
    size_t change_count;
    bool only_show;
    int64_t at; /* microseconds since 1970; 0: now */
    /* What the command line says; period 0 and negative durations: nothing. */
    struct partitioning given;
};

static const struct table_column columns[] = {
    {"pipeline", false}, {"partition", false}, {"from", false},
    {"until", false},    {"action", false},    {"reason", false},
};

/* ---- What to do --------------------------------------------------------------------------- */

static bool read_period(struct partitions *partitions)
{
    const char *period = cli_value(partitions->cli, "period");
    if (!period)
        return true;
    if (strcmp(period, "day") == 0)
        partitions->given.period = OUTBOX_PERIOD_DAY;
    else if (strcmp(period, "month") == 0)
        partitions->given.period = OUTBOX_PERIOD_MONTH;
    else
        (void)cli_usage_error(partitions->cli, "--period '%s' is neither day nor month", period);
    return partitions->given.period != 0;
}

static bool read_instant(struct partitions *partitions)
{
    const char *at = cli_value(partitions->cli, "at");
    if (!at || timestamp_parse(at, &partitions->at))
        return true;
    (void)cli_usage_error(partitions->cli, "--at '%s' is no instant, as in %s", at,
                          TIMESTAMP_FORMS);
    return false;
}

static bool read_flags(struct partitions *partitions)
{
    partitions->given = (struct partitioning){.lookahead = -1, .retention = -1};
    return read_period(partitions) &&
           cli_duration(partitions->cli, "lookahead", &partitions->given.lookahead) &&
           cli_duration(partitions->cli, "retention", &partitions->given.retention) &&
           read_instant(partitions);
}

static struct partition_plan plan(const struct partitions *partitions)
{
    struct partitioning wanted = partitions->pipeline->tunables.maintenance.partitioning;
    const struct partitioning *given = &partitions->given;
    if (given->period != 0)
        wanted.period = given->period;
    if (given->lookahead >= 0)
        wanted.lookahead = given->lookahead;
    if (given->retention >= 0)
        wanted.retention = given->retention;
    return (struct partition_plan){wanted, partitions->at, partitions->only_show};
}

/* ---- Telling ------------------------------------------------------------------------------ */

static void add_text(json_t *entry, const char *key, const char *text)
{
    (void)json_object_set_new(entry, key, text ? cli_json_text(text) : json_null());
}

/* A driver's text, for the length of one call. */
static char *copy_text(struct outbox_slice text)
{
    return text.data ? strndup(text.data, (size_t)text.len) : NULL;
}

static void take_change(void *context, const struct outbox_partition *partition)
{
    struct partitions *partitions = context;
    char bounds[2][PARTITION_TIME];
    char *name = copy_text(partition->name), *reason = copy_text(partition->reason);
    const char *cells[] = {partitions->pipeline->name,
                           name,
                           partition_time(partition->from, bounds[0]),
                           partition_time(partition->until, bounds[1]),
                           partition_action_text(partition->action),
                           reason};
    partitions->change_count++;
    if (partitions->report) {
        json_t *entry = json_object();
        add_text(entry, "partition", name);
        add_text(entry, "from", cells[2]);
        add_text(entry, "until", cells[3]);
        add_text(entry, "action", cells[4]);
        if (reason)
            add_text(entry, "reason", reason);
        (void)json_array_append_new(partitions->changes, entry);
    } else {
        for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
            table_cell(partitions->table, cells[i]);
    }
    free(name);
    free(reason);
}

static void report_pipeline(struct partitions *partitions, const char *reason)
{
    const char *name = partitions->pipeline->name;
    if (partitions->report) {
        json_t *entry =
            json_pack("{s:o, s:b, s:b, s:o}", "pipeline", cli_json_text(name), "ok", !reason,
                      "dry_run", partitions->only_show, "partitions", partitions->changes);
        if (entry && reason)
            (void)json_object_set_new(entry, "error", cli_json_text(reason));
        (void)json_array_append_new(partitions->report, entry);
        return;
    }
    if (reason)
        cli_error("pipeline '%s', store '%s': %s", name, partitions->pipeline->store.plugin->name,
                  reason);
    else if (partitions->change_count == 0)
        (void)printf("%s: every partition is there and none is too old, nothing was to do\n", name);
}

/* ---- Doing it ----------------------------------------------------------------------------- */

static enum outbox_status tend(struct partitions *partitions, struct store_link *link,
                               struct outbox_error *error)
{
    const struct partition_plan wanted = plan(partitions);
    enum outbox_status status = OUTBOX_OK;
    if (link->ops->partitions) /* else it says so, and needs no connection for that */
        status = store_link_connect(link, error);
    if (status == OUTBOX_OK && link->ops->partitions && !partitions->only_show)
        status = store_link_maintain(link, error);
    if (status != OUTBOX_OK)
        return status;
    return partitions_tend(link->ops, link->session, &wanted, take_change, partitions, error);
}

static int tend_pipeline(struct partitions *partitions, const struct pipeline_config *pipeline)
{
    struct store_link link = {0};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    char reason[DRIVER_REASON];

    partitions->pipeline = pipeline;
    partitions->change_count = 0;
    partitions->changes = partitions->report ? json_array() : NULL;
    enum outbox_status status = store_link_open(&link, partitions->config, pipeline, &error);
    bool settings_wrong = cli_is_mistake(status);
    if (status == OUTBOX_OK)
        status = tend(partitions, &link, &error);
    report_pipeline(partitions, status == OUTBOX_OK ? NULL : driver_reason(&error, reason));
    store_link_close(&link);
    if (settings_wrong)
        return CLI_USAGE;
    return status == OUTBOX_OK ? CLI_DONE : CLI_FAILED;
}

static bool print_table(const struct partitions *partitions, size_t changes)
{
    if (changes == 0)
        return true;
    if (partitions->only_show)
        (void)puts("This is what would be done:");
    if (table_print(partitions->table, stdout))
        return true;
    cli_error("out of memory for the table");
    return false;
}

static int tend_all(struct partitions *partitions)
{
    int status = CLI_DONE;
    size_t changes = 0;
    for (size_t i = 0; i < partitions->config->pipeline_count; i++) {
        int one = tend_pipeline(partitions, &partitions->config->pipelines[i]);
        changes += partitions->change_count;
        status = one > status ? one : status;
    }
    if (!partitions->report)
        return print_table(partitions, changes) || status != CLI_DONE ? status : CLI_FAILED;
    json_t *document =
        json_pack("{s:b, s:o}", "ok", status == CLI_DONE, "pipelines", partitions->report);
    return cli_print_json(document) == CLI_DONE ? status : CLI_FAILED;
}

static int run(struct cli *cli)
{
    struct cli_setup setup;
    struct partitions partitions = {.cli = cli, .only_show = cli_has(cli, "dry-run")};

    if (!read_flags(&partitions))
        return CLI_USAGE;
    int status = cli_load(cli, &setup);
    if (status != CLI_DONE)
        return status;
    partitions.config = setup.config;
    partitions.report = cli->json ? json_array() : NULL;
    partitions.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    if (partitions.table) {
        status = tend_all(&partitions);
    } else {
        cli_error("out of memory");
        status = CLI_FAILED;
    }
    table_free(&partitions.table);
    cli_unload(&setup);
    return status;
}

static const struct cli_flag flags[] = {
    {"period", "day|month", false, "how long a new partition lasts, by the calendar in UTC"},
    {"lookahead", "DURATION", false, "create partitions for so long from now on, as in 7d"},
    {"retention", "DURATION", false, "drop partitions that ended so long ago, as in 30d"},
    {"at", "INSTANT", false, "reckon from this instant instead of now"},
    {"dry-run", NULL, false, "only show what would be done"},
    {0},
};

const struct cli_command command_partitions = {
    .name = "partitions",
    .summary = "create partitions ahead, drop old ones",
    .about =
        "Creates the partitions that the coming time needs, also in gaps, and drops those whose\n"
        "time is over. What an option leaves open, pipelines[].maintenance.partitions says; "
        "without\n"
        "a retention nothing is dropped. A partition that holds an event that is neither "
        "DELIVERED\n"
        "nor DEAD is never dropped. What is in use is kept, with the reason, for the next time.",
    .example = "  outbox-relay partitions -c relay.json --period day --lookahead 7d --dry-run\n"
               "  outbox-relay partitions -c relay.json --retention 30d",
    .common = CLI_CONFIG | CLI_PIPELINE | CLI_JSON,
    .flags = flags,
    .run = run,
};
