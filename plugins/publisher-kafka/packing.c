/*
 * packing.c - how much goes into one request, and less while the broker refuses some
 * SPDX-License-Identifier: MIT
 */
#include "packing.h"

#include "settings.h"

#define CAREFUL_FOR (10 * NANOSECONDS)
#define SMALLEST_BATCH 1000

void packing_init(struct packing *packing, int64_t batch_bytes)
{
    *packing = (struct packing){.batch_bytes = batch_bytes, .usual_bytes = batch_bytes};
}

static bool differs(const struct packing *a, const struct packing *b)
{
    return a->batch_bytes != b->batch_bytes || a->is_single != b->is_single;
}

bool packing_shrink(struct packing *packing, bool is_size, uint64_t bytes, int64_t now)
{
    const struct packing before = *packing;
    int64_t half = bytes / 2 > SMALLEST_BATCH ? (int64_t)(bytes / 2) : SMALLEST_BATCH;
    if (packing->careful_until == 0)
        packing->usual_bytes = packing->batch_bytes;
    packing->careful_until = now + CAREFUL_FOR;
    if (!is_size || packing->batch_bytes <= SMALLEST_BATCH)
        packing->is_single = true;
    else if (half < packing->batch_bytes)
        packing->batch_bytes = half;
    return differs(packing, &before);
}

void packing_blame(struct packing *packing)
{
    packing->is_guilty_found = true;
}

bool packing_relax(struct packing *packing, int64_t now)
{
    const struct packing before = *packing;
    if (packing->careful_until == 0 || now < packing->careful_until)
        return false;
    if (packing->is_guilty_found)
        packing->batch_bytes = packing->usual_bytes;
    packing->is_single = packing->is_guilty_found = false;
    packing->careful_until = 0;
    return differs(packing, &before);
}
