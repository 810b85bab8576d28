/* Rows that refer to a table of which none are copied: their foreign key could not be made. */
#include <stdlib.h>
#include <string.h>

#include "check_private.h"

enum { SQL_BYTES_MAX = 64 * 1024 }; /* a question */

static bool any_excluded(const struct cl_catalog *catalog)
{
    for (size_t i = 0; i < catalog->n_tables; i++) {
        if (catalog->tables[i].excluded) {
            return true;
        }
    }
    return false;
}

bool cl_check_unbinds(const struct cl_mask_method *method, const PGresult *links, int row)
{
    return method && strcmp(cl_mask_method_kind(method), "null") == 0 &&
           *PQgetvalue(links, row, CHECK_LINK_FREE) == 't';
}

/* Would the key bind rows that are copied to some that are not? Not if a column is made NULL. */
static bool is_cut(const struct check_plan *plan, const struct cl_catalog *catalog, int first,
                   int next)
{
    const PGresult *r = plan->link_rows;
    const struct cl_table *from = cl_catalog_find(catalog, PQgetvalue(r, first, CHECK_LINK_SCHEMA),
                                                  PQgetvalue(r, first, CHECK_LINK_TABLE));
    const struct cl_table *to = cl_catalog_find(catalog, PQgetvalue(r, first, CHECK_LINK_TO_SCHEMA),
                                                PQgetvalue(r, first, CHECK_LINK_TO_TABLE));
    bool cut = from && to && !from->excluded && to->excluded &&
               *PQgetvalue(r, first, CHECK_LINK_VALID) == 't';
    for (int row = first; cut && row < next; row++) {
        const struct cl_mask_method *method =
            cl_table_method(from, PQgetvalue(r, row, CHECK_LINK_COLUMN), plan->mask);
        cut = !cl_check_unbinds(method, r, row);
    }
    return cut;
}

static char *count_rows(const PGresult *r, int first, int next, PGconn *conn, struct cl_err *err)
{
    struct cl_buf sql;
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_adds(&sql, "SELECT count(*) FROM ONLY ");
    cl_sql_name(&sql, PQgetvalue(r, first, CHECK_LINK_SCHEMA),
                PQgetvalue(r, first, CHECK_LINK_TABLE));
    for (int row = first; row < next; row++) {
        cl_buf_adds(&sql, row == first ? " WHERE " : " AND ");
        cl_sql_ident(&sql, PQgetvalue(r, row, CHECK_LINK_COLUMN));
        cl_buf_adds(&sql, " IS NOT NULL");
    }
    char *count = cl_pg_value(conn, cl_buf_str(&sql), err);
    cl_buf_fini(&sql);
    if (!count) {
        cl_err_context(err, "source: %s.%s", PQgetvalue(r, first, CHECK_LINK_SCHEMA),
                       PQgetvalue(r, first, CHECK_LINK_TABLE));
    }
    return count;
}

bool cl_check_add_key(struct check_plan *plan, const char *kind, int first, int next,
                      uint64_t count, struct cl_err *err)
{
    struct check_key *list = realloc(plan->keys, (plan->n_keys + 1) * sizeof *list);
    if (!list) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    plan->keys = list;
    list[plan->n_keys++] =
        (struct check_key){.kind = kind, .first = first, .next = next, .count = count};
    return true;
}

static bool add(struct check_plan *plan, int first, int next, PGconn *conn, struct cl_err *err)
{
    char *text = count_rows(plan->link_rows, first, next, conn, err);
    bool ok = text != NULL;
    uint64_t count = ok ? strtoull(text, NULL, 10) : 0;
    free(text);
    return ok && (count == 0 || cl_check_add_key(plan, "emptied", first, next, count, err));
}

bool cl_check_emptied(struct check_plan *plan, const struct cl_catalog *catalog, PGconn *conn,
                      struct cl_err *err)
{
    const PGresult *r = plan->link_rows;
    bool ok = true;
    if (!any_excluded(catalog) || plan->run->spec->tables) {
        return true;
    }
    for (int first = 0, next; ok && first < PQntuples(r); first = next) {
        const char *oid = PQgetvalue(r, first, CHECK_LINK_OID);
        for (next = first + 1;
             next < PQntuples(r) && strcmp(PQgetvalue(r, next, CHECK_LINK_OID), oid) == 0; next++) {
            /* of the same key */
        }
        ok = !is_cut(plan, catalog, first, next) || add(plan, first, next, conn, err);
    }
    return ok;
}
