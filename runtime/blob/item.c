/* Items and listings. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

const char *const cl_blob_header_names[CL_BLOB_HEADER_COUNT] = {
#define X(id, name) [id] = name,
    CL_BLOB_HEADERS(X)
#undef X
};

void cl_blob_item_fini(struct cl_blob_item *item)
{
    free(item->name);
    free(item->etag);
    for (size_t i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        free(item->headers[i]);
    }
    for (size_t i = 0; i < item->meta_count; i++) {
        free(item->meta[i].name);
        free(item->meta[i].value);
    }
    free(item->meta);
    memset(item, 0, sizeof *item);
}

bool cl_blob_item_header(struct cl_blob_item *item, enum cl_blob_header which, const char *value)
{
    char *copy = value && value[0] ? strdup(value) : NULL;
    if (value && value[0] && !copy) {
        return false;
    }
    free(item->headers[which]);
    item->headers[which] = copy;
    return true;
}

static int by_meta_name(const void *a, const void *b)
{
    const struct cl_blob_meta *x = a;
    const struct cl_blob_meta *y = b;
    return strcmp(x->name, y->name);
}

bool cl_blob_item_meta(struct cl_blob_item *item, const char *name, const char *value)
{
    char *lower = strdup(name);
    char *copy = strdup(value);
    if (!lower || !copy) {
        goto failed;
    }
    for (char *p = lower; *p; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    for (size_t i = 0; i < item->meta_count; i++) {
        if (strcmp(item->meta[i].name, lower) == 0) {
            free(lower);
            free(item->meta[i].value);
            item->meta[i].value = copy;
            return true;
        }
    }
    if (item->meta_count >= CL_BLOB_META_MAX) {
        goto failed;
    }
    struct cl_blob_meta *longer = realloc(item->meta, (item->meta_count + 1) * sizeof *item->meta);
    if (!longer) {
        goto failed;
    }
    item->meta = longer;
    item->meta[item->meta_count++] = (struct cl_blob_meta){lower, copy};
    qsort(item->meta, item->meta_count, sizeof *item->meta, by_meta_name);
    return true;
failed:
    free(lower);
    free(copy);
    return false;
}

bool cl_blob_item_copy(struct cl_blob_item *to, const struct cl_blob_item *from)
{
    memset(to, 0, sizeof *to);
    to->size = from->size;
    to->modified_ms = from->modified_ms;
    to->has_md5 = from->has_md5;
    to->known = from->known;
    memcpy(to->md5, from->md5, sizeof to->md5);
    bool ok = true;
    if (from->name) {
        to->name = strdup(from->name);
        ok = to->name != NULL;
    }
    if (from->etag) {
        to->etag = strdup(from->etag);
        ok = ok && to->etag != NULL;
    }
    for (int i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        ok = ok && cl_blob_item_header(to, (enum cl_blob_header)i, from->headers[i]);
    }
    for (size_t i = 0; i < from->meta_count; i++) {
        ok = ok && cl_blob_item_meta(to, from->meta[i].name, from->meta[i].value);
    }
    if (!ok) {
        cl_blob_item_fini(to);
    }
    return ok;
}

/* Azure gives every blob a type, a file has none: this one says nothing. */
static const char *header_of(const struct cl_blob_item *item, size_t i)
{
    const char *value = item->headers[i] ? item->headers[i] : "";
    bool dull = i == CL_BLOB_CONTENT_TYPE && strcmp(value, "application/octet-stream") == 0;
    return dull ? "" : value;
}

bool cl_blob_item_same_props(const struct cl_blob_item *a, const struct cl_blob_item *b)
{
    for (size_t i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        if (strcmp(header_of(a, i), header_of(b, i)) != 0) {
            return false;
        }
    }
    if (a->meta_count != b->meta_count) {
        return false;
    }
    for (size_t i = 0; i < a->meta_count; i++) {
        if (strcmp(a->meta[i].name, b->meta[i].name) != 0 ||
            strcmp(a->meta[i].value, b->meta[i].value) != 0) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- listings */

void cl_blob_items_fini(struct cl_blob_items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        cl_blob_item_fini(&items->item[i]);
    }
    free(items->item);
    memset(items, 0, sizeof *items);
}

bool cl_blob_items_add(struct cl_blob_items *items, struct cl_blob_item *item)
{
    if (items->count == items->cap) {
        size_t cap = items->cap ? items->cap * 2 : 64;
        if (items->count >= CL_BLOB_ITEMS_MAX) {
            return false;
        }
        struct cl_blob_item *longer = realloc(items->item, cap * sizeof *longer);
        if (!longer) {
            return false;
        }
        items->item = longer;
        items->cap = cap;
    }
    items->item[items->count++] = *item;
    memset(item, 0, sizeof *item);
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct cl_blob_item *x = a;
    const struct cl_blob_item *y = b;
    return strcmp(x->name, y->name);
}

void cl_blob_items_sort(struct cl_blob_items *items)
{
    if (items->count > 1) {
        qsort(items->item, items->count, sizeof *items->item, by_name);
    }
}

const struct cl_blob_item *cl_blob_items_find(const struct cl_blob_items *items, const char *name)
{
    struct cl_blob_item key = {.name = (char *)(uintptr_t)name};
    if (items->count == 0) {
        return NULL;
    }
    return bsearch(&key, items->item, items->count, sizeof *items->item, by_name);
}
