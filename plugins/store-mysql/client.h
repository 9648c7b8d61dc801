/*
 * client.h - what differs between libmysqlclient and libmariadb
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_MYSQL_CLIENT_H
#define STORE_MYSQL_CLIENT_H

#include "settings.h"

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>

#ifdef MARIADB_PACKAGE_VERSION
#define CLIENT_LIBRARY "libmariadb"
typedef my_bool client_bool;
#else
#define CLIENT_LIBRARY "libmysqlclient"
typedef bool client_bool;
#endif

/* Readies the library for the process; any thread, any number of times. False if it cannot. */
bool client_init(void) OUTBOX_MUST_USE;

/* A handle with every option set, not connected; NULL if memory ran out. Seconds, 0: for ever. */
MYSQL *client_new(const struct settings *settings, unsigned connect_timeout,
                  unsigned read_timeout) OUTBOX_MUST_USE;

/* False: mysql_errno() and mysql_error() say why. Never true over a plain connection if TLS was
 * asked for. */
bool client_connect(MYSQL *client, const struct settings *settings) OUTBOX_MUST_USE;

/* The file descriptor of its connection. */
int client_socket(MYSQL *client);

#endif
