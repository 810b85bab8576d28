/*
 * Blob stores: one interface over a folder (file.c) and an Azure container (azure.c).
 *
 * Everything here blocks and is meant for worker threads.  A store belongs to one thread at a
 * time; cl_blob_clone() makes another for another thread, at the price of one allocation.
 *
 * Names are relative to the store's own prefix: "a/b.txt".  A store never reads, writes or deletes
 * anything outside of its prefix.  Every error names the store's URL and the blob, never a key or
 * a signature.
 */
#ifndef CL_BLOB_STORE_H
#define CL_BLOB_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/job.h"

enum {
    CL_BLOB_NAME_MAX = 1024,                /* bytes of a name, the store's prefix included */
    CL_BLOB_URL_MAX = 2048,                 /* bytes of a store's URL */
    CL_BLOB_META_MAX = 64,                  /* metadata entries of a blob */
    CL_BLOB_META_BYTES_MAX = 8 * 1024,      /* of all metadata of a blob: what Azure takes */
    CL_BLOB_HEADER_MAX = 1024,              /* bytes of one content header */
    CL_BLOB_ITEMS_MAX = 10 * 1000000,       /* entries of one listing */
    CL_BLOB_MEMORY_MAX = 256 * 1024 * 1024, /* a blob held in memory by cl_blob_get */
    CL_BLOB_MD5_BYTES = 16,
};

/* The size of a blob to be put whose source alone knows where it ends. */
#define CL_BLOB_SIZE_UNKNOWN UINT64_MAX

/* The headers a blob carries besides its bytes. X(enumerator, header, x-ms-blob-… header) */
#define CL_BLOB_HEADERS(X)                                                                         \
    X(CL_BLOB_CONTENT_TYPE, "Content-Type")                                                        \
    X(CL_BLOB_CONTENT_ENCODING, "Content-Encoding")                                                \
    X(CL_BLOB_CONTENT_LANGUAGE, "Content-Language")                                                \
    X(CL_BLOB_CONTENT_DISPOSITION, "Content-Disposition")                                          \
    X(CL_BLOB_CACHE_CONTROL, "Cache-Control")

enum cl_blob_header {
#define X(id, name) id,
    CL_BLOB_HEADERS(X)
#undef X
        CL_BLOB_HEADER_COUNT
};

extern const char *const cl_blob_header_names[CL_BLOB_HEADER_COUNT]; /* "Content-Type" … */

struct cl_blob_meta {
    char *name;  /* lower case */
    char *value; /* any text */
};

/* What a store knows of one blob. Zeroed memory is an empty item. Owns its strings. */
struct cl_blob_item {
    char *name;                          /* relative to the store */
    char *etag;                          /* without quotes; NULL: not known */
    uint64_t size;                       /* bytes */
    int64_t modified_ms;                 /* wall clock; 0: not known */
    char *headers[CL_BLOB_HEADER_COUNT]; /* NULL: none */
    struct cl_blob_meta *meta;           /* meta_count of them, by name */
    size_t meta_count;                   /* entries of meta */
    bool has_md5;                        /* md5 is known */
    bool known;                          /* size and the rest are filled in, not the name alone */
    uint8_t md5[CL_BLOB_MD5_BYTES];      /* of the content */
};

void cl_blob_item_fini(struct cl_blob_item *item);
bool cl_blob_item_copy(struct cl_blob_item *to, const struct cl_blob_item *from);
/* Sets one header, or one metadata entry (name lower-cased, replaced when it is there); false: out
 * of memory or too many. An empty header value is none. */
bool cl_blob_item_header(struct cl_blob_item *item, enum cl_blob_header which, const char *value);
bool cl_blob_item_meta(struct cl_blob_item *item, const char *name, const char *value);
/* Same headers and metadata? */
bool cl_blob_item_same_props(const struct cl_blob_item *a, const struct cl_blob_item *b);

/* A listing, sorted by name. */
struct cl_blob_items {
    struct cl_blob_item *item; /* owned, count of them */
    size_t count;              /* entries in use */
    size_t cap;                /* entries allocated */
};

void cl_blob_items_fini(struct cl_blob_items *items);
/* Moves *item into the list (and zeroes it); false: out of memory or past CL_BLOB_ITEMS_MAX. */
bool cl_blob_items_add(struct cl_blob_items *items, struct cl_blob_item *item);
void cl_blob_items_sort(struct cl_blob_items *items);
/* NULL when there is none; the list must be sorted. */
const struct cl_blob_item *cl_blob_items_find(const struct cl_blob_items *items, const char *name);

/* Where a put takes its bytes from: up to n bytes, 0 at the end, -1 with *err on failure. */
struct cl_blob_source {
    long (*read)(void *arg, void *bytes, size_t n, struct cl_err *err);
    void *arg; /* passed to read */
};

struct cl_blob_store;
struct cl_blob_reader;

/* How one kind of store works. Names were checked before. All block; all fill *err. */
struct cl_blob_driver {
    const char *scheme; /* "file" */
    struct cl_blob_store *(*clone)(const struct cl_blob_store *store, struct cl_err *err);
    void (*free)(struct cl_blob_store *store);
    bool (*check_name)(const struct cl_blob_store *store, const char *name, struct cl_err *err);
    /* Appends every blob whose name starts with prefix. */
    bool (*list)(struct cl_blob_store *store, const char *prefix, struct cl_blob_items *items,
                 struct cl_err *err);
    /* item->name is given; fills the rest. Class not_found, code E_NO_BLOB: no such blob. */
    bool (*stat)(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err);
    /* Computes item->md5 by reading, where that is cheap; leaves has_md5 false where it is not. */
    bool (*digest)(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err);
    /* Opens it; when the item's etag is known, the blob must still have it (class conflict). */
    struct cl_blob_reader *(*open)(struct cl_blob_store *store, const struct cl_blob_item *item,
                                   struct cl_err *err);
    long (*read)(struct cl_blob_reader *reader, void *bytes, size_t n, struct cl_err *err);
    void (*close)(struct cl_blob_reader *reader);
    /* Writes item->size bytes (CL_BLOB_SIZE_UNKNOWN: as many as there are; size is then filled in)
     * with the item's headers and metadata, all or nothing; fills item->etag and item->md5. An MD5
     * that was known before must be the content's (class transient, code E_BLOB_DIGEST). */
    bool (*put)(struct cl_blob_store *store, struct cl_blob_item *item,
                const struct cl_blob_source *source, struct cl_err *err);
    /* Deletes it; one that is not there is fine. */
    bool (*remove)(struct cl_blob_store *store, const char *name, struct cl_err *err);
    /* Copies inside the service. *handled false: it cannot, stream it. May be NULL. */
    bool (*copy)(struct cl_blob_store *to, struct cl_blob_store *from,
                 const struct cl_blob_item *item, bool *handled, struct cl_err *err);
};

struct cl_blob_store {
    const struct cl_blob_driver *driver; /* how it works */
    char url[CL_BLOB_URL_MAX];           /* without credentials; for messages and scripts */
    struct cl_job *job;                  /* waits end when this is stopping; may be NULL */
};

struct cl_blob_options {
    const char *endpoint; /* of azblob: http://127.0.0.1:10000/account; NULL: Azure's own */
    const char *key;      /* account key, base64 */
    const char *sas;      /* shared access signature, with or without "?" */
    const char *token;    /* OAuth bearer token */
    const char *ca_file;  /* further trusted certificates (PEM) */
    int page; /* entries a listing asks for at a time; 0: as many as the service gives */
};

/* url: file:///folder or azblob://account/container[/prefix], percent-encoded. No I/O. */
struct cl_blob_store *cl_blob_open(const char *url, const struct cl_blob_options *options,
                                   struct cl_err *err);
struct cl_blob_store *cl_blob_clone(const struct cl_blob_store *store, struct cl_job *job,
                                    struct cl_err *err);
void cl_blob_free(struct cl_blob_store *store); /* NULL is fine */

/* May a blob be called that? Due before calling a driver's own functions. */
bool cl_blob_check(const struct cl_blob_store *store, const char *name, struct cl_err *err);

bool cl_blob_list(struct cl_blob_store *store, const char *prefix, struct cl_blob_items *items,
                  struct cl_err *err);
bool cl_blob_stat(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err);
bool cl_blob_digest(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err);
bool cl_blob_get(struct cl_blob_store *store, const char *name, struct cl_buf *out,
                 struct cl_err *err);
bool cl_blob_put(struct cl_blob_store *store, struct cl_blob_item *item,
                 const struct cl_blob_source *source, struct cl_err *err);
bool cl_blob_put_bytes(struct cl_blob_store *store, struct cl_blob_item *item, const void *bytes,
                       size_t n, struct cl_err *err);
bool cl_blob_delete(struct cl_blob_store *store, const char *name, struct cl_err *err);
/* Deletes every blob whose name starts with prefix; adds to *count. */
bool cl_blob_delete_all(struct cl_blob_store *store, const char *prefix, size_t *count,
                        struct cl_err *err);

/* Waits ms, or until the store's job is stopping (class cancelled). */
bool cl_blob_wait(const struct cl_blob_store *store, int ms, struct cl_err *err);

/* Is the MD5 of what was read the one item was to have? Then it is the item's. For drivers. */
bool cl_blob_settle_md5(const struct cl_blob_store *store, struct cl_blob_item *item,
                        const uint8_t md5[CL_BLOB_MD5_BYTES], struct cl_err *err);

/* Makers of the drivers; called by cl_blob_open with the URL after its scheme. */
struct cl_blob_store *cl_blob_file_open(const char *url, const struct cl_blob_options *options,
                                        struct cl_err *err);
struct cl_blob_store *cl_blob_azure_open(const char *url, const struct cl_blob_options *options,
                                         struct cl_err *err);

/* "a b" -> "a%20b": everything but letters, digits, "-._~" and the characters of keep. */
bool cl_blob_escape(struct cl_buf *out, const char *text, const char *keep);
/* The other way; false for a broken escape or a NUL byte. */
bool cl_blob_unescape(struct cl_buf *out, const char *text);

#endif
