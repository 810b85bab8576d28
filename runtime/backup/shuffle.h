/*
 * What of a copy, or a comparison, is shuffled: a dealer for each table with such columns.  Their
 * rows are read here, in the parts and the snapshot they will be read in again, before any row is
 * copied: what is not shuffled yet reaches no target.
 */
#ifndef CL_BACKUP_SHUFFLE_H
#define CL_BACKUP_SHUFFLE_H

#include <stdbool.h>
#include <stddef.h>

#include "dealer.h"
#include "reading.h"

struct cl_shuffle;

/* For so many tables. NULL with *err. */
struct cl_shuffle *cl_shuffle_new(struct cl_run *run, size_t n_tables, struct cl_err *err);
void cl_shuffle_free(struct cl_shuffle *shuffle); /* NULL is fine */

/* A part of the n-th table, as it will be read for the copy: side, table, format, part, where or
 * file, bytes. Does nothing for tables that have nothing shuffled. The table must live as long. */
bool cl_shuffle_add(struct cl_shuffle *shuffle, size_t n, const struct cl_reading *model,
                    struct cl_err *err);

/* Reads and deals what was added. where: the run, snapshots and archive of readings; its list is
 * not looked at. Warns of rows that keep their values. */
bool cl_shuffle_read(struct cl_shuffle *shuffle, const struct cl_readings *where,
                     struct cl_err *err);

/* The dealer of the n-th table; NULL: nothing of it is shuffled. NULL is fine. */
struct cl_dealer *cl_shuffle_dealer(const struct cl_shuffle *shuffle, size_t n);

#endif
