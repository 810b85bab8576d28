#include "plan.h"

#include <stdlib.h>
#include <string.h>

bool cl_plan_columns(const struct cl_table *table, const struct cl_table *like,
                     struct cl_column *out, const char **missing)
{
    for (size_t i = 0; i < like->n_columns; i++) {
        size_t j = i; /* mostly they stand in the same order */
        if (j >= table->n_columns || strcmp(table->columns[j].name, like->columns[i].name) != 0) {
            for (j = 0; j < table->n_columns; j++) {
                if (strcmp(table->columns[j].name, like->columns[i].name) == 0) {
                    break;
                }
            }
        }
        if (j == table->n_columns) {
            *missing = like->columns[i].name;
            return false;
        }
        out[i] = table->columns[j];
    }
    return true;
}

static bool plan_table(size_t *which, struct cl_column *columns, const struct cl_table *like,
                       struct cl_catalog *catalog, struct cl_err *err)
{
    const struct cl_table *found = cl_catalog_find(catalog, like->schema, like->name);
    const char *missing;
    if (!found) {
        return cl_fail(err, CL_CONFLICT, "E_NO_TABLE", "the target lacks the table %s.%s",
                       like->schema, like->name);
    }
    if (!cl_plan_columns(found, like, columns, &missing)) {
        return cl_fail(err, CL_CONFLICT, "E_NO_COLUMN", "the target's %s.%s lacks the column %s",
                       like->schema, like->name, missing);
    }
    *which = (size_t)(found - catalog->tables);
    struct cl_table *table = &catalog->tables[*which];
    table->columns = columns;
    table->n_columns = like->n_columns;
    table->format = like->format;
    return true;
}

bool cl_plan_archived(struct cl_plan *plan, const struct cl_manifest *manifest,
                      struct cl_catalog *catalog, struct cl_err *err)
{
    size_t n_columns = 0;
    for (size_t i = 0; i < manifest->n_tables; i++) {
        n_columns += manifest->tables[i].table.n_columns;
    }
    plan->which = calloc(manifest->n_tables + 1, sizeof *plan->which);
    plan->columns = calloc(n_columns + 1, sizeof *plan->columns);
    if (!plan->which || !plan->columns) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    size_t used = 0;
    for (size_t i = 0; i < manifest->n_tables; i++) {
        const struct cl_table *like = &manifest->tables[i].table;
        if (!plan_table(&plan->which[i], &plan->columns[used], like, catalog, err)) {
            return false;
        }
        used += like->n_columns;
    }
    return true;
}

void cl_plan_fini(struct cl_plan *plan)
{
    free(plan->which);
    free(plan->columns);
    memset(plan, 0, sizeof *plan);
}

static int larger_first(const void *a, const void *b)
{
    const struct cl_table *x = a;
    const struct cl_table *y = b;
    if (x->bytes != y->bytes) {
        return x->bytes > y->bytes ? -1 : 1;
    }
    int schema = strcmp(x->schema, y->schema);
    return schema != 0 ? schema : strcmp(x->name, y->name);
}

void cl_plan_order(struct cl_table *tables, size_t n)
{
    qsort(tables, n, sizeof *tables, larger_first);
}
