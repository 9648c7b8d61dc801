/*
 * config_schema_telemetry.c - the keys of the section `telemetry`
 * SPDX-License-Identifier: MIT
 *
 * None has a default here: what the file leaves out may stand in the environment.
 */
#include "config_schema.h"

#define MILLISECOND 1e6
#define SECOND 1e9
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OPTIONS(table)                                                                             \
    .options = (table), .option_size = sizeof((table)[0]), .option_count = COUNT(table)
#define LATER(table) .later = (table), .later_count = COUNT(table)

/* How to send, for all signals or for one: `of_all` ends the sentence about a default. */
#define TRANSPORT(endpoint_help, enabled_help, of_all)                                             \
    {.name = "enabled", .type = OUTBOX_OPTION_BOOL, .help = enabled_help},                         \
        {.name = "endpoint",                                                                       \
         .type = OUTBOX_OPTION_TEXT,                                                               \
         .flags = OUTBOX_OPTION_SECRET,                                                            \
         .help = endpoint_help},                                                                   \
        {.name = "protocol",                                                                       \
         .type = OUTBOX_OPTION_CHOICE,                                                             \
         .choices = "http/protobuf|http/json",                                                     \
         .help = "How requests are written. Not set: " of_all "http/protobuf."},                   \
        {.name = "headers",                                                                        \
         .type = OUTBOX_OPTION_MAP,                                                                \
         .flags = OUTBOX_OPTION_SECRET,                                                            \
         .help = "Headers that each request carries, such as `authorization`."},                   \
        {.name = "timeout",                                                                        \
         .type = OUTBOX_OPTION_DURATION,                                                           \
         .minimum = MILLISECOND,                                                                   \
         .maximum = HOUR,                                                                          \
         .help = "How long one request may take. Not set: " of_all "10s."},                        \
        {.name = "compression",                                                                    \
         .type = OUTBOX_OPTION_CHOICE,                                                             \
         .choices = "none|gzip",                                                                   \
         .help = "Not set: " of_all "none."},                                                      \
        {.name = "certificate",                                                                    \
         .type = OUTBOX_OPTION_TEXT,                                                               \
         .help = "A file of PEM certificates that alone are trusted to sign the collector's. Not " \
                 "set: those that the system trusts."},                                            \
        {.name = "client_certificate",                                                             \
         .type = OUTBOX_OPTION_TEXT,                                                               \
         .help = "A PEM file with the certificate by which the collector knows the relay."},       \
    {                                                                                              \
        .name = "client_key", .type = OUTBOX_OPTION_TEXT, .help = "A PEM file with its key."       \
    }

#define OF_SIGNAL                                                                                  \
    TRANSPORT("The whole address for this signal, taken as it is. Not set: `telemetry.endpoint` "  \
              "and the signal's path.",                                                            \
              "Whether the signal is sent. Not set: true.", "what `telemetry` says, else ")

#define QUEUE(things, fast)                                                                        \
    {.name = "queue_size",                                                                         \
     .type = OUTBOX_OPTION_INTEGER,                                                                \
     .minimum = 1,                                                                                 \
     .maximum = 100000,                                                                            \
     .help = "The most " things " that wait to be sent; more are dropped and counted. Not set: "   \
             "2048."},                                                                             \
        {.name = "batch_size",                                                                     \
         .type = OUTBOX_OPTION_INTEGER,                                                            \
         .minimum = 1,                                                                             \
         .maximum = 100000,                                                                        \
         .help = "The most " things " in one request; not more than `queue_size`. Not set: 512."}, \
        {.name = "delay",                                                                          \
         .type = OUTBOX_OPTION_DURATION,                                                           \
         .minimum = MILLISECOND,                                                                   \
         .maximum = HOUR,                                                                          \
         .help = "How long " things " wait for a batch to become full. Not set: " fast "."},       \
    {                                                                                              \
        .name = "patience", .type = OUTBOX_OPTION_DURATION, .minimum = MILLISECOND,                \
        .maximum = DAY, .help = "How long one batch is tried before it is dropped. Not set: 30s."  \
    }

static const struct outbox_option telemetry_options[] = {
    TRANSPORT("The collector's address; `/v1/metrics`, `/v1/traces` and `/v1/logs` are added to "
              "it. Not set, in the environment neither: `http://localhost:4318`.",
              "Whether anything is sent. Not set: true.", ""),
    {.name = "service_name",
     .type = OUTBOX_OPTION_TEXT,
     .help = "The attribute `service.name` of all that is sent. Not set: outbox-relay."},
    {.name = "resource_attributes",
     .type = OUTBOX_OPTION_MAP,
     .help = "Further attributes of all that is sent, such as `deployment.environment.name`."},
    {.name = "processor_share",
     .type = OUTBOX_OPTION_NUMBER,
     .default_value = "0.01",
     .minimum = 0.001,
     .maximum = 1,
     .help = "The most that sending takes of one core, on average; spans and log lines beyond it "
             "are dropped and counted, so that delivery stays as fast as it is."},
};
static const char *const telemetry_children[] = {"metrics", "traces", "logs", NULL};
static const struct later_key protocol_later[] = {{"protocol", "grpc"}};

static const struct outbox_option metrics_options[] = {
    OF_SIGNAL,
    {.name = "interval",
     .type = OUTBOX_OPTION_DURATION,
     .minimum = 100 * MILLISECOND,
     .maximum = DAY,
     .help = "The time from one sending of all figures to the next. Not set: 1m."},
    {.name = "patience",
     .type = OUTBOX_OPTION_DURATION,
     .minimum = MILLISECOND,
     .maximum = DAY,
     .help = "How long one sending is tried; the next takes its place anyway. Not set: 30s."},
};

static const struct outbox_option traces_options[] = {
    OF_SIGNAL,
    QUEUE("spans", "5s"),
    {.name = "sampler",
     .type = OUTBOX_OPTION_CHOICE,
     .choices = "always_on|always_off|traceidratio|parentbased_always_on|parentbased_always_off|"
                "parentbased_traceidratio",
     .help = "Which traces are recorded; those that begin with `parentbased` follow the producer's "
             "decision where its `traceparent` tells it. Not set: parentbased_always_on."},
    {.name = "ratio",
     .type = OUTBOX_OPTION_NUMBER,
     .minimum = 0,
     .maximum = 1,
     .help = "The part of all traces that the samplers with `traceidratio` record; refused with "
             "another. Not set: 1."},
};

static const struct outbox_option logs_options[] = {OF_SIGNAL, QUEUE("log lines", "1s")};

static const struct config_section sections[] = {
    [SECTION_TELEMETRY - SECTION_TELEMETRY] =
        {.path = "telemetry",
         .help = "Metrics, traces and logs for an OpenTelemetry collector, by OTLP over HTTP.\n"
                 "[telemetry.md](telemetry.md) says what is sent. A key that is not written takes "
                 "the\n"
                 "value of OpenTelemetry's variable, such as `OTEL_EXPORTER_OTLP_ENDPOINT`. "
                 "Without this\n"
                 "section and without an endpoint in the environment nothing is sent.",
         .children = telemetry_children,
         OPTIONS(telemetry_options),
         LATER(protocol_later)},
    [SECTION_TELEMETRY_METRICS - SECTION_TELEMETRY] = {.path = "telemetry.metrics",
                                                       .help = "Of metrics alone.",
                                                       OPTIONS(metrics_options),
                                                       LATER(protocol_later)},
    [SECTION_TELEMETRY_TRACES - SECTION_TELEMETRY] = {.path = "telemetry.traces",
                                                      .help = "Of traces alone.",
                                                      OPTIONS(traces_options),
                                                      LATER(protocol_later)},
    [SECTION_TELEMETRY_LOGS -
        SECTION_TELEMETRY] = {.path = "telemetry.logs",
                              .help =
                                  "Of logs alone: lines that are written to standard error, too.",
                              OPTIONS(logs_options),
                              LATER(protocol_later)},
};

const struct config_section *config_telemetry_section(enum config_section_id id)
{
    return &sections[id - SECTION_TELEMETRY];
}
