/*
 * link.c - one connection to a server
 * SPDX-License-Identifier: MIT
 */
#include "link.h"

#include "dial.h"
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MILLISECOND INT64_C(1000000)

/* ---- What the library calls --------------------------------------------------------------- */

static void wake_owner(struct link *link)
{
    uint64_t one = 1;
    /* That can only fail where the owner has been woken 2^64 times. */
    (void)!write(link->wake_fd, &one, sizeof(one));
}

static natsStatus attach(void **user_data, void *loop, natsConnection *connection, natsSock fd)
{
    struct link *link = loop;
    (void)connection;
    *user_data = link;
#ifdef HAVE_CLOSE_EVENT
    link->library_fd = fd;
#endif
    link->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (link->fd < 0)
        return NATS_SYS_ERROR;
    if (!link->is_tls)
        return NATS_OK;
    /* With TLS the library tries again without a pause until a socket that does not block has taken
     * or given a whole record. So it shall block; what keeps it for too long is cut: see warden.h.
     */
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 ? NATS_OK : NATS_SYS_ERROR;
}

static natsStatus watch_read(void *user_data, bool is_added)
{
    (void)user_data;
    (void)is_added;
    return NATS_OK;
}

static natsStatus watch_write(void *user_data, bool is_added)
{
    struct link *link = user_data;
    atomic_store(&link->wants_write, is_added);
    if (is_added && !pthread_equal(pthread_self(), link->owner))
        wake_owner(link);
    return NATS_OK;
}

static natsStatus detach(void *user_data)
{
    (void)user_data;
    return NATS_OK;
}

static void add_denial(struct link *link, const char *subject, size_t len)
{
    struct denial *made = malloc(sizeof(*made) + len + 1);
    if (!made)
        return; /* the message has no answer by its deadline instead */
    memcpy(made->subject, subject, len);
    made->subject[len] = '\0';
    made->next = link->denials;
    link->denials = made;
}

/* On a thread of the library. Without a handler it would write to standard error. */
static void take_error(natsConnection *connection, natsSubscription *subscription,
                       natsStatus status, void *closure)
{
    static const char publish[] = "Publish to \"", subscribe[] = "Subscription to \"";
    struct link *link = closure;
    natsStatus last = NATS_OK;
    const char *text = nats_GetLastError(&last);
    (void)connection;
    (void)subscription;
    if (status != NATS_NOT_PERMITTED || !text)
        return; /* what ends a connection is found where it is read */
    const char *publishing = strstr(text, publish);
    (void)pthread_mutex_lock(&link->lock);
    if (publishing) {
        publishing += sizeof(publish) - 1;
        add_denial(link, publishing, strcspn(publishing, "\""));
    } else if (strstr(text, subscribe)) {
        (void)snprintf(link->refusal, sizeof(link->refusal), "%s", text);
    }
    (void)pthread_mutex_unlock(&link->lock);
    wake_owner(link);
}

/* On a thread of the library, after all other callbacks of the connection. */
static void take_end(natsConnection *connection, void *closure)
{
    (void)connection;
    link_release(closure);
}

/* ---- Making and freeing ------------------------------------------------------------------- */

static struct link *link_new(struct settings *settings, int wake_fd)
{
    struct link *link = calloc(1, sizeof(*link));
    if (!link)
        return NULL;
    atomic_init(&link->holders, 1);
    link->fd = -1;
#ifdef HAVE_CLOSE_EVENT
    link->library_fd = NATS_SOCK_INVALID;
#endif
    link->is_tls = settings->addresses.is_tls;
    link->owner = pthread_self();
    link->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
    if (link->wake_fd >= 0 && pthread_mutex_init(&link->lock, NULL) == 0) {
        link->settings = settings_hold(settings);
        return link;
    }
    if (link->wake_fd >= 0)
        (void)close(link->wake_fd);
    free(link);
    return NULL;
}

struct link *link_hold(struct link *link)
{
    (void)atomic_fetch_add(&link->holders, 1);
    return link;
}

void link_release(struct link *link)
{
    if (atomic_fetch_sub(&link->holders, 1) > 1)
        return;
    natsSubscription_Destroy(link->answers);
    natsConnection_Destroy(link->connection);
#ifdef HAVE_CLOSE_EVENT
    /* Such a release of the library leaves closing its socket to the event loop. */
    natsConnection_ProcessCloseEvent(&link->library_fd);
#endif
    if (link->fd >= 0)
        (void)close(link->fd);
    (void)close(link->wake_fd);
    denials_free(link->denials);
    (void)pthread_mutex_destroy(&link->lock);
    settings_release(link->settings);
    free(link);
}

void denials_free(struct denial *denials)
{
    while (denials) {
        struct denial *next = denials->next;
        free(denials);
        denials = next;
    }
}

/* ---- Connecting --------------------------------------------------------------------------- */

static enum outbox_status class_of(natsStatus status)
{
    switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
        return OUTBOX_DENIED;
    case NATS_NO_SERVER_SUPPORT:
        return OUTBOX_UNSUPPORTED;
    case NATS_NO_MEMORY:
        return OUTBOX_INTERNAL;
    default:
        return OUTBOX_UNAVAILABLE;
    }
}

static const char *remedy_of(natsStatus status)
{
    switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
        return "; check the credentials, or what the server knows of them";
    case NATS_SECURE_CONNECTION_WANTED:
        return "; the server offers no TLS, and \"url\" asks for it";
    case NATS_SSL_ERROR:
        return "; the server's certificate is verified by tls_ca and for the host name in \"url\"";
    default:
        return "";
    }
}

static enum outbox_status fail(natsStatus status, const char *doing, const struct link *link,
                               struct outbox_error *error)
{
    char reason[300];
    library_reason((int)status, reason, sizeof(reason));
    return outbox_fail(error, class_of(status), "", "%s %s: %s%s", doing, link->place, reason,
                       remedy_of(status));
}

/* Listens to one inbox for all answers: what is behind its last dot tells them apart. */
static natsStatus listen_to_answers(struct link *link)
{
    natsInbox *inbox = NULL;
    char pattern[LINK_INBOX_SIZE + 1];
    natsStatus status = natsInbox_Create(&inbox);
    if (status != NATS_OK)
        return status;
    const char *unique = strrchr(inbox, '.');
    int len = snprintf(link->inbox, sizeof(link->inbox), "%s.%s.", link->settings->inbox_prefix,
                       unique ? unique + 1 : inbox);
    natsInbox_Destroy(inbox);
    if (len < 0 || (size_t)len >= sizeof(link->inbox))
        return NATS_INVALID_ARG;
    link->inbox_len = (size_t)len;
    (void)snprintf(pattern, sizeof(pattern), "%s*", link->inbox);
    status = natsConnection_SubscribeSync(&link->answers, link->connection, pattern);
    return status == NATS_OK ? natsSubscription_SetPendingLimits(link->answers, -1, -1) : status;
}

static natsStatus set_callbacks(natsOptions *options, struct link *link)
{
    natsStatus status =
        natsOptions_SetEventLoop(options, link, attach, watch_read, watch_write, detach);
    if (status == NATS_OK)
        status = natsOptions_SetErrorHandler(options, take_error, link);
    return status == NATS_OK ? natsOptions_SetClosedCB(options, take_end, link) : status;
}

/* Of the signatures, the library takes those that begin with a zero byte, one of 256, for empty and
 * sends none: who is refused may be right. The next greeting asks for another signature. */
static natsStatus connect_with(struct link *link, natsOptions *options)
{
    bool is_signed = link->settings->nkey_seed || link->settings->credentials;
    natsStatus status = natsConnection_Connect(&link->connection, options);
    for (int tries = 0; tries < 2 && is_signed && status == NATS_CONNECTION_AUTH_FAILED; tries++)
        status = natsConnection_Connect(&link->connection, options);
    return status;
}

static enum outbox_status connect_to(struct link *link, const struct address *address,
                                     struct outbox_error *error)
{
    natsOptions *options = NULL;
    (void)snprintf(link->place, sizeof(link->place), "%s", address->place);
    enum outbox_status result = dial_options(link->settings, address, &options, error);
    if (result != OUTBOX_OK)
        return result;
    natsStatus status = set_callbacks(options, link);
    if (status == NATS_OK)
        status = connect_with(link, options);
    natsOptions_Destroy(options);
    if (status != NATS_OK) {
        link->connection = NULL;
        return fail(status, "connect to", link, error);
    }
    (void)link_hold(link); /* until take_end() */
    status = natsConnection_HasHeaderSupport(link->connection);
    if (status == NATS_OK && link->settings->jetstream)
        status = listen_to_answers(link);
    if (status != NATS_OK) {
        result = fail(status, "prepare to publish to", link, error);
        link_close(link);
        return result;
    }
    int64_t most = natsConnection_GetMaxPayload(link->connection);
    link->max_message = most > 0 ? (uint64_t)most : 0;
    return OUTBOX_OK;
}

enum outbox_status link_open(struct settings *settings, size_t *first, int wake_fd,
                             struct link **link, struct outbox_error *error)
{
    enum outbox_status worst = OUTBOX_UNAVAILABLE;
    size_t count = settings->addresses.count;
    for (size_t i = 0; i < count; i++) {
        struct outbox_error reason = OUTBOX_ERROR_INIT;
        struct link *made = link_new(settings, wake_fd);
        if (!made)
            return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "connect: out of memory");
        size_t number = (*first + i) % count;
        enum outbox_status status = connect_to(made, &settings->addresses.servers[number], &reason);
        if (status == OUTBOX_OK) {
            *first = number;
            *link = made;
            return OUTBOX_OK;
        }
        link_release(made);
        /* That one of several is not there says less than why another one does not want us. */
        if (i == 0 || worst == OUTBOX_UNAVAILABLE) {
            worst = status;
            *error = reason;
        }
    }
    return worst;
}

/* ---- Use ---------------------------------------------------------------------------------- */

void link_cut(struct link *link)
{
    if (link->fd >= 0)
        (void)shutdown(link->fd, SHUT_RDWR);
}

bool link_turn(struct link *link, short events, char *reason, size_t size)
{
    if (events & POLLOUT)
        natsConnection_ProcessWriteEvent(link->connection);
    if (events & (POLLIN | POLLHUP | POLLERR))
        natsConnection_ProcessReadEvent(link->connection);
    if (!natsConnection_IsClosed(link->connection))
        return true;
    const char *text = NULL;
    natsStatus status = natsConnection_GetLastError(link->connection, &text);
    (void)snprintf(reason, size, "%s", text && *text ? text : natsStatus_GetText(status));
    return false;
}

void link_close(struct link *link)
{
    enum { MOST_READS = 1000 };
    char reason[8];
    link_cut(link);
    /* Reading to the end of what is dead closes it at once; closing it by itself would wait for the
     * server to take what is not written yet. */
    for (int i = 0; i < MOST_READS && link_turn(link, POLLIN, reason, sizeof(reason)); i++)
        ;
    natsConnection_Close(link->connection);
}

int link_answer_count(struct link *link)
{
    int count = 0;
    if (link->answers && natsSubscription_GetPending(link->answers, &count, NULL) != NATS_OK)
        return 0;
    return count;
}

natsMsg *link_next_answer(struct link *link, bool *is_unheard)
{
    natsMsg *answer = NULL;
    /* One is there: it does not wait. */
    natsStatus status = natsSubscription_NextMsg(&answer, link->answers, 1);
    *is_unheard = status == NATS_NO_RESPONDERS;
    return status == NATS_OK ? answer : NULL;
}

bool link_was_denied(struct link *link, char *text, size_t size)
{
    const char *last = NULL;
    if (natsConnection_GetLastError(link->connection, &last) != NATS_NOT_PERMITTED)
        return false;
    (void)snprintf(text, size, "%s", last ? last : "Permissions Violation");
    return true;
}

struct denial *link_take_denials(struct link *link)
{
    (void)pthread_mutex_lock(&link->lock);
    struct denial *taken = link->denials;
    link->denials = NULL;
    (void)pthread_mutex_unlock(&link->lock);
    return taken;
}

bool link_refusal(struct link *link, char *text, size_t size)
{
    (void)pthread_mutex_lock(&link->lock);
    bool is_refused = link->refusal[0] != '\0';
    if (is_refused)
        (void)snprintf(text, size, "%s", link->refusal);
    (void)pthread_mutex_unlock(&link->lock);
    return is_refused;
}

enum outbox_status link_refused(const struct link *link, const char *text,
                                struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_DENIED, "",
                       "listen for acknowledgements at %s: %.200s; grant this user the right to "
                       "subscribe to %.60s.>",
                       link->place, text, link->settings->inbox_prefix);
}

natsStatus link_round_trip(struct link *link, int64_t nanoseconds)
{
    int64_t milliseconds = nanoseconds / MILLISECOND;
    return natsConnection_FlushTimeout(link->connection, milliseconds > 0 ? milliseconds : 1);
}
