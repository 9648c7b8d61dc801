/*
 * key_list.c - a list of keys as one JSON parameter
 * SPDX-License-Identifier: MIT
 *
 * A DELETE whose keys stand in an IN is read by both makes of the server as a scan of the whole
 * table where that is small, whatever index it is told to use. It then waits for rows that others
 * hold, who wait for it in turn. A join with a list, in this order, looks up one key after another.
 */
#include "driver.h"

void keys_push_list(struct outbox_session *session, const struct keys *keys)
{
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
}
