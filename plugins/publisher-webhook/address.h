/*
 * address.h - addresses that are nobody's but one's own network's
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_ADDRESS_H
#define PUBLISHER_WEBHOOK_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* Whether an address is anything but one of the public internet: this host, a private, shared or
 * link-local network (where clouds keep their metadata), multicast, reserved. An IPv4 address
 * inside an IPv6 one (mapped, 6to4, NAT64) is looked at as what it is. An unknown family is
 * private. */
bool address_is_private(const struct sockaddr *address);

/* The same for an address as text; text that is no address is private. */
bool address_text_is_private(const char *text);

#endif
