/*
 * settings.c - what the configuration says of a receiver, checked
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include "header.h"
#include "pem.h"
#include "wire_text.h"

#include <curl/curl.h>
#include <stdlib.h>

#define MOST_CREDENTIALS 4096u

static enum outbox_status no_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "read the settings: out of memory");
}

static enum outbox_status wrong(struct outbox_error *error, const char *key, const char *why)
{
    return outbox_fail(error, OUTBOX_INVALID, "", "\"%s\": %s", key, why);
}

/* NULL where the key is not set; false if the memory is used up. */
static bool copy(char **to, const struct outbox_settings *from, const char *key)
{
    const char *text = outbox_setting_text(from, key, NULL);
    *to = text ? strdup(text) : NULL;
    return !text || *to;
}

static bool is_choice(const struct outbox_settings *from, const char *key, const char *choice)
{
    return strcmp(outbox_setting_text(from, key, ""), choice) == 0;
}

/* ---- Where to ----------------------------------------------------------------------------- */

static enum outbox_status read_url(struct settings *to, const struct outbox_settings *from,
                                   struct outbox_error *error)
{
    const char *why;
    if (receiver_url_parse(&to->url, outbox_setting_text(from, "url", ""), &why))
        return OUTBOX_OK;
    return why ? wrong(error, "url", why) : no_memory(error);
}

/* Before 8.0 libcurl fails to use such a connection twice. */
static bool can_share_plain_connections(void)
{
    return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000;
}

static enum outbox_status read_version(struct settings *to, const struct outbox_settings *from,
                                       struct outbox_error *error)
{
    bool is_https = to->url.is_https;
    if (is_choice(from, "http_version", "1.1"))
        to->http_version = CURL_HTTP_VERSION_1_1;
    else if (is_choice(from, "http_version", "2") && !is_https)
        to->http_version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    else
        to->http_version = CURL_HTTP_VERSION_2TLS;
    to->shares_connections = to->http_version == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE ||
                             (to->http_version == CURL_HTTP_VERSION_2TLS && is_https);
    if (to->http_version != CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE || can_share_plain_connections())
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "\"http_version\": \"2\" over http:// needs libcurl 8.0 or later, and this "
                       "is %s; write \"auto\", or an https:// URL",
                       curl_version_info(CURLVERSION_NOW)->version);
}

static enum outbox_status read_privacy(struct settings *to, const struct outbox_settings *from,
                                       struct outbox_error *error)
{
    to->event_urls = outbox_setting_integer(from, "event_urls", 0) != 0;
    to->refuses_private = is_choice(from, "private_addresses", "refuse");
    to->events_refuse_private = !is_choice(from, "private_addresses", "allow");
    if (!to->proxy || !*to->proxy)
        return OUTBOX_OK;
    if (to->refuses_private || (to->event_urls && to->events_refuse_private))
        return wrong(error, "proxy",
                     "a proxy reaches private addresses in the relay's place, so they cannot be "
                     "refused; leave it out or set \"private_addresses\" to \"allow\"");
    return OUTBOX_OK;
}

/* ---- Credentials -------------------------------------------------------------------------- */

/* The line "Authorization: Basic ..."; false if the memory is used up. */
static bool make_basic(struct settings *to, const char *username, const char *password)
{
    char plain[MOST_CREDENTIALS], encoded[MOST_CREDENTIALS / 3 * 4 + 8];
    int len = snprintf(plain, sizeof(plain), "%s:%s", username, password);
    (void)base64_write((const unsigned char *)plain, (uint64_t)len, encoded);
    to->hidden[0] = strdup(*password ? password : username);
    to->hidden[1] = strdup(encoded);
    if (!to->hidden[0] || !to->hidden[1])
        return false;
    if (asprintf(&to->authorization, "Authorization: Basic %s", encoded) >= 0)
        return true;
    to->authorization = NULL;
    return false;
}

static enum outbox_status read_basic(struct settings *to, const char *username,
                                     const char *password, struct outbox_error *error)
{
    if (!username || !*username)
        return wrong(error, "password", "there is no \"username\" that it belongs to");
    if (strchr(username, ':'))
        return wrong(error, "username", "a user name of basic authentication holds no colon");
    if (strlen(username) + strlen(password) + 2 > MOST_CREDENTIALS)
        return wrong(error, "password", "it is longer than 4000 bytes");
    return make_basic(to, username, password) ? OUTBOX_OK : no_memory(error);
}

static enum outbox_status read_bearer(struct settings *to, const char *token,
                                      struct outbox_error *error)
{
    if (!*token || !wire_text_is_value(outbox_slice_of(token)))
        return wrong(error, "bearer_token",
                     "it is empty, holds a control byte, or begins or ends with a blank");
    to->hidden[0] = strdup(token);
    if (!to->hidden[0] || asprintf(&to->authorization, "Authorization: Bearer %s", token) < 0) {
        to->authorization = NULL;
        return no_memory(error);
    }
    return OUTBOX_OK;
}

static enum outbox_status read_credentials(struct settings *to, const struct outbox_settings *from,
                                           struct outbox_error *error)
{
    const char *username = outbox_setting_text(from, "username", NULL);
    const char *password = outbox_setting_text(from, "password", NULL);
    const char *token = outbox_setting_text(from, "bearer_token", NULL);
    bool in_url = to->url.username || to->url.password;
    if (in_url && (username || password))
        return wrong(error, "username",
                     "\"url\" holds a user name or password as well; write them in one place");
    if (token && (in_url || username || password))
        return wrong(error, "bearer_token",
                     "there is a user name or password as well; a request has one of the two");
    if (token)
        return read_bearer(to, token, error);
    if (in_url) {
        username = to->url.username;
        password = to->url.password;
    }
    if (!username && !password)
        return OUTBOX_OK;
    return read_basic(to, username, password ? password : "", error);
}

static enum outbox_status read_tls(struct settings *to, const struct outbox_settings *from,
                                   struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    if (!copy(&to->tls_ca, from, "tls_ca") ||
        !copy(&to->tls_certificate, from, "tls_certificate") ||
        !copy(&to->tls_key, from, "tls_key"))
        return no_memory(error);
    if (!to->tls_ca && !to->tls_certificate && !to->tls_key)
        return OUTBOX_OK;
    if (!to->url.is_https && !(to->event_urls && !to->tls_certificate && !to->tls_key))
        return wrong(error, to->tls_ca ? "tls_ca" : "tls_certificate",
                     "\"url\" is http://, which has no TLS; write https://");
    if (!to->tls_certificate != !to->tls_key)
        return wrong(error, to->tls_key ? "tls_key" : "tls_certificate",
                     "\"tls_certificate\" and \"tls_key\" are set both or not at all");
    if (to->tls_ca)
        status = pem_check_ca(to->tls_ca, error);
    if (status == OUTBOX_OK && to->tls_certificate)
        status = pem_check_pair(to->tls_certificate, to->tls_key, error);
    return status;
}

static enum outbox_status read_secrets(struct settings *to, const struct outbox_settings *from,
                                       struct outbox_error *error)
{
    const char *why, *text = outbox_setting_text(from, "secret", NULL);
    if (!text || secrets_parse(text, &to->secrets, &why))
        return OUTBOX_OK;
    return wrong(error, "secret", why);
}

/* ---- Headers ------------------------------------------------------------------------------ */

static enum outbox_status check_header(const struct settings *to, const struct outbox_pair *pair,
                                       struct outbox_error *error)
{
    struct outbox_slice name = pair->name;
    const char *why = NULL;
    if (!wire_text_is_name(name))
        why = "is no name of a header";
    else if (header_is_reserved(name))
        why = "is made by the driver or by HTTP itself";
    else if (header_is(name, "content-type"))
        why = "is what \"content_type\" is for";
    else if (to->authorization && header_is(name, "authorization"))
        why = "is made of the user name and password or the token";
    else if (!wire_text_is_value(pair->value))
        why = "has a value with a control byte, or a blank at an end";
    if (!why)
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_INVALID, "", "\"headers\": \"%.*s\" %s",
                       (int)(name.len < 100 ? name.len : 100), name.data, why);
}

static enum outbox_status read_headers(struct settings *to, const struct outbox_settings *from,
                                       struct outbox_error *error)
{
    const struct outbox_setting *map = outbox_setting_find(from, "headers");
    if (!map || map->pair_count == 0)
        return OUTBOX_OK;
    to->headers = calloc(map->pair_count, sizeof(*to->headers));
    if (!to->headers)
        return no_memory(error);
    for (uint64_t i = 0; i < map->pair_count; i++) {
        const struct outbox_pair *pair = &map->pairs[i];
        struct header_line *line = &to->headers[i];
        enum outbox_status status = check_header(to, pair, error);
        if (status != OUTBOX_OK)
            return status;
        line->text = malloc(header_size(*pair));
        if (!line->text)
            return no_memory(error);
        (void)header_write(line->text, *pair);
        line->name_len = pair->name.len;
        to->sets_user_agent |= header_is(pair->name, "user-agent");
        to->header_count = i + 1;
    }
    return OUTBOX_OK;
}

static enum outbox_status read_names(struct settings *to, const struct outbox_settings *from,
                                     struct outbox_error *error)
{
    if (!copy(&to->content_type, from, "content_type") ||
        !copy(&to->key_header, from, "key_header"))
        return no_memory(error);
    if (!to->content_type || !to->key_header)
        return no_memory(error); /* both have a default */
    if (!wire_text_is_value(outbox_slice_of(to->content_type)))
        return wrong(error, "content_type", "it holds a control byte, or a blank at an end");
    struct outbox_slice name = outbox_slice_of(to->key_header);
    if (name.len > 0 && (!wire_text_is_name(name) || header_is_reserved(name)))
        return wrong(error, "key_header",
                     "it is no name of a header, or of one that HTTP or the driver makes");
    return OUTBOX_OK;
}

/* ---- All of it ---------------------------------------------------------------------------- */

static void read_numbers(struct settings *to, const struct outbox_settings *from)
{
    to->window = (uint64_t)outbox_setting_integer(from, "window", 64);
    to->threads = (uint64_t)outbox_setting_integer(from, "threads", 1);
    to->max_connections = (uint64_t)outbox_setting_integer(from, "max_connections", 0);
    to->redirects = outbox_setting_integer(from, "redirects", 0);
    to->timeout = outbox_setting_integer(from, "timeout", INT64_C(15000000000));
    to->connect_timeout = outbox_setting_integer(from, "connect_timeout", INT64_C(5000000000));
    if (to->max_connections == 0 || to->max_connections > to->window)
        to->max_connections = to->window;
    if (to->threads > to->max_connections) /* each has one at least */
        to->threads = to->max_connections;
}

enum outbox_status settings_read(struct settings *to, const struct outbox_settings *from,
                                 struct outbox_error *error)
{
    enum outbox_status (*const steps[])(struct settings *, const struct outbox_settings *,
                                        struct outbox_error *) = {
        read_url, read_version, read_privacy, read_credentials,
        read_tls, read_secrets, read_names,   read_headers,
    };
    *to = (struct settings){0};
    if (!copy(&to->proxy, from, "proxy"))
        return no_memory(error);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum outbox_status status = steps[i](to, from, error);
        if (status != OUTBOX_OK)
            return status;
    }
    to->method = is_choice(from, "method", "PUT")     ? "PUT"
                 : is_choice(from, "method", "PATCH") ? "PATCH"
                                                      : "POST";
    to->ping = is_choice(from, "ping", "connect")   ? PING_CONNECT
               : is_choice(from, "ping", "options") ? PING_OPTIONS
                                                    : PING_HEAD;
    read_numbers(to, from);
    return OUTBOX_OK;
}

static void forget(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void settings_clear(struct settings *settings)
{
    for (uint64_t i = 0; i < settings->header_count; i++)
        forget(settings->headers[i].text);
    for (size_t i = 0; i < sizeof(settings->hidden) / sizeof(settings->hidden[0]); i++)
        forget(settings->hidden[i]);
    free(settings->headers);
    forget(settings->authorization);
    forget(settings->proxy);
    free(settings->content_type);
    free(settings->key_header);
    free(settings->tls_ca);
    free(settings->tls_certificate);
    free(settings->tls_key);
    receiver_url_clear(&settings->url);
    secrets_clear(&settings->secrets);
    *settings = (struct settings){0};
}
