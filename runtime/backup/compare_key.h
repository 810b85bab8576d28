/* By what rows that differ are named: their keys, fit to be printed. */
#ifndef CL_BACKUP_COMPARE_KEY_H
#define CL_BACKUP_COMPARE_KEY_H

#include "compare.h"

enum { CL_KEY_COLUMNS_MAX = 32 }; /* PostgreSQL's limit for an index */

struct cl_key {
    size_t columns[CL_KEY_COLUMNS_MAX]; /* their numbers among the table's; n of them */
    size_t n;                           /* 0: rows of this table cannot be told apart */
};

/* The key of the pair's table, from the target, else from the source. */
bool cl_key_find(struct cl_key *key, struct cl_comparison *all, const struct cl_pair *pair,
                 struct cl_err *err);

/* Appends "id = 7, mail = p7_x.example@sink.test": values shortened, text through the mask, and
 * without a mask nothing that could be an address. */
bool cl_key_show(struct cl_buf *out, const struct cl_key *key, const struct cl_row_seen *row,
                 const struct cl_mask *mask, struct cl_err *err);

#endif
