/*
 * settings.h - the checked keys of the driver, as a configuration of the client library
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_KAFKA_SETTINGS_H
#define PUBLISHER_KAFKA_SETTINGS_H

#include <librdkafka/rdkafka.h>
#include <outbox/types.h>
#include <stdbool.h>

#define NANOSECONDS INT64_C(1000000000)
#define MILLISECOND (NANOSECONDS / 1000)

#define KAFKA_COMPRESSIONS "none|gzip|snappy|lz4|zstd"
#define KAFKA_SECURITIES "plaintext|tls|sasl_plaintext|sasl_tls"
#define KAFKA_MECHANISMS "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER"

struct settings {
    rd_kafka_conf_t *conf; /* of every client; copied for each */
    char *brokers;         /* for error texts */
    int64_t patience;      /* how long a message may wait for its acknowledgement */
    int64_t connecting;    /* how long making a connection may take */
    int64_t batch_bytes;   /* of a request, by property batch.size */
    uint64_t max_payload;  /* by property message.max.bytes */
    bool rejects_missing;  /* what a missing topic does to its events */
};

/* Makes *settings, which starts as all zeroes. INVALID names the key that is wrong. */
enum outbox_status settings_read(struct settings *settings, const struct outbox_settings *from,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
void settings_clear(struct settings *settings);

/* Sets one property; on failure `error` says which, quoting the library. */
enum outbox_status settings_set(rd_kafka_conf_t *conf, const char *property, const char *value,
                                const char *key, struct outbox_error *error) OUTBOX_MUST_USE;

/* Why the library makes no client of the settings, `why` being its words. */
enum outbox_status settings_refused(const struct settings *settings, const char *why,
                                    struct outbox_error *error) OUTBOX_MUST_USE;

#endif
