/*
 * export_body.c - a request's body: a message in the form and compression that its signal has
 * SPDX-License-Identifier: MIT
 */
#include "export_body.h"

#include "otlp_json.h"

#include <limits.h>
#include <zlib.h>

/* Takes a quarter of the memory of zlib's defaults and compresses these texts about as well. */
#define WINDOW_BITS 13
#define GZIP_BITS 16
#define MEMORY_LEVEL 7

static void write_message(struct byte_buffer *out, const ProtobufCMessage *message, bool is_json)
{
    if (is_json) {
        otlp_json(out, message);
        return;
    }
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *room = buffer_room(out, length);
    if (room)
        out->length += protobuf_c_message_pack(message, room);
}

static bool compress_into(struct byte_buffer *out, const struct byte_buffer *in)
{
    z_stream stream = {0};

    if (in->length > UINT_MAX ||
        deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS + GZIP_BITS,
                     MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t most = deflateBound(&stream, in->length);
    void *room = most <= UINT_MAX ? buffer_room(out, most) : NULL;
    int done = Z_MEM_ERROR;
    if (room) {
        stream.next_in = (Bytef *)in->bytes;
        stream.avail_in = (uInt)in->length;
        stream.next_out = room;
        stream.avail_out = (uInt)most;
        done = deflate(&stream, Z_FINISH);
        out->length += stream.total_out;
    }
    (void)deflateEnd(&stream);
    return done == Z_STREAM_END;
}

bool body_make(struct export_body *body, const ProtobufCMessage *message, uint64_t items,
               const struct signal_settings *settings)
{
    struct byte_buffer plain = {0};

    write_message(&plain, message, settings->is_json);
    *body = (struct export_body){.items = items};
    bool made = !plain.failed;
    if (made && settings->is_gzip) {
        made = compress_into(&body->bytes, &plain);
        buffer_clear(&plain);
    } else {
        body->bytes = plain;
    }
    if (!made)
        body_clear(body);
    return made;
}

void body_clear(struct export_body *body)
{
    buffer_clear(&body->bytes);
    *body = (struct export_body){0};
}
