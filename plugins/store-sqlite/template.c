/*
 * template.c - SQL written from a pattern for the table that there is
 * SPDX-License-Identifier: MIT
 */
#include "template.h"

#include "buffer.h"

#include <stdlib.h>

struct writer {
    struct buffer out;
    const struct columns *columns;
    const struct shape *shape;
};

static bool is_word(struct outbox_slice name, const char *word)
{
    return strlen(word) == name.len && memcmp(word, name.data, (size_t)name.len) == 0;
}

static bool take_prefix(struct outbox_slice *name, const char *prefix)
{
    size_t len = strlen(prefix);
    if (name->len <= len || memcmp(name->data, prefix, len) != 0)
        return false;
    *name = (struct outbox_slice){name->data + len, name->len - len};
    return true;
}

static enum state state_find(struct outbox_slice name)
{
    enum state state = STATE_PENDING;
    while (state < STATE_COUNT && !is_word(name, state_name(state)))
        state++;
    return state;
}

/* ---- Names -------------------------------------------------------------------------------- */

static void write_role(struct writer *writer, enum role role, bool qualified)
{
    const struct columns *columns = writer->columns;
    if (role == ROLE_NONE || !writer->shape->has[role])
        buffer_text(&writer->out, "NULL");
    else if (qualified)
        buffer_text(&writer->out, "\"%s\".\"%s\"", columns->table, columns->names[role]);
    else
        buffer_text(&writer->out, "\"%s\"", columns->names[role]);
}

static void write_order(struct writer *writer)
{
    if (writer->shape->has[ROLE_AVAILABLE_AT])
        buffer_text(&writer->out, "\"%s\",", writer->columns->names[ROLE_AVAILABLE_AT]);
    if (writer->shape->order == ROLE_NONE)
        buffer_text(&writer->out, "_rowid_"); /* of the three spellings the one no column has */
    else
        write_role(writer, writer->shape->order, false);
}

static void drop_comma(struct buffer *out)
{
    if (out->len > 0 && out->data[out->len - 1] == ',')
        out->len--;
}

static void write_state(struct writer *writer, enum state state)
{
    const char *literal = writer->shape->state[state];
    buffer_text(&writer->out, "%s", literal[0] ? literal : "NULL");
}

/* A misspelt pattern is ours, and seen by the first test that prepares it. */
static void write_name(struct writer *writer, struct outbox_slice name)
{
    struct buffer *out = &writer->out;
    const struct shape *shape = writer->shape;
    enum state state = state_find(name);
    if (name.len == 0)
        buffer_text(out, "{}");
    else if (state != STATE_COUNT)
        write_state(writer, state);
    else if (is_word(name, "claimed"))
        write_state(writer, shape->lease ? STATE_DELIVERING : STATE_PENDING);
    else if (is_word(name, "table"))
        buffer_text(out, "\"%s\"", writer->columns->table);
    else if (is_word(name, "rowid") || (is_word(name, "key") && shape->rowid_is_stable))
        buffer_text(out, "_rowid_");
    else if (is_word(name, "key"))
        write_role(writer, ROLE_EVENT_ID, false);
    else if (is_word(name, "order"))
        write_order(writer);
    else if (is_word(name, "end"))
        drop_comma(out);
    else if (take_prefix(&name, "finished:"))
        write_role(writer, shape_finished(shape, state_find(name)), false);
    else if (take_prefix(&name, "index:"))
        buffer_text(out, "\"%s_%.*s\"", writer->columns->table, (int)name.len, name.data);
    else {
        bool qualified = take_prefix(&name, ".");
        if (role_find(name) == ROLE_NONE)
            abort();
        write_role(writer, role_find(name), qualified);
    }
}

/* ---- Patterns ----------------------------------------------------------------------------- */

/* What stands before the next `end`; *at goes behind it. */
static struct outbox_slice take_until(const char **at, const char *end)
{
    const char *found = strstr(*at, end);
    if (!found)
        abort();
    struct outbox_slice taken = {*at, (uint64_t)(found - *at)};
    *at = found + strlen(end);
    return taken;
}

static void write_plain(struct writer *writer, struct outbox_slice text)
{
    const char *at = text.data, *end = text.data + text.len;
    while (at < end) {
        const char *brace = memchr(at, '{', (size_t)(end - at));
        buffer_bytes(&writer->out, at, (size_t)((brace ? brace : end) - at));
        if (!brace)
            return;
        at = brace + 1;
        write_name(writer, take_until(&at, "}"));
    }
}

static bool holds(const struct shape *shape, struct outbox_slice condition)
{
    bool wanted = !take_prefix(&condition, "!");
    enum state state = state_find(condition);
    if (state != STATE_COUNT)
        return wanted == (shape->state[state][0] != '\0');
    if (is_word(condition, "lease"))
        return wanted == shape->lease;
    if (role_find(condition) == ROLE_NONE)
        abort();
    return wanted == shape->has[role_find(condition)];
}

char *template_sql(const struct columns *columns, const struct shape *shape, const char *pattern)
{
    struct writer writer = {.columns = columns, .shape = shape};
    const char *at = pattern;
    for (const char *choice = strstr(at, "[["); choice; choice = strstr(at, "[[")) {
        write_plain(&writer, (struct outbox_slice){at, (uint64_t)(choice - at)});
        at = choice + 2;
        bool wanted = holds(shape, take_until(&at, "|"));
        struct outbox_slice text = take_until(&at, "]]");
        if (wanted)
            write_plain(&writer, text);
    }
    write_plain(&writer, outbox_slice_of(at));
    buffer_text(&writer.out, "%s", ""); /* ends in NUL */
    return buffer_take(&writer.out);
}
