/*
 * url.c - takes the URL of a receiver apart
 * SPDX-License-Identifier: MIT
 */
#include "url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

static bool get(CURLU *parsed, CURLUPart part, unsigned flags, char **text)
{
    return curl_url_get(parsed, part, text, flags) == CURLUE_OK;
}

static bool host_is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "[::1]") == 0;
}

/* "scheme://host:port", the port always written. */
static char *origin_of(CURLU *parsed, bool *is_https, bool *is_loopback)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL;
    if (get(parsed, CURLUPART_SCHEME, 0, &scheme) && get(parsed, CURLUPART_HOST, 0, &host) &&
        get(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port)) {
        *is_https = strcasecmp(scheme, "https") == 0;
        *is_loopback = host_is_loopback(host);
        if (asprintf(&origin, "%s://%s:%s", *is_https ? "https" : "http", host, port) < 0)
            origin = NULL;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return origin;
}

static bool has_http_scheme(CURLU *parsed)
{
    char *scheme = NULL;
    bool has = get(parsed, CURLUPART_SCHEME, 0, &scheme) &&
               (strcasecmp(scheme, "https") == 0 || strcasecmp(scheme, "http") == 0);
    curl_free(scheme);
    return has;
}

static bool has_part(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    bool has = get(parsed, part, 0, &text);
    curl_free(text);
    return has;
}

static bool has_control_byte(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

/* NULL, and *why where it is not for lack of memory. */
static CURLU *parse(const char *text, const char **why)
{
    *why = NULL;
    if (has_control_byte(text) || strlen(text) > LONGEST_URL) {
        *why = "it is longer than 8000 bytes or holds a blank or a control byte";
        return NULL;
    }
    CURLU *parsed = curl_url();
    if (!parsed)
        return NULL;
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, text, CURLU_PATH_AS_IS);
    if (code == CURLUE_OUT_OF_MEMORY)
        *why = NULL;
    else if (code != CURLUE_OK || !has_http_scheme(parsed))
        *why = "it is not an http:// or https:// URL";
    else if (has_part(parsed, CURLUPART_FRAGMENT))
        *why = "it has a fragment (#...), which is never sent";
    else
        return parsed;
    curl_url_cleanup(parsed);
    return NULL;
}

char *url_origin(const char *url, const char **why)
{
    bool is_https, is_loopback;
    CURLU *parsed = parse(url, why);
    if (!parsed)
        return NULL;
    char *origin = NULL;
    if (has_part(parsed, CURLUPART_USER) || has_part(parsed, CURLUPART_PASSWORD))
        *why = "it holds a user name or a password";
    else
        origin = origin_of(parsed, &is_https, &is_loopback);
    curl_url_cleanup(parsed);
    return origin;
}

/* Takes the credentials out. */
static bool split_credentials(CURLU *parsed, struct receiver_url *url)
{
    char *user = NULL, *password = NULL, *rest = NULL;
    if (get(parsed, CURLUPART_USER, CURLU_URLDECODE, &user))
        url->username = strdup(user);
    if (get(parsed, CURLUPART_PASSWORD, CURLU_URLDECODE, &password))
        url->password = strdup(password);
    bool is_done = (!user || url->username) && (!password || url->password) &&
                   curl_url_set(parsed, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
                   curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
                   get(parsed, CURLUPART_URL, 0, &rest);
    if (is_done)
        url->text = strdup(rest);
    curl_free(user);
    curl_free(password);
    curl_free(rest);
    return is_done && url->text;
}

/* Where in `text` the path begins. */
static size_t path_at(const char *text)
{
    const char *authority = strstr(text, "://");
    authority = authority ? authority + 3 : text;
    return (size_t)(authority - text) + strcspn(authority, "/?#");
}

/* Finds the one place of the topic. */
static bool find_topic(struct receiver_url *url, const char **why)
{
    const char *text = url->text;
    const char *brace = strpbrk(text, "{}");
    url->topic_at = UINT64_MAX;
    if (!brace)
        return true;
    if (strncmp(brace, TOPIC_PLACE, strlen(TOPIC_PLACE)) != 0 ||
        strpbrk(brace + strlen(TOPIC_PLACE), "{}")) {
        *why = "the only place holder is {topic}, once; write other braces as %7B and %7D";
        return false;
    }
    url->topic_at = (uint64_t)(brace - text);
    if (url->topic_at < path_at(text)) {
        *why = "{topic} may stand behind the host only";
        return false;
    }
    return true;
}

bool receiver_url_parse(struct receiver_url *url, const char *text, const char **why)
{
    *url = (struct receiver_url){.topic_at = UINT64_MAX};
    CURLU *parsed = parse(text, why);
    if (!parsed)
        return false;
    url->name = origin_of(parsed, &url->is_https, &url->is_loopback);
    bool is_done = url->name && split_credentials(parsed, url);
    curl_url_cleanup(parsed);
    return is_done && find_topic(url, why);
}

void receiver_url_clear(struct receiver_url *url)
{
    free(url->text);
    free(url->name);
    free(url->username);
    free(url->password);
    *url = (struct receiver_url){0};
}
