/* Addresses in the schema itself: named one by one, since a mask of rows does not reach them. */
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "pg/session.h"
#include "scan_private.h"

/* Columns of scan_definitions.sql */
enum { D_KIND, D_OBJECT, D_TEXT };

/* Moves what was counted in one text to the plan. */
static bool add_places(struct scan_plan *plan, struct scan_column *found, const char *kind,
                       const char *object)
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
                                           .object = strdup(object),
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
        struct scan_column found = {0};
        if (cl_mask_find(mask, NULL, CL_CARRIER_TEXT, PQgetvalue(r, row, D_TEXT),
                         (size_t)PQgetlength(r, row, D_TEXT), cl_scan_count, &found) > 0) {
            ok = add_places(plan, &found, PQgetvalue(r, row, D_KIND),
                            PQgetvalue(r, row, D_OBJECT)) ||
                 cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
        cl_scan_column_fini(&found);
    }
    PQclear(r);
    return ok;
}
