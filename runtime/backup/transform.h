/*
 * What happens to COPY data on its way: cut into rows, text-like fields through the mask, back into
 * COPY data.  One per table and worker; not shared.
 */
#ifndef CL_BACKUP_TRANSFORM_H
#define CL_BACKUP_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "catalog.h"
#include "copyrow.h"
#include "dealer.h"
#include "mask/mask.h"
#include "rows.h"

/* Can the mask be applied to the table's rows in that format? Else class invalid. */
bool cl_transform_possible(const struct cl_mask *mask, const struct cl_table *table,
                           enum cl_copy_format format, struct cl_err *err);

struct cl_transform {
    const struct cl_mask *mask;          /* borrowed; NULL: nothing is changed */
    const char *schema;                  /* of the table, for messages and exceptions; borrowed */
    const char *table;                   /* same */
    const struct cl_column *columns;     /* n_fields of them; borrowed */
    const struct cl_mask_column **keeps; /* n_fields: what each may keep */
    bool whole_rows;                     /* no column is special: see cl_transform_pass */
    const char *searched;                /* the chunk that was searched last … */
    size_t hit;                          /* … and where something was found in it */
    struct cl_method_use *uses;          /* n_fields: the method of each; owned */
    struct cl_dealer *dealer;            /* who shuffles; borrowed; NULL: nobody */
    unsigned part;                       /* of the table, the rows are of */
    struct cl_hand hand;                 /* what the current row got */
    struct cl_rows rows;                 /* the cutter */
    struct cl_buf value;                 /* an unescaped text value */
    struct cl_buf by;                    /* same, of what decides with it, or comes in its place */
    struct cl_buf masked;                /* and what became of it */
    struct cl_mask_tally tally;          /* what the mask did */
};

/* The table's columns must be those of the data, in its order. */
bool cl_transform_init(struct cl_transform *t, const struct cl_mask *mask,
                       const struct cl_table *table, enum cl_copy_format format,
                       struct cl_err *err);
void cl_transform_fini(struct cl_transform *t);

/* Before the first row, where columns are shuffled: who deals (NULL: nobody; no row of a table with
 * such columns passes then), and which part of the table the rows are. */
bool cl_transform_shuffle(struct cl_transform *t, struct cl_dealer *dealer, unsigned part,
                          struct cl_err *err);

/* Is the chunk, which its source says is one row, to stay as it is? Then it counts as a row, and is
 * not to be handed in. Most rows hold nothing an address could be made of, and cutting them costs
 * more than searching them. False also where that cannot be said before the row is cut. */
bool cl_transform_pass(struct cl_transform *t, const char *chunk, size_t n);

/* Appends the current row of t->rows to *out, masked. A method sees the row as it came. */
bool cl_transform_row(struct cl_transform *t, struct cl_buf *out, struct cl_err *err);

/* Cuts the row, as cl_transform_row() made it, into the fields of t->rows again. */
bool cl_transform_recut(struct cl_transform *t, const char *row, size_t n, struct cl_err *err);

/* Why cl_rows_next() said CL_ROW_BAD, or why the data is not complete. Returns false. */
bool cl_transform_bad(const struct cl_transform *t, struct cl_err *err);

#endif
