/*
 * columns.c - the table's and its columns' names, and SQL written with them
 * SPDX-License-Identifier: MIT
 */
#include "columns.h"

#include <ctype.h>
#include <stdlib.h>

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_EVENT_ID] = "event_id",
    [ROLE_EVENT_TYPE] = "event_type",
    [ROLE_PARTITION_KEY] = "partition_key",
    [ROLE_PAYLOAD] = "payload",
    [ROLE_HEADERS] = "headers",
    [ROLE_STATUS] = "status",
    [ROLE_ATTEMPTS] = "attempts",
    [ROLE_LAST_ERROR] = "last_error",
    [ROLE_AVAILABLE_AT] = "available_at",
    [ROLE_LOCKED_BY] = "locked_by",
    [ROLE_LOCKED_AT] = "locked_at",
    [ROLE_DELIVERED_AT] = "delivered_at",
    [ROLE_CREATED_AT] = "created_at",
    [ROLE_UPDATED_AT] = "updated_at",
    [ROLE_ORDERING_KEY] = "ordering_key",
    [ROLE_AGGREGATE_TYPE] = "aggregate_type",
    [ROLE_AGGREGATE_ID] = "aggregate_id",
    [ROLE_SEQ] = "seq",
};

const char *role_name(enum role role)
{
    return role_names[role];
}

static bool role_find(struct outbox_slice name, enum role *found)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (strlen(role_names[role]) == name.len &&
            memcmp(role_names[role], name.data, name.len) == 0) {
            *found = (enum role)role;
            return true;
        }
    }
    return false;
}

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

static enum outbox_status column_rename(struct columns *columns, const struct outbox_pair *pair,
                                        struct outbox_error *error)
{
    enum role role = ROLE_COUNT;
    if (!role_find(pair->name, &role))
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "columns.%.*s: no such role; there are event_id event_type partition_key "
            "payload headers status attempts last_error available_at locked_by locked_at "
            "delivered_at created_at updated_at ordering_key aggregate_type aggregate_id "
            "seq",
            (int)(pair->name.len > 60 ? 60 : pair->name.len), pair->name.data);
    if (!is_identifier(pair->value))
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "columns.%s: \"%.*s\" is not a column name: letters, digits, _ and $, at most "
            "%d bytes, not a digit first",
            role_names[role], (int)(pair->value.len > 60 ? 60 : pair->value.len),
            pair->value.data ? pair->value.data : "", IDENTIFIER_MAX);
    identifier_copy(columns->names[role], pair->value);
    return OUTBOX_OK;
}

static enum outbox_status columns_distinct(const struct columns *columns,
                                           struct outbox_error *error)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        for (int other = 0; other < role; other++) {
            if (strcasecmp(columns->names[role], columns->names[other]) == 0)
                return outbox_fail(
                    error, OUTBOX_INVALID, "",
                    "columns: %s and %s are both called \"%s\": give each its own column",
                    role_names[other], role_names[role], columns->names[role]);
        }
    }
    return OUTBOX_OK;
}

enum outbox_status columns_init(struct columns *columns, const char *table,
                                const struct outbox_setting *map, struct outbox_error *error)
{
    enum outbox_status status = table_init(columns, table, error);
    if (status != OUTBOX_OK)
        return status;
    for (int role = 0; role < ROLE_COUNT; role++)
        identifier_copy(columns->names[role], outbox_slice_of(role_names[role]));
    for (uint64_t i = 0; map && i < map->pair_count; i++) {
        status = column_rename(columns, &map->pairs[i], error);
        if (status != OUTBOX_OK)
            return status;
    }
    return columns_distinct(columns, error);
}

static void write_name(FILE *out, const struct columns *columns, const struct shape *shape,
                       struct outbox_slice name)
{
    enum role role = ROLE_COUNT;
    if (name.len == 0)
        (void)fputs("{}", out);
    else if (name.len == 5 && memcmp(name.data, "table", 5) == 0)
        (void)fprintf(out, "\"%s\"", columns->table);
    else if (name.len == 5 && memcmp(name.data, "rowid", 5) == 0)
        (void)fputs("_rowid_", out); /* of the three spellings the one no column is called */
    else if (name.len == 3 && memcmp(name.data, "key", 3) == 0 && shape && shape->rowid_is_stable)
        (void)fputs("_rowid_", out);
    else if (name.len == 3 && memcmp(name.data, "key", 3) == 0)
        (void)fprintf(out, "\"%s\"", columns->names[ROLE_EVENT_ID]);
    else if (name.len > 6 && memcmp(name.data, "index:", 6) == 0)
        (void)fprintf(out, "\"%s_%.*s\"", columns->table, (int)name.len - 6, name.data + 6);
    else if (!role_find(name, &role))
        abort(); /* a misspelt template: ours, and seen by the first test that prepares it */
    else if (shape && !shape->has[role])
        (void)fputs("NULL", out);
    else
        (void)fprintf(out, "\"%s\"", columns->names[role]);
}

char *columns_sql(const struct columns *columns, const struct shape *shape, const char *pattern)
{
    char *sql = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&sql, &len);
    if (!out)
        return NULL;
    for (const char *at = pattern; *at;) {
        const char *brace = strchr(at, '{');
        size_t plain = brace ? (size_t)(brace - at) : strlen(at);
        (void)fwrite(at, 1, plain, out);
        if (!brace)
            break;
        const char *end = strchr(brace, '}');
        if (!end)
            abort();
        write_name(out, columns, shape,
                   (struct outbox_slice){brace + 1, (uint64_t)(end - brace - 1)});
        at = end + 1;
    }
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(sql);
        return NULL;
    }
    return sql;
}
