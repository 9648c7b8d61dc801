/*
 * export_log.c - what the log says of exports: once, and then from time to time
 * SPDX-License-Identifier: MIT
 */
#include "export_log.h"

#include "../clock.h"
#include "../log.h"
#include "endpoint.h"

#define EVERY (60 * SECOND)

const char *signal_name(enum signal id)
{
    static const char *const names[SIGNAL_COUNT] = {
        [SIGNAL_METRICS] = "metrics", [SIGNAL_TRACES] = "traces", [SIGNAL_LOGS] = "logs"};
    return names[id];
}

/* A time of 0: never yet. */
static bool is_early(int64_t logged_at, int64_t now)
{
    return logged_at > 0 && now - logged_at < EVERY;
}

static const char *remedy_of(const struct export_answer *answer)
{
    if (answer->status == 0)
        return "is the collector up, and the endpoint its address for OTLP over HTTP?";
    if (answer->status >= 300 && answer->status < 400)
        return "redirects are not followed: write the address that it leads to as the endpoint";
    if (answer->status == 401 || answer->status == 403)
        return "does the collector want other headers, or a client certificate?";
    if (answer->status == 404 || answer->status == 405)
        return "is the endpoint right? A signal's own endpoint is taken as it is, with no path "
               "added";
    return "the collector's log may say more";
}

void export_log_answer(struct export_signal *signal, enum export_verdict verdict,
                       const struct export_answer *answer, uint64_t rejected, const char *text,
                       int64_t now)
{
    bool is_bad = verdict != EXPORT_TAKEN || rejected > 0;
    char endpoint[ENDPOINT_TEXT];

    if (!is_bad) {
        if (signal->is_told)
            log_line(OUTBOX_LOG_INFO, "telemetry is exported again",
                     FIELD("signal", signal_name(signal->id)));
        signal->is_told = false;
        return;
    }
    if (is_early(signal->logged_at, now))
        return;
    signal->is_told = true;
    signal->logged_at = now;
    if (verdict == EXPORT_TAKEN)
        log_line(OUTBOX_LOG_WARN, "the collector rejected a part of the telemetry",
                 FIELD("signal", signal_name(signal->id)), FIELD_NUMBER("rejected", rejected),
                 FIELD("error", text));
    else
        log_line(OUTBOX_LOG_WARN,
                 verdict == EXPORT_RETRY ? "telemetry cannot be exported for now"
                                         : "the collector refused the telemetry",
                 FIELD("signal", signal_name(signal->id)),
                 FIELD("endpoint", endpoint_shown(signal->settings->endpoint, endpoint)),
                 FIELD_NUMBER("status", answer->status), FIELD("error", text),
                 FIELD("remedy", remedy_of(answer)));
}

void export_log_drops(struct export_signal *signal, uint64_t dropped, int64_t now)
{
    if (dropped == signal->logged_drops || is_early(signal->drops_logged_at, now))
        return;
    log_line(OUTBOX_LOG_WARN, "telemetry was dropped: it was not taken, or not in time",
             FIELD("signal", signal_name(signal->id)),
             FIELD_NUMBER("dropped", dropped - signal->logged_drops));
    signal->logged_drops = dropped;
    signal->drops_logged_at = now;
}
