/*
 * template.c - text made of an event: "{aggregate_type}.{type}"
 * SPDX-License-Identifier: MIT
 */
#include "template.h"

#include <stdio.h>
#include <string.h>

/* ---- Compiling ---------------------------------------------------------------------------- */

struct compiler {
    char *at;
    struct template_piece *pieces;
    size_t count;
    char *why;
};

static const char *wrong_field(struct compiler *compiler, struct outbox_slice name)
{
    (void)snprintf(compiler->why, TEMPLATE_WHY, "{%.*s%s} is no field of an event; there are %s",
                   (int)(name.len > 40 ? 40 : name.len), name.data, name.len > 40 ? "..." : "",
                   event_field_list);
    return compiler->why;
}

/* "{NAME}" or "{NAME|DEFAULT}" from its brace on. */
static const char *compile_field(struct compiler *compiler)
{
    struct template_piece *piece = &compiler->pieces[compiler->count++];
    char *name = compiler->at + 1;
    size_t len = strcspn(name, "{}");

    if (name[len] != '}')
        return "a \"{\" has no \"}\"; a brace that is meant as such is written twice";
    char *bar = memchr(name, '|', len);
    struct outbox_slice field = {name, bar ? (size_t)(bar - name) : len};
    *piece = (struct template_piece){.is_field = true};
    if (bar)
        piece->text = (struct outbox_slice){bar + 1, len - field.len - 1};
    compiler->at = name + len + 1;
    return event_field_parse(field, &piece->field) ? NULL : wrong_field(compiler, field);
}

/* Up to the next field; doubled braces become single ones in place. */
static const char *compile_literal(struct compiler *compiler)
{
    char *start = compiler->at, *to = start;

    while (*compiler->at) {
        char byte = *compiler->at;
        bool is_brace = byte == '{' || byte == '}';
        if (is_brace && compiler->at[1] == byte)
            compiler->at++;
        else if (byte == '{')
            break;
        else if (byte == '}')
            return "a \"}\" has no \"{\"; a brace that is meant as such is written twice";
        *to++ = byte;
        compiler->at++;
    }
    if (to > start)
        compiler->pieces[compiler->count++].text =
            (struct outbox_slice){start, (size_t)(to - start)};
    return NULL;
}

const char *template_compile(struct config_memory *memory, const char *text,
                             struct template *template, char why[TEMPLATE_WHY])
{
    size_t braces = 0;

    for (const char *at = text; *at; at++)
        braces += *at == '{';
    struct compiler compiler = {
        .at = config_memory_copy(memory, text, strlen(text)),
        .pieces = config_memory_take(memory, 2 * braces + 1, sizeof(struct template_piece)),
        .why = why,
    };
    if (!compiler.at || !compiler.pieces)
        return "out of memory";
    while (*compiler.at) {
        const char *mistake = compile_literal(&compiler);
        if (!mistake && *compiler.at)
            mistake = compile_field(&compiler);
        if (mistake)
            return mistake;
    }
    bool is_field = compiler.count == 1 && compiler.pieces->is_field;
    *template = (struct template){compiler.pieces, compiler.count,
                                  is_field ? event_field_place(&compiler.pieces->field) : 0};
    return NULL;
}

bool template_is_constant(const struct template *template)
{
    for (size_t i = 0; i < template->count; i++)
        if (template->pieces[i].is_field)
            return false;
    return true;
}

/* ---- Rendering ---------------------------------------------------------------------------- */

static enum template_status render_piece(const struct template_piece *piece,
                                         const struct event_source *source, struct arena *arena,
                                         struct outbox_slice *text,
                                         const struct event_field **missing)
{
    *text = piece->text;
    if (!piece->is_field)
        return TEMPLATE_OK;
    if (!event_field_get(&piece->field, source, arena, text))
        return TEMPLATE_NO_MEMORY;
    if (text->data)
        return TEMPLATE_OK;
    *text = piece->text;
    *missing = &piece->field;
    return piece->text.data ? TEMPLATE_OK : TEMPLATE_MISSING;
}

static enum template_status render_many(const struct template *template,
                                        const struct event_source *source, struct arena *arena,
                                        struct outbox_slice *text,
                                        const struct event_field **missing)
{
    struct outbox_slice *texts = arena_alloc(arena, template->count * sizeof(*texts));
    uint64_t len = 0;

    if (!texts)
        return TEMPLATE_NO_MEMORY;
    for (size_t i = 0; i < template->count; i++) {
        enum template_status status =
            render_piece(&template->pieces[i], source, arena, &texts[i], missing);
        if (status != TEMPLATE_OK)
            return status;
        len += texts[i].len;
    }
    char *joined = arena_alloc(arena, len);
    if (!joined)
        return TEMPLATE_NO_MEMORY;
    *text = (struct outbox_slice){joined, len};
    for (size_t i = 0; i < template->count; joined += texts[i++].len)
        if (texts[i].len > 0)
            memcpy(joined, texts[i].data, texts[i].len);
    return TEMPLATE_OK;
}

enum template_status template_render(const struct template *template,
                                     const struct event_source *source, struct arena *arena,
                                     struct outbox_slice *text, const struct event_field **missing)
{
    *missing = NULL;
    if (template->count == 0) {
        *text = (struct outbox_slice){"", 0};
        return TEMPLATE_OK;
    }
    if (template->count > 1)
        return render_many(template, source, arena, text, missing);
    enum template_status status = render_piece(template->pieces, source, arena, text, missing);
    if (status == TEMPLATE_OK && *missing && text->len == 0)
        *text = (struct outbox_slice){NULL, 0};
    return status;
}
