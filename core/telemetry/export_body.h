/*
 * export_body.h - a request's body: a message in the form and compression that its signal has
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_EXPORT_BODY_H
#define CORE_TELEMETRY_EXPORT_BODY_H

#include "byte_buffer.h"
#include "settings.h"

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

/* What is sent, and again if need be. */
struct export_body {
    struct byte_buffer bytes;
    uint64_t items; /* points, spans or records; 0: there is no body */
};

/* False if memory ran out: the body is then empty. */
bool body_make(struct export_body *body, const ProtobufCMessage *message, uint64_t items,
               const struct signal_settings *settings) __attribute__((warn_unused_result));
void body_clear(struct export_body *body);

#endif
