/*
 * export_spans_main.c - sends spans by the relay's exporter, as fast as it takes them
 * SPDX-License-Identifier: MIT
 *
 * export_spans ENDPOINT http/protobuf|http/json COUNT [patient]
 *
 * Without `patient` it does not wait for room. Writes "exported dropped failures peak_kib" at the
 * end.
 */
#include "clock.h"
#include "telemetry/exporter.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_SPANS 100

static void fill(struct span *span, struct span_list *list, uint64_t number)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "span %" PRIu64, number);
    memset(span->context.trace_id, 0xab, TRACE_ID);
    memset(span->context.span_id, 0xcd, SPAN_ID);
    memcpy(span->context.span_id, &number, sizeof(number) / 2);
    memset(span->parent_id, 0x01, SPAN_ID);
    memset(span->link.trace_id, 0x02, TRACE_ID);
    memset(span->link.span_id, 0x03, SPAN_ID);
    span->kind = SPAN_PRODUCER;
    span->name = span_list_text(list, outbox_slice_of(name));
    span->start = clock_wall();
    span->end = span->start + 5;
    span->failed = number % 2 == 1;
    span->failure = outbox_slice_of("odd");
    span_text(span, "messaging.destination.name", outbox_slice_of("orders"));
    span_number(span, "number", (int64_t)number);
}

static struct span_list *make_list(uint64_t first, uint64_t count)
{
    struct span_list *list = span_list_new(LIST_SPANS);
    struct span *span;

    for (uint64_t i = 0; list && i < count && (span = span_list_add(list)); i++)
        fill(span, list, first + i);
    return list;
}

static bool send_all(struct exporter *exporter, uint64_t count, bool patient)
{
    for (uint64_t sent = 0; sent < count; sent += LIST_SPANS) {
        uint64_t left = count - sent;
        while (patient && exporter_span_room(exporter) < LIST_SPANS)
            (void)poll(NULL, 0, 1);
        struct span_list *list = make_list(sent, left < LIST_SPANS ? left : LIST_SPANS);
        if (!list)
            return false;
        exporter_spans(exporter, list);
    }
    return true;
}

/* What getrusage() tells would be that of the parent, if that was larger. */
static long peak_kib(void)
{
    char line[128];
    long peak = 0;
    FILE *file = fopen("/proc/self/status", "re");

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = strtol(line + 6, NULL, 10);
    if (file)
        (void)fclose(file);
    return peak;
}

int main(int argc, char **argv)
{
    struct config config = {.relay_id = "spans",
                            .telemetry = {.service_name = "spans", .processor_share = 1}};
    struct signal_settings *settings = &config.telemetry.signals[SIGNAL_TRACES];
    struct metrics counts;

    if (argc < 4 || !metrics_init(&counts))
        return 2;
    *settings = (struct signal_settings){.endpoint = argv[1],
                                         .is_json = strcmp(argv[2], "http/json") == 0,
                                         .timeout = 10 * SECOND,
                                         .delay = 5 * SECOND,
                                         .patience = 30 * SECOND,
                                         .queue_size = 2048,
                                         .batch_size = 512};
    struct exporter *exporter = exporter_start(&config, &counts);
    if (!exporter || !send_all(exporter, strtoull(argv[3], NULL, 10), argc > 4))
        return 1;
    exporter_stop(&exporter);
    (void)printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %ld\n",
                 metrics_read(&counts, TELEMETRY_EXPORTED, SIGNAL_TRACES),
                 metrics_read(&counts, TELEMETRY_DROPPED, SIGNAL_TRACES),
                 metrics_read(&counts, TELEMETRY_FAILURES, SIGNAL_TRACES), peak_kib());
    metrics_clear(&counts);
    return 0;
}
