/*
 * settings.c - the checked keys of the driver, as a configuration of the client library
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include "properties.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define NEVER_FULL "2147483647" /* kilobytes */
/* The library's own bound of a message; brokers draw theirs far below. */
#define LARGEST_MESSAGE "1000000000"
/* A message is its payload, and besides a key, headers and a frame. */
#define MESSAGE_OVERHEAD 512

static enum outbox_status no_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
}

enum outbox_status settings_set(rd_kafka_conf_t *conf, const char *property, const char *value,
                                const char *key, struct outbox_error *error)
{
    char why[256];
    switch (rd_kafka_conf_set(conf, property, value, why, sizeof(why))) {
    case RD_KAFKA_CONF_OK:
        return OUTBOX_OK;
    case RD_KAFKA_CONF_UNKNOWN:
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"%.140s\" is no property of librdkafka %s: see its CONFIGURATION.md",
                           key, rd_kafka_version_str());
    default:
        return outbox_fail(error, OUTBOX_INVALID, "", "\"%.140s\" is wrong: %s", key, why);
    }
}

/* A row of a table that is set as it stands. */
struct fixed {
    const char *property, *value;
};

static enum outbox_status set_fixed(rd_kafka_conf_t *conf, struct outbox_error *error)
{
    static const struct fixed fixed[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"partitioner", "murmur2_random"},
        /* How much is in flight is the relay's decision. */
        {"queue.buffering.max.messages", "0"},
        {"queue.buffering.max.kbytes", NEVER_FULL},
        /* How large a message may be is the broker's. */
        {"message.max.bytes", LARGEST_MESSAGE},
        {"socket.keepalive.enable", "true"},
        {"socket.nagle.disable", "true"},
        {"reconnect.backoff.ms", "100"},
        {"reconnect.backoff.max.ms", "1000"},
    };
    enum outbox_status status = OUTBOX_OK;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]) && status == OUTBOX_OK; i++) {
        status = settings_set(conf, fixed[i].property, fixed[i].value, fixed[i].property, error);
    }
    return status;
}

static enum outbox_status set_milliseconds(rd_kafka_conf_t *conf, const char *property,
                                           int64_t nanoseconds, const char *key,
                                           struct outbox_error *error)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", (long long)(nanoseconds / MILLISECOND));
    return settings_set(conf, property, text, key, error);
}

static enum outbox_status set_times(struct settings *settings, const struct outbox_settings *from,
                                    struct outbox_error *error)
{
    rd_kafka_conf_t *conf = settings->conf;
    char linger[32];
    int64_t patience = outbox_setting_integer(from, "delivery_timeout", 10 * NANOSECONDS);
    int64_t connecting = outbox_setting_integer(from, "connect_timeout", 5 * NANOSECONDS);
    /* One request may stay unanswered for a part of that, so that it can be sent once more; the
     * broker is to give up on slow replicas before we give up on the broker. */
    int64_t silence = patience * 6 / 10, replicas = patience / 2;
    /* A topic that is being created may be missing for a while, but is to be found missing in time.
     */
    int64_t creation = patience / 2;
    settings->patience = patience;
    settings->connecting = connecting;
    (void)snprintf(linger, sizeof(linger), "%.3f",
                   (double)outbox_setting_integer(from, "linger", 0) / 1e6);
    enum outbox_status status =
        set_milliseconds(conf, "message.timeout.ms", patience, "delivery_timeout", error);
    if (status == OUTBOX_OK)
        status = set_milliseconds(conf, "socket.timeout.ms", silence, "delivery_timeout", error);
    if (status == OUTBOX_OK)
        status = set_milliseconds(conf, "request.timeout.ms", replicas, "delivery_timeout", error);
    if (status == OUTBOX_OK)
        status = set_milliseconds(conf, "topic.metadata.propagation.max.ms", creation,
                                  "delivery_timeout", error);
    if (status == OUTBOX_OK)
        status = set_milliseconds(conf, "socket.connection.setup.timeout.ms", connecting,
                                  "connect_timeout", error);
    if (status == OUTBOX_OK)
        status = set_milliseconds(conf, "api.version.request.timeout.ms", connecting,
                                  "connect_timeout", error);
    if (status == OUTBOX_OK)
        status = settings_set(conf, "linger.ms", linger, "linger", error);
    return status;
}

/* ---- Security ----------------------------------------------------------------------------- */

static enum outbox_status set_file(rd_kafka_conf_t *conf, const struct outbox_settings *from,
                                   const char *key, const char *property,
                                   struct outbox_error *error)
{
    char reason[128];
    const char *path = outbox_setting_text(from, key, NULL);
    if (!path)
        return OUTBOX_OK;
    if (access(path, R_OK) < 0)
        return outbox_fail(error, OUTBOX_INVALID, "", "\"%s\": read %.256s: %s", key, path,
                           strerror_r(errno, reason, sizeof(reason)));
    return settings_set(conf, property, path, key, error);
}

static enum outbox_status set_text(rd_kafka_conf_t *conf, const struct outbox_settings *from,
                                   const char *key, const char *property,
                                   struct outbox_error *error)
{
    const char *text = outbox_setting_text(from, key, NULL);
    return text ? settings_set(conf, property, text, key, error) : OUTBOX_OK;
}

/* The first of the keys that is set although `security` leaves no use for it. */
static const char *stray_key(const struct outbox_settings *from, bool is_tls, bool is_sasl)
{
    static const char *const tls[] = {"tls_ca", "tls_certificate", "tls_key", "tls_key_password"};
    static const char *const sasl[] = {"sasl_mechanism", "username", "password"};
    for (size_t i = 0; !is_tls && i < sizeof(tls) / sizeof(tls[0]); i++) {
        if (outbox_setting_find(from, tls[i]))
            return tls[i];
    }
    for (size_t i = 0; !is_sasl && i < sizeof(sasl) / sizeof(sasl[0]); i++) {
        if (outbox_setting_find(from, sasl[i]))
            return sasl[i];
    }
    return NULL;
}

static enum outbox_status check_security(const struct outbox_settings *from, const char *security,
                                         bool is_tls, bool is_sasl, struct outbox_error *error)
{
    const char *stray = stray_key(from, is_tls, is_sasl);
    if (stray)
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "\"%s\" is set, but \"security\" is \"%s\": choose one of " KAFKA_SECURITIES
            " that uses it",
            stray, security);
    if (!outbox_setting_find(from, "tls_certificate") != !outbox_setting_find(from, "tls_key"))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"tls_certificate\" and \"tls_key\" go together: set both or none");
    static const char *const needed[] = {"sasl_mechanism", "username", "password"};
    for (size_t i = 0; is_sasl && i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!outbox_setting_find(from, needed[i]))
            return outbox_fail(error, OUTBOX_INVALID, "",
                               "\"%s\" is missing: \"security\" is \"%s\"", needed[i], security);
    }
    return OUTBOX_OK;
}

static enum outbox_status set_tls(rd_kafka_conf_t *conf, const struct outbox_settings *from,
                                  struct outbox_error *error)
{
    enum outbox_status status =
        settings_set(conf, "enable.ssl.certificate.verification", "true", "security", error);
    if (status == OUTBOX_OK)
        status =
            settings_set(conf, "ssl.endpoint.identification.algorithm", "https", "security", error);
    if (status == OUTBOX_OK)
        status = set_file(conf, from, "tls_ca", "ssl.ca.location", error);
    if (status == OUTBOX_OK)
        status = set_file(conf, from, "tls_certificate", "ssl.certificate.location", error);
    if (status == OUTBOX_OK)
        status = set_file(conf, from, "tls_key", "ssl.key.location", error);
    if (status == OUTBOX_OK)
        status = set_text(conf, from, "tls_key_password", "ssl.key.password", error);
    return status;
}

static enum outbox_status set_sasl(rd_kafka_conf_t *conf, const struct outbox_settings *from,
                                   struct outbox_error *error)
{
    const char *mechanism = outbox_setting_text(from, "sasl_mechanism", "");
    bool is_oauth = strcmp(mechanism, "OAUTHBEARER") == 0;
    enum outbox_status status =
        settings_set(conf, "sasl.mechanism", mechanism, "sasl_mechanism", error);
    if (status == OUTBOX_OK && is_oauth)
        status = settings_set(conf, "sasl.oauthbearer.method", "oidc", "sasl_mechanism", error);
    if (status == OUTBOX_OK)
        status = set_text(conf, from, "username",
                          is_oauth ? "sasl.oauthbearer.client.id" : "sasl.username", error);
    if (status == OUTBOX_OK)
        status = set_text(conf, from, "password",
                          is_oauth ? "sasl.oauthbearer.client.secret" : "sasl.password", error);
    return status;
}

static enum outbox_status set_security(rd_kafka_conf_t *conf, const struct outbox_settings *from,
                                       struct outbox_error *error)
{
    const char *security = outbox_setting_text(from, "security", "plaintext");
    bool is_tls = strstr(security, "tls") != NULL, is_sasl = strstr(security, "sasl") != NULL;
    const char *protocol = is_tls && is_sasl ? "sasl_ssl" : is_tls ? "ssl" : security;
    enum outbox_status status = check_security(from, security, is_tls, is_sasl, error);
    if (status == OUTBOX_OK)
        status = settings_set(conf, "security.protocol", protocol, "security", error);
    if (status == OUTBOX_OK && is_sasl)
        status = set_sasl(conf, from, error);
    if (status == OUTBOX_OK && is_tls)
        status = set_tls(conf, from, error);
    return status;
}

/* ---- All of them -------------------------------------------------------------------------- */

static bool property_is(const rd_kafka_conf_t *conf, const char *name, const char *expected)
{
    char value[64];
    size_t size = sizeof(value);
    return rd_kafka_conf_get(conf, name, value, &size) == RD_KAFKA_CONF_OK &&
           strcmp(value, expected) == 0;
}

static int64_t property_number(const rd_kafka_conf_t *conf, const char *name)
{
    char value[64];
    size_t size = sizeof(value);
    return rd_kafka_conf_get(conf, name, value, &size) == RD_KAFKA_CONF_OK
               ? (int64_t)strtoll(value, NULL, 10)
               : 0;
}

/* Without idempotence, order within a key holds only if one request at a time is on its way. */
static enum outbox_status keep_order(rd_kafka_conf_t *conf, struct outbox_error *error)
{
    static const char name[] = "max.in.flight.requests.per.connection";
    if (property_is(conf, "enable.idempotence", "true") || property_number(conf, name) < 1000000)
        return OUTBOX_OK;
    return settings_set(conf, name, "1", name, error);
}

enum outbox_status settings_read(struct settings *settings, const struct outbox_settings *from,
                                 struct outbox_error *error)
{
    const char *brokers = outbox_setting_text(from, "brokers", "");
    if (brokers[0] == '\0')
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"brokers\" is empty: name one or more, as \"host:9092,host:9092\"");
    settings->brokers = strdup(brokers);
    settings->conf = rd_kafka_conf_new();
    if (!settings->brokers || !settings->conf)
        return no_memory(error);
    settings->rejects_missing =
        strcmp(outbox_setting_text(from, "on_missing_topic", "retry"), "reject") == 0;

    rd_kafka_conf_t *conf = settings->conf;
    enum outbox_status status = set_fixed(conf, error);
    if (status == OUTBOX_OK)
        status = settings_set(conf, "bootstrap.servers", brokers, "brokers", error);
    if (status == OUTBOX_OK)
        status = set_text(conf, from, "client_id", "client.id", error);
    if (status == OUTBOX_OK)
        status = set_text(conf, from, "compression", "compression.codec", error);
    if (status == OUTBOX_OK)
        status = set_times(settings, from, error);
    if (status == OUTBOX_OK)
        status = set_security(conf, from, error);
    if (status == OUTBOX_OK)
        status = properties_apply(conf, from, error);
    if (status == OUTBOX_OK)
        status = keep_order(conf, error);
    if (status != OUTBOX_OK)
        return status;
    settings->batch_bytes = property_number(conf, "batch.size");
    settings->max_payload = (uint64_t)property_number(conf, "message.max.bytes") - MESSAGE_OVERHEAD;
    return OUTBOX_OK;
}

enum outbox_status settings_refused(const struct settings *settings, const char *why,
                                    struct outbox_error *error)
{
    static const struct {
        const char *property, *key;
    } files[] = {{"ssl.ca.location", "tls_ca"},
                 {"ssl.certificate.location", "tls_certificate"},
                 {"ssl.key.location", "tls_key"}};
    char path[256];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        size_t size = sizeof(path);
        if (strstr(why, files[i].property) &&
            rd_kafka_conf_get(settings->conf, files[i].property, path, &size) == RD_KAFKA_CONF_OK)
            return outbox_fail(error, OUTBOX_INVALID, "", "\"%s\": %s cannot be used: %s",
                               files[i].key, path, why);
    }
    return outbox_fail(error, OUTBOX_INVALID, "", "librdkafka %s refuses the settings: %s",
                       rd_kafka_version_str(), why);
}

void settings_clear(struct settings *settings)
{
    if (settings->conf)
        rd_kafka_conf_destroy(settings->conf);
    free(settings->brokers);
    *settings = (struct settings){0};
}
