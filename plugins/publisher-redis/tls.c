/*
 * tls.c - TLS below a connection, by OpenSSL
 * SPDX-License-Identifier: MIT
 *
 * OpenSSL sets itself up at its first use and takes itself down at the end of the process, when the
 * driver's threads are long joined.
 */
#include "tls.h"

#include <errno.h>
#include <limits.h>

#if HAVE_OPENSSL

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

struct tls {
    SSL_CTX *context;
};

struct tls_session {
    SSL *ssl;
};

/* The oldest reason in OpenSSL's queue of this thread, which is emptied. */
static const char *reason(char *text, size_t size)
{
    unsigned long code = ERR_get_error();
    const char *known = code ? ERR_reason_error_string(code) : NULL;
    (void)snprintf(text, size, "%s", known ? known : "no reason is known");
    ERR_clear_error();
    return text;
}

static enum outbox_status bad_file(struct outbox_error *error, const char *key, const char *path)
{
    char text[160];
    if (access(path, R_OK) < 0) {
        const char *why = strerror(errno);
        ERR_clear_error();
        return outbox_fail(error, OUTBOX_INVALID, "", "\"%s\": %.200s cannot be read: %s", key,
                           path, why);
    }
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "\"%s\": %.200s is not what it should be, a PEM file: %s", key, path,
                       reason(text, sizeof(text)));
}

static enum outbox_status load(SSL_CTX *context, const struct settings *settings,
                               struct outbox_error *error)
{
    char text[160];
    if (!settings->tls_ca && SSL_CTX_set_default_verify_paths(context) != 1)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "the system's certificate authorities cannot be read: give \"tls_ca\"");
    if (settings->tls_ca && SSL_CTX_load_verify_locations(context, settings->tls_ca, NULL) != 1)
        return bad_file(error, "tls_ca", settings->tls_ca);
    if (!settings->tls_certificate)
        return OUTBOX_OK;
    if (SSL_CTX_use_certificate_chain_file(context, settings->tls_certificate) != 1)
        return bad_file(error, "tls_certificate", settings->tls_certificate);
    if (SSL_CTX_use_PrivateKey_file(context, settings->tls_key, SSL_FILETYPE_PEM) == 1)
        return OUTBOX_OK;
    if (ERR_GET_REASON(ERR_peek_error()) != X509_R_KEY_VALUES_MISMATCH)
        return bad_file(error, "tls_key", settings->tls_key);
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "\"tls_key\": %.150s is not the key of \"tls_certificate\": %s",
                       settings->tls_key, reason(text, sizeof(text)));
}

/* A key with a password would have OpenSSL ask for it at the terminal. */
static int no_password(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer, (void)size, (void)is_writing, (void)context;
    return 0;
}

enum outbox_status tls_new(const struct settings *settings, struct tls **tls,
                           struct outbox_error *error)
{
    struct tls *made = calloc(1, sizeof(*made));
    ERR_clear_error();
    if (made)
        made->context = SSL_CTX_new(TLS_client_method());
    if (!made || !made->context) {
        free(made);
        ERR_clear_error();
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "prepare TLS: out of memory");
    }
    SSL_CTX_set_verify(made->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(made->context, no_password);
    (void)SSL_CTX_set_mode(made->context,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
    /* A connection that is cut is just that: each reply says where it ends. */
    (void)SSL_CTX_set_options(made->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
    enum outbox_status status = OUTBOX_OK;
    if (SSL_CTX_set_min_proto_version(made->context, TLS1_2_VERSION) != 1)
        status = outbox_fail(error, OUTBOX_INTERNAL, "", "prepare TLS: OpenSSL has no TLS 1.2");
    if (status == OUTBOX_OK)
        status = load(made->context, settings, error);
    if (status != OUTBOX_OK)
        tls_free(&made);
    *tls = made;
    return status;
}

void tls_free(struct tls **tls)
{
    struct tls *gone = *tls;
    *tls = NULL;
    if (!gone)
        return;
    SSL_CTX_free(gone->context);
    free(gone);
}

/* The name that the certificate must have. */
static bool expect_name(SSL *ssl, const char *host)
{
    unsigned char binary[sizeof(struct in6_addr)];
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, host, binary) == 1 || inet_pton(AF_INET6, host, binary) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1;
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, host) == 1 &&
           X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1;
}

/* After a call that did not succeed: EAGAIN with *events, or another errno. */
static int trouble(SSL *ssl, int returned, short *events)
{
    int number = errno;
    switch (SSL_get_error(ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        *events = POLLIN;
        return EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *events = POLLOUT;
        return EAGAIN;
    case SSL_ERROR_SYSCALL:
        return number && number != EAGAIN ? number : ECONNRESET;
    default:
        return EPROTO;
    }
}

static enum outbox_status handshake_failed(SSL *ssl, int number, const char *host,
                                           struct outbox_error *error)
{
    char text[160];
    long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK) {
        ERR_clear_error();
        return outbox_fail(error, OUTBOX_DENIED, "TLS",
                           "the certificate that %.150s shows does not verify: %s", host,
                           X509_verify_cert_error_string(verified));
    }
    if (number == ETIMEDOUT)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "ETIMEDOUT",
                           "the TLS handshake was not answered in time");
    if (number == EPROTO)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "TLS", "the TLS handshake failed: %s",
                           reason(text, sizeof(text)));
    ERR_clear_error();
    return outbox_fail(error, OUTBOX_UNAVAILABLE, "TLS",
                       "the TLS handshake failed: %s: does this port speak TLS?", strerror(number));
}

static int shake_hands(SSL *ssl, int fd, const struct patience *patience)
{
    for (;;) {
        short events = 0;
        ERR_clear_error();
        errno = 0;
        int returned = SSL_connect(ssl);
        int number = returned == 1 ? 0 : trouble(ssl, returned, &events);
        if (number != EAGAIN)
            return number;
        number = patience_wait(patience, fd, events);
        if (number != 0)
            return number;
    }
}

enum outbox_status tls_session_new(struct tls *tls, int fd, const char *host,
                                   const struct patience *patience, struct tls_session **session,
                                   struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    struct tls_session *made = calloc(1, sizeof(*made));
    ERR_clear_error();
    if (made)
        made->ssl = SSL_new(tls->context);
    if (!made || !made->ssl || SSL_set_fd(made->ssl, fd) != 1 || !expect_name(made->ssl, host))
        status = outbox_fail(error, OUTBOX_INTERNAL, "", "prepare a TLS connection: out of memory");
    if (status == OUTBOX_OK) {
        int number = shake_hands(made->ssl, fd, patience);
        if (number != 0)
            status = handshake_failed(made->ssl, number, host, error);
    }
    if (status != OUTBOX_OK)
        tls_session_free(&made);
    *session = made;
    return status;
}

void tls_session_free(struct tls_session **session)
{
    struct tls_session *gone = *session;
    *session = NULL;
    if (!gone)
        return;
    SSL_free(gone->ssl);
    ERR_clear_error();
    free(gone);
}

static ssize_t ended(SSL *ssl, int returned, short *events)
{
    if (returned > 0)
        return returned;
    if (SSL_get_error(ssl, returned) == SSL_ERROR_ZERO_RETURN)
        return 0;
    int number = trouble(ssl, returned, events);
    ERR_clear_error();
    errno = number;
    return -1;
}

static int limited(size_t size)
{
    return size > INT_MAX ? INT_MAX : (int)size;
}

ssize_t tls_session_send(struct tls_session *session, const void *data, size_t len, short *events)
{
    ERR_clear_error();
    errno = 0;
    ssize_t sent = ended(session->ssl, SSL_write(session->ssl, data, limited(len)), events);
    if (sent == 0) {
        errno = EPIPE;
        sent = -1;
    }
    return sent;
}

ssize_t tls_session_receive(struct tls_session *session, void *data, size_t size, short *events)
{
    ERR_clear_error();
    errno = 0;
    return ended(session->ssl, SSL_read(session->ssl, data, limited(size)), events);
}

#else

enum outbox_status tls_new(const struct settings *settings, struct tls **tls,
                           struct outbox_error *error)
{
    (void)settings;
    *tls = NULL;
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "rediss:// or \"tls\": this driver was built without OpenSSL and cannot "
                       "speak TLS: install OpenSSL's headers (libssl-dev) and build it again");
}

void tls_free(struct tls **tls)
{
    *tls = NULL;
}

enum outbox_status tls_session_new(struct tls *tls, int fd, const char *host,
                                   const struct patience *patience, struct tls_session **session,
                                   struct outbox_error *error)
{
    (void)tls, (void)fd, (void)host, (void)patience;
    *session = NULL;
    return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "built without TLS");
}

void tls_session_free(struct tls_session **session)
{
    *session = NULL;
}

ssize_t tls_session_send(struct tls_session *session, const void *data, size_t len, short *events)
{
    (void)session, (void)data, (void)len, (void)events;
    errno = ENOTSUP;
    return -1;
}

ssize_t tls_session_receive(struct tls_session *session, void *data, size_t size, short *events)
{
    (void)session, (void)data, (void)size, (void)events;
    errno = ENOTSUP;
    return -1;
}

#endif
