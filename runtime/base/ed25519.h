/*
 * Ed25519 signatures (RFC 8032) on libcrypto's EVP.  Keys come as PEM text; where a public key is
 * wanted, the private one will do.  Errors: class invalid for a key that cannot be read.
 */
#ifndef CL_ED25519_H
#define CL_ED25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

enum { CL_ED25519_BYTES = 64, CL_ED25519_KEY_BYTES = 32 };

/* Appends a new key pair: PKCS #8 and SubjectPublicKeyInfo. */
bool cl_ed25519_generate(struct cl_buf *private_pem, struct cl_buf *public_pem, struct cl_err *err);

/* The public key itself. */
bool cl_ed25519_public(const char *pem, size_t pem_bytes, uint8_t key[CL_ED25519_KEY_BYTES],
                       struct cl_err *err);

/* Appends the signature of the message, CL_ED25519_BYTES. */
bool cl_ed25519_sign(const char *private_pem, size_t pem_bytes, const void *message, size_t n,
                     struct cl_buf *signature, struct cl_err *err);

/* True when it was checked; *valid says whether the signature is the key's. */
bool cl_ed25519_verify(const char *public_pem, size_t pem_bytes, const void *message, size_t n,
                       const void *signature, size_t signature_bytes, bool *valid,
                       struct cl_err *err);

#endif
