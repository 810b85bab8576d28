/*
 * A dealer: shuffles the values of one table's columns among its rows (method shuffle).
 *
 * A row's values come from other rows, so all rows are read once before any is copied: the dealer
 * takes what is to be shuffled of each, deals, and gives each row what it got when it comes again.
 * It tells rows by a keyed hash of all their fields, so what a row gets is the same in every run
 * over the same rows, whatever order and parts they come in.
 */
#ifndef CL_BACKUP_DEALER_H
#define CL_BACKUP_DEALER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "catalog.h"
#include "mask/mask.h"

struct cl_dealer;

/* Columns that move together, and what came of it. */
struct cl_dealt {
    const char *column; /* the first of them */
    uint64_t rows;      /* that have a value to shuffle */
    uint64_t kept;      /* of these, that got their own: no other row of their group has another */
};

/* Has the table columns that are shuffled? */
bool cl_dealer_needed(const struct cl_mask *mask, const struct cl_table *table);

/* For such a table; its columns must be those of the rows, in their order. Mask and table are
 * borrowed. NULL with *err. */
struct cl_dealer *cl_dealer_new(const struct cl_mask *mask, const struct cl_table *table,
                                struct cl_err *err);
void cl_dealer_free(struct cl_dealer *dealer); /* NULL is fine */

/* A row, as it is in the source; part: of the table it is in. Any threads. */
bool cl_dealer_take(struct cl_dealer *dealer, unsigned part, const struct cl_field *row,
                    struct cl_err *err);

/* All rows were taken. */
void cl_dealer_deal(struct cl_dealer *dealer);

/* What a worker got for its row. */
struct cl_hand {
    struct cl_field *fields; /* one for each column; only those that are shuffled are set */
    struct cl_buf *values;   /* n: what they are in */
    size_t n;                /* entries of values */
};

bool cl_hand_init(struct cl_hand *hand, const struct cl_dealer *dealer, struct cl_err *err);
void cl_hand_fini(struct cl_hand *hand); /* a zeroed one is fine */

/* The row comes again, in the same part: what it gets is in the hand until the next. Any threads,
 * one at a time a part. Class conflict when that row was not taken. */
bool cl_dealer_give(struct cl_dealer *dealer, unsigned part, const struct cl_field *row,
                    struct cl_hand *hand, struct cl_err *err);

/* What came of the n-th columns that move together; false when there are no more. */
bool cl_dealer_result(const struct cl_dealer *dealer, size_t n, struct cl_dealt *out);

#endif
