/*
 * cmd_stats.c - `stats`: how many events are in which state
 * SPDX-License-Identifier: MIT
 */
#include "bell.h"
#include "cli.h"
#include "clock.h"
#include "driver.h"
#include "holders.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define WATCH_DEFAULT 2
#define WATCH_MAX 86400

struct sample {
    struct outbox_store_stats stats;
    int64_t time; /* 0: there is none */
};

/* A pipeline that is looked at, perhaps again and again. */
struct watched {
    const struct pipeline_config *pipeline;
    struct store_link link;
    struct sample before, now;
    struct holders holders;
    char reason[DRIVER_REASON]; /* why there is no sample now, "" if there is */
};

struct watch {
    struct watched *all;
    size_t count;
    bool json, again;
};

static enum outbox_status read_stats(struct watched *watched, struct outbox_error *error)
{
    struct store_link *link = &watched->link;
    enum outbox_status status;

    if (!link->ops->stats)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "this store cannot count its events");
    if (!link->session) {
        status = store_link_connect(link, error);
        if (status != OUTBOX_OK)
            return status;
    }
    watched->now.stats = (struct outbox_store_stats){.size = sizeof(watched->now.stats)};
    return link->ops->stats(link->session, &watched->now.stats, error);
}

static void take_sample(struct watched *watched)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;

    watched->before = watched->now;
    watched->holders = (struct holders){.count = 0};
    watched->now.time = 0;
    watched->reason[0] = '\0';
    if (read_stats(watched, &error) != OUTBOX_OK) {
        (void)driver_reason(&error, watched->reason);
        store_link_disconnect(&watched->link);
        return;
    }
    watched->now.time = clock_now();
    if (holders_read(&watched->holders, watched->link.ops, watched->link.session, NULL, &error) ==
        OUTBOX_UNAVAILABLE)
        store_link_disconnect(&watched->link);
}

/* Events a second that were delivered since the sample before; negative where that cannot be told:
 * delivered rows may be deleted, or have been pruned meanwhile. */
static double delivered_rate(const struct watched *watched)
{
    const struct sample *before = &watched->before, *now = &watched->now;

    if (before->time == 0 || now->time <= before->time || watched->pipeline->delete_delivered ||
        before->stats.delivered < 0 || now->stats.delivered < 0)
        return -1;
    return (double)(now->stats.delivered - before->stats.delivered) /
           ((double)(now->time - before->time) / (double)SECOND);
}

/* ---- For machines ------------------------------------------------------------------------- */

static json_t *count_json(int64_t count)
{
    return count < 0 ? json_null() : json_integer(count);
}

static json_t *estimates_json(uint32_t estimated)
{
    json_t *names = json_array();
    if (estimated & OUTBOX_ESTIMATED_PENDING)
        (void)json_array_append_new(names, json_string("pending"));
    if (estimated & OUTBOX_ESTIMATED_DELIVERED)
        (void)json_array_append_new(names, json_string("delivered"));
    if (estimated & OUTBOX_ESTIMATED_DEAD)
        (void)json_array_append_new(names, json_string("dead"));
    return names;
}

static json_t *pipeline_json(const struct watched *watched, bool rates)
{
    const struct outbox_store_stats *stats = &watched->now.stats;
    double rate = delivered_rate(watched);

    if (watched->reason[0])
        return json_pack("{s:o, s:o}", "pipeline", cli_json_text(watched->pipeline->name), "error",
                         cli_json_text(watched->reason));
    json_t *entry = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pipeline",
        cli_json_text(watched->pipeline->name), "pending", count_json(stats->pending), "scheduled",
        count_json(stats->scheduled), "delivering", count_json(stats->delivering), "delivered",
        count_json(stats->delivered), "dead", count_json(stats->dead), "oldest_age_seconds",
        stats->oldest_age < 0 ? json_null() : json_real((double)stats->oldest_age / 1e6),
        "estimated", estimates_json(stats->estimated));
    if (entry)
        (void)json_object_set_new(entry, "holders", holders_json(&watched->holders));
    if (entry && rates)
        (void)json_object_set_new(entry, "delivered_per_second",
                                  rate < 0 ? json_null() : json_real(rate));
    return entry;
}

static int print_json(const struct watch *watch)
{
    json_t *pipelines = json_array();
    for (size_t i = 0; i < watch->count; i++)
        (void)json_array_append_new(pipelines, pipeline_json(&watch->all[i], watch->again));
    return cli_print_json(json_pack("{s:o}", "pipelines", pipelines));
}

/* ---- For people --------------------------------------------------------------------------- */

static void add_row(struct table *table, const struct watched *watched, bool rates)
{
    const struct outbox_store_stats *stats = &watched->now.stats;
    bool known = watched->reason[0] == '\0';
    uint32_t estimated = stats->estimated;
    char age[TABLE_NUMBER], rate_text[TABLE_NUMBER];
    double rate = delivered_rate(watched);

    table_cell(table, watched->pipeline->name);
    table_count(table, known ? stats->pending : -1, estimated & OUTBOX_ESTIMATED_PENDING);
    table_count(table, known ? stats->scheduled : -1, estimated & OUTBOX_ESTIMATED_PENDING);
    table_count(table, known ? stats->delivering : -1, false);
    table_count(table, known ? stats->delivered : -1, estimated & OUTBOX_ESTIMATED_DELIVERED);
    table_count(table, known ? stats->dead : -1, estimated & OUTBOX_ESTIMATED_DEAD);
    table_cell(table, known ? table_age(stats->oldest_age, age) : NULL);
    if (!rates)
        return;
    (void)snprintf(rate_text, sizeof(rate_text), "%s%.1f",
                   estimated & OUTBOX_ESTIMATED_DELIVERED ? "~" : "", rate);
    table_cell(table, known && rate >= 0 ? rate_text : NULL);
}

static int finish_table(struct table *table)
{
    bool printed = table && table_print(table, stdout);

    table_free(&table);
    if (printed)
        return CLI_DONE;
    cli_error("out of memory for the table");
    return CLI_FAILED;
}

static int print_table(const struct watch *watch)
{
    static const struct table_column columns[] = {
        {"PIPELINE", false}, {"PENDING", true}, {"SCHEDULED", true}, {"DELIVERING", true},
        {"DELIVERED", true}, {"DEAD", true},    {"OLDEST", true},    {"DELIVERED/S", true}};
    size_t count = sizeof(columns) / sizeof(*columns) - (watch->again ? 0 : 1);
    struct table *table = table_new(columns, count);

    for (size_t i = 0; table && i < watch->count; i++)
        add_row(table, &watch->all[i], watch->again);
    if (watch->again && isatty(STDOUT_FILENO))
        (void)fputs("\033[H\033[2J", stdout);
    return finish_table(table);
}

static void add_holders(struct table *table, const struct watched *watched)
{
    char number[TABLE_NUMBER];

    for (size_t i = 0; i < watched->holders.count; i++) {
        const struct holder *holder = &watched->holders.list[i];
        table_cell(table, watched->pipeline->name);
        table_cell(table, holder->name[0] ? holder->name : NULL);
        table_count(table, (int64_t)holder->events, watched->holders.partial);
        table_count(table, (int64_t)holder->claims, watched->holders.partial);
        table_cell(table, table_age(holder->held_for, number));
    }
}

/* Nothing where nobody holds an event. */
static int print_holders(const struct watch *watch)
{
    static const struct table_column columns[] = {
        {"PIPELINE", false}, {"HELD BY", false}, {"EVENTS", true}, {"CLAIMS", true}, {"FOR", true}};
    bool any = false;

    for (size_t i = 0; i < watch->count; i++)
        any = any || watch->all[i].holders.count > 0;
    if (!any)
        return CLI_DONE;
    struct table *table = table_new(columns, sizeof(columns) / sizeof(*columns));
    for (size_t i = 0; table && i < watch->count; i++)
        add_holders(table, &watch->all[i]);
    (void)fputs("\n", stdout);
    return finish_table(table);
}

static int print_tables(const struct watch *watch)
{
    int status = print_table(watch);
    return status == CLI_DONE ? print_holders(watch) : status;
}

/* That a store cannot know who holds events is no trouble. */
static void say_trouble(const struct watched *watched)
{
    const struct holders *holders = &watched->holders;
    const char *reason = watched->reason;

    if (!reason[0] && holders->status != OUTBOX_UNSUPPORTED)
        reason = holders->reason;
    if (reason[0])
        cli_error("pipeline '%s', store '%s': %s", watched->pipeline->name,
                  watched->pipeline->store.plugin->name, reason);
}

static int show(struct watch *watch)
{
    int status = CLI_DONE;

    for (size_t i = 0; i < watch->count; i++)
        take_sample(&watch->all[i]);
    if ((watch->json ? print_json(watch) : print_tables(watch)) != CLI_DONE)
        return CLI_FAILED;
    (void)fflush(stdout);
    for (size_t i = 0; i < watch->count; i++) {
        const struct watched *watched = &watch->all[i];
        if (watched->reason[0])
            status = CLI_FAILED;
        if (!watch->json)
            say_trouble(watched);
    }
    return status;
}

/* A store that is away now may be back at the next look; what ends this is a signal, or nobody who
 * reads the output any more. */
static int show_again(struct watch *watch, int64_t period)
{
    struct bell bell;
    int64_t next = clock_now();

    if (!bell_init(&bell)) {
        cli_error("cannot watch: %s", strerror(errno));
        return CLI_FAILED;
    }
    while (!ferror(stdout)) {
        (void)show(watch);
        next += period;
        while (clock_now() < next)
            (void)bell_wait(&bell, -1, next);
    }
    bell_clear(&bell);
    return CLI_FAILED;
}

/* ---- The command -------------------------------------------------------------------------- */

static int open_all(struct watch *watch, const struct config *config)
{
    watch->all = calloc(config->pipeline_count, sizeof(*watch->all));
    if (!watch->all) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    for (; watch->count < config->pipeline_count; watch->count++) {
        struct outbox_error error = OUTBOX_ERROR_INIT;
        struct watched *watched = &watch->all[watch->count];
        char reason[DRIVER_REASON];

        watched->pipeline = &config->pipelines[watch->count];
        enum outbox_status status =
            store_link_open(&watched->link, config, watched->pipeline, &error);
        if (status == OUTBOX_OK)
            continue;
        cli_error("pipeline '%s', store '%s': %s", watched->pipeline->name,
                  watched->pipeline->store.plugin->name, driver_reason(&error, reason));
        return cli_is_mistake(status) ? CLI_USAGE : CLI_FAILED;
    }
    return CLI_DONE;
}

static void close_all(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        store_link_close(&watch->all[i].link);
    free(watch->all);
}

static int run(struct cli *cli)
{
    struct cli_setup setup;
    struct watch watch = {.json = cli->json, .again = cli_has(cli, "watch")};
    long long seconds = WATCH_DEFAULT;

    if (!cli_number(cli, "watch", 1, WATCH_MAX, &seconds))
        return CLI_USAGE;
    int status = cli_load(cli, &setup);
    if (status != CLI_DONE)
        return status;
    status = open_all(&watch, setup.config);
    if (status == CLI_DONE)
        status = watch.again ? show_again(&watch, seconds * SECOND) : show(&watch);
    close_all(&watch);
    cli_unload(&setup);
    return status;
}

static const struct cli_flag flags[] = {
    {"watch", "[SECONDS]", false, "look again every 2 (or so many) seconds, with rates"},
    {0},
};

const struct cli_command command_stats = {
    .name = "stats",
    .summary = "count events by state",
    .about = "Counts the events of every pipeline by state. '~' marks an estimate, '-' what the\n"
             "store cannot tell. OLDEST is the age of the oldest event that is due. Who holds\n"
             "events that are being delivered stands below, where the database knows it.",
    .example = "  outbox-relay stats -c relay.json --watch 5",
    .common = CLI_CONFIG | CLI_PIPELINE | CLI_JSON,
    .flags = flags,
    .run = run,
};
