/*
 * curl_library.c - libcurl, loaded only where something is sent: it brings thirty other libraries
 * SPDX-License-Identifier: MIT
 */
#include "curl_library.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LIBRARY "libcurl.so.4"

/* ---- Memory -------------------------------------------------------------------------------- */

static int count_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)info, (void)size;
    ++*(size_t *)context;
    return 0;
}

/* Code that was changed while it was loaded cannot be read again from its file. */
static bool is_changed(const struct dl_phdr_info *info)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry =
            (const ElfW(Dyn) *)(uintptr_t)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL ||
                (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
                return true;
    }
    return false;
}

/* Objects stand in the order in which they were loaded; those before *old are others'. */
static int give_back_object(struct dl_phdr_info *info, size_t size, void *context)
{
    size_t *old = context;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    if (*old > 0) {
        --*old;
        return 0;
    }
    for (size_t i = 0; i < info->dlpi_phnum && !is_changed(info); i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_W))
            continue;
        uintptr_t start = (info->dlpi_addr + part->p_vaddr) / page * page;
        uintptr_t end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
        /* At worst they stay. */
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

/* ---- The library --------------------------------------------------------------------------- */

static bool find(void *handle, const char *name, void *function, const char **reason)
{
    void *address = dlsym(handle, name);

    if (!address) {
        *reason = dlerror();
        return false;
    }
    memcpy(function, &address, sizeof(address));
    return true;
}

bool curl_library_load(struct curl_library *library, const char **reason)
{
    size_t old = 0;

    (void)dl_iterate_phdr(count_object, &old);
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (!handle) {
        *reason = dlerror();
        return false;
    }
#define FIND(name)                                                                                 \
    if (!find(handle, "curl_" #name, &library->name, reason))                                      \
        return false;
    CURL_FUNCTIONS(FIND)
#undef FIND
    if (library->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        *reason = LIBRARY " does not start";
        return false;
    }
    /* To be bound, thirty libraries were read through, of which little is ever used: it comes back
     * when it is. */
    (void)dl_iterate_phdr(give_back_object, &old);
    return true;
}
