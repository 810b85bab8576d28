/*
 * What a file system does not keep of a blob: its headers and metadata, in a hidden file beside it,
 * ".cl-meta." and a hash of the blob's file name (so that a name of any length has one).
 *
 *   # of report.pdf
 *   Content-Type: application/pdf
 *   meta.author: Zo%C3%AB
 *
 * It is there only for blobs that have something to say. Directory descriptors are borrowed.
 */
#ifndef CL_BLOB_SIDECAR_H
#define CL_BLOB_SIDECAR_H

#include <stdbool.h>

#include "store.h"

#define CL_BLOB_HIDDEN ".cl-" /* no blob's file name starts with it */

enum { CL_HIDDEN_NAME = 80 };

/* ".cl-KIND.HASH": the hidden file of that kind beside a blob's file. */
void cl_hidden_name(const char *base, const char *kind, char out[CL_HIDDEN_NAME]);

/* All return 0 or an errno. Writing goes through the file called temp in the same folder, which
 * must be the caller's own. */
int cl_sidecar_read(int dir, const char *base, struct cl_blob_item *item);
int cl_sidecar_write(int dir, const char *base, const char *temp, const struct cl_blob_item *item);
int cl_sidecar_remove(int dir, const char *base);

/* Writes all n bytes; 0 or an errno. */
int cl_write_all(int fd, const void *bytes, size_t n);

#endif
