/*
 * Inside of the Azure driver: azure_open.c (URLs and credentials), azure.c (requests, single
 * blobs), azure_get.c, azure_put.c, azure_list.c, and azure_copy.c (copies inside the service).
 *
 * Who owns what: an account's data is made once, never changed and counted by reference; clones of
 * a store share it, and through it the HTTP sessions that are idle.  Everything else belongs to
 * the thread that uses the store.
 */
#ifndef CL_BLOB_AZURE_H
#define CL_BLOB_AZURE_H

#include <stdatomic.h>

#include <uv.h>

#include "azure_sign.h"
#include "http/http.h"
#include "store.h"

enum {
    CL_AZURE_ATTEMPTS = 5,            /* of one request */
    CL_AZURE_BACKOFF_MS = 200,        /* before the second, doubled each time, with jitter */
    CL_AZURE_BACKOFF_MAX_MS = 30000,  /* a server that asks for more gets its error passed on */
    CL_AZURE_TIMEOUT_MS = 300 * 1000, /* of one exchange */
    CL_AZURE_KEY_MAX = 128,           /* bytes of an account key */
    CL_AZURE_IDLE_MAX = 32,           /* sessions kept */
    CL_AZURE_PART_BYTES = 8 * 1024 * 1024,   /* of a download's range, of an upload's block */
    CL_AZURE_LISTING_MAX = 64 * 1024 * 1024, /* bytes of one page of a listing */
};

struct cl_azure_account {
    atomic_int refs;                                 /* stores that share it */
    uv_mutex_t lock;                                 /* for idle */
    struct cl_http_session *idle[CL_AZURE_IDLE_MAX]; /* not in use; idle_count of them */
    int idle_count;                                  /* entries of idle */
    char name[64];                                   /* of the account */
    char container[64];                              /* in it */
    char prefix[CL_BLOB_URL_MAX];                    /* of every blob: "" or "a/b/" */
    char *endpoint;   /* "https://acme.blob.core.windows.net", without "/" at the end */
    const char *path; /* of the endpoint: into it, "" or "/account" */
    uint8_t key[CL_AZURE_KEY_MAX]; /* Shared Key; key_bytes of it */
    size_t key_bytes;              /* 0: none */
    char *sas;                     /* query string, without "?"; NULL: none */
    char *token;                   /* bearer; NULL: none */
    char *ca_file;                 /* further certificates; NULL: none */
    int page;                      /* entries of a listing's page; 0: the service's choice */
};

struct cl_azure_store {
    struct cl_blob_store base;        /* first */
    struct cl_azure_account *account; /* counted */
    struct cl_http_session *session;  /* taken at the first request */
};

/* One request in the making. */
struct cl_azure_call {
    const char *method;                             /* "GET" */
    const char *name;                               /* of the blob; NULL: the container */
    struct cl_azure_pair query[CL_AZURE_QUERY_MAX]; /* query_count of them */
    size_t query_count;                             /* entries of query */
    char *headers[CL_AZURE_HEADERS_MAX];            /* owned; header_count of them */
    size_t header_count;                            /* entries of headers */
    bool failed;                                    /* out of memory, or too many */
    const void *body;                               /* borrowed; NULL: none */
    size_t body_bytes;                              /* of body */
    const char *doing;                              /* "writing", for messages */
};

extern const struct cl_blob_driver cl_azure_driver;

void cl_azure_account_release(struct cl_azure_account *a); /* NULL is fine */

struct cl_azure_store *cl_azure_of(const struct cl_blob_store *store);

void cl_azure_call_fini(struct cl_azure_call *call);
void cl_azure_query(struct cl_azure_call *call, const char *name, const char *value); /* borrowed */
void cl_azure_header(struct cl_azure_call *call, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The blob's content headers and metadata; false with *err when Azure cannot keep them. */
bool cl_azure_props(struct cl_azure_store *s, struct cl_azure_call *call,
                    const struct cl_blob_item *item, struct cl_err *err);
void cl_azure_md5(struct cl_azure_call *call, const char *header,
                  const uint8_t md5[CL_BLOB_MD5_BYTES]);

/* Sends it until it is answered 2xx, at most CL_AZURE_ATTEMPTS times. Otherwise the code of *err is
 * Azure's own ("BlobNotFound"), "HTTP_404" where it gave none. */
bool cl_azure_perform(struct cl_azure_store *s, const struct cl_azure_call *call,
                      struct cl_http_response *response, struct cl_err *err);

/* The same, and the call is over. */
bool cl_azure_send(struct cl_azure_store *s, struct cl_azure_call *call,
                   struct cl_http_response *response, struct cl_err *err);

/* Did the service say that there is no such blob? (Not: no such container.) */
bool cl_azure_is_missing(const struct cl_err *err);
/* Both return false. */
bool cl_azure_no_blob(const struct cl_blob_store *store, const char *name, struct cl_err *err);
bool cl_azure_no_memory(const struct cl_blob_store *store, struct cl_err *err);

/* Appends the URL of a blob, without a query. */
bool cl_azure_url(struct cl_buf *out, const struct cl_azure_account *a, const char *name);

/* Fills the item from the headers of an answer; false: out of memory. */
bool cl_azure_take_headers(struct cl_blob_item *item, const struct cl_http_response *response);
/* Sets the item's ETag, without its quotes. */
bool cl_azure_take_etag(struct cl_blob_item *item, const char *etag);
bool cl_azure_take_md5(struct cl_blob_item *item, const char *base64);
int64_t cl_azure_parse_date(const char *text); /* wall ms; 0: not a date */

bool cl_azure_list(struct cl_blob_store *store, const char *prefix, struct cl_blob_items *items,
                   struct cl_err *err);
/* One page: adds its blobs, copies the marker of the next ("" at the end). For tests, too. */
bool cl_azure_parse_page(const char *xml, size_t n, const char *prefix, struct cl_blob_items *items,
                         struct cl_buf *marker, struct cl_err *err);

struct cl_blob_reader *cl_azure_open(struct cl_blob_store *store, const struct cl_blob_item *item,
                                     struct cl_err *err);
long cl_azure_read(struct cl_blob_reader *reader, void *bytes, size_t n, struct cl_err *err);
void cl_azure_close(struct cl_blob_reader *reader);
bool cl_azure_put(struct cl_blob_store *store, struct cl_blob_item *item,
                  const struct cl_blob_source *source, struct cl_err *err);
bool cl_azure_copy(struct cl_blob_store *to, struct cl_blob_store *from,
                   const struct cl_blob_item *item, bool *handled, struct cl_err *err);

#endif
