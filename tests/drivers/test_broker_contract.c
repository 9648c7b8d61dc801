/*
 * test_broker_contract.c - what every publisher owes the relay, towards a real broker
 * SPDX-License-Identifier: MIT
 *
 * Run as: test-broker-contract FOLDER CASE, FOLDER being plugins/ of a build folder; told of the
 * broker as broker_control.h says. Without a broker it says so and is skipped (77).
 */
#include "broker_control.h"
#include "json_settings.h"
#include "publisher_host.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
/* After those that it needs. */
#include <cmocka.h>

#define SKIPPED 77
#define THREADS 4
#define LONG (120 * SECOND) /* a deadline that no test is to reach */
/* close() has 5 s for the broker; the rest is for a sanitizer and a busy machine. */
#define CLOSE_LIMIT (8 * SECOND)

static int64_t now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* ---- Fixture ------------------------------------------------------------------------------ */

static void open_broker(struct subject *subject)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    json_t *section = json_loads(broker_settings(), 0, NULL);
    assert_non_null(section);
    subject_load(subject, json_string_value(json_object_get(section, "driver")));
    json_decref(section);
    struct json_settings *settings = json_settings_new(subject->plugin, broker_settings());
    enum outbox_status status = subject_open_with(subject, json_settings_view(settings), &error);
    /* Nothing that open() was given lives longer than the call, but the host. */
    json_settings_free(&settings);
    if (status != OUTBOX_OK)
        fail_msg("open: %s", error.text);
}

/* An op that is optional. */
static void skip_without(struct subject *subject, bool there)
{
    if (there)
        return;
    subject_close(subject);
    skip();
}

/* As sending_new(), with ids that no other run has, the topic of the test and the header event-id,
 * by which the broker's reader knows a message. */
static struct sending *batch_new(struct subject *subject, const char *name, uint64_t count,
                                 int64_t timeout)
{
    char prefix[40];
    (void)snprintf(prefix, sizeof(prefix), "%s-%s", broker_run(), name);
    struct sending *sending = sending_new(subject, prefix, count, 100, timeout);
    sending->headers = calloc(count, sizeof(*sending->headers));
    assert_non_null(sending->headers);
    for (uint64_t i = 0; i < count; i++) {
        struct outbox_message *message = &sending->messages[i];
        sending->headers[i] = (struct outbox_pair){outbox_slice_of("event-id"), message->event->id};
        message->topic = outbox_slice_of(broker_topic());
        message->headers = &sending->headers[i];
        message->header_count = 1;
    }
    return sending;
}

static void describe(const struct sending *sending)
{
    static const char *const names[] = {"open", "ACKED", "RETRY", "UNKNOWN", "REJECTED", "AWAY"};
    for (uint32_t outcome = 0; outcome < 6; outcome++) {
        for (uint64_t i = 0; i < sending->batch.count; i++) {
            if (sending->endings[i].outcome != outcome)
                continue;
            print_error("%llu messages ended %s, the first is %llu: %s\n",
                        (unsigned long long)sending_count(sending, outcome), names[outcome],
                        (unsigned long long)i, sending->endings[i].reason);
            break;
        }
    }
}

static void assert_all(const struct sending *sending, uint32_t outcome)
{
    if (sending_count(sending, outcome) == sending->batch.count)
        return;
    describe(sending);
    fail_msg("not all messages ended %u", outcome);
}

static void publish(struct sending *sending)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    if (sending_publish(sending, &error) != OUTBOX_OK)
        fail_msg("publish: %s", error.text);
}

/* Whether messages pass, as the relay would find out: after ping() has succeeded. */
static void assert_works(struct subject *subject, const char *name)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int64_t give_up = now() + LONG;
    while (subject->plugin->publisher->ping(subject->publisher, now() + 5 * SECOND, &error) !=
           OUTBOX_OK) {
        if (now() > give_up)
            fail_msg("ping never succeeds again: %s", error.text);
    }
    struct sending *sending = batch_new(subject, name, 100, LONG);
    publish(sending);
    sending_wait(sending);
    assert_all(sending, OUTBOX_ACKED);
    sending_free(&sending);
}

/* ---- Delivery ----------------------------------------------------------------------------- */

struct sender {
    pthread_t thread;
    struct subject *subject;
    struct sending **sendings;
    uint64_t count;
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    for (uint64_t i = 0; i < sender->count; i++) {
        if (sending_publish(sender->sendings[i], &error) != OUTBOX_OK) {
            (void)fprintf(stderr, "publish: %s\n", error.text);
            abort();
        }
    }
    return NULL;
}

static void send_from_four_threads(uint64_t size, uint64_t batches)
{
    struct subject subject;
    struct sender senders[THREADS];
    open_broker(&subject);
    for (size_t i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.subject = &subject, .count = batches};
        senders[i].sendings = calloc(batches, sizeof(struct sending *));
        assert_non_null(senders[i].sendings);
        for (uint64_t j = 0; j < batches; j++) {
            char name[32];
            (void)snprintf(name, sizeof(name), "t%zu-%llu", i, (unsigned long long)j);
            senders[i].sendings[j] = batch_new(&subject, name, size, LONG);
        }
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
    for (size_t i = 0; i < THREADS; i++) {
        for (uint64_t j = 0; j < batches; j++) {
            sending_wait(senders[i].sendings[j]);
            assert_all(senders[i].sendings[j], OUTBOX_ACKED);
        }
    }
    subject_close(&subject); /* would end the process if it completed anything again */
    for (size_t i = 0; i < THREADS; i++) {
        for (uint64_t j = 0; j < batches; j++)
            sending_free(&senders[i].sendings[j]);
        free(senders[i].sendings);
    }
}

static void batches_of_1(void **state)
{
    (void)state;
    send_from_four_threads(1, 100);
}

static void batches_of_500(void **state)
{
    (void)state;
    send_from_four_threads(500, 4);
}

static void batches_of_10000(void **state)
{
    (void)state;
    send_from_four_threads(10000, 1);
}

static void set_key(struct sending *sending, uint64_t index, const char *key)
{
    sending->messages[index].key = outbox_slice_of(key);
}

/* Key "k", the empty key, no key: the test that started this looks at what arrived. */
static void keys(void **state)
{
    struct subject subject;
    (void)state;
    open_broker(&subject);
    struct sending *sending = batch_new(&subject, "keys", 3, LONG);
    set_key(sending, 0, "k");
    set_key(sending, 1, "");
    publish(sending);
    sending_wait(sending);
    assert_all(sending, OUTBOX_ACKED);
    sending_free(&sending);
    subject_close(&subject);
}

static void bad_header_name(void **state)
{
    struct subject subject;
    (void)state;
    assert_non_null(broker_bad_name());
    open_broker(&subject);
    struct sending *sending = batch_new(&subject, "bad", 101, LONG);
    const struct outbox_pair bad[] = {sending->headers[50],
                                      {outbox_slice_of(broker_bad_name()), outbox_slice_of("v")}};
    sending->messages[50].headers = bad;
    sending->messages[50].header_count = 2;
    publish(sending);
    sending_wait(sending);
    if (sending_count(sending, OUTBOX_ACKED) != 100)
        describe(sending);
    assert_int_equal(sending_count(sending, OUTBOX_ACKED), 100);
    assert_int_equal(sending->endings[50].outcome, OUTBOX_REJECTED);
    /* Whoever reads last_error must find the header; a long name may be shortened. */
    char start[17];
    (void)snprintf(start, sizeof(start), "%s", broker_bad_name());
    if (!strstr(sending->endings[50].reason, start))
        fail_msg("the reason does not name the header: %s", sending->endings[50].reason);
    sending_free(&sending);
    assert_works(&subject, "after"); /* and the connection has not suffered */
    subject_close(&subject);
}

/* ---- Cancel, deadline, flush -------------------------------------------------------------- */

static void cancel_before_publish(void **state)
{
    struct subject subject;
    (void)state;
    open_broker(&subject);
    skip_without(&subject, subject.plugin->publisher->cancel != NULL);
    struct sending *sending = batch_new(&subject, "early", 500, LONG);
    subject.plugin->publisher->cancel(subject.publisher, &sending->batch);
    publish(sending);
    sending_wait(sending);
    assert_all(sending, OUTBOX_ACKED);
    sending_free(&sending);
    subject_close(&subject);
}

static void cancel_after_publish(void **state)
{
    enum { BATCHES = 20 };
    struct subject subject;
    struct sending *sendings[BATCHES];
    (void)state;
    open_broker(&subject);
    skip_without(&subject, subject.plugin->publisher->cancel != NULL);
    for (size_t i = 0; i < BATCHES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "cancel%zu", i);
        sendings[i] = batch_new(&subject, name, 1000, LONG);
    }
    for (size_t i = 0; i < BATCHES; i++) {
        publish(sendings[i]);
        if (i % 2 == 0)
            subject.plugin->publisher->cancel(subject.publisher, &sendings[i]->batch);
    }
    for (size_t i = 0; i < BATCHES; i++) {
        sending_wait(sendings[i]);
        uint64_t acked = sending_count(sendings[i], OUTBOX_ACKED);
        uint64_t retried = sending_count(sendings[i], OUTBOX_RETRY);
        if (acked + retried != 1000 || (i % 2 && retried))
            describe(sendings[i]);
        assert_int_equal(acked + retried, 1000);
        assert_true(i % 2 == 0 || retried == 0); /* nobody gave up on the others */
    }
    assert_works(&subject, "after");
    subject_close(&subject);
    for (size_t i = 0; i < BATCHES; i++)
        sending_free(&sendings[i]);
}

static void deadline_in_the_past(void **state)
{
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    (void)state;
    open_broker(&subject);
    assert_works(&subject, "before");
    struct sending *sending = batch_new(&subject, "past", 500, -SECOND);
    int64_t began = now();
    if (sending_publish(sending, &error) == OUTBOX_OK) {
        sending_wait(sending);
        assert_int_equal(sending_count(sending, OUTBOX_REJECTED), 0);
    } else {
        assert_int_equal(sending_ended(sending), 0);
    }
    assert_true(now() - began < 30 * SECOND);
    assert_works(&subject, "after");
    subject_close(&subject);
    sending_free(&sending);
}

static void flush(void **state)
{
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    (void)state;
    open_broker(&subject);
    const struct outbox_publisher_ops *ops = subject.plugin->publisher;
    skip_without(&subject, ops->flush != NULL);
    assert_int_equal(ops->flush(subject.publisher, now() + LONG, &error), OUTBOX_OK);
    assert_works(&subject, "before");
    struct sending *sending = batch_new(&subject, "flush", 10000, LONG);
    publish(sending);
    if (ops->flush(subject.publisher, now() + LONG, &error) != OUTBOX_OK)
        fail_msg("flush: %s", error.text);
    assert_int_equal(sending_ended(sending), 10000);
    assert_all(sending, OUTBOX_ACKED);
    sending_free(&sending);
    subject_close(&subject);
}

static void flush_of_a_paused_broker(void **state)
{
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    (void)state;
    open_broker(&subject);
    const struct outbox_publisher_ops *ops = subject.plugin->publisher;
    skip_without(&subject, ops->flush != NULL);
    assert_works(&subject, "before");
    broker_ask("pause");
    struct sending *sending = batch_new(&subject, "paused", 500, LONG);
    publish(sending);
    int64_t began = now();
    enum outbox_status status = ops->flush(subject.publisher, began + SECOND, &error);
    int64_t took = now() - began;
    broker_ask("resume");
    assert_true(took < CLOSE_LIMIT);
    /* A driver that has noticed already may have given all of them up. */
    assert_true(status == OUTBOX_TIMEOUT || sending_ended(sending) == 500);
    sending_wait(sending);
    assert_int_equal(sending_count(sending, OUTBOX_ACKED) + sending_count(sending, OUTBOX_AWAY),
                     500);
    assert_works(&subject, "after");
    sending_free(&sending);
    subject_close(&subject);
}

/* ---- The broker is gone ------------------------------------------------------------------- */

static void close_with_messages_in_flight(void **state)
{
    struct subject subject;
    (void)state;
    open_broker(&subject);
    assert_works(&subject, "before");
    broker_ask("pause");
    struct sending *sending = batch_new(&subject, "open", 1000, LONG);
    publish(sending);
    int64_t began = now();
    subject.plugin->publisher->close(subject.publisher);
    subject.publisher = NULL;
    int64_t took = now() - began;
    broker_ask("resume");
    if (sending_ended(sending) != 1000 || sending_count(sending, OUTBOX_ACKED) != 0)
        describe(sending);
    assert_int_equal(sending_ended(sending), 1000);
    assert_int_equal(sending_count(sending, OUTBOX_ACKED), 0);
    assert_int_equal(sending_count(sending, OUTBOX_REJECTED), 0);
    print_message("close took %lld ms\n", (long long)(took / 1000000));
    assert_true(took < CLOSE_LIMIT);
    subject_close(&subject);
    sending_free(&sending);
}

/* And within its time. */
static void assert_ping_fails(struct subject *subject)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int64_t began = now();
    enum outbox_status status =
        subject->plugin->publisher->ping(subject->publisher, began + SECOND, &error);
    assert_true(now() - began < CLOSE_LIMIT);
    assert_int_not_equal(status, OUTBOX_OK);
    assert_true(error.text[0] != '\0');
    print_message("ping: %s\n", error.text);
}

static void ping_of_a_paused_broker(void **state)
{
    struct subject subject;
    (void)state;
    open_broker(&subject);
    assert_works(&subject, "before");
    broker_ask("pause");
    assert_ping_fails(&subject);
    assert_ping_fails(&subject);
    broker_ask("resume");
    assert_works(&subject, "after");
    subject_close(&subject);
}

/* The connections of one publisher are gone, another never had any. */
static void broker_killed_and_started(void **state)
{
    struct subject before, meanwhile;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    (void)state;
    open_broker(&before);
    assert_works(&before, "before");
    broker_ask("kill");
    assert_ping_fails(&before);
    assert_ping_fails(&before);
    open_broker(&meanwhile);
    assert_ping_fails(&meanwhile);
    struct sending *sending = batch_new(&meanwhile, "nobody", 500, 5 * SECOND);
    if (sending_publish(sending, &error) == OUTBOX_OK) {
        sending_wait(sending);
        assert_all(sending, OUTBOX_AWAY);
    }
    broker_ask("start");
    assert_works(&before, "after");
    assert_works(&meanwhile, "new");
    subject_close(&before);
    subject_close(&meanwhile);
    sending_free(&sending);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(batches_of_1),
        cmocka_unit_test(batches_of_500),
        cmocka_unit_test(batches_of_10000),
        cmocka_unit_test(keys),
        cmocka_unit_test(bad_header_name),
        cmocka_unit_test(cancel_before_publish),
        cmocka_unit_test(cancel_after_publish),
        cmocka_unit_test(deadline_in_the_past),
        cmocka_unit_test(flush),
        cmocka_unit_test(flush_of_a_paused_broker),
        cmocka_unit_test(close_with_messages_in_flight),
        cmocka_unit_test(ping_of_a_paused_broker),
        cmocka_unit_test(broker_killed_and_started),
    };
    if (argc != 3) {
        (void)fprintf(stderr, "usage: %s FOLDER CASE\n", argv[0]);
        return 2;
    }
    if (!broker_settings() || !broker_topic() || !broker_run()) {
        (void)fprintf(stderr, "no broker: tests/brokers/test_contract.py starts this\n");
        return SKIPPED;
    }
    /* However this program was started: a connection that is lost must not end the relay. */
    (void)signal(SIGPIPE, SIG_DFL);
    subject_use_folder(argv[1]);
    cmocka_set_test_filter(argv[2]);
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    /* A case that failed has left a driver's threads behind, which exit() would pull the floor from
     * under: what they then do is no finding. */
    if (failed)
        _exit(1);
    return 0;
}
