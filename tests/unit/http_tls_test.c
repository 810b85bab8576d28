/* http: whom we trust. A server with a certificate of its own making, on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <microhttpd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/http.h"

enum { PEM_MAX = 16 * 1024, DAY_S = 24 * 3600 };

struct server {
    struct MHD_Daemon *daemon;
    int port;
    char key[PEM_MAX];
    char certificate[PEM_MAX];
    char ca_file[64]; /* the certificate, as a file */
};

static void read_bio(BIO *bio, char out[PEM_MAX])
{
    int n = BIO_read(bio, out, PEM_MAX - 1);
    assert_true(n > 0);
    out[n] = '\0';
    BIO_free(bio);
}

/* A key, and a certificate for "localhost" signed with it; expired when its end lies before now. */
static void make_certificate(struct server *s, long ends_s)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *x = X509_new();
    assert_non_null(key);
    assert_non_null(x);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -2L * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(x), ends_s);
    X509_set_pubkey(x, key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(x, name);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(x, names, -1);
    X509_EXTENSION_free(names);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    read_bio(bio, s->key);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x);
    read_bio(bio, s->certificate);
    X509_free(x);
    EVP_PKEY_free(key);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **per_request)
{
    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    (void)upload_bytes;
    (void)per_request;
    static char text[] = "hello";
    struct MHD_Response *r =
        MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result rc = MHD_queue_response(connection, 200, r);
    MHD_destroy_response(r);
    return rc;
}

static struct server *start(long ends_s)
{
    struct server *s = calloc(1, sizeof *s);
    assert_non_null(s);
    make_certificate(s, ends_s);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL,
                                 answer, NULL, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_HTTPS_MEM_KEY,
                                 s->key, MHD_OPTION_HTTPS_MEM_CERT, s->certificate, MHD_OPTION_END);
    assert_non_null(s->daemon);
    s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(s->ca_file, sizeof s->ca_file, "/tmp/cloner-tls-test-XXXXXX");
    int fd = mkstemp(s->ca_file);
    assert_true(fd >= 0);
    assert_true(write(fd, s->certificate, strlen(s->certificate)) > 0);
    close(fd);
    return s;
}

static void stop(struct server *s)
{
    MHD_stop_daemon(s->daemon);
    unlink(s->ca_file);
    free(s);
}

/* True when there was an answer. */
static bool get(const struct server *s, const char *host, const char *ca_file, struct cl_err *err)
{
    char url[100];
    snprintf(url, sizeof url, "https://%s:%d/", host, s->port);
    struct cl_http_request request = {.method = "GET", .url = url, .ca_file = ca_file};
    struct cl_http_response response;
    cl_http_response_init(&response);
    struct cl_http_session *session = cl_http_session_new(err);
    assert_non_null(session);
    bool ok = cl_http_perform(session, &request, &response, err);
    if (ok) {
        assert_string_equal(cl_buf_str(&response.body), "hello");
    }
    cl_http_session_free(session);
    cl_http_response_fini(&response);
    return ok;
}

static void a_certificate_nobody_vouches_for_is_refused(void **state)
{
    (void)state;
    struct cl_err err;
    struct server *s = start(DAY_S);
    assert_false(get(s, "localhost", NULL, &err));
    assert_int_equal(err.class, CL_PERMISSION);
    assert_string_equal(err.code, "E_TLS_VERIFY");
    assert_false(err.retryable);
    stop(s);
}

static void a_certificate_we_were_given_is_trusted(void **state)
{
    (void)state;
    struct cl_err err;
    struct server *s = start(DAY_S);
    assert_true(get(s, "localhost", s->ca_file, &err));
    stop(s);
}

static void but_not_for_another_name(void **state)
{
    (void)state;
    struct cl_err err;
    struct server *s = start(DAY_S);
    assert_false(get(s, "127.0.0.1", s->ca_file, &err));
    assert_string_equal(err.code, "E_TLS_VERIFY");
    stop(s);
}

static void and_not_after_its_end(void **state)
{
    (void)state;
    struct cl_err err;
    struct server *s = start(-DAY_S);
    assert_false(get(s, "localhost", s->ca_file, &err));
    assert_string_equal(err.code, "E_TLS_VERIFY");
    stop(s);
}

static void a_missing_certificate_file_is_named(void **state)
{
    (void)state;
    struct cl_err err;
    struct server *s = start(DAY_S);
    assert_false(get(s, "localhost", "/nowhere/ca.pem", &err));
    assert_int_equal(err.class, CL_INVALID);
    assert_string_equal(err.code, "E_CA_FILE");
    assert_non_null(strstr(err.message, "/nowhere/ca.pem"));
    stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_nobody_vouches_for_is_refused),
        cmocka_unit_test(a_certificate_we_were_given_is_trusted),
        cmocka_unit_test(but_not_for_another_name),
        cmocka_unit_test(and_not_after_its_end),
        cmocka_unit_test(a_missing_certificate_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
