/*
 * test_holders.c - who holds events: claims merged by relay, whatever stands in their tokens
 * SPDX-License-Identifier: MIT
 */
#include "holders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What the store tells. */
struct outbox_session {
    const struct outbox_holder *claims;
    size_t count;
    uint32_t partial;
    enum outbox_status status;
};

static enum outbox_status tell(struct outbox_session *session, outbox_holder_seen *emit,
                               void *context, uint32_t *partial, struct outbox_error *error)
{
    for (size_t i = 0; i < session->count; i++)
        emit(context, &session->claims[i]);
    *partial = session->partial;
    if (session->status == OUTBOX_OK)
        return OUTBOX_OK;
    return outbox_fail(error, session->status, "", "the server is on fire");
}

static const struct outbox_store_ops telling = {.size = sizeof(telling), .holders = tell};

static struct outbox_holder claim(const char *token, uint64_t events, int64_t held_for)
{
    return (struct outbox_holder){.size = sizeof(struct outbox_holder),
                                  .token = token ? outbox_slice_of(token)
                                                 : (struct outbox_slice){NULL, 0},
                                  .events = events,
                                  .held_for = held_for};
}

static struct holders read_from(struct outbox_session *session)
{
    struct holders holders;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(holders_read(&holders, &telling, session, "me", &error), session->status);
    assert_true(holders.looked);
    return holders;
}

static void assert_holder(const struct holder *holder, const char *name, bool is_relay,
                          uint64_t events, uint64_t claims, int64_t held_for)
{
    assert_string_equal(holder->name, name);
    assert_int_equal(holder->is_relay, is_relay);
    assert_int_equal(holder->is_self, strcmp(name, "me") == 0 && is_relay);
    assert_int_equal(holder->events, events);
    assert_int_equal(holder->claims, claims);
    assert_int_equal(holder->held_for, held_for);
}

static void claims_of_a_relay_are_one_entry(void **state)
{
    (void)state;
    const struct outbox_holder claims[] = {
        claim("outbox-relay:other:01", 5, 900),
        claim("outbox-relay:me:01", 3, 800),
        claim("me", 7, 700),
        claim("outbox-relay:other:02", 6, -1),
        claim(NULL, 1, -1),
        claim("outbox-relay:me:02", 4, 850),
    };
    struct outbox_session session = {claims, sizeof(claims) / sizeof(claims[0]), 0, OUTBOX_OK};
    struct holders holders = read_from(&session);
    assert_int_equal(holders.count, 4);
    assert_false(holders.partial);
    assert_holder(&holders.list[0], "other", true, 11, 2, 900);
    assert_holder(&holders.list[1], "me", true, 7, 2, 850);
    assert_holder(&holders.list[2], "me", false, 7, 1, 700);
    assert_holder(&holders.list[3], "", false, 1, 1, -1);
}

static void more_than_there_is_room_for_is_said(void **state)
{
    (void)state;
    char tokens[HOLDERS_MAX + 1][16];
    struct outbox_holder claims[HOLDERS_MAX + 1];
    for (size_t i = 0; i <= HOLDERS_MAX; i++) {
        (void)snprintf(tokens[i], sizeof(tokens[i]), "token-%zu", i);
        claims[i] = claim(tokens[i], 1, 0);
    }
    struct outbox_session session = {claims, HOLDERS_MAX, 0, OUTBOX_OK};
    assert_false(read_from(&session).partial);
    session.partial = 1;
    assert_true(read_from(&session).partial);
    session = (struct outbox_session){claims, HOLDERS_MAX + 1, 0, OUTBOX_OK};
    struct holders holders = read_from(&session);
    assert_true(holders.partial);
    assert_int_equal(holders.count, HOLDERS_MAX);
}

/* A character is never cut in two, and bytes that are none are kept. */
static void long_tokens_are_cut(void **state)
{
    (void)state;
    char token[3 * HOLDER_NAME];
    memset(token, 'x', sizeof(token) - 1);
    token[sizeof(token) - 1] = '\0';
    memcpy(token + HOLDER_NAME - 2, "\xc3\xa4", 2);
    token[0] = '\xff';
    const struct outbox_holder claims[] = {claim(token, 1, 0)};
    struct outbox_session session = {claims, 1, 0, OUTBOX_OK};
    struct holders holders = read_from(&session);
    assert_int_equal(strlen(holders.list[0].name), HOLDER_NAME - 2);
    assert_memory_equal(holders.list[0].name, token, HOLDER_NAME - 2);
}

static void assert_json(const struct holders *holders, const char *wanted)
{
    json_t *document = holders_json(holders);
    char *text = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(document);
}

static void what_failed_is_told_with_its_reason_and_nothing_else(void **state)
{
    (void)state;
    const struct outbox_holder claims[] = {claim("outbox-relay:me:01", 1, 0)};
    struct outbox_session session = {claims, 1, 0, OUTBOX_UNAVAILABLE};
    struct holders holders = read_from(&session);
    assert_int_equal(holders.status, OUTBOX_UNAVAILABLE);
    assert_int_equal(holders.count, 0);
    assert_json(&holders,
                "{\"relays\":null,\"partial\":false,\"reason\":\"the server is on fire\"}");
}

static void a_driver_without_the_op_does_not_tell(void **state)
{
    (void)state;
    const struct outbox_store_ops silent = {.size = sizeof(silent)};
    struct holders holders;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(holders_read(&holders, &silent, NULL, NULL, &error), OUTBOX_UNSUPPORTED);
    assert_non_null(strstr(holders.reason, "does not tell"));
}

static void machines_read_it(void **state)
{
    (void)state;
    const struct outbox_holder claims[] = {claim("outbox-relay:me:01", 3, 1500000),
                                           claim("\xff", 1, -1), claim(NULL, 2, 0)};
    struct outbox_session session = {claims, 3, 1, OUTBOX_OK};
    struct holders holders = read_from(&session);
    assert_json(&holders,
                "{\"relays\":[{\"relay\":\"me\",\"token\":null,\"self\":true,\"events\":3,"
                "\"claims\":1,\"held_for\":1.5},{\"relay\":null,\"token\":\"\xef\xbf\xbd\","
                "\"self\":false,\"events\":1,\"claims\":1,\"held_for\":null},"
                "{\"relay\":null,\"token\":null,\"self\":false,\"events\":2,"
                "\"claims\":1,\"held_for\":0.0}],\"partial\":true,\"reason\":null}");
    assert_json(&(struct holders){.looked = false}, "null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_of_a_relay_are_one_entry),
        cmocka_unit_test(more_than_there_is_room_for_is_said),
        cmocka_unit_test(long_tokens_are_cut),
        cmocka_unit_test(what_failed_is_told_with_its_reason_and_nothing_else),
        cmocka_unit_test(a_driver_without_the_op_does_not_tell),
        cmocka_unit_test(machines_read_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
