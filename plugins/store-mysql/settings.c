/*
 * settings.c - what the configuration says of the server and of how to reach it
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include "buffer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static enum outbox_status out_of_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "read the settings: out of memory");
}

static enum outbox_status copy(const struct outbox_settings *values, const char *name, char **text,
                               struct outbox_error *error)
{
    const char *value = outbox_setting_text(values, name, NULL);
    if (!value || !value[0])
        return OUTBOX_OK;
    *text = strdup(value);
    return *text ? OUTBOX_OK : out_of_memory(error);
}

/* Text to and from this machine itself passes no network. */
static bool is_own_host(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static enum outbox_status check_readable(const char *key, const char *path,
                                         struct outbox_error *error)
{
    if (!path || access(path, R_OK) == 0)
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_INVALID, "", "%s: \"%.200s\" cannot be read: %s", key, path,
                       strerror(errno));
}

static enum outbox_status check_tls(const struct settings *settings, struct outbox_error *error)
{
    const char *without = settings->tls_ca            ? "tls_ca"
                          : settings->tls_certificate ? "tls_certificate"
                          : settings->tls_key         ? "tls_key"
                                                      : NULL;
    if (without && settings->address.tls == TLS_OFF)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"%s\" is given and the connection would not use TLS: say \"tls\": "
                           "\"verified\"",
                           without);
    if (!settings->tls_certificate != !settings->tls_key)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"tls_certificate\" and \"tls_key\" go together: set both or none");
    enum outbox_status status = check_readable("tls_ca", settings->tls_ca, error);
    if (status == OUTBOX_OK)
        status = check_readable("tls_certificate", settings->tls_certificate, error);
    return status == OUTBOX_OK ? check_readable("tls_key", settings->tls_key, error) : status;
}

/* Nothing but a socket, a loopback address or an explicit word makes a connection plain. */
static enum outbox_status choose_tls(struct settings *settings,
                                     const struct outbox_settings *values,
                                     struct outbox_error *error)
{
    struct address *address = &settings->address;
    const char *named = outbox_setting_text(values, "tls", NULL);
    if (named && address->tls != TLS_UNSET && address->tls != tls_named(named))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"tls\" and the ssl-mode of \"url\" say different things: keep one");
    if (named)
        address->tls = tls_named(named);
    bool local = address->socket || is_own_host(address->host);
    bool wants = settings->tls_ca || settings->tls_certificate;
    if (address->tls == TLS_UNSET)
        address->tls = local && !wants ? TLS_OFF : TLS_VERIFIED;
    if (address->socket && address->tls == TLS_VERIFIED)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "a unix socket has no name that a certificate could prove: leave out "
                           "the TLS settings");
    return check_tls(settings, error);
}

static enum outbox_status take_address(struct settings *settings,
                                       const struct outbox_settings *values,
                                       struct outbox_error *error)
{
    const char *url = outbox_setting_text(values, "url", NULL);
    if (!url || !url[0])
        return outbox_fail(error, OUTBOX_INVALID, "", "url: the address of the server is missing");
    enum outbox_status status = address_parse(&settings->address, url, error);
    if (status != OUTBOX_OK)
        return status;
    const char *password = outbox_setting_text(values, "password", NULL);
    if (!password || !password[0])
        return OUTBOX_OK;
    settings->url_password = settings->address.password;
    settings->address.password = strdup(password);
    return settings->address.password ? OUTBOX_OK : out_of_memory(error);
}

static char *make_application_name(struct outbox_slice relay_id)
{
    struct buffer name = {0};
    buffer_text(&name, "outbox-relay");
    if (relay_id.data && relay_id.len > 0)
        buffer_text(&name, " %.*s", (int)relay_id.len, relay_id.data);
    return buffer_take(&name);
}

static enum partition partition_named(const char *name)
{
    return strcmp(name, "day") == 0     ? PARTITION_BY_DAY
           : strcmp(name, "month") == 0 ? PARTITION_BY_MONTH
                                        : PARTITION_NONE;
}

enum outbox_status settings_init(struct settings *settings,
                                 const struct outbox_store_config *config,
                                 struct outbox_error *error)
{
    const struct outbox_settings *values = config->settings;
    if (config->mode != OUTBOX_MODE_LEASE && config->mode != OUTBOX_MODE_HOLD)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "claim mode %u is unknown to this driver",
                           config->mode);
    settings->mode = config->mode;
    settings->delete_delivered = config->delete_delivered != 0;
    settings->binary_payload = outbox_setting_integer(values, "binary_payload", 0) != 0;
    settings->partition = partition_named(outbox_setting_text(values, "partition", "none"));
    settings->partition_window =
        (outbox_setting_integer(values, "partition_window", 0) + 999999999) / 1000000000;
    settings->statement_timeout =
        outbox_setting_integer(values, "statement_timeout", INT64_C(60000000000)) / 1000000;
    settings->application_name = make_application_name(config->relay_id);
    if (!settings->application_name)
        return out_of_memory(error);
    enum outbox_status status = take_address(settings, values, error);
    if (status == OUTBOX_OK)
        status = copy(values, "tls_ca", &settings->tls_ca, error);
    if (status == OUTBOX_OK)
        status = copy(values, "tls_certificate", &settings->tls_certificate, error);
    if (status == OUTBOX_OK)
        status = copy(values, "tls_key", &settings->tls_key, error);
    return status == OUTBOX_OK ? choose_tls(settings, values, error) : status;
}

void settings_clear(struct settings *settings)
{
    address_clear(&settings->address);
    free(settings->tls_ca);
    free(settings->tls_certificate);
    free(settings->tls_key);
    free(settings->url_password);
    free(settings->application_name);
    *settings = (struct settings){0};
}

static void blot(const char *secret, char *text)
{
    size_t len = secret ? strlen(secret) : 0;
    if (len == 0)
        return;
    for (char *at = strstr(text, secret); at; at = strstr(at + len, secret))
        memset(at, '*', len);
}

void settings_scrub(const struct settings *settings, char *text)
{
    blot(settings->address.password, text);
    blot(settings->url_password, text);
}
