/*
 * probes.c - what /healthz and /readyz answer
 * SPDX-License-Identifier: MIT
 */
#include "probes.h"

#include "../cli.h"
#include "figures.h"

#include <jansson.h>

static char *dump(json_t *document)
{
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    return text;
}

char *health_text(const struct view *view)
{
    if (view->alive)
        return dump(json_pack("{s:s}", "status", "ok"));
    return dump(json_pack("{s:s, s:o}", "status", "stuck", "reason", cli_json_text(view->stuck)));
}

static json_t *pipeline_readiness(const struct view_pipeline *pipeline)
{
    if (pipeline->cause_count == 0)
        return json_pack("{s:s}", "status", "ready");
    return json_pack("{s:s, s:o}", "status", "not ready", "causes", figures_causes(pipeline));
}

char *readiness_text(const struct view *view)
{
    json_t *pipelines = json_object();

    for (size_t i = 0; i < view->pipeline_count; i++)
        if (json_object_set_new(pipelines, view->pipelines[i].name,
                                pipeline_readiness(&view->pipelines[i])) != 0) {
            json_decref(pipelines);
            return NULL;
        }
    return dump(json_pack("{s:s, s:o}", "status", view->ready ? "ready" : "not ready", "pipelines",
                          pipelines));
}
