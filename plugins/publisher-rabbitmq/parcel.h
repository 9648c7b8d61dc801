/*
 * parcel.h - a message made ready for AMQP: where to, properties, headers
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_PARCEL_H
#define PUBLISHER_RABBITMQ_PARCEL_H

#include "bytes.h"
#include "settings.h"
#include "wire.h"

#define PARCEL_REASON_SIZE 400u

/* Starts as all zeroes and is used again and again, so that it allocates next to never. Points into
 * the message. */
struct parcel {
    const struct outbox_message *message;
    struct outbox_slice exchange;
    amqp_basic_properties_t properties;
    amqp_table_entry_t *entries; /* of the headers */
    uint64_t capacity;
    struct bytes names; /* of CloudEvents attributes, as headers are called */
};

#define PARCEL_PROPERTY_COUNT 11u
extern const struct outbox_option parcel_properties[PARCEL_PROPERTY_COUNT];

/* False with the reason why this message can never be sent. */
bool parcel_prepare(struct parcel *parcel, const struct settings *settings,
                    const struct outbox_message *message,
                    char reason[PARCEL_REASON_SIZE]) OUTBOX_MUST_USE;

/* Gathers the message; the wire has room. False with the reason if its headers are too large. */
bool parcel_send(struct parcel *parcel, struct wire *wire, amqp_channel_t channel,
                 char reason[PARCEL_REASON_SIZE]) OUTBOX_MUST_USE;

/* The exchange that a message goes to, as its properties and the settings say. */
struct outbox_slice parcel_exchange(const struct outbox_message *message,
                                    const struct settings *settings) OUTBOX_MUST_USE;

void parcel_clear(struct parcel *parcel);

#endif
