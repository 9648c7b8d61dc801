/*
 * answer.c - what Redis answered to a command, and what that means for an event
 * SPDX-License-Identifier: MIT
 */
#include "answer.h"

#include "number.h"

/* ---- Reading ------------------------------------------------------------------------------ */

static struct answer *top(const redisReadTask *task, int type)
{
    struct answer *answer = task->privdata;
    if (!task->parent)
        answer->type = type;
    return answer;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    struct answer *answer = top(task, task->type);
    if (!task->parent && task->type == REDIS_REPLY_ERROR) {
        size_t kept = len < ANSWER_TEXT ? len : ANSWER_TEXT - 1;
        memcpy(answer->text, text, kept);
        answer->text[kept] = '\0';
        answer_hide_arguments(answer->text);
    }
    return answer;
}

static void *create_integer(const redisReadTask *task, long long integer)
{
    struct answer *answer = top(task, REDIS_REPLY_INTEGER);
    if (!task->parent)
        answer->integer = integer;
    return answer;
}

static void *create_nil(const redisReadTask *task)
{
    return top(task, REDIS_REPLY_NIL);
}

static void free_object(void *object)
{
    (void)object;
}

/* No createArray: its type differs between releases, and no command that is sent is answered so. */
static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

void answer_read_into(redisReader *reader, struct answer *answer)
{
    reader->fn = &functions;
    reader->privdata = answer;
}

void answer_hide_arguments(char *text)
{
    char *arguments = strstr(text, ", with args beginning with");
    if (arguments)
        *arguments = '\0';
}

/* ---- Meaning ------------------------------------------------------------------------------ */

struct meaning {
    const char *start; /* of the error's text */
    enum outbox_outcome outcome;
    enum outbox_status status;
    const char *remedy;
};

/* The first that fits decides. AWAY: what the server as a whole does not do now, an operator mends
 * it, and no event is to blame. */
static const struct meaning meanings[] = {
    {"OOM", OUTBOX_AWAY, OUTBOX_UNAVAILABLE,
     "raise maxmemory, trim streams (max_length, max_age) or let consumers catch up"},
    {"READONLY", OUTBOX_AWAY, OUTBOX_UNAVAILABLE,
     "this server is a replica: point the relay at its master, or at the sentinels"},
    {"LOADING", OUTBOX_AWAY, OUTBOX_UNAVAILABLE, ""},
    {"CLUSTERDOWN", OUTBOX_AWAY, OUTBOX_UNAVAILABLE, "see CLUSTER INFO"},
    {"MASTERDOWN", OUTBOX_AWAY, OUTBOX_UNAVAILABLE, ""},
    {"MISCONF", OUTBOX_AWAY, OUTBOX_UNAVAILABLE, "see the server's log and disk"},
    {"NOREPLICAS", OUTBOX_AWAY, OUTBOX_UNAVAILABLE, "see min-replicas-to-write and its replicas"},
    {"BUSY", OUTBOX_AWAY, OUTBOX_UNAVAILABLE, "a script keeps the server busy: see SCRIPT KILL"},
    {"TRYAGAIN", OUTBOX_AWAY, OUTBOX_UNAVAILABLE, ""},
    {"UNBLOCKED", OUTBOX_AWAY, OUTBOX_UNAVAILABLE, ""},
    {"NOAUTH", OUTBOX_AWAY, OUTBOX_DENIED, "give \"password\", and \"username\" for an ACL user"},
    {"WRONGPASS", OUTBOX_AWAY, OUTBOX_DENIED, "check \"username\" and \"password\""},
    {"DENIED", OUTBOX_AWAY, OUTBOX_DENIED, "the server is in protected mode: set a password there"},
    {"ERR invalid password", OUTBOX_AWAY, OUTBOX_DENIED, "check \"password\""},
    {"ERR Client sent AUTH", OUTBOX_AWAY, OUTBOX_DENIED, "the server asks for no password"},
    {"ERR AUTH", OUTBOX_AWAY, OUTBOX_DENIED,
     "the server has no password for its user \"default\": take \"password\" out or set one there"},
    {"ERR max number of clients", OUTBOX_AWAY, OUTBOX_UNAVAILABLE, "raise maxclients"},
    {"ERR DB index", OUTBOX_AWAY, OUTBOX_INVALID, "check \"database\" and the server's databases"},
    {"ERR SELECT is not allowed", OUTBOX_AWAY, OUTBOX_INVALID,
     "a cluster has database 0 alone: take \"database\" out"},
    {"ERR unknown command", OUTBOX_AWAY, OUTBOX_UNSUPPORTED,
     "streams need Redis 5 or later, and the command must not be renamed"},
    {"ERR Elements are too large", OUTBOX_REJECTED, OUTBOX_UNSUPPORTED, ""},
    {"ERR string exceeds maximum", OUTBOX_REJECTED, OUTBOX_UNSUPPORTED, ""},
    {"WRONGTYPE", OUTBOX_RETRY, OUTBOX_SCHEMA,
     "the key holds something else: rename or delete it, or route elsewhere"},
    {"NOPERM", OUTBOX_RETRY, OUTBOX_DENIED, "grant the right with ACL SETUSER"},
    {"ERR syntax error", OUTBOX_RETRY, OUTBOX_UNSUPPORTED,
     "max_age and on_missing_stream need Redis 6.2 or later"},
};

static const struct meaning *meaning_of(const char *text)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (strncmp(text, meanings[i].start, strlen(meanings[i].start)) == 0)
            return &meanings[i];
    return NULL;
}

enum outbox_outcome answer_outcome(const char *text)
{
    const struct meaning *meaning = meaning_of(text);
    /* A user without the command at all can send no event; without a key, not that event. */
    if (answer_is(text, "NOPERM") && strstr(text, " run the "))
        return OUTBOX_AWAY;
    return meaning ? meaning->outcome : OUTBOX_RETRY;
}

enum outbox_status answer_status(const char *text)
{
    const struct meaning *meaning = meaning_of(text);
    return meaning ? meaning->status : OUTBOX_INTERNAL;
}

const char *answer_remedy(const char *text)
{
    const struct meaning *meaning = meaning_of(text);
    return meaning ? meaning->remedy : "";
}

bool answer_is(const char *text, const char *word)
{
    size_t len = strlen(word);
    return strncmp(text, word, len) == 0 && (text[len] == ' ' || text[len] == '\0');
}

void answer_word(const char *text, char word[32])
{
    size_t len = strcspn(text, " ");
    (void)snprintf(word, 32, "%.*s", (int)(len < 31 ? len : 31), text);
}

/* ---- Redirects ---------------------------------------------------------------------------- */

bool answer_redirect(const char *text, struct redirect *redirect)
{
    char slot[8];
    int64_t number, port;
    redirect->is_ask = answer_is(text, "ASK");
    if (!redirect->is_ask && !answer_is(text, "MOVED"))
        return false;
    text += strcspn(text, " ");
    text += strspn(text, " ");
    size_t len = strcspn(text, " ");
    if (len >= sizeof(slot))
        return false;
    memcpy(slot, text, len);
    slot[len] = '\0';
    text += len + strspn(text + len, " ");
    size_t address = strcspn(text, " ");
    const char *colon = memrchr(text, ':', address);
    if (!colon || (size_t)(colon - text) >= sizeof(redirect->host) ||
        (size_t)(text + address - colon - 1) >= sizeof(redirect->port))
        return false;
    (void)snprintf(redirect->host, sizeof(redirect->host), "%.*s", (int)(colon - text), text);
    (void)snprintf(redirect->port, sizeof(redirect->port), "%.*s",
                   (int)(text + address - colon - 1), colon + 1);
    if (!number_parse(slot, 16383, &number) || !number_parse(redirect->port, 65535, &port))
        return false;
    redirect->slot = (unsigned)number;
    return true;
}
