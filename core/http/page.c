/*
 * page.c - the page for people: the figures, between what page.html has around them
 * SPDX-License-Identifier: MIT
 *
 * The page is whole as it comes: a script only refreshes it. Elements that come and go have a
 * data-key, by which the script finds them again.
 */
#include "page.h"

#include "html.h"
#include "page_pipeline.h"

#include <inttypes.h>
#include <stdlib.h>

static size_t unready(const struct view *view)
{
    size_t count = 0;

    for (size_t i = 0; i < view->pipeline_count; i++)
        count += view->pipelines[i].cause_count > 0;
    return count;
}

static void write_state(FILE *out, const struct view *view)
{
    size_t count = unready(view);

    if (!view->alive) {
        (void)fputs("<p class=\"state error\" data-state><b>Stuck</b> <span>", out);
        html_text(out, view->stuck);
        (void)fputs("</span></p>", out);
    } else if (!view->ready) {
        (void)fprintf(out,
                      "<p class=\"state wait\" data-state><b>Not ready</b> <span>%zu of %zu "
                      "pipeline%s</span></p>",
                      count, view->pipeline_count, view->pipeline_count == 1 ? "" : "s");
    } else {
        (void)fputs("<p class=\"state good\" data-state><b>Ready</b></p>", out);
    }
}

static void write_header(FILE *out, const struct view *view)
{
    (void)fputs("<header><div class=\"title\"><h1>Outbox Relay</h1>", out);
    write_state(out, view);
    (void)fputs("</div><dl class=\"about\"><div><dt>Relay</dt><dd><bdi>", out);
    html_text(out, view->relay_id);
    (void)fputs("</bdi></dd></div><div><dt>Version</dt><dd>", out);
    html_text(out, view->version);
    (void)fprintf(out, "</dd></div><div><dt>Process</dt><dd>%" PRId64 "</dd></div>", view->pid);
    (void)fputs("<div><dt>Up for</dt><dd>", out);
    html_age(out, view->uptime);
    (void)fputs("</dd></div><div><dt>As of</dt><dd>", out);
    html_time(out, view->taken_at);
    (void)fputs("</dd></div></dl></header>\n", out);
}

/* With several pipelines: which of them to look at. */
static void write_contents(FILE *out, const struct view *view)
{
    if (view->pipeline_count < 2)
        return;
    (void)fputs("<nav aria-label=\"Pipelines\"><ul>\n", out);
    for (size_t i = 0; i < view->pipeline_count; i++) {
        (void)fprintf(out, "<li><a href=\"#pipeline-%zu\"><bdi>", i);
        html_text(out, view->pipelines[i].name);
        (void)fputs("</bdi> ", out);
        page_write_badge(out, &view->pipelines[i], "span");
        (void)fputs("</a></li>\n", out);
    }
    (void)fputs("</ul></nav>\n", out);
}

static void write_figures(FILE *out, const struct view *view)
{
    (void)fprintf(out, "<div id=\"figures\" data-pid=\"%" PRId64 "\" data-version=\"", view->pid);
    html_text(out, view->version);
    (void)fputs("\">\n", out);
    write_header(out, view);
    write_contents(out, view);
    (void)fputs("<main id=\"main\">\n", out);
    for (size_t i = 0; i < view->pipeline_count; i++)
        page_write_pipeline(out, &view->pipelines[i], i);
    (void)fputs("</main>\n</div>", out);
}

char *page_text(const struct view *view, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);

    if (!out)
        return NULL;
    (void)fwrite(page_before, 1, page_before_length, out);
    write_figures(out, view);
    (void)fwrite(page_behind, 1, page_behind_length, out);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    if (!failed)
        return text;
    free(text);
    return NULL;
}
