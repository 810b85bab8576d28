/* How tables were cut, kept among the marks of a target. */
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "pg/session.h"

/* A "cut" for each part of a table that has several; one "cuts" says that all are there. */
static const char cut_kind[] = "cut";
static const char cuts_kind[] = "cuts";

bool cl_marks_put_cuts(const struct cl_marks *marks, PGconn *conn, const struct cl_table *tables,
                       const struct cl_parts *parts, struct cl_err *err)
{
    const struct cl_mark all = {.kind = cuts_kind, .name = ""};
    struct cl_buf name;
    if (!marks->used) {
        return true;
    }
    cl_buf_init(&name, CL_MARK_NAME_MAX);
    bool ok = marks->in_ledger || cl_pg_exec(conn, "BEGIN", err);
    for (size_t i = 0; ok && i < parts->n; i++) {
        const struct cl_part *part = &parts->part[i];
        if (part->where) {
            const struct cl_table *table = &tables[part->table];
            cl_buf_reset(&name);
            cl_sql_name(&name, table->schema, table->name);
            const struct cl_mark cut = {.kind = cut_kind,
                                        .name = cl_buf_str(&name),
                                        .number = part->number,
                                        .bytes = part->bytes,
                                        .note = part->where};
            ok = cl_marks_put(marks, conn, &cut, err);
        }
    }
    cl_buf_fini(&name);
    return ok && cl_marks_put(marks, conn, &all, err) &&
           (marks->in_ledger || cl_pg_exec(conn, "COMMIT", err));
}

static bool add(struct cl_parts *parts, const struct cl_part *part, const char *where,
                struct cl_err *err)
{
    struct cl_part copy = *part;
    copy.where = where ? strdup(where) : NULL;
    if (where && !copy.where) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    if (!cl_parts_add(parts, &copy, err)) {
        free(copy.where);
        return false;
    }
    return true;
}

static bool add_table(const struct cl_marks *marks, const struct cl_table *table, size_t index,
                      struct cl_parts *parts, struct cl_err *err)
{
    struct cl_buf name;
    cl_buf_init(&name, CL_MARK_NAME_MAX);
    cl_sql_name(&name, table->schema, table->name);
    struct cl_mark cut = {.kind = cut_kind, .name = cl_buf_str(&name)};
    unsigned of = 0;
    while (cl_marks_done(marks, &cut)) {
        cut.number = ++of;
    }
    /* a table that was not cut, or had no page then: all of what the snapshot sees */
    struct cl_part part = {.table = index, .of = of > 0 ? of : 1, .bytes = table->bytes};
    bool ok = of > 0 || add(parts, &part, NULL, err);
    for (cut.number = 0; ok && cut.number < (int64_t)of; cut.number++) {
        ok = cl_marks_done(marks, &cut);
        part.number = (unsigned)cut.number;
        part.bytes = cut.bytes;
        ok = ok && add(parts, &part, cut.note, err);
    }
    cl_buf_fini(&name);
    return ok;
}

bool cl_marks_get_cuts(const struct cl_marks *marks, const struct cl_table *tables, size_t n_tables,
                       struct cl_parts *parts, bool *known, struct cl_err *err)
{
    struct cl_mark all = {.kind = cuts_kind, .name = ""};
    *known = cl_marks_done(marks, &all);
    for (size_t i = 0; *known && i < n_tables; i++) {
        if (!tables[i].excluded && !add_table(marks, &tables[i], i, parts, err)) {
            return false;
        }
    }
    return true;
}
