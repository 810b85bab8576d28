#include "md5.h"

#include <openssl/evp.h>

static EVP_MD_CTX *ctx_of(struct cl_md5 *m)
{
    return (EVP_MD_CTX *)m;
}

struct cl_md5 *cl_md5_new(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx && !EVP_DigestInit_ex(ctx, EVP_md5(), NULL)) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    return (struct cl_md5 *)ctx;
}

void cl_md5_add(struct cl_md5 *m, const void *bytes, size_t n)
{
    EVP_DigestUpdate(ctx_of(m), bytes, n);
}

void cl_md5_end(struct cl_md5 *m, uint8_t out[16])
{
    EVP_DigestFinal_ex(ctx_of(m), out, NULL);
}

void cl_md5_free(struct cl_md5 *m)
{
    EVP_MD_CTX_free(ctx_of(m));
}
