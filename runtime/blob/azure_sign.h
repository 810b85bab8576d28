/*
 * Azure Storage authorisation: Shared Key and service SAS. Pure functions.
 * https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 */
#ifndef CL_BLOB_AZURE_SIGN_H
#define CL_BLOB_AZURE_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The version every request names; its rules are the ones the signatures follow. */
#define CL_AZURE_VERSION "2021-12-02"

enum { CL_AZURE_HEADERS_MAX = 96, CL_AZURE_QUERY_MAX = 12, CL_AZURE_DATE_BYTES = 32 };

struct cl_azure_pair {
    const char *name;  /* of a query parameter, lower case */
    const char *value; /* not encoded */
};

/* What a signature covers. All borrowed. */
struct cl_azure_request {
    const char *method;                             /* "GET" */
    const char *account;                            /* account name */
    const char *path;                               /* of the URL, encoded as it is sent: "/…" */
    struct cl_azure_pair query[CL_AZURE_QUERY_MAX]; /* query_count of them, any order */
    size_t query_count;                             /* entries of query */
    const char *headers[CL_AZURE_HEADERS_MAX];      /* "Name: value", NULL-terminated */
    size_t body_bytes;                              /* Content-Length */
};

/* Appends the string to sign. */
bool cl_azure_string_to_sign(struct cl_buf *out, const struct cl_azure_request *r);

/* Appends base64(HMAC-SHA256(key, text)). */
bool cl_azure_sign(struct cl_buf *out, const uint8_t *key, size_t key_bytes, const char *text);

/* Appends the query string (encoded, without "?") of a read-only signature for one blob. */
bool cl_azure_sas(struct cl_buf *out, const char *account, const uint8_t *key, size_t key_bytes,
                  const char *container, const char *blob, int64_t expiry_wall_ms, bool https_only);

/* "Sun, 22 Nov 2026 15:55:11 GMT" */
void cl_azure_date(int64_t wall_ms, char out[CL_AZURE_DATE_BYTES]);

#endif
