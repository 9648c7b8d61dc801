/*
 * delivery.h - what a courier does with its messages; its thread alone calls this
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_DELIVERY_H
#define PUBLISHER_NATS_DELIVERY_H

#include "courier.h"

/* Sends as much as window and buffer take. Sets has_lost if the connection is gone. */
void delivery_send(struct courier *courier);

/* Takes the answers that are there. */
void delivery_take_answers(struct courier *courier);

/* Ends the messages that no stream takes, once it is known which they are. */
void delivery_settle_unheard(struct courier *courier);

/* Takes what the server refused for lack of a right. */
void delivery_take_denials(struct courier *courier);

/* Without JetStream: acknowledges what a round trip was behind. */
void delivery_take_proof(struct courier *courier);

/* Completes what is past its time. */
void delivery_expire(struct courier *courier);

/* Completes what is unsent of cancelled parcels. */
void delivery_take_cancels(struct courier *courier);

/* Completes everything, as for a connection that is lost or a relay that ends. */
void delivery_give_up(struct courier *courier, enum outbox_outcome outcome, const char *reason);

#endif
