/*
 * subject.h - what can be the subject of a message
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_SUBJECT_H
#define PUBLISHER_NATS_SUBJECT_H

#include <outbox/types.h>
#include <stdbool.h>

/* A server reads the line of a message, 4096 bytes long at most, or closes the connection. What the
 * subject leaves of it is for the reply subject and the sizes. */
#define SUBJECT_MAX_LEN 3072

/* What is wrong with it, to be put behind "it", or NULL. */
static inline const char *subject_trouble(struct outbox_slice subject)
{
    char previous = '.';
    if (subject.len == 0)
        return "is empty";
    if (subject.len > SUBJECT_MAX_LEN)
        return "is longer than 3072 bytes";
    for (uint64_t i = 0; i < subject.len; i++) {
        char c = subject.data[i];
        if ((unsigned char)c <= 0x20 || c == 0x7f)
            return "holds a blank or a control byte";
        if (c == '*' || c == '>')
            return "holds a wildcard (* or >)";
        if (c == '.' && previous == '.')
            return "has nothing between two dots, or begins with a dot";
        previous = c;
    }
    return previous == '.' ? "ends with a dot" : NULL;
}

/* Whether publishing to it would be a request to the server itself, such as to delete a stream. An
 * event's fields must not be able to ask for that. Key-value buckets are written to in this way. */
static inline bool subject_is_reserved(struct outbox_slice subject)
{
    return subject.len > 0 && subject.data[0] == '$' &&
           !(subject.len > 4 && memcmp(subject.data, "$KV.", 4) == 0);
}

#endif
