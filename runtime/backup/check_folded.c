/* Keys that lead to a row that is written in another way, such as in another case: the mask must
 * make the same of both, and a hash in it tells them apart. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "check_private.h"

enum { VALUE_BYTES_MAX = 1024 * 1024 }; /* of a key */

/* A column, as the mask sees it. */
struct side {
    const struct cl_mask_column *keep; /* NULL: nothing */
    const struct cl_type_class *class; /* of its type */
    struct cl_mask_worker *worker;     /* of its method; NULL: it is swept */
    struct cl_buf made;                /* of the value at hand */
};

static bool open_side(struct side *side, const struct cl_table *table, const char *name,
                      const struct cl_mask *mask, struct cl_err *err)
{
    const struct cl_mask_method *method = cl_table_method(table, name, mask);
    for (size_t i = 0; i < table->n_columns; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            side->class = &table->columns[i].class;
        }
    }
    side->keep = cl_mask_column(mask, table->schema, table->name, name);
    cl_buf_init(&side->made, VALUE_BYTES_MAX);
    side->worker = method ? cl_mask_worker_open(method, err) : NULL;
    return side->worker || !method;
}

static void close_side(struct side *side)
{
    cl_mask_worker_close(side->worker);
    cl_buf_fini(&side->made);
}

/* What becomes of the value; *none when nothing does that could refer to something: it does not
 * fit, or is not what a method takes, which is told of elsewhere. */
static bool make(struct side *side, const struct cl_mask *mask, const char *s, bool *none,
                 struct cl_err *err)
{
    struct cl_mask_tally tally = {0};
    struct cl_mask_value value = cl_type_value(side->class, s, strlen(s));
    bool changed;
    cl_buf_reset(&side->made);
    *none = false;
    bool ok = side->worker
                  ? cl_mask_method_apply(mask, side->worker, side->keep, &value, &side->made, none,
                                         &tally, err)
                  : cl_mask_apply(mask, side->keep, side->class->carrier, value.in, value.n,
                                  side->class->max_chars, &side->made, &changed, &tally, err);
    *none = *none || (!ok && err->class == CL_INVALID);
    return ok || *none;
}

/* Are the two still one key? ASCII alone in another case is, or it was none before. */
static bool still_equal(const struct side *a, const struct side *b, const char *question,
                        PGconn *conn, bool *equal, struct cl_err *err)
{
    const char *params[] = {cl_buf_str(&a->made), cl_buf_str(&b->made)};
    *equal = strcasecmp(params[0], params[1]) == 0;
    if (*equal) {
        return true;
    }
    PGresult *r = cl_pg_query(conn, question, 2, params, err);
    *equal = r && *PQgetvalue(r, 0, 0) == 't';
    PQclear(r);
    return r != NULL;
}

static bool count_pairs(const struct check_plan *plan, const PGresult *pairs, struct side *from,
                        struct side *to, const char *question, PGconn *conn, uint64_t *count,
                        struct cl_err *err)
{
    bool ok = true;
    for (int i = 0; ok && i < PQntuples(pairs); i++) {
        bool none, nowhere, equal = true;
        ok = make(from, plan->mask, PQgetvalue(pairs, i, 0), &none, err) &&
             make(to, plan->mask, PQgetvalue(pairs, i, 1), &nowhere, err) &&
             (none || nowhere || still_equal(from, to, question, conn, &equal, err));
        *count += ok && !equal;
    }
    return ok;
}

static bool look_at(struct check_plan *plan, const struct cl_table *from, const struct cl_table *to,
                    int row, PGconn *conn, struct cl_err *err)
{
    const PGresult *r = plan->link_rows;
    const char *question = PQgetvalue(r, row, CHECK_LINK_EQUAL);
    struct side a = {0}, b = {0};
    uint64_t count = 0;
    PGresult *pairs = cl_pg_query(conn, PQgetvalue(r, row, CHECK_LINK_PAIRS), 0, NULL, err);
    bool ok = pairs != NULL &&
              open_side(&a, from, PQgetvalue(r, row, CHECK_LINK_COLUMN), plan->mask, err) &&
              open_side(&b, to, PQgetvalue(r, row, CHECK_LINK_TO_COLUMN), plan->mask, err);
    if (ok && a.class && b.class) {
        ok = count_pairs(plan, pairs, &a, &b, question, conn, &count, err);
    }
    close_side(&a);
    close_side(&b);
    PQclear(pairs);
    if (!ok) {
        return cl_err_context(err, "source: %s.%s", from->schema, from->name);
    }
    return count == 0 || cl_check_add_key(plan, "folded", row, row + 1, count, err);
}

bool cl_check_folded(struct check_plan *plan, const struct cl_catalog *catalog, PGconn *conn,
                     struct cl_err *err)
{
    const PGresult *r = plan->link_rows;
    bool ok = true;
    for (int row = 0; ok && row < PQntuples(r); row++) {
        if (PQgetisnull(r, row, CHECK_LINK_PAIRS) || *PQgetvalue(r, row, CHECK_LINK_VALID) != 't') {
            continue;
        }
        const struct cl_table *from = cl_catalog_find(
            catalog, PQgetvalue(r, row, CHECK_LINK_SCHEMA), PQgetvalue(r, row, CHECK_LINK_TABLE));
        const struct cl_table *to =
            cl_catalog_find(catalog, PQgetvalue(r, row, CHECK_LINK_TO_SCHEMA),
                            PQgetvalue(r, row, CHECK_LINK_TO_TABLE));
        if (from && to && !from->excluded && !to->excluded && !plan->run->spec->tables) {
            ok = look_at(plan, from, to, row, conn, err);
        }
    }
    return ok;
}
