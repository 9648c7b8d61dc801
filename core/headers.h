/*
 * headers.h - the headers of an event, from JSON text to pairs
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HEADERS_H
#define CORE_HEADERS_H

#include "arena.h"
#include "json_scan.h"

#include <outbox/types.h>

enum header_status {
    HEADERS_OK,
    HEADERS_INVALID,  /* not a JSON object that can be headers: the event can never be sent */
    HEADERS_NO_MEMORY /* may work later */
};

/* Objects and arrays may nest so deep, the headers' own object included. */
#define HEADERS_MAX_DEPTH JSON_SCAN_DEPTH

/* Parses strict JSON in strict UTF-8. Absent, blank or "{}" is no header at all.
 * A string value is unescaped and may hold NUL bytes; any other value is its own JSON text, as it
 * stands. Of names that occur twice the last value wins, in the place of the first. A name is not
 * empty and holds no NUL byte.
 * There is room for `room` more behind the last pair, which the caller may fill; all pairs are its
 * own to change. *pairs, their names and values live in `json` and in `arena`; nothing is allocated
 * for strings that have no escapes. On failure *why is one sentence that tells what is wrong and at
 * which byte; it lives in `arena` or is constant, and *pairs and *count are NULL and 0. */
enum header_status headers_parse(struct outbox_slice json, uint64_t room, struct arena *arena,
                                 struct outbox_pair **pairs, uint64_t *count, const char **why)
    __attribute__((warn_unused_result));

#endif
