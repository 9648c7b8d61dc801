/*
 * states.c - what a table's status column holds for each state of an event
 * SPDX-License-Identifier: MIT
 */
#include "states.h"

#include <assert.h>
#include <stdlib.h>

static const char *const names[STATE_COUNT] = {"PENDING", "DELIVERING", "DELIVERED", "DEAD"};
static const char *const keys[STATE_COUNT] = {"pending", "delivering", "delivered", "dead"};

const struct states states_openoutbox = {{"PENDING", "DELIVERING", "DELIVERED", "DEAD"}};
const struct states states_velmie = {{"0", "", "1", "-1"}};

const char *state_name(enum state state)
{
    return names[state];
}

bool states_have(const struct states *states, enum state state)
{
    return states->text[state][0] != '\0';
}

/* ---- Reading ------------------------------------------------------------------------------ */

static bool is_key(struct outbox_slice name, enum state state)
{
    return strlen(keys[state]) == name.len && memcmp(keys[state], name.data, name.len) == 0;
}

/* A literal needs no escapes in any dialect this way. */
static bool is_plain(struct outbox_slice value)
{
    for (uint64_t i = 0; i < value.len; i++)
        if ((unsigned char)value.data[i] < ' ' || value.data[i] == 0x7f ||
            strchr("'\"\\", value.data[i]))
            return false;
    return true;
}

static enum outbox_status read_state(struct states *states, const struct outbox_pair *pair,
                                     struct outbox_error *error)
{
    enum state state = STATE_PENDING;
    while (state < STATE_COUNT && !is_key(pair->name, state))
        state++;
    if (state == STATE_COUNT)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states: \"%.*s\" is no state; there are pending, delivering, "
                           "delivered and dead",
                           (int)(pair->name.len < 64 ? pair->name.len : 64), pair->name.data);
    if (pair->value.len == 0 || pair->value.len > STATE_TEXT_MAX)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states.%s: has %llu bytes, 1 to %d are allowed; leave a state out that "
                           "the table does not have",
                           keys[state], (unsigned long long)pair->value.len, STATE_TEXT_MAX);
    if (!is_plain(pair->value))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states.%s: holds a quote, a backslash or a control character",
                           keys[state]);
    memcpy(states->text[state], pair->value.data, (size_t)pair->value.len);
    states->text[state][pair->value.len] = '\0';
    return OUTBOX_OK;
}

static enum outbox_status check_distinct(const struct states *states, struct outbox_error *error)
{
    for (int a = 0; a < STATE_COUNT; a++)
        for (int b = a + 1; b < STATE_COUNT; b++)
            if (states->text[a][0] && strcmp(states->text[a], states->text[b]) == 0)
                return outbox_fail(error, OUTBOX_INVALID, "",
                                   "states: %s and %s are both \"%s\", and could not be told apart",
                                   keys[a], keys[b], states->text[a]);
    return OUTBOX_OK;
}

enum outbox_status states_parse(struct states *states, const struct outbox_setting *map,
                                struct outbox_error *error)
{
    *states = (struct states){0};
    for (uint64_t i = 0; i < map->pair_count; i++) {
        enum outbox_status status = read_state(states, &map->pairs[i], error);
        if (status != OUTBOX_OK)
            return status;
    }
    if (!states_have(states, STATE_PENDING))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states.pending: is missing: what does the status column hold for an "
                           "event that waits?");
    return check_distinct(states, error);
}

/* ---- Literals ----------------------------------------------------------------------------- */

/* In the one way in which it is usually written: "01" and "1" would be the same state. */
static bool is_integer(const char *text)
{
    char written[24];
    (void)snprintf(written, sizeof(written), "%lld", strtoll(text, NULL, 10));
    return strcmp(written, text) == 0;
}

bool states_fit(const struct states *states, enum state_kind kind, enum state *misfit)
{
    for (enum state state = STATE_PENDING; state < STATE_COUNT; state++) {
        if (kind == STATE_AS_INTEGER && states_have(states, state) &&
            !is_integer(states->text[state])) {
            *misfit = state;
            return false;
        }
    }
    return true;
}

void states_literal(const struct states *states, enum state state, enum state_kind kind,
                    struct buffer *sql)
{
    assert(states_have(states, state));
    const char *quote = kind == STATE_AS_TEXT ? "'" : "";
    buffer_text(sql, "%s%s%s", quote, states->text[state], quote);
}
