/*
 * answer.h - what Redis answered to a command, and what that means for an event
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_ANSWER_H
#define PUBLISHER_REDIS_ANSWER_H

#include <hiredis/hiredis.h>
#include <outbox/publisher.h>
#include <stdbool.h>

#define ANSWER_TEXT 400

/* A reply of the commands that carry events, made without allocating: each reader has one. */
struct answer {
    int type; /* REDIS_REPLY_...; stays as it was for an array */
    long long integer;
    char text[ANSWER_TEXT]; /* of an error */
};

/* Makes a reader give its answers in *answer, until it is freed. All that it was fed is read. */
void answer_read_into(redisReader *reader, struct answer *answer);

/* Cuts off the arguments that an error quotes. A server that does not know a command tells what it
 * was asked, and of AUTH that is the password. */
void answer_hide_arguments(char *text);

/* What an error says, by its first word and what is known of the others. */
enum outbox_outcome answer_outcome(const char *text);

/* The same where no event is concerned: at the login and in ping(). Never OUTBOX_OK. */
enum outbox_status answer_status(const char *text);

/* What to do about it, "" if there is nothing to say. */
const char *answer_remedy(const char *text);

/* The first word of an error, "ERR". */
void answer_word(const char *text, char word[32]);

/* Whether the text begins with the word. */
bool answer_is(const char *text, const char *word);

/* "MOVED 3999 host:port" or "ASK ...": where a slot is. host is empty for the one that was asked.
 */
struct redirect {
    bool is_ask;
    unsigned slot;
    char host[256], port[8];
};
bool answer_redirect(const char *text, struct redirect *redirect) OUTBOX_MUST_USE;

#endif
