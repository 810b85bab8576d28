/* Decimal numbers in PostgreSQL's text form, of any length. */
#ifndef CL_MASK_METHOD_NUMBER_H
#define CL_MASK_METHOD_NUMBER_H

#include "method.h"

struct cl_decimal {
    bool negative;        /* a minus before it */
    bool special;         /* NaN or infinity: no digits */
    size_t scale;         /* digits behind the point */
    struct cl_buf digits; /* all of them, without the point and zeros in front; owned */
};

/* Legal to fini also when it is none. */
bool cl_decimal_parse(struct cl_decimal *number, const char *s, size_t n);
void cl_decimal_write(const struct cl_decimal *number, struct cl_buf *out);
void cl_decimal_fini(struct cl_decimal *number);

/* Same for floating point, as PostgreSQL 12 and later write it. */
bool cl_float_parse(double *out, const char *s, size_t n);
void cl_float_write(double number, enum cl_mask_type type, struct cl_buf *out);

static inline bool cl_type_floats(enum cl_mask_type type)
{
    return type == CL_MASK_FLOAT4 || type == CL_MASK_FLOAT8;
}

#endif
