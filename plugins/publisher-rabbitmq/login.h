/*
 * login.h - from a host's name to a connection that may be used
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_LOGIN_H
#define PUBLISHER_RABBITMQ_LOGIN_H

#include "settings.h"
#include "wire.h"

struct login {
    const struct settings *settings;
    const struct place *place;
    char version[48]; /* out: of the broker, "" if it does not tell */
};

/* Connects and logs in. On failure the wire is stopped and *error says why: DENIED for credentials
 * and rights, SCHEMA for a vhost that is not there, else UNAVAILABLE. */
enum outbox_status login_run(struct login *login, struct wire *wire,
                             const struct patience *patience,
                             struct outbox_error *error) OUTBOX_MUST_USE;

#endif
