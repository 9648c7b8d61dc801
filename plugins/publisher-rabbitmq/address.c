/*
 * address.c - reads the option "url"
 * SPDX-License-Identifier: MIT
 */
#include "address.h"

#include <stdlib.h>

static enum outbox_status refuse(struct outbox_error *error, const char *what)
{
    return outbox_fail(
        error, OUTBOX_INVALID, "",
        "\"url\" %s: write amqp://user:password@host:port/vhost, or amqps:// for TLS", what);
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* Undoes percent-encoding. NULL for a bad escape, for %00 and where the memory is used up. */
static char *decode(const char *text, size_t len)
{
    char *decoded = malloc(len + 1);
    size_t to = 0;
    for (size_t at = 0; decoded && at < len; at++) {
        char byte = text[at];
        if (byte == '%') {
            int high = at + 2 < len ? hex_digit(text[at + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[at + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                free(decoded);
                return NULL;
            }
            byte = (char)(high * 16 + low);
            at += 2;
        }
        decoded[to++] = byte;
    }
    if (decoded)
        decoded[to] = '\0';
    return decoded;
}

static bool parse_port(struct place *place, const char *text, size_t len)
{
    unsigned port = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    (void)snprintf(place->port, sizeof(place->port), "%u", port % 100000);
    return port >= 1 && port <= 65535;
}

static bool parse_place(struct address *address, const char *text, size_t len)
{
    if (address->place_count == ADDRESS_MAX_PLACES)
        return false;
    struct place *place = &address->places[address->place_count++];
    const char *host = text, *host_end, *end = text + len;
    if (len > 0 && *text == '[') {
        host = text + 1;
        host_end = memchr(text, ']', len);
        if (!host_end)
            return false;
        text = host_end + 1;
    } else {
        host_end = memchr(text, ':', len);
        text = host_end ? host_end : end;
        host_end = text;
    }
    size_t host_len = (size_t)(host_end - host);
    if (host_len == 0 || host_len >= sizeof(place->host))
        return false;
    memcpy(place->host, host, host_len);
    place->host[host_len] = '\0';
    (void)snprintf(place->port, sizeof(place->port), "%s", address->tls ? "5671" : "5672");
    return text == end || (*text == ':' && parse_port(place, text + 1, (size_t)(end - text - 1)));
}

static bool parse_places(struct address *address, const char *text, size_t len)
{
    for (;;) {
        const char *comma = memchr(text, ',', len);
        size_t own = comma ? (size_t)(comma - text) : len;
        if (!parse_place(address, text, own))
            return false;
        if (!comma)
            return true;
        text += own + 1;
        len -= own + 1;
    }
}

static enum outbox_status parse_credentials(struct address *address, const char *text, size_t len,
                                            struct outbox_error *error)
{
    const char *colon = memchr(text, ':', len);
    size_t name_len = colon ? (size_t)(colon - text) : len;
    address->username = decode(text, name_len);
    if (colon)
        address->password = decode(colon + 1, len - name_len - 1);
    if (address->username && (!colon || address->password))
        return OUTBOX_OK;
    return refuse(error, "has a user or password with a wrong %-escape");
}

enum outbox_status address_parse(struct address *address, const char *url,
                                 struct outbox_error *error)
{
    *address = (struct address){.tls = strncmp(url, "amqps://", 8) == 0};
    if (!address->tls && strncmp(url, "amqp://", 7) != 0)
        return refuse(error, "begins with neither amqp:// nor amqps://");
    const char *text = url + (address->tls ? 8 : 7);
    if (strpbrk(text, "?#"))
        return refuse(error, "has a '?' or '#', and no parameters are known here");
    size_t len = strcspn(text, "/");
    const char *path = text + len;
    /* A '@' in a password has to be escaped; a lone one is taken for what it was meant to be. */
    const char *at = memrchr(text, '@', len);
    if (at) {
        enum outbox_status status = parse_credentials(address, text, (size_t)(at - text), error);
        if (status != OUTBOX_OK)
            return status;
        len -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    if (!parse_places(address, text, len))
        return refuse(error, "has no host, a wrong port or more than 16 hosts");
    if (path[0] == '\0' || path[1] == '\0')
        return OUTBOX_OK;
    if (strchr(path + 1, '/'))
        return refuse(error, "has a '/' in the name of the vhost, which is written %2F");
    address->vhost = decode(path + 1, strlen(path + 1));
    return address->vhost ? OUTBOX_OK : refuse(error, "has a vhost with a wrong %-escape");
}

void address_clear(struct address *address)
{
    if (address->password)
        explicit_bzero(address->password, strlen(address->password));
    free(address->username);
    free(address->password);
    free(address->vhost);
    *address = (struct address){0};
}
