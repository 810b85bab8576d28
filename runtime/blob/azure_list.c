/* Azure Blob: listings, page by page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure.h"
#include "xml.h"

struct page {
    struct cl_xml xml;           /* the parser */
    struct cl_blob_item item;    /* of the <Blob> being read */
    struct cl_buf name;          /* its full name */
    bool encoded;                /* its name is percent-encoded */
    bool folder;                 /* it stands for a directory of a hierarchical account */
    bool in_blob;                /* inside <Blob> */
    const char *prefix;          /* what the store takes off names */
    struct cl_blob_items *items; /* filled */
    struct cl_buf *marker;       /* of the next page */
};

/* A property or the name, at its closing tag. */
static bool take_leaf(struct page *p)
{
    const struct cl_xml *x = &p->xml;
    struct cl_blob_item *item = &p->item;
    const char *text = cl_buf_str(&x->text);
    if (cl_xml_in(x, "Blob") && cl_xml_is(x, "Name")) {
        p->encoded = x->encoded;
        cl_buf_reset(&p->name);
        return cl_buf_adds(&p->name, text);
    }
    if (cl_xml_in(x, "Metadata")) {
        char name[CL_BLOB_HEADER_MAX];
        snprintf(name, sizeof name, "%.*s", (int)x->name.len, x->name.at);
        if (strcmp(name, "hdi_isfolder") == 0) {
            p->folder = true;
        }
        return cl_blob_item_meta(item, name, text);
    }
    if (!cl_xml_in(x, "Properties")) {
        return true;
    }
    if (cl_xml_is(x, "Content-Length")) {
        item->size = strtoull(text, NULL, 10);
    } else if (cl_xml_is(x, "Content-MD5")) {
        return cl_azure_take_md5(item, text);
    } else if (cl_xml_is(x, "Etag")) {
        return cl_azure_take_etag(item, text);
    } else if (cl_xml_is(x, "Last-Modified")) {
        item->modified_ms = cl_azure_parse_date(text);
    } else if (cl_xml_is(x, "ResourceType")) {
        p->folder = strcmp(text, "directory") == 0;
    }
    for (int i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        if (cl_xml_is(x, cl_blob_header_names[i])) {
            return cl_blob_item_header(item, (enum cl_blob_header)i, text);
        }
    }
    return true;
}

/* At </Blob>. NULL, or what is wrong with it. */
static const char *take_blob(struct page *p)
{
    const char *why = NULL;
    struct cl_buf plain;
    cl_buf_init(&plain, CL_XML_TEXT_MAX);
    bool ok = p->encoded ? cl_blob_unescape(&plain, cl_buf_str(&p->name))
                         : cl_buf_adds(&plain, cl_buf_str(&p->name));
    const char *name = cl_buf_str(&plain);
    size_t n = strlen(p->prefix);
    if (!ok || plain.len == 0) {
        why = "a blob without a name";
    } else if (strncmp(name, p->prefix, n) != 0) {
        why = "a blob outside of the prefix that was asked for";
    } else if (!p->folder && name[n] != '\0') {
        p->item.name = strdup(name + n);
        p->item.known = true;
        if (!p->item.name || !cl_blob_items_add(p->items, &p->item)) {
            why = "more blobs than memory holds";
        }
    }
    cl_buf_fini(&plain);
    cl_blob_item_fini(&p->item);
    p->in_blob = false;
    return why;
}

static const char *take_event(struct page *p, enum cl_xml_event event)
{
    const struct cl_xml *x = &p->xml;
    if (event == CL_XML_OPEN) {
        if (cl_xml_is(x, "Blob") && cl_xml_in(x, "Blobs")) {
            p->in_blob = true;
            p->folder = false;
            cl_buf_reset(&p->name);
        }
        return NULL;
    }
    if (p->in_blob && cl_xml_is(x, "Blob") && cl_xml_in(x, "Blobs")) {
        return take_blob(p);
    }
    if (p->in_blob) {
        return take_leaf(p) ? NULL : "a property that is too long";
    }
    if (cl_xml_is(x, "NextMarker")) {
        cl_buf_reset(p->marker);
        cl_buf_adds(p->marker, cl_buf_str(&x->text));
    }
    return NULL;
}

bool cl_azure_parse_page(const char *xml, size_t n, const char *prefix, struct cl_blob_items *items,
                         struct cl_buf *marker, struct cl_err *err)
{
    struct page p = {.prefix = prefix, .items = items, .marker = marker};
    const char *why = NULL;
    bool listing = false;
    enum cl_xml_event event;
    cl_xml_init(&p.xml, xml, n);
    cl_buf_init(&p.name, CL_XML_TEXT_MAX);
    cl_buf_reset(marker);
    while (!why && (event = cl_xml_next(&p.xml)) != CL_XML_END) {
        if (event == CL_XML_ERROR) {
            why = p.xml.why;
            break;
        }
        listing = listing || cl_xml_is(&p.xml, "EnumerationResults");
        why = take_event(&p, event);
    }
    if (!why && (!listing || marker->failed)) {
        why = "not a listing";
    }
    cl_blob_item_fini(&p.item);
    cl_buf_fini(&p.name);
    cl_xml_fini(&p.xml);
    return !why || cl_fail(err, CL_TRANSIENT, "E_BLOB_LISTING", "the listing is broken: %s", why);
}

static bool fetch_page(struct cl_azure_store *s, const char *prefix, const char *marker,
                       struct cl_http_response *response, struct cl_err *err)
{
    char page[32];
    struct cl_azure_call call = {.method = "GET", .doing = "listing"};
    cl_azure_query(&call, "restype", "container");
    cl_azure_query(&call, "comp", "list");
    cl_azure_query(&call, "include", "metadata");
    if (prefix[0]) {
        cl_azure_query(&call, "prefix", prefix);
    }
    if (marker[0]) {
        cl_azure_query(&call, "marker", marker);
    }
    if (s->account->page > 0) {
        snprintf(page, sizeof page, "%d", s->account->page);
        cl_azure_query(&call, "maxresults", page);
    }
    bool ok = cl_azure_perform(s, &call, response, err);
    cl_azure_call_fini(&call);
    return ok;
}

bool cl_azure_list(struct cl_blob_store *store, const char *prefix, struct cl_blob_items *items,
                   struct cl_err *err)
{
    struct cl_azure_store *s = cl_azure_of(store);
    char full[CL_BLOB_URL_MAX + CL_BLOB_NAME_MAX + 1];
    struct cl_http_response response;
    struct cl_buf marker;
    struct cl_buf last;
    snprintf(full, sizeof full, "%s%s", s->account->prefix, prefix);
    cl_http_response_init(&response);
    response.body.max = CL_AZURE_LISTING_MAX;
    cl_buf_init(&marker, CL_XML_TEXT_MAX);
    cl_buf_init(&last, CL_XML_TEXT_MAX);
    bool ok;
    do {
        cl_buf_reset(&last);
        cl_buf_adds(&last, cl_buf_str(&marker));
        ok = fetch_page(s, full, cl_buf_str(&last), &response, err);
        if (ok && !cl_azure_parse_page(cl_buf_str(&response.body), response.body.len,
                                       s->account->prefix, items, &marker, err)) {
            ok = cl_err_context(err, "%s", store->url);
        }
        if (ok && marker.len > 0 && strcmp(cl_buf_str(&marker), cl_buf_str(&last)) == 0) {
            ok = cl_fail(err, CL_TRANSIENT, "E_BLOB_LISTING",
                         "%s: the listing does not move on: the same marker twice", store->url);
        }
    } while (ok && marker.len > 0);
    cl_buf_fini(&marker);
    cl_buf_fini(&last);
    cl_http_response_fini(&response);
    return ok;
}
