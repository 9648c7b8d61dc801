/*
 * columns.c - what the table and its columns are called
 * SPDX-License-Identifier: MIT
 */
#include "columns.h"

#include "edit_distance.h"

#include <ctype.h>

/* Letters, digits, '_' and '$', and whatever is beyond ASCII: nothing that quoting would have to
 * hide. */
static bool is_identifier(struct outbox_slice name)
{
    if (name.len == 0 || name.len > IDENTIFIER_MAX || isdigit((unsigned char)name.data[0]))
        return false;
    for (uint64_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c < 0x80 && !isalnum(c) && c != '_' && c != '$')
            return false;
    }
    return true;
}

static void identifier_copy(char *to, struct outbox_slice name)
{
    memcpy(to, name.data, name.len);
    to[name.len] = '\0';
}

static enum outbox_status table_init(struct columns *columns, const char *table,
                                     struct outbox_error *error)
{
    const char *dot = strchr(table, '.');
    if (dot && (dot - table != 4 || strncmp(table, "main", 4) != 0))
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "table: \"%.100s\" names another schema than \"main\", the only one that an "
            "SQLite file has: leave the part before the dot out",
            table);
    struct outbox_slice name = outbox_slice_of(dot ? dot + 1 : table);
    if (!is_identifier(name))
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "table: \"%.100s\" is not a table name: letters, digits, _ and $, at most %d "
            "bytes, not a digit first",
            table, IDENTIFIER_MAX);
    identifier_copy(columns->table, name);
    return OUTBOX_OK;
}

static enum role nearest_role(const struct layout *layout, struct outbox_slice name)
{
    enum role best = ROLE_EVENT_ID;
    size_t best_distance = SIZE_MAX;
    for (int role = 0; role < ROLE_COUNT; role++) {
        size_t distance = edit_distance(name, outbox_slice_of(role_name((enum role)role)));
        if (layout_has(layout, (enum role)role) && distance < best_distance) {
            best_distance = distance;
            best = (enum role)role;
        }
    }
    return best;
}

static int shown(struct outbox_slice text)
{
    return (int)(text.len > 60 ? 60 : text.len);
}

static enum outbox_status column_rename(struct columns *columns, const struct layout *layout,
                                        const struct outbox_pair *pair, struct outbox_error *error)
{
    enum role role = role_find(pair->name);
    if (role == ROLE_NONE || !layout_has(layout, role))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "columns: \"%.*s\" is no column of the %s layout, the nearest is \"%s\"",
                           shown(pair->name), pair->name.data, layout->name,
                           role_name(nearest_role(layout, pair->name)));
    if (!is_identifier(pair->value))
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "columns.%s: \"%.*s\" is not a column name: letters, digits, _ and $, at most "
            "%d bytes, not a digit first",
            role_name(role), shown(pair->value), pair->value.data ? pair->value.data : "",
            IDENTIFIER_MAX);
    identifier_copy(columns->names[role], pair->value);
    return OUTBOX_OK;
}

static enum outbox_status columns_distinct(const struct columns *columns,
                                           struct outbox_error *error)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        for (int other = 0; other < role; other++) {
            if (columns->names[role][0] &&
                strcasecmp(columns->names[role], columns->names[other]) == 0)
                return outbox_fail(
                    error, OUTBOX_INVALID, "",
                    "columns: %s and %s are both called \"%s\": give each its own column",
                    role_name((enum role)other), role_name((enum role)role), columns->names[role]);
        }
    }
    return OUTBOX_OK;
}

enum outbox_status columns_init(struct columns *columns, const struct layout *layout,
                                const char *table, const struct outbox_setting *map,
                                struct outbox_error *error)
{
    if (!table && !layout->table)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "table: is missing, and the %s layout has no name of its own",
                           layout->name);
    enum outbox_status status = table_init(columns, table ? table : layout->table, error);
    if (status != OUTBOX_OK)
        return status;
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (layout->column[role])
            identifier_copy(columns->names[role], outbox_slice_of(layout->column[role]));
    }
    for (uint64_t i = 0; map && i < map->pair_count; i++) {
        status = column_rename(columns, layout, &map->pairs[i], error);
        if (status != OUTBOX_OK)
            return status;
    }
    return columns_distinct(columns, error);
}
