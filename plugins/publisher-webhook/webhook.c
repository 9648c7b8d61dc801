/*
 * webhook.c - a publisher that sends every message as an HTTP request
 * SPDX-License-Identifier: MIT
 */
#include "probe.h"
#include "sender.h"

#include <outbox/plugin.h>
#include <stdlib.h>

struct outbox_publisher {
    const struct outbox_host *host;
    struct settings settings;
    struct receiver receiver;
    struct queue queue;
    struct sender *senders;
    uint64_t sender_count;
    bool has_receiver, has_queue;
};

/* ---- Opening and closing ------------------------------------------------------------------ */

/* libcurl has state of the whole process, which is set up once and never given back: other drivers
 * may use it as well. It installs no signal handler. */
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started;

static void start_curl(void)
{
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void webhook_close(struct outbox_publisher *publisher)
{
    if (publisher->has_queue)
        queue_close(&publisher->queue);
    for (uint64_t i = 0; i < publisher->sender_count; i++)
        sender_close(&publisher->senders[i]);
    if (publisher->has_queue) {
        queue_release(&publisher->queue, OUTBOX_UNKNOWN, "the relay ended before it was sent");
        queue_clear(&publisher->queue);
    }
    if (publisher->has_receiver)
        receiver_clear(&publisher->receiver);
    free(publisher->senders);
    settings_clear(&publisher->settings);
    free(publisher);
}

/* Part number `index` of `whole` in `parts` parts that differ by one at the most. */
static uint64_t share(uint64_t whole, uint64_t parts, uint64_t index)
{
    uint64_t part = whole / parts + (index < whole % parts ? 1 : 0);
    return part > 0 ? part : 1;
}

static bool start_senders(struct outbox_publisher *publisher)
{
    const struct settings *settings = &publisher->settings;
    publisher->senders = calloc(settings->threads, sizeof(*publisher->senders));
    if (!publisher->senders)
        return false;
    for (uint64_t i = 0; i < settings->threads; i++) {
        publisher->sender_count = i + 1;
        if (!sender_open(&publisher->senders[i], publisher->host, settings, &publisher->queue,
                         &publisher->receiver, share(settings->window, settings->threads, i),
                         share(settings->max_connections, settings->threads, i)))
            return false;
    }
    return true;
}

static enum outbox_status webhook_open(const struct outbox_host *host,
                                       const struct outbox_settings *settings,
                                       struct outbox_publisher **publisher,
                                       struct outbox_error *error)
{
    if (pthread_once(&curl_once, start_curl) != 0 || curl_started != CURLE_OK)
        return outbox_fail(error, OUTBOX_INTERNAL, "", "libcurl does not start");
    struct outbox_publisher *made = calloc(1, sizeof(*made));
    if (!made)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    made->host = host;
    enum outbox_status status = settings_read(&made->settings, settings, error);
    if (status == OUTBOX_OK) {
        made->has_receiver = receiver_init(&made->receiver, host, &made->settings);
        made->has_queue = queue_init(&made->queue, host);
        if (!made->has_receiver || !made->has_queue || !start_senders(made))
            status = outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM",
                                 "open the publisher for %.200s: no memory or no thread",
                                 made->settings.url.name);
    }
    if (status != OUTBOX_OK) {
        webhook_close(made);
        return status;
    }
    *publisher = made;
    return OUTBOX_OK;
}

/* ---- Work --------------------------------------------------------------------------------- */

static enum outbox_status webhook_publish(struct outbox_publisher *publisher,
                                          const struct outbox_batch *batch,
                                          struct outbox_error *error)
{
    char reason[256];
    if (receiver_is_waiting(&publisher->receiver, reason, sizeof(reason)))
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "", "%s", reason);
    if (queue_put(&publisher->queue, batch))
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "take over a batch: out of memory");
}

static enum outbox_status webhook_flush(struct outbox_publisher *publisher, int64_t deadline,
                                        struct outbox_error *error)
{
    if (queue_drain(&publisher->queue, deadline))
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_TIMEOUT, "", "%.200s has not answered everything yet",
                       publisher->settings.url.name);
}

static void webhook_cancel(struct outbox_publisher *publisher, const struct outbox_batch *batch)
{
    queue_cancel(&publisher->queue, batch, OUTBOX_RETRY, "given up before it was sent");
}

static enum outbox_status webhook_ping(struct outbox_publisher *publisher, int64_t deadline,
                                       struct outbox_error *error)
{
    return probe_ping(&publisher->receiver, deadline, error);
}

static enum outbox_status webhook_check(struct outbox_publisher *publisher,
                                        const struct outbox_publisher_check *check,
                                        int64_t deadline, outbox_check_line *line, void *context,
                                        struct outbox_error *error)
{
    return probe_check(&publisher->receiver, check, deadline, line, context, error);
}

/* ---- The driver --------------------------------------------------------------------------- */

static const struct outbox_option options[] = {
    {.name = "url",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED | OUTBOX_OPTION_SECRET,
     .help = "Where events are sent, https:// or http://; {topic} stands for the event's topic."},
    {.name = "method",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "POST",
     .choices = "POST|PUT|PATCH",
     .help = "The method of the requests."},
    {.name = "content_type",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "application/json",
     .help = "Content-Type of events that say nothing of it themselves; \"\": none."},
    {.name = "key_header",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "event-key",
     .help = "The header that the key travels in; \"\": the key is not sent."},
    {.name = "headers",
     .type = OUTBOX_OPTION_MAP,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Headers that every request to `url` has, unless the event has one of that name."},
    {.name = "secret",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Signs as Standard Webhooks says: whsec_ and base64; several, separated by blanks, "
             "while one is being replaced."},
    {.name = "username", .type = OUTBOX_OPTION_TEXT, .help = "For basic authentication."},
    {.name = "password",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "For basic authentication."},
    {.name = "bearer_token",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Sent as Authorization: Bearer."},
    {.name = "tls_ca",
     .type = OUTBOX_OPTION_TEXT,
     .help = "PEM file of the authorities to trust; the system's if not set."},
    {.name = "tls_certificate",
     .type = OUTBOX_OPTION_TEXT,
     .help = "PEM file of the relay's own certificate; needs tls_key."},
    {.name = "tls_key",
     .type = OUTBOX_OPTION_TEXT,
     .help = "PEM file of the key of tls_certificate, without a password."},
    {.name = "http_version",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "auto",
     .choices = "auto|1.1|2",
     .help = "auto: 2 where TLS agrees on it, else 1.1; 2: over http:// as well."},
    {.name = "window",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "64",
     .minimum = 1,
     .maximum = 1000,
     .help = "Requests on their way at once."},
    {.name = "max_connections",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "0",
     .minimum = 0,
     .maximum = 1000,
     .help = "Connections at once; 0: as many as `window`."},
    {.name = "threads",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "1",
     .minimum = 1,
     .maximum = 16,
     .help = "Threads that share the window."},
    {.name = "timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "15s",
     .minimum = 1e8,
     .maximum = 3.6e12,
     .help = "How long one request may take; publish.timeout bounds it as well."},
    {.name = "connect_timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "5s",
     .minimum = 1e8,
     .maximum = 6e10,
     .help = "How long a connection may take to be made, TLS included."},
    {.name = "redirects",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "0",
     .minimum = 0,
     .maximum = 10,
     .help = "How many redirects in a row are followed."},
    {.name = "ping",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "head",
     .choices = "head|options|connect",
     .help = "How the receiver is asked whether it is there: by a request, whatever it answers, or "
             "by connecting alone."},
    {.name = "event_urls",
     .type = OUTBOX_OPTION_BOOL,
     .default_value = "false",
     .help = "Whether events may name another receiver by the property `url`."},
    {.name = "private_addresses",
     .type = OUTBOX_OPTION_CHOICE,
     .choices = "allow|refuse",
     .help = "Whether receivers may be at loopback, private or link-local addresses; if not set, "
             "the one of `url` may, those of events may not."},
    {.name = "proxy",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "URL of a proxy, \"\" for none; if not set, as http_proxy and https_proxy say."},
};

static const struct outbox_option properties[] = {
    {.name = "url", .help = "The URL that this event is sent to, where `event_urls` allows it."},
};

static const struct outbox_publisher_ops ops = {
    OUTBOX_OPS(outbox_publisher_ops),
    .open = webhook_open,
    .close = webhook_close,
    .publish = webhook_publish,
    .flush = webhook_flush,
    .cancel = webhook_cancel,
    .ping = webhook_ping,
    .check = webhook_check,
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "webhook", .version = DRIVER_VERSION,
              .description = "Sends events as HTTP requests, signed as Standard Webhooks says",
              .capabilities = OUTBOX_PUBLISHER_ATTRIBUTES, .publisher = &ops,
              OUTBOX_OPTIONS(options), OUTBOX_PROPERTIES(properties));
