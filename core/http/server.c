/*
 * server.c - the port at which a relay can be looked at
 * SPDX-License-Identifier: MIT
 *
 * Everything here only reads, and cannot be made to do more: a page elsewhere that gets a browser
 * to call this port (DNS rebinding) changes nothing by it, so the Host header is not checked.
 */
#include "server.h"

#include "../log.h"
#include "listen.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bounds on what strangers can take up: connections, seconds without a byte, bytes of a request's
 * head (and of buffers) for each connection. */
#define CONNECTIONS 64u
#define IDLE_SECONDS 10u
#define CONNECTION_MEMORY ((size_t)16 * 1024)

struct http_server {
    int socket; /* -1: the daemon has it */
    struct MHD_Daemon *daemon;
    struct http_source source;
};

/* ---- Answering ---------------------------------------------------------------------------- */

static bool add_headers(struct MHD_Response *response, const struct http_answer *answer)
{
    const char *const headers[][2] = {
        {MHD_HTTP_HEADER_CONTENT_TYPE, answer->type},
        {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Content-Security-Policy",
         answer->policy ? answer->policy : "default-src 'none'; frame-ancestors 'none'"},
        {MHD_HTTP_HEADER_ALLOW, answer->status == MHD_HTTP_METHOD_NOT_ALLOWED ? "GET, HEAD" : NULL},
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        if (headers[i][1] &&
            MHD_add_response_header(response, headers[i][0], headers[i][1]) != MHD_YES)
            return false;
    return true;
}

/* Takes the body over. MHD_NO, for want of memory, closes the connection. */
static enum MHD_Result send_answer(struct MHD_Connection *connection,
                                   const struct http_answer *answer)
{
    struct MHD_Response *response =
        answer->body
            ? MHD_create_response_from_buffer_with_free_callback(answer->length, answer->body, free)
            : NULL;
    enum MHD_Result sent = MHD_NO;

    if (!response) {
        free(answer->body);
        log_line(OUTBOX_LOG_ERROR, "out of memory for an answer over HTTP");
        return MHD_NO;
    }
    if (add_headers(response, answer))
        sent = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return sent;
}

static struct http_answer answer_method(void)
{
    static const char text[] = "Only GET and HEAD: nothing can be changed here.\n";
    return (struct http_answer){.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                                .type = "text/plain; charset=utf-8",
                                .body = strdup(text),
                                .length = sizeof(text) - 1};
}

/* Called when the head is there, and again for the body, if any, and at its end. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    static char begun; /* only its address is used */
    const struct http_server *server = context;
    struct http_answer answer;

    (void)version, (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        answer = answer_method(); /* at once: its body is not read */
        return send_answer(connection, &answer);
    }
    if (!*request) {
        *request = &begun; /* an answer now would end the connection */
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0; /* a GET with a body, which means nothing */
        return MHD_YES;
    }
    answer = http_answer(&server->source, path);
    return send_answer(connection, &answer);
}

/* ---- Opening and closing ------------------------------------------------------------------ */

bool http_open(const struct config *config, struct http_server **server)
{
    struct listen_address address;
    char error[256] = "not an address", text[LISTEN_TEXT];

    *server = NULL;
    if (!config->http_listen)
        return true;
    struct http_server *made = calloc(1, sizeof(*made));
    if (!made) {
        log_line(OUTBOX_LOG_ERROR, "out of memory");
        return false;
    }
    made->socket = listen_parse(config->http_listen, &address)
                       ? listen_open(&address, error, sizeof(error))
                       : -1;
    if (made->socket < 0) {
        log_line(OUTBOX_LOG_ERROR, "http cannot listen", FIELD("address", config->http_listen),
                 FIELD("error", error),
                 FIELD("remedy", "give http.listen an address of this machine that no other "
                                 "process has, or leave the section http out"));
        free(made);
        return false;
    }
    log_line(OUTBOX_LOG_INFO, "http listens", FIELD("address", listen_format(made->socket, text)));
    *server = made;
    return true;
}

bool http_serve(struct http_server *server, const struct http_source *source)
{
    if (!server)
        return true;
    int socket = server->socket;
    server->source = *source;
    server->socket = -1; /* the library's, also when it fails: it may have closed it then */
    server->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, server,
                                      MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_CONNECTION_LIMIT,
                                      CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
                                      MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
                                      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (server->daemon)
        return true;
    log_line(OUTBOX_LOG_ERROR, "http cannot start: out of memory, threads or descriptors",
             FIELD("error", strerror(errno)));
    return false;
}

void http_close(struct http_server **server)
{
    if (!*server)
        return;
    if ((*server)->daemon)
        MHD_stop_daemon((*server)->daemon);
    if ((*server)->socket >= 0)
        (void)close((*server)->socket);
    free(*server);
    *server = NULL;
}
