/*
 * publisher_refusing.c - a publisher that wants another relay
 * SPDX-License-Identifier: MIT
 */
#include <outbox/plugin.h>

const struct outbox_plugin *outbox_plugin_entry(const struct outbox_host *host)
{
    outbox_log(host, OUTBOX_LOG_ERROR, "this machine has no tape drive");
    return NULL;
}
