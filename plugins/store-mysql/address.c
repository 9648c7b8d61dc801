/*
 * address.c - mysql://[USER[:PASSWORD]@][HOST][:PORT][/DATABASE][?ssl-mode=...&socket=...]
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include <stdlib.h>
#include <sys/un.h>

#define DEFAULT_PORT 3306

static enum outbox_status invalid(struct outbox_error *error, const char *why)
{
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "url: %s; write mysql://USER:PASSWORD@HOST:PORT/DATABASE, with "
                       "?socket=PATH for a unix socket, and percent-encode @ / : ? # %% & within "
                       "its parts",
                       why);
}

static enum outbox_status out_of_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "read the settings: out of memory");
}

/* ---- Pieces ------------------------------------------------------------------------------- */

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* Undoes percent-encoding. */
static enum outbox_status decode(const char *text, size_t len, char **decoded,
                                 struct outbox_error *error)
{
    char *to = malloc(len + 1), *out = to;
    if (!to)
        return out_of_memory(error);
    free(*decoded);
    *decoded = to;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            *out++ = text[i];
            continue;
        }
        int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        *out = '\0';
        if (low < 0 || high * 16 + low == 0)
            return invalid(error, "a % is followed by no two hexadecimal digits (as itself it is "
                                  "%25)");
        *out++ = (char)(high * 16 + low);
        i += 2;
    }
    *out = '\0';
    return OUTBOX_OK;
}

static bool read_port(const char *text, size_t len, unsigned *port)
{
    unsigned number = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    *port = number;
    return number > 0 && number <= 65535;
}

static enum outbox_status take_user(struct address *address, const char *text, size_t len,
                                    struct outbox_error *error)
{
    const char *colon = memchr(text, ':', len);
    size_t name_len = colon ? (size_t)(colon - text) : len;
    enum outbox_status status = OUTBOX_OK;
    if (name_len > 0)
        status = decode(text, name_len, &address->user, error);
    if (status == OUTBOX_OK && colon)
        status = decode(colon + 1, len - name_len - 1, &address->password, error);
    return status;
}

/* HOST, HOST:PORT or [IPV6]:PORT; nothing at all where a socket is named. */
static enum outbox_status take_host(struct address *address, const char *text, size_t len,
                                    struct outbox_error *error)
{
    const char *host = text, *end = memchr(text, ':', len), *rest = end ? end : text + len;
    if (len > 0 && text[0] == '[') {
        end = memchr(text, ']', len);
        if (!end)
            return invalid(error, "a [ of the host is not closed");
        host = text + 1;
        rest = end + 1;
    }
    size_t host_len = (size_t)((end ? end : text + len) - host);
    size_t left = (size_t)(text + len - rest);
    address->port = DEFAULT_PORT;
    if (left > 0 && (*rest != ':' || !read_port(rest + 1, left - 1, &address->port)))
        return invalid(error, "the port is no number from 1 to 65535");
    return host_len > 0 ? decode(host, host_len, &address->host, error) : OUTBOX_OK;
}

/* ---- What stands behind the question mark ------------------------------------------------- */

enum tls tls_named(const char *name)
{
    static const struct {
        const char *name;
        enum tls tls;
    } known[] = {
        {"off", TLS_OFF},
        {"verified", TLS_VERIFIED},
        {"DISABLED", TLS_OFF},
        {"VERIFY_IDENTITY", TLS_VERIFIED},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(name, known[i].name) == 0)
            return known[i].tls;
    return TLS_UNSET;
}

static enum outbox_status take_ssl_mode(struct address *address, const char *value,
                                        struct outbox_error *error)
{
    address->tls = tls_named(value);
    if (address->tls != TLS_UNSET)
        return OUTBOX_OK;
    if (strcasecmp(value, "PREFERRED") == 0)
        return invalid(error, "ssl-mode=PREFERRED would fall back to plain text without a word: "
                              "say VERIFY_IDENTITY or DISABLED");
    if (strcasecmp(value, "VERIFY_CA") == 0)
        return invalid(error, "ssl-mode=VERIFY_CA is not offered, for any certificate of that "
                              "authority would do: say VERIFY_IDENTITY or DISABLED");
    return invalid(error, "ssl-mode is neither VERIFY_IDENTITY nor DISABLED");
}

static enum outbox_status take_parameter(struct address *address, const char *text, size_t len,
                                         struct outbox_error *error)
{
    const char *equals = memchr(text, '=', len);
    if (!equals)
        return invalid(error, "behind the ? a parameter has no =");
    size_t name_len = (size_t)(equals - text);
    char *value = NULL;
    enum outbox_status status = decode(equals + 1, len - name_len - 1, &value, error);
    if (status != OUTBOX_OK) {
        free(value);
        return status;
    }
    if (name_len == 6 && memcmp(text, "socket", 6) == 0) {
        free(address->socket);
        address->socket = value;
        if (value[0] == '/' && strlen(value) < sizeof(((struct sockaddr_un *)0)->sun_path))
            return OUTBOX_OK;
        return invalid(error, "socket is no absolute path, or longer than one can be");
    }
    if (name_len == 8 && (memcmp(text, "ssl-mode", 8) == 0 || memcmp(text, "ssl_mode", 8) == 0))
        status = take_ssl_mode(address, value, error);
    else
        status = invalid(error, "a parameter is none of ssl-mode and socket");
    free(value);
    return status;
}

static enum outbox_status take_parameters(struct address *address, const char *text,
                                          struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    while (*text && status == OUTBOX_OK) {
        size_t len = strcspn(text, "&");
        status = take_parameter(address, text, len, error);
        text += len + (text[len] == '&');
    }
    return status;
}

/* ---- The whole ---------------------------------------------------------------------------- */

static enum outbox_status take_parts(struct address *address, const char *rest,
                                     struct outbox_error *error)
{
    size_t authority = strcspn(rest, "/?#");
    const char *path = rest + authority, *at = memrchr(rest, '@', authority);
    enum outbox_status status = OUTBOX_OK;
    if (at) {
        status = take_user(address, rest, (size_t)(at - rest), error);
        authority -= (size_t)(at + 1 - rest);
        rest = at + 1;
    }
    if (status == OUTBOX_OK)
        status = take_host(address, rest, authority, error);
    if (status == OUTBOX_OK && *path == '/') {
        path++;
        size_t len = strcspn(path, "?#");
        if (memchr(path, '/', len) || memchr(path, '@', len))
            return invalid(error, "behind the host stands no name of a database");
        if (len > 0)
            status = decode(path, len, &address->database, error);
        path += len;
    }
    if (status != OUTBOX_OK)
        return status;
    if (*path == '#')
        return invalid(error, "a # means nothing here");
    return *path == '?' ? take_parameters(address, path + 1, error) : OUTBOX_OK;
}

enum outbox_status address_parse(struct address *address, const char *url,
                                 struct outbox_error *error)
{
    static const char *const schemes[] = {"mysql://", "mariadb://"};
    const char *rest = NULL;
    for (int i = 0; i < 2 && !rest; i++)
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            rest = url + strlen(schemes[i]);
    if (!rest)
        return invalid(error, "it does not begin with mysql:// or mariadb://");
    enum outbox_status status = take_parts(address, rest, error);
    if (status == OUTBOX_OK && !address->host && !address->socket)
        return invalid(error, "it names neither a host nor a socket");
    return status;
}

void address_clear(struct address *address)
{
    free(address->user);
    free(address->password);
    free(address->host);
    free(address->socket);
    free(address->database);
    *address = (struct address){0};
}
