/*
 * settings.c - what the configuration says of the server and of what is sent to it
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include "url.h"

#include <stdlib.h>
#include <sys/un.h>

#define SENTINEL_PORT "26379"
#define MOST_SENTINELS 100u

static enum outbox_status out_of_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "read the settings: out of memory");
}

static enum outbox_status copy(const struct outbox_settings *given, const char *name, char **text,
                               struct outbox_error *error)
{
    const char *value = outbox_setting_text(given, name, NULL);
    if (!value)
        return OUTBOX_OK;
    *text = strdup(value);
    return *text ? OUTBOX_OK : out_of_memory(error);
}

static enum outbox_status copy_texts(const struct outbox_settings *given, struct settings *settings,
                                     struct outbox_error *error)
{
    const struct {
        const char *name;
        char **text;
    } texts[] = {
        {"path", &settings->path},
        {"master_name", &settings->master_name},
        {"sentinel_username", &settings->sentinel_username},
        {"sentinel_password", &settings->sentinel_password},
        {"username", &settings->username},
        {"password", &settings->password},
        {"tls_ca", &settings->tls_ca},
        {"tls_certificate", &settings->tls_certificate},
        {"tls_key", &settings->tls_key},
        {"payload_field", &settings->payload_field},
        {"key_field", &settings->key_field},
        {"header_prefix", &settings->header_prefix},
    };
    enum outbox_status status = OUTBOX_OK;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && status == OUTBOX_OK; i++)
        status = copy(given, texts[i].name, texts[i].text, error);
    return status;
}

static enum kind kind_of(const char *type)
{
    if (strcmp(type, "list") == 0)
        return KIND_LIST;
    return strcmp(type, "pubsub") == 0 ? KIND_PUBSUB : KIND_STREAM;
}

static enum missing missing_of(const char *choice)
{
    if (strcmp(choice, "retry") == 0)
        return MISSING_RETRY;
    return strcmp(choice, "reject") == 0 ? MISSING_REJECT : MISSING_CREATE;
}

static void copy_numbers(const struct outbox_settings *given, struct settings *settings)
{
    settings->database = outbox_setting_integer(given, "database", -1);
    settings->tls = outbox_setting_integer(given, "tls", 0) != 0;
    settings->kind = kind_of(outbox_setting_text(given, "type", "stream"));
    settings->envelope = outbox_setting_integer(given, "envelope", 1) != 0;
    settings->max_length = outbox_setting_integer(given, "max_length", 0);
    settings->max_age = outbox_setting_integer(given, "max_age", 0);
    settings->trims_exactly =
        strcmp(outbox_setting_text(given, "trim", "approximate"), "exact") == 0;
    settings->on_missing = missing_of(outbox_setting_text(given, "on_missing_stream", "create"));
    settings->wait_replicas = outbox_setting_integer(given, "wait_replicas", 0);
    settings->wait_timeout = outbox_setting_integer(given, "wait_timeout", 1000000000);
    settings->connections = outbox_setting_integer(given, "connections", 1);
    settings->window = outbox_setting_integer(given, "window", 10000);
    settings->connect_timeout = outbox_setting_integer(given, "connect_timeout", 5000000000);
    settings->response_timeout = outbox_setting_integer(given, "response_timeout", 5000000000);
}

/* ---- Where the server is ------------------------------------------------------------------ */

static enum outbox_status take_url(struct settings *settings, const char *text,
                                   struct outbox_error *error)
{
    struct url url;
    enum outbox_status status = url_parse(&url, text, error);
    if (status != OUTBOX_OK)
        return status;
    if ((url.username && settings->username) || (url.password && settings->password))
        status = outbox_fail(error, OUTBOX_INVALID, "",
                             "the user name or password stands in \"url\" and again in "
                             "\"username\" or \"password\": keep one of them");
    else if (url.database >= 0 && settings->database >= 0 && url.database != settings->database)
        status = outbox_fail(error, OUTBOX_INVALID, "",
                             "\"url\" names database %lld and \"database\" is %lld: keep one of "
                             "them",
                             (long long)url.database, (long long)settings->database);
    if (status != OUTBOX_OK) {
        url_clear(&url);
        return status;
    }
    settings->tls = settings->tls || url.tls;
    settings->server = (struct place){url.host, url.port};
    if (url.username)
        settings->username = url.username;
    if (url.password)
        settings->password = url.password;
    if (url.database >= 0)
        settings->database = url.database;
    return OUTBOX_OK;
}

static enum outbox_status take_sentinels(struct settings *settings, const char *text,
                                         struct outbox_error *error)
{
    settings->sentinels = calloc(MOST_SENTINELS, sizeof(*settings->sentinels));
    if (!settings->sentinels)
        return out_of_memory(error);
    while (*text) {
        text += strspn(text, " ");
        size_t len = strcspn(text, ",");
        const char *next = text + len + (text[len] == ',');
        while (len > 0 && text[len - 1] == ' ')
            len--;
        struct place *place = &settings->sentinels[settings->sentinel_count];
        if (settings->sentinel_count == MOST_SENTINELS ||
            !url_split_host(text, len, SENTINEL_PORT, &place->host, &place->port))
            return outbox_fail(
                error, OUTBOX_INVALID, "",
                "\"sentinels\" has \"%.*s\": write HOST[:PORT],HOST[:PORT]..., %u at "
                "most",
                (int)(len < 100 ? len : 100), text, MOST_SENTINELS);
        settings->sentinel_count++;
        text = next;
    }
    if (settings->sentinel_count == 0)
        return outbox_fail(error, OUTBOX_INVALID, "", "\"sentinels\" is empty: name one at least");
    return OUTBOX_OK;
}

static enum outbox_status take_place(const struct outbox_settings *given, struct settings *settings,
                                     struct outbox_error *error)
{
    const char *url = outbox_setting_text(given, "url", NULL);
    const char *sentinels = outbox_setting_text(given, "sentinels", NULL);
    if ((url != NULL) + (sentinels != NULL) + (settings->path != NULL) != 1)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "%s: say where Redis is by one of \"url\", \"path\" (a Unix socket) and "
                           "\"sentinels\" with \"master_name\"",
                           url || sentinels || settings->path ? "two addresses are given"
                                                              : "no address is given");
    if ((sentinels != NULL) != (settings->master_name != NULL))
        return outbox_fail(
            error, OUTBOX_INVALID, "", "\"%s\" is given without \"%s\": both or none",
            sentinels ? "sentinels" : "master_name", sentinels ? "master_name" : "sentinels");
    if (!sentinels && (settings->sentinel_username || settings->sentinel_password))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"sentinel_username\" or \"sentinel_password\" is given without "
                           "\"sentinels\"");
    if (settings->path && (*settings->path == '\0' ||
                           strlen(settings->path) >= sizeof(((struct sockaddr_un *)0)->sun_path)))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"path\" is empty or longer than the name of a socket can be");
    if (url)
        return take_url(settings, url, error);
    return sentinels ? take_sentinels(settings, sentinels, error) : OUTBOX_OK;
}

/* ---- What contradicts what ---------------------------------------------------------------- */

static enum outbox_status check_login(const struct settings *settings, struct outbox_error *error)
{
    if ((settings->username && !settings->password) ||
        (settings->sentinel_username && !settings->sentinel_password))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "a user name is given without a password: for a user that needs none, "
                           "give any");
    return OUTBOX_OK;
}

static enum outbox_status check_tls(const struct settings *settings, struct outbox_error *error)
{
    const char *without = settings->tls_ca            ? "tls_ca"
                          : settings->tls_certificate ? "tls_certificate"
                          : settings->tls_key         ? "tls_key"
                                                      : NULL;
    if (without && !settings->tls)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"%s\" is given and the connection would not use TLS: write rediss:// "
                           "in \"url\", or \"tls\": true with sentinels",
                           without);
    if (settings->tls && settings->path)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"tls\" and \"path\" contradict each other: a Unix socket has no TLS");
    if ((settings->tls_certificate != NULL) != (settings->tls_key != NULL))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"tls_certificate\" and \"tls_key\": give both or none");
    return OUTBOX_OK;
}

static enum outbox_status check_stream(const struct settings *settings, struct outbox_error *error)
{
    if (settings->kind != KIND_STREAM && (settings->max_length > 0 || settings->max_age > 0 ||
                                          settings->on_missing != MISSING_CREATE))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"max_length\", \"max_age\" and \"on_missing_stream\" mean streams, "
                           "and \"type\" is %s",
                           settings->kind == KIND_LIST ? "list" : "pubsub");
    if (settings->max_length > 0 && settings->max_age > 0)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"max_length\" and \"max_age\" are both given: Redis trims by one of "
                           "them");
    if (*settings->payload_field == '\0' || *settings->key_field == '\0' ||
        strcmp(settings->payload_field, settings->key_field) == 0)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"payload_field\" is \"%.60s\" and \"key_field\" is \"%.60s\": write "
                           "two different names",
                           settings->payload_field, settings->key_field);
    if (settings->kind == KIND_PUBSUB && settings->wait_replicas > 0)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"wait_replicas\" is given and \"type\" is pubsub, of which nothing "
                           "stays anywhere");
    if (settings->wait_replicas > 0 && settings->wait_timeout >= settings->response_timeout)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"wait_timeout\" must be shorter than \"response_timeout\"");
    return OUTBOX_OK;
}

enum outbox_status settings_new(const struct outbox_settings *given, struct settings **settings,
                                struct outbox_error *error)
{
    struct settings *made = calloc(1, sizeof(*made));
    if (!made)
        return out_of_memory(error);
    copy_numbers(given, made);
    enum outbox_status status = copy_texts(given, made, error);
    if (status == OUTBOX_OK)
        status = take_place(given, made, error);
    if (status == OUTBOX_OK)
        status = check_login(made, error);
    if (status == OUTBOX_OK)
        status = check_tls(made, error);
    if (status == OUTBOX_OK)
        status = check_stream(made, error);
    if (status != OUTBOX_OK)
        settings_free(&made);
    *settings = made;
    return status;
}

static void place_clear(struct place *place)
{
    free(place->host);
    free(place->port);
}

void settings_free(struct settings **settings)
{
    struct settings *gone = *settings;
    *settings = NULL;
    if (!gone)
        return;
    place_clear(&gone->server);
    for (uint64_t i = 0; i < gone->sentinel_count; i++)
        place_clear(&gone->sentinels[i]);
    free(gone->sentinels);
    free(gone->path);
    free(gone->master_name);
    free(gone->sentinel_username);
    free(gone->sentinel_password);
    free(gone->username);
    free(gone->password);
    free(gone->tls_ca);
    free(gone->tls_certificate);
    free(gone->tls_key);
    free(gone->payload_field);
    free(gone->key_field);
    free(gone->header_prefix);
    free(gone);
}
