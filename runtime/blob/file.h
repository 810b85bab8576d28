/*
 * Inside of the folder driver: file.c (reading and writing blobs), file_walk.c (the way into
 * folders, and listings), sidecar.c (headers and metadata).
 */
#ifndef CL_BLOB_FILE_H
#define CL_BLOB_FILE_H

#include <sys/stat.h>

#include "store.h"

enum { CL_FILE_ETAG_BYTES = 64 };

struct cl_file_store {
    struct cl_blob_store base;  /* first */
    char root[CL_BLOB_URL_MAX]; /* absolute path, no slash at its end */
};

struct cl_file_store *cl_file_of(const struct cl_blob_store *store);

/* All return false; doing is "writing". fail_walk knows ELOOP as a link that is not followed. */
bool cl_file_fail(const struct cl_blob_store *store, const char *name, int errnum,
                  const char *doing, struct cl_err *err);
bool cl_file_fail_walk(const struct cl_blob_store *store, const char *name, int rc,
                       const char *doing, struct cl_err *err);
bool cl_file_no_memory(const struct cl_blob_store *store, struct cl_err *err);

/* What tells one content of a file from another: inode, size, time. */
void cl_file_etag(const struct stat *st, char out[CL_FILE_ETAG_BYTES]);
/* Fills etag, size and time; false: out of memory. */
bool cl_file_fill(struct cl_blob_item *item, const struct stat *st);

/* Opens the folder a blob lies in, making what is missing on create; *base is its file name, inside
 * name. 0 or an errno, ELOOP for a symbolic link on the way. The caller closes *dir. */
int cl_file_open_folder(const struct cl_file_store *s, const char *name, bool create, int *dir,
                        const char **base);

bool cl_file_list(struct cl_blob_store *store, const char *prefix, struct cl_blob_items *items,
                  struct cl_err *err);

#endif
