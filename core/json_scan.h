/*
 * json_scan.h - reads strict JSON in strict UTF-8 piece by piece, and keeps nothing of it
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_JSON_SCAN_H
#define CORE_JSON_SCAN_H

#include <outbox/types.h>
#include <stdbool.h>

/* Objects and arrays may nest so deep. */
#define JSON_SCAN_DEPTH 64

struct json_scan {
    const unsigned char *text;
    uint64_t len, at;
    const char *problem; /* after a failure: constant text; the place is `at` */
};

/* A JSON string between its quotes, escapes as they stand. */
struct json_string {
    struct outbox_slice text;
    bool has_escape, has_nul;
};

static inline struct json_scan json_scan_of(struct outbox_slice text)
{
    return (struct json_scan){.text = (const unsigned char *)text.data, .len = text.len};
}

/* Both return false. The first blames the place where the scan stands, or the end of the text. */
bool json_scan_fail(struct json_scan *scan, const char *problem);
bool json_scan_fail_at(struct json_scan *scan, uint64_t at, const char *problem);

static inline bool json_scan_has(const struct json_scan *scan, unsigned char wanted)
{
    return scan->at < scan->len && scan->text[scan->at] == wanted;
}

static inline bool json_scan_take(struct json_scan *scan, unsigned char wanted)
{
    if (!json_scan_has(scan, wanted))
        return false;
    scan->at++;
    return true;
}

static inline void json_scan_blanks(struct json_scan *scan)
{
    while (scan->at < scan->len) {
        unsigned char byte = scan->text[scan->at];
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r')
            return;
        scan->at++;
    }
}

/* False after a failure. `depth`: of the objects and arrays around the value. */
bool json_scan_string(struct json_scan *scan, struct json_string *string);
bool json_scan_value(struct json_scan *scan, unsigned depth);

/* Reads "\uXXXX", or two of them that make a surrogate pair; returns its length, 0 if it is
 * neither.
 */
uint64_t json_scan_unicode(const unsigned char *at, uint64_t left, uint32_t *code);

/* Whether the text is one JSON value and nothing else. */
bool json_scan_is_json(struct outbox_slice text) __attribute__((warn_unused_result));

#endif
