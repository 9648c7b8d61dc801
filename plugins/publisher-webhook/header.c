/*
 * header.c - the headers of a request
 * SPDX-License-Identifier: MIT
 */
#include "header.h"

bool header_is_reserved(struct outbox_slice name)
{
    static const char *const reserved[] = {
        /* of a connection, or made of the body and the URL */
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        /* of Standard Webhooks */
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    };
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (header_is(name, reserved[i]))
            return true;
    }
    return false;
}

uint64_t header_write(char *to, struct outbox_pair header)
{
    char *at = to;
    memcpy(at, header.name.data, header.name.len);
    at += header.name.len;
    if (header.value.len == 0) {
        *at++ = ';';
    } else {
        *at++ = ':';
        *at++ = ' ';
        memcpy(at, header.value.data, header.value.len);
        at += header.value.len;
    }
    *at++ = '\0';
    return (uint64_t)(at - to);
}
