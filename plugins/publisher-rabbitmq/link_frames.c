/*
 * link_frames.c - what the broker says: confirms, returned messages, closed channels, its state
 * SPDX-License-Identifier: MIT
 */
#include "link.h"

#define BAD_FOR INT64_C(1000000000) /* how long a refusing exchange is left alone */
#define SHOWN 100                   /* bytes of a name in a reason */

static int shown(struct outbox_slice name)
{
    return (int)(name.len < SHOWN ? name.len : SHOWN);
}

static struct outbox_slice exchange_of(const struct link *link, struct item item)
{
    return parcel_exchange(item_message(item), link->settings);
}

/* ---- Confirms ----------------------------------------------------------------------------- */

struct confirm {
    struct link *link;
    bool is_nack;
};

static void write_unroutable(char *reason, size_t size, struct outbox_slice exchange,
                             struct outbox_slice key)
{
    if (exchange.len == 0)
        (void)snprintf(reason, size,
                       "unroutable (312 NO_ROUTE): there is no queue \"%.*s\" for the default "
                       "exchange; declare it: rabbitmqadmin declare queue name=%.*s durable=true",
                       shown(key), key.data, shown(key), key.data);
    else
        (void)snprintf(
            reason, size,
            "unroutable (312 NO_ROUTE): exchange \"%.*s\" has no queue bound for routing "
            "key \"%.*s\"; bind one: rabbitmqadmin declare binding source=%.*s "
            "destination=QUEUE routing_key=%.*s",
            shown(exchange), exchange.data, shown(key), key.data, shown(exchange), exchange.data,
            shown(key), key.data);
}

static void take_confirmed(void *context, const struct sent *sent)
{
    const struct confirm *confirm = context;
    struct link *link = confirm->link;
    struct item item = sent->item;
    char reason[472];
    if (confirm->is_nack) {
        link->host->count(link->host, "nacked", 1);
        report_add(&link->report, item.batch, item.index, link->settings->on_nack,
                   "the broker refused the message (basic.nack): its queue is full "
                   "(x-overflow=reject-publish) or failed");
    } else if (sent->is_returned) {
        link->host->count(link->host, "returned", 1);
        write_unroutable(reason, sizeof(reason), exchange_of(link, item),
                         item_message(item)->topic);
        report_add(&link->report, item.batch, item.index, link->settings->on_unroutable, reason);
    } else {
        report_add(&link->report, item.batch, item.index, OUTBOX_ACKED, NULL);
    }
}

static void take_confirm(struct link *link, struct channel *channel, uint64_t tag, bool multiple,
                         bool is_nack)
{
    struct confirm confirm = {link, is_nack};
    const struct sent *oldest = flight_oldest(&channel->flight);
    /* Whatever becomes of the message: its exchange has taken it. */
    if (channel == &link->probe && oldest) {
        struct exchange *exchange =
            exchanges_find(&link->exchanges, exchange_of(link, oldest->item));
        exchange->state = EXCHANGE_GOOD;
    }
    link->confirmed_at = link->wire.heard;
    flight_confirm(&channel->flight, tag, multiple, take_confirmed, &confirm);
}

static void take_returned(struct channel *channel, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    channel->is_returning = false;
    if (frame->payload.properties.class_id == AMQP_BASIC_CLASS &&
        (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG))
        flight_mark_returned(&channel->flight, amqp_slice(properties->message_id));
}

/* ---- A channel that the broker closes ----------------------------------------------------- */

void link_open_channel(struct link *link, struct channel *channel)
{
    amqp_channel_open_t open = {0};
    amqp_confirm_select_t select = {0};
    channel->is_ready = channel->is_returning = false;
    flight_reset(&channel->flight);
    wire_method(&link->wire, channel->number, AMQP_CHANNEL_OPEN_METHOD, &open);
    wire_method(&link->wire, channel->number, AMQP_CONFIRM_SELECT_METHOD, &select);
}

/* Why the broker closed a channel, and what it means for the message that made it do so. */
struct refusal {
    uint16_t code;
    char text[256];
    enum outbox_outcome outcome;
    char reason[400];
};

static void judge(const struct link *link, const amqp_channel_close_t *close, struct item item,
                  struct refusal *refusal)
{
    struct outbox_slice exchange = exchange_of(link, item);
    size_t size = sizeof(refusal->reason);
    switch (close->reply_code) {
    case AMQP_NOT_FOUND:
        refusal->outcome = link->settings->on_missing_exchange;
        (void)snprintf(
            refusal->reason, size,
            "exchange \"%.*s\" does not exist in vhost \"%.60s\" (404 NOT_FOUND); declare "
            "it: rabbitmqadmin declare exchange name=%.*s type=topic",
            shown(exchange), exchange.data, link->settings->address.vhost, shown(exchange),
            exchange.data);
        return;
    case AMQP_ACCESS_REFUSED:
        refusal->outcome = OUTBOX_RETRY;
        (void)snprintf(refusal->reason, size,
                       "the broker refuses (%.200s); grant the right to write: rabbitmqctl "
                       "set_permissions -p VHOST USER '' '.*' ''",
                       refusal->text);
        return;
    case AMQP_PRECONDITION_FAILED:
    case AMQP_CONTENT_TOO_LARGE:
        refusal->outcome = OUTBOX_REJECTED;
        break;
    default:
        refusal->outcome = OUTBOX_RETRY;
        break;
    }
    (void)snprintf(refusal->reason, size, "the broker refuses the message: %u %.250s",
                   refusal->code, refusal->text);
}

/* A topic that may not be written to says nothing of the exchange as a whole. */
static void remember(struct link *link, struct item item, const struct refusal *refusal)
{
    bool is_exchange = refusal->code == AMQP_NOT_FOUND ||
                       (refusal->code == AMQP_ACCESS_REFUSED && !strstr(refusal->text, "topic '"));
    if (!is_exchange)
        return;
    struct exchange *exchange = exchanges_find(&link->exchanges, exchange_of(link, item));
    exchange_set_bad(exchange, link->wire.heard + BAD_FOR, refusal->outcome, refusal->reason);
}

static void blame(struct link *link, const amqp_channel_close_t *close, struct item item,
                  struct refusal *refusal)
{
    judge(link, close, item, refusal);
    remember(link, item, refusal);
    report_add(&link->report, item.batch, item.index, refusal->outcome, refusal->reason);
}

static bool says(const struct refusal *refusal, const char *before, struct outbox_slice name)
{
    char quoted[300];
    int len = snprintf(quoted, sizeof(quoted), "%s '%.*s'", before, (int)name.len, name.data);
    return len > 0 && (size_t)len < sizeof(quoted) && strstr(refusal->text, quoted) != NULL;
}

/* Whether the broker names the exchange of this message. */
static bool is_named(const struct link *link, struct item item, const struct refusal *refusal)
{
    bool names_one = refusal->code == AMQP_NOT_FOUND ||
                     (refusal->code == AMQP_ACCESS_REFUSED && !strstr(refusal->text, "topic '"));
    return names_one && says(refusal, "exchange", exchange_of(link, item));
}

/* The messages in flight are in doubt, and one of them is the cause. All others are sent once more,
 * with nothing charged. Where the broker does not name the exchange, they go one at a time, so that
 * the cause shows itself. */
static void doubt_all(struct link *link, const amqp_channel_close_t *close, struct refusal *refusal)
{
    struct flight *flight = &link->main.flight;
    struct item *kept = link->again; /* room for the window and the held one */
    uint64_t count = 0, waiting = link->again_count;
    bool is_found = false;
    memmove(link->again + (flight->capacity + 2 - waiting), link->again + link->again_at,
            waiting * sizeof(*link->again));
    for (uint64_t tag = flight->first; tag < flight->next; tag++) {
        struct item item = flight_at(flight, tag)->item;
        if (!item.batch)
            continue;
        if (!is_found && is_named(link, item, refusal)) {
            is_found = true;
            blame(link, close, item, refusal);
        } else {
            kept[count++] = item;
        }
    }
    memmove(kept + count, link->again + (flight->capacity + 2 - waiting), waiting * sizeof(*kept));
    link->again_at = 0;
    link->again_count = count + waiting;
    link->careful = is_found ? 0 : count + (link->held.batch ? 1 : 0);
    link->host->count(link->host, "sent_again", (int64_t)count);
}

static void take_channel_close(struct link *link, struct channel *channel,
                               const amqp_channel_close_t *close)
{
    amqp_channel_close_ok_t close_ok = {0};
    struct refusal refusal = {.code = close->reply_code};
    (void)snprintf(refusal.text, sizeof(refusal.text), "%.*s", (int)close->reply_text.len,
                   (const char *)close->reply_text.bytes);
    wire_drop_body(&link->wire, channel->number);
    /* Messages get their outcome that may not be with the system yet. */
    if (!wire_detach(&link->wire)) {
        (void)snprintf(link->end_reason, sizeof(link->end_reason), "a channel was closed: %s",
                       refusal.text);
        link->is_ended = true;
        return;
    }
    exchanges_doubt(&link->exchanges);
    if (channel == &link->main) {
        doubt_all(link, close, &refusal);
    } else {
        const struct sent *alone = flight_oldest(&channel->flight);
        if (alone)
            blame(link, close, alone->item, &refusal);
    }
    wire_method(&link->wire, channel->number, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
    link_open_channel(link, channel);
}

/* ---- Frames ------------------------------------------------------------------------------- */

static void take_channel_method(struct link *link, struct channel *channel,
                                const amqp_method_t *method)
{
    switch (method->id) {
    case AMQP_CONFIRM_SELECT_OK_METHOD:
        channel->is_ready = true;
        return;
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;
        take_confirm(link, channel, ack->delivery_tag, ack->multiple, false);
        return;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;
        take_confirm(link, channel, nack->delivery_tag, nack->multiple, true);
        return;
    }
    case AMQP_BASIC_RETURN_METHOD:
        channel->is_returning = true;
        return;
    case AMQP_CHANNEL_CLOSE_METHOD:
        take_channel_close(link, channel, method->decoded);
        return;
    default:
        return;
    }
}

static void take_connection_method(struct link *link, const amqp_method_t *method)
{
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = method->decoded;
        amqp_connection_close_ok_t close_ok = {0};
        (void)snprintf(link->end_reason, sizeof(link->end_reason),
                       "the broker closed the connection: %u %.*s", close->reply_code,
                       (int)close->reply_text.len, (const char *)close->reply_text.bytes);
        wire_method(&link->wire, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok);
        /* As far as it goes: the broker hangs up anyway. */
        enum transport_result result = wire_send(&link->wire, link->wire.heard);
        (void)result;
        link->is_ended = true;
    } else if (method->id == AMQP_CONNECTION_CLOSE_OK_METHOD) {
        link->is_ended = true;
    } else if (method->id == AMQP_CONNECTION_BLOCKED_METHOD) {
        const amqp_connection_blocked_t *blocked = method->decoded;
        (void)snprintf(link->block_reason, sizeof(link->block_reason),
                       "the broker blocks publishing: %.*s", (int)blocked->reason.len,
                       (const char *)blocked->reason.bytes);
        if (!link->is_blocked)
            outbox_log(link->host, OUTBOX_LOG_WARN, "%s", link->block_reason);
        link->is_blocked = true;
    } else if (method->id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
        outbox_log(link->host, OUTBOX_LOG_INFO, "the broker does not block publishing any more");
        link->is_blocked = false;
    }
}

void link_take_frame(void *context, const amqp_frame_t *frame)
{
    struct link *link = context;
    bool is_method = frame->frame_type == AMQP_FRAME_METHOD;
    if (frame->channel == CHANNEL_MAIN || frame->channel == CHANNEL_PROBE) {
        struct channel *channel = frame->channel == CHANNEL_MAIN ? &link->main : &link->probe;
        if (is_method)
            take_channel_method(link, channel, &frame->payload.method);
        else if (frame->frame_type == AMQP_FRAME_HEADER && channel->is_returning)
            take_returned(channel, frame);
    } else if (is_method && frame->channel == CHANNEL_QUESTIONS) {
        inquiry_take_method(link, &frame->payload.method);
    } else if (is_method && frame->channel == 0) {
        take_connection_method(link, &frame->payload.method);
    }
}
