/*
 * test_headers.c - the header parser and the arena it takes memory from
 * SPDX-License-Identifier: MIT
 */
#include "../fuzz/headers_oracle.h"
#include "headers.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* After those that it needs. */
#include <cmocka.h>

struct parsed {
    struct arena arena;
    enum header_status status;
    struct outbox_pair *pairs;
    uint64_t count;
    const char *why;
};

static void parse_bytes(struct parsed *parsed, const char *text, size_t len)
{
    *parsed = (struct parsed){0};
    arena_init(&parsed->arena, 0);
    parsed->status = headers_parse((struct outbox_slice){text, len}, 0, &parsed->arena,
                                   &parsed->pairs, &parsed->count, &parsed->why);
}

static void parse(struct parsed *parsed, const char *text)
{
    parse_bytes(parsed, text, text ? strlen(text) : 0);
}

static void assert_pair(const struct parsed *parsed, uint64_t index, const char *name,
                        const char *value)
{
    assert_true(index < parsed->count);
    const struct outbox_pair *pair = &parsed->pairs[index];
    assert_int_equal(pair->name.len, strlen(name));
    assert_memory_equal(pair->name.data, name, pair->name.len);
    assert_int_equal(pair->value.len, strlen(value));
    assert_non_null(pair->value.data);
    assert_memory_equal(pair->value.data, value, pair->value.len);
}

static void assert_refused(const char *text, const char *problem)
{
    struct parsed parsed;
    parse(&parsed, text);
    assert_int_equal(parsed.status, HEADERS_INVALID);
    assert_null(parsed.pairs);
    assert_int_equal(parsed.count, 0);
    if (!strstr(parsed.why, problem))
        fail_msg("'%s' was refused for another reason: %s", text, parsed.why);
    arena_clear(&parsed.arena);
}

static void nothing_is_no_header(void **state)
{
    static const char *const nothings[] = {NULL, "", " ", "\n\t \r", "{}", " { } ", "{\n}"};
    (void)state;
    for (size_t i = 0; i < sizeof(nothings) / sizeof(nothings[0]); i++) {
        struct parsed parsed;
        parse(&parsed, nothings[i]);
        assert_int_equal(parsed.status, HEADERS_OK);
        assert_int_equal(parsed.count, 0);
        assert_null(parsed.arena.first);
        arena_clear(&parsed.arena);
    }
}

static void headers_keep_their_order(void **state)
{
    struct parsed parsed;
    (void)state;
    parse(&parsed, " {\"b\": \"one\" , \"a\":\"\",\"c\":\"three\"} ");
    assert_int_equal(parsed.status, HEADERS_OK);
    assert_int_equal(parsed.count, 3);
    assert_pair(&parsed, 0, "b", "one");
    assert_pair(&parsed, 1, "a", "");
    assert_pair(&parsed, 2, "c", "three");
    arena_clear(&parsed.arena);
}

static void a_string_without_escapes_is_not_copied(void **state)
{
    static const char text[] = "{\"name\":\"plain \xC3\xA9\"}";
    struct parsed parsed;
    (void)state;
    parse(&parsed, text);
    assert_ptr_equal(parsed.pairs[0].name.data, text + 2);
    assert_ptr_equal(parsed.pairs[0].value.data, text + 9);
    assert_int_equal(parsed.pairs[0].value.len, 8);
    arena_clear(&parsed.arena);
}

static void escapes_are_resolved(void **state)
{
    struct parsed parsed;
    (void)state;
    parse(&parsed,
          "{\"\\u006eame\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t \\u00e9 \\u20AC \\ud83D\\uDE00!\"}");
    assert_int_equal(parsed.status, HEADERS_OK);
    assert_pair(&parsed, 0, "name", "\"\\/\b\f\n\r\t \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80!");
    arena_clear(&parsed.arena);
}

static void a_nul_in_a_value_survives(void **state)
{
    struct parsed parsed;
    (void)state;
    parse(&parsed, "{\"a\":\"x\\u0000y\"}");
    assert_int_equal(parsed.status, HEADERS_OK);
    assert_int_equal(parsed.pairs[0].value.len, 3);
    assert_memory_equal(parsed.pairs[0].value.data, "x\0y", 3);
    arena_clear(&parsed.arena);
}

static void other_values_travel_as_their_text(void **state)
{
    struct parsed parsed;
    (void)state;
    parse(&parsed,
          "{\"n\":-1.50e+3 ,\"t\":true,\"f\":false,\"z\":null,"
          "\"o\":{ \"a\" : [1, \"\\n\"] },\"l\":[ ],\"big\":123456789012345678901234567890}");
    assert_int_equal(parsed.status, HEADERS_OK);
    assert_pair(&parsed, 0, "n", "-1.50e+3");
    assert_pair(&parsed, 1, "t", "true");
    assert_pair(&parsed, 2, "f", "false");
    assert_pair(&parsed, 3, "z", "null");
    assert_pair(&parsed, 4, "o", "{ \"a\" : [1, \"\\n\"] }");
    assert_pair(&parsed, 5, "l", "[ ]");
    assert_pair(&parsed, 6, "big", "123456789012345678901234567890");
    arena_clear(&parsed.arena);
}

static void the_last_of_equal_names_wins(void **state)
{
    struct parsed parsed;
    (void)state;
    parse(&parsed, "{\"a\":\"1\",\"b\":\"2\",\"\\u0061\":\"3\"}");
    assert_int_equal(parsed.count, 2);
    assert_pair(&parsed, 0, "a", "3");
    assert_pair(&parsed, 1, "b", "2");
    arena_clear(&parsed.arena);
}

/* So many that comparing each name with each would take minutes. */
static void many_headers_are_found_and_deduplicated(void **state)
{
    enum { NAMES = 100000 };
    size_t capacity = (size_t)NAMES * 2 * 32, len = 1;
    char *text = malloc(capacity);
    (void)state;
    assert_non_null(text);
    text[0] = '{';
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < NAMES; i++)
            len += (size_t)snprintf(text + len, capacity - len, "%s\"h%d\":\"%d\"",
                                    len > 1 ? "," : "", i, round * NAMES + i);
    }
    text[len++] = '}';

    struct parsed parsed;
    parse_bytes(&parsed, text, len);
    assert_int_equal(parsed.status, HEADERS_OK);
    assert_int_equal(parsed.count, NAMES);
    assert_pair(&parsed, 0, "h0", "100000");
    assert_pair(&parsed, NAMES - 1, "h99999", "199999");
    arena_clear(&parsed.arena);
    free(text);
}

static void what_is_no_object_is_refused_with_the_place(void **state)
{
    (void)state;
    assert_refused("null", "no opening brace at byte 0");
    assert_refused("  [1]", "no opening brace at byte 2");
    assert_refused("\"a\"", "no opening brace at byte 0");
    assert_refused("{\"a\":\"b\"} x", "something behind the closing brace at byte 10");
    assert_refused("{\"a\" \"b\"}", "a colon is missing at byte 5");
    assert_refused("{\"a\":\"b\" \"c\"}", "a comma or the closing brace is missing at byte 9");
    assert_refused("{\"a\":\"b\",}", "a string is missing at byte 9");
    assert_refused("{a:1}", "a string is missing at byte 1");
    assert_refused("{\"a\":}", "a value is missing at byte 5");
    assert_refused("{\"a\":\"b", "the text ends too early at byte 7");
    assert_refused("{\"a\":[1,2", "the text ends too early at byte 9");
    assert_refused("{\"a\":nul}", "a word that is no value at byte 5");
    assert_refused("{\"a\":01}", "a comma or the closing brace is missing at byte 6");
    assert_refused("{\"a\":1.}", "a digit is missing at byte 7");
    assert_refused("{\"a\":\"\n\"}", "a control character within a string at byte 6");
    assert_refused("{\"a\":\"\\x\"}", "an escape that JSON does not have at byte 6");
    assert_refused("{\"a\":\"\\ud800\"}", "a \\u that is no character at byte 6");
    assert_refused("{\"a\":\"\\udc00\\ud800\"}", "a \\u that is no character at byte 6");
    assert_refused("{\"a\":\"\\u12\"}", "a \\u that is no character at byte 6");
    assert_refused("{\"a\":[\"\xFF\"]}", "bytes that are not UTF-8 at byte 7");
    assert_refused("{\"a\":\"\xED\xA0\x80\"}", "bytes that are not UTF-8 at byte 6");
    assert_refused("{\"a\":\"\xC0\x80\"}", "bytes that are not UTF-8 at byte 6");
}

static void names_that_no_broker_takes_are_refused(void **state)
{
    (void)state;
    assert_refused("{\"a\":1, \"\":2}", "an empty name at byte 8");
    assert_refused("{\"a\\u0000\":1}", "a name with a NUL in it at byte 1");
}

static void nesting_is_bounded(void **state)
{
    struct parsed parsed;
    char text[2 * HEADERS_MAX_DEPTH + 16];
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        int depth = HEADERS_MAX_DEPTH - 1 + extra;
        size_t len = (size_t)snprintf(text, sizeof(text), "{\"a\":");
        for (int i = 0; i < depth; i++)
            text[len++] = '[';
        for (int i = 0; i < depth; i++)
            text[len++] = ']';
        text[len++] = '}';
        parse_bytes(&parsed, text, len);
        assert_int_equal(parsed.status, extra ? HEADERS_INVALID : HEADERS_OK);
        if (extra)
            assert_non_null(strstr(parsed.why, "too many values within each other"));
        arena_clear(&parsed.arena);
    }
}

/* ---- Random inputs ------------------------------------------------------------------------ */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static const char *const seeds[] = {
    "{}",
    "{\"a\":\"b\"}",
    "{\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\",\"n\":12}",
    "{\"a\":{\"b\":[1,2.5e-7,true,null,\"\\u20ac\"]},\"a\":[]}",
    "{\"\\ud83d\\ude00\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
    "{ \"\xC3\xA9\" : \"\xF0\x9F\x98\x80\" , \"x\\u0000\" : -0.0 }",
    "[{\"a\":1}]",
};

static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\u",
    "\\u0000",
    "\\ud8",
    "\\ude00",
    "\\n",
    "\"a\":",
    "\"\":",
    "null",
    "true",
    "-",
    "0",
    "1e9",
    ".",
    " ",
    "\n",
    "\xC3",
    "\xE2\x82\xAC",
    "\xED\xA0\x80",
    "\xF4\x90\x80\x80",
    "\x7F",
    "\x01",
    "\xFF",
};

static size_t mutate(char *text, size_t len, size_t capacity, uint64_t *random)
{
    size_t at = len ? next_random(random) % (len + 1) : 0;
    size_t count = 1 + next_random(random) % 4;
    switch (next_random(random) % 4) {
    case 0:
        if (at + count > len)
            return len;
        memmove(text + at, text + at + count, len - at - count);
        return len - count;
    case 1:
        if (at < len)
            text[at] = (char)next_random(random);
        return len;
    case 2:
        if (at + count > len || len + count > capacity)
            return len;
        memmove(text + at + count, text + at, len - at);
        return len + count;
    default: {
        const char *piece = pieces[next_random(random) % (sizeof(pieces) / sizeof(pieces[0]))];
        size_t extra = strlen(piece);
        if (len + extra > capacity)
            return len;
        memmove(text + at + extra, text + at, len - at);
        memcpy(text + at, piece, extra);
        return len + extra;
    }
    }
}

static void print_bytes(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        (void)fprintf(stderr, "\\x%02x", (unsigned)(unsigned char)text[i]);
    (void)fputc('\n', stderr);
}

static void random_inputs_are_judged_as_by_jansson(void **state)
{
    enum { INPUTS = 20000, CAPACITY = 512 };
    uint64_t random = UINT64_C(0x2545F4914F6CDD1D), taken = 0;
    (void)state;
    for (int i = 0; i < INPUTS; i++) {
        char text[CAPACITY];
        const char *seed = seeds[next_random(&random) % (sizeof(seeds) / sizeof(seeds[0]))];
        size_t len = strlen(seed);
        memcpy(text, seed, len);
        for (uint64_t changes = next_random(&random) % 4; changes > 0; changes--)
            len = mutate(text, len, sizeof(text), &random);

        /* In memory of its own, so that a sanitizer sees a look behind its end. */
        char *exact = malloc(len ? len : 1);
        bool accepted;
        assert_non_null(exact);
        memcpy(exact, text, len);
        const char *difference = headers_disagreement(exact, len, &accepted);
        taken += accepted;
        if (difference) {
            print_bytes(exact, len);
            fail_msg("input %d: %s", i, difference);
        }
        free(exact);
    }
    /* Both judgements must have been made often for the test to mean anything. */
    assert_in_range(taken, INPUTS / 10, INPUTS * 9 / 10);
}

/* ---- The arena ---------------------------------------------------------------------------- */

static void pieces_of_an_arena_are_aligned_and_apart(void **state)
{
    enum { PIECES = 300 };
    struct arena arena;
    unsigned char *pieces_taken[PIECES];
    (void)state;
    arena_init(&arena, 128);
    for (size_t i = 0; i < PIECES; i++) {
        pieces_taken[i] = arena_alloc(&arena, i);
        assert_non_null(pieces_taken[i]);
        assert_int_equal((uintptr_t)pieces_taken[i] % _Alignof(max_align_t), 0);
        memset(pieces_taken[i], (int)(i & 0xFF), i);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t at = 0; at < i; at++)
            assert_int_equal(pieces_taken[i][at], i & 0xFF);
    }
    arena_clear(&arena);
}

static void a_reset_arena_reuses_its_memory(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 64);
    void *first = arena_alloc(&arena, 32);
    void *large = arena_alloc(&arena, 4096);
    for (int round = 0; round < 1000; round++) {
        arena_reset(&arena);
        assert_ptr_equal(arena_alloc(&arena, 32), first);
        assert_ptr_equal(arena_alloc(&arena, 4096), large);
    }
    arena_clear(&arena);
    assert_null(arena.first);
    assert_non_null(arena_alloc(&arena, 1));
    arena_clear(&arena);
}

static void an_arena_says_when_there_is_no_memory(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 64);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 64));
    assert_null(arena_alloc(&arena, PTRDIFF_MAX));
    assert_non_null(arena_alloc(&arena, 8));
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_no_header),
        cmocka_unit_test(headers_keep_their_order),
        cmocka_unit_test(a_string_without_escapes_is_not_copied),
        cmocka_unit_test(escapes_are_resolved),
        cmocka_unit_test(a_nul_in_a_value_survives),
        cmocka_unit_test(other_values_travel_as_their_text),
        cmocka_unit_test(the_last_of_equal_names_wins),
        cmocka_unit_test(many_headers_are_found_and_deduplicated),
        cmocka_unit_test(what_is_no_object_is_refused_with_the_place),
        cmocka_unit_test(names_that_no_broker_takes_are_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(random_inputs_are_judged_as_by_jansson),
        cmocka_unit_test(pieces_of_an_arena_are_aligned_and_apart),
        cmocka_unit_test(a_reset_arena_reuses_its_memory),
        cmocka_unit_test(an_arena_says_when_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
