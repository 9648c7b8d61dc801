/*
 * pem.c - looks at certificate files before a connection needs them
 * SPDX-License-Identifier: MIT
 */
#include "pem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static enum outbox_status unreadable(const char *option, const char *path,
                                     struct outbox_error *error)
{
    char reason[128];
    return outbox_fail(error, OUTBOX_INVALID, "", "\"%s\": cannot read %.250s: %s", option, path,
                       strerror_r(errno, reason, sizeof(reason)));
}

/* Never asks at a terminal. */
static int no_password(char *to, int size, int is_writing, void *context)
{
    (void)to, (void)size, (void)is_writing, (void)context;
    return -1;
}

static enum outbox_status read_certificate(const char *option, const char *path, X509 **certificate,
                                           struct outbox_error *error)
{
    *certificate = NULL;
    FILE *file = fopen(path, "re");
    if (!file)
        return unreadable(option, path, error);
    *certificate = PEM_read_X509_AUX(file, NULL, no_password, NULL);
    (void)fclose(file);
    ERR_clear_error();
    if (*certificate)
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "\"%s\": %.250s holds no certificate: name a PEM file that does", option,
                       path);
}

enum outbox_status pem_check_ca(const char *path, struct outbox_error *error)
{
    X509 *certificate;
    enum outbox_status status = read_certificate("tls_ca", path, &certificate, error);
    X509_free(certificate);
    return status;
}

static enum outbox_status read_key(const char *path, EVP_PKEY **key, struct outbox_error *error)
{
    *key = NULL;
    FILE *file = fopen(path, "re");
    if (!file)
        return unreadable("tls_key", path, error);
    *key = PEM_read_PrivateKey(file, NULL, no_password, NULL);
    (void)fclose(file);
    ERR_clear_error();
    if (*key)
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "\"tls_key\": %.250s holds no private key that can be read without a "
                       "password: name a PEM file that does",
                       path);
}

enum outbox_status pem_check_pair(const char *certificate_path, const char *key_path,
                                  struct outbox_error *error)
{
    X509 *certificate;
    EVP_PKEY *key = NULL;
    enum outbox_status status =
        read_certificate("tls_certificate", certificate_path, &certificate, error);
    if (status == OUTBOX_OK)
        status = read_key(key_path, &key, error);
    if (status == OUTBOX_OK && X509_check_private_key(certificate, key) != 1)
        status = outbox_fail(error, OUTBOX_INVALID, "",
                             "\"tls_key\": the key in %.150s is not the one of the certificate in "
                             "%.150s: name the two that belong together",
                             key_path, certificate_path);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return status;
}
