/* Parts: the rows of one table that travel in one COPY. */
#ifndef CL_BACKUP_PART_H
#define CL_BACKUP_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/err.h"
#include "catalog.h"

struct cl_part {
    size_t table;    /* index of its table in the list it was planned from */
    unsigned number; /* 0, 1, … within the table */
    unsigned of;     /* parts of the table */
    char *where;     /* condition on the source's rows; NULL: all of them; owned */
    uint64_t bytes;  /* what is expected, as the server counts heap and TOAST */
    bool small;      /* all of the table fits into one page */
};

struct cl_parts {
    struct cl_part *part; /* n; the largest table's first, a table's parts together, in order */
    size_t n;             /* entries of part */
    size_t cap;           /* allocated */
};

/* Cuts the tables (largest first, not excluded) into parts. Tables above part_bytes are split by
 * ranges of pages (TID range scans, since version 14), by ranges of their integer primary key where
 * the server is older and has statistics; others stay whole. part_bytes 0: what keeps `jobs`
 * workers busy to the end. Tables without a page have a part only when `empty` asks for it. Zeroed
 * before, cl_parts_fini() is due either way. */
bool cl_parts_plan(struct cl_parts *parts, const struct cl_table *tables, size_t n_tables,
                   bool empty, int jobs, uint64_t part_bytes, PGconn *conn, struct cl_err *err);
/* Adds a part by hand; its where stays NULL. */
bool cl_parts_add(struct cl_parts *parts, const struct cl_part *part, struct cl_err *err);
void cl_parts_fini(struct cl_parts *parts);

#endif
