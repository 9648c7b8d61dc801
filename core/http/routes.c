/*
 * routes.c - what can be asked for over HTTP, and the answers
 * SPDX-License-Identifier: MIT
 */
#include "routes.h"

#include "figures.h"
#include "page.h"
#include "probes.h"

#include <string.h>

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define HTML "text/html; charset=utf-8"
#define PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

/* Makes a body of a view; *fine is the answer to what was asked. */
typedef char *renderer(const struct view *view, size_t *length, bool *fine);

static char *render_health(const struct view *view, size_t *length, bool *fine)
{
    char *text = health_text(view);
    *fine = view->alive;
    *length = text ? strlen(text) : 0;
    return text;
}

static char *render_readiness(const struct view *view, size_t *length, bool *fine)
{
    char *text = readiness_text(view);
    *fine = view->ready;
    *length = text ? strlen(text) : 0;
    return text;
}

static char *render_figures(const struct view *view, size_t *length, bool *fine)
{
    char *text = figures_all(view);
    *fine = true;
    *length = text ? strlen(text) : 0;
    return text;
}

static char *render_page(const struct view *view, size_t *length, bool *fine)
{
    *fine = true;
    return page_text(view, length);
}

static const struct route {
    const char *path, *type, *policy;
    renderer *render; /* NULL: the metrics, which are not made of a view */
} routes[] = {
    {"/", HTML, page_policy, render_page},     {"/healthz", JSON, NULL, render_health},
    {"/readyz", JSON, NULL, render_readiness}, {"/stats", JSON, NULL, render_figures},
    {"/metrics", PROMETHEUS, NULL, NULL},
};

static struct http_answer answer_of_view(const struct http_source *source,
                                         const struct route *route)
{
    struct http_answer answer = {.status = 200, .type = route->type, .policy = route->policy};
    struct view *view = source->view(source->context);
    bool fine = true;

    if (view)
        answer.body = route->render(view, &answer.length, &fine);
    if (!fine)
        answer.status = 503;
    view_free(&view);
    return answer;
}

static struct http_answer answer_unknown(void)
{
    static const char text[] = "There is nothing here. There are /, /healthz, /readyz, /stats and "
                               "/metrics.\n";
    return (struct http_answer){
        .status = 404, .type = TEXT, .body = strdup(text), .length = sizeof(text) - 1};
}

struct http_answer http_answer(const struct http_source *source, const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
        struct http_answer answer = {.status = 200, .type = routes[i].type};
        if (strcmp(routes[i].path, path) != 0)
            continue;
        if (routes[i].render)
            return answer_of_view(source, &routes[i]);
        answer.body = source->metrics(source->context, &answer.length);
        return answer;
    }
    return answer_unknown();
}
