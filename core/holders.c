/*
 * holders.c - who works at a table: the relays that hold events of it
 * SPDX-License-Identifier: MIT
 */
#include "holders.h"

#include "cli.h"
#include "lease.h"
#include "text.h"

/* ---- Reading ------------------------------------------------------------------------------- */

struct reading {
    struct holders *holders;
    const char *relay_id;
};

/* Whole characters only, as many as fit. */
static void copy_name(char name[HOLDER_NAME], struct outbox_slice text)
{
    size_t length = 0, left = text.data ? (size_t)text.len : 0;

    while (left > 0) {
        size_t size = text_sequence(text.data + length, left);
        if (size == 0)
            size = 1;
        if (length + size >= HOLDER_NAME)
            break;
        length += size;
        left -= size;
    }
    if (length > 0)
        memcpy(name, text.data, length);
    name[length] = '\0';
}

static struct holder *find_or_add(struct holders *holders, const struct holder *wanted)
{
    for (size_t i = 0; i < holders->count; i++)
        if (holders->list[i].is_relay == wanted->is_relay &&
            strcmp(holders->list[i].name, wanted->name) == 0)
            return &holders->list[i];
    if (holders->count == HOLDERS_MAX)
        return NULL;
    holders->list[holders->count] = *wanted;
    return &holders->list[holders->count++];
}

/* One claim: it is merged with the others of its relay. */
static void add_claim(void *context, const struct outbox_holder *claim)
{
    const struct reading *reading = context;
    struct outbox_slice relay = lease_token_relay(claim->token);
    struct holder wanted = {.is_relay = relay.data != NULL, .held_for = -1};

    copy_name(wanted.name, relay.data ? relay : claim->token);
    wanted.is_self =
        wanted.is_relay && reading->relay_id && strcmp(wanted.name, reading->relay_id) == 0;
    struct holder *holder = find_or_add(reading->holders, &wanted);
    if (!holder) {
        reading->holders->partial = true;
        return;
    }
    holder->events += claim->events;
    holder->claims++;
    if (claim->held_for > holder->held_for)
        holder->held_for = claim->held_for;
}

enum outbox_status holders_read(struct holders *holders, const struct outbox_store_ops *ops,
                                struct outbox_session *session, const char *relay_id,
                                struct outbox_error *error)
{
    struct reading reading = {holders, relay_id};
    uint32_t partial = 0;

    *holders = (struct holders){.looked = true};
    if (ops->holders)
        holders->status = ops->holders(session, add_claim, &reading, &partial, error);
    else
        holders->status =
            outbox_fail(error, OUTBOX_UNSUPPORTED, "", "this store does not tell who holds events");
    holders->partial |= partial != 0;
    if (holders->status != OUTBOX_OK) {
        holders->count = 0;
        memcpy(holders->reason, error->text, sizeof(holders->reason));
    }
    return holders->status;
}

/* ---- For machines ------------------------------------------------------------------------- */

static json_t *text_if(bool wanted, const char *text)
{
    return wanted && text[0] ? cli_json_text(text) : json_null();
}

static json_t *holder_json(const struct holder *holder)
{
    return json_pack(
        "{s:o, s:o, s:b, s:I, s:I, s:o}", "relay", text_if(holder->is_relay, holder->name), "token",
        text_if(!holder->is_relay, holder->name), "self", holder->is_self, "events",
        (json_int_t)holder->events, "claims", (json_int_t)holder->claims, "held_for",
        holder->held_for < 0 ? json_null() : json_real((double)holder->held_for / 1e6));
}

static json_t *list_json(const struct holders *holders)
{
    if (holders->status != OUTBOX_OK)
        return json_null();
    json_t *list = json_array();
    for (size_t i = 0; i < holders->count; i++) {
        json_t *holder = holder_json(&holders->list[i]);
        if (!holder || json_array_append_new(list, holder) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *holders_json(const struct holders *holders)
{
    if (!holders->looked)
        return json_null();
    return json_pack("{s:o, s:b, s:o}", "relays", list_json(holders), "partial", holders->partial,
                     "reason", text_if(true, holders->reason));
}
