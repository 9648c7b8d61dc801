/*
 * compose.c - makes the URL and the headers of a request out of a message
 * SPDX-License-Identifier: MIT
 */
#include "compose.h"

#include "header.h"
#include "printable.h"
#include "wire_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define ATTRIBUTE_PREFIX "ce-"
#define KEPT_TEXT ((uint64_t)64 * 1024)
/* libcurl fails on a request that is larger, as if the memory were used up or, with HTTP/2, the
 * connection lost. HTTP/2: nghttp2 sends a header of 64 KiB, and counts 12 bytes more for each
 * line. HTTP/1.1: 1 MiB, up to 64 KiB of the payload among them. */
#define MOST_OF_HTTP2 ((uint64_t)64 * 1024 - 1024)
#define MOST_OF_HTTP1 ((uint64_t)900 * 1024)
#define LINE_OVERHEAD 12u

static const char nothing_expected[] = "Expect:"; /* no question before the body is sent */
/* As an option of libcurl it would be formatted anew for each request. */
static const char user_agent[] = "User-Agent: outbox-relay/" DRIVER_VERSION;
static const char no_content_type[] = "Content-Type:"; /* libcurl would write one of its own */

static bool rejected(char *why, size_t size, struct outbox_slice name, const char *reason)
{
    char shown[128];
    (void)printable_write(shown, sizeof(shown), name);
    (void)snprintf(why, size, "header \"%s\" %s", shown, reason);
    return false;
}

/* ---- May it be sent ----------------------------------------------------------------------- */

static bool is_attribute(const struct outbox_message *message, struct outbox_slice name)
{
    const uint64_t prefix = strlen(ATTRIBUTE_PREFIX);
    if (name.len <= prefix || strncasecmp(name.data, ATTRIBUTE_PREFIX, prefix) != 0)
        return false;
    for (uint64_t i = 0; i < message->attribute_count; i++) {
        struct outbox_slice attribute = message->attributes[i].name;
        if (attribute.len == name.len - prefix &&
            strncasecmp(attribute.data, name.data + prefix, attribute.len) == 0)
            return true;
    }
    return false;
}

static bool check_header(const struct request *request, const struct outbox_message *message,
                         const struct outbox_pair *header, char *why, size_t size)
{
    const struct settings *settings = request->settings;
    struct outbox_slice name = header->name;
    if (!wire_text_is_name(name))
        return rejected(why, size, name, "is no name that HTTP allows");
    if (!wire_text_is_value(header->value))
        return rejected(why, size, name,
                        "has a value that HTTP cannot carry as it is: a control byte, or a blank "
                        "at an end");
    if (header_is_reserved(name))
        return rejected(why, size, name, "is made by HTTP or the driver: give it another name");
    if (request->has_credentials && settings->authorization && header_is(name, "authorization"))
        return rejected(why, size, name, "is made of the configured credentials");
    if (message->key.data && header_is(name, settings->key_header))
        return rejected(why, size, name, "is where the key goes: see the option \"key_header\"");
    if (message->attribute_count > 0 && is_attribute(message, name))
        return rejected(why, size, name, "is an attribute of the CloudEvent already");
    return true;
}

static bool check(const struct request *request, const struct outbox_message *message, char *why,
                  size_t size)
{
    for (uint64_t i = 0; i < message->header_count; i++) {
        if (!check_header(request, message, &message->headers[i], why, size))
            return false;
    }
    for (uint64_t i = 0; i < message->attribute_count; i++) {
        if (!wire_text_is_name(message->attributes[i].name))
            return rejected(why, size, message->attributes[i].name,
                            "is no name that HTTP allows, behind \"" ATTRIBUTE_PREFIX "\"");
    }
    if (message->key.data && *request->settings->key_header && !wire_text_is_value(message->key))
        return rejected(why, size, outbox_slice_of(request->settings->key_header),
                        "cannot carry the key as it is: a control byte, or a blank at an end");
    if (message->content_type.data && !wire_text_is_value(message->content_type))
        return rejected(why, size, outbox_slice_of("content-type"),
                        "has a value that HTTP cannot carry as it is");
    if (!wire_text_is_value(message->event->id) || message->event->id.len == 0)
        return rejected(why, size, outbox_slice_of("webhook-id"), "cannot carry the event's id");
    return true;
}

/* ---- URL ---------------------------------------------------------------------------------- */

/* Everything but the unreserved characters of a URL is encoded, '/' as well. */
static bool append_encoded(struct bytes *url, struct outbox_slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *to = bytes_room(url, 3 * text.len);
    if (!to)
        return false;
    for (uint64_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                        (byte >= 'A' && byte <= 'Z') || (byte && strchr("-._~", byte));
        if (is_plain) {
            *to++ = (char)byte;
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    url->len = (uint64_t)(to - url->data);
    return true;
}

static bool is_path_step(struct outbox_slice topic)
{
    return (topic.len == 1 && topic.data[0] == '.') ||
           (topic.len == 2 && topic.data[0] == '.' && topic.data[1] == '.');
}

static enum composed put_topic(struct request *request, const struct outbox_message *message,
                               char *why, size_t size)
{
    const struct receiver_url *url = &request->settings->url;
    const char *behind = url->text + url->topic_at + strlen(TOPIC_PLACE);
    if (message->topic.len == 0 || is_path_step(message->topic)) {
        (void)snprintf(why, size,
                       "the topic is empty, \".\" or \"..\", which has no place in a URL");
        return COMPOSE_REJECTED;
    }
    if (3 * message->topic.len > LONGEST_URL) {
        (void)snprintf(why, size, "the topic of %" PRIu64 " bytes is too long for a URL",
                       message->topic.len);
        return COMPOSE_REJECTED;
    }
    request->url.len = 0;
    request->has_url = false;
    bool is_done = bytes_append(&request->url, url->text, url->topic_at) &&
                   append_encoded(&request->url, message->topic) &&
                   bytes_append(&request->url, behind, strlen(behind) + 1);
    return is_done ? COMPOSED : COMPOSE_NO_MEMORY;
}

static enum composed put_event_url(struct request *request, struct outbox_slice url, char *why,
                                   size_t size)
{
    const char *mistake = NULL;
    if (!request->settings->event_urls)
        mistake = "events may not name their receiver: the option \"event_urls\" is off";
    else if (url.len == 0 || memchr(url.data, '\0', url.len))
        mistake = "it is empty or holds a NUL byte";
    else if (url.len > LONGEST_URL) /* no copy of it is kept for the next request, either */
        mistake = "it is longer than 8000 bytes";
    request->url.len = 0;
    request->has_url = false;
    if (!mistake) {
        if (!bytes_append(&request->url, url.data, url.len) || !bytes_append(&request->url, "", 1))
            return COMPOSE_NO_MEMORY;
        char *origin = url_origin(request->url.data, &mistake);
        bool is_fine = origin != NULL;
        free(origin);
        if (!is_fine && !mistake)
            return COMPOSE_NO_MEMORY;
    }
    request->is_to_event_url = true;
    request->has_credentials = false;
    request->refuses_private = request->settings->events_refuse_private;
    if (!mistake)
        return COMPOSED;
    (void)snprintf(why, size, "property \"url\": %s", mistake);
    return COMPOSE_REJECTED;
}

static enum composed put_url(struct request *request, const struct outbox_message *message,
                             char *why, size_t size)
{
    const struct settings *settings = request->settings;
    request->is_to_event_url = false;
    request->has_credentials = true;
    request->refuses_private = settings->refuses_private;
    for (uint64_t i = 0; i < message->property_count; i++) {
        if (header_is(message->properties[i].name, "url"))
            return put_event_url(request, message->properties[i].value, why, size);
    }
    return settings->url.topic_at == UINT64_MAX ? COMPOSED : put_topic(request, message, why, size);
}

/* ---- Headers ------------------------------------------------------------------------------ */

/* Bytes that the lines may take, at the most. */
static uint64_t lines_size(const struct request *request, const struct outbox_message *message,
                           const struct signer *signer)
{
    uint64_t size = 256 + message->content_type.len + strlen(request->settings->content_type) +
                    strlen(request->settings->key_header) + message->key.len +
                    message->event->id.len + signer->count * SIGNATURE_SIZE;
    for (uint64_t i = 0; i < message->header_count; i++)
        size += header_size(message->headers[i]);
    for (uint64_t i = 0; i < message->attribute_count; i++)
        size += strlen(ATTRIBUTE_PREFIX) + message->attributes[i].name.len + 3 +
                wire_text_encoded_max(message->attributes[i].value.len);
    return size;
}

static bool reserve(struct request *request, const struct outbox_message *message,
                    const struct signer *signer)
{
    uint64_t nodes =
        10 + message->header_count + message->attribute_count + request->settings->header_count;
    bytes_reset(&request->text, KEPT_TEXT);
    request->node_count = 0;
    if (!bytes_room(&request->text, lines_size(request, message, signer)))
        return false;
    if (nodes <= request->node_capacity)
        return true;
    struct curl_slist *made = calloc(nodes * 2, sizeof(*made));
    if (!made)
        return false;
    free(request->nodes);
    request->nodes = made;
    request->node_capacity = nodes * 2;
    return true;
}

/* libcurl takes lines that it may change, and changes none. */
static void add_line(struct request *request, const char *line)
{
    request->nodes[request->node_count++].data = (char *)(uintptr_t)line;
}

static void add(struct request *request, const char *name, struct outbox_slice value)
{
    char *line = request->text.data + request->text.len;
    request->text.len += header_write(line, (struct outbox_pair){outbox_slice_of(name), value});
    add_line(request, line);
}

/* What the event, the configuration or the driver can say. */
struct said {
    bool content_type, user_agent;
};

static struct said add_event_headers(struct request *request, const struct outbox_message *message)
{
    struct said said = {.content_type = message->content_type.data != NULL};
    if (said.content_type)
        add(request, "Content-Type", message->content_type);
    for (uint64_t i = 0; i < message->header_count; i++) {
        if (header_is(message->headers[i].name, "content-type")) {
            /* The format of the payload knows better than the producer. */
            if (message->content_type.data)
                continue;
            said.content_type = true;
        }
        said.user_agent |= header_is(message->headers[i].name, "user-agent");
        char *line = request->text.data + request->text.len;
        request->text.len += header_write(line, message->headers[i]);
        add_line(request, line);
    }
    return said;
}

/* What nobody else has said. */
static void add_defaults(struct request *request, struct said said)
{
    const struct settings *settings = request->settings;
    if (!said.content_type && *settings->content_type)
        add(request, "Content-Type", outbox_slice_of(settings->content_type));
    else if (!said.content_type)
        add_line(request, no_content_type);
    if (!said.user_agent && !(request->has_credentials && settings->sets_user_agent))
        add_line(request, user_agent);
}

static void add_attributes(struct request *request, const struct outbox_message *message)
{
    for (uint64_t i = 0; i < message->attribute_count; i++) {
        const struct outbox_pair *attribute = &message->attributes[i];
        char *line = request->text.data + request->text.len;
        uint64_t len = strlen(ATTRIBUTE_PREFIX);
        memcpy(line, ATTRIBUTE_PREFIX, len);
        memcpy(line + len, attribute->name.data, attribute->name.len);
        len += attribute->name.len;
        if (attribute->value.len == 0) {
            line[len++] = ';';
        } else {
            line[len++] = ':';
            line[len++] = ' ';
            len += wire_text_encode(attribute->value, line + len);
        }
        line[len++] = '\0';
        request->text.len += len;
        add_line(request, line);
    }
}

static bool add_signature(struct request *request, const struct outbox_message *message,
                          struct signer *signer)
{
    char timestamp[24], signatures[SIGNATURE_MAX_SECRETS * SIGNATURE_SIZE + 1];
    add(request, "webhook-id", message->event->id);
    if (signer->count == 0)
        return true;
    (void)snprintf(timestamp, sizeof(timestamp), "%lld", (long long)time(NULL));
    uint64_t len = signer_sign(signer, message->event->id, timestamp, message->payload, signatures);
    add(request, "webhook-timestamp", outbox_slice_of(timestamp));
    add(request, "webhook-signature", (struct outbox_slice){signatures, len});
    return len > 0;
}

static bool names_header(const struct outbox_message *message, const struct header_line *line)
{
    struct outbox_slice name = {line->text, line->name_len};
    for (uint64_t i = 0; i < message->header_count; i++) {
        if (message->headers[i].name.len == name.len &&
            strncasecmp(message->headers[i].name.data, name.data, name.len) == 0)
            return true;
    }
    return false;
}

/* Of a header that the event sets itself the configured one is the default. */
static void add_own(struct request *request, const struct outbox_message *message)
{
    const struct settings *settings = request->settings;
    if (settings->authorization)
        add_line(request, settings->authorization);
    for (uint64_t i = 0; i < settings->header_count; i++) {
        if (!names_header(message, &settings->headers[i]))
            add_line(request, settings->headers[i].text);
    }
}

/* A redirect may lead from http:// to https://, where HTTP/2 is agreed on. */
static bool may_be_http2(const struct request *request, const char *url)
{
    const struct settings *settings = request->settings;
    return settings->http_version == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE ||
           (settings->http_version == CURL_HTTP_VERSION_2TLS &&
            (settings->redirects > 0 || strncasecmp(url, "https:", 6) == 0));
}

static bool check_size(const struct request *request, char *why, size_t size)
{
    bool has_own_url = request->is_to_event_url || request->settings->url.topic_at != UINT64_MAX;
    const char *url = has_own_url ? request->url.data : request->settings->url.text;
    bool is_http2 = may_be_http2(request, url);
    uint64_t most = is_http2 ? MOST_OF_HTTP2 : MOST_OF_HTTP1, header = strlen(url);
    for (uint64_t i = 0; i < request->node_count; i++)
        header += strlen(request->nodes[i].data) + LINE_OVERHEAD;
    if (header <= most)
        return true;
    (void)snprintf(why, size,
                   "the header of the request has %" PRIu64 " bytes, and HTTP%s carries %" PRIu64
                   ": leave headers out by route.headers%s",
                   header, is_http2 ? "/2" : "", most,
                   is_http2 ? ", or set \"http_version\" to \"1.1\", which carries more" : "");
    return false;
}

static void link_nodes(struct request *request)
{
    for (uint64_t i = 0; i < request->node_count; i++)
        request->nodes[i].next = i + 1 < request->node_count ? &request->nodes[i + 1] : NULL;
}

enum composed compose(struct request *request, const struct outbox_message *message,
                      struct signer *signer, char *why, size_t size)
{
    const struct settings *settings = request->settings;
    request->message = message;
    enum composed composed = put_url(request, message, why, size);
    if (composed != COMPOSED)
        return composed;
    if (!check(request, message, why, size))
        return COMPOSE_REJECTED;
    if (!reserve(request, message, signer))
        return COMPOSE_NO_MEMORY;
    add_defaults(request, add_event_headers(request, message));
    add_attributes(request, message);
    if (message->key.data && *settings->key_header)
        add(request, settings->key_header, message->key);
    if (!add_signature(request, message, signer))
        return COMPOSE_NO_MEMORY;
    add_line(request, nothing_expected);
    request->public_nodes = request->node_count;
    if (request->has_credentials)
        add_own(request, message);
    if (!check_size(request, why, size))
        return COMPOSE_REJECTED;
    link_nodes(request);
    return COMPOSED;
}
