/*
 * test_http_answers.c - what is answered over HTTP, whatever stands in the figures
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/page.h"
#include "sample_view.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct view *busy(void *context)
{
    (void)context;
    return sample_view(0);
}

static struct view *empty(void *context)
{
    (void)context;
    return sample_view_empty();
}

static struct view *stuck(void *context)
{
    (void)context;
    struct view *view = sample_view_empty();
    view->alive = false;
    memcpy(view->stuck, HOSTILE, sizeof(HOSTILE));
    return view;
}

static struct view *no_memory(void *context)
{
    (void)context;
    return NULL;
}

static char *metrics(void *context, size_t *length)
{
    (void)context;
    *length = 4;
    return strdup("a 1\n");
}

static char *no_metrics(void *context, size_t *length)
{
    (void)context, (void)length;
    return NULL;
}

static struct http_answer ask(struct view *(*view)(void *context), const char *path)
{
    const struct http_source source = {view, view == no_memory ? no_metrics : metrics, NULL};
    return http_answer(&source, path);
}

/* The answer as a document; the test releases it. */
static json_t *ask_json(struct view *(*view)(void *context), const char *path, unsigned status)
{
    struct http_answer answer = ask(view, path);
    json_error_t error;
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.type, "application/json");
    assert_non_null(answer.body);
    json_t *document = json_loadb(answer.body, answer.length, JSON_REJECT_DUPLICATES, &error);
    if (!document)
        fail_msg("%s: %s", error.text, answer.body);
    free(answer.body);
    return document;
}

static void assert_json(json_t *document, const char *wanted)
{
    char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15));
    assert_string_equal(text, wanted);
    free(text);
    json_decref(document);
}

/* ---- Health ------------------------------------------------------------------------------- */

static void a_relay_that_moves_is_healthy_though_it_is_not_ready(void **state)
{
    (void)state;
    assert_json(ask_json(busy, "/healthz", 200), "{\"status\":\"ok\"}");
    assert_json(ask_json(stuck, "/healthz", 503),
                "{\"status\":\"stuck\",\"reason\":\"<script>alert(1)</script>\\\"' onload=x &amp; "
                "\\u001B[31m \xef\xbf\xbd\xef\xbf\xbd \xe2\x80\xae\"}");
}

static void readiness_names_each_pipeline_and_why_it_is_not(void **state)
{
    (void)state;
    assert_json(ask_json(empty, "/readyz", 200),
                "{\"status\":\"ready\",\"pipelines\":{\"orders\":{\"status\":\"ready\"}}}");
    json_t *document = ask_json(busy, "/readyz", 503);
    assert_string_equal(json_string_value(json_object_get(document, "status")), "not ready");
    json_t *pipelines = json_object_get(document, "pipelines");
    assert_int_equal(json_object_size(pipelines), 3);
    assert_json(json_incref(json_object_get(pipelines, "orders")), "{\"status\":\"ready\"}");
    assert_json(
        json_incref(json_object_get(pipelines, "invoices")),
        "{\"status\":\"not ready\",\"causes\":[{\"cause\":\"publisher\",\"reason\":\"connect "
        "to mq.example.org:5671: Connection refused; tried again in 8 s\"}]}");
    json_decref(document);
}

/* ---- Figures ------------------------------------------------------------------------------ */

static json_t *pipeline_of(json_t *document, size_t index)
{
    json_t *pipeline = json_array_get(json_object_get(document, "pipelines"), index);
    assert_non_null(pipeline);
    return pipeline;
}

static void figures_hold_everything(void **state)
{
    (void)state;
    json_t *document = ask_json(busy, "/stats", 200), *pipeline = pipeline_of(document, 0);
    assert_int_equal(json_integer_value(json_object_get(document, "pid")), 4711);
    assert_true(json_is_false(json_object_get(document, "ready")));
    assert_json(json_incref(json_object_get(pipeline, "totals")),
                "{\"claimed\":1234567,\"delivered\":1234067,\"dropped\":0,\"retried\":42,"
                "\"unknown\":3,\"rejected\":2,\"dead\":2,\"released\":0,\"stale\":0,\"expired\":0,"
                "\"pruned\":1000000}");
    assert_json(json_incref(json_object_get(pipeline, "table")),
                "{\"counted_ago\":2.0,\"pending\":12840,\"scheduled\":312,\"delivering\":500,"
                "\"delivered\":8412000,\"dead\":17,\"oldest_age\":1.4,\"estimated\":"
                "[\"delivered\"]}");
    assert_json(json_incref(json_object_get(pipeline, "counters")),
                "[{\"driver\":\"sample\",\"counter\":\"deadlocks\",\"value\":3},"
                "{\"driver\":\"sample\",\"counter\":\"lock_timeouts\",\"value\":12}]");
    assert_json(json_incref(json_object_get(pipeline, "holders")),
                "{\"relays\":[{\"relay\":\"host-2-811-77e0b1a4\",\"token\":null,\"self\":false,"
                "\"events\":1500,\"claims\":3,\"held_for\":41.0},{\"relay\":"
                "\"host-1-4711-0a1b2c3d\",\"token\":null,\"self\":true,\"events\":500,"
                "\"claims\":1,\"held_for\":0.12}],\"partial\":false,\"reason\":null}");
    assert_int_equal(json_array_size(json_object_get(pipeline, "dead_events")), 2);
    json_decref(document);
}

static void what_is_not_known_is_null(void **state)
{
    (void)state;
    json_t *document = ask_json(empty, "/stats", 200), *pipeline = pipeline_of(document, 0);
    assert_true(json_is_null(json_object_get(document, "stuck")));
    assert_true(json_is_null(json_object_get(pipeline, "delivered_rate")));
    assert_true(json_is_null(json_object_get(pipeline, "table")));
    assert_true(json_is_null(json_object_get(pipeline, "holders")));
    assert_json(json_incref(json_object_get(json_object_get(pipeline, "latency"), "e2e")),
                "{\"p50\":null,\"p90\":null,\"p99\":null}");
    json_decref(document);

    document = ask_json(busy, "/stats", 200);
    json_t *table = json_object_get(pipeline_of(document, 1), "table");
    assert_true(json_is_null(json_object_get(table, "scheduled")));
    json_decref(document);
}

/* ---- The page ----------------------------------------------------------------------------- */

/* What the server has put into the page; the test frees it. */
static char *ask_figures(struct view *(*view)(void *context))
{
    struct http_answer answer = ask(view, "/");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.type, "text/html; charset=utf-8");
    assert_string_equal(answer.policy, page_policy);
    assert_non_null(answer.body);
    assert_true(answer.length > page_before_length + page_behind_length);
    assert_memory_equal(answer.body, page_before, page_before_length);
    size_t length = answer.length - page_before_length - page_behind_length;
    assert_memory_equal(answer.body + page_before_length + length, page_behind, page_behind_length);
    char *figures = strndup(answer.body + page_before_length, length);
    assert_non_null(figures);
    free(answer.body);
    return figures;
}

static size_t occurrences(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
        count++;
    return count;
}

static void the_page_has_the_figures_without_a_script(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "1,234,567",
        "1,840",
        "12.4\xc2\xa0ms",
        "<small>about</small> 2,412,398",
        "3\xc2\xa0h\xc2\xa0\x31\x32\xc2\xa0min",
        "2026-01-31 11:58:30 UTC",
        "lock_timeouts",
        "<b>Active</b>",
        "<b>Paused</b>",
        "<b>Error</b>",
        "2 of 3 pipelines",
        "host-1-4711-0a1b2c3d",
        "Connection refused",
        "<bdi>host-1-4711-0a1b2c3d</bdi> <small>this relay</small></th><td>500</td>",
        "Not known: <bdi>look who holds events of outbox: in mode hold",
        "There may be more",
    };
    char *figures = ask_figures(busy);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        if (!strstr(figures, wanted[i]))
            fail_msg("\"%s\" is not in the page", wanted[i]);
    free(figures);
    figures = ask_figures(empty);
    assert_non_null(strstr(figures, "<b>Ready</b>"));
    assert_non_null(strstr(figures, "unknown"));
    assert_null(strstr(figures, ">nan"));
    free(figures);
}

static void nothing_hostile_becomes_markup(void **state)
{
    (void)state;
    char *figures = ask_figures(busy);
    assert_int_equal(occurrences(figures, "<script"), 0);
    assert_int_equal(occurrences(figures, "<b>\""), 0);
    assert_true(occurrences(figures, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onload=x "
                                     "&amp;amp; \\x1b[31m \\xff\\xc3 ") >= 8);
    for (const char *at = figures; *at; at++)
        if ((unsigned char)*at < 0x20 && *at != '\n')
            fail_msg("a control character is in the page");
    free(figures);
    figures = ask_figures(stuck);
    assert_int_equal(occurrences(figures, "<script"), 0);
    assert_non_null(strstr(figures, "<b>Stuck</b>"));
    free(figures);
}

static void the_policy_lets_nothing_from_elsewhere_in(void **state)
{
    (void)state;
    assert_memory_equal(page_policy, "default-src 'none'; style-src 'sha256-", 38);
    assert_null(strstr(page_policy, "unsafe"));
    assert_null(strstr(page_policy, "http"));
}

/* ---- The rest ----------------------------------------------------------------------------- */

static void metrics_are_passed_on(void **state)
{
    (void)state;
    struct http_answer answer = ask(busy, "/metrics");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.type, "text/plain; version=0.0.4; charset=utf-8");
    assert_int_equal(answer.length, 4);
    assert_string_equal(answer.body, "a 1\n");
    free(answer.body);
}

static void anything_else_is_not_there(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "/x", "/healthz/", "/HEALTHZ", "//", "/metrics.txt"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        struct http_answer answer = ask(busy, paths[i]);
        assert_int_equal(answer.status, 404);
        assert_string_equal(answer.type, "text/plain; charset=utf-8");
        assert_non_null(strstr(answer.body, "/healthz"));
        assert_int_equal(answer.length, strlen(answer.body));
        free(answer.body);
    }
}

static void without_memory_there_is_no_body(void **state)
{
    (void)state;
    static const char *const paths[] = {"/", "/healthz", "/readyz", "/stats", "/metrics"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        assert_null(ask(no_memory, paths[i]).body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relay_that_moves_is_healthy_though_it_is_not_ready),
        cmocka_unit_test(readiness_names_each_pipeline_and_why_it_is_not),
        cmocka_unit_test(figures_hold_everything),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(the_page_has_the_figures_without_a_script),
        cmocka_unit_test(nothing_hostile_becomes_markup),
        cmocka_unit_test(the_policy_lets_nothing_from_elsewhere_in),
        cmocka_unit_test(metrics_are_passed_on),
        cmocka_unit_test(anything_else_is_not_there),
        cmocka_unit_test(without_memory_there_is_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
