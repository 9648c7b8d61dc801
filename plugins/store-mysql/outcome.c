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

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
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

static uint32_t code_point(const unsigned char *at, size_t len)
{
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = at[0] & first[len];
    for (size_t i = 1; i < len; i++)
        point = point << 6 | (at[i] & 0x3f);
    return point;
}

/* What a character set can hold: the servers disagree about the rest, MySQL writes '?' and MariaDB
 * refuses the whole statement. */
static const struct repertoire {
    const char *charset;
    uint32_t greatest; /* code point */
    unsigned unit;     /* bytes; 1: no character takes more of them than in UTF-8 */
} repertoires[] = {
    {"utf8mb4", 0x10ffff, 1}, {"utf8mb3", 0xffff, 1},   {"utf8", 0xffff, 1}, {"latin1", 0xff, 1},
    {"utf16", 0x10ffff, 2},   {"utf16le", 0x10ffff, 2}, {"ucs2", 0xffff, 2}, {"utf32", 0x10ffff, 4},
};
static const struct repertoire whole = {"", 0x10ffff, 1}, ascii = {"", 0x7f, 1};

/* The second row of control characters, which no reason needs and some sets use otherwise. */
static bool is_control(uint32_t point)
{
    return point >= 0x80 && point < 0xa0;
}

static uint64_t bytes_of(uint32_t point, size_t in_utf8, unsigned unit)
{
    if (unit == 1)
        return in_utf8;
    return point > 0xffff ? 4 : unit;
}

static const struct repertoire *repertoire_of(const struct column *column)
{
    if (column->charset[0] == '\0')
        return &whole; /* bytes */
    for (size_t i = 0; i < sizeof(repertoires) / sizeof(repertoires[0]); i++)
        if (strcmp(column->charset, repertoires[i].charset) == 0)
            return &repertoires[i];
    return &ascii; /* what all others share, too */
}

static void add_character(struct buffer *json, const unsigned char *at, size_t len)
{
    if (at[0] == '"' || at[0] == '\\')
        buffer_text(json, "\\%c", at[0]);
    else if (at[0] < ' ')
        buffer_text(json, "\\u%04x", at[0]);
    else
        buffer_bytes(json, at, len);
}

/* What a broker said, which may be any bytes, as a JSON string that fits the column: cut at a
 * character, and with '?' for what is no character or not to be had. */
static void add_reason(struct buffer *json, struct outbox_slice text, const struct column *column)
{
    const struct repertoire *repertoire = repertoire_of(column);
    const unsigned char *at = (const unsigned char *)text.data;
    uint64_t room = least(column->max_bytes, ERROR_TEXT_MAX), left = text.len;
    buffer_bytes(json, "\"", 1);
    for (uint64_t chars = 0; left > 0 && chars < column->max_chars; chars++) {
        size_t len = character_len(at, (size_t)left);
        uint32_t point = len ? code_point(at, len) : 0;
        bool can = point != 0 && !is_control(point) && point <= repertoire->greatest;
        uint64_t bytes = !can ? repertoire->unit : bytes_of(point, len, repertoire->unit);
        if (bytes > room)
            break;
        add_character(json, can ? at : (const unsigned char *)"?", can ? len : 1);
        room -= bytes;
        at += len ? len : 1;
        left -= len ? len : 1;
    }
    buffer_bytes(json, "\"", 1);
}

static void add_text(struct buffer *json, struct outbox_slice text)
{
    buffer_bytes(json, "\"", 1);
    for (uint64_t i = 0; i < text.len; i++)
        add_character(json, (const unsigned char *)text.data + i, 1);
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
        add_text(json, key->bytes);
        return;
    }
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
        add_reason(json, settlement->error, last_error);
    }
    buffer_bytes(json, "}", 1);
}

void outcomes_end(struct outbox_session *session)
{
    buffer_bytes(&session->outcomes, "]", 1);
}
