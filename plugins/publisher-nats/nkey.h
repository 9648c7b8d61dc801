/*
 * nkey.h - the public key that belongs to a user's seed
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_NKEY_H
#define PUBLISHER_NATS_NKEY_H

#include "settings.h"

/* Writes the public key ("U...") of a seed ("SU..."); false if it is none. */
bool nkey_of_seed(const char *seed, char nkey[NKEY_SIZE]) OUTBOX_MUST_USE;

#endif
