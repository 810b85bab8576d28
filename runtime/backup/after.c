#include "after.h"

#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "pg/session.h"

/* Of the objects, in every PostgreSQL. */
enum { PG_CLASS = 1259, PG_CONSTRAINT = 2606 };

/* Columns of indexes.sql and foreign_keys.sql. */
enum { I_OID, I_CONSTRAINT, I_SCHEMA, I_TABLE, I_NAME, I_BYTES, I_CREATE, I_AFTER, I_TABLESPACE };
enum { K_OID, K_SCHEMA, K_TABLE, K_NAME, K_CREATE, K_VALID };

static int by_object(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;
    if (x[0] != y[0]) {
        return x[0] < y[0] ? -1 : 1;
    }
    return x[1] < y[1] ? -1 : x[1] > y[1];
}

bool cl_after_sort(struct cl_after *after, struct cl_err *err)
{
    size_t n = 0;
    after->objects = calloc(after->n_indexes + after->n_foreign_keys + 1, sizeof *after->objects);
    if (!after->objects) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < after->n_indexes; i++) {
        const struct cl_index *index = &after->indexes[i];
        bool constraint = index->constraint_oid != 0; /* the dump knows it by that */
        after->objects[n][0] = constraint ? PG_CONSTRAINT : PG_CLASS;
        after->objects[n++][1] = constraint ? index->constraint_oid : index->oid;
    }
    for (size_t i = 0; i < after->n_foreign_keys; i++) {
        after->objects[n][0] = PG_CONSTRAINT;
        after->objects[n++][1] = after->foreign_keys[i].oid;
    }
    after->n_objects = n;
    qsort(after->objects, n, sizeof *after->objects, by_object);
    return true;
}

bool cl_after_makes(const struct cl_after *after, uint32_t class_oid, uint32_t oid)
{
    const uint32_t key[2] = {class_oid, oid};
    return class_oid != 0 && bsearch(key, after->objects, after->n_objects, sizeof key, by_object);
}

static uint32_t oid_at(const PGresult *r, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(r, row, column), NULL, 10);
}

bool cl_after_load(struct cl_after *after, PGconn *conn, struct cl_err *err)
{
    const char *indexes = cl_embedded("runtime/backup/indexes.sql")->data;
    const char *keys = cl_embedded("runtime/backup/foreign_keys.sql")->data;
    after->index_rows = cl_pg_query(conn, indexes, 0, NULL, err);
    after->key_rows = after->index_rows ? cl_pg_query(conn, keys, 0, NULL, err) : NULL;
    if (!after->key_rows) {
        return false;
    }
    PGresult *r = after->index_rows;
    size_t n_indexes = (size_t)PQntuples(r);
    size_t n_keys = (size_t)PQntuples(after->key_rows);
    after->indexes = calloc(n_indexes + 1, sizeof *after->indexes);
    after->foreign_keys = calloc(n_keys + 1, sizeof *after->foreign_keys);
    if (!after->indexes || !after->foreign_keys) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (int i = 0; i < (int)n_indexes; i++) {
        after->indexes[i] = (struct cl_index){.oid = oid_at(r, i, I_OID),
                                              .constraint_oid = oid_at(r, i, I_CONSTRAINT),
                                              .schema = PQgetvalue(r, i, I_SCHEMA),
                                              .table = PQgetvalue(r, i, I_TABLE),
                                              .name = PQgetvalue(r, i, I_NAME),
                                              .create = PQgetvalue(r, i, I_CREATE),
                                              .after = PQgetvalue(r, i, I_AFTER),
                                              .tablespace = PQgetvalue(r, i, I_TABLESPACE)};
    }
    after->n_indexes = n_indexes;
    r = after->key_rows;
    for (int i = 0; i < (int)n_keys; i++) {
        after->foreign_keys[i] =
            (struct cl_foreign_key){.oid = oid_at(r, i, K_OID),
                                    .schema = PQgetvalue(r, i, K_SCHEMA),
                                    .table = PQgetvalue(r, i, K_TABLE),
                                    .name = PQgetvalue(r, i, K_NAME),
                                    .create = PQgetvalue(r, i, K_CREATE),
                                    .valid = *PQgetvalue(r, i, K_VALID) == 't'};
    }
    after->n_foreign_keys = n_keys;
    return cl_after_sort(after, err);
}

void cl_after_fini(struct cl_after *after)
{
    free(after->indexes);
    free(after->foreign_keys);
    free(after->objects);
    PQclear(after->index_rows);
    PQclear(after->key_rows);
    memset(after, 0, sizeof *after);
}
