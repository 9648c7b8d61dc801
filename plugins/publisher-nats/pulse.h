/*
 * pulse.h - round trips to the server beside the messages
 * SPDX-License-Identifier: MIT
 *
 * A thread for each courier, as the library can only wait for a PONG. With JetStream it is how a
 * server that has fallen silent is found; without, it is what confirms messages at all.
 */
#ifndef PUBLISHER_NATS_PULSE_H
#define PUBLISHER_NATS_PULSE_H

#include "courier.h"

/* The thread; its argument is the courier. */
void *pulse_work(void *courier);

/* Without JetStream: begins a round trip at once if there is something to be confirmed. */
void pulse_quicken(struct courier *courier);

#endif
