/*
 * export_request.h - one POST to a collector, sent beside others by the exporter's thread
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_EXPORT_REQUEST_H
#define CORE_TELEMETRY_EXPORT_REQUEST_H

#include "curl_library.h"
#include "export_answer.h"
#include "export_body.h"
#include "settings.h"

/* Of an answer no more is read. */
#define ANSWER_BYTES ((size_t)64 * 1024)

/* Used again and again, as is its connection. */
struct export_request {
    const struct curl_library *curl;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    struct byte_buffer answer;
    char problem[CURL_ERROR_SIZE];
};

/* `context` is found again in what libcurl has finished: CURLINFO_PRIVATE. False if memory ran out.
 */
bool request_init(struct export_request *request, const struct curl_library *curl, CURLM *multi,
                  const struct signal_settings *settings, void *context)
    __attribute__((warn_unused_result));
void request_clear(struct export_request *request);

/* Begins to send; the body stays where it is until request_end(). */
bool request_begin(struct export_request *request, const struct export_body *body)
    __attribute__((warn_unused_result));

/* After libcurl has finished with `code`, or to stop it. What is told in *answer holds until the
 * next request begins. Returns how long the collector asks to be left alone, in nanoseconds. */
int64_t request_end(struct export_request *request, CURLcode code, struct export_answer *answer);

#endif
