/* The JSON of a manifest: a reader into a tree, and a writer of strings. Integers only. */
#ifndef CL_BACKUP_JSON_H
#define CL_BACKUP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum cl_json_kind {
    CL_JSON_NULL,
    CL_JSON_BOOL,
    CL_JSON_INTEGER,
    CL_JSON_STRING,
    CL_JSON_ARRAY,
    CL_JSON_OBJECT,
};

struct cl_json {
    enum cl_json_kind kind;
    const char *key;       /* in its object, NULL elsewhere */
    const char *string;    /* of a string; NUL-terminated, UTF-8 */
    int64_t integer;       /* of an integer; 0 or 1 of a bool */
    struct cl_json *child; /* first member or element */
    struct cl_json *next;  /* sibling */
    size_t n;              /* members or elements */
};

/* The tree of the n bytes at text; NULL with *err (class invalid). */
struct cl_json *cl_json_parse(const char *text, size_t n, struct cl_err *err);
void cl_json_free(struct cl_json *root);

/* The member of that name and kind, NULL when there is none. A NULL object has none. */
const struct cl_json *cl_json_get(const struct cl_json *object, const char *key,
                                  enum cl_json_kind kind);

/* Appends the string quoted. Bytes that are not UTF-8 are kept as they are. */
bool cl_json_string(struct cl_buf *out, const char *s);

#endif
