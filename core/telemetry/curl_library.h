/*
 * curl_library.h - libcurl, loaded only where something is sent: it brings thirty other libraries
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_CURL_LIBRARY_H
#define CORE_TELEMETRY_CURL_LIBRARY_H

#include <curl/curl.h>
#include <stdbool.h>

#define CURL_FUNCTIONS(X)                                                                          \
    X(global_init)                                                                                 \
    X(easy_init)                                                                                   \
    X(easy_setopt)                                                                                 \
    X(easy_getinfo)                                                                                \
    X(easy_strerror)                                                                               \
    X(easy_cleanup)                                                                                \
    X(multi_init)                                                                                  \
    X(multi_setopt)                                                                                \
    X(multi_add_handle)                                                                            \
    X(multi_remove_handle)                                                                         \
    X(multi_perform)                                                                               \
    X(multi_poll)                                                                                  \
    X(multi_wakeup)                                                                                \
    X(multi_info_read)                                                                             \
    X(multi_cleanup)                                                                               \
    X(slist_append)                                                                                \
    X(slist_free_all)

/* The functions by their names without "curl_". */
struct curl_library {
#define MEMBER(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* Stays loaded: another user of the library would not survive its end. False with the reason, which
 * is of static lifetime or the loader's. */
bool curl_library_load(struct curl_library *library, const char **reason)
    __attribute__((warn_unused_result));

#endif
