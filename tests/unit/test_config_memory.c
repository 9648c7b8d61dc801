/*
 * test_config_memory.c - a configuration is read whole or refused, whichever allocation fails
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The linker sends the allocations of the relay through these. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

/* Allocations until one fails; negative: none does. */
static long left = -1;

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

static const char configuration[] =
    "{\"relay\": {\"plugin_path\": [\"" TEST_DRIVERS "\"]}, \"pipelines\": ["
    " {\"name\": \"a\", \"store\": {\"driver\": \"sample\", \"url\": \"${TEST_UNSET:-u}\","
    "  \"columns\": {\"id\": \"x\"}}, \"publisher\": {\"driver\": \"sample\"}},"
    " {\"name\": \"b\", \"store\": {\"driver\": \"holder\"},"
    "  \"publisher\": {\"driver\": \"mailer\"},"
    "  \"route\": {\"topic\": \"{type}\", \"properties\": {\"priority\": \"1\"}, \"rules\": ["
    "   {\"match\": {\"type\": \"a*\"}, \"key\": \"x{id}\", \"properties\": {\"expires\": \"9\"}}],"
    "   \"headers\": {\"drop\": [\"a\"], \"rename\": {\"b\": \"c\"}, \"set\": {\"d\": \"{{\"}},"
    "   \"cloudevents\": {\"subject\": \"{id}\"}},"
    "  \"claim\": {\"mode\": \"hold\", \"workers\": \"${TEST_UNSET:-3}\"}}]}";

/* Whether the configuration was read although allocation number `at` failed. */
static bool survives(const char *text, long at)
{
    static const char *const set[] = {"pipelines.0.claim.workers=5"};
    struct mistakes mistakes = {NULL, 0};
    struct config *config = NULL;
    left = at;
    struct plugins *plugins = plugins_new();
    if (plugins)
        config = config_load(
            &(struct config_source){.text = text, .set = set, .set_count = 1, .only_pipeline = "b"},
            plugins, &mistakes);
    bool reached = left < 0;
    left = -1;
    if (config)
        assert_int_equal(mistakes.count, 0);
    if (config)
        assert_string_equal(config->pipelines[0].name, "b");
    if (!reached)
        assert_true(plugins != NULL);
    config_free(&config);
    mistakes_clear(&mistakes);
    plugins_free(&plugins);
    return !reached;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    long at = 0;
    while (!survives(configuration, at))
        at++;
    /* Were this few, then the failing would not have reached the relay's own code. */
    assert_true(at > 50);
}

static void any_allocation_may_fail_while_mistakes_are_noted(void **state)
{
    (void)state;
    long at = 0;
    while (!survives("{\"relai\": 1, \"pipelines\": [{\"store\": {\"driver\": \"holdr\"}}]}", at))
        at++;
    assert_true(at > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(any_allocation_may_fail_while_mistakes_are_noted),
    };
    json_set_alloc_funcs(__wrap_malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
