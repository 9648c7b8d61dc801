/*
 * headers.c - the headers of an event, from JSON text to pairs
 * SPDX-License-Identifier: MIT
 */
#include "headers.h"

#include "text.h"

#include <inttypes.h>
#include <stdbool.h>

#define FIRST_PAIRS 8u
#define LINEAR_PAIRS 16u /* so many names are compared one by one; more of them are hashed */

struct parser {
    const unsigned char *text;
    uint64_t len, at;
    struct arena *arena;
    enum header_status status;
    const char *problem; /* constant text; the place is `at` */
};

/* The pairs found so far. slots[hash] is 1 + the index of a pair, 0 where there is none. */
struct pair_table {
    struct outbox_pair *pairs;
    uint64_t count, capacity;
    uint64_t *slots;
    uint64_t slot_count; /* a power of two, 0 while names are compared one by one */
};

/* A JSON string between its quotes. */
struct raw_string {
    struct outbox_slice text;
    bool has_escape, has_nul;
};

/* ---- Failing ------------------------------------------------------------------------------ */

static bool fail_at(struct parser *parser, uint64_t at, const char *problem)
{
    parser->status = HEADERS_INVALID;
    parser->problem = problem;
    parser->at = at;
    return false;
}

static bool fail(struct parser *parser, const char *problem)
{
    if (parser->at >= parser->len)
        problem = "the text ends too early";
    return fail_at(parser, parser->at, problem);
}

static bool fail_memory(struct parser *parser)
{
    parser->status = HEADERS_NO_MEMORY;
    return false;
}

static const char *sentence_of(const struct parser *parser)
{
    const size_t longest = 160;
    if (parser->status == HEADERS_NO_MEMORY)
        return "no memory to read the headers";
    char *sentence = arena_alloc(parser->arena, longest);
    if (!sentence)
        return "headers are not a JSON object";
    (void)snprintf(sentence, longest, "headers are not a JSON object: %s at byte %" PRIu64,
                   parser->problem, parser->at);
    return sentence;
}

/* ---- Characters and strings --------------------------------------------------------------- */

static bool has(const struct parser *parser, unsigned char wanted)
{
    return parser->at < parser->len && parser->text[parser->at] == wanted;
}

static bool take(struct parser *parser, unsigned char wanted)
{
    if (!has(parser, wanted))
        return false;
    parser->at++;
    return true;
}

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->len) {
        unsigned char byte = parser->text[parser->at];
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r')
            return;
        parser->at++;
    }
}

static bool take_utf8(struct parser *parser)
{
    size_t len = text_sequence((const char *)parser->text + parser->at, parser->len - parser->at);
    if (len == 0)
        return fail(parser, "bytes that are not UTF-8");
    parser->at += len;
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
static uint64_t read_unicode_escape(const unsigned char *at, uint64_t left, uint32_t *code)
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

static bool take_escape(struct parser *parser, struct raw_string *string)
{
    uint64_t left = parser->len - parser->at;
    const unsigned char *at = parser->text + parser->at;
    uint32_t code;
    string->has_escape = true;
    if (left >= 2 && at[1] == 'u') {
        uint64_t len = read_unicode_escape(at, left, &code);
        if (len == 0)
            return fail(parser, "a \\u that is no character");
        string->has_nul |= code == 0;
        parser->at += len;
        return true;
    }
    if (left < 2 || at[1] == '\0' || !strchr("\"\\/bfnrt", at[1]))
        return fail(parser, "an escape that JSON does not have");
    parser->at += 2;
    return true;
}

static bool take_string(struct parser *parser, struct raw_string *string)
{
    *string = (struct raw_string){{NULL, 0}, false, false};
    if (!take(parser, '"'))
        return fail(parser, "a string is missing");
    uint64_t start = parser->at;
    while (parser->at < parser->len) {
        unsigned char byte = parser->text[parser->at];
        if (byte == '"') {
            string->text.data = (const char *)parser->text + start;
            string->text.len = parser->at - start;
            parser->at++;
            return true;
        }
        if (byte < 0x20)
            return fail(parser, "a control character within a string");
        if (byte == '\\') {
            if (!take_escape(parser, string))
                return false;
        } else if (byte >= 0x80) {
            if (!take_utf8(parser))
                return false;
        } else {
            parser->at++;
        }
    }
    return fail(parser, "a string has no end");
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
    *out++ = (char)(leads[more] | code >> (6 * more));
    while (more-- > 0)
        *out++ = (char)(0x80 | (code >> (6 * more) & 0x3F));
    return out;
}

static char unescaped(unsigned char letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return (char)letter;
    }
}

/* An escape is never shorter than what it stands for. */
static bool unescape(struct parser *parser, const struct raw_string *string,
                     struct outbox_slice *text)
{
    *text = string->text;
    if (!string->has_escape)
        return true;
    char *start = arena_alloc(parser->arena, string->text.len), *out = start;
    if (!start)
        return fail_memory(parser);
    const unsigned char *at = (const unsigned char *)string->text.data;
    const unsigned char *end = at + string->text.len;
    while (at < end) {
        if (*at != '\\') {
            *out++ = (char)*at++;
        } else if (at[1] != 'u') {
            *out++ = unescaped(at[1]);
            at += 2;
        } else {
            uint32_t code = 0;
            at += read_unicode_escape(at, (uint64_t)(end - at), &code);
            out = put_utf8(out, code);
        }
    }
    *text = (struct outbox_slice){start, (uint64_t)(out - start)};
    return true;
}

/* ---- Values ------------------------------------------------------------------------------- */

static bool take_digits(struct parser *parser)
{
    uint64_t start = parser->at;
    while (parser->at < parser->len && parser->text[parser->at] >= '0' &&
           parser->text[parser->at] <= '9')
        parser->at++;
    return parser->at > start || fail(parser, "a digit is missing");
}

static bool take_number(struct parser *parser)
{
    (void)take(parser, '-');
    if (!take(parser, '0') && !take_digits(parser))
        return false;
    if (take(parser, '.') && !take_digits(parser))
        return false;
    if (!take(parser, 'e') && !take(parser, 'E'))
        return true;
    if (!take(parser, '+'))
        (void)take(parser, '-');
    return take_digits(parser);
}

static bool take_word(struct parser *parser, const char *word)
{
    uint64_t len = strlen(word);
    if (parser->len - parser->at < len || memcmp(parser->text + parser->at, word, len) != 0)
        return fail_at(parser, parser->at, "a word that is no value");
    parser->at += len;
    return true;
}

static bool take_value(struct parser *parser, unsigned depth);

static bool take_members(struct parser *parser, unsigned depth, unsigned char close)
{
    struct raw_string name;
    if (depth > HEADERS_MAX_DEPTH)
        return fail(parser, "too many values within each other");
    parser->at++;
    skip_blanks(parser);
    if (take(parser, close))
        return true;
    do {
        skip_blanks(parser);
        if (close == '}') {
            if (!take_string(parser, &name))
                return false;
            skip_blanks(parser);
            if (!take(parser, ':'))
                return fail(parser, "a colon is missing");
            skip_blanks(parser);
        }
        if (!take_value(parser, depth))
            return false;
        skip_blanks(parser);
    } while (take(parser, ','));
    return take(parser, close) || fail(parser, "a comma or the closing bracket is missing");
}

/* Recursion ends at HEADERS_MAX_DEPTH. */
static bool take_value(struct parser *parser, unsigned depth)
{
    struct raw_string string;
    if (parser->at >= parser->len)
        return fail(parser, "");
    switch (parser->text[parser->at]) {
    case '"':
        return take_string(parser, &string);
    case '{':
        return take_members(parser, depth + 1, '}');
    case '[':
        return take_members(parser, depth + 1, ']');
    case 't':
        return take_word(parser, "true");
    case 'f':
        return take_word(parser, "false");
    case 'n':
        return take_word(parser, "null");
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
        return take_number(parser);
    default:
        return fail(parser, "a value is missing");
    }
}

/* ---- Pairs -------------------------------------------------------------------------------- */

static bool is_same(struct outbox_slice one, struct outbox_slice other)
{
    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

/* The slot of a name, or the free one where it would be. FNV-1a. */
static uint64_t *slot_of(const struct pair_table *table, struct outbox_slice name)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (uint64_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * UINT64_C(0x100000001B3);
    uint64_t mask = table->slot_count - 1, at = (hash ^ hash >> 32) & mask;
    while (table->slots[at] && !is_same(table->pairs[table->slots[at] - 1].name, name))
        at = (at + 1) & mask;
    return &table->slots[at];
}

static struct outbox_pair *find_pair(const struct pair_table *table, struct outbox_slice name)
{
    if (table->slot_count > 0) {
        uint64_t index = *slot_of(table, name);
        return index ? &table->pairs[index - 1] : NULL;
    }
    for (uint64_t i = 0; i < table->count; i++) {
        if (is_same(table->pairs[i].name, name))
            return &table->pairs[i];
    }
    return NULL;
}

static bool grow(struct parser *parser, struct pair_table *table)
{
    uint64_t capacity = table->capacity ? table->capacity * 2 : FIRST_PAIRS;
    struct outbox_pair *pairs = arena_alloc(parser->arena, capacity * sizeof(*pairs));
    if (!pairs)
        return fail_memory(parser);
    if (table->count > 0)
        memcpy(pairs, table->pairs, table->count * sizeof(*pairs));
    table->pairs = pairs;
    table->capacity = capacity;
    if (capacity <= LINEAR_PAIRS)
        return true;

    uint64_t bytes = capacity * 2 * sizeof(*table->slots);
    table->slots = arena_alloc(parser->arena, bytes);
    if (!table->slots)
        return fail_memory(parser);
    memset(table->slots, 0, bytes);
    table->slot_count = capacity * 2;
    for (uint64_t i = 0; i < table->count; i++)
        *slot_of(table, table->pairs[i].name) = i + 1;
    return true;
}

static bool put_pair(struct parser *parser, struct pair_table *table, struct outbox_pair pair)
{
    struct outbox_pair *earlier = find_pair(table, pair.name);
    if (earlier) {
        earlier->value = pair.value;
        return true;
    }
    if (table->count == table->capacity && !grow(parser, table))
        return false;
    if (table->slot_count > 0)
        *slot_of(table, pair.name) = table->count + 1;
    table->pairs[table->count++] = pair;
    return true;
}

static bool take_name(struct parser *parser, struct outbox_slice *name)
{
    struct raw_string string;
    uint64_t start = parser->at;
    if (!take_string(parser, &string))
        return false;
    if (string.text.len == 0)
        return fail_at(parser, start, "an empty name");
    if (string.has_nul)
        return fail_at(parser, start, "a name with a NUL in it");
    return unescape(parser, &string, name);
}

static bool take_header_value(struct parser *parser, struct outbox_slice *value)
{
    struct raw_string string;
    if (has(parser, '"'))
        return take_string(parser, &string) && unescape(parser, &string, value);
    uint64_t start = parser->at;
    if (!take_value(parser, 1))
        return false;
    *value = (struct outbox_slice){(const char *)parser->text + start, parser->at - start};
    return true;
}

static bool take_headers(struct parser *parser, struct pair_table *table)
{
    if (!take(parser, '{'))
        return fail(parser, "no opening brace");
    skip_blanks(parser);
    if (!take(parser, '}')) {
        do {
            struct outbox_pair pair;
            skip_blanks(parser);
            if (!take_name(parser, &pair.name))
                return false;
            skip_blanks(parser);
            if (!take(parser, ':'))
                return fail(parser, "a colon is missing");
            skip_blanks(parser);
            if (!take_header_value(parser, &pair.value) || !put_pair(parser, table, pair))
                return false;
            skip_blanks(parser);
        } while (take(parser, ','));
        if (!take(parser, '}'))
            return fail(parser, "a comma or the closing brace is missing");
    }
    skip_blanks(parser);
    return parser->at == parser->len || fail(parser, "something behind the closing brace");
}

enum header_status headers_parse(struct outbox_slice json, struct arena *arena,
                                 struct outbox_pair **pairs, uint64_t *count, const char **why)
{
    *pairs = NULL;
    *count = 0;
    if (!json.data || json.len == 0 || (json.len == 2 && memcmp(json.data, "{}", 2) == 0))
        return HEADERS_OK;

    struct parser parser = {
        .text = (const unsigned char *)json.data, .len = json.len, .arena = arena};
    struct pair_table table = {0};
    skip_blanks(&parser);
    if (parser.at == parser.len)
        return HEADERS_OK;
    if (!take_headers(&parser, &table)) {
        *why = sentence_of(&parser);
        return parser.status;
    }
    *pairs = table.pairs;
    *count = table.count;
    return HEADERS_OK;
}
