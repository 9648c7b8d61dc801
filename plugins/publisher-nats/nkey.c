/*
 * nkey.c - the public key that belongs to a user's seed
 * SPDX-License-Identifier: MIT
 *
 * The library signs with a seed but wants to be told the public key. Both are base 32 without
 * padding (RFC 4648): a seed is two bytes of prefixes, 32 bytes and a CRC-16 of all that, lowest
 * byte first; a public key has one byte of prefix.
 */
#include "nkey.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum {
    PREFIX_SEED = 18 << 3,
    PREFIX_USER = 20 << 3,
    KEY_LEN = 32,
    SEED_LEN = 2 + KEY_LEN + 2,
    PUBLIC_LEN = 1 + KEY_LEN + 2,
    SEED_TEXT_LEN = 58,
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* CRC-16 as XMODEM has it. */
static unsigned checksum(const unsigned char *data, size_t len)
{
    unsigned crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000u ? (crc << 1) ^ 0x1021u : crc << 1) & 0xffffu;
    }
    return crc;
}

static bool decode(const char *text, unsigned char *to, size_t len)
{
    unsigned bits = 0, value = 0;
    size_t done = 0;
    for (; *text; text++) {
        const char *found = strchr(alphabet, *text);
        if (!found)
            return false;
        value = (value << 5 | (unsigned)(found - alphabet)) & 0xfffu;
        bits += 5;
        if (bits < 8)
            continue;
        bits -= 8;
        if (done == len)
            return false;
        to[done++] = (unsigned char)(value >> bits & 0xffu);
    }
    return done == len;
}

static void encode(const unsigned char *data, size_t len, char *to)
{
    unsigned bits = 0, value = 0;
    for (size_t i = 0; i < len; i++) {
        value = (value << 8 | data[i]) & 0xfffu;
        bits += 8;
        for (; bits >= 5; bits -= 5)
            *to++ = alphabet[value >> (bits - 5) & 31u];
    }
    if (bits > 0)
        *to++ = alphabet[value << (5 - bits) & 31u];
    *to = '\0';
}

static bool public_key(const unsigned char *secret, unsigned char *to)
{
    size_t len = KEY_LEN;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, KEY_LEN);
    bool is_done = key && EVP_PKEY_get_raw_public_key(key, to, &len) == 1 && len == KEY_LEN;
    EVP_PKEY_free(key);
    return is_done;
}

bool nkey_of_seed(const char *seed, char nkey[NKEY_SIZE])
{
    unsigned char raw[SEED_LEN], public[PUBLIC_LEN];
    bool is_user = false;
    if (strlen(seed) == SEED_TEXT_LEN && decode(seed, raw, sizeof(raw))) {
        unsigned crc = raw[SEED_LEN - 2] | (unsigned)raw[SEED_LEN - 1] << 8;
        /* The second prefix is spread over the two first bytes. */
        unsigned kind = (raw[0] & 7u) << 5 | (raw[1] & 0xf8u) >> 3;
        is_user = (raw[0] & 0xf8u) == PREFIX_SEED && kind == PREFIX_USER &&
                  crc == checksum(raw, SEED_LEN - 2) && public_key(raw + 2, public + 1);
    }
    OPENSSL_cleanse(raw, sizeof(raw));
    if (!is_user)
        return false;
    public[0] = PREFIX_USER;
    unsigned crc = checksum(public, PUBLIC_LEN - 2);
    public[PUBLIC_LEN - 2] = (unsigned char)(crc & 0xffu);
    public[PUBLIC_LEN - 1] = (unsigned char)(crc >> 8);
    encode(public, sizeof(public), nkey);
    return true;
}
