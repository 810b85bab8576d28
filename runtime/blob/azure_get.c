/*
 * Azure Blob: downloads, in parts. Each part is a request of its own, tried again on its own: a
 * download that breaks off goes on where it was.
 */
#include <stdlib.h>
#include <string.h>

#include "azure.h"

struct reader {
    struct cl_azure_store *store;     /* borrowed */
    struct cl_blob_item item;         /* name, and the ETag once known */
    struct cl_http_response response; /* the current part */
    size_t used;                      /* bytes of it that were read */
    uint64_t offset;                  /* of the next part */
    uint64_t size;                    /* of the blob; known after the first part */
    bool begun;                       /* a part was fetched */
};

void cl_azure_close(struct cl_blob_reader *reader)
{
    struct reader *r = (struct reader *)reader;
    cl_blob_item_fini(&r->item);
    cl_http_response_fini(&r->response);
    free(r);
}

/* Total size from "bytes 0-99/1234", or the length of a whole answer. */
static uint64_t total_size(const struct cl_http_response *response)
{
    char value[128];
    if (cl_http_header(response, "content-range", value, sizeof value)) {
        const char *slash = strchr(value, '/');
        return slash ? strtoull(slash + 1, NULL, 10) : 0;
    }
    return response->body.len;
}

/* Fetches the next part. The ETag of the first holds for all. */
static bool fetch(struct reader *r, struct cl_err *err)
{
    struct cl_blob_store *store = &r->store->base;
    struct cl_azure_call call = {.method = "GET", .name = r->item.name, .doing = "reading"};
    cl_azure_header(&call, "x-ms-range: bytes=%llu-%llu", (unsigned long long)r->offset,
                    (unsigned long long)r->offset + CL_AZURE_PART_BYTES - 1);
    if (r->item.etag) {
        cl_azure_header(&call, "If-Match: \"%s\"", r->item.etag);
    }
    r->used = 0;
    if (!cl_azure_send(r->store, &call, &r->response, err)) {
        if (strcmp(err->code, "InvalidRange") == 0 && r->offset == 0) {
            cl_buf_reset(&r->response.body); /* an empty blob has no first byte */
            r->begun = true;
            return true;
        }
        if (strcmp(err->code, "ConditionNotMet") == 0 || strcmp(err->code, "HTTP_412") == 0) {
            return cl_fail(err, CL_CONFLICT, "E_BLOB_CHANGED",
                           "%s: blob '%.200s' has changed meanwhile", store->url, r->item.name);
        }
        return cl_azure_is_missing(err) ? cl_azure_no_blob(store, r->item.name, err) : false;
    }
    char etag[256];
    if (!r->item.etag && cl_http_header(&r->response, "etag", etag, sizeof etag) &&
        !cl_azure_take_etag(&r->item, etag)) {
        return cl_azure_no_memory(store, err);
    }
    if (!r->begun) {
        r->size = total_size(&r->response);
        r->begun = true;
    }
    uint64_t due =
        r->size - r->offset < CL_AZURE_PART_BYTES ? r->size - r->offset : CL_AZURE_PART_BYTES;
    if (r->response.body.len != due) {
        return cl_fail(err, CL_TRANSIENT, "E_PARTIAL",
                       "%s: reading blob '%.200s': got %zu bytes at %llu, expected %llu",
                       store->url, r->item.name, r->response.body.len,
                       (unsigned long long)r->offset, (unsigned long long)due);
    }
    r->offset += due;
    return true;
}

struct cl_blob_reader *cl_azure_open(struct cl_blob_store *store, const struct cl_blob_item *item,
                                     struct cl_err *err)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r) {
        cl_azure_no_memory(store, err);
        return NULL;
    }
    r->store = cl_azure_of(store);
    cl_http_response_init(&r->response);
    r->item.name = strdup(item->name);
    bool ok = r->item.name != NULL;
    if (ok && item->etag) {
        r->item.etag = strdup(item->etag);
        ok = r->item.etag != NULL;
    }
    if (!ok) {
        cl_azure_no_memory(store, err);
    }
    /* The first part now: that the blob is there is for open to say. */
    if (!ok || !fetch(r, err)) {
        cl_azure_close((struct cl_blob_reader *)r);
        return NULL;
    }
    return (struct cl_blob_reader *)r;
}

long cl_azure_read(struct cl_blob_reader *reader, void *bytes, size_t n, struct cl_err *err)
{
    struct reader *r = (struct reader *)reader;
    if (r->used == r->response.body.len && r->offset < r->size && !fetch(r, err)) {
        return -1;
    }
    size_t left = r->response.body.len - r->used;
    n = n < left ? n : left;
    if (n > 0) {
        memcpy(bytes, r->response.body.data + r->used, n);
        r->used += n;
    }
    return (long)n;
}
