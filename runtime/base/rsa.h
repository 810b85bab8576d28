/*
 * RSA keys and signatures for JSON Web Tokens, on libcrypto's EVP: RSASSA-PKCS1-v1_5 with SHA-256
 * ("RS256", RFC 7518) and nothing else.  Keys under 2048 bits are refused everywhere.
 *
 * Keys come as PEM text.  Where a public key is wanted, a private key or a certificate will do.
 * Errors: class invalid for a key or number that cannot be read.
 */
#ifndef CL_RSA_H
#define CL_RSA_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"

enum { CL_RSA_BITS_MIN = 2048, CL_RSA_BITS_MAX = 8192 };

/* Appends a new key pair: PKCS #8 and SubjectPublicKeyInfo. Takes a tenth of a second and more. */
bool cl_rsa_generate(int bits, struct cl_buf *private_pem, struct cl_buf *public_pem,
                     struct cl_err *err);

/* Appends the signature of the message. */
bool cl_rsa_sign(const char *private_pem, size_t pem_bytes, const void *message, size_t n,
                 struct cl_buf *signature, struct cl_err *err);

/* True when it was checked; *valid says whether the signature is the key's. */
bool cl_rsa_verify(const char *public_pem, size_t pem_bytes, const void *message, size_t n,
                   const void *signature, size_t signature_bytes, bool *valid, struct cl_err *err);

/* Appends modulus and exponent, big-endian without leading zeros: what RFC 7518, 6.3 wants. */
bool cl_rsa_numbers(const char *public_pem, size_t pem_bytes, struct cl_buf *modulus,
                    struct cl_buf *exponent, struct cl_err *err);

/* Appends the public key made of these numbers, as PEM. */
bool cl_rsa_from_numbers(const void *modulus, size_t modulus_bytes, const void *exponent,
                         size_t exponent_bytes, struct cl_buf *public_pem, struct cl_err *err);

#endif
