/*
 * publisher-example.c - a driver that makes each event a file in a folder, named by the event's id
 * SPDX-License-Identifier: MIT
 *
 * cc -std=gnu11 -D_GNU_SOURCE -fPIC -shared -fvisibility=hidden \
 *    $(pkg-config --cflags outbox-sdk) -o publisher-example.so publisher-example.c
 */
#include <errno.h>
#include <fcntl.h>
#include <outbox/plugin.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct outbox_publisher {
    const struct outbox_host *host;
    char *folder;
};

static void example_close(struct outbox_publisher *publisher)
{
    free(publisher->folder);
    free(publisher);
}

static enum outbox_status example_open(const struct outbox_host *host,
                                       const struct outbox_settings *settings,
                                       struct outbox_publisher **publisher,
                                       struct outbox_error *error)
{
    struct outbox_publisher *made = calloc(1, sizeof(*made));
    if (made)
        made->folder = strdup(outbox_setting_text(settings, "folder", ".")); /* settings go away */
    if (!made || !made->folder) {
        free(made);
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the folder: out of memory");
    }
    made->host = host;
    *publisher = made;
    return OUTBOX_OK;
}

static enum outbox_status open_folder(const struct outbox_publisher *publisher, int *folder,
                                      struct outbox_error *error)
{
    *folder = open(publisher->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*folder >= 0)
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_UNAVAILABLE, strerrorname_np(errno),
                       "open the folder %.300s: %s", publisher->folder, strerrordesc_np(errno));
}

/* An id that cannot be a file's name can never be delivered here. */
static bool is_file_name(struct outbox_slice id)
{
    return id.len > 0 && id.len < 250 && id.data[0] != '.' && !memchr(id.data, '/', id.len) &&
           !memchr(id.data, '\0', id.len);
}

/* Returns 0 or the number of errno. The file has its name only once it is whole and on the disk, so
 * one that is there already is this event from an earlier delivery. */
static int write_event(int folder, const struct outbox_message *message)
{
    char name[256], unnamed[64];
    int failed = 0, file = openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0640);
    if (file < 0)
        return errno;
    for (uint64_t at = 0; !failed && at < message->payload.len;) {
        ssize_t some = write(file, message->payload.data + at, message->payload.len - at);
        at += some > 0 ? (uint64_t)some : 0;
        failed = some < 0 && errno != EINTR ? errno : 0;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)message->event->id.len,
                   message->event->id.data);
    (void)snprintf(unnamed, sizeof(unnamed), "/proc/self/fd/%d", file);
    if (!failed &&
        (fsync(file) < 0 ||
         (linkat(AT_FDCWD, unnamed, folder, name, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)))
        failed = errno;
    (void)close(file);
    return failed;
}

static enum outbox_status example_publish(struct outbox_publisher *publisher,
                                          const struct outbox_batch *batch,
                                          struct outbox_error *error)
{
    const uint64_t count = batch->count; /* the last completion is the last use of the batch */
    uint64_t written = 0;
    int folder, failed = 0;
    enum outbox_status status = open_folder(publisher, &folder, error);
    if (status != OUTBOX_OK)
        return status; /* nothing was sent, nothing is completed: the relay releases all */
    for (; written < count && !failed; written += !failed)
        if (is_file_name(outbox_batch_at(batch, written)->event->id))
            failed = write_event(folder, outbox_batch_at(batch, written));
    if (fsync(folder) < 0) { /* the names, of all files at once */
        failed = errno;
        written = 0;
    }
    (void)close(folder);
    for (uint64_t i = 0; i < count; i++) {
        struct outbox_result result = {.size = sizeof(result), .outcome = OUTBOX_ACKED};
        if (!is_file_name(outbox_batch_at(batch, i)->event->id)) {
            result.outcome = OUTBOX_REJECTED;
            result.reason = outbox_slice_of("the event's id cannot be the name of a file");
        } else if (i >= written) {
            result.outcome = OUTBOX_AWAY;
            result.reason = outbox_slice_of(strerrordesc_np(failed));
        }
        publisher->host->complete(publisher->host, batch, i, 1, &result);
    }
    return OUTBOX_OK;
}

static enum outbox_status example_ping(struct outbox_publisher *publisher, int64_t deadline,
                                       struct outbox_error *error)
{
    int folder;
    enum outbox_status status = open_folder(publisher, &folder, error);
    (void)deadline; /* nothing here waits */
    if (status == OUTBOX_OK)
        (void)close(folder);
    return status;
}

static const struct outbox_option options[] = {
    {.name = "folder",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED,
     .help = "Where the files go; it must exist."},
};

static const struct outbox_publisher_ops ops = {
    OUTBOX_OPS(outbox_publisher_ops), .open = example_open, .close = example_close,
    .publish = example_publish,       .ping = example_ping,
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "example", .version = "1.0",
              .description = "Makes each event a file in a folder", .publisher = &ops,
              OUTBOX_OPTIONS(options));
