/*
 * endpoint.c - a collector's address, as text
 * SPDX-License-Identifier: MIT
 */
#include "endpoint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A password that ends an address early, by a "/" say, leaves a port that is none: refused here, it
 * is never shown. */
static bool is_authority(const char *text, size_t length)
{
    const char *end = text + length;
    const char *at = memrchr(text, '@', length);
    const char *host = at ? at + 1 : text;
    const char *bracket = memrchr(host, ']', (size_t)(end - host));
    const char *name_end = bracket ? bracket : host;
    const char *colon = memchr(name_end, ':', (size_t)(end - name_end));

    for (const char *digit = colon ? colon + 1 : end; digit < end; digit++)
        if (!isdigit((unsigned char)*digit))
            return false;
    return host < end && host != colon;
}

bool endpoint_is_address(const char *text)
{
    const char *scheme_end = strstr(text, "://");
    size_t scheme = scheme_end ? (size_t)(scheme_end - text) : 0;
    bool is_known = (scheme == 4 && strncasecmp(text, "http", 4) == 0) ||
                    (scheme == 5 && strncasecmp(text, "https", 5) == 0);

    if (!is_known || !is_authority(scheme_end + 3, strcspn(scheme_end + 3, "/?#")))
        return false;
    for (; *text; text++)
        if (!isgraph((unsigned char)*text))
            return false;
    return true;
}

bool endpoint_is_base(const char *text)
{
    return endpoint_is_address(text) && !strpbrk(text, "?#");
}

const char *endpoint_shown(const char *endpoint, char text[ENDPOINT_TEXT])
{
    const char *authority = strstr(endpoint, "://") + 3;
    const char *at = memrchr(authority, '@', strcspn(authority, "/?#"));
    const char *host = at ? at + 1 : authority;

    (void)snprintf(text, ENDPOINT_TEXT, "%.*s%.*s", (int)(authority - endpoint), endpoint,
                   (int)strcspn(host, "?#"), host);
    return text;
}
