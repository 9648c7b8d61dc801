/*
 * client.c - the client of the library that sends, and how another one takes its place
 * SPDX-License-Identifier: MIT
 */
#include "client.h"

#include "turn.h"

#include <stdlib.h>

bool seat_init(struct seat *seat, const struct outbox_host *host, const struct settings *settings)
{
    *seat = (struct seat){.host = host, .settings = settings};
    if (pthread_mutex_init(&seat->lock, NULL) != 0)
        return false;
    if (condition_init(&seat->changed))
        return true;
    (void)pthread_mutex_destroy(&seat->lock);
    return false;
}

void seat_clear(struct seat *seat)
{
    (void)pthread_cond_destroy(&seat->changed);
    (void)pthread_mutex_destroy(&seat->lock);
}

/* ---- Making and ending -------------------------------------------------------------------- */

static enum outbox_status pack(rd_kafka_conf_t *conf, const struct packing *packing,
                               struct outbox_error *error)
{
    char bytes[32];
    (void)snprintf(bytes, sizeof(bytes), "%lld", (long long)packing->batch_bytes);
    enum outbox_status status = settings_set(conf, "batch.size", bytes, "batch.size", error);
    if (status == OUTBOX_OK && packing->is_single)
        status = settings_set(conf, "batch.num.messages", "1", "batch.num.messages", error);
    return status;
}

static enum outbox_status start(struct client *client, const struct settings *settings,
                                rd_kafka_conf_t *conf, struct outbox_error *error)
{
    char why[256];
    client->library = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!client->library) {
        rd_kafka_conf_destroy(conf);
        return settings_refused(settings, why, error);
    }
    client->reports = rd_kafka_queue_get_main(client->library);
    if (client->reports && topics_init(&client->topics, client->library))
        return OUTBOX_OK;
    if (client->reports)
        rd_kafka_queue_destroy(client->reports);
    rd_kafka_destroy(client->library);
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "make a Kafka client: out of memory");
}

enum outbox_status seat_fill(struct seat *seat, const struct packing *packing, void *opaque,
                             struct outbox_error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(seat->settings->conf);
    struct client *client = calloc(1, sizeof(*client));
    enum outbox_status status = OUTBOX_OK;
    if (!conf || !client)
        status =
            outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "make a Kafka client: out of memory");
    if (status == OUTBOX_OK)
        status = pack(conf, packing, error);
    if (status == OUTBOX_OK) {
        rd_kafka_conf_set_opaque(conf, opaque);
        status = start(client, seat->settings, conf, error);
        conf = NULL;
    }
    if (status != OUTBOX_OK) {
        if (conf)
            rd_kafka_conf_destroy(conf);
        free(client);
        return status;
    }
    (void)pthread_mutex_lock(&seat->lock);
    seat->client = client;
    (void)pthread_cond_broadcast(&seat->changed);
    (void)pthread_mutex_unlock(&seat->lock);
    return OUTBOX_OK;
}

struct client *seat_empty(struct seat *seat)
{
    (void)pthread_mutex_lock(&seat->lock);
    struct client *client = seat->client;
    seat->client = NULL;
    (void)pthread_mutex_unlock(&seat->lock);
    return client;
}

bool seat_is_used(struct seat *seat)
{
    (void)pthread_mutex_lock(&seat->lock);
    bool is_used = seat->users > 0;
    (void)pthread_mutex_unlock(&seat->lock);
    return is_used;
}

void seat_close(struct seat *seat)
{
    (void)pthread_mutex_lock(&seat->lock);
    seat->is_closed = true;
    (void)pthread_cond_broadcast(&seat->changed);
    (void)pthread_mutex_unlock(&seat->lock);
}

void seat_wait(struct seat *seat, int64_t nanoseconds)
{
    (void)pthread_mutex_lock(&seat->lock);
    if (!seat->is_closed)
        condition_wait(&seat->changed, &seat->lock, nanoseconds);
    (void)pthread_mutex_unlock(&seat->lock);
}

void seat_tell(struct seat *seat)
{
    (void)pthread_mutex_lock(&seat->lock);
    (void)pthread_cond_broadcast(&seat->changed);
    (void)pthread_mutex_unlock(&seat->lock);
}

void client_free(struct client **client)
{
    struct client *doomed = *client;
    *client = NULL;
    if (!doomed)
        return;
    topics_clear(&doomed->topics);
    rd_kafka_queue_destroy(doomed->reports);
    rd_kafka_destroy(doomed->library);
    free(doomed);
}

/* ---- Using -------------------------------------------------------------------------------- */

struct client *seat_take(struct seat *seat, int64_t deadline)
{
    (void)pthread_mutex_lock(&seat->lock);
    while (!seat->client && !seat->is_closed) {
        int64_t left = deadline - seat->host->now(seat->host);
        if (left <= 0)
            break;
        condition_wait(&seat->changed, &seat->lock, left);
    }
    struct client *client = seat->client;
    if (client)
        seat->users++;
    (void)pthread_mutex_unlock(&seat->lock);
    return client;
}

void seat_give_back(struct seat *seat)
{
    (void)pthread_mutex_lock(&seat->lock);
    seat->users--;
    (void)pthread_mutex_unlock(&seat->lock);
}

void seat_wake(struct seat *seat)
{
    (void)pthread_mutex_lock(&seat->lock);
    if (seat->client)
        rd_kafka_queue_yield(seat->client->reports);
    (void)pthread_mutex_unlock(&seat->lock);
}
