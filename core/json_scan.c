/*
 * json_scan.c - reads strict JSON in strict UTF-8 piece by piece, and keeps nothing of it
 * SPDX-License-Identifier: MIT
 */
#include "json_scan.h"

#include "text.h"

#include <string.h>

bool json_scan_fail_at(struct json_scan *scan, uint64_t at, const char *problem)
{
    scan->problem = problem;
    scan->at = at;
    return false;
}

bool json_scan_fail(struct json_scan *scan, const char *problem)
{
    return json_scan_fail_at(scan, scan->at,
                             scan->at >= scan->len ? "the text ends too early" : problem);
}

/* ---- Characters and strings --------------------------------------------------------------- */

static bool take_utf8(struct json_scan *scan)
{
    size_t len = text_sequence((const char *)scan->text + scan->at, scan->len - scan->at);
    if (len == 0)
        return json_scan_fail(scan, "bytes that are not UTF-8");
    scan->at += len;
    return true;
}

static bool hex4(const unsigned char *digits, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char digit = digits[i];
        uint32_t value;
        if (digit >= '0' && digit <= '9')
            value = (uint32_t)(digit - '0');
        else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
            value = (uint32_t)((digit | 0x20) - 'a') + 10;
        else
            return false;
        *unit = *unit << 4 | value;
    }
    return true;
}

/* Reads "\uXXXX", or two of them that make a surrogate pair; returns its length, 0 if it is
 * neither. */
uint64_t json_scan_unicode(const unsigned char *at, uint64_t left, uint32_t *code)
{
    uint32_t low;
    if (left < 6 || !hex4(at + 2, code))
        return 0;
    if (*code < 0xD800 || *code > 0xDFFF)
        return 6;
    if (*code > 0xDBFF || left < 12 || at[6] != '\\' || at[7] != 'u' || !hex4(at + 8, &low) ||
        low < 0xDC00 || low > 0xDFFF)
        return 0;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return 12;
}

static bool take_escape(struct json_scan *scan, struct json_string *string)
{
    uint64_t left = scan->len - scan->at;
    const unsigned char *at = scan->text + scan->at;
    uint32_t code;
    string->has_escape = true;
    if (left >= 2 && at[1] == 'u') {
        uint64_t len = json_scan_unicode(at, left, &code);
        if (len == 0)
            return json_scan_fail(scan, "a \\u that is no character");
        string->has_nul |= code == 0;
        scan->at += len;
        return true;
    }
    if (left < 2 || at[1] == '\0' || !strchr("\"\\/bfnrt", at[1]))
        return json_scan_fail(scan, "an escape that JSON does not have");
    scan->at += 2;
    return true;
}

bool json_scan_string(struct json_scan *scan, struct json_string *string)
{
    *string = (struct json_string){{NULL, 0}, false, false};
    if (!json_scan_take(scan, '"'))
        return json_scan_fail(scan, "a string is missing");
    uint64_t start = scan->at;
    while (scan->at < scan->len) {
        unsigned char byte = scan->text[scan->at];
        if (byte == '"') {
            string->text.data = (const char *)scan->text + start;
            string->text.len = scan->at - start;
            scan->at++;
            return true;
        }
        if (byte < 0x20)
            return json_scan_fail(scan, "a control character within a string");
        if (byte == '\\') {
            if (!take_escape(scan, string))
                return false;
        } else if (byte >= 0x80) {
            if (!take_utf8(scan))
                return false;
        } else {
            scan->at++;
        }
    }
    return json_scan_fail(scan, "a string has no end");
}

/* ---- Values ------------------------------------------------------------------------------- */

static bool take_digits(struct json_scan *scan)
{
    uint64_t start = scan->at;
    while (scan->at < scan->len && scan->text[scan->at] >= '0' && scan->text[scan->at] <= '9')
        scan->at++;
    return scan->at > start || json_scan_fail(scan, "a digit is missing");
}

static bool take_number(struct json_scan *scan)
{
    (void)json_scan_take(scan, '-');
    if (!json_scan_take(scan, '0') && !take_digits(scan))
        return false;
    if (json_scan_take(scan, '.') && !take_digits(scan))
        return false;
    if (!json_scan_take(scan, 'e') && !json_scan_take(scan, 'E'))
        return true;
    if (!json_scan_take(scan, '+'))
        (void)json_scan_take(scan, '-');
    return take_digits(scan);
}

static bool take_word(struct json_scan *scan, const char *word)
{
    uint64_t len = strlen(word);
    if (scan->len - scan->at < len || memcmp(scan->text + scan->at, word, len) != 0)
        return json_scan_fail_at(scan, scan->at, "a word that is no value");
    scan->at += len;
    return true;
}

static bool take_members(struct json_scan *scan, unsigned depth, unsigned char close)
{
    struct json_string name;
    if (depth > JSON_SCAN_DEPTH)
        return json_scan_fail(scan, "too many values within each other");
    scan->at++;
    json_scan_blanks(scan);
    if (json_scan_take(scan, close))
        return true;
    do {
        json_scan_blanks(scan);
        if (close == '}') {
            if (!json_scan_string(scan, &name))
                return false;
            json_scan_blanks(scan);
            if (!json_scan_take(scan, ':'))
                return json_scan_fail(scan, "a colon is missing");
            json_scan_blanks(scan);
        }
        if (!json_scan_value(scan, depth))
            return false;
        json_scan_blanks(scan);
    } while (json_scan_take(scan, ','));
    return json_scan_take(scan, close) ||
           json_scan_fail(scan, "a comma or the closing bracket is missing");
}

/* Recursion ends at JSON_SCAN_DEPTH. */
bool json_scan_value(struct json_scan *scan, unsigned depth)
{
    struct json_string string;
    if (scan->at >= scan->len)
        return json_scan_fail(scan, "");
    switch (scan->text[scan->at]) {
    case '"':
        return json_scan_string(scan, &string);
    case '{':
        return take_members(scan, depth + 1, '}');
    case '[':
        return take_members(scan, depth + 1, ']');
    case 't':
        return take_word(scan, "true");
    case 'f':
        return take_word(scan, "false");
    case 'n':
        return take_word(scan, "null");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return take_number(scan);
    default:
        return json_scan_fail(scan, "a value is missing");
    }
}

bool json_scan_is_json(struct outbox_slice text)
{
    struct json_scan scan = json_scan_of(text);

    json_scan_blanks(&scan);
    if (!json_scan_value(&scan, 0))
        return false;
    json_scan_blanks(&scan);
    return scan.at == scan.len;
}
