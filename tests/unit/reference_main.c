/*
 * reference_main.c - writes the pages of docs/ that are generated, or says where they are not true
 * SPDX-License-Identifier: MIT
 *
 *     reference > docs/configuration.md      writes it, out of the drivers built beside it
 *     reference docs/configuration.md        compares: 0 equal, 1 not, 77 a driver of it is not
 *                                            built
 *     reference --metrics [docs/metrics.md]  the same for the page of metrics
 */
#include "plugins.h"
#include "reference.h"
#include "telemetry/metrics_page.h"

#include <stdlib.h>
#include <string.h>

#define SKIPPED 77

static char *page_new(bool of_metrics)
{
    char *page = NULL;
    size_t len = 0;
    struct plugins *plugins = plugins_new();
    FILE *out = plugins ? open_memstream(&page, &len) : NULL;
    if (out && of_metrics)
        metrics_page_write(out);
    else if (out)
        reference_write(out, plugins);
    bool ok = out && !ferror(out);
    ok = out && fclose(out) == 0 && ok;
    plugins_free(&plugins);
    if (ok)
        return page;
    free(page);
    (void)fputs("reference: no memory for the page\n", stderr);
    return NULL;
}

/* The first line of `page` that the file does not have, NULL if they are equal. */
static const char *difference(FILE *file, const char *page, size_t *line, char *found, size_t size)
{
    for (*line = 1;; (*line)++) {
        if (!fgets(found, (int)size, file))
            found[0] = '\0';
        size_t len = strlen(found);
        if (strncmp(found, page, len) != 0 || (len == 0 && *page))
            return page;
        if (len == 0)
            return NULL;
        page += len;
    }
}

/* Whether the page in the file has a driver that the fresh one lacks: another build made it. */
static bool has_more_drivers(FILE *file, const char *page)
{
    char line[4096];
    bool more = false;
    rewind(file);
    while (!more && fgets(line, sizeof line, file))
        more = strncmp(line, "### ", 4) == 0 && !strstr(page, line);
    return more;
}

static int compare(const char *path, const char *page)
{
    char found[4096];
    size_t line;
    FILE *file = fopen(path, "re");
    if (!file) {
        perror(path);
        return 1;
    }
    const char *fresh = difference(file, page, &line, found, sizeof found);
    int status = !fresh ? 0 : has_more_drivers(file, page) ? SKIPPED : 1;
    (void)fclose(file);
    if (status == SKIPPED)
        (void)printf("%s describes a driver that is not built here\n", path);
    if (status == 1)
        (void)printf("%s:%zu is not what the tables say; write it anew with this program's "
                     "output\nfound:    %sgenerated: %.*s\n",
                     path, line, found, (int)strcspn(fresh, "\n"), fresh);
    return status;
}

int main(int argc, char **argv)
{
    bool of_metrics = argc > 1 && strcmp(argv[1], "--metrics") == 0;
    const char *path = argv[1 + of_metrics];
    char *page = page_new(of_metrics);
    if (!page)
        return 1;
    int status = path ? compare(path, page) : fputs(page, stdout) < 0;
    free(page);
    return status;
}
