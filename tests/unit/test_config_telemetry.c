/*
 * test_config_telemetry.c - what file and environment say together about telemetry
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND (1000 * MILLISECOND)

extern char **environ;

/* No test sees what is set outside, or what another one set. */
static int without_variables(void **state)
{
    char name[128];

    (void)state;
    for (char **at = environ; *at;) {
        if (strncmp(*at, "OTEL_", 5) != 0) {
            at++;
            continue;
        }
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(*at, "="), *at);
        (void)unsetenv(name);
    }
    return 0;
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

/* A configuration with a section `telemetry`, or without one if it is NULL. */
static const struct telemetry_settings *load(struct loaded *loaded, const char *telemetry)
{
    char text[2048];

    (void)snprintf(text, sizeof(text),
                   "{%s%s%s \"pipelines\": [{\"name\": \"orders\", \"store\": {\"driver\": "
                   "\"sample\", \"url\": \"u\"}, \"publisher\": {\"driver\": \"sample\"}}]}",
                   telemetry ? "\"telemetry\": " : "", telemetry ? telemetry : "",
                   telemetry ? "," : "");
    loaded_init_text(loaded, text);
    return &loaded->config->telemetry;
}

static void assert_endpoints(const char *telemetry, const char *metrics, const char *traces,
                             const char *logs)
{
    const char *const wanted[] = {metrics, traces, logs};
    struct loaded loaded;
    const struct telemetry_settings *settings = load(&loaded, telemetry);

    for (int i = 0; i < SIGNAL_COUNT; i++) {
        if (wanted[i])
            assert_string_equal(settings->signals[i].endpoint, wanted[i]);
        else
            assert_null(settings->signals[i].endpoint);
    }
    loaded_clear(&loaded);
}

static void assert_wrong(const char *telemetry, const char *line)
{
    char text[1024];

    (void)snprintf(text, sizeof(text),
                   "{\"telemetry\": %s, \"pipelines\": [{\"name\": \"orders\", \"store\": "
                   "{\"driver\": \"sample\", \"url\": \"u\"}, \"publisher\": {\"driver\": "
                   "\"sample\"}}]}",
                   telemetry);
    assert_refused(text, line, NULL);
}

/* ---- Where to ----------------------------------------------------------------------------- */

static void who_asks_for_nothing_sends_nothing(void **state)
{
    (void)state;
    set("OTEL_SERVICE_NAME", "x");
    set("OTEL_EXPORTER_OTLP_ENDPOINT", "");
    assert_endpoints(NULL, NULL, NULL, NULL);
}

static void a_section_without_an_address_has_that_of_the_specification(void **state)
{
    (void)state;
    assert_endpoints("{}", "http://localhost:4318/v1/metrics", "http://localhost:4318/v1/traces",
                     "http://localhost:4318/v1/logs");
    assert_endpoints("{\"enabled\": false}", NULL, NULL, NULL);
}

static void an_address_for_all_gets_a_path_and_one_for_a_signal_does_not(void **state)
{
    (void)state;
    set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1//");
    set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces/");
    assert_endpoints(NULL, "http://all:1/v1/metrics", "https://traces/", "http://all:1/v1/logs");
    assert_endpoints("{}", "http://all:1/v1/metrics", "https://traces/", "http://all:1/v1/logs");
}

static void an_address_for_one_signal_sends_no_other(void **state)
{
    (void)state;
    assert_endpoints("{\"logs\": {\"endpoint\": \"http://l/x\"}}", NULL, NULL, "http://l/x");
}

static void the_file_goes_before_the_environment(void **state)
{
    (void)state;
    set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all");
    set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces");
    assert_endpoints("{\"endpoint\": \"http://file\", \"metrics\": {\"endpoint\": \"http://m\"}}",
                     "http://m", "http://file/v1/traces", "http://file/v1/logs");
}

static void signals_are_switched_off_by_either(void **state)
{
    (void)state;
    set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://e");
    set("OTEL_TRACES_EXPORTER", "none");
    set("OTEL_LOGS_EXPORTER", "OTLP");
    assert_endpoints(NULL, "http://e/v1/metrics", NULL, "http://e/v1/logs");
    assert_endpoints("{\"traces\": {\"enabled\": true}, \"metrics\": {\"enabled\": false}}", NULL,
                     "http://e/v1/traces", "http://e/v1/logs");
    set("OTEL_SDK_DISABLED", "TRUE");
    assert_endpoints(NULL, NULL, NULL, NULL);
    assert_endpoints("{\"enabled\": true}", "http://e/v1/metrics", NULL, "http://e/v1/logs");
}

/* ---- How ---------------------------------------------------------------------------------- */

static void defaults_are_those_of_the_specification(void **state)
{
    struct loaded loaded;
    const struct telemetry_settings *settings = load(&loaded, "{}");
    assert_true(settings->processor_share > 0.009 && settings->processor_share < 0.011);
    const struct signal_settings *signals = settings->signals;

    (void)state;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        assert_false(signals[i].is_json || signals[i].is_gzip);
        assert_int_equal(signals[i].timeout, 10 * SECOND);
        assert_int_equal(signals[i].patience, 30 * SECOND);
        assert_int_equal(signals[i].header_count, 0);
        assert_null(signals[i].certificate);
    }
    assert_int_equal(signals[SIGNAL_METRICS].delay, 60 * SECOND);
    assert_int_equal(signals[SIGNAL_TRACES].delay, 5 * SECOND);
    assert_int_equal(signals[SIGNAL_LOGS].delay, 1 * SECOND);
    assert_int_equal(signals[SIGNAL_TRACES].queue_size, 2048);
    assert_int_equal(signals[SIGNAL_LOGS].batch_size, 512);
    assert_true(settings->sampler.is_parent_based && settings->sampler.ratio >= 1);
    assert_string_equal(settings->service_name, "outbox-relay");
    assert_int_equal(settings->warning_count, 0);
    assert_true(loaded.config->is_observed);
    loaded_clear(&loaded);
}

static void variables_are_read(void **state)
{
    (void)state;
    set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    set("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf");
    set("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
    set("OTEL_EXPORTER_OTLP_TIMEOUT", "2500");
    set("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca");
    set("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/key");
    set("OTEL_EXPORTER_OTLP_HEADERS", " a = b%20c ,d=,");
    set("OTEL_METRIC_EXPORT_INTERVAL", "15000");
    set("OTEL_BSP_MAX_QUEUE_SIZE", "100");
    set("OTEL_BSP_SCHEDULE_DELAY", "20");
    set("OTEL_BLRP_EXPORT_TIMEOUT", "7");
    struct loaded loaded;
    const struct telemetry_settings *settings = load(&loaded, "{}");
    const struct signal_settings *metrics = &settings->signals[SIGNAL_METRICS];
    const struct signal_settings *traces = &settings->signals[SIGNAL_TRACES];
    const struct signal_settings *logs = &settings->signals[SIGNAL_LOGS];
    assert_true(metrics->is_json && traces->is_json && !logs->is_json && logs->is_gzip);
    assert_int_equal(traces->timeout, 2500 * MILLISECOND);
    assert_string_equal(traces->certificate, "/ca");
    assert_string_equal(traces->client_key, "/key");
    assert_null(logs->client_key);
    assert_int_equal(metrics->header_count, 2);
    assert_string_equal(metrics->headers[0].name.data, "a");
    assert_string_equal(metrics->headers[0].value.data, "b c");
    assert_string_equal(metrics->headers[1].name.data, "d");
    assert_string_equal(metrics->headers[1].value.data, "");
    assert_int_equal(metrics->delay, 15 * SECOND);
    assert_int_equal(traces->queue_size, 100);
    assert_int_equal(traces->batch_size, 100); /* never more than the queue holds */
    assert_int_equal(traces->delay, 20 * MILLISECOND);
    assert_int_equal(logs->patience, 7 * MILLISECOND);
    assert_int_equal(settings->warning_count, 0);
    loaded_clear(&loaded);
}

static void a_key_of_the_file_wins_where_it_is_written(void **state)
{
    (void)state;
    set("OTEL_EXPORTER_OTLP_TIMEOUT", "1");
    set("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b");
    set("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
    set("OTEL_SERVICE_NAME", "of-the-environment");
    set("OTEL_RESOURCE_ATTRIBUTES", "a=b");
    struct loaded loaded;
    const struct telemetry_settings *settings =
        load(&loaded, "{\"timeout\": \"3s\", \"headers\": {\"x\": \"y\"}, \"resource_attributes\": "
                      "{\"service.name\": \"of-the-file\"}, \"logs\": {\"timeout\": \"4s\"}}");
    assert_int_equal(settings->signals[SIGNAL_TRACES].timeout, 3 * SECOND);
    assert_int_equal(settings->signals[SIGNAL_LOGS].timeout, 4 * SECOND);
    assert_string_equal(settings->signals[SIGNAL_TRACES].headers[0].name.data, "x");
    assert_true(settings->signals[SIGNAL_TRACES].is_gzip);
    assert_string_equal(settings->service_name, "of-the-file");
    assert_int_equal(settings->attribute_count, 1);
    loaded_clear(&loaded);
}

static void samplers_are_known_by_name(void **state)
{
    static const struct {
        const char *name, *argument;
        bool is_parent_based;
        double ratio;
    } cases[] = {
        {"always_on", NULL, false, 1},
        {"always_off", NULL, false, 0},
        {"traceidratio", "0.25", false, 0.25},
        {"parentbased_always_on", "0.5", true, 1},
        {"parentbased_always_off", NULL, true, 0},
        {"parentbased_traceidratio", NULL, true, 1},
        {"parentbased_traceidratio", "0", true, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct loaded loaded;
        set("OTEL_TRACES_SAMPLER", cases[i].name);
        set("OTEL_TRACES_SAMPLER_ARG", cases[i].argument ? cases[i].argument : "");
        const struct telemetry_settings *settings = load(&loaded, "{}");
        assert_int_equal(settings->sampler.is_parent_based, cases[i].is_parent_based);
        assert_float_equal(settings->sampler.ratio, cases[i].ratio, 1e-9);
        loaded_clear(&loaded);
    }
    struct loaded loaded;
    const struct telemetry_settings *settings =
        load(&loaded, "{\"traces\": {\"sampler\": \"traceidratio\", \"ratio\": 0.125}}");
    assert_false(settings->sampler.is_parent_based);
    assert_float_equal(settings->sampler.ratio, 0.125, 1e-9);
    loaded_clear(&loaded);
    /* Nobody who switches traces off by a variable finds the file refused for it. */
    set("OTEL_TRACES_SAMPLER", "always_off");
    settings = load(&loaded, "{\"traces\": {\"ratio\": 0.125}}");
    assert_float_equal(settings->sampler.ratio, 0, 1e-9);
    loaded_clear(&loaded);
}

/* ---- Mistakes ----------------------------------------------------------------------------- */

static void wrong_variables_are_named_once_and_as_good_as_unset(void **state)
{
    static const char *const variables[] = {
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_METRIC_EXPORT_INTERVAL",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
        "OTEL_TRACES_SAMPLER",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_LOGS_EXPORTER",
        "OTEL_SDK_DISABLED",
    };
    static const char *const values[] = {"10s",  "s3cr3t", "lz4", "grpc",   "-1", "0",
                                         "2049", "often",  "a=%", "syslog", "yes"};

    (void)state;
    for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
        (void)without_variables(NULL);
        set(variables[i], values[i]);
        struct loaded loaded;
        const struct telemetry_settings *settings = load(&loaded, "{}");
        assert_int_equal(settings->warning_count, 1);
        assert_string_equal(settings->warnings[0].variable, variables[i]);
        assert_null(strstr(settings->warnings[0].problem, "s3cr3t"));
        assert_int_equal(settings->signals[SIGNAL_LOGS].timeout, 10 * SECOND);
        assert_int_equal(settings->signals[SIGNAL_METRICS].delay, 60 * SECOND);
        assert_int_equal(settings->signals[SIGNAL_LOGS].batch_size, 512);
        assert_int_equal(settings->attribute_count, 0);
        loaded_clear(&loaded);
    }
}

static void a_wrong_address_in_the_environment_sends_nothing(void **state)
{
    (void)state;
    set("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317");
    struct loaded loaded;
    const struct telemetry_settings *settings = load(&loaded, NULL);
    assert_null(settings->signals[SIGNAL_METRICS].endpoint);
    assert_int_equal(settings->warning_count, 1);
    loaded_clear(&loaded);
}

/* Else its beginning would be shown as a host where the log tells where things go. */
static void a_password_that_is_not_encoded_makes_no_address(void **state)
{
    static const char *const wrong[] = {"http://u:p/w@h",    "http://u:p?w@h", "http://:1",
                                        "http://u:p#w@h/v1", "http://u:p@",    "http://u@:4318",
                                        "http://[::1]:x",    "http://h:1:2"};
    static const char *const right[] = {"http://u:p@q@h", "http://h:", "http://[::1]",
                                        "http://[::1]:4318", "http://u:p@[::1]:4318"};
    char wanted[3][64];
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        set("OTEL_EXPORTER_OTLP_ENDPOINT", wrong[i]);
        set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", wrong[i]);
        assert_endpoints(NULL, NULL, NULL, NULL);
    }
    (void)unsetenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
        set("OTEL_EXPORTER_OTLP_ENDPOINT", right[i]);
        (void)snprintf(wanted[0], sizeof(*wanted), "%s/v1/metrics", right[i]);
        (void)snprintf(wanted[1], sizeof(*wanted), "%s/v1/traces", right[i]);
        (void)snprintf(wanted[2], sizeof(*wanted), "%s/v1/logs", right[i]);
        assert_endpoints(NULL, wanted[0], wanted[1], wanted[2]);
    }
}

static void mistakes_of_the_file_are_refused(void **state)
{
    (void)state;
    assert_wrong("{\"protocol\": \"grpc\"}",
                 "telemetry.protocol: found \"grpc\", which is not available in this version; "
                 "allowed is one of http/protobuf, http/json");
    assert_wrong("{\"endpoint\": \"localhost:4318\"}",
                 "telemetry.endpoint: not an address, allowed is one such as "
                 "http://localhost:4318 or https://collector.example:4318");
    assert_wrong("{\"logs\": {\"endpoint\": \"http://\"}}",
                 "telemetry.logs.endpoint: not an address, allowed is one such as "
                 "http://localhost:4318 or https://collector.example:4318");
    assert_wrong("{\"headers\": {\"a\": \"b\\nc\"}}",
                 "telemetry.headers: a name or value cannot stand in a header of HTTP");
    assert_wrong("{\"traces\": {\"batch_size\": 600, \"queue_size\": 500}}",
                 "telemetry.traces.batch_size: found 600, allowed is at most the queue's size, "
                 "which is 500: lower this or raise traces.queue_size");
    assert_wrong("{\"traces\": {\"ratio\": 0.05}}",
                 "telemetry.traces.ratio: counts for nothing with the sampler "
                 "parentbased_always_on: set traces.sampler to parentbased_traceidratio or "
                 "traceidratio");
    assert_wrong("{\"metric\": {}}", "telemetry.metric: unknown key; did you mean \"metrics\"?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_asks_for_nothing_sends_nothing, without_variables),
        cmocka_unit_test_setup(a_password_that_is_not_encoded_makes_no_address, without_variables),
        cmocka_unit_test_setup(a_section_without_an_address_has_that_of_the_specification,
                               without_variables),
        cmocka_unit_test_setup(an_address_for_all_gets_a_path_and_one_for_a_signal_does_not,
                               without_variables),
        cmocka_unit_test_setup(an_address_for_one_signal_sends_no_other, without_variables),
        cmocka_unit_test_setup(the_file_goes_before_the_environment, without_variables),
        cmocka_unit_test_setup(signals_are_switched_off_by_either, without_variables),
        cmocka_unit_test_setup(defaults_are_those_of_the_specification, without_variables),
        cmocka_unit_test_setup(variables_are_read, without_variables),
        cmocka_unit_test_setup(a_key_of_the_file_wins_where_it_is_written, without_variables),
        cmocka_unit_test_setup(samplers_are_known_by_name, without_variables),
        cmocka_unit_test_setup(wrong_variables_are_named_once_and_as_good_as_unset,
                               without_variables),
        cmocka_unit_test_setup(a_wrong_address_in_the_environment_sends_nothing, without_variables),
        cmocka_unit_test_setup(mistakes_of_the_file_are_refused, without_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
