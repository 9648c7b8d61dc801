/*
 * publisher.c - a publisher that hands events to Redis
 * SPDX-License-Identifier: MIT
 */
#include "publisher.h"

#include <outbox/plugin.h>
#include <stdlib.h>

/* What Redis takes unless it is told otherwise (proto-max-bulk-len). */
#define LARGEST_PAYLOAD ((uint64_t)512 * 1024 * 1024)

static void redis_close(struct outbox_publisher *publisher)
{
    for (uint64_t i = 0; i < publisher->lane_count; i++)
        lane_end(publisher->lanes[i]);
    for (uint64_t i = 0; i < publisher->lane_count; i++)
        lane_close(&publisher->lanes[i]);
    free(publisher->lanes);
    away_clear(&publisher->away);
    remote_close(&publisher->remote);
    free(publisher);
}

static enum outbox_status open_lanes(struct outbox_publisher *publisher, struct outbox_error *error)
{
    uint64_t count = (uint64_t)publisher->remote.settings->connections;
    enum outbox_status status = OUTBOX_OK;
    publisher->lanes = calloc(count, sizeof(struct lane *));
    if (!publisher->lanes)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    while (publisher->lane_count < count && status == OUTBOX_OK) {
        status = lane_open(&publisher->lanes[publisher->lane_count], &publisher->remote,
                           &publisher->away, error);
        if (status == OUTBOX_OK)
            publisher->lane_count++;
    }
    return status;
}

static enum outbox_status redis_open(const struct outbox_host *host,
                                     const struct outbox_settings *given,
                                     struct outbox_publisher **publisher,
                                     struct outbox_error *error)
{
    struct settings *settings = NULL;
    enum outbox_status status = settings_new(given, &settings, error);
    if (status != OUTBOX_OK)
        return status;
    struct outbox_publisher *made = calloc(1, sizeof(*made));
    if (!made || !away_init(&made->away, host)) {
        free(made);
        settings_free(&settings);
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    }
    made->host = host;
    status = remote_open(&made->remote, host, settings, error);
    if (status != OUTBOX_OK) {
        away_clear(&made->away);
        free(made);
        return status;
    }
    status = open_lanes(made, error);
    if (status != OUTBOX_OK) {
        redis_close(made);
        return status;
    }
    *publisher = made;
    return OUTBOX_OK;
}

static void redis_limits(struct outbox_publisher *publisher, struct outbox_publisher_limits *limits)
{
    /* An envelope is larger than its payload: that is found message by message. */
    (void)publisher;
    limits->max_payload = LARGEST_PAYLOAD;
}

/* ---- Publishing --------------------------------------------------------------------------- */

/* FNV-1a. Equal keys share a connection, which keeps them in order. */
static uint64_t hash(struct outbox_slice key)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (uint64_t i = 0; i < key.len; i++)
        value = (value ^ (unsigned char)key.data[i]) * UINT64_C(1099511628211);
    return value ^ value >> 32;
}

static uint64_t lane_of(const struct outbox_publisher *publisher,
                        const struct outbox_message *message, uint64_t turn)
{
    return (message->key.data ? hash(message->key) : turn) % publisher->lane_count;
}

/* One part of the batch for each lane, NULL for those that get none; false if the memory is used
 * up. */
static bool share_out(const struct outbox_publisher *publisher, const struct outbox_batch *batch,
                      uint64_t turn, struct parcel **parcels)
{
    uint64_t counts[64] = {0};
    for (uint64_t i = 0; i < batch->count; i++)
        counts[lane_of(publisher, outbox_batch_at(batch, i), turn)]++;
    for (uint64_t lane = 0; lane < publisher->lane_count; lane++) {
        if (counts[lane] == 0)
            continue;
        parcels[lane] = parcel_new(batch, counts[lane]);
        if (!parcels[lane])
            return false;
    }
    for (uint64_t i = 0; i < batch->count; i++) {
        struct parcel *parcel = parcels[lane_of(publisher, outbox_batch_at(batch, i), turn)];
        parcel->indexes[parcel->count++] = (uint32_t)i;
    }
    return true;
}

static enum outbox_status redis_publish(struct outbox_publisher *publisher,
                                        const struct outbox_batch *batch,
                                        struct outbox_error *error)
{
    struct parcel *parcels[64] = {NULL};
    bool has_room = true;
    if (away_is(&publisher->away))
        return away_report(&publisher->away, error);
    if (publisher->lane_count == 1) {
        parcels[0] = parcel_new(batch, 0);
        has_room = parcels[0] != NULL;
        if (has_room)
            parcels[0]->count = batch->count;
    } else {
        has_room = share_out(publisher, batch, atomic_fetch_add(&publisher->turn, 1), parcels);
    }
    if (!has_room || batch->count > UINT32_MAX) {
        for (uint64_t lane = 0; lane < publisher->lane_count; lane++)
            parcels_free(parcels[lane]);
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "take %llu events over: out of memory",
                           (unsigned long long)batch->count);
    }
    /* The batch may end with its last part. */
    for (uint64_t lane = 0; lane < publisher->lane_count; lane++)
        if (parcels[lane])
            lane_put(publisher->lanes[lane], parcels[lane]);
    return OUTBOX_OK;
}

static enum outbox_status redis_flush(struct outbox_publisher *publisher, int64_t deadline,
                                      struct outbox_error *error)
{
    /* Nothing is held back: there is only something to wait for. */
    for (uint64_t lane = 0; lane < publisher->lane_count; lane++)
        if (!lane_wait_empty(publisher->lanes[lane], deadline))
            return outbox_fail(error, OUTBOX_TIMEOUT, "", "events still wait for Redis");
    return OUTBOX_OK;
}

static void redis_cancel(struct outbox_publisher *publisher, const struct outbox_batch *batch)
{
    for (uint64_t lane = 0; lane < publisher->lane_count; lane++)
        lane_cancel(publisher->lanes[lane], batch);
}

const struct outbox_publisher_ops publisher_ops = {
    OUTBOX_OPS(outbox_publisher_ops), .open = redis_open,       .close = redis_close,
    .limits = redis_limits,           .publish = redis_publish, .flush = redis_flush,
    .cancel = redis_cancel,           .ping = publisher_ping,   .check = publisher_check,
};
