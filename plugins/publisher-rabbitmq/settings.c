/*
 * settings.c - what the configuration says, checked and copied
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include <openssl/err.h>
#include <stdlib.h>

#define SECOND INT64_C(1000000000)

/* One of two outcomes, by the word that an option has. */
static enum outbox_outcome choice(const struct outbox_settings *given, const char *name,
                                  const char *word, enum outbox_outcome then,
                                  enum outbox_outcome otherwise)
{
    return strcmp(outbox_setting_text(given, name, ""), word) == 0 ? then : otherwise;
}

static bool replace(char **value, const char *given, const char *otherwise)
{
    if (*value && !given)
        return true;
    free(*value);
    *value = strdup(given ? given : otherwise);
    return *value != NULL;
}

static enum outbox_status tls_failure(struct outbox_error *error, const char *key, const char *file)
{
    char reason[160];
    ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
    ERR_clear_error();
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "\"%s\": %.200s cannot be read as PEM (%s): name a file that this user may "
                       "read",
                       key, file, reason);
}

/* A key with a password would have OpenSSL ask for it at the terminal. */
static int no_password(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer, (void)size, (void)is_writing, (void)context;
    return 0;
}

/* OpenSSL makes itself ready when it is first used, once for the process and for all threads.
 * Verification is not an option: it is always on, for the certificate here and for the host name
 * with each connection. */
static enum outbox_status make_tls(struct settings *settings, const struct outbox_settings *given,
                                   struct outbox_error *error)
{
    const char *ca = outbox_setting_text(given, "tls_ca", NULL);
    const char *certificate = outbox_setting_text(given, "tls_certificate", NULL);
    const char *key = outbox_setting_text(given, "tls_key", NULL);
    if (!settings->address.tls && (ca || certificate || key))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"%s\" is set but \"url\" begins with amqp://: write amqps:// for TLS",
                           ca            ? "tls_ca"
                           : certificate ? "tls_certificate"
                                         : "tls_key");
    if (!certificate != !key)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"%s\" is set without \"%s\": set both or neither",
                           certificate ? "tls_certificate" : "tls_key",
                           certificate ? "tls_key" : "tls_certificate");
    if (!settings->address.tls)
        return OUTBOX_OK;
    settings->tls = SSL_CTX_new(TLS_client_method());
    if (!settings->tls || SSL_CTX_set_min_proto_version(settings->tls, TLS1_2_VERSION) != 1)
        return outbox_fail(error, OUTBOX_INTERNAL, "", "prepare TLS: out of memory");
    SSL_CTX_set_verify(settings->tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(settings->tls, no_password);
    SSL_CTX_set_mode(settings->tls,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ERR_clear_error();
    if (ca && SSL_CTX_load_verify_locations(settings->tls, ca, NULL) != 1)
        return tls_failure(error, "tls_ca", ca);
    if (!ca && SSL_CTX_set_default_verify_paths(settings->tls) != 1)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "the system's certificates cannot be read: set \"tls_ca\"");
    if (certificate && SSL_CTX_use_certificate_chain_file(settings->tls, certificate) != 1)
        return tls_failure(error, "tls_certificate", certificate);
    if (key && SSL_CTX_use_PrivateKey_file(settings->tls, key, SSL_FILETYPE_PEM) != 1)
        return tls_failure(error, "tls_key", key);
    if (key && SSL_CTX_check_private_key(settings->tls) != 1)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"tls_key\" %.150s does not belong to \"tls_certificate\" %.150s", key,
                           certificate);
    return OUTBOX_OK;
}

/* The protocol has one byte for the length of a name. */
static enum outbox_status check_names(const struct settings *settings, struct outbox_error *error)
{
    const struct {
        const char *key, *value;
    } names[] = {{"exchange", settings->exchange},
                 {"key_header", settings->key_header},
                 {"vhost", settings->address.vhost}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i].value) > 255)
            return outbox_fail(error, OUTBOX_INVALID, "",
                               "\"%s\" has %zu bytes: AMQP takes 255 at most", names[i].key,
                               strlen(names[i].value));
    }
    return OUTBOX_OK;
}

static bool copy_texts(struct settings *settings, const struct outbox_settings *given)
{
    struct address *address = &settings->address;
    return replace(&address->username, outbox_setting_text(given, "username", NULL), "guest") &&
           replace(&address->password, outbox_setting_text(given, "password", NULL), "guest") &&
           replace(&address->vhost, outbox_setting_text(given, "vhost", NULL), "/") &&
           replace(&settings->exchange, outbox_setting_text(given, "exchange", NULL), "") &&
           replace(&settings->key_header, outbox_setting_text(given, "key_header", NULL),
                   "event-key");
}

enum outbox_status settings_read(struct settings *settings, const struct outbox_settings *given,
                                 struct outbox_error *error)
{
    *settings = (struct settings){0};
    enum outbox_status status =
        address_parse(&settings->address, outbox_setting_text(given, "url", ""), error);
    if (status != OUTBOX_OK)
        return status;
    if (!copy_texts(settings, given))
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    int64_t heartbeat = outbox_setting_integer(given, "heartbeat", 5 * SECOND);
    settings->heartbeat = (unsigned)((heartbeat + SECOND - 1) / SECOND);
    settings->connect_timeout = outbox_setting_integer(given, "connect_timeout", 5 * SECOND);
    settings->window = (uint64_t)outbox_setting_integer(given, "window", 2000);
    settings->connections = (uint64_t)outbox_setting_integer(given, "connections", 1);
    settings->max_message_size =
        (uint64_t)outbox_setting_integer(given, "max_message_size", 128 * 1024 * 1024);
    settings->on_unroutable =
        choice(given, "on_unroutable", "reject", OUTBOX_REJECTED, OUTBOX_RETRY);
    settings->on_missing_exchange =
        choice(given, "on_missing_exchange", "reject", OUTBOX_REJECTED, OUTBOX_RETRY);
    settings->on_nack = choice(given, "on_nack", "retry", OUTBOX_RETRY, OUTBOX_AWAY);
    const struct place *first = &settings->address.places[0];
    (void)snprintf(settings->place, sizeof(settings->place), "%s:%s", first->host, first->port);
    status = check_names(settings, error);
    return status == OUTBOX_OK ? make_tls(settings, given, error) : status;
}

void settings_clear(struct settings *settings)
{
    SSL_CTX_free(settings->tls);
    address_clear(&settings->address);
    free(settings->exchange);
    free(settings->key_header);
    *settings = (struct settings){0};
}
