/*
 * routes.h - what can be asked for over HTTP, and the answers
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HTTP_ROUTES_H
#define CORE_HTTP_ROUTES_H

#include "../view.h"

/* Where the figures come from; any thread may ask, at any time between http_serve() and
 * http_close(). Both return NULL if memory ran out; the server frees what they return. */
struct http_source {
    struct view *(*view)(void *context);
    char *(*metrics)(void *context, size_t *length);
    void *context;
};

struct http_answer {
    unsigned status;
    const char *type;
    const char *policy; /* of the content's security; NULL: nothing in it is shown as a page */
    char *body;         /* malloc'd; NULL: memory ran out */
    size_t length;
};

/* Answers a GET. */
struct http_answer http_answer(const struct http_source *source, const char *path);

#endif
