/*
 * claim_latency.c - how long a store's claims take, of several tables in turn
 * SPDX-License-Identifier: MIT
 *
 * Reads a relay's configuration file and drives the store of each of its pipelines through the ABI,
 * with a host of its own and no publisher. A round claims once from each; what was claimed is
 * settled outside of the time taken. Prints the times of every pipeline in microseconds.
 */
#include "config.h"
#include "plugins.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct subject {
    const struct pipeline_config *pipeline;
    const struct outbox_store_ops *ops;
    struct outbox_host host;
    struct outbox_store *store;
    struct outbox_session *session;
    int64_t *times; /* nanoseconds, one a round */
};

struct plan {
    unsigned rounds, batch;
    struct outbox_settlement *settlements; /* all DELIVERED, one for each event of a batch */
};

static const int64_t patience = INT64_C(60000000000);

/* ---- The host ----------------------------------------------------------------------------- */

static int64_t host_now(const struct outbox_host *host)
{
    (void)host;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void host_log(const struct outbox_host *host, uint32_t level, const char *text)
{
    const struct subject *subject = host->context;
    if (level <= OUTBOX_LOG_WARN)
        fprintf(stderr, "claim_latency: %s: %s\n", subject->pipeline->name, text);
}

static void host_complete(const struct outbox_host *host, const struct outbox_batch *batch,
                          uint64_t first, uint64_t count, const struct outbox_result *result)
{
    (void)host, (void)batch, (void)first, (void)count, (void)result;
    fputs("claim_latency: a store has completed a message, which only a publisher may\n", stderr);
    abort();
}

static void host_count(const struct outbox_host *host, const char *counter, int64_t increment)
{
    (void)host, (void)counter, (void)increment;
}

/* ---- A store ------------------------------------------------------------------------------ */

static bool complain(const struct subject *subject, const struct outbox_error *error)
{
    fprintf(stderr, "claim_latency: %s: %s%s%s\n", subject->pipeline->name, error->native,
            error->native[0] ? ": " : "", error->text);
    return false;
}

static bool subject_open(struct subject *subject, const struct pipeline_config *pipeline,
                         unsigned rounds)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    subject->pipeline = pipeline;
    subject->ops = pipeline->store.plugin->store;
    subject->host = (struct outbox_host){
        sizeof subject->host, OUTBOX_ABI_MAJOR, OUTBOX_ABI_MINOR, subject, host_log, host_now,
        host_complete,        host_count,
    };
    const struct outbox_store_config config = {
        .size = sizeof config,
        .mode = pipeline->mode,
        .delete_delivered = pipeline->delete_delivered,
        .relay_id = outbox_slice_of("claim-latency"),
        .settings = &pipeline->store.settings,
    };
    subject->times = calloc(rounds, sizeof *subject->times);
    if (!subject->times) {
        fputs("claim_latency: out of memory\n", stderr);
        return false;
    }
    if (subject->ops->open(&subject->host, &config, &subject->store, &error) != OUTBOX_OK)
        return complain(subject, &error);
    if (subject->ops->session_open(subject->store, host_now(NULL) + patience, &subject->session,
                                   &error) != OUTBOX_OK)
        return complain(subject, &error);
    return true;
}

static void subject_close(struct subject *subject)
{
    if (subject->session)
        subject->ops->session_close(subject->session);
    if (subject->store)
        subject->ops->close(subject->store);
    free(subject->times);
}

static bool settle(struct subject *subject, const struct plan *plan, struct outbox_claim *claim)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_settle_result result = {.size = sizeof result};
    const struct outbox_settle_request request = {
        .size = sizeof request,
        .claim = claim,
        .settlements = plan->settlements,
        .settlement_size = sizeof *plan->settlements,
        .count = claim->count,
    };
    if (subject->ops->settle(subject->session, &request, &result, &error) != OUTBOX_OK)
        return complain(subject, &error);
    return true;
}

static bool claim_once(struct subject *subject, const struct plan *plan, unsigned round)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_claim *claim = NULL;
    char token[64];
    (void)snprintf(token, sizeof token, "claim-latency/%u", round);
    const struct outbox_claim_request request = {
        .size = sizeof request,
        .max_events = plan->batch,
        .max_payload = UINT64_C(1) << 20,
        .token = outbox_slice_of(token),
    };
    int64_t started = host_now(NULL);
    enum outbox_status status = subject->ops->claim(subject->session, &request, &claim, &error);
    subject->times[round] = host_now(NULL) - started;
    if (status != OUTBOX_OK)
        return complain(subject, &error);
    bool full = claim->count == plan->batch;
    if (!full)
        fprintf(stderr, "claim_latency: %s: claim %u found %" PRIu64 " of %u events\n",
                subject->pipeline->name, round, claim->count, plan->batch);
    full = full && settle(subject, plan, claim);
    subject->ops->claim_close(subject->session, claim);
    return full;
}

/* ---- All of them -------------------------------------------------------------------------- */

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void report(struct subject *subjects, size_t count, unsigned rounds)
{
    printf("{");
    for (size_t i = 0; i < count; i++) {
        int64_t *times = subjects[i].times;
        qsort(times, rounds, sizeof *times, compare_times);
        printf("%s\"%s\": {\"claims\": %u, \"median_us\": %.1f, \"p95_us\": %.1f}", i ? ", " : "",
               subjects[i].pipeline->name, rounds, (double)times[rounds / 2] / 1000,
               (double)times[rounds * 95 / 100] / 1000);
    }
    printf("}\n");
}

/* The first claim of each prepares and plans; it is taken, settled and forgotten. */
static bool measure(struct subject *subjects, size_t count, const struct plan *plan)
{
    for (unsigned round = 0; round <= plan->rounds; round++)
        for (size_t i = 0; i < count; i++)
            if (!claim_once(&subjects[i], plan, round ? round - 1 : 0))
                return false;
    report(subjects, count, plan->rounds);
    return true;
}

static bool run(const struct config *config, const struct plan *plan)
{
    struct subject *subjects = calloc(config->pipeline_count, sizeof *subjects);
    bool done = subjects != NULL;
    for (size_t i = 0; done && i < config->pipeline_count; i++)
        done = subject_open(&subjects[i], &config->pipelines[i], plan->rounds);
    done = done && measure(subjects, config->pipeline_count, plan);
    for (size_t i = 0; subjects && i < config->pipeline_count; i++)
        if (subjects[i].ops)
            subject_close(&subjects[i]);
    free(subjects);
    return done;
}

static struct config *load(const char *path, struct plugins *plugins)
{
    struct mistakes mistakes = {0};
    const struct config_source source = {.path = path};
    struct config *config = config_load(&source, plugins, &mistakes);
    for (size_t i = 0; i < mistakes.count; i++)
        fprintf(stderr, "claim_latency: %s\n", mistakes.lines[i]);
    mistakes_clear(&mistakes);
    return config;
}

static bool plan_init(struct plan *plan, char **arguments)
{
    plan->rounds = (unsigned)strtoul(arguments[0], NULL, 10);
    plan->batch = (unsigned)strtoul(arguments[1], NULL, 10);
    if (plan->rounds == 0 || plan->batch == 0)
        return false;
    plan->settlements = calloc(plan->batch, sizeof *plan->settlements);
    for (unsigned i = 0; plan->settlements && i < plan->batch; i++)
        plan->settlements[i] =
            (struct outbox_settlement){.index = i, .verdict = OUTBOX_SETTLE_DELIVERED};
    return plan->settlements != NULL;
}

int main(int argc, char **argv)
{
    struct plan plan = {0};
    if (argc != 4 || !plan_init(&plan, argv + 2)) {
        fprintf(stderr, "usage: %s CONFIGURATION CLAIMS BATCH\n", argv[0]);
        return 2;
    }
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGINT);
    (void)sigdelset(&all, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &all, NULL); /* drivers may start threads */
    struct plugins *plugins = plugins_new();
    struct config *config = plugins ? load(argv[1], plugins) : NULL;
    bool done = config && run(config, &plan);
    if (config)
        config_free(&config);
    plugins_free(&plugins);
    free(plan.settlements);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
