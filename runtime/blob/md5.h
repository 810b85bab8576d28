/* Streaming MD5: what blob services know their contents by. Not for anything that needs secrecy. */
#ifndef CL_BLOB_MD5_H
#define CL_BLOB_MD5_H

#include <stddef.h>
#include <stdint.h>

struct cl_md5;

/* NULL when out of memory or when the crypto library forbids MD5; free() accepts NULL. */
struct cl_md5 *cl_md5_new(void);
void cl_md5_add(struct cl_md5 *m, const void *bytes, size_t n);
void cl_md5_end(struct cl_md5 *m, uint8_t out[16]);
void cl_md5_free(struct cl_md5 *m);

#endif
