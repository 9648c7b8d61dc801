/*
 * inquiry.c - questions to the broker, on a channel of their own
 * SPDX-License-Identifier: MIT
 */
#include "link.h"

bool inquiry_is_wanted(struct link *link)
{
    (void)pthread_mutex_lock(&link->mutex);
    bool is_wanted = link->inquiry.state == INQUIRY_WANTED;
    (void)pthread_mutex_unlock(&link->mutex);
    return is_wanted;
}

static void answer(struct link *link, enum outbox_status status, uint16_t code, const char *text,
                   size_t len)
{
    struct inquiry *inquiry = &link->inquiry;
    (void)pthread_mutex_lock(&link->mutex);
    if (inquiry->state == INQUIRY_WANTED || inquiry->state == INQUIRY_RUNNING) {
        inquiry->answer = (struct answer){.status = status, .code = code};
        (void)snprintf(inquiry->answer.text, sizeof(inquiry->answer.text), "%.*s", (int)len, text);
        (void)snprintf(inquiry->answer.version, sizeof(inquiry->answer.version), "%s",
                       link->version);
        inquiry->state = inquiry->is_abandoned ? INQUIRY_FREE : INQUIRY_DONE;
        (void)pthread_cond_broadcast(&link->answered);
    }
    (void)pthread_mutex_unlock(&link->mutex);
}

void inquiry_fail(struct link *link, enum outbox_status status, const char *text)
{
    answer(link, status, 0, text, strlen(text));
}

static void open_channel(struct link *link)
{
    amqp_channel_open_t open = {0};
    wire_method(&link->wire, CHANNEL_QUESTIONS, AMQP_CHANNEL_OPEN_METHOD, &open);
    link->inquiry.stage = STAGE_OPENING;
}

static void close_channel(struct link *link)
{
    amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS};
    wire_method(&link->wire, CHANNEL_QUESTIONS, AMQP_CHANNEL_CLOSE_METHOD, &close);
    link->inquiry.stage = STAGE_CLOSING;
}

/* A message that the broker refuses for what it looks at last, a user that is not ours and an
 * expiration that is no number. Where the right to write or the exchange is missing, it refuses for
 * that. Should it take the message after all, the answer to the method that follows tells. */
static void ask_right(struct link *link)
{
    const struct question *question = &link->inquiry.running;
    amqp_basic_publish_t publish = {.exchange = amqp_of(question->exchange),
                                    .routing_key = amqp_of(question->key)};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_USER_ID_FLAG,
        .expiration = amqp_cstring_bytes("never"),
        .user_id = amqp_cstring_bytes("outbox-relay asks, and sends nothing")};
    amqp_basic_qos_t qos = {0};
    if (!wire_publish(&link->wire, CHANNEL_QUESTIONS, &publish, &properties,
                      (struct outbox_slice){"", 0}))
        return;
    wire_method(&link->wire, CHANNEL_QUESTIONS, AMQP_BASIC_QOS_METHOD, &qos);
    link->inquiry.stage = STAGE_ASKED;
}

static void ask_queue(struct link *link)
{
    amqp_queue_declare_t declare = {.queue = amqp_of(link->inquiry.running.key), .passive = 1};
    wire_method(&link->wire, CHANNEL_QUESTIONS, AMQP_QUEUE_DECLARE_METHOD, &declare);
    link->inquiry.stage = STAGE_ASKED;
}

/* Under the mutex. The thread has a copy: who asked may give up, and somebody else ask meanwhile.
 */
static void start(struct inquiry *inquiry)
{
    inquiry->state = INQUIRY_RUNNING;
    inquiry->running = inquiry->question;
    memcpy(inquiry->running_exchange, inquiry->exchange, inquiry->question.exchange.len);
    memcpy(inquiry->running_key, inquiry->key, inquiry->question.key.len);
    inquiry->running.exchange.data = inquiry->running_exchange;
    inquiry->running.key.data = inquiry->running_key;
}

void inquiry_run(struct link *link)
{
    struct inquiry *inquiry = &link->inquiry;
    if (inquiry->stage == STAGE_CLOSED) {
        (void)pthread_mutex_lock(&link->mutex);
        bool is_wanted = inquiry->state == INQUIRY_WANTED;
        if (is_wanted)
            start(inquiry);
        (void)pthread_mutex_unlock(&link->mutex);
        if (is_wanted)
            open_channel(link);
    } else if (inquiry->stage == STAGE_OPEN && wire_has_room(&link->wire)) {
        if (inquiry->running.kind == QUESTION_RIGHT)
            ask_right(link);
        else
            ask_queue(link);
    }
}

void inquiry_take_method(struct link *link, const amqp_method_t *method)
{
    struct inquiry *inquiry = &link->inquiry;
    switch (method->id) {
    case AMQP_CHANNEL_OPEN_OK_METHOD:
        inquiry->stage = STAGE_OPEN;
        if (inquiry->running.kind != QUESTION_PING)
            return;
        answer(link, OUTBOX_OK, 0, "", 0);
        close_channel(link);
        return;
    case AMQP_BASIC_QOS_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
        answer(link, OUTBOX_OK, 0, "", 0);
        close_channel(link);
        return;
    case AMQP_CHANNEL_CLOSE_METHOD: {
        const amqp_channel_close_t *close = method->decoded;
        amqp_channel_close_ok_t close_ok = {0};
        answer(link, OUTBOX_OK, close->reply_code, close->reply_text.bytes, close->reply_text.len);
        wire_method(&link->wire, CHANNEL_QUESTIONS, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
        inquiry->stage = STAGE_CLOSED;
        return;
    }
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
        inquiry->stage = STAGE_CLOSED;
        return;
    default:
        return;
    }
}
