/*
 * wire.h - frames of AMQP 0-9-1 to and from one broker
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_WIRE_H
#define PUBLISHER_RABBITMQ_WIRE_H

#include "rabbitmq_c.h"
#include "transport.h"

#define WIRE_PARTS 1024u /* as many as the system takes at once */
#define WIRE_FRAME_MAX 131072u
#define WIRE_FRAME_EXTRA 8u /* bytes of a frame around its payload */
#define WIRE_OWN_MAX (2 * WIRE_FRAME_MAX)

/*
 * What goes out is gathered as parts: frames are written into `space`, payloads are pointed at
 * where they are. One thread at a time. Starts as {.transport = {.fd = -1}}.
 */
struct wire {
    struct transport transport;
    amqp_connection_state_t codec; /* decodes what comes in; never has a socket */
    uint64_t frame_max;
    int64_t heard, spoke; /* when bytes last came in, and went out */

    char *space;
    size_t used;
    struct iovec parts[WIRE_PARTS];
    size_t first, count; /* of the parts that are not sent yet */
    char *detached;      /* parts[first .. count) copied, so that payloads can go */

    /* The message whose body does not fit all at once. */
    const char *body;
    uint64_t body_left;
    amqp_channel_t body_channel;

    char *received;
    size_t received_at, received_len;
};

/* Called with each frame; what it points to is gone after the call. */
typedef void wire_frame(void *context, const amqp_frame_t *frame);

/* Memory for one connection; false if it is used up. */
bool wire_start(struct wire *wire) OUTBOX_MUST_USE;
/* Closes the connection at once and drops what was not sent. */
void wire_stop(struct wire *wire);
bool wire_is_open(const struct wire *wire) OUTBOX_MUST_USE;

/* Whether another message can be gathered: whatever its headers, they have room. */
bool wire_has_room(const struct wire *wire) OUTBOX_MUST_USE;
bool wire_is_sending(const struct wire *wire) OUTBOX_MUST_USE;

/* Gathers a method. There is always room: what is sent beside messages is little and seldom. */
void wire_method(struct wire *wire, amqp_channel_t channel, amqp_method_number_t id, void *method);
void wire_heartbeat(struct wire *wire);
void wire_greeting(struct wire *wire);

/* Gathers a message, with room checked before. False, and nothing gathered, if its properties do
 * not fit into a frame. `body` is read until it is sent; see wire_detach(). */
bool wire_publish(struct wire *wire, amqp_channel_t channel, amqp_basic_publish_t *publish,
                  amqp_basic_properties_t *properties, struct outbox_slice body) OUTBOX_MUST_USE;
/* Goes on with the body that is not gathered as a whole. */
void wire_feed(struct wire *wire);
/* The channel is no more: what is left of its message is not gathered. */
void wire_drop_body(struct wire *wire, amqp_channel_t channel);

/* Copies what is gathered and not sent, so that the payloads of messages may go. False if a body is
 * not gathered as a whole or the memory is used up: then only wire_stop() helps. */
bool wire_detach(struct wire *wire) OUTBOX_MUST_USE;

/* Sends what can be sent without waiting. */
enum transport_result wire_send(struct wire *wire, int64_t now) OUTBOX_MUST_USE;
/* Receives what is there, once, and hands out the frames until `enough` (may be NULL) becomes true.
 * What is left is handed out by the next call. */
enum transport_result wire_receive(struct wire *wire, const struct outbox_host *host,
                                   wire_frame *take, void *context,
                                   const bool *enough) OUTBOX_MUST_USE;
/* Whether there may be more to receive that no waiting would tell of. */
bool wire_has_received(const struct wire *wire) OUTBOX_MUST_USE;

#endif
