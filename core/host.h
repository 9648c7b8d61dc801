/*
 * host.h - the services that the relay gives to an open driver
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include <outbox/types.h>
#include <pthread.h>

#define HOST_COUNTERS 16

struct host_counter {
    char name[48];
    int64_t value;
};

/* One for each opened store or publisher; must outlive it. */
struct host {
    struct outbox_host table; /* what the driver sees; table.context points back here */
    const char *pipeline;
    const char *driver;
    pthread_mutex_t lock;
    struct host_counter counters[HOST_COUNTERS]; /* under lock; first empty name ends them */
};

/* `pipeline` and `driver` are borrowed for the host's life. complete() is left to the engine: a
 * driver that completes without having been given a batch is a bug that ends the process. */
void host_init(struct host *host, const char *pipeline, const char *driver);

/* Copies what the driver has counted so far; returns how many counters. Any thread. */
size_t host_counters(struct host *host, struct host_counter counters[HOST_COUNTERS]);

/* Logs what the driver counted, at level info, and releases the host. */
void host_clear(struct host *host);

#endif
