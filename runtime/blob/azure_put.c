/*
 * Azure Blob: uploads.  Up to one part in a single Put Blob, beyond that blocks and a block list:
 * at no time more than one part is in memory.  Every part carries its MD5, which the service
 * checks, and is sent again on its own when a send fails.  The blob appears with the last request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure.h"
#include "base/hash.h"
#include "md5.h"

enum {
    BLOCKS_MAX = 50000,                  /* Azure's own limit */
    BLOCK_BYTES_MAX = 512 * 1024 * 1024, /* ours: 24 TiB a blob */
    MEBIBYTE = 1024 * 1024,
    BLOCKS_A_SIZE = 8192, /* of an unknown size: then blocks double, up to 1 TiB and far beyond */
};

struct upload {
    struct cl_azure_store *store;        /* borrowed */
    struct cl_blob_item *item;           /* borrowed */
    const struct cl_blob_source *source; /* borrowed */
    struct cl_http_response response;    /* of the last request */
    char *part;                          /* owned; part_bytes of room */
    size_t part_bytes;                   /* of a block */
    char prefix[17];                     /* of the block ids: blocks of another try are not ours */
    struct cl_md5 *whole;                /* of all content so far */
};

/* The MD5 of the whole is kept with the blob, so that later runs can compare. */
static void add_whole_md5(struct cl_azure_call *call, const struct cl_blob_item *item)
{
    cl_azure_md5(call, "x-ms-blob-content-md5", item->md5);
}

static void md5_of(const void *bytes, size_t n, uint8_t out[CL_BLOB_MD5_BYTES])
{
    struct cl_md5 *m = cl_md5_new();
    memset(out, 0, CL_BLOB_MD5_BYTES);
    if (m) {
        cl_md5_add(m, bytes, n);
        cl_md5_end(m, out);
        cl_md5_free(m);
    }
}

static bool perform(struct upload *u, struct cl_azure_call *call, struct cl_err *err)
{
    bool ok = cl_azure_perform(u->store, call, &u->response, err);
    cl_azure_call_fini(call);
    return ok;
}

/* Reads until the part is full or the source ends; bytes read, -1 on failure. */
static long read_part(struct upload *u, struct cl_err *err)
{
    size_t used = 0;
    while (used < u->part_bytes) {
        long n = u->source->read(u->source->arg, u->part + used, u->part_bytes - used, err);
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        used += (size_t)n;
    }
    if (used > 0) {
        cl_md5_add(u->whole, u->part, used);
    }
    return (long)used;
}

static bool fail_size(struct upload *u, uint64_t got, struct cl_err *err)
{
    return cl_fail(err, CL_CONFLICT, "E_BLOB_CHANGED",
                   "%s: blob '%.200s': its source gave %s%llu bytes, expected were %llu",
                   u->store->base.url, u->item->name, got > u->item->size ? "more than " : "",
                   (unsigned long long)(got > u->item->size ? u->item->size : got),
                   (unsigned long long)u->item->size);
}

static bool settle(struct upload *u, struct cl_err *err)
{
    uint8_t md5[CL_BLOB_MD5_BYTES];
    cl_md5_end(u->whole, md5);
    return cl_blob_settle_md5(&u->store->base, u->item, md5, err);
}

/* The part holds all n bytes of the blob. */
static bool put_whole(struct upload *u, long n, struct cl_err *err)
{
    if ((uint64_t)n != u->item->size) {
        return fail_size(u, (uint64_t)n, err);
    }
    if (!settle(u, err)) {
        return false;
    }
    struct cl_azure_call call = {
        .method = "PUT", .name = u->item->name, .body = u->part, .doing = "writing"};
    call.body_bytes = (size_t)n;
    cl_azure_header(&call, "x-ms-blob-type: BlockBlob");
    cl_azure_md5(&call, "Content-MD5", u->item->md5);
    add_whole_md5(&call, u->item);
    if (!cl_azure_props(u->store, &call, u->item, err)) {
        cl_azure_call_fini(&call);
        return false;
    }
    return perform(u, &call, err);
}

/* Ids of equal length, as Azure wants them, in base64. */
static void block_id(const struct upload *u, unsigned i, struct cl_buf *out)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%s-%06u", u->prefix, i);
    cl_base64_encode(out, text, (size_t)n);
}

static bool put_block(struct upload *u, unsigned i, size_t n, struct cl_err *err)
{
    uint8_t md5[CL_BLOB_MD5_BYTES];
    struct cl_buf id;
    cl_buf_init(&id, 256);
    block_id(u, i, &id);
    md5_of(u->part, n, md5);
    struct cl_azure_call call = {
        .method = "PUT", .name = u->item->name, .body = u->part, .doing = "writing"};
    call.body_bytes = n;
    cl_azure_query(&call, "comp", "block");
    cl_azure_query(&call, "blockid", cl_buf_str(&id));
    cl_azure_md5(&call, "Content-MD5", md5);
    bool ok = perform(u, &call, err);
    cl_buf_fini(&id);
    return ok;
}

static bool put_block_list(struct upload *u, unsigned count, struct cl_err *err)
{
    struct cl_buf xml;
    cl_buf_init(&xml, BLOCKS_MAX * 128);
    cl_buf_adds(&xml, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for (unsigned i = 0; i < count; i++) {
        cl_buf_adds(&xml, "<Latest>");
        block_id(u, i, &xml);
        cl_buf_adds(&xml, "</Latest>");
    }
    cl_buf_adds(&xml, "</BlockList>");
    struct cl_azure_call call = {.method = "PUT", .name = u->item->name, .doing = "writing"};
    call.body = xml.data;
    call.body_bytes = xml.len;
    call.failed = xml.failed;
    cl_azure_query(&call, "comp", "blocklist");
    cl_azure_header(&call, "Content-Type: application/xml");
    add_whole_md5(&call, u->item);
    bool ok = cl_azure_props(u->store, &call, u->item, err);
    if (ok) {
        ok = perform(u, &call, err);
    } else {
        cl_azure_call_fini(&call);
    }
    cl_buf_fini(&xml);
    return ok;
}

/* Twice the room for what comes next. */
static bool grow_part(struct upload *u, struct cl_err *err)
{
    char *part = u->part_bytes < BLOCK_BYTES_MAX ? malloc(2 * u->part_bytes) : NULL;
    if (!part) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory for blob '%.200s'",
                       u->store->base.url, u->item->name);
    }
    free(u->part);
    u->part = part;
    u->part_bytes *= 2;
    return true;
}

/* The part holds the first n bytes of the blob. */
static bool put_blocks(struct upload *u, long n, struct cl_err *err)
{
    bool known = u->item->size != CL_BLOB_SIZE_UNKNOWN;
    uint64_t total = 0;
    unsigned count = 0;
    for (; n > 0; n = read_part(u, err)) {
        total += (uint64_t)n;
        if (total > u->item->size || count == BLOCKS_MAX) {
            return fail_size(u, total, err);
        }
        if (!put_block(u, count++, (size_t)n, err) ||
            (!known && count % BLOCKS_A_SIZE == 0 && !grow_part(u, err))) {
            return false;
        }
    }
    if (n < 0) {
        return false;
    }
    u->item->size = known ? u->item->size : total;
    if (total != u->item->size) {
        return fail_size(u, total, err);
    }
    return settle(u, err) && put_block_list(u, count, err);
}

/* The smallest part that makes do with BLOCKS_MAX of them. */
static size_t choose_part(uint64_t size)
{
    if (size == CL_BLOB_SIZE_UNKNOWN) {
        return CL_AZURE_PART_BYTES;
    }
    uint64_t least = size / BLOCKS_MAX + 1;
    if (least <= CL_AZURE_PART_BYTES) {
        /* One more byte of room than a small blob has: a source that grew is noticed. */
        return size < CL_AZURE_PART_BYTES ? (size_t)size + 1 : CL_AZURE_PART_BYTES;
    }
    return (size_t)((least + MEBIBYTE - 1) / MEBIBYTE * MEBIBYTE);
}

bool cl_azure_put(struct cl_blob_store *store, struct cl_blob_item *item,
                  const struct cl_blob_source *source, struct cl_err *err)
{
    struct upload u = {.store = cl_azure_of(store), .item = item, .source = source};
    bool ok = false;
    uint8_t random[8];
    char etag[256];
    u.part_bytes = choose_part(item->size);
    cl_http_response_init(&u.response);
    if (u.part_bytes > BLOCK_BYTES_MAX) {
        cl_fail(err, CL_INVALID, "E_TOO_LARGE", "%s: blob '%.200s' is too large: %llu bytes",
                store->url, item->name, (unsigned long long)item->size);
        goto done;
    }
    u.part = malloc(u.part_bytes);
    u.whole = cl_md5_new();
    if (!u.part || !u.whole || !cl_random(random, sizeof random)) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory", store->url);
        goto done;
    }
    cl_hex(random, sizeof random, u.prefix);
    long n = read_part(&u, err);
    if (n >= 0 && item->size == CL_BLOB_SIZE_UNKNOWN && (size_t)n < u.part_bytes) {
        item->size = (uint64_t)n;
    }
    if (n >= 0) {
        ok = item->size < CL_AZURE_PART_BYTES ? put_whole(&u, n, err) : put_blocks(&u, n, err);
    }
    if (ok) {
        item->known = true;
        ok = !cl_http_header(&u.response, "etag", etag, sizeof etag) ||
             cl_azure_take_etag(item, etag) ||
             cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory", store->url);
    }
done:
    free(u.part);
    cl_md5_free(u.whole);
    cl_http_response_fini(&u.response);
    return ok;
}
