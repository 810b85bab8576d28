#include "pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* The words of libcrypto would tell an operator little, and may quote the key: dropped. */
static bool fail_key(struct cl_err *err, const char *what)
{
    ERR_clear_error();
    return cl_fail(err, CL_INVALID, "E_KEY", "%s", what);
}

/* Asked for a passphrase: there is nobody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

EVP_PKEY *cl_pem_read_private(const char *pem, size_t n, struct cl_err *err)
{
    BIO *bio = n <= CL_PEM_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (!key) {
        fail_key(err, "not a private key in PEM form");
        return NULL;
    }
    return key;
}

static EVP_PKEY *read_certificate(BIO *bio)
{
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    return key;
}

EVP_PKEY *cl_pem_read_public(const char *pem, size_t n, struct cl_err *err)
{
    EVP_PKEY *key = NULL;
    BIO *bio = n <= CL_PEM_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
    if (bio) {
        key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    }
    if (bio && !key && BIO_reset(bio) == 1) {
        key = read_certificate(bio);
    }
    if (bio && !key && BIO_reset(bio) == 1) {
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    }
    BIO_free(bio);
    ERR_clear_error(); /* of the attempts that did not fit */
    if (!key) {
        fail_key(err, "not a public key, certificate or private key in PEM form");
        return NULL;
    }
    return key;
}

/* Appends what was written into the memory BIO. */
static bool take_bio(BIO *bio, struct cl_buf *out)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    return n > 0 && cl_buf_add(out, data, (size_t)n);
}

bool cl_pem_write(EVP_PKEY *key, struct cl_buf *private_pem, struct cl_buf *public_pem)
{
    bool ok = true;
    BIO *bio = BIO_new(BIO_s_mem());
    if (private_pem) {
        ok = bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
             take_bio(bio, private_pem) && BIO_reset(bio) == 1;
    }
    ok = ok && bio && PEM_write_bio_PUBKEY(bio, key) == 1 && take_bio(bio, public_pem);
    BIO_free(bio);
    return ok;
}
