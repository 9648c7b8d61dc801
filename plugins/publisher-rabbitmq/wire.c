/*
 * wire.c - frames of AMQP 0-9-1 to and from one broker
 * SPDX-License-Identifier: MIT
 */
#include "wire.h"

#include <endian.h>
#include <stdlib.h>

#define RECEIVED_SIZE 65536u
#define FRAME_HEAD 7u /* bytes of a frame before its payload; one follows it */
#define FRAME_END '\xCE'
#define CONTENT_HEAD 12u                  /* bytes of a content header before its flags */
#define METHOD_MAX (FRAME_HEAD + 1 + 600) /* of basic.publish: two names of 255 bytes at most */
#define MESSAGE_PARTS 4u

bool wire_start(struct wire *wire)
{
    wire_stop(wire);
    wire->frame_max = WIRE_FRAME_MAX;
    wire->codec = amqp_new_connection();
    wire->space = malloc(WIRE_OWN_MAX);
    wire->received = malloc(RECEIVED_SIZE);
    if (wire->codec && wire->space && wire->received)
        return true;
    wire_stop(wire);
    return false;
}

void wire_stop(struct wire *wire)
{
    transport_close(&wire->transport);
    if (wire->codec)
        (void)amqp_destroy_connection(wire->codec);
    free(wire->space);
    free(wire->received);
    free(wire->detached);
    wire->codec = NULL;
    wire->space = wire->received = wire->detached = NULL;
    wire->used = wire->first = wire->count = 0;
    wire->body = NULL;
    wire->body_left = 0;
    wire->received_at = wire->received_len = 0;
}

bool wire_is_open(const struct wire *wire)
{
    return wire->codec != NULL;
}

/* ---- Gathering ---------------------------------------------------------------------------- */

bool wire_has_room(const struct wire *wire)
{
    /* A quarter is kept back for methods. */
    return wire->body_left == 0 &&
           WIRE_OWN_MAX - wire->used >= WIRE_FRAME_MAX + WIRE_FRAME_MAX / 4 &&
           WIRE_PARTS - wire->count >= 2 * MESSAGE_PARTS;
}

bool wire_has_received(const struct wire *wire)
{
    return wire->received_at < wire->received_len ||
           (wire->received_len == RECEIVED_SIZE && !wire->transport.ssl) ||
           (wire->transport.ssl && SSL_has_pending(wire->transport.ssl));
}

bool wire_is_sending(const struct wire *wire)
{
    return wire->first < wire->count || wire->body_left > 0 ||
           transport_is_staging(&wire->transport);
}

/* The next `len` bytes of the own space become part of what is sent. */
static void take_space(struct wire *wire, size_t len)
{
    struct iovec *last = wire->count > wire->first ? &wire->parts[wire->count - 1] : NULL;
    char *start = wire->space + wire->used;
    if (last && (char *)last->iov_base + last->iov_len == start)
        last->iov_len += len;
    else
        wire->parts[wire->count++] = (struct iovec){start, len};
    wire->used += len;
}

static void put_head(char *at, uint8_t type, amqp_channel_t channel, uint64_t len)
{
    uint16_t channel_wire = htobe16(channel);
    uint32_t len_wire = htobe32((uint32_t)len);
    at[0] = (char)type;
    memcpy(at + 1, &channel_wire, sizeof(channel_wire));
    memcpy(at + 3, &len_wire, sizeof(len_wire));
}

/* Writes a method frame at `at`; returns its length, 0 if it does not fit. */
static size_t put_method(char *at, size_t room, amqp_channel_t channel, amqp_method_number_t id,
                         void *method)
{
    uint32_t id_wire = htobe32(id);
    amqp_bytes_t rest = {room - FRAME_HEAD - sizeof(id_wire) - 1,
                         at + FRAME_HEAD + sizeof(id_wire)};
    int len = amqp_encode_method(id, method, rest);
    if (len < 0)
        return 0;
    size_t payload = sizeof(id_wire) + (size_t)len;
    put_head(at, AMQP_FRAME_METHOD, channel, payload);
    memcpy(at + FRAME_HEAD, &id_wire, sizeof(id_wire));
    at[FRAME_HEAD + payload] = FRAME_END;
    return FRAME_HEAD + payload + 1;
}

void wire_method(struct wire *wire, amqp_channel_t channel, amqp_method_number_t id, void *method)
{
    size_t room = WIRE_OWN_MAX - wire->used;
    if (room > METHOD_MAX && wire->count < WIRE_PARTS)
        take_space(wire, put_method(wire->space + wire->used, room, channel, id, method));
}

void wire_heartbeat(struct wire *wire)
{
    char *at = wire->space + wire->used;
    if (WIRE_OWN_MAX - wire->used <= FRAME_HEAD || wire->count == WIRE_PARTS)
        return;
    put_head(at, AMQP_FRAME_HEARTBEAT, 0, 0);
    at[FRAME_HEAD] = FRAME_END;
    take_space(wire, FRAME_HEAD + 1);
}

void wire_greeting(struct wire *wire)
{
    static const char greeting[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    memcpy(wire->space + wire->used, greeting, sizeof(greeting));
    take_space(wire, sizeof(greeting));
}

/* Writes the frame of a message's properties; 0 if they do not fit. */
static size_t put_properties(const struct wire *wire, char *at, amqp_channel_t channel,
                             amqp_basic_properties_t *properties, uint64_t body_len)
{
    uint16_t class_wire = htobe16(AMQP_BASIC_CLASS), weight = 0;
    uint64_t body_wire = htobe64(body_len);
    amqp_bytes_t rest = {wire->frame_max - WIRE_FRAME_EXTRA - CONTENT_HEAD,
                         at + FRAME_HEAD + CONTENT_HEAD};
    int len = amqp_encode_properties(AMQP_BASIC_CLASS, properties, rest);
    if (len < 0)
        return 0;
    size_t payload = CONTENT_HEAD + (size_t)len;
    put_head(at, AMQP_FRAME_HEADER, channel, payload);
    memcpy(at + FRAME_HEAD, &class_wire, sizeof(class_wire));
    memcpy(at + FRAME_HEAD + 2, &weight, sizeof(weight));
    memcpy(at + FRAME_HEAD + 4, &body_wire, sizeof(body_wire));
    at[FRAME_HEAD + payload] = FRAME_END;
    return FRAME_HEAD + payload + 1;
}

bool wire_publish(struct wire *wire, amqp_channel_t channel, amqp_basic_publish_t *publish,
                  amqp_basic_properties_t *properties, struct outbox_slice body)
{
    char *at = wire->space + wire->used;
    size_t method =
        put_method(at, WIRE_OWN_MAX - wire->used, channel, AMQP_BASIC_PUBLISH_METHOD, publish);
    size_t header =
        method > 0 ? put_properties(wire, at + method, channel, properties, body.len) : 0;
    if (header == 0)
        return false;
    take_space(wire, method + header);
    wire->body = body.data;
    wire->body_left = body.len;
    wire->body_channel = channel;
    wire_feed(wire);
    return true;
}

void wire_feed(struct wire *wire)
{
    while (wire->body_left > 0 && WIRE_PARTS - wire->count >= MESSAGE_PARTS &&
           WIRE_OWN_MAX - wire->used > METHOD_MAX) {
        uint64_t most = wire->frame_max - WIRE_FRAME_EXTRA;
        uint64_t len = wire->body_left < most ? wire->body_left : most;
        put_head(wire->space + wire->used, AMQP_FRAME_BODY, wire->body_channel, len);
        take_space(wire, FRAME_HEAD);
        wire->parts[wire->count++] = (struct iovec){(void *)(uintptr_t)wire->body, len};
        wire->space[wire->used] = FRAME_END;
        take_space(wire, 1);
        wire->body += len;
        wire->body_left -= len;
    }
}

void wire_drop_body(struct wire *wire, amqp_channel_t channel)
{
    if (wire->body_left > 0 && wire->body_channel == channel)
        wire->body_left = 0;
}

bool wire_detach(struct wire *wire)
{
    size_t len = 0, at = 0;
    if (wire->body_left > 0)
        return false;
    for (size_t i = wire->first; i < wire->count; i++)
        len += wire->parts[i].iov_len;
    if (len == 0)
        return true;
    char *copy = malloc(len);
    if (!copy)
        return false;
    for (size_t i = wire->first; i < wire->count; i++) {
        memcpy(copy + at, wire->parts[i].iov_base, wire->parts[i].iov_len);
        at += wire->parts[i].iov_len;
    }
    free(wire->detached);
    wire->detached = copy;
    wire->parts[0] = (struct iovec){copy, len};
    wire->first = 0;
    wire->count = 1;
    wire->used = 0;
    return true;
}

/* ---- Out and in --------------------------------------------------------------------------- */

static void drop_sent(struct wire *wire, size_t sent)
{
    while (sent > 0) {
        struct iovec *part = &wire->parts[wire->first];
        size_t len = sent < part->iov_len ? sent : part->iov_len;
        part->iov_base = (char *)part->iov_base + len;
        part->iov_len -= len;
        sent -= len;
        if (part->iov_len == 0)
            wire->first++;
    }
    if (wire->first == wire->count) {
        wire->first = wire->count = 0;
        wire->used = 0;
        free(wire->detached);
        wire->detached = NULL;
    }
}

enum transport_result wire_send(struct wire *wire, int64_t now)
{
    enum transport_result result = TRANSPORT_DONE;
    while (result == TRANSPORT_DONE && wire_is_sending(wire)) {
        size_t sent;
        result = transport_send(&wire->transport, wire->parts + wire->first,
                                wire->count - wire->first, &sent);
        if (sent > 0)
            wire->spoke = now;
        drop_sent(wire, sent);
        if (wire->count == 0)
            wire_feed(wire);
    }
    return result;
}

/* Decodes what was received. False if that is no AMQP. */
static bool decode(struct wire *wire, wire_frame *take, void *context, const bool *enough)
{
    while (wire->received_at < wire->received_len && !(enough && *enough)) {
        amqp_bytes_t bytes = {wire->received_len - wire->received_at,
                              wire->received + wire->received_at};
        amqp_frame_t frame;
        int used = amqp_handle_input(wire->codec, bytes, &frame);
        if (used < 0) {
            wire->transport.failure.number = 0;
            (void)snprintf(wire->transport.failure.text, sizeof(wire->transport.failure.text),
                           "the broker sent what is no AMQP 0-9-1 (%s): is this its port?",
                           amqp_error_string2(used));
            return false;
        }
        wire->received_at += (size_t)used;
        if (frame.frame_type != 0) {
            take(context, &frame);
            amqp_maybe_release_buffers(wire->codec);
        }
    }
    return true;
}

enum transport_result wire_receive(struct wire *wire, const struct outbox_host *host,
                                   wire_frame *take, void *context, const bool *enough)
{
    if (wire->received_at == wire->received_len) {
        size_t len;
        enum transport_result result =
            transport_receive(&wire->transport, wire->received, RECEIVED_SIZE, &len);
        if (result != TRANSPORT_DONE)
            return result;
        wire->received_at = 0;
        wire->received_len = len;
        wire->heard = host->now(host);
    }
    return decode(wire, take, context, enough) ? TRANSPORT_DONE : TRANSPORT_LOST;
}
