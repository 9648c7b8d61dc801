/*
 * connection.h - how libcurl is to connect: TLS, proxy, time, addresses that are refused
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_CONNECTION_H
#define PUBLISHER_WEBHOOK_CONNECTION_H

#include "settings.h"

#include <curl/curl.h>

/* Each returns false if libcurl refuses an option, which is for lack of memory. */

/* What every request and ping has. */
bool connection_set(CURL *easy, const struct settings *settings) OUTBOX_MUST_USE;

/* Whether the client certificate, if there is one, is shown to who asks for it. */
bool connection_set_certificate(CURL *easy, const struct settings *settings,
                                bool shown) OUTBOX_MUST_USE;

/* Whether private addresses are refused, and with them any proxy, which would hide what address it
 * connects to. *noted becomes true when one was. */
bool connection_set_refusal(CURL *easy, const struct settings *settings, bool refuses,
                            bool *noted) OUTBOX_MUST_USE;

#endif
