/*
 * server.h - the port at which a relay can be looked at
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HTTP_SERVER_H
#define CORE_HTTP_SERVER_H

#include "../config.h"
#include "routes.h"

struct http_server;

/* Takes the address of the configuration; *server stays NULL if it has none. Who connects waits for
 * http_serve(). False after having logged why the address cannot be had. */
bool http_open(const struct config *config, struct http_server **server)
    __attribute__((warn_unused_result));

/* Begins to answer, in a thread of its own; does nothing without a server. False after having
 * logged that the process is out of resources. */
bool http_serve(struct http_server *server, const struct http_source *source)
    __attribute__((warn_unused_result));

/* Ends the thread and every connection, and frees the server, if there is one. */
void http_close(struct http_server **server);

#endif
