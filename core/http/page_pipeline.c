/*
 * page_pipeline.c - one pipeline on the page for people
 * SPDX-License-Identifier: MIT
 */
#include "page_pipeline.h"

#include "html.h"
#include "page_holders.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define UNKNOWN "unknown"

/* ---- State -------------------------------------------------------------------------------- */

struct state {
    const char *cause; /* by which it is known */
    const char *class, *word;
};

/* Beginning and ending are not the errors as which they count. */
static const struct state *state_of_cause(const struct view_pipeline *pipeline)
{
    static const struct state known[] = {
        {"starting", "wait", "Starting"},
        {"stopping", "wait", "Stopping"},
        {"ended", "error", "Ended"},
    };

    for (size_t i = 0; pipeline->cause_count > 0 && i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(pipeline->causes[0].name, known[i].cause) == 0)
            return &known[i];
    return NULL;
}

void page_write_badge(FILE *out, const struct view_pipeline *pipeline, const char *element)
{
    static const struct state unready = {NULL, "wait", "Not ready"},
                              paused = {NULL, "wait", "Paused"}, failing = {NULL, "error", "Error"},
                              active = {NULL, "good", "Active"};
    const struct state *state = state_of_cause(pipeline);

    if (!state && pipeline->state == 3)
        state = &failing;
    else if (!state && pipeline->state == 2)
        state = &paused;
    else if (!state)
        state = pipeline->cause_count == 0 ? &active : &unready;
    (void)fprintf(out, "<%s class=\"state %s\"><b>%s</b></%s>", element, state->class, state->word,
                  element);
}

static void write_heading(FILE *out, const struct view_pipeline *pipeline, size_t index)
{
    (void)fprintf(out, "<div class=\"title\"><h2 id=\"pipeline-%zu\"><bdi>", index);
    html_text(out, pipeline->name);
    (void)fputs("</bdi></h2>", out);
    page_write_badge(out, pipeline, "p");
    (void)fputs("<p class=\"way\"><bdi>", out);
    html_text(out, pipeline->store);
    (void)fputs("</bdi> <span aria-label=\"to\" role=\"img\">\xe2\x86\x92</span> <bdi>", out);
    html_text(out, pipeline->publisher);
    (void)fputs("</bdi>, mode ", out);
    html_text(out, pipeline->mode);
    (void)fprintf(out, ", %" PRIu64 " worker%s</p></div>\n", pipeline->workers,
                  pipeline->workers == 1 ? "" : "s");
}

static void write_causes(FILE *out, const struct view_pipeline *pipeline)
{
    if (pipeline->cause_count == 0)
        return;
    (void)fprintf(out, "<ul class=\"causes%s\" data-key=\"causes\">\n",
                  pipeline->state == 3 ? " failing" : "");
    for (size_t i = 0; i < pipeline->cause_count; i++) {
        (void)fputs("<li data-key=\"", out);
        html_text(out, pipeline->causes[i].name);
        (void)fputs("\"><b>", out);
        html_text(out, pipeline->causes[i].name);
        (void)fputs("</b> <bdi>", out);
        html_text(out, pipeline->causes[i].reason);
        (void)fputs("</bdi></li>\n", out);
    }
    (void)fputs("</ul>\n", out);
}

/* ---- What to see first -------------------------------------------------------------------- */

static void write_table_count(FILE *out, const struct view_pipeline *pipeline, int64_t number,
                              uint32_t estimated)
{
    if (!pipeline->counted || number < 0) {
        (void)fputs(UNKNOWN, out);
        return;
    }
    if (pipeline->table.estimated & estimated)
        (void)fputs("<small>about</small> ", out);
    html_count(out, number);
}

static void write_oldest(FILE *out, const struct view_pipeline *pipeline)
{
    if (!pipeline->counted)
        (void)fputs(UNKNOWN, out);
    else if (pipeline->table.oldest_age < 0)
        (void)fputs("none waits", out);
    else
        html_duration(out, (double)pipeline->table.oldest_age / 1e6);
}

/* `line`: the script draws the figure's last minutes; `value` is what it draws. */
static void begin_key(FILE *out, const char *name, const char *line, double value)
{
    (void)fprintf(out, "<div><dt>%s</dt><dd", name);
    if (line && isfinite(value))
        (void)fprintf(out, " data-line=\"%s\" data-value=\"%.3f\"", line, value);
    (void)fputs("><span>", out);
}

static void end_key(FILE *out)
{
    (void)fputs("</span></dd></div>\n", out);
}

static void write_keys(FILE *out, const struct view_pipeline *pipeline)
{
    const struct outbox_store_stats *table = &pipeline->table;
    bool known = pipeline->counted && table->pending >= 0;

    (void)fputs("<dl class=\"keys\">\n", out);
    begin_key(out, "Delivered a second", "rate", pipeline->delivered_rate);
    html_rate(out, pipeline->delivered_rate);
    end_key(out);
    begin_key(out, "Failed a second", NULL, NAN);
    html_rate(out, pipeline->failed_rate);
    end_key(out);
    begin_key(out, "Backlog", "backlog", known ? (double)table->pending : NAN);
    write_table_count(out, pipeline, table->pending, OUTBOX_ESTIMATED_PENDING);
    end_key(out);
    begin_key(out, "Oldest has waited", NULL, NAN);
    write_oldest(out, pipeline);
    end_key(out);
    begin_key(out, "In flight", NULL, NAN);
    html_count(out, (int64_t)pipeline->in_flight);
    end_key(out);
    begin_key(out, "End to end, p99", NULL, NAN);
    html_duration(out, pipeline->e2e.p99);
    end_key(out);
    (void)fputs("</dl>\n", out);
}

/* ---- All figures -------------------------------------------------------------------------- */

static void write_latency(FILE *out, const char *name, const struct view_latency *latency)
{
    (void)fprintf(out, "<tr><th scope=\"row\">%s</th><td>", name);
    html_duration(out, latency->p50);
    (void)fputs("</td><td>", out);
    html_duration(out, latency->p90);
    (void)fputs("</td><td>", out);
    html_duration(out, latency->p99);
    (void)fputs("</td></tr>\n", out);
}

static void write_latencies(FILE *out, const struct view_pipeline *pipeline)
{
    (void)fputs("<h3>Latency</h3>\n"
                "<table class=\"numbers latency\"><caption>Seen in the last minute</caption>\n"
                "<thead><tr><th scope=\"col\">Of</th><th scope=\"col\">p50</th>"
                "<th scope=\"col\">p90</th><th scope=\"col\">p99</th></tr></thead>\n<tbody>\n",
                out);
    write_latency(out, "End to end", &pipeline->e2e);
    write_latency(out, "Publish", &pipeline->publish);
    write_latency(out, "Claim", &pipeline->claim);
    write_latency(out, "Settle", &pipeline->settle);
    (void)fputs("</tbody></table>\n", out);
}

static void write_total(FILE *out, const char *name, uint64_t number)
{
    (void)fprintf(out, "<div%s><dt>%s</dt><dd>", number == 0 ? " class=\"zero\"" : "", name);
    html_count(out, (int64_t)number);
    (void)fputs("</dd></div>\n", out);
}

static void write_totals(FILE *out, const struct view_pipeline *pipeline)
{
    (void)fputs("<div class=\"group wide\"><h3>Since the start</h3>\n<dl class=\"list\">\n", out);
    write_total(out, "Claimed", pipeline->claimed);
    write_total(out, "Delivered", pipeline->delivered);
    write_total(out, "Dropped by the route", pipeline->dropped);
    write_total(out, "To be retried", pipeline->retried);
    write_total(out, "Unanswered", pipeline->unknown);
    write_total(out, "Rejected", pipeline->rejected);
    write_total(out, "Dead", pipeline->dead);
    write_total(out, "Released", pipeline->released);
    write_total(out, "Stale", pipeline->stale);
    write_total(out, "Leases expired", pipeline->expired);
    write_total(out, "Pruned", pipeline->pruned);
    (void)fputs("</dl></div>\n", out);
}

static void write_table_figure(FILE *out, const char *name, const struct view_pipeline *pipeline,
                               int64_t number, uint32_t estimated)
{
    (void)fprintf(out, "<div><dt>%s</dt><dd>", name);
    write_table_count(out, pipeline, number, estimated);
    (void)fputs("</dd></div>\n", out);
}

static void write_table(FILE *out, const struct view_pipeline *pipeline)
{
    const struct outbox_store_stats *table = &pipeline->table;

    (void)fputs("<div class=\"group\"><h3>In the table</h3>\n<dl class=\"list\">\n", out);
    write_table_figure(out, "Pending", pipeline, table->pending, OUTBOX_ESTIMATED_PENDING);
    write_table_figure(out, "of these due later", pipeline, table->scheduled, 0);
    write_table_figure(out, "Delivering", pipeline, table->delivering, 0);
    write_table_figure(out, "Delivered", pipeline, table->delivered, OUTBOX_ESTIMATED_DELIVERED);
    write_table_figure(out, "Dead", pipeline, table->dead, OUTBOX_ESTIMATED_DEAD);
    (void)fputs("<div><dt>Counted</dt><dd>", out);
    if (pipeline->counted) {
        html_age(out, pipeline->counted_ago);
        (void)fputs(" ago", out);
    } else {
        (void)fputs("not yet", out);
    }
    (void)fputs("</dd></div>\n</dl></div>\n", out);
}

/* ---- Lists that come and go --------------------------------------------------------------- */

static void write_counters(FILE *out, const struct view_pipeline *pipeline)
{
    if (pipeline->counter_count == 0)
        return;
    (void)fputs("<div class=\"drivers\" data-key=\"drivers\"><h3>Drivers</h3>\n"
                "<table class=\"numbers counters\"><caption>What the drivers have "
                "counted</caption>\n<thead><tr><th scope=\"col\">Driver</th>"
                "<th scope=\"col\">What</th><th scope=\"col\">Count</th></tr></thead>\n<tbody>\n",
                out);
    for (size_t i = 0; i < pipeline->counter_count; i++) {
        const struct view_counter *counter = &pipeline->counters[i];
        (void)fputs("<tr><th scope=\"row\"><bdi>", out);
        html_text(out, counter->driver);
        (void)fputs("</bdi></th><td class=\"words\"><bdi>", out);
        html_text(out, counter->name);
        (void)fputs("</bdi></td><td>", out);
        html_count(out, counter->value);
        (void)fputs("</td></tr>\n", out);
    }
    (void)fputs("</tbody></table></div>\n", out);
}

static void write_dead_event(FILE *out, const struct view_dead *dead)
{
    (void)fprintf(out, "<tr role=\"row\" data-key=\"%" PRId64 " ", dead->at);
    html_text(out, dead->id);
    (void)fputs("\"><td role=\"cell\" data-label=\"When\">", out);
    html_time(out, dead->at);
    (void)fputs("</td><td role=\"cell\" data-label=\"Event\" class=\"id\"><bdi>", out);
    html_text(out, dead->id);
    (void)fputs("</bdi></td><td role=\"cell\" data-label=\"Reason\"><bdi>", out);
    html_text(out, dead->reason);
    (void)fputs("</bdi></td></tr>\n", out);
}

/* The roles keep it a table for those who listen, when it is no more shown as one. */
static void write_dead_events(FILE *out, const struct view_pipeline *pipeline)
{
    if (pipeline->dead_count == 0)
        return;
    (void)fprintf(out,
                  "<details class=\"dead\" data-key=\"dead\" open><summary><h3>Dead events</h3> "
                  "<span>the latest %zu</span></summary>\n",
                  pipeline->dead_count);
    (void)fputs("<table class=\"stacks\" role=\"table\"><caption>Events that this relay has given "
                "up since its start, the latest first</caption>\n"
                "<thead role=\"rowgroup\"><tr role=\"row\"><th scope=\"col\" "
                "role=\"columnheader\">When</th><th scope=\"col\" role=\"columnheader\">Event</th>"
                "<th scope=\"col\" role=\"columnheader\">Reason</th></tr></thead>\n"
                "<tbody role=\"rowgroup\">\n",
                out);
    for (size_t i = 0; i < pipeline->dead_count; i++)
        write_dead_event(out, &pipeline->dead_events[i]);
    (void)fputs("</tbody></table></details>\n", out);
}

void page_write_pipeline(FILE *out, const struct view_pipeline *pipeline, size_t index)
{
    (void)fprintf(out, "<section aria-labelledby=\"pipeline-%zu\" data-name=\"", index);
    html_text(out, pipeline->name);
    (void)fputs("\">\n", out);
    write_heading(out, pipeline, index);
    write_causes(out, pipeline);
    write_keys(out, pipeline);
    (void)fputs("<div class=\"groups\">\n<div class=\"group\">", out);
    write_latencies(out, pipeline);
    write_counters(out, pipeline);
    (void)fputs("</div>\n", out);
    write_totals(out, pipeline);
    write_table(out, pipeline);
    (void)fputs("</div>\n", out);
    page_write_holders(out, &pipeline->holders);
    write_dead_events(out, pipeline);
    (void)fputs("</section>\n", out);
}
