/*
 * connection.c - how libcurl is to connect: TLS, proxy, time, addresses that are refused
 * SPDX-License-Identifier: MIT
 */
#include "connection.h"

#include "address.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define MILLISECOND INT64_C(1000000)
#define UNHEARD_MILLISECONDS 10000u
#define KEEPALIVE_SECONDS 15L
#define CA_KEPT_SECONDS 60L /* a file that is replaced counts after that */

/* A network that drops what is sent is noticed sooner than the system would. */
static int set_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    unsigned milliseconds = UNHEARD_MILLISECONDS;
    (void)context, (void)purpose;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof(milliseconds));
    return CURL_SOCKOPT_OK;
}

bool connection_set(CURL *easy, const struct settings *settings)
{
    bool is_set = true;
    is_set &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
    /* What a proxy answers to CONNECT is no answer of the receiver. */
    is_set &= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, settings->http_version) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                               (long)(settings->connect_timeout / MILLISECOND)) == CURLE_OK;
    /* A name server that never answers must not keep close() waiting. */
    is_set &= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_socket) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_SECONDS) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_SECONDS / 3) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_KEPT_SECONDS) == CURLE_OK;
    if (settings->tls_ca)
        is_set &= curl_easy_setopt(easy, CURLOPT_CAINFO, settings->tls_ca) == CURLE_OK &&
                  curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    return is_set;
}

bool connection_set_certificate(CURL *easy, const struct settings *settings, bool shown)
{
    return curl_easy_setopt(easy, CURLOPT_SSLCERT, shown ? settings->tls_certificate : NULL) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLKEY, shown ? settings->tls_key : NULL) == CURLE_OK;
}

/* ---- Private addresses -------------------------------------------------------------------- */

/* Sees the address that the name was resolved to, just before it is connected to: a name that
 * resolves to something else the next time cannot pass. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    bool *noted = context;
    (void)purpose;
    if (address_is_private(&address->addr)) {
        *noted = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A connection that a request which may go anywhere has left behind is not used either. */
static int before_request(void *context, char *remote, char *local, int remote_port, int local_port)
{
    bool *noted = context;
    (void)local, (void)remote_port, (void)local_port;
    if (!remote || !address_text_is_private(remote))
        return CURL_PREREQFUNC_OK;
    *noted = true;
    return CURL_PREREQFUNC_ABORT;
}

bool connection_set_refusal(CURL *easy, const struct settings *settings, bool refuses, bool *noted)
{
    bool is_set = true;
    is_set &= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, refuses ? open_socket : NULL) ==
              CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, noted) == CURLE_OK;
    is_set &=
        curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, refuses ? before_request : NULL) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_PREREQDATA, noted) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_PROXY, refuses ? "" : settings->proxy) == CURLE_OK;
    return is_set;
}
