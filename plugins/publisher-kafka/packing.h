/*
 * packing.h - how much goes into one request, and less while the broker refuses some
 * SPDX-License-Identifier: MIT
 *
 * A broker refuses a request as a whole: because of one message in it, or because its topic takes
 * only smaller ones. Which of the two shows when the same messages come in smaller requests.
 */
#ifndef PUBLISHER_KAFKA_PACKING_H
#define PUBLISHER_KAFKA_PACKING_H

#include <stdbool.h>
#include <stdint.h>

/* One thread at a time. */
struct packing {
    int64_t batch_bytes;
    bool is_single; /* one message in each request */

    int64_t usual_bytes;   /* before requests were refused */
    int64_t careful_until; /* 0: nothing was refused lately */
    bool is_guilty_found;  /* one message alone was too large */
};

void packing_init(struct packing *packing, int64_t batch_bytes);

/* A request with `bytes` of payloads was refused, for its size or for something else in it. Whether
 * requests are to be packed otherwise now. */
bool packing_shrink(struct packing *packing, bool is_size, uint64_t bytes, int64_t now);

/* A message that came alone was refused for its size: requests of others may be large. */
void packing_blame(struct packing *packing);

/* Whether requests may be packed otherwise again, as nothing was refused for a while. */
bool packing_relax(struct packing *packing, int64_t now);

#endif
