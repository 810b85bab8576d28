/* Which parts there are, and in which order they are worked on. */
#ifndef CL_BACKUP_PLAN_H
#define CL_BACKUP_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "catalog.h"
#include "manifest.h"

/* The archived tables in the target's catalog. */
struct cl_plan {
    size_t *which;             /* of the manifest's table i: its index in the catalog */
    struct cl_column *columns; /* theirs, one block; the catalog points into it */
};

/* Gives the archived tables of the catalog the archive's columns, in its order, and its format.
 * Class conflict naming a table or column that the target lacks. The plan must live as long as the
 * catalog is used. */
bool cl_plan_archived(struct cl_plan *plan, const struct cl_manifest *manifest,
                      struct cl_catalog *catalog, struct cl_err *err);
void cl_plan_fini(struct cl_plan *plan);

/* The table's columns with the names and order of `like`, from `table`; false when one is missing.
 */
bool cl_plan_columns(const struct cl_table *table, const struct cl_table *like,
                     struct cl_column *out, const char **missing);

/* Puts the larger first, ties by name: the order in which parts are started. */
void cl_plan_order(struct cl_table *tables, size_t n);

#endif
