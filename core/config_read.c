/*
 * config_read.c - from text to a JSON document, before any key is looked at
 * SPDX-License-Identifier: MIT
 */
#include "config_read.h"
#include "regular_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)16 * 1024 * 1024)

/* Jansson ends its sentence with the token it stumbled on. That may be a piece of a secret, so only
 * punctuation and the name of a repeated key are told. */
static void syntax_mistake(struct checker *checker, const char *name, const json_error_t *error)
{
    char what[JSON_ERROR_TEXT_LENGTH];
    (void)snprintf(what, sizeof what, "%s", error->text);
    char *near = strstr(what, " near ");
    const char *token = near ? near + strlen(" near ") : "";
    bool punctuation =
        token[0] == '\'' && token[1] && token[2] == '\'' && !token[3] && strchr("{}[]:,", token[1]);
    bool key = json_error_code(error) == json_error_duplicate_key;
    if (near && !punctuation && !key && strncmp(token, "end of file", 11) != 0)
        *near = '\0';
    if (error->line > 0)
        (void)mistake(checker, NULL, "%s:%d:%d: %s", name, error->line, error->column, what);
    else
        (void)mistake(checker, NULL, "%s: %s", name, what);
}

static json_t *parse(struct checker *checker, const char *name, const char *text, size_t len)
{
    json_error_t error;
    json_t *document = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!document)
        syntax_mistake(checker, name, &error);
    else if (!json_is_object(document))
        (void)mistake(checker, NULL, "%s: found an array, allowed is an object", name);
    return document;
}

static json_t *read_stream(struct checker *checker, const char *name, FILE *file)
{
    char *text = NULL;
    size_t len = 0, size = 0;
    json_t *document = NULL;
    while (!feof(file) && !ferror(file) && len <= FILE_LIMIT) {
        if (len == size) {
            size = size ? size * 2 : 16384;
            char *larger = realloc(text, size);
            if (!larger) {
                (void)mistake_no_memory(checker);
                goto out;
            }
            text = larger;
        }
        len += fread(text + len, 1, size - len, file);
    }
    if (ferror(file))
        (void)mistake(checker, NULL, "%s: cannot be read: %s", name, strerror(errno));
    else if (len > FILE_LIMIT)
        (void)mistake(checker, NULL, "%s: is larger than 16MiB, too large for a configuration",
                      name);
    else
        document = parse(checker, name, text ? text : "", len);
out:
    if (text)
        explicit_bzero(text, size);
    free(text);
    return document;
}

static json_t *read_file(struct checker *checker, const char *path)
{
    const char *reason = NULL;
    off_t size;
    int fd = regular_file_open(path, &size, &reason);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file) {
        if (fd >= 0) {
            reason = strerror(errno);
            (void)close(fd);
        }
        (void)mistake(checker, NULL,
                      "%s: cannot be read: %s; name the configuration with -c FILE or in "
                      "$OUTBOX_CONFIG",
                      path, reason);
        return NULL;
    }
    json_t *document = read_stream(checker, path, file);
    (void)fclose(file);
    return document;
}

json_t *config_read(struct checker *checker, const struct config_source *source)
{
    json_t *document = source->path
                           ? read_file(checker, source->path)
                           : parse(checker, "configuration", source->text, strlen(source->text));
    if (!json_is_object(document))
        return document;
    bool ok = true;
    for (size_t i = 0; i < source->set_count; i++)
        ok &= config_set(checker, document, source->set[i]);
    if (!ok)
        checker->failed = true;
    return document;
}
