/*
 * listen.c - the address that the relay can be looked at, from text to a socket
 * SPDX-License-Identifier: MIT
 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64
#define HIGHEST_PORT 65535

/* ---- Text --------------------------------------------------------------------------------- */

static bool port_parse(const char *text, char port[6])
{
    long value = 0;
    size_t length = strlen(text);

    if (length == 0 || length > 5)
        return false;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9')
            return false;
        value = value * 10 + (*at - '0');
    }
    memcpy(port, text, length + 1);
    return value <= HIGHEST_PORT;
}

static bool is_name(const char *host)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    return host[strspn(host, letters)] == '\0';
}

/* With or without a zone, as in fe80::1%eth0. */
static bool is_ipv6(const char *host)
{
    char number[LISTEN_HOST];
    struct in6_addr address;
    size_t length = strcspn(host, "%");

    memcpy(number, host, length);
    number[length] = '\0';
    return inet_pton(AF_INET6, number, &address) == 1 && (!host[length] || host[length + 1]);
}

bool listen_parse(const char *text, struct listen_address *address)
{
    bool bracketed = text[0] == '[';
    const char *host = bracketed ? text + 1 : text;
    const char *end = strrchr(text, ':');
    size_t length;

    if (!end || !port_parse(end + 1, address->port))
        return false;
    if (bracketed && (end - text < 2 || *--end != ']'))
        return false;
    length = (size_t)(end - host);
    if (length >= sizeof(address->host))
        return false;
    memcpy(address->host, host, length);
    address->host[length] = '\0';
    return bracketed ? is_ipv6(address->host) : is_name(address->host);
}

/* ---- Sockets ------------------------------------------------------------------------------ */

static int bind_one(const struct sockaddr *address, socklen_t length)
{
    const int on = 1, off = 0;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    /* Connections of a relay that has just ended do not hold the port. */
    bool ready = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
    /* "::" is every address, those of IPv4 among them, whatever the system's default. */
    if (address->sa_family == AF_INET6)
        ready = ready && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0;
    if (ready && bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return -1;
}

/* The first address of a family that can be bound. Keeps the reason of the first that cannot. */
static int bind_family(const struct addrinfo *list, int family, int *reason)
{
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        if (at->ai_family != family)
            continue;
        int fd = bind_one(at->ai_addr, at->ai_addrlen);
        if (fd >= 0)
            return fd;
        *reason = *reason ? *reason : errno;
    }
    return -1;
}

int listen_open(const struct listen_address *address, char *error, size_t size)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    const bool everywhere = address->host[0] == '\0';
    struct addrinfo *list;
    int reason = 0;

    int failure = getaddrinfo(everywhere ? NULL : address->host, address->port, &hints, &list);
    if (failure != 0) {
        (void)snprintf(error, size, "%s",
                       failure == EAI_SYSTEM ? strerror(errno) : gai_strerror(failure));
        return -1;
    }
    /* "::" holds those of IPv4, too; it is not there on a machine without IPv6. */
    int fd = bind_family(list, everywhere ? AF_INET6 : AF_INET, &reason);
    if (fd < 0 && reason != EADDRINUSE)
        fd = bind_family(list, everywhere ? AF_INET : AF_INET6, &reason);
    freeaddrinfo(list);
    if (fd < 0)
        (void)snprintf(error, size, "%s", strerror(reason ? reason : EADDRNOTAVAIL));
    return fd;
}

const char *listen_format(int socket, char text[LISTEN_TEXT])
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char host[LISTEN_HOST], port[8];

    if (getsockname(socket, (struct sockaddr *)&address, &length) != 0 ||
        getnameinfo((const struct sockaddr *)&address, length, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        (void)snprintf(text, LISTEN_TEXT, "an unknown address");
        return text;
    }
    (void)snprintf(text, LISTEN_TEXT, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                   port);
    return text;
}
