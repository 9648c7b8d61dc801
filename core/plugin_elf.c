/*
 * plugin_elf.c - whether a file is whole enough to be loaded
 * SPDX-License-Identifier: MIT
 */
#include "plugin_elf.h"
#include "regular_file.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#define OWN_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define OWN_ORDER (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

struct elf_file {
    int fd;
    uint64_t size;
};

static bool is_within(const struct elf_file *file, uint64_t offset, uint64_t length)
{
    return offset <= file->size && length <= file->size - offset;
}

/* Reads `length` bytes, no less; NULL, or why not. */
static const char *read_at(const struct elf_file *file, uint64_t offset, void *bytes, size_t length)
{
    size_t done = 0;

    if (!is_within(file, offset, length))
        return "it is cut short or damaged";
    while (done < length) {
        ssize_t got = pread(file->fd, (char *)bytes + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return strerror(errno);
        if (got == 0)
            return "it became shorter while it was read";
        done += (size_t)got;
    }
    return NULL;
}

static const char *check_header(const ElfW(Ehdr) * header)
{
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return "it is no shared object (no ELF header)";
    if (header->e_ident[EI_CLASS] != OWN_CLASS || header->e_ident[EI_DATA] != OWN_ORDER)
        return "it was built for another machine";
    if (header->e_type != ET_DYN)
        return "it is no shared object (another type of ELF file)";
    if (header->e_phnum == 0 || header->e_phentsize != sizeof(ElfW(Phdr)))
        return "it is damaged: its header has no table of segments";
    return NULL;
}

static const char *check_segments(const struct elf_file *file, const ElfW(Ehdr) * header)
{
    bool has_load = false, has_dynamic = false;

    for (size_t i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        const char *problem =
            read_at(file, header->e_phoff + i * sizeof(segment), &segment, sizeof(segment));
        if (problem)
            return problem;
        has_load = has_load || segment.p_type == PT_LOAD;
        has_dynamic = has_dynamic || segment.p_type == PT_DYNAMIC;
        if ((segment.p_type == PT_LOAD || segment.p_type == PT_DYNAMIC) &&
            !is_within(file, segment.p_offset, segment.p_filesz))
            return "it is cut short or damaged: a segment lies beyond its end";
    }
    return has_load && has_dynamic ? NULL : "it is damaged: it lacks what every shared object has";
}

static const char *check_whole(const struct elf_file *file)
{
    ElfW(Ehdr) header;

    if (file->size < sizeof(header))
        return "it is too short for a shared object";
    const char *problem = read_at(file, 0, &header, sizeof(header));
    problem = problem ? problem : check_header(&header);
    problem = problem ? problem : check_segments(file, &header);
    if (problem)
        return problem;
    uint64_t sections = (uint64_t)header.e_shnum * header.e_shentsize;
    if (header.e_shoff != 0 && !is_within(file, header.e_shoff, sections))
        return "it is cut short or damaged: its table of sections lies beyond its end";
    return NULL;
}

bool plugin_elf_check(const char *path, struct outbox_error *error)
{
    const char *problem = NULL;
    off_t size = 0;
    struct elf_file file = {.fd = regular_file_open(path, &size, &problem)};

    file.size = (uint64_t)size;
    if (file.fd >= 0) {
        problem = check_whole(&file);
        (void)close(file.fd);
    }
    if (problem)
        (void)outbox_fail(error, OUTBOX_INVALID, "", "it cannot be loaded: %s", problem);
    return !problem;
}
