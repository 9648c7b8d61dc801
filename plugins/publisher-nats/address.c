/*
 * address.c - the servers that the option `url` names
 * SPDX-License-Identifier: MIT
 */
#include "address.h"

#include <ctype.h>
#include <stdlib.h>

#define DEFAULT_PORT "4222"
#define MOST_PORT 65535u

static enum outbox_status invalid(struct outbox_error *error, size_t number, const char *what)
{
    return outbox_fail(
        error, OUTBOX_INVALID, "",
        "\"url\": server %zu %s; write nats://HOST:PORT or, for TLS, tls://HOST:PORT, "
        "several separated by commas",
        number + 1, what);
}

static enum outbox_status no_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "read \"url\": out of memory");
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX decoded; NULL with *status set if it is not of that form, or the memory is used up. */
static char *decoded(const char *text, size_t len, bool *is_bad)
{
    char *made = malloc(len + 1), *to = made;
    for (size_t i = 0; made && i < len; i++) {
        if (text[i] != '%') {
            *to++ = text[i];
            continue;
        }
        int high = i + 2 < len ? digit_of(text[i + 1]) : -1;
        int low = i + 2 < len ? digit_of(text[i + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0)) {
            *is_bad = true;
            free(made);
            return NULL;
        }
        *to++ = (char)(high * 16 + low);
        i += 2;
    }
    if (made)
        *to = '\0';
    return made;
}

/* USER:PASSWORD or TOKEN. */
static enum outbox_status read_credentials(struct address *address, const char *text, size_t len,
                                           size_t number, struct outbox_error *error)
{
    bool is_bad = false;
    const char *colon = memchr(text, ':', len);
    size_t first = colon ? (size_t)(colon - text) : len;
    if (first == 0)
        return invalid(error, number, "has an empty user name");
    char **name = colon ? &address->username : &address->token;
    *name = decoded(text, first, &is_bad);
    if (*name && colon)
        address->password = decoded(colon + 1, len - first - 1, &is_bad);
    if (is_bad)
        return invalid(error, number, "has a % in its credentials that no two hex digits follow");
    return *name && (!colon || address->password) ? OUTBOX_OK : no_memory(error);
}

static bool is_port(const char *text, size_t len)
{
    unsigned number = 0;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]) || i > 4)
            return false;
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    return len > 0 && number > 0 && number <= MOST_PORT;
}

static bool is_host(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!isalnum(c) && !strchr(".-_:%", c))
            return false;
    }
    return len > 0;
}

/* HOST:PORT, HOST or [IPV6]:PORT. */
static enum outbox_status read_place(struct address *address, const char *text, size_t len,
                                     size_t number, struct outbox_error *error)
{
    bool is_bracketed = len > 0 && text[0] == '[';
    const char *closing = is_bracketed ? memchr(text, ']', len) : NULL;
    if (is_bracketed && !closing)
        return invalid(error, number, "has a [ without a ]");
    const char *host = is_bracketed ? text + 1 : text, *end = text + len;
    const char *colon = is_bracketed ? closing + 1 : memchr(text, ':', len);
    size_t host_len = (size_t)((is_bracketed ? closing : colon ? colon : end) - host);
    if (colon == end)
        colon = NULL;
    if (!is_host(host, host_len) || (!is_bracketed && memchr(host, ':', host_len)))
        return invalid(error, number, "has no host name");
    const char *port = colon ? colon + 1 : DEFAULT_PORT;
    size_t port_len = colon ? (size_t)(end - port) : strlen(port);
    if (colon && (*colon != ':' || !is_port(port, port_len)))
        return invalid(error, number, "has no port from 1 to 65535 behind the colon");
    address->host = strndup(host, host_len);
    if (!address->host || asprintf(&address->place, is_bracketed ? "[%s]:%.*s" : "%s:%.*s",
                                   address->host, (int)port_len, port) < 0) {
        address->place = NULL;
        return no_memory(error);
    }
    return OUTBOX_OK;
}

static enum outbox_status read_server(struct addresses *addresses, const char *text, size_t len,
                                      struct outbox_error *error)
{
    static const char plain[] = "nats://", tls[] = "tls://";
    size_t number = addresses->count;
    if (number == ADDRESS_MAX_SERVERS)
        return outbox_fail(error, OUTBOX_INVALID, "", "\"url\" names more than %d servers",
                           ADDRESS_MAX_SERVERS);
    bool is_plain = len >= sizeof(plain) - 1 && strncasecmp(text, plain, sizeof(plain) - 1) == 0;
    bool is_tls = len >= sizeof(tls) - 1 && strncasecmp(text, tls, sizeof(tls) - 1) == 0;
    if (!is_plain && !is_tls)
        return invalid(error, number, "begins neither with nats:// nor with tls://");
    if (number > 0 && is_tls != addresses->is_tls)
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "\"url\" has both nats:// and tls://: write one of them for all servers");
    addresses->is_tls = is_tls;
    addresses->count++;
    size_t skipped = is_tls ? sizeof(tls) - 1 : sizeof(plain) - 1;
    text += skipped;
    len -= skipped;
    if (len > 0 && text[len - 1] == '/')
        len--;
    struct address *address = &addresses->servers[number];
    const char *at = memrchr(text, '@', len);
    if (at) {
        size_t before = (size_t)(at - text);
        enum outbox_status status = read_credentials(address, text, before, number, error);
        if (status != OUTBOX_OK)
            return status;
        text += before + 1;
        len -= before + 1;
    }
    return read_place(address, text, len, number, error);
}

enum outbox_status addresses_read(struct addresses *addresses, const char *url,
                                  struct outbox_error *error)
{
    for (const char *at = url;; at++) {
        at += strspn(at, " ");
        size_t len = strcspn(at, ",");
        size_t used = len;
        while (used > 0 && at[used - 1] == ' ')
            used--;
        enum outbox_status status = read_server(addresses, at, used, error);
        if (status != OUTBOX_OK)
            return status;
        at += len;
        if (*at == '\0')
            return OUTBOX_OK;
    }
}

void addresses_clear(struct addresses *addresses)
{
    for (size_t i = 0; i < addresses->count; i++) {
        struct address *address = &addresses->servers[i];
        free(address->host);
        free(address->place);
        free(address->username);
        free(address->password);
        free(address->token);
    }
    addresses->count = 0;
}
