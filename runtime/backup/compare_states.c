/* What compare finds beside rows: the states of sequences, and materialised views. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

/* The one of that name; NULL: none. */
static const struct cl_sequence *find(const struct cl_sequence *sequences, size_t n,
                                      const char *schema, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(sequences[i].name, name) == 0 && strcmp(sequences[i].schema, schema) == 0) {
            return &sequences[i];
        }
    }
    return NULL;
}

static bool compare_sequence(struct cl_comparison *all, const struct cl_sequence *wanted,
                             struct cl_err *err)
{
    const struct cl_sequence *found = find(
        all->target_tables.sequences, all->target_tables.n_sequences, wanted->schema, wanted->name);
    char problem[sizeof((struct cl_backup_difference *)NULL)->problem];
    if (found && found->last_value == wanted->last_value && found->is_called == wanted->is_called) {
        return true;
    }
    if (found) {
        snprintf(problem, sizeof problem, "at %" PRId64 "%s, not %" PRId64 "%s", found->last_value,
                 found->is_called ? "" : " (not called)", wanted->last_value,
                 wanted->is_called ? "" : " (not called)");
    } else {
        snprintf(problem, sizeof problem, "missing in the target");
    }
    return cl_comparison_differs(all, "sequence", wanted->schema, wanted->name, problem, NULL, err);
}

static bool compare_sequences(struct cl_comparison *all, struct cl_err *err)
{
    bool archive = all->run->spec->archive != NULL;
    if (!cl_catalog_sequences(&all->target_tables, all->target.link.conn, err) ||
        (!archive && !cl_catalog_sequences(&all->source_tables, all->source.link.conn, err))) {
        return false;
    }
    const struct cl_sequence *wanted =
        archive ? all->manifest.sequences : all->source_tables.sequences;
    size_t n = archive ? all->manifest.n_sequences : all->source_tables.n_sequences;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        ok = compare_sequence(all, &wanted[i], err);
    }
    for (size_t i = 0; ok && i < all->target_tables.n_sequences; i++) {
        const struct cl_sequence *found = &all->target_tables.sequences[i];
        ok = find(wanted, n, found->schema, found->name) ||
             cl_comparison_differs(all, "sequence", found->schema, found->name, "not in the source",
                                   NULL, err);
    }
    return ok;
}

/* Rows of a materialised view; false also when it is not to be read. */
static bool count_rows(PGconn *conn, const char *schema, const char *name, uint64_t *rows,
                       struct cl_err *err)
{
    struct cl_buf sql;
    cl_buf_init(&sql, 4096);
    cl_buf_adds(&sql, "SELECT count(*) FROM ");
    cl_sql_name(&sql, schema, name);
    char *count = cl_pg_value(conn, cl_buf_str(&sql), err);
    cl_buf_fini(&sql);
    *rows = count ? strtoull(count, NULL, 10) : 0;
    free(count);
    return count || cl_err_context(err, "materialised view %s.%s", schema, name);
}

static bool populated(const struct cl_catalog *catalog, const char *schema, const char *name)
{
    for (int i = 0; i < PQntuples(catalog->matviews); i++) {
        if (strcmp(PQgetvalue(catalog->matviews, i, 0), schema) == 0 &&
            strcmp(PQgetvalue(catalog->matviews, i, 1), name) == 0) {
            return true;
        }
    }
    return false;
}

/* A copy computes its views anew: another number of rows than in the source may mean no more than
 * that the source's were out of date, or ask for what the mask has changed. */
static bool compare_matview(struct cl_comparison *all, const char *schema, const char *name,
                            struct cl_err *err)
{
    struct cl_checksum sums[2] = {{0}};
    if (!populated(&all->target_tables, schema, name)) {
        return cl_comparison_differs(all, "materialised view", schema, name,
                                     "missing or not filled in the target", NULL, err);
    }
    if (all->run->spec->archive || all->run->spec->mask) {
        return true;
    }
    if (!count_rows(all->source.link.conn, schema, name, &sums[CL_SIDE_SOURCE].rows, err) ||
        !count_rows(all->target.link.conn, schema, name, &sums[CL_SIDE_TARGET].rows, err)) {
        return false;
    }
    if (sums[CL_SIDE_SOURCE].rows != sums[CL_SIDE_TARGET].rows) {
        cl_run_warn(all->run,
                    "materialised view %s.%s has %" PRIu64 " rows, %" PRIu64
                    " in the source, which may not have been refreshed",
                    schema, name, sums[CL_SIDE_TARGET].rows, sums[CL_SIDE_SOURCE].rows);
    }
    return true;
}

static bool compare_matviews(struct cl_comparison *all, struct cl_err *err)
{
    bool archive = all->run->spec->archive != NULL;
    if (!cl_catalog_matviews(&all->target_tables, all->target.link.conn, err) ||
        (!archive && !cl_catalog_matviews(&all->source_tables, all->source.link.conn, err))) {
        return false;
    }
    const PGresult *views = all->source_tables.matviews;
    size_t n = archive ? all->manifest.n_matviews : (size_t)PQntuples(views);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        ok = archive ? compare_matview(all, all->manifest.matviews[2 * i],
                                       all->manifest.matviews[2 * i + 1], err)
                     : compare_matview(all, PQgetvalue(views, (int)i, 0),
                                       PQgetvalue(views, (int)i, 1), err);
    }
    return ok;
}

bool cl_comparison_states(struct cl_comparison *all, struct cl_err *err)
{
    return compare_sequences(all, err) && compare_matviews(all, err);
}
