/*
 * headers.c - the headers of an event, from JSON text to pairs
 * SPDX-License-Identifier: MIT
 */
#include "headers.h"

#include "json_scan.h"

#include <inttypes.h>

#define FIRST_PAIRS 8u
#define LINEAR_PAIRS 16u /* so many names are compared one by one; more of them are hashed */

struct parser {
    struct json_scan scan;
    struct arena *arena;
    bool out_of_memory;
};

/* The pairs found so far. slots[hash] is 1 + the index of a pair, 0 where there is none. */
struct pair_table {
    struct outbox_pair *pairs;
    uint64_t count, capacity;
    uint64_t *slots;
    uint64_t slot_count; /* a power of two, 0 while names are compared one by one */
};

static bool fail_memory(struct parser *parser)
{
    parser->out_of_memory = true;
    return false;
}

static const char *sentence_of(const struct parser *parser)
{
    const size_t longest = 160;
    if (parser->out_of_memory)
        return "no memory to read the headers";
    char *sentence = arena_alloc(parser->arena, longest);
    if (!sentence)
        return "headers are not a JSON object";
    (void)snprintf(sentence, longest, "headers are not a JSON object: %s at byte %" PRIu64,
                   parser->scan.problem, parser->scan.at);
    return sentence;
}

/* ---- Texts -------------------------------------------------------------------------------- */

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
static bool unescape(struct parser *parser, const struct json_string *string,
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
            at += json_scan_unicode(at, (uint64_t)(end - at), &code);
            out = put_utf8(out, code);
        }
    }
    *text = (struct outbox_slice){start, (uint64_t)(out - start)};
    return true;
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

static bool move_pairs(struct parser *parser, struct pair_table *table, uint64_t capacity)
{
    struct outbox_pair *pairs = arena_alloc(parser->arena, capacity * sizeof(*pairs));
    if (!pairs)
        return fail_memory(parser);
    if (table->count > 0)
        memcpy(pairs, table->pairs, table->count * sizeof(*pairs));
    table->pairs = pairs;
    table->capacity = capacity;
    return true;
}

static bool grow(struct parser *parser, struct pair_table *table)
{
    uint64_t capacity = table->capacity ? table->capacity * 2 : FIRST_PAIRS;
    if (!move_pairs(parser, table, capacity))
        return false;
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
    struct json_string string;
    uint64_t start = parser->scan.at;
    if (!json_scan_string(&parser->scan, &string))
        return false;
    if (string.text.len == 0)
        return json_scan_fail_at(&parser->scan, start, "an empty name");
    if (string.has_nul)
        return json_scan_fail_at(&parser->scan, start, "a name with a NUL in it");
    return unescape(parser, &string, name);
}

static bool take_value(struct parser *parser, struct outbox_slice *value)
{
    struct json_scan *scan = &parser->scan;
    struct json_string string;
    if (json_scan_has(scan, '"'))
        return json_scan_string(scan, &string) && unescape(parser, &string, value);
    uint64_t start = scan->at;
    if (!json_scan_value(scan, 1))
        return false;
    *value = (struct outbox_slice){(const char *)scan->text + start, scan->at - start};
    return true;
}

static bool take_pair(struct parser *parser, struct pair_table *table)
{
    struct json_scan *scan = &parser->scan;
    struct outbox_pair pair;
    json_scan_blanks(scan);
    if (!take_name(parser, &pair.name))
        return false;
    json_scan_blanks(scan);
    if (!json_scan_take(scan, ':'))
        return json_scan_fail(scan, "a colon is missing");
    json_scan_blanks(scan);
    if (!take_value(parser, &pair.value) || !put_pair(parser, table, pair))
        return false;
    json_scan_blanks(scan);
    return true;
}

static bool take_headers(struct parser *parser, struct pair_table *table)
{
    struct json_scan *scan = &parser->scan;
    if (!json_scan_take(scan, '{'))
        return json_scan_fail(scan, "no opening brace");
    json_scan_blanks(scan);
    if (!json_scan_take(scan, '}')) {
        do {
            if (!take_pair(parser, table))
                return false;
        } while (json_scan_take(scan, ','));
        if (!json_scan_take(scan, '}'))
            return json_scan_fail(scan, "a comma or the closing brace is missing");
    }
    json_scan_blanks(scan);
    return scan->at == scan->len || json_scan_fail(scan, "something behind the closing brace");
}

static bool is_nothing(struct outbox_slice json)
{
    struct json_scan scan = json_scan_of(json);
    if (!json.data || json.len == 0 || (json.len == 2 && memcmp(json.data, "{}", 2) == 0))
        return true;
    json_scan_blanks(&scan);
    return scan.at == scan.len;
}

enum header_status headers_parse(struct outbox_slice json, uint64_t room, struct arena *arena,
                                 struct outbox_pair **pairs, uint64_t *count, const char **why)
{
    struct parser parser = {.scan = json_scan_of(json), .arena = arena};
    struct pair_table table = {0};
    *pairs = NULL;
    *count = 0;
    bool read = is_nothing(json);
    if (!read) {
        json_scan_blanks(&parser.scan);
        read = take_headers(&parser, &table);
    }
    if (read && table.count + room > table.capacity)
        read = move_pairs(&parser, &table, table.count + room);
    if (!read) {
        *why = sentence_of(&parser);
        return parser.out_of_memory ? HEADERS_NO_MEMORY : HEADERS_INVALID;
    }
    *pairs = table.pairs;
    *count = table.count;
    return HEADERS_OK;
}
