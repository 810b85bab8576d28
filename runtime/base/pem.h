/*
 * Keys as PEM text.  Where a public key is wanted, a private key or a certificate will do.  Errors:
 * class invalid for what cannot be read.
 */
#ifndef CL_PEM_H
#define CL_PEM_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#include "buf.h"
#include "err.h"

enum { CL_PEM_MAX = 32 * 1024 };

/* The key, to EVP_PKEY_free(); NULL with *err. */
EVP_PKEY *cl_pem_read_private(const char *pem, size_t n, struct cl_err *err);
EVP_PKEY *cl_pem_read_public(const char *pem, size_t n, struct cl_err *err);

/* Appends PKCS #8 (unless private_pem is NULL) and SubjectPublicKeyInfo; false when out of memory.
 */
bool cl_pem_write(EVP_PKEY *key, struct cl_buf *private_pem, struct cl_buf *public_pem);

#endif
