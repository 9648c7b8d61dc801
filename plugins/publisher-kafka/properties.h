/*
 * properties.h - what the key `properties` hands through to the client library
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_KAFKA_PROPERTIES_H
#define PUBLISHER_KAFKA_PROPERTIES_H

#include <librdkafka/rdkafka.h>
#include <outbox/types.h>

/* Lays the properties over `conf`. Those that have a key of their own, or would break what the
 * driver promises, are refused with the reason. */
enum outbox_status properties_apply(rd_kafka_conf_t *conf, const struct outbox_settings *settings,
                                    struct outbox_error *error) OUTBOX_MUST_USE;

#endif
