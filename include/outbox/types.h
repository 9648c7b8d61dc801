/*
 * types.h - values that cross between the relay and its drivers
 * SPDX-License-Identifier: MIT
 *
 * Rules that hold for every header in this folder:
 *   - Text is UTF-8, carries its length and need not end in NUL.
 *   - A pointer never changes owner when it crosses. What a call receives is borrowed until the
 *     call returns, unless its comment grants longer.
 *   - Structures that one side allocates and the other fills or reads begin with `size`, set to
 *     sizeof by the side that allocates. Tables only grow at their end; a reader that knows more
 *     fields than `size` covers treats the missing ones as zero.
 *   - Arrays cross with the byte distance between elements, so elements may grow too.
 *   - Counts and lengths are 64-bit. Wall-clock instants are microseconds since 1970-01-01 UTC of
 *     the database's clock. Deadlines are nanoseconds of host->now(), the relay's monotonic clock.
 */
#ifndef OUTBOX_TYPES_H
#define OUTBOX_TYPES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OUTBOX_ABI_MAJOR 1
#define OUTBOX_ABI_MINOR 5

#if defined(__GNUC__)
#define OUTBOX_MUST_USE __attribute__((warn_unused_result))
#define OUTBOX_EXPORT __attribute__((visibility("default")))
#define OUTBOX_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#else
#define OUTBOX_MUST_USE
#define OUTBOX_EXPORT
#define OUTBOX_PRINTF(format_at, first_at)
#endif

/* Bytes looked at, never owned. data == NULL means absent (SQL NULL); data != NULL with len == 0
 * means present and empty. */
struct outbox_slice {
    const char *data;
    uint64_t len;
};

static inline struct outbox_slice outbox_slice_of(const char *text)
{
    struct outbox_slice slice = {text, text ? (uint64_t)strlen(text) : 0};
    return slice;
}

/* What a fallible op returns. OUTBOX_OK is 0; everything else is a class of failure that tells the
 * relay what to do, and comes with the caller's outbox_error filled. */
enum outbox_status {
    OUTBOX_OK = 0,
    OUTBOX_UNAVAILABLE = 1, /* the server is away or the connection is lost: try again later */
    OUTBOX_INVALID = 2,     /* configuration or argument is wrong: a person must change it */
    OUTBOX_DENIED = 3,      /* credentials or a right are missing */
    OUTBOX_SCHEMA = 4,      /* table, column, index, stream or exchange is missing or differs */
    OUTBOX_UNSUPPORTED = 5, /* this driver or this server cannot do it */
    OUTBOX_INTERRUPTED = 6, /* interrupt() was called */
    OUTBOX_TIMEOUT = 7,     /* the deadline passed */
    OUTBOX_INTERNAL = 8     /* anything else, out of memory included */
};

/* Filled by the side that fails, in the caller's memory. `size` is set by the caller. `native` is
 * the code of the library or server (SQLSTATE, errno name), "" if there is none. `text` is one
 * sentence: what was being done, to what, and why it failed. Never contains a secret. */
struct outbox_error {
    uint64_t size;
    char native[32];
    char text[472];
};

#define OUTBOX_ERROR_INIT                                                                          \
    {                                                                                              \
        sizeof(struct outbox_error), {0},                                                          \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* Fills *error (which may be NULL) and returns `status`, so that a driver can write
 * `return outbox_fail(error, OUTBOX_DENIED, "28P01", "connect to %s: ...", host);` */
OUTBOX_PRINTF(4, 5)
static inline enum outbox_status outbox_fail(struct outbox_error *error, enum outbox_status status,
                                             const char *native_code, const char *format, ...)
{
    if (error) {
        va_list arguments;
        (void)snprintf(error->native, sizeof(error->native), "%s", native_code ? native_code : "");
        va_start(arguments, format);
        (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
        va_end(arguments);
    }
    return status;
}

/* ---- Configuration keys of a driver ------------------------------------------------------- */

enum outbox_option_type {
    OUTBOX_OPTION_TEXT = 1,
    OUTBOX_OPTION_BOOL = 2,
    OUTBOX_OPTION_INTEGER = 3,
    OUTBOX_OPTION_NUMBER = 4,
    OUTBOX_OPTION_DURATION = 5, /* "5ms", "24h"; value in nanoseconds */
    OUTBOX_OPTION_SIZE = 6,     /* "1MiB"; value in bytes */
    OUTBOX_OPTION_CHOICE = 7,   /* one of `choices` */
    OUTBOX_OPTION_MAP = 8       /* JSON object whose values are text */
};

enum outbox_option_flag {
    OUTBOX_OPTION_REQUIRED = 1u << 0,
    OUTBOX_OPTION_SECRET = 1u << 1 /* never shown; may be given as {"file": PATH} */
};

/* One key of the `store` or `publisher` object. The relay checks the configuration against this
 * table before open() and generates the reference page from it. Lives as long as the driver. */
struct outbox_option {
    const char *name;
    uint32_t type;             /* enum outbox_option_type */
    uint32_t flags;            /* enum outbox_option_flag */
    const char *default_value; /* as it would be written in the file, NULL for none */
    const char *choices;       /* CHOICE: "lease|hold"; else NULL */
    double minimum, maximum;   /* of the value, units as by `type`; both 0: no bounds */
    const char *help;          /* one sentence */
};

struct outbox_pair {
    struct outbox_slice name, value;
};

/* One checked value. `is_set` is 0 where the key was neither given nor has a default. */
struct outbox_setting {
    const char *name;
    uint32_t type;
    uint32_t is_set;
    const char *text;                /* TEXT, CHOICE; NUL-terminated */
    int64_t integer;                 /* BOOL (0, 1), INTEGER, DURATION (ns), SIZE (bytes) */
    double number;                   /* NUMBER */
    const struct outbox_pair *pairs; /* MAP */
    uint64_t pair_count;
};

/* All keys of a driver's table, in its order. Borrowed: valid during open() only. */
struct outbox_settings {
    uint64_t size;
    const struct outbox_setting *values;
    uint64_t value_size; /* byte distance between values */
    uint64_t count;
};

/* The value of key `name`; NULL if it is not set or not in the table. */
static inline const struct outbox_setting *outbox_setting_find(
    const struct outbox_settings *settings, const char *name)
{
    for (uint64_t i = 0; i < settings->count; i++) {
        const struct outbox_setting *value =
            (const struct outbox_setting *)(const void *)((const char *)settings->values +
                                                          i * settings->value_size);
        if (strcmp(value->name, name) == 0)
            return value->is_set ? value : NULL;
    }
    return NULL;
}

static inline const char *outbox_setting_text(const struct outbox_settings *settings,
                                              const char *name, const char *otherwise)
{
    const struct outbox_setting *value = outbox_setting_find(settings, name);
    return value ? value->text : otherwise;
}

static inline int64_t outbox_setting_integer(const struct outbox_settings *settings,
                                             const char *name, int64_t otherwise)
{
    const struct outbox_setting *value = outbox_setting_find(settings, name);
    return value ? value->integer : otherwise;
}

static inline double outbox_setting_number(const struct outbox_settings *settings, const char *name,
                                           double otherwise)
{
    const struct outbox_setting *value = outbox_setting_find(settings, name);
    return value ? value->number : otherwise;
}

/* ---- Events ------------------------------------------------------------------------------- */

/* One row of the outbox as a store hands it over. Everything it points to belongs to its claim and
 * stays at the same address until claim_close(). */
struct outbox_event {
    struct outbox_slice id; /* the text form of the store's native id */
    struct outbox_slice type;
    struct outbox_slice payload; /* byte for byte; absent if larger than max_payload of the claim */
    uint64_t payload_size;       /* its true size, also when payload is absent */
    struct outbox_slice headers; /* JSON object text, or absent */
    struct outbox_slice partition_key, ordering_key, aggregate_type, aggregate_id;
    int64_t attempts; /* failed attempts so far */
    int64_t created_at, available_at;
};

/* ---- Services of the relay ---------------------------------------------------------------- */

enum outbox_log_level {
    OUTBOX_LOG_ERROR = 0,
    OUTBOX_LOG_WARN = 1,
    OUTBOX_LOG_INFO = 2,
    OUTBOX_LOG_DEBUG = 3
};

struct outbox_batch;
struct outbox_result;

/* Given to a driver at open(), one for each opened store or publisher, valid until its close() has
 * returned. Every function may be called from any thread and never blocks on I/O of a broker or a
 * store. A driver links to nothing of the relay: this table is all there is. */
struct outbox_host {
    uint64_t size;
    uint32_t abi_major, abi_minor; /* of the relay */
    void *context;                 /* the relay's own */

    /* Writes one line to the relay's log, with the pipeline and driver added. */
    void (*log)(const struct outbox_host *host, uint32_t level, const char *text);

    /* Nanoseconds of the monotonic clock that deadlines are in. */
    int64_t (*now)(const struct outbox_host *host);

    /* Reports the outcome of messages first .. first+count-1 of a batch (see publisher.h). */
    void (*complete)(const struct outbox_host *host, const struct outbox_batch *batch,
                     uint64_t first, uint64_t count, const struct outbox_result *result);

    /* Adds to a counter named in lower_snake_case; it is reported under the pipeline's name. */
    void (*count)(const struct outbox_host *host, const char *counter, int64_t increment);
};

/* Formats and logs one line of at most 511 bytes. */
#define outbox_log(host, level, ...)                                                               \
    do {                                                                                           \
        char outbox_log_line[512];                                                                 \
        (void)snprintf(outbox_log_line, sizeof(outbox_log_line), __VA_ARGS__);                     \
        (host)->log((host), (level), outbox_log_line);                                             \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
