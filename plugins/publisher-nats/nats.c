/*
 * nats.c - a publisher that sends to NATS, and waits for JetStream to have it
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include "attempt.h"
#include "dial.h"
#include "library.h"
#include "properties.h"

#include <outbox/plugin.h>
#include <stdlib.h>

/* Of the 5 s that closing may take. */
#define CLOSE_PATIENCE INT64_C(3500000000)

/* ---- Opening and closing ------------------------------------------------------------------ */

static void stop_couriers(struct outbox_publisher *publisher, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        courier_stop(&publisher->couriers[i]);
}

static void free_publisher(struct outbox_publisher *publisher)
{
    free(publisher->couriers);
    if (publisher->settings)
        settings_release(publisher->settings);
    free(publisher);
    library_stop();
}

static bool start_threads(struct outbox_publisher *publisher)
{
    unsigned count = publisher->settings->connections, started = 0;
    publisher->couriers = calloc(count, sizeof(*publisher->couriers));
    if (!publisher->couriers)
        return false;
    while (started < count &&
           courier_start(&publisher->couriers[started], publisher->host, publisher->settings))
        started++;
    if (started == count && (!publisher->settings->addresses.is_tls ||
                             warden_start(&publisher->warden, publisher->couriers, count)))
        return true;
    stop_couriers(publisher, started);
    return false;
}

/* What only the library can tell of the settings: whether it takes the certificates. */
static enum outbox_status try_options(struct outbox_publisher *publisher,
                                      struct outbox_error *error)
{
    natsOptions *options = NULL;
    enum outbox_status status = dial_options(
        publisher->settings, &publisher->settings->addresses.servers[0], &options, error);
    natsOptions_Destroy(options);
    return status;
}

static enum outbox_status nats_open(const struct outbox_host *host,
                                    const struct outbox_settings *settings,
                                    struct outbox_publisher **publisher, struct outbox_error *error)
{
    struct outbox_publisher *made = calloc(1, sizeof(*made));
    if (!made || !library_start()) {
        free(made);
        return outbox_fail(error, OUTBOX_INTERNAL, "", "open the publisher: %s",
                           made ? "the NATS library does not start" : "out of memory");
    }
    made->host = host;
    enum outbox_status status = settings_read(settings, &made->settings, error);
    if (status == OUTBOX_OK)
        status = try_options(made, error);
    if (status == OUTBOX_OK && !start_threads(made))
        status = outbox_fail(error, OUTBOX_INTERNAL, "EAGAIN",
                             "open the publisher: no thread or no memory for it");
    if (status == OUTBOX_OK)
        *publisher = made;
    else
        free_publisher(made);
    return status;
}

static void nats_close(struct outbox_publisher *publisher)
{
    /* The warden is the last to go: it frees a courier that the library holds. */
    stop_couriers(publisher, publisher->settings->connections);
    if (publisher->settings->addresses.is_tls)
        warden_stop(&publisher->warden);
    /* The library cannot be interrupted while it connects, only waited for. */
    attempts_wait(publisher->settings, CLOSE_PATIENCE);
    free_publisher(publisher);
}

/* ---- Publishing --------------------------------------------------------------------------- */

static struct courier *least_busy(struct outbox_publisher *publisher)
{
    struct courier *chosen = &publisher->couriers[0];
    unsigned count = publisher->settings->connections;
    uint64_t least = count > 1 ? courier_load(chosen) : 0;
    for (unsigned i = 1; i < count && least > 0; i++) {
        uint64_t load = courier_load(&publisher->couriers[i]);
        if (load < least) {
            least = load;
            chosen = &publisher->couriers[i];
        }
    }
    return chosen;
}

static enum outbox_status nats_publish(struct outbox_publisher *publisher,
                                       const struct outbox_batch *batch, struct outbox_error *error)
{
    return courier_publish(least_busy(publisher), batch)
               ? OUTBOX_OK
               : outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "send to NATS: out of memory");
}

static enum outbox_status nats_flush(struct outbox_publisher *publisher, int64_t deadline,
                                     struct outbox_error *error)
{
    for (unsigned i = 0; i < publisher->settings->connections; i++) {
        if (!courier_wait_idle(&publisher->couriers[i], deadline))
            return outbox_fail(error, OUTBOX_TIMEOUT, "",
                               "send to NATS: some events are not acknowledged yet");
    }
    return OUTBOX_OK;
}

static void nats_cancel(struct outbox_publisher *publisher, const struct outbox_batch *batch)
{
    for (unsigned i = 0; i < publisher->settings->connections; i++) {
        if (courier_cancel(&publisher->couriers[i], batch))
            return;
    }
}

/* ---- What the relay sees ------------------------------------------------------------------ */

static const struct outbox_option options[] = {
    {.name = "url",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED | OUTBOX_OPTION_SECRET,
     .help = "The server, nats://USER:PASSWORD@HOST:PORT or, with TLS, tls://...; more servers of "
             "the cluster follow after commas."},
    {.name = "username",
     .type = OUTBOX_OPTION_TEXT,
     .help = "User, where the url does not hold it."},
    {.name = "password",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Password of username."},
    {.name = "token",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Token, where the server asks for one instead of a user."},
    {.name = "nkey_seed",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Seed of the user's NKey, which begins with SU."},
    {.name = "credentials",
     .type = OUTBOX_OPTION_TEXT,
     .help = "File with the user's JWT and seed (a .creds file)."},
    {.name = "tls_ca",
     .type = OUTBOX_OPTION_TEXT,
     .help = "PEM file of the authorities that are trusted; the system's if not set."},
    {.name = "tls_certificate",
     .type = OUTBOX_OPTION_TEXT,
     .help = "PEM file of the relay's own certificate."},
    {.name = "tls_key",
     .type = OUTBOX_OPTION_TEXT,
     .help = "PEM file of the key of tls_certificate."},
    {.name = "name",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "outbox-relay",
     .help = "Name of the connection in the server's logs and reports."},
    {.name = "jetstream",
     .type = OUTBOX_OPTION_BOOL,
     .default_value = "true",
     .help = "Whether a stream has to acknowledge each event. If false, events are delivered once "
             "the server has them, and lost where nobody listens."},
    {.name = "on_missing_stream",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "retry",
     .choices = "retry|reject",
     .help = "What happens to an event whose subject no stream takes."},
    {.name = "window",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "4096",
     .minimum = 1,
     .maximum = SETTINGS_MAX_WINDOW,
     .help = "Messages that may wait for their acknowledgement, for each connection."},
    {.name = "connections",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "1",
     .minimum = 1,
     .maximum = SETTINGS_MAX_CONNECTIONS,
     .help = "Connections that batches are spread over."},
    {.name = "connect_timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "5s",
     .minimum = 100e6,
     .maximum = 300e9,
     .help = "How long making a connection to one server may take."},
    {.name = "ack_timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "0s",
     .minimum = 0,
     .maximum = 3600e9,
     .help = "How long an event may wait for its acknowledgement once it is sent; 0s: as long as "
             "publish.timeout says."},
    {.name = "key_header",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "event-key",
     .help = "Header that carries the key of an event; \"\" for none."},
    {.name = "inbox_prefix",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "_INBOX",
     .help = "Start of the subject that acknowledgements come to; the user needs the right to "
             "subscribe below it."},
};

static const struct outbox_option properties[] = {
    {.name = PROPERTY_MSG_ID,
     .help = "Nats-Msg-Id, by which a stream drops duplicates, instead of the event's id."},
    {.name = PROPERTY_EXPECTED_STREAM, .help = "Stream that has to be the one that takes it."},
    {.name = PROPERTY_EXPECTED_LAST_MSG_ID,
     .help = "Nats-Msg-Id that the stream's last message has to have."},
    {.name = PROPERTY_EXPECTED_LAST_SEQUENCE,
     .help = "Sequence that the stream's last message has to have."},
    {.name = PROPERTY_EXPECTED_LAST_SUBJECT_SEQUENCE,
     .help = "Sequence that the last message of this subject has to have."},
    {.name = PROPERTY_ROLLUP,
     .help = "\"sub\" or \"all\": replaces all earlier messages of the subject or of the stream."},
};

static const struct outbox_publisher_ops ops = {
    OUTBOX_OPS(outbox_publisher_ops),
    .open = nats_open,
    .close = nats_close,
    .publish = nats_publish,
    .flush = nats_flush,
    .cancel = nats_cancel,
    .ping = nats_ping,
    .check = nats_check,
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "nats", .version = DRIVER_VERSION,
              .description = "Publishes events to NATS JetStream, or to core NATS",
              .capabilities = OUTBOX_PUBLISHER_ATTRIBUTES, .publisher = &ops,
              OUTBOX_OPTIONS(options), OUTBOX_PROPERTIES(properties));
