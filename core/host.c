/*
 * host.c - the services that the relay gives to an open driver
 * SPDX-License-Identifier: MIT
 */
#include "host.h"

#include "clock.h"
#include "log.h"

#include <stdlib.h>

static void host_log(const struct outbox_host *table, uint32_t level, const char *text)
{
    const struct host *host = table->context;
    log_line(level, text, FIELD("pipeline", host->pipeline), FIELD("driver", host->driver));
}

static int64_t host_now(const struct outbox_host *table)
{
    (void)table;
    return clock_now();
}

static void host_complete_unasked(const struct outbox_host *table, const struct outbox_batch *batch,
                                  uint64_t first, uint64_t count,
                                  const struct outbox_result *result)
{
    (void)batch, (void)first, (void)count, (void)result;
    table->log(table, OUTBOX_LOG_ERROR, "the driver completed a message that it was never given");
    abort();
}

static void host_count(const struct outbox_host *table, const char *counter, int64_t increment)
{
    struct host *host = table->context;

    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < HOST_COUNTERS; i++) {
        struct host_counter *slot = &host->counters[i];
        if (slot->name[0] == '\0')
            (void)snprintf(slot->name, sizeof(slot->name), "%s", counter);
        if (strncmp(slot->name, counter, sizeof(slot->name) - 1) == 0) {
            slot->value += increment;
            break;
        }
    }
    pthread_mutex_unlock(&host->lock);
}

void host_init(struct host *host, const char *pipeline, const char *driver)
{
    *host = (struct host){
        .table =
            {
                .size = sizeof(struct outbox_host),
                .abi_major = OUTBOX_ABI_MAJOR,
                .abi_minor = OUTBOX_ABI_MINOR,
                .context = host,
                .log = host_log,
                .now = host_now,
                .complete = host_complete_unasked,
                .count = host_count,
            },
        .pipeline = pipeline,
        .driver = driver,
    };
    pthread_mutex_init(&host->lock, NULL);
}

size_t host_counters(struct host *host, struct host_counter counters[HOST_COUNTERS])
{
    size_t count = 0;

    pthread_mutex_lock(&host->lock);
    while (count < HOST_COUNTERS && host->counters[count].name[0]) {
        counters[count] = host->counters[count];
        count++;
    }
    pthread_mutex_unlock(&host->lock);
    return count;
}

void host_clear(struct host *host)
{
    for (size_t i = 0; i < HOST_COUNTERS && host->counters[i].name[0]; i++)
        log_line(OUTBOX_LOG_INFO, "driver counter", FIELD("pipeline", host->pipeline),
                 FIELD("driver", host->driver), FIELD("counter", host->counters[i].name),
                 FIELD_NUMBER("value", host->counters[i].value));
    pthread_mutex_destroy(&host->lock);
}
