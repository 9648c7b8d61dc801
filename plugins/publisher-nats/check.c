/*
 * check.c - what would fail later, asked before there is an event
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include "library.h"
#include "properties.h"
#include "subject.h"

#define LONGEST_ANSWER (2 * SECOND)

struct inquiry {
    const struct outbox_host *host;
    const struct outbox_publisher_check *check;
    int64_t deadline;
    outbox_check_line *line;
    void *context;
    jsCtx *stream_api;
};

OUTBOX_PRINTF(3, 4)
static void find(const struct inquiry *inquiry, uint32_t level, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    inquiry->line(inquiry->context, level, text);
}

/* What the API is asked with; it waits for no longer than there is time. */
static void init_options(const struct inquiry *inquiry, jsOptions *options)
{
    int64_t left = inquiry->deadline - inquiry->host->now(inquiry->host);
    left = left < LONGEST_ANSWER ? left : LONGEST_ANSWER;
    (void)jsOptions_Init(options);
    options->Wait = left > MILLISECOND ? left / MILLISECOND : 1;
}

/* Not being allowed to ask is no fault: publishing needs no right to the API. */
static void could_not_ask(const struct inquiry *inquiry, natsStatus status, const char *what)
{
    char reason[200];
    library_reason((int)status, reason, sizeof(reason));
    find(inquiry, OUTBOX_LOG_WARN,
         "ask the server about %.150s: %s; the user may lack the right to publish to $JS.API.>",
         what, reason);
}

static void check_stream(const struct inquiry *inquiry, const char *subject, const char *name)
{
    jsOptions options;
    jsStreamInfo *info = NULL;
    jsErrCode code = 0;
    init_options(inquiry, &options);
    natsStatus status = js_GetStreamInfo(&info, inquiry->stream_api, name, &options, &code);
    if (status != NATS_OK) {
        could_not_ask(inquiry, status, name);
        return;
    }
    const jsStreamConfig *config = info->Config;
    if (config->MaxMsgSize > 0 && (uint64_t)config->MaxMsgSize < inquiry->check->max_payload)
        find(inquiry, OUTBOX_LOG_WARN,
             "stream %s, which takes subject %s: max_msg_size is %d bytes, and events may have "
             "%llu; "
             "larger ones will be DEAD: raise it, or lower publish.max_payload",
             name, subject, (int)config->MaxMsgSize,
             (unsigned long long)inquiry->check->max_payload);
    if (config->NoAck)
        find(inquiry, OUTBOX_LOG_ERROR,
             "stream %s, which takes subject %s: it acknowledges nothing (no_ack), so no event is "
             "ever delivered; change that",
             name, subject);
    if (config->Sealed)
        find(inquiry, OUTBOX_LOG_ERROR, "stream %s, which takes subject %s: it is sealed", name,
             subject);
    jsStreamInfo_Destroy(info);
}

static void check_subject(const struct inquiry *inquiry, const struct outbox_message *destination)
{
    char subject[SUBJECT_MAX_LEN + 1];
    struct outbox_slice topic = destination->topic;
    const char *why = subject_trouble(topic);
    if (!why && subject_is_reserved(topic))
        why = "is reserved for requests to the server";
    if (why) {
        find(inquiry, OUTBOX_LOG_ERROR, "subject \"%.*s\": it %s; change route.topic",
             (int)(topic.len < 200 ? topic.len : 200), topic.data ? topic.data : "", why);
        return;
    }
    if (!inquiry->stream_api)
        return;
    memcpy(subject, topic.data, topic.len);
    subject[topic.len] = '\0';
    jsOptions options;
    jsStreamNamesList *names = NULL;
    jsErrCode code = 0;
    init_options(inquiry, &options);
    options.Stream.Info.SubjectsFilter = subject;
    natsStatus status = js_StreamNames(&names, inquiry->stream_api, &options, &code);
    if (status == NATS_OK && names && names->Count > 0)
        check_stream(inquiry, subject, names->List[0]);
    else if (status == NATS_OK || status == NATS_NOT_FOUND)
        find(inquiry, OUTBOX_LOG_ERROR,
             "subject %.200s: no stream takes it; make one: nats stream add --subjects %.100s",
             subject, subject);
    else
        could_not_ask(inquiry, status, subject);
    jsStreamNamesList_Destroy(names);
}

static void check_properties(const struct inquiry *inquiry,
                             const struct outbox_message *destination, bool jetstream)
{
    for (uint64_t i = 0; i < destination->property_count; i++) {
        const struct outbox_pair *given = &destination->properties[i];
        const struct property *property = property_find(given->name);
        /* The value may be a template's that depends on the event, and then is absent here. */
        const char *why = property && given->value.len > 0
                              ? property_trouble(property, given->value, jetstream)
                              : NULL;
        if (why)
            find(inquiry, OUTBOX_LOG_ERROR, "route.properties.%s: it %s", property->name, why);
    }
}

static bool has_jetstream(const struct inquiry *inquiry)
{
    jsOptions options;
    jsAccountInfo *info = NULL;
    jsErrCode code = 0;
    init_options(inquiry, &options);
    natsStatus status = js_GetAccountInfo(&info, inquiry->stream_api, &options, &code);
    jsAccountInfo_Destroy(info);
    if (status == NATS_OK)
        return true;
    if (code == JSNotEnabledForAccountErr || code == JSNotEnabledErr ||
        status == NATS_NO_RESPONDERS) {
        find(inquiry, OUTBOX_LOG_ERROR,
             "JetStream is not enabled for this account on this server; enable it, or set "
             "\"jetstream\": false and read what that gives up");
        return false;
    }
    could_not_ask(inquiry, status, "JetStream");
    return status != NATS_TIMEOUT;
}

static void look(struct inquiry *inquiry, const struct settings *settings, const struct link *link)
{
    uint64_t most = link->max_message, wanted = inquiry->check->max_payload;
    if (most > 0 && most < wanted)
        find(inquiry, OUTBOX_LOG_WARN,
             "the server at %s takes messages of %llu bytes, headers included (max_payload), and "
             "events may have %llu; larger ones will be DEAD: raise it, or lower "
             "publish.max_payload",
             link->place, (unsigned long long)most, (unsigned long long)wanted);
    if (inquiry->stream_api && !has_jetstream(inquiry)) {
        jsCtx_Destroy(inquiry->stream_api);
        inquiry->stream_api = NULL;
    }
    for (uint64_t i = 0; i < inquiry->check->destination_count; i++) {
        const struct outbox_message *destination =
            (const struct outbox_message *)(const void *)((const char *)
                                                              inquiry->check->destinations +
                                                          i * inquiry->check->destination_size);
        check_subject(inquiry, destination);
        check_properties(inquiry, destination, settings->jetstream);
    }
}

enum outbox_status nats_check(struct outbox_publisher *publisher,
                              const struct outbox_publisher_check *check, int64_t deadline,
                              outbox_check_line *line, void *context, struct outbox_error *error)
{
    enum outbox_status status;
    struct inquiry inquiry = {.host = publisher->host,
                              .check = check,
                              .deadline = deadline,
                              .line = line,
                              .context = context};
    struct link *link = courier_link(&publisher->couriers[0], deadline, &status, error);
    if (!link)
        return status;
    natsStatus made = NATS_OK;
    if (publisher->settings->jetstream)
        made = natsConnection_JetStream(&inquiry.stream_api, link->connection, NULL);
    if (made == NATS_OK)
        look(&inquiry, publisher->settings, link);
    else
        status = outbox_fail(error, OUTBOX_INTERNAL, "", "ask %s about JetStream: %s", link->place,
                             natsStatus_GetText(made));
    jsCtx_Destroy(inquiry.stream_api);
    link_release(link);
    return status;
}
