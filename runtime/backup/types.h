/*
 * What a column's type means to the copier: may its values hold text that must be swept, and has it
 * a binary form that is the same in every database?
 *
 * Fails closed: a type not known to be free of text is swept.
 */
#ifndef CL_BACKUP_TYPES_H
#define CL_BACKUP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/err.h"
#include "mask/mask.h"

/* How the binary form of a text-like type carries its text. */
enum cl_binary_form {
    CL_BINARY_PLAIN,   /* the text itself */
    CL_BINARY_JSONB,   /* a version byte of 1, then the text */
    CL_BINARY_ARRAY,   /* of bytes: a header, then each element behind its length */
    CL_BINARY_UNKNOWN, /* nothing we take apart: text format only */
};

struct cl_type_class {
    bool text_like;           /* values are swept by the mask */
    bool binary;              /* COPY's binary format is safe for the values */
    bool reorders;            /* the server may store the parts of a value in another order */
    bool padded;              /* char(n): filled up with spaces */
    enum cl_mask_type type;   /* what a method of the mask takes the values for */
    enum cl_carrier carrier;  /* of a text-like type */
    enum cl_binary_form form; /* of a text-like type that is binary */
    size_t max_chars;         /* limit in characters, by typmod or constraint; 0: none */
};

struct cl_types {
    PGresult *types;   /* of types.sql */
    PGresult *columns; /* of columns.sql; borrowed, for composites */
};

bool cl_types_load(struct cl_types *types, PGconn *conn, PGresult *columns, struct cl_err *err);
void cl_types_fini(struct cl_types *types);

/* The class of a column's type. */
void cl_types_classify(const struct cl_types *types, uint32_t oid, int typmod,
                       struct cl_type_class *out);

/* Is it something else in the binary format than in text, but for a byte before jsonb? */
bool cl_type_holds_bytes(const struct cl_type_class *class);

/* A value of that class, n bytes of text, as a method of the mask takes it; what decides with it
 * (`by`) is not set. */
struct cl_mask_value cl_type_value(const struct cl_type_class *class, const char *text, size_t n);

#endif
