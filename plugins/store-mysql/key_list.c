/*
 * key_list.c - a list of keys as the parameters of a DELETE
 * SPDX-License-Identifier: MIT
 *
 * A DELETE whose keys stand in an IN is read by both makes of the server as a scan of the whole
 * table where that is small. It then waits for rows that others hold, who wait for it in turn.
 * Where the server cannot be kept from that, the keys are a list in JSON: a join with it, in this
 * order, looks up one key after another, though it takes longer, for what is found is looked up
 * again.
 */
#include "driver.h"

unsigned keys_push_deletion(struct outbox_session *session, const struct keys *keys)
{
    if (session->table.deletes_in)
        return keys_push(session, keys);
    struct buffer *list = &session->key_list;
    bool has_span = table_has_span(&session->table);
    buffer_reset(list);
    buffer_bytes(list, "[", 1);
    for (size_t i = 0; i < keys->count; i++) {
        buffer_text(list, "%s{\"k\":", i > 0 ? "," : "");
        key_add_json(session, list, &keys->list[i]);
        if (has_span)
            buffer_text(list, ",\"t\":%lld", (long long)keys->list[i].created_ts);
        buffer_bytes(list, "}", 1);
    }
    buffer_bytes(list, "]", 1);
    session->parameters.failed |= keys->failed || list->failed;
    parameter_text(session, (struct outbox_slice){list->data, list->len});
    keys_push_span(session, keys);
    return 0;
}
