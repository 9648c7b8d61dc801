/*
 * floor_webhook.c - the fastest bare loop that posts events to a URL
 * SPDX-License-Identifier: MIT
 *
 * Has no store. One thread keeps a window of requests on their way, over as many connections, all
 * of them with the same payload and the headers that a real event would have. What is used again
 * and again is made once: handles, header list, payload.
 */
#include "floor_common.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EVENTS = 100000000, MAX_PAYLOAD = 16 * 1024 * 1024, MAX_WINDOW = 1000 };

struct options {
    const char *url, *ca;
    unsigned events, payload, window, connections;
    bool http2;
};

struct load {
    struct options options;
    CURLM *multi;
    CURL *handles[MAX_WINDOW];
    struct curl_slist *headers;
    char *payload;
    uint64_t started, done;
};

static const char usage[] =
    "usage: %s --url URL [--events N] [--payload BYTES] [--window N] [--connections N]\n"
    "          [--http 1|2] [--ca FILE]\n"
    "Posts events to a URL, several at once, and prints how long it took.\n";

static bool parse_number(const char *text, unsigned minimum, unsigned maximum, unsigned *number)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value < minimum || value > maximum)
        return false;
    *number = (unsigned)value;
    return true;
}

static bool parse_option(int letter, const char *text, struct options *options)
{
    unsigned version = 0;
    switch (letter) {
    case 'u':
        options->url = text;
        return true;
    case 'a':
        options->ca = text;
        return true;
    case 'e':
        return parse_number(text, 1, MAX_EVENTS, &options->events);
    case 'p':
        return parse_number(text, 0, MAX_PAYLOAD, &options->payload);
    case 'w':
        return parse_number(text, 1, MAX_WINDOW, &options->window);
    case 'c':
        return parse_number(text, 1, MAX_WINDOW, &options->connections);
    case 'v':
        options->http2 = parse_number(text, 1, 2, &version) && version == 2;
        return version > 0;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"url", required_argument, NULL, 'u'},         {"events", required_argument, NULL, 'e'},
        {"payload", required_argument, NULL, 'p'},     {"window", required_argument, NULL, 'w'},
        {"connections", required_argument, NULL, 'c'}, {"http", required_argument, NULL, 'v'},
        {"ca", required_argument, NULL, 'a'},          {NULL, 0, NULL, 0},
    };
    *options = (struct options){.events = 100000, .payload = 512, .window = 64};
    for (int letter; (letter = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (!parse_option(letter, optarg, options))
            return false;
    }
    if (options->connections == 0)
        options->connections = options->window;
    return options->url && optind == argc;
}

/* ---- Making what is used again and again --------------------------------------------------- */

static size_t ignore(char *data, size_t size, size_t count, void *context)
{
    (void)data, (void)context;
    return size * count;
}

static bool add_header(struct load *load, const char *line)
{
    struct curl_slist *longer = curl_slist_append(load->headers, line);
    if (longer)
        load->headers = longer;
    return longer != NULL;
}

static bool make_headers(struct load *load)
{
    return add_header(load, "Content-Type: application/json") && add_header(load, "Expect:") &&
           add_header(load, "source: bench") && add_header(load, "event-key: customer-42") &&
           add_header(load, "event-type: order.created") &&
           add_header(load, "event-id: 01930000-0000-7000-8000-000000000001") &&
           add_header(load, "webhook-id: 01930000-0000-7000-8000-000000000001") &&
           add_header(load, "User-Agent: outbox-relay");
}

static CURL *make_handle(struct load *load)
{
    const struct options *options = &load->options;
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    long version = options->http2 ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_1_1;
    if (options->http2 && strncmp(options->url, "https:", 6) == 0)
        version = CURL_HTTP_VERSION_2TLS;
    bool is_set = true;
    is_set &= curl_easy_setopt(easy, CURLOPT_URL, options->url) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)options->http2) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, load->headers) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->payload) ==
              CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, load->payload) == CURLE_OK;
    if (options->ca)
        is_set &= curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca) == CURLE_OK;
    if (is_set)
        return easy;
    curl_easy_cleanup(easy);
    return NULL;
}

static bool make(struct load *load)
{
    const struct options *options = &load->options;
    long connections = (long)options->connections;
    load->payload = malloc(options->payload + 1);
    load->multi = curl_multi_init();
    if (!load->payload || !load->multi || !make_headers(load))
        return false;
    memset(load->payload, 'x', options->payload);
    if (curl_multi_setopt(load->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) != CURLM_OK ||
        curl_multi_setopt(load->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections) != CURLM_OK ||
        curl_multi_setopt(load->multi, CURLMOPT_MAXCONNECTS, connections) != CURLM_OK)
        return false;
    for (unsigned i = 0; i < options->window; i++) {
        load->handles[i] = make_handle(load);
        if (!load->handles[i])
            return false;
    }
    return true;
}

static void end(struct load *load)
{
    for (unsigned i = 0; i < load->options.window; i++)
        curl_easy_cleanup(load->handles[i]);
    (void)curl_multi_cleanup(load->multi);
    curl_slist_free_all(load->headers);
    free(load->payload);
}

/* ---- The loop ----------------------------------------------------------------------------- */

static bool start_one(struct load *load, CURL *easy)
{
    if (load->started == load->options.events)
        return true;
    load->started++;
    return curl_multi_add_handle(load->multi, easy) == CURLM_OK;
}

static bool take_answers(struct load *load)
{
    int left;
    for (;;) {
        const CURLMsg *message = curl_multi_info_read(load->multi, &left);
        if (!message)
            return true;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        long status = 0;
        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_multi_remove_handle(load->multi, easy);
        if (code != CURLE_OK || status < 200 || status > 299) {
            fprintf(stderr, "floor_webhook: status %ld: %s\n", status, curl_easy_strerror(code));
            return false;
        }
        load->done++;
        if (!start_one(load, easy))
            return false;
    }
}

static bool post_all(struct load *load)
{
    int running;
    for (unsigned i = 0; i < load->options.window; i++) {
        if (!start_one(load, load->handles[i]))
            return false;
    }
    for (;;) {
        if (curl_multi_perform(load->multi, &running) != CURLM_OK || !take_answers(load))
            return false;
        if (load->done == load->options.events)
            return true;
        if (curl_multi_poll(load->multi, NULL, 0, 1000, NULL) != CURLM_OK)
            return false;
    }
}

static void report(const struct options *options, int64_t elapsed)
{
    printf("{\"http\": %d, \"window\": %u, \"connections\": %u, \"payload\": %u, \"events\": %u, "
           "\"seconds\": %.6f}\n",
           options->http2 ? 2 : 1, options->window, options->connections, options->payload,
           options->events, (double)elapsed / 1e9);
}

int main(int argc, char **argv)
{
    static struct load load;
    if (!parse(argc, argv, &load.options)) {
        fprintf(stderr, usage, argv[0]);
        return 2;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return EXIT_FAILURE;
    bool is_done = make(&load);
    int64_t started = floor_now();
    is_done = is_done && post_all(&load);
    if (is_done)
        report(&load.options, floor_now() - started);
    else
        fputs("floor_webhook: failed\n", stderr);
    end(&load);
    curl_global_cleanup();
    return is_done ? EXIT_SUCCESS : EXIT_FAILURE;
}
