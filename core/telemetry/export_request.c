/*
 * export_request.c - one POST to a collector, sent beside others by the exporter's thread
 * SPDX-License-Identifier: MIT
 */
#include "export_request.h"

#include "../clock.h"

#include <stdio.h>
#include <string.h>

#define HEADER_TEXT 8192
#define BUFFER_BYTES 16384L /* libcurl's own of 64 KiB is for downloads */
#define HELD_BACK_MOST 86400

/* More than fits ends the transfer: nothing in it can matter. */
static size_t keep_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct export_request *request = context;
    size_t length = size * count;

    if (length > ANSWER_BYTES - request->answer.length)
        return 0;
    buffer_add(&request->answer, bytes, length);
    return request->answer.failed ? 0 : length;
}

static bool add_header(struct export_request *request, const char *line)
{
    struct curl_slist *longer = request->curl->slist_append(request->headers, line);
    if (longer)
        request->headers = longer;
    return longer;
}

/* An empty value is written with a semicolon, or libcurl would take the header out. */
static bool add_headers(struct export_request *request, const struct signal_settings *settings)
{
    bool added = add_header(request, settings->is_json ? "Content-Type: application/json"
                                                       : "Content-Type: application/x-protobuf") &&
                 add_header(request, "Expect:");
    char line[HEADER_TEXT];

    if (settings->is_gzip)
        added = added && add_header(request, "Content-Encoding: gzip");
    for (uint64_t i = 0; added && i < settings->header_count; i++) {
        const struct outbox_pair *pair = &settings->headers[i];
        if (pair->value.len == 0)
            (void)snprintf(line, sizeof(line), "%s;", pair->name.data);
        else
            (void)snprintf(line, sizeof(line), "%s: %s", pair->name.data, pair->value.data);
        added = add_header(request, line);
    }
    explicit_bzero(line, sizeof(line));
    return added;
}

/* Only an unknown option or a lack of memory could make these fail. */
static bool set_options(struct export_request *request, const struct signal_settings *settings,
                        void *context)
{
    __typeof__(request->curl->easy_setopt) set = request->curl->easy_setopt;
    CURL *easy = request->easy;

    bool failed = set(easy, CURLOPT_URL, settings->endpoint) || set(easy, CURLOPT_POST, 1L) ||
                  set(easy, CURLOPT_PROTOCOLS_STR, "http,https") ||
                  set(easy, CURLOPT_HTTPHEADER, request->headers) ||
                  set(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
                  set(easy, CURLOPT_USERAGENT, "outbox-relay/" OUTBOX_VERSION) ||
                  set(easy, CURLOPT_FOLLOWLOCATION, 0L) || set(easy, CURLOPT_NOSIGNAL, 1L) ||
                  set(easy, CURLOPT_QUICK_EXIT, 1L) ||
                  set(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES) ||
                  set(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES) ||
                  set(easy, CURLOPT_ERRORBUFFER, request->problem) ||
                  set(easy, CURLOPT_WRITEFUNCTION, keep_answer) ||
                  set(easy, CURLOPT_WRITEDATA, request) || set(easy, CURLOPT_PRIVATE, context);
    if (settings->certificate)
        failed = failed || set(easy, CURLOPT_CAINFO, settings->certificate) ||
                 set(easy, CURLOPT_CAPATH, NULL);
    /* Without a password for its key one would be asked for at the terminal, and waited for. */
    if (settings->client_certificate)
        failed = failed || set(easy, CURLOPT_SSLCERT, settings->client_certificate) ||
                 set(easy, CURLOPT_KEYPASSWD, "");
    if (settings->client_key)
        failed = failed || set(easy, CURLOPT_SSLKEY, settings->client_key);
    return !failed;
}

bool request_init(struct export_request *request, const struct curl_library *curl, CURLM *multi,
                  const struct signal_settings *settings, void *context)
{
    *request = (struct export_request){.curl = curl, .multi = multi, .easy = curl->easy_init()};
    if (!request->easy)
        return false;
    if (add_headers(request, settings) && set_options(request, settings, context))
        return true;
    request_clear(request);
    return false;
}

void request_clear(struct export_request *request)
{
    if (request->easy)
        request->curl->easy_cleanup(request->easy);
    if (request->headers)
        request->curl->slist_free_all(request->headers);
    buffer_clear(&request->answer);
    *request = (struct export_request){0};
}

bool request_begin(struct export_request *request, const struct export_body *body)
{
    const struct curl_library *curl = request->curl;

    buffer_clear(&request->answer);
    *request->problem = '\0';
    return curl->easy_setopt(request->easy, CURLOPT_POSTFIELDS, body->bytes.bytes) == CURLE_OK &&
           curl->easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t)body->bytes.length) == CURLE_OK &&
           curl->multi_add_handle(request->multi, request->easy) == CURLM_OK;
}

int64_t request_end(struct export_request *request, CURLcode code, struct export_answer *answer)
{
    const struct curl_library *curl = request->curl;
    curl_off_t held_back = 0;
    char *type = NULL;
    long status = 0;

    (void)curl->multi_remove_handle(request->multi, request->easy);
    (void)curl->easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl->easy_getinfo(request->easy, CURLINFO_CONTENT_TYPE, &type);
    (void)curl->easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &held_back);
    /* Too long an answer is an answer: its status stands. */
    bool is_answer = code == CURLE_OK || (code == CURLE_WRITE_ERROR && status > 0);
    *answer = (struct export_answer){
        .status = is_answer ? status : 0,
        .problem = *request->problem ? request->problem : curl->easy_strerror(code),
        .type = type,
        .body = request->answer.bytes,
        .length = is_answer ? request->answer.length : 0,
    };
    if (!is_answer || held_back <= 0)
        return 0;
    return (held_back < HELD_BACK_MOST ? held_back : HELD_BACK_MOST) * SECOND;
}
