/* Numbers in PostgreSQL's text form: floating point, and decimals of any length. */
#ifndef CL_MASK_METHOD_NUMBER_H
#define CL_MASK_METHOD_NUMBER_H

#include "method.h"

struct cl_number {
    bool floats;          /* floating point: `real` says it, else what follows */
    bool stays;           /* it is written as it came: NaN and infinity are */
    double real;          /* as PostgreSQL 12 and later write it */
    bool negative;        /* a minus before it */
    size_t scale;         /* digits behind the point */
    struct cl_buf digits; /* all of them, without the point and zeros in front; owned */
};

/* Reads a value the way its type is written. False (class invalid): it is no number. */
bool cl_number_read(struct cl_number *number, const struct cl_mask_method *method,
                    const struct cl_mask_value *value, struct cl_err *err);

/* Appends it, in the form it was read from value, and gives back what it owns. */
void cl_number_write(struct cl_number *number, const struct cl_mask_value *value,
                     struct cl_buf *out);

#endif
