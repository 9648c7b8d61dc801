/*
 * otlp_json.h - a message of OpenTelemetry's protocol in its JSON form
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_OTLP_JSON_H
#define CORE_TELEMETRY_OTLP_JSON_H

#include "byte_buffer.h"

#include <protobuf-c/protobuf-c.h>

/* Names in lowerCamelCase, ids in hexadecimal, 64-bit integers as text, enums as numbers. Fields
 * that hold nothing are left out, as they are in the binary form. */
void otlp_json(struct byte_buffer *out, const ProtobufCMessage *message);

#endif
