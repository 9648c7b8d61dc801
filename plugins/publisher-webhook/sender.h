/*
 * sender.h - a thread that keeps many requests on their way
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_SENDER_H
#define PUBLISHER_WEBHOOK_SENDER_H

#include "queue.h"
#include "receiver.h"
#include "request.h"
#include "verdict.h"

struct sender {
    struct waiter waiter; /* first: the queue hands it back */
    const struct outbox_host *host;
    const struct settings *settings;
    struct queue *queue;
    struct receiver *receiver;
    pthread_t thread;
    bool is_running;

    CURLM *multi; /* changes under the queue's lock, for those who wake */
    struct signer signer;
    struct request *requests;
    struct request **free_requests; /* a stack */
    uint64_t window, connections, free_count;
    struct piece taken; /* messages to be sent next */
    struct piece acked; /* acknowledged ones that are not reported yet */
    bool is_stale;      /* connections that are kept may lead nowhere */
    struct verdict verdict;
};

/* Starts the thread, with a share of the window and of the connections. False if the memory is used
 * up or the system starts no thread; sender_close() afterwards in any case. */
bool sender_open(struct sender *sender, const struct outbox_host *host,
                 const struct settings *settings, struct queue *queue, struct receiver *receiver,
                 uint64_t window, uint64_t connections) OUTBOX_MUST_USE;

/* Once the queue is closed: ends the thread; what was on its way is completed UNKNOWN. */
void sender_close(struct sender *sender);

#endif
