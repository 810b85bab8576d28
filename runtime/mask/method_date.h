/* Dates and timestamps in PostgreSQL's text form. */
#ifndef CL_MASK_METHOD_DATE_H
#define CL_MASK_METHOD_DATE_H

#include "method.h"

struct cl_stamp {
    bool endless;     /* "infinity" or "-infinity": nothing below is set */
    int year;         /* 0 is 1 BC */
    int month;        /* 1-12 */
    int day;          /* 1-31 */
    const char *rest; /* n_rest bytes: time of day and time zone, with what is before; borrowed */
    size_t n_rest;    /* of rest */
};

bool cl_stamp_parse(struct cl_stamp *stamp, const char *s, size_t n);
void cl_stamp_write(const struct cl_stamp *stamp, struct cl_buf *out);

#endif
