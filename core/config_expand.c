/*
 * config_expand.c - texts that come from the environment or from a file
 * SPDX-License-Identifier: MIT
 */
#include "config_expand.h"
#include "regular_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_LIMIT ((size_t)64 * 1024)

/* A reference as it stands in a text: from "${" to behind its "}". */
struct reference {
    size_t name_len;
    const char *name;
    const char *otherwise; /* behind ":-", or NULL */
    size_t otherwise_len;
    const char *end;
};

bool expand_wanted(const char *text)
{
    return strstr(text, "${") != NULL;
}

static bool reference_parse(struct checker *checker, const struct json_path *path, const char *text,
                            struct reference *reference)
{
    const char *name = text + 2, *at = name;
    while (isalnum((unsigned char)*at) || *at == '_')
        at++;
    const char *end = strchr(at, '}');
    if (!end)
        return mistake(checker, path,
                       "\"${\" has no \"}\"; for the characters themselves write "
                       "\"$${\"");
    bool has_default = at[0] == ':' && at[1] == '-';
    if (at == name || isdigit((unsigned char)*name) || (at != end && !has_default))
        return mistake(
            checker, path,
            "\"%.*s\" does not begin a reference to a variable, allowed is \"${VAR}\" or "
            "\"${VAR:-default}\"; for the characters themselves write \"$${\"",
            (int)(at - text < 60 ? at - text : 60), text);
    *reference = (struct reference){.name = name, .name_len = (size_t)(at - name), .end = end + 1};
    if (has_default) {
        reference->otherwise = at + 2;
        reference->otherwise_len = (size_t)(end - reference->otherwise);
    }
    return true;
}

/* Writes the value of a reference to `out`. */
static bool reference_write(struct checker *checker, const struct json_path *path,
                            const struct reference *reference, FILE *out)
{
    char name[256];
    if (reference->name_len >= sizeof name)
        return mistake(checker, path, "the name of a variable is longer than 255 bytes");
    memcpy(name, reference->name, reference->name_len);
    name[reference->name_len] = '\0';

    const char *value = getenv(name);
    if (reference->otherwise && (!value || !*value)) {
        (void)fwrite(reference->otherwise, 1, reference->otherwise_len, out);
        return true;
    }
    if (!value)
        return mistake(checker, path,
                       "the environment variable %s is not set; set it, or give a default: "
                       "\"${%s:-default}\"",
                       name, name);
    json_t *text = json_string(value);
    if (!text)
        return mistake(checker, path, "the environment variable %s is not UTF-8", name);
    json_decref(text);
    (void)fputs(value, out);
    return true;
}

static bool expand_write(struct checker *checker, const struct json_path *path, const char *text,
                         FILE *out)
{
    bool ok = true;
    while (*text) {
        if (strncmp(text, "$${", 3) == 0) {
            (void)fputs("${", out);
            text += 3;
            continue;
        }
        if (strncmp(text, "${", 2) != 0) {
            (void)fputc(*text++, out);
            continue;
        }
        struct reference reference = {0};
        if (!reference_parse(checker, path, text, &reference))
            return false;
        ok &= reference_write(checker, path, &reference, out);
        text = reference.end;
    }
    return ok;
}

const char *expand_text(struct checker *checker, const struct json_path *path, const char *text)
{
    char *expanded = NULL, *copy = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&expanded, &len);
    if (!out) {
        (void)mistake_no_memory(checker);
        return NULL;
    }
    bool ok = expand_write(checker, path, text, out);
    bool complete = !ferror(out);
    complete &= fclose(out) == 0;
    if (ok && complete)
        copy = config_memory_copy(checker->memory, expanded, len);
    if (ok && !copy)
        (void)mistake_no_memory(checker);
    if (expanded)
        explicit_bzero(expanded, len);
    free(expanded);
    return copy;
}

/* Reads up to `size` bytes. Returns false with the reason. */
static bool file_read(const char *file, char *bytes, size_t size, size_t *len, const char **reason)
{
    off_t file_size;
    int fd = regular_file_open(file, &file_size, reason);
    if (fd < 0)
        return false;
    ssize_t got = 1;
    *len = 0;
    while (*len < size && got != 0) {
        got = read(fd, bytes + *len, size - *len);
        if (got > 0)
            *len += (size_t)got;
        else if (got < 0 && errno != EINTR)
            break;
    }
    if (got < 0)
        *reason = strerror(errno);
    (void)close(fd);
    return got >= 0;
}

static const char *secret_check(struct checker *checker, const struct json_path *path,
                                const char *file, const char *bytes, size_t len)
{
    const char *problem = NULL;
    if (len > SECRET_LIMIT)
        problem = "is longer than 64KiB, too long for a secret";
    else if (memchr(bytes, '\0', len))
        problem = "contains a NUL byte";
    if (!problem && len > 0 && bytes[len - 1] == '\n')
        len -= len > 1 && bytes[len - 2] == '\r' ? 2 : 1;
    if (!problem && len == 0)
        problem = "is empty";
    json_t *text = problem ? NULL : json_stringn(bytes, len);
    if (!problem && !text)
        problem = "is not UTF-8 text";
    json_decref(text);
    if (problem) {
        (void)mistake(checker, path, "the secret's file %s %s", file, problem);
        return NULL;
    }
    const char *copy = config_memory_copy(checker->memory, bytes, len);
    if (!copy)
        (void)mistake_no_memory(checker);
    return copy;
}

const char *secret_read(struct checker *checker, const struct json_path *path, const char *file)
{
    size_t size = SECRET_LIMIT + 1, len = 0;
    char *bytes = malloc(size);
    if (!bytes) {
        (void)mistake_no_memory(checker);
        return NULL;
    }
    const char *secret = NULL, *reason = NULL;
    if (file_read(file, bytes, size, &len, &reason))
        secret = secret_check(checker, path, file, bytes, len);
    else
        (void)mistake(checker, path, "the secret's file %s cannot be read: %s", file, reason);
    explicit_bzero(bytes, size);
    free(bytes);
    return secret;
}
