/*
 * login.c - from a host's name to a connection that may be used
 * SPDX-License-Identifier: MIT
 */
#include "login.h"

#include <stdlib.h>

#define MANY_CHANNELS 2047u
#define PROTOCOL_HEADER                                                                            \
    'A' /* what the codec calls an answer in another version of the protocol                       \
         */

/* What the broker said last, and what we wait for. */
struct talk {
    struct login *login;
    struct wire *wire;
    const struct patience *patience;
    amqp_method_number_t wanted;
    bool is_answered;
    bool is_refused;
    uint16_t code; /* of a refusal */
    char text[256];
    amqp_connection_tune_t tune;
};

static void keep_version(struct login *login, const amqp_table_t *properties)
{
    for (int i = 0; i < properties->num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->entries[i];
        if (entry->key.len == 7 && memcmp(entry->key.bytes, "version", 7) == 0 &&
            entry->value.kind == AMQP_FIELD_KIND_UTF8)
            (void)snprintf(login->version, sizeof(login->version), "%.*s",
                           (int)entry->value.value.bytes.len,
                           (const char *)entry->value.value.bytes.bytes);
    }
}

static void refuse(struct talk *talk, uint16_t code, const char *text, size_t len)
{
    talk->is_refused = talk->is_answered = true;
    talk->code = code;
    (void)snprintf(talk->text, sizeof(talk->text), "%.*s", (int)len, text);
}

static void take_frame(void *context, const amqp_frame_t *frame)
{
    struct talk *talk = context;
    static const char other[] = "it speaks another protocol than AMQP 0-9-1";
    if (frame->frame_type == PROTOCOL_HEADER) {
        refuse(talk, 0, other, sizeof(other) - 1);
        return;
    }
    if (frame->frame_type != AMQP_FRAME_METHOD || frame->channel != 0)
        return;
    const amqp_method_t *method = &frame->payload.method;
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = method->decoded;
        refuse(talk, close->reply_code, close->reply_text.bytes, close->reply_text.len);
    } else if (method->id == talk->wanted) {
        talk->is_answered = true;
        if (method->id == AMQP_CONNECTION_START_METHOD)
            keep_version(talk->login,
                         &((amqp_connection_start_t *)method->decoded)->server_properties);
        if (method->id == AMQP_CONNECTION_TUNE_METHOD)
            talk->tune = *(amqp_connection_tune_t *)method->decoded;
    }
}

static enum outbox_status unavailable(const struct talk *talk, const char *reason,
                                      struct outbox_error *error)
{
    const struct place *place = talk->login->place;
    return outbox_fail(error, OUTBOX_UNAVAILABLE, "", "log in to %.200s:%s: %s", place->host,
                       place->port, reason);
}

static enum outbox_status refused(const struct talk *talk, struct outbox_error *error)
{
    const struct place *place = talk->login->place;
    const struct settings *settings = talk->login->settings;
    enum outbox_status status = OUTBOX_UNAVAILABLE;
    const char *remedy = "";
    char code[8];
    if (talk->code == AMQP_ACCESS_REFUSED) {
        status = OUTBOX_DENIED;
        remedy = "; check \"username\" and \"password\"";
    } else if (talk->code == AMQP_NOT_ALLOWED) {
        bool is_missing = strstr(talk->text, "not found") != NULL;
        status = is_missing ? OUTBOX_SCHEMA : OUTBOX_DENIED;
        remedy = is_missing ? "; make it: rabbitmqctl add_vhost NAME"
                            : "; grant it: rabbitmqctl set_permissions -p VHOST USER '' '.*' ''";
    }
    (void)snprintf(code, sizeof(code), "%u", talk->code);
    return outbox_fail(error, status, talk->code ? code : "",
                       "log in to %.100s:%s as %.60s: the broker refuses: %.160s%s", place->host,
                       place->port, settings->address.username, talk->text, remedy);
}

/* Sends what is gathered and waits for the answer to it. */
static enum outbox_status await(struct talk *talk, amqp_method_number_t wanted,
                                struct outbox_error *error)
{
    const struct outbox_host *host = talk->patience->host;
    struct wire *wire = talk->wire;
    talk->wanted = wanted;
    talk->is_answered = false;
    for (;;) {
        enum transport_result result = wire_send(wire, host->now(host));
        if (result != TRANSPORT_LOST)
            result = wire_receive(wire, host, take_frame, talk, &talk->is_answered);
        if (talk->is_answered)
            return talk->is_refused ? refused(talk, error) : OUTBOX_OK;
        if (result == TRANSPORT_LOST)
            return unavailable(talk, wire->transport.failure.text, error);
        if (result == TRANSPORT_AGAIN &&
            !transport_wait(&wire->transport, wire_is_sending(wire), talk->patience))
            return unavailable(talk, "no answer within \"connect_timeout\"", error);
    }
}

static amqp_table_entry_t text_entry(const char *key, const char *value)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);
    return entry;
}

static amqp_table_entry_t true_entry(const char *key)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
}

/* Who we are, and what the broker may tell us: a broker that is short of memory says so only to
 * those who can hear it. */
static enum outbox_status identify(struct talk *talk, struct outbox_error *error)
{
    const struct address *address = &talk->login->settings->address;
    amqp_table_entry_t capabilities[] = {true_entry("publisher_confirms"), true_entry("basic.nack"),
                                         true_entry("connection.blocked"),
                                         true_entry("authentication_failure_close"),
                                         true_entry("consumer_cancel_notify")};
    amqp_table_entry_t properties[] = {text_entry("product", "outbox-relay"),
                                       text_entry("version", DRIVER_VERSION),
                                       text_entry("connection_name", "outbox-relay"),
                                       {.key = amqp_cstring_bytes("capabilities")}};
    size_t user_len = strlen(address->username), password_len = strlen(address->password);
    char *response = malloc(user_len + password_len + 2);
    if (!response)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "log in: out of memory");
    properties[3].value.kind = AMQP_FIELD_KIND_TABLE;
    properties[3].value.value.table =
        (amqp_table_t){sizeof(capabilities) / sizeof(capabilities[0]), capabilities};
    response[0] = '\0';
    memcpy(response + 1, address->username, user_len);
    response[1 + user_len] = '\0';
    memcpy(response + 2 + user_len, address->password, password_len);
    amqp_connection_start_ok_t start_ok = {
        .client_properties = {sizeof(properties) / sizeof(properties[0]), properties},
        .mechanism = amqp_cstring_bytes("PLAIN"),
        .response = {user_len + password_len + 2, response},
        .locale = amqp_cstring_bytes("en_US")};
    wire_method(talk->wire, 0, AMQP_CONNECTION_START_OK_METHOD, &start_ok);
    explicit_bzero(response, user_len + password_len + 2);
    free(response);
    return await(talk, AMQP_CONNECTION_TUNE_METHOD, error);
}

static enum outbox_status open_vhost(struct talk *talk, struct outbox_error *error)
{
    const struct settings *settings = talk->login->settings;
    struct wire *wire = talk->wire;
    uint32_t frame_max = talk->tune.frame_max;
    if (frame_max == 0 || frame_max > WIRE_FRAME_MAX)
        frame_max = WIRE_FRAME_MAX;
    uint16_t channel_max = talk->tune.channel_max;
    amqp_connection_tune_ok_t tune_ok = {.channel_max =
                                             channel_max ? channel_max : (uint16_t)MANY_CHANNELS,
                                         .frame_max = frame_max,
                                         .heartbeat = (uint16_t)settings->heartbeat};
    amqp_connection_open_t vhost = {.virtual_host = amqp_cstring_bytes(settings->address.vhost)};
    wire->frame_max = frame_max;
    if (amqp_tune_connection(wire->codec, tune_ok.channel_max, (int)frame_max, 0) < 0)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "log in: out of memory");
    wire_method(wire, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &tune_ok);
    wire_method(wire, 0, AMQP_CONNECTION_OPEN_METHOD, &vhost);
    return await(talk, AMQP_CONNECTION_OPEN_OK_METHOD, error);
}

enum outbox_status login_run(struct login *login, struct wire *wire,
                             const struct patience *patience, struct outbox_error *error)
{
    struct talk talk = {.login = login, .wire = wire, .patience = patience};
    login->version[0] = '\0';
    if (!wire_start(wire))
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "connect: out of memory");
    enum outbox_status status = OUTBOX_OK;
    if (!transport_open(&wire->transport, login->place, login->settings->tls, patience))
        status = failure_report(&wire->transport.failure, OUTBOX_UNAVAILABLE, error);
    if (status == OUTBOX_OK) {
        wire_greeting(wire);
        status = await(&talk, AMQP_CONNECTION_START_METHOD, error);
    }
    if (status == OUTBOX_OK)
        status = identify(&talk, error);
    if (status == OUTBOX_OK)
        status = open_vhost(&talk, error);
    if (status != OUTBOX_OK)
        wire_stop(wire);
    return status;
}
