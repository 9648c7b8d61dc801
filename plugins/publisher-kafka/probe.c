/*
 * probe.c - whether a broker answers
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"
#include "verdict.h"

/* The library tells nobody who waits for an answer that credentials were refused. So one waits in
 * portions that grow, for an answer may take its time. */
#define FIRST_PORTION (NANOSECONDS / 4)
/* Reconnecting, a client is refused again within that time. */
#define REFUSAL_LASTS (2 * NANOSECONDS)

static enum outbox_status fail_ping(struct outbox_publisher *publisher, bool is_refused,
                                    rd_kafka_resp_err_t code, struct outbox_error *error)
{
    char text[sizeof(error->text)];
    (void)snprintf(text, sizeof(text), "ask the Kafka brokers %.120s: %s",
                   publisher->settings.brokers, is_refused ? "refused" : rd_kafka_err2str(code));
    trouble_append(&publisher->trouble, text, sizeof(text));
    return outbox_fail(error, is_refused ? OUTBOX_DENIED : OUTBOX_UNAVAILABLE,
                       rd_kafka_err2name(code), "%s", text);
}

/* A broker answers, but the producer is of no use, and the next one not for long. */
static enum outbox_status fail_lost(struct outbox_publisher *publisher, rd_kafka_resp_err_t code,
                                    struct outbox_error *error)
{
    char text[sizeof(error->text)];
    bool is_denied = code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    verdict_text_of_loss(code, text, sizeof(text));
    trouble_append(&publisher->trouble, text, sizeof(text));
    return outbox_fail(error, is_denied ? OUTBOX_DENIED : OUTBOX_UNAVAILABLE,
                       rd_kafka_err2name(code), "%s", text);
}

/* Asks for the topics that are in use; where none is yet, for all. */
static rd_kafka_resp_err_t ask(rd_kafka_t *library, int64_t nanoseconds)
{
    const struct rd_kafka_metadata *answer = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(library, 0, NULL, &answer, (int)(nanoseconds / MILLISECOND) + 1);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(answer);
    return code;
}

enum outbox_status kafka_ping(struct outbox_publisher *publisher, int64_t deadline,
                              struct outbox_error *error)
{
    const struct outbox_host *host = publisher->host;
    int64_t portion = FIRST_PORTION, refused_since = host->now(host) - REFUSAL_LASTS;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    bool is_refused = false;
    struct client *client = seat_take(&publisher->seat, deadline);
    if (!client)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "",
                           "ask the Kafka brokers %.120s: the producer is being replaced",
                           publisher->settings.brokers);
    while (!is_refused && !atomic_load(&publisher->is_closing)) {
        int64_t left = deadline - host->now(host);
        if (left <= 0)
            break;
        code = ask(client->library, portion < left ? portion : left);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        is_refused = trouble_is_refusal(&publisher->trouble, refused_since);
        portion *= 2;
    }
    rd_kafka_resp_err_t loss = rd_kafka_fatal_error(client->library, NULL, 0);
    seat_give_back(&publisher->seat);
    if (loss != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail_lost(publisher, loss, error);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail_ping(publisher, is_refused, code, error);
    trouble_over(&publisher->trouble);
    return OUTBOX_OK;
}
