/* Which parts there are, and in which order they are worked on. */
#ifndef CL_BACKUP_PLAN_H
#define CL_BACKUP_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "catalog.h"
#include "manifest.h"

/* Tables to copy, with columns in the order of the data. */
struct cl_plan {
    struct cl_table *tables;   /* n_tables */
    size_t n_tables;           /* entries of tables */
    struct cl_column *columns; /* all tables' columns, one block */
};

/* The archived tables, in the manifest's order, as the database of the catalog has them: classes of
 * their columns, excluded or not. Class conflict naming a table or column that it lacks. */
bool cl_plan_archived(struct cl_plan *plan, const struct cl_manifest *manifest,
                      const struct cl_catalog *catalog, struct cl_err *err);
void cl_plan_fini(struct cl_plan *plan);

/* The table's columns with the names and order of `like`, from `table`; false when one is missing.
 */
bool cl_plan_columns(const struct cl_table *table, const struct cl_table *like,
                     struct cl_column *out, const char **missing);

/* Puts the larger first, ties by name: the order in which parts are started. */
void cl_plan_order(struct cl_table *tables, size_t n);

#endif
