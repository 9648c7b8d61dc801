/*
 * publisher_host.h - stands in for the relay towards a publisher under test
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_PUBLISHER_HOST_H
#define TESTS_PUBLISHER_HOST_H

#include <outbox/plugin.h>
#include <pthread.h>
#include <stdbool.h>

#define SECOND INT64_C(1000000000)
#define FOREVER (3600 * SECOND)

/* A publisher that is open, and the relay it sees. Batches are completed here; completing a message
 * twice, or one that is not there, ends the process: no test may go on after that. */
struct subject {
    struct outbox_host host;
    const struct outbox_plugin *plugin;
    struct outbox_publisher *publisher;
    pthread_mutex_t mutex;
    pthread_cond_t completed;
    uint64_t logged; /* lines of a warning or an error */
};

/* One message's end. */
struct ending {
    uint32_t outcome; /* 0: not yet */
    char reason[256];
};

/* A batch of events and what became of it. The batch comes first: its address is the sending's. */
struct sending {
    struct outbox_batch batch;
    struct subject *subject;
    struct outbox_event *events;
    struct outbox_message *messages;
    struct outbox_pair *headers; /* NULL, or the caller's for its messages; freed with the rest */
    struct ending *endings;
    uint64_t ended;   /* messages */
    uint64_t calls;   /* of complete() */
    int64_t last_end; /* when the last message ended */
    char *texts;
};

/* Where the drivers are: plugins/ of a build folder. */
void subject_use_folder(const char *folder);

/* The two halves of opening: first the driver, whose table says what settings there are. */
void subject_load(struct subject *subject, const char *name);
enum outbox_status subject_open_with(struct subject *subject,
                                     const struct outbox_settings *settings,
                                     struct outbox_error *error);

/* Opens a publisher with the defaults of its table, but for `given` (which end with a NULL name).
 */
enum outbox_status subject_try_open(struct subject *subject, const char *name,
                                    const struct outbox_setting *given, struct outbox_error *error);
void subject_open(struct subject *subject, const char *name, const struct outbox_setting *given);
void subject_close(struct subject *subject);
enum outbox_status subject_ping(struct subject *subject, struct outbox_error *error);

/* `count` events with the ids PREFIX-0, PREFIX-1 and so on, type "t", topic "t" and a payload of
 * `size` bytes, to be sent within `timeout`. */
struct sending *sending_new(struct subject *subject, const char *prefix, uint64_t count,
                            uint64_t size, int64_t timeout);
void sending_free(struct sending **sending);

enum outbox_status sending_publish(struct sending *sending, struct outbox_error *error);
/* Publishes, and waits until all messages have ended. */
void sending_finish(struct sending *sending);
void sending_wait(struct sending *sending);
uint64_t sending_ended(struct sending *sending);

/* How many messages have ended so, from the first on; fails if one behind another end does. */
uint64_t sending_prefix(const struct sending *sending, uint32_t outcome);
uint64_t sending_count(const struct sending *sending, uint32_t outcome);

#endif
