/*
 * page_holders.c - who works at a pipeline's table, on the page for people
 * SPDX-License-Identifier: MIT
 */
#include "page_holders.h"

#include "html.h"

#include <math.h>

static void write_name(FILE *out, const struct holder *holder)
{
    if (holder->name[0]) {
        (void)fputs("<bdi>", out);
        html_text(out, holder->name);
        (void)fputs("</bdi>", out);
    } else {
        (void)fputs("not named", out);
    }
    if (holder->is_self)
        (void)fputs(" <small>this relay</small>", out);
    else if (!holder->is_relay)
        (void)fputs(" <small>of another make</small>", out);
}

static void write_holder(FILE *out, const struct holder *holder)
{
    (void)fprintf(out, "<tr data-key=\"%s ", holder->is_relay ? "relay" : "token");
    html_text(out, holder->name);
    (void)fputs("\"><th scope=\"row\">", out);
    write_name(out, holder);
    (void)fputs("</th><td>", out);
    html_count(out, (int64_t)holder->events);
    (void)fputs("</td><td>", out);
    html_count(out, (int64_t)holder->claims);
    (void)fputs("</td><td>", out);
    html_duration(out, holder->held_for < 0 ? NAN : (double)holder->held_for / 1e6);
    (void)fputs("</td></tr>\n", out);
}

static void write_list(FILE *out, const struct holders *holders)
{
    (void)fputs("<table class=\"numbers\" data-key=\"table\"><caption>Who holds events, and for "
                "how long the oldest of them</caption>\n<thead><tr><th scope=\"col\">Relay</th>"
                "<th scope=\"col\">Events</th><th scope=\"col\">Claims</th>"
                "<th scope=\"col\">Held for</th></tr></thead>\n<tbody>\n",
                out);
    for (size_t i = 0; i < holders->count; i++)
        write_holder(out, &holders->list[i]);
    (void)fputs("</tbody></table>\n", out);
}

void page_write_holders(FILE *out, const struct holders *holders)
{
    if (!holders->looked)
        return;
    (void)fputs("<div class=\"holders\" data-key=\"holders\"><h3>At work at the table</h3>\n", out);
    if (holders->status != OUTBOX_OK) {
        (void)fputs("<p data-key=\"reason\">Not known: <bdi>", out);
        html_text(out, holders->reason);
        (void)fputs("</bdi></p>\n", out);
    } else if (holders->count == 0) {
        (void)fputs("<p data-key=\"nobody\">Nobody holds an event.</p>\n", out);
    } else {
        write_list(out, holders);
    }
    if (holders->partial)
        (void)fputs("<p data-key=\"more\">There may be more: only so many are looked at.</p>\n",
                    out);
    (void)fputs("</div>\n", out);
}
