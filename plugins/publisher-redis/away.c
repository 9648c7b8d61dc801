/*
 * away.c - whether the server is taken to be away, and why
 * SPDX-License-Identifier: MIT
 */
#include "away.h"

bool away_init(struct away *away, const struct outbox_host *host)
{
    away->host = host;
    away->why = (struct outbox_error)OUTBOX_ERROR_INIT;
    return pthread_mutex_init(&away->mutex, NULL) == 0;
}

void away_clear(struct away *away)
{
    (void)pthread_mutex_destroy(&away->mutex);
}

void away_begin(struct away *away, enum outbox_status status, const char *native_code,
                const char *why, struct outbox_slice topic)
{
    (void)pthread_mutex_lock(&away->mutex);
    bool is_news = !away_is(away);
    if (is_news) {
        away->status = outbox_fail(&away->why, status, native_code, "%s", why);
        away->topic_len = topic.len <= AWAY_TOPIC ? topic.len : 0;
        if (away->topic_len > 0)
            memcpy(away->topic, topic.data, away->topic_len);
        (void)atomic_fetch_add(&away->times, 1);
        atomic_store_explicit(&away->is_away, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&away->mutex);
    if (is_news)
        outbox_log(away->host, OUTBOX_LOG_WARN, "Redis is away: %s", why);
}

void away_end(struct away *away)
{
    (void)pthread_mutex_lock(&away->mutex);
    bool is_news = away_is(away);
    atomic_store_explicit(&away->is_away, false, memory_order_release);
    (void)pthread_mutex_unlock(&away->mutex);
    if (is_news)
        outbox_log(away->host, OUTBOX_LOG_INFO, "Redis is there again");
}

enum outbox_status away_report(struct away *away, struct outbox_error *error)
{
    (void)pthread_mutex_lock(&away->mutex);
    enum outbox_status status =
        outbox_fail(error, away->status, away->why.native, "%s", away->why.text);
    (void)pthread_mutex_unlock(&away->mutex);
    return status;
}

uint64_t away_topic(struct away *away, char topic[AWAY_TOPIC])
{
    (void)pthread_mutex_lock(&away->mutex);
    uint64_t len = away->topic_len;
    memcpy(topic, away->topic, len);
    (void)pthread_mutex_unlock(&away->mutex);
    return len;
}
