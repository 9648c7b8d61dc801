/*
 * properties.c - what the key `properties` hands through to the client library
 * SPDX-License-Identifier: MIT
 */
#include "properties.h"

#include "settings.h"

#define LONGEST_NAME 128
#define LONGEST_VALUE 4096

static const struct {
    const char *name;
    const char *why;
} refused[] = {
    {"bootstrap.servers", "use the key \"brokers\""},
    {"metadata.broker.list", "use the key \"brokers\""},
    {"client.id", "use the key \"client_id\""},
    {"compression.codec", "use the key \"compression\""},
    {"compression.type", "use the key \"compression\""},
    {"linger.ms", "use the key \"linger\""},
    {"queue.buffering.max.ms", "use the key \"linger\""},
    {"message.timeout.ms", "use the key \"delivery_timeout\""},
    {"delivery.timeout.ms", "use the key \"delivery_timeout\""},
    {"socket.connection.setup.timeout.ms", "use the key \"connect_timeout\""},
    {"security.protocol", "use the key \"security\""},
    {"sasl.mechanism", "use the key \"sasl_mechanism\""},
    {"sasl.mechanisms", "use the key \"sasl_mechanism\""},
    {"sasl.username", "use the key \"username\""},
    {"sasl.password", "use the key \"password\""},
    {"sasl.oauthbearer.client.id", "use the key \"username\""},
    {"sasl.oauthbearer.client.secret", "use the key \"password\""},
    {"sasl.oauthbearer.method", "the driver asks the token endpoint itself (oidc)"},
    {"enable.sasl.oauthbearer.unsecure.jwt", "a token that nobody signed proves nothing"},
    {"ssl.ca.location", "use the key \"tls_ca\""},
    {"ssl.ca.pem", "use the key \"tls_ca\""},
    {"ssl.certificate.location", "use the key \"tls_certificate\""},
    {"ssl.certificate.pem", "use the key \"tls_certificate\""},
    {"ssl.key.location", "use the key \"tls_key\""},
    {"ssl.key.pem", "use the key \"tls_key\""},
    {"ssl.key.password", "use the key \"tls_key_password\""},
    {"enable.ssl.certificate.verification", "certificates are always verified"},
    {"ssl.endpoint.identification.algorithm", "host names are always verified"},
    {"transactional.id", "the driver sends outside of transactions"},
    {"enable.gapless.guarantee", "one event that fails would stop all others"},
    {"queuing.strategy", "events are sent in their order"},
    {"delivery.report.only.error", "a delivery report is what acknowledges an event"},
    {"enabled_events", "the driver needs delivery reports and errors"},
    {"log.queue", "the driver takes the library's log itself"},
    {"internal.termination.signal", "drivers use no signals"},
    {"test.mock.num.brokers", "a broker that does not exist keeps nothing"},
};

static const char *why_refused(const char *name, const char *value)
{
    bool is_acks = strcmp(name, "acks") == 0 || strcmp(name, "request.required.acks") == 0;
    if (is_acks && strcmp(value, "all") != 0 && strcmp(value, "-1") != 0)
        return "an event counts as delivered only once all in-sync replicas have it (all)";
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (strcmp(refused[i].name, name) == 0)
            return refused[i].why;
    }
    return NULL;
}

static bool copy_text(struct outbox_slice from, char *to, size_t size)
{
    if (from.len >= size || memchr(from.data, '\0', from.len))
        return false;
    memcpy(to, from.data, from.len);
    to[from.len] = '\0';
    return true;
}

static enum outbox_status apply_one(rd_kafka_conf_t *conf, const struct outbox_pair *pair,
                                    struct outbox_error *error)
{
    char name[LONGEST_NAME], value[LONGEST_VALUE], key[LONGEST_NAME + 16];
    if (!copy_text(pair->name, name, sizeof(name)) || !copy_text(pair->value, value, sizeof(value)))
        return outbox_fail(error, OUTBOX_INVALID, "", "\"properties\": \"%.100s\" is too long",
                           pair->name.len < LONGEST_NAME ? name : "a name");
    (void)snprintf(key, sizeof(key), "properties.%s", name);
    const char *why = why_refused(name, value);
    if (why)
        return outbox_fail(error, OUTBOX_INVALID, "", "\"%s\" cannot be set: %s", key, why);
    return settings_set(conf, name, value, key, error);
}

enum outbox_status properties_apply(rd_kafka_conf_t *conf, const struct outbox_settings *settings,
                                    struct outbox_error *error)
{
    const struct outbox_setting *map = outbox_setting_find(settings, "properties");
    enum outbox_status status = OUTBOX_OK;
    for (uint64_t i = 0; map && i < map->pair_count && status == OUTBOX_OK; i++)
        status = apply_one(conf, &map->pairs[i], error);
    return status;
}
