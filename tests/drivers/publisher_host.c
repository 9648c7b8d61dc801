/*
 * publisher_host.c - stands in for the relay towards a publisher under test
 * SPDX-License-Identifier: MIT
 */
#include "publisher_host.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
/* After those that it needs. */
#include <cmocka.h>

#define MOST_OPTIONS 16
#define LONGEST_ID 64

static const char *plugins_folder = ".";

/* ---- The relay's side --------------------------------------------------------------------- */

static int64_t host_now(const struct outbox_host *host)
{
    struct timespec now;
    (void)host;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static void host_log(const struct outbox_host *host, uint32_t level, const char *text)
{
    struct subject *subject = host->context;
    if (level > OUTBOX_LOG_WARN)
        return;
    (void)fprintf(stderr, "# %s\n", text);
    (void)pthread_mutex_lock(&subject->mutex);
    subject->logged++;
    (void)pthread_mutex_unlock(&subject->mutex);
}

static void host_count(const struct outbox_host *host, const char *counter, int64_t increment)
{
    (void)host;
    (void)counter;
    (void)increment;
}

static void end_message(struct sending *sending, uint64_t index, const struct outbox_result *result)
{
    struct ending *ending = &sending->endings[index];
    if (index >= sending->batch.count || ending->outcome != 0) {
        (void)fprintf(stderr, "message %" PRIu64 " was completed twice or does not exist\n", index);
        abort();
    }
    ending->outcome = result->outcome;
    if (result->reason.data)
        (void)snprintf(ending->reason, sizeof(ending->reason), "%.*s", (int)result->reason.len,
                       result->reason.data);
}

static void host_complete(const struct outbox_host *host, const struct outbox_batch *batch,
                          uint64_t first, uint64_t count, const struct outbox_result *result)
{
    struct subject *subject = host->context;
    struct sending *sending = (struct sending *)(void *)(uintptr_t)batch;
    (void)pthread_mutex_lock(&subject->mutex);
    for (uint64_t i = 0; i < count; i++)
        end_message(sending, first + i, result);
    sending->ended += count;
    sending->calls++;
    sending->last_end = host_now(host);
    (void)pthread_cond_broadcast(&subject->completed);
    (void)pthread_mutex_unlock(&subject->mutex);
}

/* ---- Settings and opening ----------------------------------------------------------------- */

void subject_use_folder(const char *folder)
{
    plugins_folder = folder;
}

static const struct outbox_plugin *load(const char *name)
{
    char path[4096];
    const struct outbox_host host = {.size = sizeof(host),
                                     .abi_major = OUTBOX_ABI_MAJOR,
                                     .abi_minor = OUTBOX_ABI_MINOR,
                                     .log = host_log};
    outbox_plugin_entry_fn *entry;
    (void)snprintf(path, sizeof(path), "%s/publisher-%s/publisher-%s.so", plugins_folder, name,
                   name);
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        fail_msg("%s", dlerror());
    void *symbol = dlsym(object, OUTBOX_PLUGIN_SYMBOL);
    assert_non_null(symbol);
    memcpy(&entry, &symbol, sizeof(entry));
    return entry(&host);
}

/* Defaults of these drivers are plain numbers, a zero with a unit, or words. */
static void set_default(const struct outbox_option *option, struct outbox_setting *setting)
{
    const char *text = option->default_value;
    *setting = (struct outbox_setting){.name = option->name, .type = option->type};
    if (!text)
        return;
    setting->is_set = 1;
    setting->text = text;
    setting->integer = strcmp(text, "true") == 0 ? 1 : (int64_t)strtoll(text, NULL, 10);
    setting->number = strtod(text, NULL);
}

static uint64_t gather_settings(const struct outbox_plugin *plugin,
                                const struct outbox_setting *given,
                                struct outbox_setting values[MOST_OPTIONS])
{
    assert_in_range(plugin->option_count, 1, MOST_OPTIONS);
    for (uint64_t i = 0; i < plugin->option_count; i++)
        set_default(&plugin->options[i], &values[i]);
    for (; given && given->name; given++) {
        uint64_t i = 0;
        while (i < plugin->option_count && strcmp(values[i].name, given->name) != 0)
            i++;
        assert_true(i < plugin->option_count);
        uint32_t type = values[i].type;
        values[i] = *given;
        values[i].type = type;
        values[i].is_set = 1;
    }
    return plugin->option_count;
}

void subject_load(struct subject *subject, const char *name)
{
    *subject = (struct subject){.host = {.size = sizeof(subject->host),
                                         .abi_major = OUTBOX_ABI_MAJOR,
                                         .abi_minor = OUTBOX_ABI_MINOR,
                                         .context = subject,
                                         .log = host_log,
                                         .now = host_now,
                                         .complete = host_complete,
                                         .count = host_count},
                                .plugin = load(name)};
    assert_int_equal(subject->plugin->kind, OUTBOX_KIND_PUBLISHER);
    assert_string_equal(subject->plugin->name, name);
    assert_int_equal(pthread_mutex_init(&subject->mutex, NULL), 0);
    assert_int_equal(pthread_cond_init(&subject->completed, NULL), 0);
}

enum outbox_status subject_open_with(struct subject *subject,
                                     const struct outbox_settings *settings,
                                     struct outbox_error *error)
{
    return subject->plugin->publisher->open(&subject->host, settings, &subject->publisher, error);
}

enum outbox_status subject_try_open(struct subject *subject, const char *name,
                                    const struct outbox_setting *given, struct outbox_error *error)
{
    struct outbox_setting values[MOST_OPTIONS];
    subject_load(subject, name);
    struct outbox_settings settings = {.size = sizeof(settings),
                                       .values = values,
                                       .value_size = sizeof(values[0]),
                                       .count = gather_settings(subject->plugin, given, values)};
    return subject_open_with(subject, &settings, error);
}

void subject_open(struct subject *subject, const char *name, const struct outbox_setting *given)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    if (subject_try_open(subject, name, given, &error) != OUTBOX_OK)
        fail_msg("open %s: %s", name, error.text);
    /* Nothing that open() was given lives longer than the call, but the host. */
}

void subject_close(struct subject *subject)
{
    if (subject->publisher)
        subject->plugin->publisher->close(subject->publisher);
    subject->publisher = NULL;
    (void)pthread_cond_destroy(&subject->completed);
    (void)pthread_mutex_destroy(&subject->mutex);
}

enum outbox_status subject_ping(struct subject *subject, struct outbox_error *error)
{
    int64_t deadline = host_now(&subject->host) + SECOND / 10;
    return subject->plugin->publisher->ping(subject->publisher, deadline, error);
}

/* ---- Sending ------------------------------------------------------------------------------ */

struct sending *sending_new(struct subject *subject, const char *prefix, uint64_t count,
                            uint64_t size, int64_t timeout)
{
    struct sending *sending = calloc(1, sizeof(*sending));
    assert_non_null(sending);
    sending->subject = subject;
    sending->events = calloc(count, sizeof(*sending->events));
    sending->messages = calloc(count, sizeof(*sending->messages));
    sending->endings = calloc(count, sizeof(*sending->endings));
    sending->texts = malloc(count * (LONGEST_ID + size));
    assert_true(sending->events && sending->messages && sending->endings && sending->texts);
    sending->batch = (struct outbox_batch){.size = sizeof(sending->batch),
                                           .messages = sending->messages,
                                           .message_size = sizeof(sending->messages[0]),
                                           .count = count,
                                           .deadline = host_now(&subject->host) + timeout};
    for (uint64_t i = 0; i < count; i++) {
        char *id = sending->texts + i * (LONGEST_ID + size), *payload = id + LONGEST_ID;
        struct outbox_event *event = &sending->events[i];
        struct outbox_message *message = &sending->messages[i];
        (void)snprintf(id, LONGEST_ID, "%s-%" PRIu64, prefix, i);
        memset(payload, 'a' + (int)(i % 26), size);
        event->id = outbox_slice_of(id);
        event->type = outbox_slice_of("t");
        event->payload = (struct outbox_slice){payload, size};
        event->payload_size = size;
        message->event = event;
        message->topic = event->type;
        message->payload = event->payload;
    }
    return sending;
}

void sending_free(struct sending **sending)
{
    if (!*sending)
        return;
    free((*sending)->events);
    free((*sending)->messages);
    free((*sending)->headers);
    free((*sending)->endings);
    free((*sending)->texts);
    free(*sending);
    *sending = NULL;
}

enum outbox_status sending_publish(struct sending *sending, struct outbox_error *error)
{
    struct subject *subject = sending->subject;
    return subject->plugin->publisher->publish(subject->publisher, &sending->batch, error);
}

uint64_t sending_ended(struct sending *sending)
{
    struct subject *subject = sending->subject;
    (void)pthread_mutex_lock(&subject->mutex);
    uint64_t ended = sending->ended;
    (void)pthread_mutex_unlock(&subject->mutex);
    return ended;
}

/* A message that never ends shows as a test that never does, which the test runner ends. */
void sending_wait(struct sending *sending)
{
    struct subject *subject = sending->subject;
    (void)pthread_mutex_lock(&subject->mutex);
    while (sending->ended < sending->batch.count)
        (void)pthread_cond_wait(&subject->completed, &subject->mutex);
    (void)pthread_mutex_unlock(&subject->mutex);
}

/* Also called by threads that may not use cmocka. */
void sending_finish(struct sending *sending)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    if (sending_publish(sending, &error) != OUTBOX_OK) {
        (void)fprintf(stderr, "publish: %s\n", error.text);
        abort();
    }
    sending_wait(sending);
}

uint64_t sending_count(const struct sending *sending, uint32_t outcome)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < sending->batch.count; i++)
        count += sending->endings[i].outcome == outcome;
    return count;
}

uint64_t sending_prefix(const struct sending *sending, uint32_t outcome)
{
    uint64_t count = 0;
    while (count < sending->batch.count && sending->endings[count].outcome == outcome)
        count++;
    assert_int_equal(count, sending_count(sending, outcome));
    return count;
}
