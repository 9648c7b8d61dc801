/*
 * exchanges.c - what is known of exchanges, so that a bad one is met by one message alone
 * SPDX-License-Identifier: MIT
 */
#include "exchanges.h"

static bool is_called(const struct exchange *exchange, struct outbox_slice name)
{
    return exchange->name_len == name.len && memcmp(exchange->name, name.data, name.len) == 0;
}

struct exchange *exchanges_find(struct exchanges *exchanges, struct outbox_slice name)
{
    if (exchanges->count > 0 && is_called(&exchanges->known[exchanges->last], name))
        return &exchanges->known[exchanges->last];
    for (uint64_t i = 0; i < exchanges->count; i++) {
        if (is_called(&exchanges->known[i], name)) {
            exchanges->last = i;
            return &exchanges->known[i];
        }
    }
    uint64_t at = exchanges->count;
    if (at == EXCHANGES_KNOWN) {
        at = exchanges->oldest;
        exchanges->oldest = (exchanges->oldest + 1) % EXCHANGES_KNOWN;
    } else {
        exchanges->count++;
    }
    struct exchange *exchange = &exchanges->known[at];
    *exchange = (struct exchange){.name_len = (uint8_t)name.len};
    memcpy(exchange->name, name.data, name.len);
    exchanges->last = at;
    return exchange;
}

void exchanges_doubt(struct exchanges *exchanges)
{
    for (uint64_t i = 0; i < exchanges->count; i++) {
        if (exchanges->known[i].state == EXCHANGE_GOOD)
            exchanges->known[i].state = EXCHANGE_UNKNOWN;
    }
}
