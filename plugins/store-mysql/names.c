/*
 * names.c - what the table and its columns are called, checked and quoted
 * SPDX-License-Identifier: MIT
 */
#include "names.h"

#include "buffer.h"
#include "edit_distance.h"

#include <stdlib.h>

/* Characters, not bytes. */
enum { IDENTIFIER_MAX = 64 };

static enum outbox_status out_of_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "read the settings: out of memory");
}

char *quote_identifier(const char *text, size_t len)
{
    char *quoted = malloc(2 * len + 3);
    if (!quoted)
        return NULL;
    char *to = quoted;
    *to++ = '`';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '`')
            *to++ = '`';
        *to++ = text[i];
    }
    *to++ = '`';
    *to = '\0';
    return quoted;
}

static size_t characters(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static enum outbox_status check_identifier(const char *key, const char *text, size_t len,
                                           struct outbox_error *error)
{
    if (len == 0)
        return outbox_fail(error, OUTBOX_INVALID, "", "%s: a name is empty", key);
    if (characters(text, len) > IDENTIFIER_MAX)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "%s: the name \"%.64s\" has more than the %d characters that a name may "
                           "have",
                           key, text, IDENTIFIER_MAX);
    if (text[len - 1] == ' ')
        return outbox_fail(error, OUTBOX_INVALID, "", "%s: a name ends in a blank", key);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ')
            return outbox_fail(error, OUTBOX_INVALID, "", "%s: a name holds a control character",
                               key);
    return OUTBOX_OK;
}

/* ---- The table ---------------------------------------------------------------------------- */

/* Reads one part of a dotted name, `quoted` or bare, into `part`; returns what follows it, or NULL
 * if a quote is not closed. */
static const char *read_part(const char *from, struct buffer *part)
{
    if (*from != '`') {
        size_t len = strcspn(from, ".");
        buffer_bytes(part, from, len);
        return from + len;
    }
    for (from++; *from; from++) {
        if (*from == '`' && *++from != '`')
            return from;
        buffer_bytes(part, from, 1);
    }
    return NULL;
}

static char *copy(const struct buffer *part)
{
    return part->failed ? NULL : strndup(part->data, part->len);
}

static enum outbox_status quote_table(struct names *names, struct outbox_error *error)
{
    struct buffer full = {0};
    size_t last = 0;
    const char *const parts[] = {names->schema, names->relation};
    for (int i = 0; i < 2; i++) {
        if (!parts[i])
            continue;
        char *quoted = quote_identifier(parts[i], strlen(parts[i]));
        if (!quoted) {
            buffer_clear(&full);
            return out_of_memory(error);
        }
        last = full.len > 0 ? full.len + 1 : 0;
        buffer_text(&full, "%s%s", full.len > 0 ? "." : "", quoted);
        free(quoted);
    }
    names->table = buffer_take(&full);
    if (!names->table)
        return out_of_memory(error);
    names->bare_table = names->table + last;
    return OUTBOX_OK;
}

static enum outbox_status split_table(struct names *names, const char *table, struct buffer *first,
                                      struct buffer *second, struct outbox_error *error)
{
    const char *rest = read_part(table, first);
    const struct buffer *relation = first;
    if (rest && *rest == '.') {
        rest = read_part(rest + 1, second);
        relation = second;
    }
    if (!rest || *rest != '\0')
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "table: \"%s\" is not a table name: write table or database.table, each part in "
            "backticks if it has a dot",
            table);
    enum outbox_status status = check_identifier("table", first->data, first->len, error);
    if (status == OUTBOX_OK && relation == second)
        status = check_identifier("table", second->data, second->len, error);
    if (status != OUTBOX_OK)
        return status;
    names->relation = copy(relation);
    if (relation == second)
        names->schema = copy(first);
    if (!names->relation || (relation == second && !names->schema))
        return out_of_memory(error);
    return quote_table(names, error);
}

/* ---- Columns ------------------------------------------------------------------------------ */

static enum role nearest_role(const struct layout *layout, struct outbox_slice name)
{
    enum role best = ROLE_EVENT_ID;
    size_t best_distance = SIZE_MAX;
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!layout_has(layout, (enum role)role))
            continue;
        const char *known = role_name((enum role)role);
        size_t distance = edit_distance(name, outbox_slice_of(known));
        if (distance < best_distance) {
            best_distance = distance;
            best = (enum role)role;
        }
    }
    return best;
}

static enum role find_role(const struct layout *layout, struct outbox_slice name)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        const char *known = role_name((enum role)role);
        if (layout_has(layout, (enum role)role) && strlen(known) == name.len &&
            memcmp(known, name.data, name.len) == 0)
            return (enum role)role;
    }
    return ROLE_NONE;
}

static enum outbox_status rename_column(struct names *names, const struct layout *layout,
                                        const struct outbox_pair *pair, struct outbox_error *error)
{
    enum role role = find_role(layout, pair->name);
    if (role == ROLE_NONE)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "columns: \"%.*s\" is no column of the %s layout, the nearest is \"%s\"",
                           (int)pair->name.len, pair->name.data, layout->name,
                           role_name(nearest_role(layout, pair->name)));
    char key[64];
    (void)snprintf(key, sizeof(key), "columns.%s", role_name(role));
    enum outbox_status status =
        check_identifier(key, pair->value.data, (size_t)pair->value.len, error);
    if (status != OUTBOX_OK)
        return status;
    free(names->column[role]);
    names->column[role] = strndup(pair->value.data, (size_t)pair->value.len);
    return names->column[role] ? OUTBOX_OK : out_of_memory(error);
}

/* To the server, column names of either case are the same. */
static enum outbox_status check_distinct(const struct names *names, struct outbox_error *error)
{
    for (int a = 0; a < ROLE_COUNT; a++)
        for (int b = a + 1; b < ROLE_COUNT; b++)
            if (names->column[a] && names->column[b] &&
                strcasecmp(names->column[a], names->column[b]) == 0)
                return outbox_fail(
                    error, OUTBOX_INVALID, "", "columns: %s and %s are both called \"%s\"",
                    role_name((enum role)a), role_name((enum role)b), names->column[a]);
    return OUTBOX_OK;
}

static enum outbox_status default_columns(struct names *names, const struct layout *layout,
                                          struct outbox_error *error)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!layout->column[role])
            continue;
        names->column[role] = strdup(layout->column[role]);
        if (!names->column[role])
            return out_of_memory(error);
    }
    return OUTBOX_OK;
}

static enum outbox_status quote_columns(struct names *names, struct outbox_error *error)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!names->column[role])
            continue;
        names->quoted[role] = quote_identifier(names->column[role], strlen(names->column[role]));
        if (!names->quoted[role])
            return out_of_memory(error);
    }
    return OUTBOX_OK;
}

enum outbox_status names_init(struct names *names, const struct layout *layout, const char *table,
                              const struct outbox_setting *columns, struct outbox_error *error)
{
    struct buffer first = {0}, second = {0};
    if (!table && !layout->table)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "table: is missing, and the %s layout has no name of its own",
                           layout->name);
    enum outbox_status status =
        split_table(names, table ? table : layout->table, &first, &second, error);
    buffer_clear(&first);
    buffer_clear(&second);
    if (status == OUTBOX_OK)
        status = default_columns(names, layout, error);
    for (uint64_t i = 0; status == OUTBOX_OK && columns && i < columns->pair_count; i++)
        status = rename_column(names, layout, &columns->pairs[i], error);
    if (status == OUTBOX_OK)
        status = check_distinct(names, error);
    return status == OUTBOX_OK ? quote_columns(names, error) : status;
}

void names_clear(struct names *names)
{
    free(names->table);
    free(names->schema);
    free(names->relation);
    for (int role = 0; role < ROLE_COUNT; role++) {
        free(names->column[role]);
        free(names->quoted[role]);
    }
    *names = (struct names){0};
}
