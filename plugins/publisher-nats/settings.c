/*
 * settings.c - what the driver was told, checked and copied
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include "turn.h"

#include "nkey.h"
#include "subject.h"
#include "wire_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static bool copy(const struct outbox_settings *given, const char *name, char **to)
{
    const char *text = outbox_setting_text(given, name, NULL);
    *to = text ? strdup(text) : NULL;
    return !text || *to;
}

static bool copy_texts(const struct outbox_settings *given, struct settings *made)
{
    return copy(given, "username", &made->username) && copy(given, "password", &made->password) &&
           copy(given, "token", &made->token) && copy(given, "nkey_seed", &made->nkey_seed) &&
           copy(given, "credentials", &made->credentials) && copy(given, "tls_ca", &made->tls_ca) &&
           copy(given, "tls_certificate", &made->tls_certificate) &&
           copy(given, "tls_key", &made->tls_key) && copy(given, "name", &made->name) &&
           copy(given, "inbox_prefix", &made->inbox_prefix) &&
           copy(given, "key_header", &made->key_header);
}

static enum outbox_status check_file(const char *key, const char *path, struct outbox_error *error)
{
    if (!path)
        return OUTBOX_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
        return OUTBOX_OK;
    }
    return outbox_fail(error, OUTBOX_INVALID, strerrorname_np(errno),
                       "\"%s\": read %.300s: %s; name a file that the relay may read", key, path,
                       strerror(errno));
}

static enum outbox_status check_tls(const struct settings *made, struct outbox_error *error)
{
    const char *set = made->tls_ca            ? "tls_ca"
                      : made->tls_certificate ? "tls_certificate"
                      : made->tls_key         ? "tls_key"
                                              : NULL;
    if (set && !made->addresses.is_tls)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"%s\" is set, but \"url\" begins with nats://: write tls://", set);
    if (!made->tls_certificate != !made->tls_key)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"%s\" is set without \"%s\": set both or none",
                           made->tls_key ? "tls_key" : "tls_certificate",
                           made->tls_key ? "tls_certificate" : "tls_key");
    enum outbox_status status = check_file("tls_ca", made->tls_ca, error);
    if (status == OUTBOX_OK)
        status = check_file("tls_certificate", made->tls_certificate, error);
    return status == OUTBOX_OK ? check_file("tls_key", made->tls_key, error) : status;
}

/* One way to prove who the relay is, not two. */
static enum outbox_status check_credentials(struct settings *made, struct outbox_error *error)
{
    const struct address *first = &made->addresses.servers[0];
    const struct {
        const char *key;
        bool is_set;
    } ways[] = {
        {"username", made->username},
        {"token", made->token},
        {"nkey_seed", made->nkey_seed},
        {"credentials", made->credentials},
        {"url", first->username || first->token},
    };
    const char *chosen = NULL;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (!ways[i].is_set)
            continue;
        if (chosen)
            return outbox_fail(error, OUTBOX_INVALID, "",
                               "\"%s\" and \"%s\" both hold credentials: leave one of them out",
                               chosen, ways[i].key);
        chosen = ways[i].key;
    }
    if (!made->username != !made->password)
        return outbox_fail(
            error, OUTBOX_INVALID, "", "\"%s\" is set without \"%s\": set both, or \"token\" alone",
            made->username ? "username" : "password", made->username ? "password" : "username");
    if (made->nkey_seed && !nkey_of_seed(made->nkey_seed, made->nkey))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"nkey_seed\" is not the seed of a user: it begins with SU, has 58 "
                           "letters and digits and a checksum; make one with: nk -gen user");
    return check_file("credentials", made->credentials, error);
}

static enum outbox_status check_names(const struct settings *made, struct outbox_error *error)
{
    const char *why = subject_trouble(outbox_slice_of(made->inbox_prefix));
    if (why)
        return outbox_fail(error, OUTBOX_INVALID, "", "\"inbox_prefix\" is \"%.100s\": it %s",
                           made->inbox_prefix, why);
    if (*made->key_header && !wire_text_is_name(outbox_slice_of(made->key_header)))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"key_header\" is \"%.100s\": write letters, digits and "
                           "!#$%%&'*+-.^_`|~, or \"\" for none",
                           made->key_header);
    if (strncasecmp(made->key_header, "nats-", 5) == 0)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "\"key_header\" is \"%.100s\": names that begin with Nats- are the "
                           "server's own",
                           made->key_header);
    return OUTBOX_OK;
}

static enum outbox_status check(const struct outbox_settings *given, struct settings *made,
                                struct outbox_error *error)
{
    enum outbox_status status =
        addresses_read(&made->addresses, outbox_setting_text(given, "url", ""), error);
    if (status == OUTBOX_OK)
        status = check_tls(made, error);
    if (status == OUTBOX_OK)
        status = check_credentials(made, error);
    return status == OUTBOX_OK ? check_names(made, error) : status;
}

enum outbox_status settings_read(const struct outbox_settings *given, struct settings **made,
                                 struct outbox_error *error)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    if (!settings)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    atomic_init(&settings->holders, 1);
    if (!condition_init(&settings->attempts_changed)) {
        free(settings);
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    }
    (void)pthread_mutex_init(&settings->attempts_lock, NULL);
    settings->connect_timeout = outbox_setting_integer(given, "connect_timeout", 0);
    settings->ack_timeout = outbox_setting_integer(given, "ack_timeout", 0);
    settings->window = (uint32_t)outbox_setting_integer(given, "window", 1);
    settings->connections = (unsigned)outbox_setting_integer(given, "connections", 1);
    settings->jetstream = outbox_setting_integer(given, "jetstream", 1) != 0;
    settings->rejects_missing =
        strcmp(outbox_setting_text(given, "on_missing_stream", "retry"), "reject") == 0;
    enum outbox_status status = OUTBOX_OK;
    if (!copy_texts(given, settings))
        status = outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    if (status == OUTBOX_OK)
        status = check(given, settings, error);
    if (status == OUTBOX_OK)
        *made = settings;
    else
        settings_release(settings);
    return status;
}

struct settings *settings_hold(struct settings *settings)
{
    (void)atomic_fetch_add(&settings->holders, 1);
    return settings;
}

static void forget(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void settings_release(struct settings *settings)
{
    if (atomic_fetch_sub(&settings->holders, 1) > 1)
        return;
    (void)pthread_cond_destroy(&settings->attempts_changed);
    (void)pthread_mutex_destroy(&settings->attempts_lock);
    addresses_clear(&settings->addresses);
    forget(settings->password);
    forget(settings->token);
    forget(settings->nkey_seed);
    free(settings->username);
    free(settings->credentials);
    free(settings->tls_ca);
    free(settings->tls_certificate);
    free(settings->tls_key);
    free(settings->name);
    free(settings->inbox_prefix);
    free(settings->key_header);
    free(settings);
}
