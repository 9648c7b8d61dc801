/*
 * link.h - one connection to a server
 * SPDX-License-Identifier: MIT
 *
 * The library is run by an event loop of ours: one thread, the owner, sends, reads and takes the
 * answers, so nothing is handed from thread to thread for a message. Other threads may ask for a
 * round trip and cut the connection. A link is counted, for callbacks of the library come late.
 */
#ifndef PUBLISHER_NATS_LINK_H
#define PUBLISHER_NATS_LINK_H

#include "settings.h"

#include <nats/nats.h>
#include <pthread.h>

#define LINK_INBOX_SIZE 128

/* A subject that this client may not publish to, as the server told. */
struct denial {
    struct denial *next;
    char subject[];
};

struct link {
    _Atomic int holders;
    struct settings *settings;
    natsConnection *connection;
    natsSubscription *answers;   /* to what is published with the inbox as reply; NULL without */
    char inbox[LINK_INBOX_SIZE]; /* with a dot at its end */
    size_t inbox_len;
    char place[280];      /* host:port */
    uint64_t max_message; /* bytes of headers and payload that the server takes */
    bool is_tls;
    int fd; /* our own duplicate, so that cutting it never hits another file */
#ifdef HAVE_CLOSE_EVENT
    natsSock library_fd;
#endif
    int wake_fd;             /* of the owner's event loop, a duplicate as well */
    pthread_t owner;         /* set before the first event */
    atomic_bool wants_write; /* there are bytes to be written once the socket takes some */

    pthread_mutex_t lock;
    struct denial *denials; /* not taken yet */
    char refusal[200];      /* set: the server does not let us hear answers */
};

/* Connects to one of the servers, beginning with number *first, each within
 * settings->connect_timeout (the library knows no limit for a TLS handshake: see attempt.h), and
 * listens for answers. On success *first is the server. On failure the reason of the most telling
 * try is in *error. */
enum outbox_status link_open(struct settings *settings, size_t *first, int wake_fd,
                             struct link **link, struct outbox_error *error) OUTBOX_MUST_USE;

struct link *link_hold(struct link *link);

/* Any thread. The last one to let go frees it. */
void link_release(struct link *link);

/* Any thread. The socket is dead from now on, and calls that wait for it return. */
void link_cut(struct link *link);

/* The owner alone. No more callbacks of the event loop come. */
void link_close(struct link *link);

/* The owner alone: does what the socket is ready for (events of poll()). False if the connection is
 * gone, with the reason. */
bool link_turn(struct link *link, short events, char *reason, size_t size) OUTBOX_MUST_USE;

/* The owner alone: how many answers are there, and the next of them. The library tells that no
 * stream takes a subject (*is_unheard), and then not of which message: NULL is returned. */
int link_answer_count(struct link *link);
natsMsg *link_next_answer(struct link *link, bool *is_unheard);

/* Whether something that this connection sent was refused for lack of a right. Exact for what was
 * read so far, but tells only the last subject; link_take_denials() tells all, a little later. */
bool link_was_denied(struct link *link, char *text, size_t size);
struct denial *link_take_denials(struct link *link);
void denials_free(struct denial *denials);

/* Any thread but the owner: a round trip to the server, after all that was sent before. */
natsStatus link_round_trip(struct link *link, int64_t nanoseconds) OUTBOX_MUST_USE;

/* Any thread: the reason why answers cannot be heard, or false. */
bool link_refusal(struct link *link, char *text, size_t size);

/* DENIED, for that reason, with the remedy. */
enum outbox_status link_refused(const struct link *link, const char *text,
                                struct outbox_error *error);

#endif
