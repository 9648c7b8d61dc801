/*
 * rabbitmq_c.h - the headers of rabbitmq-c, where its releases put them
 * SPDX-License-Identifier: MIT
 *
 * Of that library this driver uses what writes and reads frames. Sockets and TLS are the driver's
 * own: the library's sends have no deadline, and take a system call for each frame.
 */
#ifndef PUBLISHER_RABBITMQ_RABBITMQ_C_H
#define PUBLISHER_RABBITMQ_RABBITMQ_C_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

#include <outbox/types.h>

/* The library's type for bytes has no const; what it writes from is only read. */
static inline amqp_bytes_t amqp_of(struct outbox_slice slice)
{
    amqp_bytes_t bytes = {slice.len, (void *)(uintptr_t)slice.data};
    return bytes;
}

static inline struct outbox_slice amqp_slice(amqp_bytes_t bytes)
{
    struct outbox_slice slice = {bytes.bytes, bytes.len};
    return slice;
}

#endif
