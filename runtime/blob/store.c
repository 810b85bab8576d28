/* What all drivers share: URLs, checks, and the operations made of others. */
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"

enum { WAIT_SLICE_MS = 50, READ_BYTES = 1024 * 1024 };

/* ---------------------------------------------------------------- escapes */

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

bool cl_blob_escape(struct cl_buf *out, const char *text, const char *keep)
{
    for (const char *p = text; *p; p++) {
        if (unreserved(*p) || strchr(keep, *p)) {
            cl_buf_addc(out, *p);
        } else {
            cl_buf_addf(out, "%%%02X", (unsigned)(unsigned char)*p);
        }
    }
    return !out->failed;
}

bool cl_blob_unescape(struct cl_buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p != '%') {
            cl_buf_addc(out, *p);
            continue;
        }
        int high = cl_hex_digit(p[1]);
        int low = high < 0 ? -1 : cl_hex_digit(p[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            return false;
        }
        cl_buf_addc(out, (char)(high * 16 + low));
        p += 2;
    }
    return !out->failed;
}

/* ---------------------------------------------------------------- stores */

struct cl_blob_store *cl_blob_open(const char *url, const struct cl_blob_options *options,
                                   struct cl_err *err)
{
    static const struct cl_blob_options none;
    options = options ? options : &none;
    /* What follows "?" or "#" may be a signature: it is refused and never printed. */
    int shown = (int)strcspn(url, "?#");
    if (url[shown] != '\0') {
        cl_fail(err, CL_INVALID, "E_BLOB_URL",
                "blob store '%.*s…': '?' and '#' are not taken; write %%3F and %%23, and pass a "
                "signature as 'sas'",
                shown, url);
        return NULL;
    }
    if (strlen(url) >= CL_BLOB_URL_MAX / 3) {
        cl_fail(err, CL_INVALID, "E_BLOB_URL", "blob store '%.80s…': the URL is too long", url);
        return NULL;
    }
    if (strncmp(url, "file://", 7) == 0) {
        return cl_blob_file_open(url, options, err);
    }
    if (strncmp(url, "azblob://", 9) == 0) {
        return cl_blob_azure_open(url, options, err);
    }
    cl_fail(err, CL_INVALID, "E_BLOB_URL",
            "blob store '%s': known are file:///folder and azblob://account/container/prefix", url);
    return NULL;
}

struct cl_blob_store *cl_blob_clone(const struct cl_blob_store *store, struct cl_job *job,
                                    struct cl_err *err)
{
    struct cl_blob_store *clone = store->driver->clone(store, err);
    if (clone) {
        clone->job = job;
    }
    return clone;
}

void cl_blob_free(struct cl_blob_store *store)
{
    if (store) {
        store->driver->free(store);
    }
}

bool cl_blob_wait(const struct cl_blob_store *store, int ms, struct cl_err *err)
{
    while (ms > 0) {
        if (store->job && !cl_job_check(store->job, err)) {
            return false;
        }
        int slice_ms = ms < WAIT_SLICE_MS ? ms : WAIT_SLICE_MS;
        struct timespec t = {.tv_sec = 0, .tv_nsec = slice_ms * 1000000L};
        nanosleep(&t, NULL);
        ms -= slice_ms;
    }
    return !store->job || cl_job_check(store->job, err);
}

bool cl_blob_settle_md5(const struct cl_blob_store *store, struct cl_blob_item *item,
                        const uint8_t md5[CL_BLOB_MD5_BYTES], struct cl_err *err)
{
    if (item->has_md5 && memcmp(item->md5, md5, CL_BLOB_MD5_BYTES) != 0) {
        return cl_fail(err, CL_TRANSIENT, "E_BLOB_DIGEST",
                       "%s: blob '%.200s': the bytes read do not have the MD5 the blob is known by",
                       store->url, item->name);
    }
    memcpy(item->md5, md5, CL_BLOB_MD5_BYTES);
    item->has_md5 = true;
    return true;
}

bool cl_blob_check(const struct cl_blob_store *store, const char *name, struct cl_err *err)
{
    const char *why = NULL;
    size_t n = strlen(name);
    if (n == 0) {
        why = "a blob's name is empty";
    } else if (n > CL_BLOB_NAME_MAX) {
        why = "the name is longer than 1,024 bytes";
    }
    /* A segment of dots is resolved by servers and file systems: it could leave the prefix. */
    for (const char *p = name; p && !why; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
        size_t len = strcspn(p, "/");
        if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.')) {
            why = "'.' and '..' are no parts of a name";
        }
    }
    if (why) {
        return cl_fail(err, CL_INVALID, "E_BLOB_NAME", "%s: blob '%.200s': %s", store->url, name,
                       why);
    }
    return store->driver->check_name(store, name, err);
}

/* ---------------------------------------------------------------- operations */

bool cl_blob_list(struct cl_blob_store *store, const char *prefix, struct cl_blob_items *items,
                  struct cl_err *err)
{
    if (strlen(prefix) > CL_BLOB_NAME_MAX) {
        return cl_fail(err, CL_INVALID, "E_BLOB_NAME", "%s: the prefix to list is too long",
                       store->url);
    }
    if (!store->driver->list(store, prefix, items, err)) {
        return false;
    }
    cl_blob_items_sort(items);
    return true;
}

bool cl_blob_stat(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err)
{
    return cl_blob_check(store, item->name, err) && store->driver->stat(store, item, err);
}

bool cl_blob_digest(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err)
{
    return item->has_md5 ||
           (cl_blob_check(store, item->name, err) && store->driver->digest(store, item, err));
}

bool cl_blob_get(struct cl_blob_store *store, const char *name, struct cl_buf *out,
                 struct cl_err *err)
{
    if (!cl_blob_check(store, name, err)) {
        return false;
    }
    struct cl_blob_item item = {.name = (char *)(uintptr_t)name};
    struct cl_blob_reader *reader = store->driver->open(store, &item, err);
    if (!reader) {
        return false;
    }
    bool ok = false;
    for (;;) {
        if (!cl_buf_reserve(out, READ_BYTES)) {
            cl_fail(err, CL_INVALID, "E_TOO_LARGE",
                    "%s: blob '%.200s' is too large to be held in memory (%zu bytes at most)",
                    store->url, name, out->max - READ_BYTES);
            break;
        }
        if (store->job && !cl_job_check(store->job, err)) {
            break;
        }
        long n = store->driver->read(reader, out->data + out->len, READ_BYTES, err);
        if (n <= 0) {
            ok = n == 0;
            break;
        }
        out->len += (size_t)n;
        out->data[out->len] = '\0';
    }
    store->driver->close(reader);
    return ok;
}

bool cl_blob_put(struct cl_blob_store *store, struct cl_blob_item *item,
                 const struct cl_blob_source *source, struct cl_err *err)
{
    return cl_blob_check(store, item->name, err) && store->driver->put(store, item, source, err);
}

struct bytes {
    const char *data; /* borrowed */
    size_t left;      /* not read yet */
};

static long read_bytes(void *arg, void *out, size_t n, struct cl_err *err)
{
    (void)err;
    struct bytes *b = arg;
    n = n < b->left ? n : b->left;
    memcpy(out, b->data, n);
    b->data += n;
    b->left -= n;
    return (long)n;
}

bool cl_blob_put_bytes(struct cl_blob_store *store, struct cl_blob_item *item, const void *bytes,
                       size_t n, struct cl_err *err)
{
    struct bytes b = {.data = n > 0 ? bytes : "", .left = n};
    struct cl_blob_source source = {.read = read_bytes, .arg = &b};
    item->size = n;
    return cl_blob_put(store, item, &source, err);
}

bool cl_blob_delete(struct cl_blob_store *store, const char *name, struct cl_err *err)
{
    return cl_blob_check(store, name, err) && store->driver->remove(store, name, err);
}

bool cl_blob_delete_all(struct cl_blob_store *store, const char *prefix, size_t *count,
                        struct cl_err *err)
{
    struct cl_blob_items items = {0};
    bool ok = cl_blob_list(store, prefix, &items, err);
    for (size_t i = 0; ok && i < items.count; i++) {
        ok = (!store->job || cl_job_check(store->job, err)) &&
             cl_blob_delete(store, items.item[i].name, err);
        if (ok) {
            *count += 1;
        }
    }
    cl_blob_items_fini(&items);
    return ok;
}
