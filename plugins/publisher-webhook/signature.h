/*
 * signature.h - signs requests as Standard Webhooks says
 * SPDX-License-Identifier: MIT
 *
 * Each signature is "v1," and the base64 of HMAC-SHA256 over "ID.TIMESTAMP.PAYLOAD".
 */
#ifndef PUBLISHER_WEBHOOK_SIGNATURE_H
#define PUBLISHER_WEBHOOK_SIGNATURE_H

#include <outbox/types.h>
#include <stdbool.h>

/* Bytes of one signature, and of the blank or NUL behind it. */
#define SIGNATURE_SIZE 48u
#define SIGNATURE_MAX_SECRETS 8u
#define SIGNATURE_LONGEST_SECRET 128u

/* Secrets, decoded. */
struct secrets {
    uint64_t count;
    struct {
        unsigned char bytes[SIGNATURE_LONGEST_SECRET + 2]; /* base64 is decoded by threes */
        uint64_t len;
    } keys[SIGNATURE_MAX_SECRETS];
};

/* Reads secrets separated by blanks, each base64 with or without "whsec_" before it. False if one
 * is none; *why is then a constant sentence. */
bool secrets_parse(const char *text, struct secrets *secrets, const char **why) OUTBOX_MUST_USE;
void secrets_clear(struct secrets *secrets);

/* Signs with every secret. One thread at a time. */
struct signer {
    uint64_t count;
    struct evp_mac_ctx_st *contexts[SIGNATURE_MAX_SECRETS];
};

bool signer_init(struct signer *signer, const struct secrets *secrets) OUTBOX_MUST_USE;
void signer_clear(struct signer *signer);

/* Writes the signatures, a blank between them, to `to`, of SIGNATURE_SIZE bytes a secret. Returns
 * the bytes written, 0 on failure. */
uint64_t signer_sign(struct signer *signer, struct outbox_slice id, const char *timestamp,
                     struct outbox_slice payload, char *to) OUTBOX_MUST_USE;

/* Base64 with padding; `to` has room for 4 bytes for every 3 begun, and a NUL. */
uint64_t base64_write(const unsigned char *bytes, uint64_t len, char *to);

#endif
