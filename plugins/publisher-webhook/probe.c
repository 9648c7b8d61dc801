/*
 * probe.c - reaches the receiver without sending it an event
 * SPDX-License-Identifier: MIT
 */
#include "probe.h"

#include "answer.h"
#include "connection.h"
#include "header.h"
#include "printable.h"
#include "verdict.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define MILLISECOND INT64_C(1000000)
#define EXPIRES_SOON (14 * 24 * 3600) /* seconds */
#define PING_ID "ping"

struct probe {
    struct receiver *receiver;
    CURL *easy;
    struct curl_slist *headers;
    char *url;
    char trouble[CURL_ERROR_SIZE];
    struct answer answer;
    bool was_private;
};

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct probe *probe = context;
    size_t len = size * count;
    return answer_header(&probe->answer, (struct outbox_slice){data, len}) ? len : 0;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct probe *probe = context;
    size_t len = size * count;
    return answer_body(&probe->answer, (struct outbox_slice){data, len}) ? len : len + 1;
}

/* ---- The request -------------------------------------------------------------------------- */

static bool add_header(struct probe *probe, const char *line)
{
    struct curl_slist *longer = curl_slist_append(probe->headers, line);
    if (longer)
        probe->headers = longer;
    return longer != NULL;
}

/* A receiver that lets nothing in without a signature gets one, of an empty payload. */
static bool add_signature(struct probe *probe)
{
    const struct settings *settings = probe->receiver->settings;
    const struct outbox_slice nothing = {"", 0};
    char timestamp[24], line[SIGNATURE_MAX_SECRETS * SIGNATURE_SIZE + 32];
    struct signer signer;
    if (settings->secrets.count == 0)
        return true;
    if (!signer_init(&signer, &settings->secrets))
        return false;
    (void)snprintf(timestamp, sizeof(timestamp), "%lld", (long long)time(NULL));
    int start = snprintf(line, sizeof(line), "webhook-signature: ");
    uint64_t len = signer_sign(&signer, outbox_slice_of(PING_ID), timestamp, nothing, line + start);
    line[(uint64_t)start + len] = '\0';
    signer_clear(&signer);
    bool is_added = len > 0 && add_header(probe, "webhook-id: " PING_ID) && add_header(probe, line);
    (void)snprintf(line, sizeof(line), "webhook-timestamp: %s", timestamp);
    return is_added && add_header(probe, line);
}

static bool add_headers(struct probe *probe)
{
    const struct settings *settings = probe->receiver->settings;
    if (settings->authorization && !add_header(probe, settings->authorization))
        return false;
    for (uint64_t i = 0; i < settings->header_count; i++) {
        if (!add_header(probe, settings->headers[i].text))
            return false;
    }
    return add_signature(probe);
}

/* Where a topic goes into the URL there is none to ask for: what stands before it will do. */
static bool set_url(struct probe *probe)
{
    const struct receiver_url *url = &probe->receiver->settings->url;
    size_t len = url->topic_at == UINT64_MAX ? strlen(url->text) : (size_t)url->topic_at;
    probe->url = strndup(url->text, len);
    return probe->url && curl_easy_setopt(probe->easy, CURLOPT_URL, probe->url) == CURLE_OK;
}

static bool set_up(struct probe *probe, int64_t deadline)
{
    const struct settings *settings = probe->receiver->settings;
    const struct outbox_host *host = probe->receiver->host;
    int64_t left = (deadline - host->now(host)) / MILLISECOND;
    CURL *easy = probe->easy;
    bool is_set = connection_set(easy, settings);
    is_set &= connection_set_certificate(easy, settings, true);
    is_set &=
        connection_set_refusal(easy, settings, settings->refuses_private, &probe->was_private);
    is_set &= set_url(probe) && add_headers(probe);
    is_set &= curl_easy_setopt(easy, CURLOPT_USERAGENT, "outbox-relay/" DRIVER_VERSION) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, probe->trouble) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_HEADERDATA, probe) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, probe) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, probe->headers) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? left : 1)) == CURLE_OK;
    if (settings->ping == PING_CONNECT)
        is_set &= curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK;
    else
        is_set &= curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (settings->ping == PING_OPTIONS)
        is_set &= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "OPTIONS") == CURLE_OK;
    return is_set;
}

static void probe_end(struct probe *probe)
{
    curl_easy_cleanup(probe->easy);
    curl_slist_free_all(probe->headers);
    free(probe->url);
}

/* ---- What came of it ---------------------------------------------------------------------- */

static bool is_denied(const struct receiver *receiver, long status)
{
    /* Some ask for nothing but what is no event; only where a POST was refused, or credentials are
     * configured, their word counts. */
    return (status == 401 || status == 407) &&
           (receiver->settings->authorization || atomic_load(&receiver->has_denied));
}

static enum outbox_status judge_answer(struct probe *probe, struct outbox_error *error)
{
    struct receiver *receiver = probe->receiver;
    const char *name = receiver->settings->url.name;
    long status = probe->answer.status;
    int64_t wait = answer_wait(&probe->answer);
    if (is_denied(receiver, status))
        return outbox_fail(error, OUTBOX_DENIED, "",
                           "%.200s refuses the credentials: it answered %ld to %s; correct them, "
                           "or, if it takes events all the same, choose another \"ping\"",
                           name, status,
                           receiver->settings->ping == PING_OPTIONS ? "OPTIONS" : "HEAD");
    if ((status == 429 || status == 503) && wait >= 0) {
        receiver_ask_wait(receiver, wait);
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "",
                           "%.200s answered %ld and asks to wait %lld s", name, status,
                           (long long)wait);
    }
    /* What a proxy says whose application is away. */
    if (status == 502 || status == 503 || status == 504)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "", "%.200s answered %ld", name, status);
    return OUTBOX_OK;
}

static enum outbox_status judge(struct probe *probe, CURLcode code, struct outbox_error *error)
{
    const char *name = probe->receiver->settings->url.name;
    if (probe->answer.is_complete)
        return judge_answer(probe, error);
    if (code == CURLE_OK)
        return OUTBOX_OK; /* only connected */
    if (probe->was_private)
        return outbox_fail(error, OUTBOX_DENIED, "",
                           "%.200s is at a private address, which \"private_addresses\" refuses",
                           name);
    return outbox_fail(error, OUTBOX_UNAVAILABLE, "", "%.200s cannot be reached: %.200s", name,
                       verdict_trouble(code, probe->trouble));
}

static enum outbox_status reach(struct probe *probe, struct receiver *receiver, int64_t deadline,
                                struct outbox_error *error)
{
    *probe = (struct probe){.receiver = receiver, .easy = curl_easy_init()};
    answer_init(&probe->answer);
    if (!probe->easy || !set_up(probe, deadline))
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "ping %.200s: out of memory",
                           receiver->settings->url.name);
    return judge(probe, curl_easy_perform(probe->easy), error);
}

enum outbox_status probe_ping(struct receiver *receiver, int64_t deadline,
                              struct outbox_error *error)
{
    struct probe probe;
    char reason[256];
    if (receiver_is_waiting(receiver, reason, sizeof(reason)))
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "", "%s", reason);
    enum outbox_status status = reach(&probe, receiver, deadline, error);
    probe_end(&probe);
    return status;
}

/* ---- Findings ----------------------------------------------------------------------------- */

/* When the receiver's certificate ends; -1 if that is not known. */
static time_t expiry_of(const struct probe *probe)
{
    static const char key[] = "Expire date:";
    struct curl_certinfo *info = NULL;
    if (curl_easy_getinfo(probe->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
        info->num_of_certs < 1)
        return -1;
    for (const struct curl_slist *entry = info->certinfo[0]; entry; entry = entry->next) {
        if (strncmp(entry->data, key, strlen(key)) == 0)
            return curl_getdate(entry->data + strlen(key), NULL);
    }
    return -1;
}

static void report_expiry(const struct probe *probe, outbox_check_line *line, void *context)
{
    char text[400];
    time_t expiry = expiry_of(probe), now = time(NULL);
    if (expiry == -1 || expiry - now > EXPIRES_SOON)
        return;
    (void)snprintf(text, sizeof(text),
                   "the certificate of %.200s ends in %lld hours: after that nothing is delivered",
                   probe->receiver->settings->url.name, (long long)(expiry - now) / 3600);
    line(context, OUTBOX_LOG_WARN, text);
}

static void report_plain(const struct settings *settings, outbox_check_line *line, void *context)
{
    char text[400];
    if (settings->url.is_https || settings->url.is_loopback)
        return;
    (void)snprintf(
        text, sizeof(text),
        "%.200s is reached without TLS: anybody on the way can read and change events%s; "
        "use https://",
        settings->url.name, settings->authorization ? ", and the credentials" : "");
    line(context, OUTBOX_LOG_WARN, text);
}

/* What `route.properties` says before there is an event. */
static void report_destination(const struct settings *settings,
                               const struct outbox_message *destination, outbox_check_line *line,
                               void *context)
{
    char text[400], shown[200];
    for (uint64_t i = 0; i < destination->property_count; i++) {
        const struct outbox_pair *property = &destination->properties[i];
        if (!header_is(property->name, "url"))
            continue;
        const char *why = "\"event_urls\" is off, so every event would be refused";
        char *url = strndup(property->value.data ? property->value.data : "", property->value.len);
        char *origin = url && settings->event_urls ? url_origin(url, &why) : NULL;
        if (!origin && url && why) {
            (void)snprintf(text, sizeof(text), "route.properties, \"url\": %s", why);
            line(context, OUTBOX_LOG_ERROR, text);
        } else if (origin && strncmp(origin, "http:", 5) == 0) {
            (void)printable_write(shown, sizeof(shown), outbox_slice_of(origin));
            (void)snprintf(text, sizeof(text),
                           "route.properties, \"url\": %s is reached without TLS", shown);
            line(context, OUTBOX_LOG_WARN, text);
        }
        free(origin);
        free(url);
    }
}

enum outbox_status probe_check(struct receiver *receiver,
                               const struct outbox_publisher_check *check, int64_t deadline,
                               outbox_check_line *line, void *context, struct outbox_error *error)
{
    const struct settings *settings = receiver->settings;
    struct probe probe;
    report_plain(settings, line, context);
    for (uint64_t i = 0; i < check->destination_count; i++) {
        const char *at = (const char *)check->destinations + i * check->destination_size;
        report_destination(settings, (const struct outbox_message *)(const void *)at, line,
                           context);
    }
    if (!settings->url.is_https)
        return OUTBOX_OK;
    enum outbox_status status = reach(&probe, receiver, deadline, error);
    if (status == OUTBOX_OK)
        report_expiry(&probe, line, context);
    probe_end(&probe);
    return status;
}
