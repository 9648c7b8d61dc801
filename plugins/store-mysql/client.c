/*
 * client.c - what differs between libmysqlclient and libmariadb
 * SPDX-License-Identifier: MIT
 */
#include "client.h"

#include <pthread.h>

/* Larger than any row of a table can be; the server has its own limit for what it is sent. */
#define LARGEST_ROW (1024ul * 1024 * 1024)

/* The libraries keep state for the whole process, which they make themselves when the first handle
 * is made, though not safely if two threads do so at once. It is never taken down: another store,
 * or another driver of the process, may use it. */
static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_failed;

static void init_library(void)
{
    library_failed = mysql_library_init(0, NULL, NULL);
}

bool client_init(void)
{
    return pthread_once(&library_once, init_library) == 0 && library_failed == 0;
}

/* ---- TLS and logging in ------------------------------------------------------------------- */

#ifdef MARIADB_PACKAGE_VERSION

static void set_tls(MYSQL *client, enum tls tls)
{
    /* It enforces TLS only where it verifies, so there is no mode between: a server that says that
     * it has no TLS would be sent the login in the clear. */
    client_bool enforce = tls == TLS_VERIFIED, verify = enforce;
    (void)mysql_options(client, MYSQL_OPT_SSL_ENFORCE, &enforce);
    (void)mysql_options(client, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

/* The library loads whatever login plugin the server names, one that sends the password as it is
 * among them. */
static void set_login(MYSQL *client, const struct settings *settings)
{
    (void)settings;
    (void)mysql_optionsv(client, MARIADB_OPT_RESTRICTED_AUTH,
                         "mysql_native_password,caching_sha2_password,sha256_password,"
                         "client_ed25519,parsec,auth_gssapi_client");
}

int client_socket(MYSQL *client)
{
    return mysql_get_socket(client);
}

#else

/* Unlike libmariadb, this library knows no authorities of the system. */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs"

static void set_tls(MYSQL *client, enum tls tls)
{
    unsigned mode = SSL_MODE_DISABLED;
    if (tls == TLS_VERIFIED)
        mode = SSL_MODE_VERIFY_IDENTITY;
    (void)mysql_options(client, MYSQL_OPT_SSL_MODE, &mode);
}

/* caching_sha2_password over a plain connection encrypts the password with the server's key, which
 * has to be asked for. */
static void set_login(MYSQL *client, const struct settings *settings)
{
    client_bool ask = true;
    (void)mysql_options(client, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &ask);
    if (settings->address.tls == TLS_VERIFIED && !settings->tls_ca)
        (void)mysql_options(client, MYSQL_OPT_SSL_CAPATH, SYSTEM_AUTHORITIES);
}

int client_socket(MYSQL *client)
{
    return client->net.fd;
}

#endif

/* ---- The same for both -------------------------------------------------------------------- */

static void set_timeouts(MYSQL *client, unsigned connect_timeout, unsigned read_timeout)
{
    if (connect_timeout > 0)
        (void)mysql_options(client, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout);
    if (read_timeout > 0) {
        (void)mysql_options(client, MYSQL_OPT_READ_TIMEOUT, &read_timeout);
        (void)mysql_options(client, MYSQL_OPT_WRITE_TIMEOUT, &read_timeout);
    }
}

MYSQL *client_new(const struct settings *settings, unsigned connect_timeout, unsigned read_timeout)
{
    MYSQL *client = mysql_init(NULL);
    if (!client)
        return NULL;
    unsigned protocol = settings->address.socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    unsigned no_files = 0;
    unsigned long largest = LARGEST_ROW;
    (void)mysql_options(client, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_options(client, MYSQL_OPT_LOCAL_INFILE, &no_files);
    (void)mysql_options(client, MYSQL_OPT_MAX_ALLOWED_PACKET, &largest);
    (void)mysql_options(client, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    (void)mysql_options4(client, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name",
                         settings->application_name);
    set_timeouts(client, connect_timeout, read_timeout);
    if (settings->address.tls != TLS_OFF) {
        (void)mysql_options(client, MYSQL_OPT_SSL_CA, settings->tls_ca);
        (void)mysql_options(client, MYSQL_OPT_SSL_CERT, settings->tls_certificate);
        (void)mysql_options(client, MYSQL_OPT_SSL_KEY, settings->tls_key);
    }
    set_tls(client, settings->address.tls);
    set_login(client, settings);
    return client;
}

bool client_connect(MYSQL *client, const struct settings *settings)
{
    const struct address *address = &settings->address;
    return mysql_real_connect(client, address->host, address->user, address->password,
                              address->database, address->port, address->socket,
                              CLIENT_FOUND_ROWS) != NULL;
}
