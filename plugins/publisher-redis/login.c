/*
 * login.c - the first commands of a connection
 * SPDX-License-Identifier: MIT
 */
#include "login.h"

#include "answer.h"
#include "number.h"

/* What Redis takes unless it is told otherwise. */
#define LONGEST_ARGUMENT ((uint64_t)512 * 1024 * 1024)

enum question { ASKS_AUTH, ASKS_SELECT, ASKS_NAME, ASKS_ROLE, ASKS_LONGEST, ASKS_SLOTS, ASKS_PING };

static bool add(struct wire *wire, const char *const *words)
{
    struct outbox_slice arguments[4];
    uint64_t count = 0;
    for (; words[count]; count++)
        arguments[count] = outbox_slice_of(words[count]);
    return wire_command(wire, arguments, count);
}

static bool add_auth(struct wire *wire, const char *username, const char *password)
{
    return username ? add(wire, (const char *const[]){"AUTH", username, password, NULL})
                    : add(wire, (const char *const[]){"AUTH", password, NULL});
}

/* Which questions are asked, in their order; returns how many. */
static size_t choose(const struct settings *settings, unsigned node, enum question *questions)
{
    size_t count = 0;
    if (settings->password)
        questions[count++] = ASKS_AUTH;
    if (settings->database > 0)
        questions[count++] = ASKS_SELECT;
    questions[count++] = ASKS_NAME;
    if (settings->sentinel_count > 0)
        questions[count++] = ASKS_ROLE;
    questions[count++] = ASKS_LONGEST;
    if (node == 0 && settings->sentinel_count == 0)
        questions[count++] = ASKS_SLOTS;
    questions[count++] = ASKS_PING;
    return count;
}

static bool ask(struct wire *wire, const struct settings *settings, enum question question)
{
    char number[24];
    switch (question) {
    case ASKS_AUTH:
        return add_auth(wire, settings->username, settings->password);
    case ASKS_SELECT:
        (void)snprintf(number, sizeof(number), "%lld", (long long)settings->database);
        return add(wire, (const char *const[]){"SELECT", number, NULL});
    case ASKS_NAME:
        return add(wire, (const char *const[]){"CLIENT", "SETNAME", "outbox-relay", NULL});
    case ASKS_ROLE:
        return add(wire, (const char *const[]){"ROLE", NULL});
    case ASKS_LONGEST:
        return add(wire, (const char *const[]){"CONFIG", "GET", "proto-max-bulk-len", NULL});
    case ASKS_SLOTS:
        return add(wire, (const char *const[]){"CLUSTER", "SLOTS", NULL});
    case ASKS_PING:
        break;
    }
    return add(wire, (const char *const[]){"PING", NULL});
}

static enum outbox_status refused(const char *doing, const redisReply *reply,
                                  struct outbox_error *error)
{
    char word[32];
    const char *remedy = answer_remedy(reply->str);
    answer_word(reply->str, word);
    return outbox_fail(error, answer_status(reply->str), word, "%s: %.160s%s%s", doing, reply->str,
                       *remedy ? ": " : "", remedy);
}

static enum outbox_status not_master(const redisReply *reply, struct outbox_error *error)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        strcmp(reply->element[0]->str, "master") == 0)
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_UNAVAILABLE, "READONLY",
                       "the sentinels call it the master, and it says that it is a %.20s: the "
                       "failover is not over",
                       reply->element[0]->str);
}

static void take_longest(const redisReply *reply, struct greeting *greeting)
{
    int64_t longest;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[1]->type == REDIS_REPLY_STRING &&
        number_parse(reply->element[1]->str, INT64_MAX, &longest) && longest > 0)
        greeting->longest = (uint64_t)longest;
}

/* What a server says before it has read anything, and then closes the connection. */
static bool is_for_all(const char *text)
{
    return answer_is(text, "DENIED") || strncmp(text, "ERR max number of clients", 25) == 0;
}

/* Users without the right to ask, and servers that do not know the question, are served as well:
 * only what is needed can fail. */
static enum outbox_status take(struct remote *remote, enum question question, const char *host,
                               const redisReply *reply, struct greeting *greeting,
                               struct outbox_error *error)
{
    bool failed = reply->type == REDIS_REPLY_ERROR;
    if (failed && is_for_all(reply->str))
        return refused("be let in", reply, error);
    switch (question) {
    case ASKS_AUTH:
        return failed ? refused("log in", reply, error) : OUTBOX_OK;
    case ASKS_SELECT:
        return failed ? refused("select the database", reply, error) : OUTBOX_OK;
    case ASKS_PING:
        return failed && !answer_is(reply->str, "NOPERM") ? refused("PING", reply, error)
                                                          : OUTBOX_OK;
    case ASKS_ROLE:
        return not_master(reply, error);
    case ASKS_LONGEST:
        take_longest(reply, greeting);
        return OUTBOX_OK;
    case ASKS_SLOTS:
        cluster_learn(&remote->cluster, reply, host);
        return OUTBOX_OK;
    case ASKS_NAME:
        break;
    }
    return OUTBOX_OK;
}

enum outbox_status login(struct remote *remote, unsigned node, const char *host,
                         const struct patience *patience, struct wire *wire,
                         struct greeting *greeting, struct outbox_error *error)
{
    enum question questions[ASKS_PING + 1];
    size_t count = choose(remote->settings, node, questions);
    greeting->longest = LONGEST_ARGUMENT;
    for (size_t i = 0; i < count; i++)
        if (!ask(wire, remote->settings, questions[i]))
            return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "log in: out of memory");
    for (size_t i = 0; i < count; i++) {
        redisReply *reply = NULL;
        enum outbox_status status = wire_reply(wire, patience, &reply, error);
        if (status == OUTBOX_OK)
            status = take(remote, questions[i], host, reply, greeting, error);
        freeReplyObject(reply);
        if (status != OUTBOX_OK)
            return status;
    }
    return OUTBOX_OK;
}

enum outbox_status login_at_sentinel(const struct settings *settings,
                                     const struct patience *patience, struct wire *wire,
                                     struct outbox_error *error)
{
    redisReply *reply = NULL;
    if (!settings->sentinel_password)
        return OUTBOX_OK;
    if (!add_auth(wire, settings->sentinel_username, settings->sentinel_password))
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "log in: out of memory");
    enum outbox_status status = wire_reply(wire, patience, &reply, error);
    if (status == OUTBOX_OK && reply->type == REDIS_REPLY_ERROR)
        status = refused("log in", reply, error);
    freeReplyObject(reply);
    return status;
}
