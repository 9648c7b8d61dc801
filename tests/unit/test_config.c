/*
 * test_config.c - what the file says becomes what the relay does, or a list of mistakes
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

#define HTTP(section)                                                                              \
    "{\"http\": " section ", \"pipelines\": [{\"name\": \"orders\","                               \
    " \"store\": {\"driver\": \"sample\", \"url\": \"u\"}, \"publisher\": {\"driver\": "           \
    "\"sample\"}}]}"

static void a_minimal_file_gets_every_default(void **state)
{
    (void)state;
    struct loaded loaded;
    loaded_init_text(&loaded, PIPELINE(""));
    const struct config *config = loaded.config;
    assert_int_equal(config->shutdown_timeout, 30 * SECOND);
    assert_int_equal(config->log_level, OUTBOX_LOG_INFO);
    assert_int_equal(config->log_format, LOG_FORMAT_AUTO);
    assert_null(config->http_listen);
    assert_int_equal(config->stall_after, 8 * SECOND);
    assert_int_equal(config->pipeline_count, 1);
    const struct pipeline_config *pipeline = &config->pipelines[0];
    assert_string_equal(pipeline->name, "orders");
    assert_string_equal(pipeline->store.plugin->name, "sample");
    assert_int_equal(pipeline->store.plugin->kind, OUTBOX_KIND_STORE);
    assert_int_equal(pipeline->publisher.plugin->kind, OUTBOX_KIND_PUBLISHER);
    assert_int_equal(pipeline->mode, OUTBOX_MODE_LEASE);
    assert_int_equal(pipeline->workers, 2);
    assert_true(pipeline->notify);
    assert_false(pipeline->delete_delivered);
    const struct tunables *tunables = &pipeline->tunables;
    assert_int_equal(tunables->batch_size, 500);
    assert_int_equal(tunables->lease, 60 * SECOND);
    assert_int_equal(tunables->foreign_lease, 600 * SECOND);
    assert_int_equal(tunables->poll_min, SECOND / 200);
    assert_int_equal(tunables->poll_max, SECOND / 2);
    assert_int_equal(tunables->publish_timeout, 30 * SECOND);
    assert_int_equal(tunables->max_in_flight, 10000);
    assert_int_equal(tunables->max_payload, 1048576);
    assert_int_equal(tunables->max_attempts, 25);
    assert_int_equal(tunables->base_delay, SECOND);
    assert_int_equal(tunables->max_delay, 86400 * SECOND);
    assert_true(tunables->jitter > 0.149 && tunables->jitter < 0.151);
    loaded_clear(&loaded);
}

static void every_key_of_the_core_takes_effect(void **state)
{
    (void)state;
    struct loaded loaded;
    loaded_init_text(
        &loaded,
        "{\"relay\": {\"id\": \"relay.1_a-B\", \"plugin_path\": [\"/nonexistent\"],"
        "  \"shutdown_timeout\": \"5s\"},"
        " \"log\": {\"level\": \"debug\", \"format\": \"json\"},"
        " \"pipelines\": [{\"name\": \"orders\", \"delivered\": \"delete\","
        "  \"store\": {\"driver\": \"holder\"}, \"publisher\": {\"driver\": \"sample\"},"
        "  \"claim\": {\"mode\": \"hold\", \"batch_size\": 10, \"workers\": 3, \"lease\": \"2s\","
        "   \"foreign_lease\": \"3m\", \"poll_min\": \"1ms\", \"poll_max\": \"2s\","
        "   \"notify\": false},"
        "  \"publish\": {\"timeout\": \"4s\", \"max_in_flight\": 7, \"max_payload\": 2048},"
        "  \"retry\": {\"max_attempts\": 3, \"base_delay\": \"10ms\", \"max_delay\": \"20ms\","
        "   \"jitter\": 0},"
        "  \"order\": {\"by\": \"none\", \"on_dead\": \"continue\"},"
        "  \"route\": {\"topic\": \"{type}\", \"key\": \"{partition_key|}\", \"format\": \"raw\"}"
        "}]}");
    const struct config *config = loaded.config;
    const struct pipeline_config *pipeline = &config->pipelines[0];
    const struct tunables *tunables = &pipeline->tunables;
    assert_string_equal(config->relay_id, "relay.1_a-B");
    assert_int_equal(config->shutdown_timeout, 5 * SECOND);
    assert_int_equal(config->log_level, OUTBOX_LOG_DEBUG);
    assert_int_equal(config->log_format, LOG_FORMAT_JSON);
    assert_int_equal(pipeline->mode, OUTBOX_MODE_HOLD);
    assert_int_equal(pipeline->workers, 3);
    assert_false(pipeline->notify);
    assert_true(pipeline->delete_delivered);
    assert_int_equal(tunables->batch_size, 10);
    assert_int_equal(tunables->lease, 2 * SECOND);
    assert_int_equal(tunables->foreign_lease, 180 * SECOND);
    assert_int_equal(tunables->poll_min, SECOND / 1000);
    assert_int_equal(tunables->poll_max, 2 * SECOND);
    assert_int_equal(tunables->publish_timeout, 4 * SECOND);
    assert_int_equal(tunables->max_in_flight, 7);
    assert_int_equal(tunables->max_payload, 2048);
    assert_int_equal(tunables->max_attempts, 3);
    assert_int_equal(tunables->base_delay, SECOND / 100);
    assert_int_equal(tunables->max_delay, SECOND / 50);
    assert_true(tunables->jitter >= 0 && tunables->jitter <= 0);
    loaded_clear(&loaded);
}

static void with_the_section_http_something_listens(void **state)
{
    (void)state;
    struct loaded loaded;
    loaded_init_text(&loaded, HTTP("{}"));
    assert_string_equal(loaded.config->http_listen, "127.0.0.1:9464");
    assert_int_equal(loaded.config->stall_after, 8 * SECOND);
    loaded_clear(&loaded);
    loaded_init_text(&loaded, HTTP("{\"listen\": \"[::1]:0\", \"stall_after\": \"1m\"}"));
    assert_string_equal(loaded.config->http_listen, "[::1]:0");
    assert_int_equal(loaded.config->stall_after, 60 * SECOND);
    loaded_clear(&loaded);
    assert_refused(HTTP("{\"listen\": \"*:9464\"}"),
                   "http.listen: found no address to listen at, allowed is \"HOST:PORT\", "
                   "\"[IPV6]:PORT\" or \":PORT\" for every address of this machine, with a port "
                   "from 0 to 65535",
                   NULL);
}

static void an_automatic_relay_id_is_new_each_time_and_of_legal_form(void **state)
{
    (void)state;
    struct loaded first, second;
    char pid[32];
    (void)snprintf(pid, sizeof pid, "-%ld-", (long)getpid());
    loaded_init_text(&first, PIPELINE(""));
    loaded_init_text(&second, PIPELINE(""));
    assert_string_not_equal(first.config->relay_id, second.config->relay_id);
    assert_non_null(strstr(first.config->relay_id, pid));
    assert_in_range(strlen(first.config->relay_id), 1, 64);
    assert_int_equal(strspn(first.config->relay_id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                                    "stuvwxyz0123456789._-"),
                     strlen(first.config->relay_id));
    loaded_clear(&first);
    loaded_clear(&second);
}

static void a_syntax_error_tells_line_and_column_but_never_a_value(void **state)
{
    (void)state;
    assert_refused("{\n  \"relay\": }\n", "configuration:2:12: unexpected token near '}'", NULL);
    assert_refused("{\"log\": {\"level\": hunter2}}", "configuration:1:24: invalid token", NULL);
    assert_refused("{\"log\" \"hunter2\"}", "configuration:1:16: ':' expected", NULL);
    assert_refused("{\"log\": {}", "configuration:1:10: '}' expected near end of file", NULL);
    assert_refused("", "configuration:1:0: '[' or '{' expected near end of file", NULL);
    assert_refused("[]", "configuration: found an array, allowed is an object", NULL);
}

static void a_repeated_key_is_named(void **state)
{
    (void)state;
    assert_refused("{\"log\": {},\n \"log\": {}}",
                   "configuration:2:6: duplicate object key near '\"log\"'", NULL);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    assert_source_refused(&(struct config_source){.path = "/nonexistent/relay.json"},
                          "/nonexistent/relay.json: cannot be read: No such file or directory; "
                          "name the configuration with -c FILE or in $OUTBOX_CONFIG",
                          NULL);
    assert_source_refused(&(struct config_source){.path = "/"},
                          "/: cannot be read: Is a directory; name the configuration with -c FILE "
                          "or in $OUTBOX_CONFIG",
                          NULL);
}

static void a_file_is_read_and_its_syntax_errors_carry_its_name(void **state)
{
    (void)state;
    char path[] = "/tmp/outbox-config-XXXXXX", expected[128];
    struct loaded loaded;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    file_write(path, PIPELINE(""), strlen(PIPELINE("")));
    loaded_init(&loaded, &(struct config_source){.path = path});
    assert_non_null(loaded.config);
    loaded_clear(&loaded);

    file_write(path, "{\n\n ]", 5);
    (void)snprintf(expected, sizeof expected, "%s:3:2: string or '}' expected near ']'", path);
    assert_source_refused(&(struct config_source){.path = path}, expected, NULL);
    assert_int_equal(unlink(path), 0);
}

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    assert_refused(
        "{\"log\": {\"levle\": \"info\", \"format\": \"xml\"}, \"relais\": {},"
        " \"pipelines\": ["
        "  {\"name\": \"a b\", \"store\": {\"driver\": \"sample\", \"tabel\": \"t\"},"
        "   \"publisher\": {\"driver\": \"sample\", \"colour\": 1},"
        "   \"claim\": {\"batch_size\": 0, \"workers\": \"two\", \"lease\": 60},"
        "   \"retry\": {\"jitter\": 1.5, \"base_delay\": \"2d\"}, \"publish\": []},"
        "  7,"
        "  {\"store\": {}, \"delivered\": null}]}",
        "relais: unknown key; did you mean \"relay\"?",
        "log.levle: unknown key; did you mean \"level\"?",
        "log.format: found \"xml\", allowed is one of auto, text, json",
        "pipelines[0].name: not a name, allowed is 1 to 64 letters, digits, '.', '_' and '-'",
        "pipelines[0].store.tabel: unknown key; did you mean \"table\"?",
        "pipelines[0].store.url: missing; this key is required: text in quotes or {\"file\": PATH}",
        "pipelines[0].publisher.colour: unknown key; allowed is driver",
        "pipelines[0].claim.batch_size: found 0, allowed is an integer from 1 to 10000",
        "pipelines[0].claim.workers: found \"two\", allowed is an integer from 1 to 64",
        "pipelines[0].claim.lease: found 60, allowed is a duration from 1s to 24h (written "
        "\"5ms\", \"1s\", \"3m\", \"24h\")",
        "pipelines[0].publish: found an array, allowed is an object",
        "pipelines[0].retry.base_delay: found \"2d\", allowed is a duration from 1ms to 24h "
        "(written \"5ms\", \"1s\", \"3m\", \"24h\")",
        "pipelines[0].retry.jitter: found 1.5, allowed is a number from 0 to 1",
        "pipelines[1]: found 7, allowed is an object",
        "pipelines[2].name: missing; this key is required: text in quotes",
        "pipelines[2].delivered: found null, allowed is one of keep, delete",
        "pipelines[2].store.driver: missing; this key is required: the name of a store driver",
        "pipelines[2].publisher: missing; this key is required: an object with \"driver\" and the "
        "keys of that driver",
        NULL);
}

static void there_is_at_least_one_pipeline(void **state)
{
    (void)state;
    assert_refused("{}", "pipelines: missing; this key is required: an array of pipelines", NULL);
    assert_refused("{\"pipelines\": []}", "pipelines: found no pipeline, allowed is at least one",
                   NULL);
    assert_refused("{\"pipelines\": {}}",
                   "pipelines: found an object, allowed is an array of pipelines", NULL);
}

static void values_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    assert_refused(PIPELINE(", \"claim\": {\"poll_min\": \"1s\", \"poll_max\": \"20ms\","
                            " \"lease\": \"11m\"},"
                            " \"retry\": {\"base_delay\": \"3s\", \"max_delay\": \"2s\"}"),
                   "pipelines[0].claim.poll_min: found 1s, allowed is at most claim.poll_max, "
                   "which is 20ms: lower this or raise that",
                   "pipelines[0].claim.lease: found 11m, allowed is at most claim.foreign_lease, "
                   "which is 10m: lower this or raise that",
                   "pipelines[0].retry.base_delay: found 3s, allowed is at most retry.max_delay, "
                   "which is 2s: lower this or raise that",
                   NULL);
}

#define TWO(first, second)                                                                         \
    "{\"pipelines\": [{\"name\": \"" first "\", \"store\": {\"driver\": \"sample\","               \
    " \"url\": \"u\"}, \"publisher\": {\"driver\": \"sample\"}},"                                  \
    " {\"name\": \"" second "\", \"store\": {\"driver\": \"holder\"},"                             \
    " \"publisher\": {\"driver\": \"sample\"}, \"claim\": {\"mode\": \"hold\"}}]}"

static void two_pipelines_cannot_have_one_name(void **state)
{
    (void)state;
    assert_refused(TWO("orders", "orders"),
                   "pipelines[1].name: found \"orders\", which is the name of pipelines[0] already",
                   NULL);
    assert_accepted(TWO("orders", "Orders"));
}

static void one_pipeline_can_be_picked(void **state)
{
    (void)state;
    struct loaded loaded;
    loaded_init(&loaded, &(struct config_source){.text = TWO("orders", "invoices"),
                                                 .only_pipeline = "invoices"});
    assert_non_null(loaded.config);
    assert_int_equal(loaded.config->pipeline_count, 1);
    assert_string_equal(loaded.config->pipelines[0].name, "invoices");
    assert_string_equal(loaded.config->pipelines[0].store.plugin->name, "holder");
    loaded_clear(&loaded);
    assert_source_refused(
        &(struct config_source){.text = TWO("orders", "invoices"), .only_pipeline = "order"},
        "-p order: there is no such pipeline; did you mean \"orders\"?", NULL);
    assert_source_refused(
        &(struct config_source){.text = TWO("orders", "invoices"), .only_pipeline = "mails"},
        "-p mails: there is no such pipeline; allowed is orders, invoices", NULL);
}

static void what_is_not_picked_is_checked_all_the_same(void **state)
{
    (void)state;
    assert_source_refused(
        &(struct config_source){.text = TWO("orders", "in voices"), .only_pipeline = "orders"},
        "pipelines[1].name: not a name, allowed is 1 to 64 letters, digits, "
        "'.', '_' and '-'",
        NULL);
}

static void a_relay_id_must_have_a_legal_form(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "a/b", "a b", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char set[128];
        const char *const list[] = {set};
        (void)snprintf(set, sizeof set, "relay.id=%s", wrong[i]);
        assert_source_refused(
            &(struct config_source){.text = PIPELINE(""), .set = list, .set_count = 1},
            "relay.id: not an id, allowed is \"auto\" or 1 to 64 letters, digits, '.', '_' and "
            "'-'",
            NULL);
    }
}

static void what_later_versions_bring_is_refused_by_name(void **state)
{
    (void)state;
    assert_refused(
        "{\"http\": {\"admin_token\": \"x\"}, \"pipelines\": "
        "[{\"name\": \"orders\","
        " \"store\": {\"driver\": \"sample\", \"url\": \"u\"},"
        " \"publisher\": {\"driver\": \"sample\"},"
        " \"claim\": {\"mode\": \"lanes\", \"lanes\": 64},"
        " \"order\": {\"by\": \"key\", \"on_dead\": \"block\"}}]}",
        "http.admin_token: not available in this version; leave it out",
        "pipelines[0].claim.lanes: not available in this version; leave it out",
        "pipelines[0].claim.mode: found \"lanes\", which is not available in this version; allowed "
        "is one of lease, hold",
        "pipelines[0].order.by: found \"key\", which is not available in this version; allowed is "
        "one of none",
        "pipelines[0].order.on_dead: found \"block\", which is not available in this version; "
        "allowed is one of continue",
        NULL);
}

static void freeing_nothing_is_harmless(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct mistakes mistakes = {NULL, 0};
    config_free(&config);
    config_free(NULL);
    mistakes_clear(&mistakes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minimal_file_gets_every_default),
        cmocka_unit_test(every_key_of_the_core_takes_effect),
        cmocka_unit_test(with_the_section_http_something_listens),
        cmocka_unit_test(an_automatic_relay_id_is_new_each_time_and_of_legal_form),
        cmocka_unit_test(a_syntax_error_tells_line_and_column_but_never_a_value),
        cmocka_unit_test(a_repeated_key_is_named),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(a_file_is_read_and_its_syntax_errors_carry_its_name),
        cmocka_unit_test(all_mistakes_are_told_at_once),
        cmocka_unit_test(there_is_at_least_one_pipeline),
        cmocka_unit_test(values_that_contradict_each_other_are_refused),
        cmocka_unit_test(two_pipelines_cannot_have_one_name),
        cmocka_unit_test(one_pipeline_can_be_picked),
        cmocka_unit_test(what_is_not_picked_is_checked_all_the_same),
        cmocka_unit_test(a_relay_id_must_have_a_legal_form),
        cmocka_unit_test(what_later_versions_bring_is_refused_by_name),
        cmocka_unit_test(freeing_nothing_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
