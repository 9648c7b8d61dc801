/*
 * signature.c - signs requests as Standard Webhooks says
 * SPDX-License-Identifier: MIT
 */
#include "signature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define PREFIX "whsec_"
#define SHORTEST_SECRET 16 /* bytes */

uint64_t base64_write(const unsigned char *bytes, uint64_t len, char *to)
{
    return (uint64_t)EVP_EncodeBlock((unsigned char *)to, bytes, (int)len);
}

/* Strict: the whole text is base64, and padded only at its end. Returns -1 if it is not. */
static int decode(const char *text, size_t len, unsigned char *to, size_t size)
{
    size_t padding = 0;
    if (len == 0 || len % 4 != 0 || len / 4 * 3 > size)
        return -1;
    while (padding < 2 && text[len - padding - 1] == '=')
        padding++;
    for (size_t i = 0; i < len - padding; i++) {
        char c = text[i];
        bool is_digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c >= '0' && c <= '9') || c == '+' || c == '/';
        if (!is_digit)
            return -1;
    }
    int decoded = EVP_DecodeBlock(to, (const unsigned char *)text, (int)len);
    return decoded < 0 ? -1 : decoded - (int)padding;
}

bool secrets_parse(const char *text, struct secrets *secrets, const char **why)
{
    secrets->count = 0;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t len = strcspn(text, " ");
        const char *digits = text;
        text += len;
        if (secrets->count == SIGNATURE_MAX_SECRETS) {
            *why = "it holds more than 8 secrets";
            return false;
        }
        if (len > strlen(PREFIX) && memcmp(digits, PREFIX, strlen(PREFIX)) == 0) {
            digits += strlen(PREFIX);
            len -= strlen(PREFIX);
        }
        int decoded = decode(digits, len, secrets->keys[secrets->count].bytes,
                             sizeof(secrets->keys[0].bytes));
        if (decoded < SHORTEST_SECRET || decoded > (int)SIGNATURE_LONGEST_SECRET) {
            *why = "a secret is \"whsec_\" and the base64 of 16 to 128 bytes, and several are "
                   "separated by a blank";
            return false;
        }
        secrets->keys[secrets->count++].len = (uint64_t)decoded;
    }
    *why = "it is empty";
    return secrets->count > 0;
}

void secrets_clear(struct secrets *secrets)
{
    OPENSSL_cleanse(secrets, sizeof(*secrets));
}

bool signer_init(struct signer *signer, const struct secrets *secrets)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    *signer = (struct signer){0};
    if (secrets->count == 0)
        return true;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bool is_made = mac != NULL;
    for (uint64_t i = 0; is_made && i < secrets->count; i++) {
        signer->contexts[i] = EVP_MAC_CTX_new(mac);
        signer->count = i + 1;
        is_made = signer->contexts[i] && EVP_MAC_init(signer->contexts[i], secrets->keys[i].bytes,
                                                      secrets->keys[i].len, parameters) == 1;
    }
    EVP_MAC_free(mac);
    if (!is_made)
        signer_clear(signer);
    return is_made;
}

void signer_clear(struct signer *signer)
{
    for (uint64_t i = 0; i < signer->count; i++)
        EVP_MAC_CTX_free(signer->contexts[i]);
    *signer = (struct signer){0};
}

static bool update(EVP_MAC_CTX *context, const char *bytes, uint64_t len)
{
    return len == 0 || EVP_MAC_update(context, (const unsigned char *)bytes, len) == 1;
}

uint64_t signer_sign(struct signer *signer, struct outbox_slice id, const char *timestamp,
                     struct outbox_slice payload, char *to)
{
    uint64_t written = 0;
    for (uint64_t i = 0; i < signer->count; i++) {
        EVP_MAC_CTX *context = signer->contexts[i];
        unsigned char digest[32];
        size_t len = 0;
        /* Without a key it begins anew with the one it has. */
        if (EVP_MAC_init(context, NULL, 0, NULL) != 1 || !update(context, id.data, id.len) ||
            !update(context, ".", 1) || !update(context, timestamp, strlen(timestamp)) ||
            !update(context, ".", 1) || !update(context, payload.data, payload.len) ||
            EVP_MAC_final(context, digest, &len, sizeof(digest)) != 1)
            return 0;
        if (i > 0)
            to[written++] = ' ';
        memcpy(to + written, "v1,", 3);
        written += 3 + base64_write(digest, len, to + written + 3);
    }
    return written;
}
