/*
 * http_sample.c - the relay's HTTP side with sample figures, for a browser to look at
 * SPDX-License-Identifier: MIT
 *
 * Listens at the address that is its first argument, which it tells as the relay does, and shows
 * three pipelines, or with a second argument "2" those that are not hostile. The figures move with
 * every request. Ends at the end of its input.
 */
#include "http/server.h"
#include "log.h"
#include "sample_view.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sample {
    _Atomic uint64_t turn;
    size_t pipelines;
};

static struct view *next_view(void *context)
{
    struct sample *sample = context;
    struct view *view = sample_view(atomic_fetch_add(&sample->turn, 1));
    view->pipeline_count = sample->pipelines;
    return view;
}

static char *no_metrics(void *context, size_t *length)
{
    (void)context;
    *length = 0;
    return strdup("");
}

int main(int argc, char **argv)
{
    struct sample sample = {0, argc > 2 && strcmp(argv[2], "2") == 0 ? 2 : 3};
    const struct http_source source = {next_view, no_metrics, &sample};
    const struct config config = {.http_listen = argc > 1 ? argv[1] : "127.0.0.1:0"};
    struct http_server *server;
    char input[64];

    log_setup(OUTBOX_LOG_INFO, LOG_FORMAT_JSON);
    if (!http_open(&config, &server) || !http_serve(server, &source))
        return 1;
    while (read(STDIN_FILENO, input, sizeof(input)) > 0)
        continue;
    http_close(&server);
    return 0;
}
