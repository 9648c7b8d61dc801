/*
 * cmd_demo.c - `demo`: an outbox from end to end, without any server
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "driver.h"
#include "log.h"
#include "relay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct demo {
    char folder[256];
    struct cli_setup setup;
    const struct pipeline_config *pipeline;
    struct store_link link;
};

static const struct {
    const char *type, *key, *payload, *headers;
} orders[] = {
    {"order.created", "1001", "{\"order\":1001,\"customer\":\"ada\",\"total\":42.50}",
     "{\"source\":\"shop\"}"},
    {"order.created", "1002", "{\"order\":1002,\"customer\":\"linus\",\"total\":7.90}",
     "{\"source\":\"shop\"}"},
    {"order.paid", "1001", "{\"order\":1001,\"method\":\"card\"}", "{\"source\":\"payments\"}"},
    {"order.shipped", "1001", "{\"order\":1001,\"parcel\":\"XK-77\"}", NULL},
    {"order.cancelled", "1002", "{\"order\":1002,\"reason\":\"out of stock\"}", NULL},
};
#define ORDER_COUNT (sizeof(orders) / sizeof(*orders))

static int fail(const char *what, const struct outbox_error *error)
{
    char reason[DRIVER_REASON];
    cli_error("demo: cannot %s: %s", what, driver_reason(error, reason));
    return CLI_FAILED;
}

/* ---- A place of its own ------------------------------------------------------------------- */

static int make_folder(struct demo *demo)
{
    const char *parent = getenv("TMPDIR");
    int length = snprintf(demo->folder, sizeof(demo->folder), "%s/outbox-demo-XXXXXX",
                          parent && *parent ? parent : "/tmp");

    if (length < 0 || (size_t)length >= sizeof(demo->folder))
        errno = ENAMETOOLONG;
    else if (mkdtemp(demo->folder))
        return CLI_DONE;
    cli_error("demo: cannot make a temporary folder in %s: %s; set TMPDIR to a writable folder",
              parent && *parent ? parent : "/tmp", strerror(errno));
    demo->folder[0] = '\0';
    return CLI_FAILED;
}

static void remove_folder(const struct demo *demo)
{
    DIR *folder = opendir(demo->folder);
    struct dirent *entry;
    bool removed = folder != NULL;

    while (folder && (entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            removed = unlinkat(dirfd(folder), entry->d_name, 0) == 0 && removed;
    if (folder)
        (void)closedir(folder);
    if (!removed || rmdir(demo->folder) != 0)
        cli_error("demo: cannot remove %s: %s", demo->folder, strerror(errno));
}

static char *config_text(const struct demo *demo)
{
    char url[sizeof(demo->folder) + 32];

    (void)snprintf(url, sizeof(url), "sqlite:%s/demo.db", demo->folder);
    json_t *document =
        json_pack("{s:{s:s}, s:{s:s}, s:[{s:s, s:{s:s, s:s}, s:{s:s}}]}", "relay", "id", "demo",
                  "log", "level", "warn", "pipelines", "name", "orders", "store", "driver",
                  "sqlite", "url", url, "publisher", "driver", "stdout");
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    return text;
}

static int configure(struct demo *demo)
{
    char *text = config_text(demo);
    struct config_source source = {.text = text};
    struct mistakes mistakes = {0};

    demo->setup.plugins = text ? plugins_new() : NULL;
    if (demo->setup.plugins)
        demo->setup.config = config_load(&source, demo->setup.plugins, &mistakes);
    free(text);
    for (size_t i = 0; i < mistakes.count; i++)
        cli_error("demo: %s", mistakes.lines[i]);
    mistakes_clear(&mistakes);
    if (!demo->setup.config) {
        cli_error("demo: it needs the drivers store-sqlite and publisher-stdout; "
                  "'outbox-relay plugins' shows what is there");
        return CLI_FAILED;
    }
    demo->pipeline = &demo->setup.config->pipelines[0];
    log_setup(demo->setup.config->log_level, demo->setup.config->log_format);
    return CLI_DONE;
}

/* ---- The steps ---------------------------------------------------------------------------- */

static void count_line(void *context, uint32_t level, const char *text)
{
    (void)level, (void)text;
    ++*(size_t *)context;
}

static int make_table(struct demo *demo)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct store_link *link = &demo->link;
    size_t lines = 0;

    (void)printf("1. init: a database with an outbox table, in %s\n\n", demo->folder);
    if (store_link_open(link, demo->setup.config, demo->pipeline, &error) != OUTBOX_OK ||
        store_link_connect(link, &error) != OUTBOX_OK ||
        link->ops->schema(link->store, link->session, OUTBOX_SCHEMA_APPLY, count_line, &lines,
                          &error) != OUTBOX_OK)
        return fail("make the table", &error);
    return CLI_DONE;
}

static int enqueue_orders(struct demo *demo)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_new_event events[ORDER_COUNT];
    const struct outbox_enqueue_request request = {
        .size = sizeof(request),
        .events = events,
        .event_size = sizeof(*events),
        .count = ORDER_COUNT,
    };

    (void)printf(
        "2. enqueue: a shop commits its orders, and in the same transaction these events\n");
    for (size_t i = 0; i < ORDER_COUNT; i++) {
        events[i] = (struct outbox_new_event){
            .type = outbox_slice_of(orders[i].type),
            .partition_key = outbox_slice_of(orders[i].key),
            .payload = outbox_slice_of(orders[i].payload),
            .headers = outbox_slice_of(orders[i].headers),
        };
        (void)printf("   %-16s %s\n", orders[i].type, orders[i].payload);
    }
    if (demo->link.ops->enqueue(demo->link.session, &request, &error) != OUTBOX_OK)
        return fail("enqueue", &error);
    return CLI_DONE;
}

static struct config *keep_config(void *context)
{
    (void)context;
    return NULL;
}

static int relay_orders(struct demo *demo)
{
    struct relay_totals totals = {0};

    (void)printf(
        "\n3. run --once: the relay claims them, sends them on (here to standard output; a\n"
        "   message broker in earnest) and settles each once it is acknowledged\n");
    /* The publisher writes to the descriptor itself. */
    (void)fflush(stdout);
    int failed = relay_run(demo->setup.config, true, keep_config, NULL, &totals);
    if (failed || totals.delivered != ORDER_COUNT) {
        cli_error("demo: %" PRIu64 " of %zu events were delivered", totals.delivered, ORDER_COUNT);
        return CLI_FAILED;
    }
    return CLI_DONE;
}

static int show_stats(struct demo *demo)
{
    struct outbox_store_stats stats = {.size = sizeof(stats)};
    struct outbox_error error = OUTBOX_ERROR_INIT;

    if (demo->link.ops->stats(demo->link.session, &stats, &error) != OUTBOX_OK)
        return fail("count the events", &error);
    (void)printf("\n4. stats: %" PRId64 " pending, %" PRId64 " delivering, %" PRId64
                 " delivered, %" PRId64 " dead\n",
                 stats.pending, stats.delivering, stats.delivered, stats.dead);
    (void)printf(
        "\nThat was all of it; the folder is removed again. Your own: write a configuration,\n"
        "then outbox-relay check, init, enqueue and run.\n");
    return CLI_DONE;
}

static int run(struct cli *cli)
{
    struct demo demo = {.folder = ""};
    int (*const steps[])(struct demo *) = {make_folder,    configure,    make_table,
                                           enqueue_orders, relay_orders, show_stats};
    int status = CLI_DONE;

    (void)cli;
    for (size_t i = 0; status == CLI_DONE && i < sizeof(steps) / sizeof(*steps); i++)
        status = steps[i](&demo);
    store_link_close(&demo.link);
    cli_unload(&demo.setup);
    if (demo.folder[0])
        remove_folder(&demo);
    return status;
}

const struct cli_command command_demo = {
    .name = "demo",
    .summary = "show an outbox from end to end; needs no server",
    .about =
        "Makes a database in a temporary folder, enqueues a few events, relays them to standard\n"
        "output, shows the counts and removes the folder again. Needs no server and no\n"
        "configuration.",
    .example = "  outbox-relay demo",
    .holds_signals = true,
    .run = run,
};
