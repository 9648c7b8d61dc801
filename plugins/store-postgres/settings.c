/*
 * settings.c - the driver's settings, checked
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

static bool is_uri(const char *url)
{
    return strncmp(url, "postgres://", 11) == 0 || strncmp(url, "postgresql://", 13) == 0;
}

static bool is_port_list(const char *text)
{
    return text[strspn(text, "0123456789,")] == '\0';
}

/* libpq reports a bad address by quoting the piece that it does not understand, and with a password
 * that is not percent-encoded that piece is a part of it. So what can go wrong is found here, and
 * said without the address. */
static enum outbox_status check_address(struct settings *settings, struct outbox_error *error)
{
    PQconninfoOption *options = PQconninfoParse(settings->url, NULL);
    if (!options)
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "url: neither postgres://USER:PASSWORD@HOST:PORT/DATABASE nor a list of "
            "key=value that libpq knows; in a URL percent-encode @ / : ? # %% within "
            "user and password");
    bool uri = is_uri(settings->url), misread = false, out_of_memory = false;
    size_t secrets = 0;
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (!option->val)
            continue;
        if (strcmp(option->keyword, "port") == 0 && !is_port_list(option->val))
            misread = true;
        if (uri && strcmp(option->keyword, "host") == 0 && strchr(option->val, '@'))
            misread = true;
        bool secret =
            strcmp(option->keyword, "password") == 0 || strcmp(option->keyword, "sslpassword") == 0;
        if (secret && option->val[0]) {
            settings->secrets[secrets] = strdup(option->val);
            out_of_memory |= !settings->secrets[secrets++];
        }
    }
    PQconninfoFree(options);
    if (out_of_memory)
        return failure_of_memory(error);
    if (misread)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "url: host or port cannot be read: percent-encode @ / : ? # %% within "
                           "user and password");
    return OUTBOX_OK;
}

static char *make_application_name(struct outbox_slice relay_id)
{
    struct buffer name = {0};
    buffer_text(&name, "outbox-relay");
    if (relay_id.data && relay_id.len > 0)
        buffer_text(&name, " %.*s", (int)relay_id.len, relay_id.data);
    return buffer_take(&name);
}

static uint32_t read_partition(const struct outbox_settings *values)
{
    const char *period = outbox_setting_text(values, "partition", "none");
    if (strcmp(period, "day") == 0)
        return OUTBOX_PERIOD_DAY;
    return strcmp(period, "month") == 0 ? OUTBOX_PERIOD_MONTH : 0;
}

enum outbox_status settings_init(struct settings *settings,
                                 const struct outbox_store_config *config,
                                 struct outbox_error *error)
{
    const struct outbox_settings *values = config->settings;
    const char *url = outbox_setting_text(values, "url", NULL);
    const char *password = outbox_setting_text(values, "password", NULL);
    if (!url || !url[0])
        return outbox_fail(error, OUTBOX_INVALID, "", "url: the address of the server is missing");
    if (config->mode != OUTBOX_MODE_LEASE && config->mode != OUTBOX_MODE_HOLD)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "claim mode %u is unknown to this driver",
                           config->mode);
    settings->mode = config->mode;
    settings->delete_delivered = config->delete_delivered != 0;
    settings->wake = outbox_setting_integer(values, "wake", 1) != 0;
    settings->binary_payload = outbox_setting_integer(values, "binary_payload", 0) != 0;
    settings->partition = read_partition(values);
    settings->statement_timeout =
        outbox_setting_integer(values, "statement_timeout", INT64_C(60000000000)) / 1000000;
    settings->url = strdup(url);
    settings->application_name = make_application_name(config->relay_id);
    if (!settings->url || !settings->application_name)
        return failure_of_memory(error);
    if (password && password[0]) {
        settings->password = strdup(password);
        settings->secrets[SECRET_COUNT - 1] = strdup(password);
        if (!settings->password || !settings->secrets[SECRET_COUNT - 1])
            return failure_of_memory(error);
    }
    return check_address(settings, error);
}

void settings_clear(struct settings *settings)
{
    free(settings->url);
    free(settings->password);
    free(settings->application_name);
    for (int i = 0; i < SECRET_COUNT; i++)
        free(settings->secrets[i]);
    *settings = (struct settings){0};
}

void settings_scrub(const struct settings *settings, char *text)
{
    for (int i = 0; i < SECRET_COUNT; i++) {
        const char *secret = settings->secrets[i];
        if (!secret)
            continue;
        size_t len = strlen(secret);
        for (char *at = strstr(text, secret); at; at = strstr(at + len, secret))
            memset(at, '*', len);
    }
}
