/*
 * cmd_enqueue.c - `enqueue`: inserts events
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "driver.h"
#include "enqueue_lines.h"
#include "timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH_DEFAULT 500
#define BATCH_MAX 100000
#define PAYLOAD_LIMIT ((size_t)64 * 1024 * 1024)

/* One event as the flags describe it, and what it points to. */
struct described {
    struct outbox_new_event event;
    char *payload; /* NULL: the payload is a word of the command line */
    char *headers;
};

static void described_clear(struct described *described)
{
    free(described->payload);
    free(described->headers);
}

/* ---- The payload -------------------------------------------------------------------------- */

/* Reads to the end of the file; NULL with errno set. */
static char *read_all(int fd, size_t *length)
{
    size_t capacity = 64 * 1024;
    char *bytes = malloc(capacity);

    for (*length = 0; bytes;) {
        ssize_t count = read(fd, bytes + *length, capacity - *length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count == 0)
            return bytes;
        *length += count > 0 ? (size_t)count : 0;
        if (count > 0 && *length < capacity)
            continue;
        if (*length > PAYLOAD_LIMIT)
            errno = EFBIG;
        char *grown = count < 0 || *length > PAYLOAD_LIMIT ? NULL : realloc(bytes, capacity * 2);
        if (!grown) {
            free(bytes);
            return NULL;
        }
        bytes = grown;
        capacity *= 2;
    }
    return NULL;
}

static int read_payload(struct described *described, const char *path)
{
    bool is_input = strcmp(path, "-") == 0;
    size_t length = 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

    described->payload = fd < 0 ? NULL : read_all(fd, &length);
    int reason = errno;
    if (fd >= 0 && !is_input)
        (void)close(fd);
    if (!described->payload) {
        cli_error("cannot read the payload from %s: %s", is_input ? "standard input" : path,
                  strerror(reason));
        return CLI_FAILED;
    }
    described->event.payload = (struct outbox_slice){described->payload, length};
    return CLI_DONE;
}

static int take_payload(const struct cli *cli, struct described *described)
{
    const char *payload = cli_value(cli, "payload");

    if (!payload)
        return cli_usage_error(cli, "--payload is missing: give TEXT, @FILE or - for standard "
                                    "input, or use --ndjson");
    if (strcmp(payload, "-") == 0)
        return read_payload(described, payload);
    if (payload[0] == '@')
        return read_payload(described, payload + 1);
    described->event.payload = outbox_slice_of(payload);
    return CLI_DONE;
}

/* ---- Everything else ---------------------------------------------------------------------- */

static int add_header(const struct cli *cli, json_t *headers, const char *word)
{
    const char *equals = strchr(word, '=');

    if (!equals || equals == word)
        return cli_usage_error(cli, "--header '%s' is not NAME=VALUE", word);
    char *name = strndup(word, (size_t)(equals - word));
    if (!name) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    int status = CLI_DONE;
    if (json_object_get(headers, name))
        status = cli_usage_error(cli, "--header '%s' is given twice", name);
    else if (json_object_set_new(headers, name, json_string(equals + 1)) < 0)
        status = cli_usage_error(cli, "--header '%s' is not UTF-8", name);
    free(name);
    return status;
}

static int take_headers(const struct cli *cli, struct described *described)
{
    json_t *headers = cli_has(cli, "header") ? json_object() : NULL;
    int status = CLI_DONE;

    for (size_t i = 0; status == CLI_DONE && i < cli->given_count; i++)
        if (strcmp(cli->given[i].flag->name, "header") == 0)
            status = add_header(cli, headers, cli->given[i].value);
    if (headers && status == CLI_DONE) {
        described->headers = json_dumps(headers, JSON_COMPACT);
        described->event.headers = outbox_slice_of(described->headers);
    }
    json_decref(headers);
    return status;
}

static int describe(const struct cli *cli, struct described *described)
{
    struct outbox_new_event *event = &described->event;
    const char *available_at = cli_value(cli, "available-at");

    event->type = outbox_slice_of(cli_value(cli, "type"));
    event->id = outbox_slice_of(cli_value(cli, "id"));
    event->partition_key = outbox_slice_of(cli_value(cli, "key"));
    event->ordering_key = outbox_slice_of(cli_value(cli, "ordering-key"));
    event->aggregate_type = outbox_slice_of(cli_value(cli, "aggregate-type"));
    event->aggregate_id = outbox_slice_of(cli_value(cli, "aggregate-id"));
    if (event->type.len == 0)
        return cli_usage_error(cli, "--type is missing or empty: every event has one, as in "
                                    "--type order.created");
    if (available_at && !timestamp_parse(available_at, &event->available_at))
        return cli_usage_error(cli, "--available-at '%s' is not an instant: write %s", available_at,
                               TIMESTAMP_FORMS);
    int status = take_headers(cli, described);
    return status == CLI_DONE ? take_payload(cli, described) : status;
}

/* A flag that says the same as the lines do would be passed over in silence. */
static int check_ndjson_flags(const struct cli *cli)
{
    bool lines = cli_has(cli, "ndjson");

    for (size_t i = 0; i < cli->given_count; i++) {
        const char *name = cli->given[i].flag->name;
        bool of_lines = strcmp(name, "ndjson") == 0 || strcmp(name, "batch") == 0;
        if (lines && !of_lines)
            return cli_usage_error(cli, "--%s does not go with --ndjson: the lines say it", name);
        if (!lines && of_lines)
            return cli_usage_error(cli, "--%s goes with --ndjson only", name);
    }
    return CLI_DONE;
}

/* What was done, where a failure to say so must not be taken for a failure to do it. */
static int tell_enqueued(const struct cli *cli, const struct pipeline_config *pipeline,
                         uint64_t committed)
{
    int status = CLI_DONE;

    if (cli->json)
        status = cli_print_json(json_pack("{s:o, s:I}", "pipeline", cli_json_text(pipeline->name),
                                          "enqueued", (json_int_t)committed));
    else
        (void)printf("enqueued %" PRIu64 " event%s in pipeline '%s'\n", committed,
                     committed == 1 ? "" : "s", pipeline->name);
    if (status == CLI_DONE && fflush(stdout) == 0)
        return CLI_DONE;
    cli_error("%" PRIu64 " event%s committed in pipeline '%s': do not send %s again", committed,
              committed == 1 ? " is" : "s are", pipeline->name, committed == 1 ? "it" : "them");
    return CLI_FAILED;
}

/* ---- The command -------------------------------------------------------------------------- */

static int enqueue_one(struct store_link *link, const struct described *described)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    char reason[DRIVER_REASON];
    const struct outbox_enqueue_request request = {
        .size = sizeof(request),
        .events = &described->event,
        .event_size = sizeof(described->event),
        .count = 1,
    };

    if (link->ops->enqueue(link->session, &request, &error) == OUTBOX_OK)
        return CLI_DONE;
    cli_error("the event is not enqueued: %s", driver_reason(&error, reason));
    return CLI_FAILED;
}

static int fail_store(const struct pipeline_config *pipeline, enum outbox_status status,
                      const struct outbox_error *error)
{
    char reason[DRIVER_REASON];
    cli_error("pipeline '%s', store '%s': %s", pipeline->name, pipeline->store.plugin->name,
              driver_reason(error, reason));
    return cli_is_mistake(status) ? CLI_USAGE : CLI_FAILED;
}

static int enqueue(const struct cli *cli, const struct config *config,
                   const struct described *described, size_t batch)
{
    const struct pipeline_config *pipeline = cli_one_pipeline(cli, config);
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct store_link link = {0};
    uint64_t committed = 1;

    if (!pipeline)
        return CLI_USAGE;
    enum outbox_status opened = store_link_open(&link, config, pipeline, &error);
    if (opened == OUTBOX_OK && !link.ops->enqueue)
        opened = outbox_fail(&error, OUTBOX_UNSUPPORTED, "", "this store cannot enqueue");
    if (opened != OUTBOX_OK || store_link_connect(&link, &error) != OUTBOX_OK) {
        store_link_close(&link);
        return fail_store(pipeline, opened, &error);
    }

    int status =
        described ? enqueue_one(&link, described) : enqueue_lines(&link, batch, &committed);
    if (status == CLI_DONE)
        status = tell_enqueued(cli, pipeline, committed);
    store_link_close(&link);
    return status;
}

static int run(struct cli *cli)
{
    struct cli_setup setup;
    struct described described = {0};
    bool lines = cli_has(cli, "ndjson");
    long long batch = BATCH_DEFAULT;

    if (!cli_number(cli, "batch", 1, BATCH_MAX, &batch))
        return CLI_USAGE;
    int status = check_ndjson_flags(cli);
    if (status == CLI_DONE && !lines)
        status = describe(cli, &described);
    if (status == CLI_DONE)
        status = cli_load(cli, &setup);
    if (status == CLI_DONE) {
        status = enqueue(cli, setup.config, lines ? NULL : &described, (size_t)batch);
        cli_unload(&setup);
    }
    described_clear(&described);
    return status;
}

static const struct cli_flag flags[] = {
    {"type", "TYPE", false, "event type, as in order.created"},
    {"payload", "PAYLOAD", false, "TEXT, @FILE, or - for standard input"},
    {"key", "KEY", false, "partition key"},
    {"ordering-key", "KEY", false, "events of equal key keep their order"},
    {"aggregate-type", "TYPE", false, "what the event is about, as in order"},
    {"aggregate-id", "ID", false, "which one, as in 42"},
    {"id", "ID", false, "event id; without it a new UUID"},
    {"header", "NAME=VALUE", true, "a header; may be repeated"},
    {"available-at", "INSTANT", false, "not before: " TIMESTAMP_FORMS},
    {"ndjson", NULL, false, "read events from standard input, an object a line"},
    {"batch", "N", false, "with --ndjson: lines in one transaction (500)"},
    {0},
};

const struct cli_command command_enqueue = {
    .name = "enqueue",
    .summary = "insert events",
    .about =
        "Inserts one event, or with --ndjson many. A line is an object with type, one of\n"
        "payload (text), payload_json (any JSON, kept byte for byte) and payload_base64, and as\n"
        "wanted id, key, ordering_key, aggregate_type, aggregate_id, headers and available_at.\n"
        "Each batch is one transaction; a wrong line ends the command and says what is\n"
        "committed by then. Lines have at most 64 MiB; 16 MiB of lines end a batch early.",
    .example = "  outbox-relay enqueue --type order.created --key 42 --payload '{\"id\":42}'\n"
               "  outbox-relay enqueue --ndjson --batch 1000 < events.ndjson",
    .common = CLI_CONFIG | CLI_PIPELINE | CLI_JSON,
    .flags = flags,
    .run = run,
};
