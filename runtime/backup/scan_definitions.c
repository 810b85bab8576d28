/* Addresses in the schema itself: named one by one, since a mask of rows does not reach them. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/embed.h"
#include "pg/session.h"
#include "scan_private.h"

enum { NAME_BYTES_MAX = 64 * 1024 }; /* of an object, with the types of its arguments */

/* Columns of scan_definitions.sql */
enum { D_KIND, D_OBJECT, D_TEXT };

/* A name with the addresses in it masked, to free(); NULL when out of memory. */
static char *mask_name(const struct cl_mask *mask, const char *name)
{
    struct cl_buf out;
    struct cl_mask_tally tally = {0};
    struct cl_err err;
    bool changed;
    cl_buf_init(&out, NAME_BYTES_MAX);
    bool ok = cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, name, strlen(name), 0, &out, &changed,
                            &tally, &err);
    char *masked = ok ? strdup(cl_buf_str(&out)) : NULL;
    cl_buf_fini(&out);
    return masked;
}

/* Moves what was counted in one text to the plan. Objects may have addresses for names. */
static bool add_places(struct scan_plan *plan, struct scan_column *found, const char *kind,
                       const char *object, const struct cl_mask *mask)
{
    size_t n = plan->n_in_schema + found->n_places;
    struct cl_scan_definition *list = realloc(plan->in_schema, n * sizeof *list);
    if (!list || found->failed) {
        plan->in_schema = list ? list : plan->in_schema;
        return false;
    }
    plan->in_schema = list;
    for (size_t i = 0; i < found->slots; i++) {
        struct cl_scan_place *place = &found->places[i];
        if (!place->domain) {
            continue;
        }
        struct cl_scan_definition *one = &list[plan->n_in_schema++];
        *one = (struct cl_scan_definition){.kind = strdup(kind),
                                           .object = mask_name(mask, object),
                                           .domain = place->domain,
                                           .sample = place->sample,
                                           .count = place->count};
        place->domain = NULL;
        place->sample = NULL;
        if (!one->kind || !one->object) {
            return false;
        }
    }
    return true;
}

static bool search(struct scan_plan *plan, const PGresult *r, int row, const struct cl_mask *mask)
{
    const char *kind = PQgetvalue(r, row, D_KIND), *object = PQgetvalue(r, row, D_OBJECT);
    struct scan_column found = {0};
    if (PQgetisnull(r, row, D_TEXT)) {
        char *name = mask_name(mask, object);
        bool ok = name && cl_scan_add_gap(plan, kind, name);
        free(name);
        return ok;
    }
    bool ok = cl_mask_find(mask, NULL, CL_CARRIER_NESTED, PQgetvalue(r, row, D_TEXT),
                           (size_t)PQgetlength(r, row, D_TEXT), cl_scan_count, &found) == 0 ||
              add_places(plan, &found, kind, object, mask);
    cl_scan_column_fini(&found);
    return ok;
}

bool cl_scan_definitions(struct scan_plan *plan, PGconn *conn, const struct cl_mask *mask,
                         struct cl_err *err)
{
    const struct cl_embedded *sql = cl_embedded("runtime/backup/scan_definitions.sql");
    PGresult *r = cl_pg_query(conn, sql->data, 0, NULL, err);
    if (!r) {
        return false;
    }
    bool ok = true;
    plan->definitions = (uint64_t)PQntuples(r);
    for (int row = 0; ok && row < PQntuples(r); row++) {
        ok = search(plan, r, row, mask) || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    PQclear(r);
    return ok;
}

void cl_scan_definitions_free(struct cl_scan_definition *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].kind);
        free(list[i].object);
        free(list[i].domain);
        free(list[i].sample);
    }
    free(list);
}
