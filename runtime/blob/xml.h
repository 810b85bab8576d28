/*
 * A pull parser for the small XML answers of blob services.  It takes elements, text, the five
 * named and the numeric entities, CDATA and comments; a document type, and with it any entity of
 * the document's own, is refused.  Nothing is read from anywhere else.
 *
 *   cl_xml_init(&x, bytes, n);
 *   while ((event = cl_xml_next(&x)) != CL_XML_END) { … }
 */
#ifndef CL_BLOB_XML_H
#define CL_BLOB_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { CL_XML_DEPTH_MAX = 32, CL_XML_TEXT_MAX = 64 * 1024 };

enum cl_xml_event {
    CL_XML_OPEN,  /* <name …>: name, encoded */
    CL_XML_CLOSE, /* </name>: name, and text: what stood between this tag and the one before */
    CL_XML_END,   /* the document is complete */
    CL_XML_ERROR, /* it is not well-formed; `why` says how */
};

struct cl_xml_name {
    const char *at; /* into the document */
    size_t len;     /* bytes */
};

struct cl_xml {
    const char *p;                              /* next byte */
    const char *end;                            /* of the document */
    struct cl_xml_name stack[CL_XML_DEPTH_MAX]; /* open elements */
    int depth;                                  /* of them */
    struct cl_xml_name name;                    /* of the event */
    bool encoded; /* the last opened element has Encoded="true": its text is percent-encoded */
    bool empty;   /* "<name/>": its CLOSE comes next */
    bool rooted;  /* a root element was seen */
    struct cl_buf text; /* owned */
    const char *why;    /* of an error */
};

void cl_xml_init(struct cl_xml *x, const char *bytes, size_t n); /* borrows the bytes */
void cl_xml_fini(struct cl_xml *x);
enum cl_xml_event cl_xml_next(struct cl_xml *x);

/* Is the event's element called name? Is the element around it called parent? */
bool cl_xml_is(const struct cl_xml *x, const char *name);
bool cl_xml_in(const struct cl_xml *x, const char *parent);

#endif
