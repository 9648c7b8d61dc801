/*
 * url.c - the address of a server, redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]
 * SPDX-License-Identifier: MIT
 */
#include "url.h"

#include "number.h"

#include <errno.h>
#include <stdlib.h>

static enum outbox_status invalid(struct outbox_error *error, const char *why)
{
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "\"url\" %s: write redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], "
                       "rediss:// for TLS",
                       why);
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* Undoes percent-encoding. NULL and *is_valid false for what is none, or has a NUL. */
static char *decode(const char *text, size_t len, bool *is_valid)
{
    char *decoded = malloc(len + 1), *out = decoded;
    *is_valid = true;
    if (!decoded)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            *out++ = text[i];
            continue;
        }
        int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0 || high * 16 + low == 0) {
            *is_valid = false;
            free(decoded);
            return NULL;
        }
        *out++ = (char)(high * 16 + low);
        i += 2;
    }
    *out = '\0';
    return decoded;
}

static bool is_port(const char *text, size_t len)
{
    unsigned number = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    return number > 0 && number <= 65535;
}

bool url_split_host(const char *text, size_t len, const char *default_port, char **host,
                    char **port)
{
    const char *start = text, *end = memchr(text, ':', len), *rest;
    if (len > 0 && text[0] == '[') {
        end = memchr(text, ']', len);
        start = text + 1;
        rest = end ? end + 1 : NULL;
    } else {
        if (!end)
            end = text + len;
        rest = end;
    }
    if (!end || end == start)
        return false;
    size_t left = (size_t)(text + len - rest);
    bool has_port = left > 0;
    if (has_port && (*rest != ':' || !is_port(rest + 1, left - 1)))
        return false;
    *host = strndup(start, (size_t)(end - start));
    *port = has_port ? strndup(rest + 1, left - 1) : strdup(default_port);
    if (*host && *port)
        return true;
    free(*host);
    free(*port);
    *host = *port = NULL;
    return false;
}

static enum outbox_status parse_user(struct url *url, const char *text, size_t len,
                                     struct outbox_error *error)
{
    const char *colon = memchr(text, ':', len);
    size_t name_len = colon ? (size_t)(colon - text) : len;
    bool is_valid = true;
    if (name_len > 0)
        url->username = decode(text, name_len, &is_valid);
    if (is_valid && colon)
        url->password = decode(colon + 1, len - name_len - 1, &is_valid);
    if (!is_valid)
        return invalid(error, "has a % in the user name or password that no two digits follow (as "
                              "itself it is %25)");
    if ((name_len > 0 && !url->username) || (colon && !url->password))
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "read \"url\": out of memory");
    return OUTBOX_OK;
}

static enum outbox_status parse_parts(struct url *url, const char *rest, struct outbox_error *error)
{
    size_t authority = strcspn(rest, "/?#");
    const char *path = rest + authority, *at = memrchr(rest, '@', authority);
    if (at) {
        enum outbox_status status = parse_user(url, rest, (size_t)(at - rest), error);
        if (status != OUTBOX_OK)
            return status;
        authority -= (size_t)(at + 1 - rest);
        rest = at + 1;
    }
    if (!url_split_host(rest, authority, REDIS_PORT, &url->host, &url->port))
        return invalid(error, "has no host or a port that is no number from 1 to 65535 (in a "
                              "password, / ? # @ : and % have to be percent-encoded)");
    if (*path == '/' && path[1] != '\0') {
        if (!number_parse(path + 1, REDIS_MAX_DATABASE, &url->database))
            return invalid(error, "ends in something else than the number of a database");
    } else if (*path != '\0' && *path != '/') {
        return invalid(error, "has a ? or #, which mean nothing here (in a password they have to "
                              "be percent-encoded)");
    }
    return OUTBOX_OK;
}

enum outbox_status url_parse(struct url *url, const char *text, struct outbox_error *error)
{
    static const char plain[] = "redis://", secure[] = "rediss://";
    *url = (struct url){.database = -1};
    const char *rest = text;
    if (strncmp(text, secure, sizeof(secure) - 1) == 0) {
        url->tls = true;
        rest += sizeof(secure) - 1;
    } else if (strncmp(text, plain, sizeof(plain) - 1) == 0) {
        rest += sizeof(plain) - 1;
    } else {
        return invalid(error, "does not begin with redis:// or rediss://");
    }
    enum outbox_status status = parse_parts(url, rest, error);
    if (status != OUTBOX_OK)
        url_clear(url);
    return status;
}

void url_clear(struct url *url)
{
    free(url->host);
    free(url->port);
    free(url->username);
    free(url->password);
    *url = (struct url){.database = -1};
}
