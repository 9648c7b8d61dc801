/*
 * outcome.c - what becomes of each event that is not simply delivered, as one JSON parameter
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

/* A reason longer than this helps nobody, and rides along in every later version of the row. */
#define ERROR_TEXT_MAX 8000

/* A century: beyond it the server's interval arithmetic would fail. Microseconds. */
#define DELAY_MAX (INT64_C(100) * 365 * 86400 * 1000000)

void outcomes_start(struct outbox_session *session)
{
    buffer_reset(&session->outcomes);
    buffer_bytes(&session->outcomes, "[", 1);
}

/* ---- Text --------------------------------------------------------------------------------- */

/* The bytes of the well-formed UTF-8 character at `at`, 0 if there is none. */
static size_t character_len(const unsigned char *at, size_t left)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (len == 0 || len > left || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool surrogate = at[0] == 0xed && at[1] > 0x9f;
    bool beyond = at[0] == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : len;
}

static void add_character(struct buffer *json, const unsigned char *at, size_t len)
{
    if (len == 0 || at[0] == 0)
        buffer_bytes(json, "?", 1);
    else if (at[0] == '"' || at[0] == '\\')
        buffer_text(json, "\\%c", at[0]);
    else if (at[0] < ' ')
        buffer_text(json, "\\u%04x", at[0]);
    else
        buffer_bytes(json, at, len);
}

/* As a JSON string of so many characters and bytes at most. What a broker said may be any bytes:
 * what is no UTF-8, and NUL, becomes '?'. */
static void add_text(struct buffer *json, struct outbox_slice text, uint64_t max_chars,
                     uint64_t max_bytes)
{
    const unsigned char *at = (const unsigned char *)text.data;
    uint64_t left = text.len, chars = 0, bytes = 0;
    buffer_bytes(json, "\"", 1);
    while (left > 0) {
        size_t len = character_len(at, (size_t)left), taken = len ? len : 1;
        bytes += taken;
        if (++chars > max_chars || bytes > max_bytes)
            break;
        add_character(json, at, len);
        at += taken;
        left -= taken;
    }
    buffer_bytes(json, "\"", 1);
}

static void add_hex(struct buffer *json, struct outbox_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    buffer_bytes(json, "\"", 1);
    for (uint64_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        char pair[2] = {digits[byte >> 4], digits[byte & 15]};
        buffer_bytes(json, pair, 2);
    }
    buffer_bytes(json, "\"", 1);
}

/* ---- Outcomes ----------------------------------------------------------------------------- */

void key_add_json(const struct outbox_session *session, struct buffer *json, const struct key *key)
{
    switch (session->table.columns[session->table.key].kind) {
    case KIND_INTEGER:
        buffer_text(json, "%lld", (long long)key->number);
        return;
    case KIND_UNSIGNED:
        buffer_text(json, "%llu", (unsigned long long)key->number);
        return;
    case KIND_UUID_BYTES:
        add_hex(json, key->bytes);
        return;
    default:
        add_text(json, key->bytes, UINT64_MAX, UINT64_MAX);
        return;
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void outcomes_add(struct outbox_session *session, const struct key *key,
                  const struct outbox_settlement *settlement, bool charged)
{
    struct buffer *json = &session->outcomes;
    const struct column *last_error = &session->table.columns[ROLE_LAST_ERROR];
    bool retry = settlement->verdict == OUTBOX_SETTLE_RETRY;
    int64_t delay = retry && settlement->delay > 0 ? settlement->delay : 0;
    buffer_text(json, "%s{\"k\":", json->len > 1 ? "," : "");
    key_add_json(session, json, key);
    buffer_text(json, ",\"v\":%u,\"d\":%lld,\"c\":%d", settlement->verdict,
                (long long)(delay < DELAY_MAX ? delay : DELAY_MAX), charged);
    if (settlement->error.data) {
        buffer_text(json, ",\"e\":");
        add_text(json, settlement->error, last_error->max_chars,
                 least(last_error->max_bytes, ERROR_TEXT_MAX));
    }
    buffer_bytes(json, "}", 1);
}

void outcomes_end(struct outbox_session *session)
{
    buffer_bytes(&session->outcomes, "]", 1);
}
