/*
 * config_schema.c - the keys of the configuration that are the core's own
 * SPDX-License-Identifier: MIT
 */
#include "config_schema.h"
#include "config_value.h"

#define MILLISECOND 1e6
#define SECOND 1e9
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define MIB (1024.0 * 1024)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OPTIONS(table)                                                                             \
    .options = (table), .option_size = sizeof((table)[0]), .option_count = COUNT(table)
#define LATER(table) .later = (table), .later_count = COUNT(table)

static const char *const root_children[] = {"relay", "log", "http", "telemetry", "pipelines", NULL};

static const struct outbox_option relay_options[] = {
    {.name = "id",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "auto",
     .help = "Names this relay in claims and logs: at most 64 letters, digits, '.', '_' and '-'. "
             "Relays that run at the same time must differ. \"auto\" makes one of the host's name, "
             "the process id and a random part."},
    {.name = "plugin_path",
     .type = CONFIG_OPTION_LIST,
     .help = "Folders that are searched for drivers before all others."},
    {.name = "shutdown_timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "30s",
     .minimum = 100 * MILLISECOND,
     .maximum = HOUR,
     .help = "How long a stopping relay waits for what is in flight before it gives up on it."},
};

static const struct outbox_option log_options[] = {
    {.name = "level",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "info",
     .choices = "error|warn|info|debug",
     .help = "The least important lines that are still written."},
    {.name = "format",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "auto",
     .choices = "auto|text|json",
     .help = "\"auto\" is text on a terminal and JSON elsewhere."},
};

static const struct outbox_option http_options[] = {
    {.name = "listen",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "127.0.0.1:9464",
     .help =
         "`HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for every address of this machine. Port 0 is a "
         "free one, which the log names."},
    {.name = "stall_after",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "8s",
     .minimum = SECOND,
     .maximum = HOUR,
     .help = "A pipeline whose events wait and that has moved none for so long is stalled, and no "
             "longer ready."},
};
static const struct later_key http_later[] = {{"admin_token", NULL}};

static const struct outbox_option pipeline_options[] = {
    {.name = "name",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED,
     .help = "Names the pipeline in logs and for `-p`: at most 64 letters, digits, '.', '_' and "
             "'-', and no other pipeline's name."},
    {.name = "delivered",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "keep",
     .choices = "keep|delete",
     .help = "Whether the row of a delivered event is marked DELIVERED or deleted."},
};
static const char *const pipeline_children[] = {
    "store", "publisher", "claim", "publish", "retry", "order", "route", "maintenance", NULL};

static const struct outbox_option claim_options[] = {
    {.name = "mode",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "lease",
     .choices = "lease|hold",
     .help = "\"lease\" commits a claim before anything is published; \"hold\" keeps the rows "
             "locked meanwhile, for tables without lease columns."},
    {.name = "batch_size",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "500",
     .minimum = 1,
     .maximum = 10000,
     .help = "The most events that one claim takes."},
    {.name = "workers",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "2",
     .minimum = 1,
     .maximum = 64,
     .help = "How many claims are worked on at a time, each over its own connection."},
    {.name = "lease",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "60s",
     .minimum = SECOND,
     .maximum = DAY,
     .help = "After that long without renewal, other relays take a claim to be abandoned."},
    {.name = "foreign_lease",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "10m",
     .minimum = SECOND,
     .maximum = 30 * DAY,
     .help = "The same for rows that a relay of another make holds in the same table; not shorter "
             "than `lease`."},
    {.name = "poll_min",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "5ms",
     .minimum = MILLISECOND,
     .maximum = HOUR,
     .help = "The first pause after a claim found nothing; it doubles up to `poll_max`."},
    {.name = "poll_max",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "500ms",
     .minimum = MILLISECOND,
     .maximum = HOUR,
     .help = "The longest pause between two looks at an idle table."},
    {.name = "notify",
     .type = OUTBOX_OPTION_BOOL,
     .default_value = "true",
     .help = "Whether an idle relay asks the store to be woken, where the store can."},
};
static const struct later_key claim_later[] = {{"mode", "lanes"}, {"lanes", NULL}};

static const struct outbox_option publish_options[] = {
    {.name = "timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "30s",
     .minimum = 100 * MILLISECOND,
     .maximum = HOUR,
     .help = "How long the broker may take to acknowledge an event."},
    {.name = "max_in_flight",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "10000",
     .minimum = 1,
     .maximum = 1000000,
     .help = "The most events of the pipeline that wait for the broker at a time."},
    {.name = "max_in_flight_bytes",
     .type = OUTBOX_OPTION_SIZE,
     .default_value = "64MiB",
     .minimum = MIB,
     .maximum = 65536 * MIB,
     .help = "With so many bytes of payloads waiting for the broker nothing more is claimed."},
    {.name = "max_payload",
     .type = OUTBOX_OPTION_SIZE,
     .default_value = "1MiB",
     .minimum = 1,
     .maximum = 1024 * MIB,
     .help = "An event with a larger payload becomes DEAD instead of being published."},
};

static const struct outbox_option retry_options[] = {
    {.name = "max_attempts",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "25",
     .minimum = 1,
     .maximum = 1000000,
     .help = "An event that has failed that often becomes DEAD."},
    {.name = "base_delay",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "1s",
     .minimum = MILLISECOND,
     .maximum = DAY,
     .help = "The wait after the first failure; it doubles with each further one."},
    {.name = "max_delay",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "24h",
     .minimum = MILLISECOND,
     .maximum = 30 * DAY,
     .help = "The longest wait between two attempts; not shorter than `base_delay`."},
    {.name = "jitter",
     .type = OUTBOX_OPTION_NUMBER,
     .default_value = "0.15",
     .minimum = 0,
     .maximum = 1,
     .help = "The part of a wait that is random, so that events do not come back all at once."},
};

static const struct outbox_option order_options[] = {
    {.name = "by",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "none",
     .choices = "none",
     .help = "\"none\": events are delivered about in the order of their insertion."},
    {.name = "on_dead",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "continue",
     .choices = "continue",
     .help = "\"continue\": a DEAD event holds nothing back."},
};
static const struct later_key order_later[] = {{"by", "key"}, {"on_dead", "block"}};

static const struct outbox_option route_options[] = {
    {.name = "topic",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "{type}",
     .help = "A template: the topic, subject, stream or routing key that an event goes to."},
    {.name = "key",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "{partition_key|}",
     .help =
         "A template: the message's key. One field with an empty default, as here, gives no key "
         "where the field is missing."},
    {.name = "properties",
     .type = OUTBOX_OPTION_MAP,
     .help = "Templates for what else the publisher can set for each message; the names are those "
             "under \"Properties of a message\" of the driver."},
    {.name = "format",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "raw",
     .choices = "raw|cloudevents|cloudevents-structured",
     .help = "\"raw\": the payload goes out byte for byte. \"cloudevents\": so, too, with the "
             "attributes of CloudEvents 1.0 beside it (binary mode). \"cloudevents-structured\": "
             "the payload in a JSON envelope, in base64 if it is no JSON."},
};
static const char *const route_children[] = {"rules", "headers", "cloudevents", NULL};

static const struct outbox_option rule_options[] = {
    {.name = "match",
     .type = OUTBOX_OPTION_MAP,
     .flags = OUTBOX_OPTION_REQUIRED,
     .help =
         "Conditions that must all hold: a field as in templates (`type`, `header:tenant`) and "
         "a pattern for it, where `*` is any text, `?` one byte and `\\` takes the next byte as "
         "it is. A field that is missing fits nothing."},
    {.name = "topic", .type = OUTBOX_OPTION_TEXT, .help = "Instead of `route.topic`."},
    {.name = "key", .type = OUTBOX_OPTION_TEXT, .help = "Instead of `route.key`."},
    {.name = "properties",
     .type = OUTBOX_OPTION_MAP,
     .help = "Instead of those of the same name in `route.properties`."},
    {.name = "drop",
     .type = OUTBOX_OPTION_BOOL,
     .default_value = "false",
     .help = "The event is not sent; it counts as dropped and its row is settled as delivered."},
};

static const struct outbox_option route_header_options[] = {
    {.name = "drop",
     .type = CONFIG_OPTION_LIST,
     .help = "Patterns, as in rules, of headers that are left out."},
    {.name = "rename",
     .type = OUTBOX_OPTION_MAP,
     .help = "New names by old names. If two headers get the same name, the event is DEAD."},
    {.name = "prefix",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "",
     .help = "Put before the name of every header that is not renamed."},
    {.name = "set",
     .type = OUTBOX_OPTION_MAP,
     .help = "Templates by name of headers to add, or to send in the place of one of that name."},
};

static const struct outbox_option cloudevents_options[] = {
    {.name = "source",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "/outbox/{pipeline}",
     .help = "A template: a URI reference that tells where the event comes from."},
    {.name = "subject",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "{aggregate_id|}",
     .help = "A template: what the event is about. No attribute where it is empty."},
    {.name = "content_type",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "application/json",
     .help = "The media type of payloads whose event has no header content-type; none if empty."},
};

static const struct outbox_option maintenance_options[] = {
    {.name = "delivered_age",
     .type = OUTBOX_OPTION_DURATION,
     .maximum = 36500 * DAY,
     .help = "DELIVERED events are deleted that long after their delivery. Not set: they stay."},
    {.name = "dead_age",
     .type = OUTBOX_OPTION_DURATION,
     .maximum = 36500 * DAY,
     .help = "DEAD events are deleted that long after they became so. Not set: they stay."},
    {.name = "every",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "1h",
     .minimum = SECOND,
     .maximum = 30 * DAY,
     .help = "The time from one pass over the table to the next."},
    {.name = "batch",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "10000",
     .minimum = 1,
     .maximum = 1000000,
     .help = "The most events that one transaction deletes; after each, the pass rests for as long "
             "as it took."},
};
static const char *const maintenance_children[] = {"partitions", NULL};

static const struct outbox_option partitions_options[] = {
    {.name = "period",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "day",
     .choices = "day|month",
     .help = "How long a partition lasts, by the calendar in UTC."},
    {.name = "lookahead",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "7d",
     .maximum = 1000 * DAY,
     .help = "Partitions are there for so long from now on."},
    {.name = "retention",
     .type = OUTBOX_OPTION_DURATION,
     .maximum = 36500 * DAY,
     .help = "A partition is dropped so long after its time has ended, unless it holds an event "
             "that is neither DELIVERED nor DEAD. Not set: none is dropped."},
};

static const struct config_section sections[SECTION_TELEMETRY] = {
    [SECTION_ROOT] = {.path = "", .help = "", .children = root_children},
    [SECTION_RELAY] = {.path = "relay", .help = "The process as a whole.", OPTIONS(relay_options)},
    [SECTION_LOG] = {.path = "log",
                     .help = "What is written to standard error.",
                     OPTIONS(log_options)},
    [SECTION_HTTP] = {.path = "http",
                      .help = "Where the relay can be looked at: health, metrics, figures and a "
                              "page for people, see http.md. Without this section nothing listens; "
                              "`{}` is enough. Whoever reaches the address can read all of it and "
                              "change nothing.",
                      OPTIONS(http_options),
                      LATER(http_later)},
    [SECTION_PIPELINE] = {.path = "pipelines[]",
                          .help = "Each pipeline relays from one store to one publisher; there is "
                                  "at least one. A failing pipeline never stops another.",
                          .children = pipeline_children,
                          OPTIONS(pipeline_options)},
    [SECTION_CLAIM] = {.path = "pipelines[].claim",
                       .help = "How events are taken from the store.",
                       OPTIONS(claim_options),
                       LATER(claim_later)},
    [SECTION_PUBLISH] = {.path = "pipelines[].publish",
                         .help = "How events are handed to the broker.",
                         OPTIONS(publish_options)},
    [SECTION_RETRY] = {.path = "pipelines[].retry",
                       .help = "What happens to an event that the broker did not take.",
                       OPTIONS(retry_options)},
    [SECTION_ORDER] = {.path = "pipelines[].order",
                       .help = "What is promised about the order of events.",
                       OPTIONS(order_options),
                       LATER(order_later)},
    [SECTION_ROUTE] =
        {.path = "pipelines[].route",
         .help =
             "Where an event goes and what it becomes as a message.\n"
             "\n"
             "**Templates** are text with fields of the event in braces: `id`, `type`,\n"
             "`partition_key`, `ordering_key`, `aggregate_type`, `aggregate_id`, `attempts`,\n"
             "`created_at`, `available_at`, `pipeline` and `header:NAME`, as in\n"
             "`\"{aggregate_type}.{type}\"`. An event that lacks a field is DEAD with the reason,\n"
             "unless the template has a default for it: `{header:tenant|none}`. Braces that are\n"
             "meant as such are doubled: `{{` and `}}`.\n"
             "\n"
             "`rules` is an array of objects, of which the first that matches decides.",
         .children = route_children,
         OPTIONS(route_options)},
    [SECTION_ROUTE_RULE] = {.path = "pipelines[].route.rules[]",
                            .help = "A rule for the events that match it.",
                            OPTIONS(rule_options)},
    [SECTION_ROUTE_HEADERS] =
        {.path = "pipelines[].route.headers",
         .help =
             "What becomes of the headers. A message has those of its event, and `event-id` and\n"
             "`event-type`. Names are changed in the order of the keys below.",
         OPTIONS(route_header_options)},
    [SECTION_ROUTE_CLOUDEVENTS] = {.path = "pipelines[].route.cloudevents",
                                   .help = "Attributes of the formats \"cloudevents\" and "
                                           "\"cloudevents-structured\".",
                                   OPTIONS(cloudevents_options)},
    [SECTION_MAINTENANCE] = {.path = "pipelines[].maintenance",
                             .help = "Deletes finished events while the relay runs. Of several "
                                     "relays on a table one does it.",
                             .children = maintenance_children,
                             OPTIONS(maintenance_options)},
    [SECTION_MAINTENANCE_PARTITIONS] =
        {.path = "pipelines[].maintenance.partitions",
         .help = "With this object the relay that maintains a partitioned table also creates the\n"
                 "partitions that are needed and drops old ones: when it starts, and every\n"
                 "`maintenance.every`.",
         OPTIONS(partitions_options)},
};

const struct config_section *config_section(enum config_section_id id)
{
    return id >= SECTION_TELEMETRY ? config_telemetry_section(id) : &sections[id];
}
