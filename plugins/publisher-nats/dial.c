/*
 * dial.c - the library's options for a connection
 * SPDX-License-Identifier: MIT
 */
#include "dial.h"

#include "library.h"

#include <stdlib.h>

#define MILLISECOND INT64_C(1000000)
#define READ_SIZE (64 * 1024)

/* The library puts text into the JSON of its CONNECT line as it is. */
static char *escaped(const char *text)
{
    size_t len = strlen(text);
    char *made = malloc(6 * len + 1), *to = made;
    if (!made)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = (char)c;
        } else if (c < 0x20) {
            (void)snprintf(to, 7, "\\u%04x", c);
            to += 6;
        } else {
            *to++ = (char)c;
        }
    }
    *to = '\0';
    return made;
}

static natsStatus set_escaped(natsOptions *options, const char *text,
                              natsStatus (*set)(natsOptions *, const char *))
{
    char *made = escaped(text);
    natsStatus status = made ? set(options, made) : NATS_NO_MEMORY;
    if (made)
        explicit_bzero(made, strlen(made));
    free(made);
    return status;
}

static natsStatus set_user(natsOptions *options, const char *username, const char *password)
{
    char *user = escaped(username), *pass = escaped(password);
    natsStatus status =
        user && pass ? natsOptions_SetUserInfo(options, user, pass) : NATS_NO_MEMORY;
    if (pass)
        explicit_bzero(pass, strlen(pass));
    free(user);
    free(pass);
    return status;
}

/* Signs what the server asks to be signed. */
static natsStatus sign(char **reason, unsigned char **signature, int *len, const char *nonce,
                       void *closure)
{
    (void)reason;
    const struct settings *settings = closure;
    return nats_Sign(settings->nkey_seed, nonce ? nonce : "", signature, len);
}

static natsStatus set_credentials(natsOptions *options, struct settings *settings,
                                  const struct address *address)
{
    if (address->token)
        return set_escaped(options, address->token, natsOptions_SetToken);
    if (address->username)
        return set_user(options, address->username, address->password);
    if (settings->token)
        return set_escaped(options, settings->token, natsOptions_SetToken);
    if (settings->username)
        return set_user(options, settings->username, settings->password);
    if (settings->nkey_seed)
        return natsOptions_SetNKey(options, settings->nkey, sign, settings);
    if (settings->credentials)
        return natsOptions_SetUserCredentialsFromFiles(options, settings->credentials, NULL);
    return NATS_OK;
}

static natsStatus set_behaviour(natsOptions *options, const struct settings *settings,
                                const struct address *address)
{
    char url[300];
    (void)snprintf(url, sizeof(url), "%s://%s", settings->addresses.is_tls ? "tls" : "nats",
                   address->place);
    int64_t timeout = settings->connect_timeout / MILLISECOND;
    natsStatus status = natsOptions_SetURL(options, url);
    if (status == NATS_OK)
        status = natsOptions_SetTimeout(options, timeout > 0 ? timeout : 1);
    if (status == NATS_OK)
        status = natsOptions_SetAllowReconnect(options, false);
    if (status == NATS_OK)
        status = natsOptions_SetIgnoreDiscoveredServers(options, true);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, 0);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options, true);
    if (status == NATS_OK)
        status = natsOptions_SetIOBufSize(options, READ_SIZE);
    if (status == NATS_OK)
        status = natsOptions_SetCustomInboxPrefix(options, settings->inbox_prefix);
    if (status == NATS_OK && settings->name)
        status = set_escaped(options, settings->name, natsOptions_SetName);
    return status;
}

static enum outbox_status fail(natsStatus status, const char *doing, const char *what,
                               struct outbox_error *error)
{
    char reason[300];
    library_reason((int)status, reason, sizeof(reason));
    return outbox_fail(error, status == NATS_NO_MEMORY ? OUTBOX_INTERNAL : OUTBOX_INVALID, "",
                       "%s %.200s: %s", doing, what, reason);
}

/* The certificate and the host name are always verified, by the address that the configuration
 * names. That name is set for plain connections, too: a server may ask for TLS by itself. */
static enum outbox_status set_tls(natsOptions *options, const struct settings *settings,
                                  const struct address *address, struct outbox_error *error)
{
    natsStatus status = natsOptions_SetExpectedHostname(options, address->host);
    if (status == NATS_OK && settings->addresses.is_tls)
        status = natsOptions_SetSecure(options, true);
    if (status != NATS_OK)
        return fail(status, "prepare TLS to", address->place, error);
    if (settings->tls_ca) {
        status = natsOptions_LoadCATrustedCertificates(options, settings->tls_ca);
        if (status != NATS_OK)
            return fail(status, "\"tls_ca\": load the certificates of", settings->tls_ca, error);
    }
    if (settings->tls_certificate) {
        status = natsOptions_LoadCertificatesChain(options, settings->tls_certificate,
                                                   settings->tls_key);
        if (status != NATS_OK)
            return fail(status, "\"tls_certificate\", \"tls_key\": load", settings->tls_certificate,
                        error);
    }
    return OUTBOX_OK;
}

enum outbox_status dial_options(struct settings *settings, const struct address *address,
                                natsOptions **options, struct outbox_error *error)
{
    natsOptions *made = NULL;
    natsStatus status = natsOptions_Create(&made);
    if (status == NATS_OK)
        status = set_behaviour(made, settings, address);
    if (status == NATS_OK)
        status = set_credentials(made, settings, address);
    enum outbox_status result = status == NATS_OK
                                    ? set_tls(made, settings, address, error)
                                    : fail(status, "prepare to connect to", address->place, error);
    if (result == OUTBOX_OK) {
        *options = made;
        return OUTBOX_OK;
    }
    natsOptions_Destroy(made);
    return result;
}
