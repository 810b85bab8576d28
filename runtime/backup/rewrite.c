/*
 * source -> a copy of its files: only the tables that are named are emptied, and filled from the
 * source through the mask; each large object gives way to the source's, masked; comments and
 * defaults are masked in place. Everything else of the copy stays as it is.
 */
#include <string.h>

#include "after.h"
#include "base/embed.h"
#include "defaults.h"
#include "run.h"
#include "stream.h"
#include "target.h"

enum { SQL_BYTES_MAX = 1024 * 1024, DEFINITION_BYTES_MAX = 0x40000000 };

/* Columns of rewrite.sql */
enum { S_PHASE, S_STATEMENT };

/* Columns of rewrite_definitions.sql */
enum { D_STATEMENT, D_TEXT };

static bool is_named(const struct cl_backup_spec *spec, const struct cl_table *table)
{
    size_t n = strlen(table->schema);
    for (size_t i = 0; i < spec->n_tables; i++) {
        const char *name = spec->tables[i];
        if (strncmp(name, table->schema, n) == 0 && name[n] == '.' &&
            strcmp(name + n + 1, table->name) == 0) {
            return true;
        }
    }
    return false;
}

/* Keeps the tables that are named, and those that are to be empty. */
static bool choose(struct cl_run *run, struct cl_catalog *catalog, struct cl_err *err)
{
    size_t n = 0;
    size_t named = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < catalog->n_tables; i++) {
        const struct cl_table *table = &catalog->tables[i];
        bool chosen = is_named(run->spec, table);
        named += chosen;
        if (chosen && table->condition) {
            return cl_fail(err, CL_INVALID, "E_TABLE", "%s.%s belongs to an extension",
                           table->schema, table->name);
        }
        if (chosen || table->excluded) {
            total += table->excluded ? 0 : table->bytes;
            catalog->tables[n++] = *table;
        }
    }
    catalog->n_tables = n;
    atomic_store(&run->progress->total, total);
    return named == run->spec->n_tables ||
           cl_fail(err, CL_NOT_FOUND, "E_TABLE", "%zu of the %zu tables named are not there",
                   run->spec->n_tables - named, run->spec->n_tables);
}

static void add_element(struct cl_buf *b, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            cl_buf_addc(b, '\\');
        }
        cl_buf_addc(b, *text);
    }
}

/* The statements around the rows of the chosen tables; NULL with *err. */
static PGresult *read_statements(PGconn *conn, const struct cl_catalog *catalog, struct cl_err *err)
{
    struct cl_buf list;
    cl_buf_init(&list, SQL_BYTES_MAX);
    cl_buf_addc(&list, '{');
    for (size_t i = 0; i < catalog->n_tables; i++) {
        cl_buf_adds(&list, i > 0 ? ",\"" : "\"");
        add_element(&list, catalog->tables[i].schema);
        cl_buf_addc(&list, '.');
        add_element(&list, catalog->tables[i].name);
        cl_buf_addc(&list, '"');
    }
    cl_buf_addc(&list, '}');
    const char *params[] = {cl_buf_str(&list)};
    PGresult *r = list.failed ? NULL
                              : cl_pg_query(conn, cl_embedded("runtime/backup/rewrite.sql")->data,
                                            1, params, err);
    if (list.failed) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    cl_buf_fini(&list);
    return r;
}

static bool run_statements(struct cl_run *run, PGconn *conn, const PGresult *statements,
                           const char *phase, struct cl_err *err)
{
    for (int i = 0; i < PQntuples(statements); i++) {
        const char *sql = PQgetvalue(statements, i, S_STATEMENT);
        if (strcmp(PQgetvalue(statements, i, S_PHASE), phase) == 0 &&
            (!cl_watch_check(run->watch, err) || !cl_pg_exec(conn, sql, err))) {
            return cl_err_context(err, "target");
        }
    }
    return true;
}

/* They hold what the tables held. */
static bool refresh(struct cl_run *run, PGconn *conn, const PGresult *views, struct cl_err *err)
{
    bool ok = true;
    for (int i = 0; ok && i < PQntuples(views); i++) {
        struct cl_buf sql;
        cl_buf_init(&sql, SQL_BYTES_MAX);
        cl_buf_adds(&sql, "REFRESH MATERIALIZED VIEW ");
        cl_sql_name(&sql, PQgetvalue(views, i, 0), PQgetvalue(views, i, 1));
        ok = cl_watch_check(run->watch, err) && cl_pg_exec(conn, cl_buf_str(&sql), err);
        ok = ok || cl_err_context(err, "materialised view %s.%s", PQgetvalue(views, i, 0),
                                  PQgetvalue(views, i, 1));
        cl_buf_fini(&sql);
    }
    return ok;
}

/* One definition, masked, set again if that made a difference. */
static bool mask_definition(struct cl_run *run, PGconn *conn, const PGresult *r, int row,
                            struct cl_mask_tally *tally, struct cl_err *err)
{
    const struct cl_mask *mask = run->spec->mask;
    const char *statement = PQgetvalue(r, row, D_STATEMENT), *text = PQgetvalue(r, row, D_TEXT);
    bool has_text = !PQgetisnull(r, row, D_TEXT), changed = false;
    struct cl_buf masked;
    cl_buf_init(&masked, DEFINITION_BYTES_MAX);
    bool ok =
        cl_watch_check(run->watch, err) &&
        (has_text ? cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, text, strlen(text), 0, &masked,
                                  &changed, tally, err)
                  : cl_defaults_mask("TABLE ", statement, mask, &masked, &changed, tally, err));
    if (ok && changed) {
        const char *params[] = {cl_buf_str(&masked)};
        PGresult *done =
            cl_pg_query(conn, has_text ? statement : *params, has_text ? 1 : 0, params, err);
        ok = done != NULL;
        PQclear(done);
    }
    cl_buf_fini(&masked);
    return ok;
}

/* Comments and defaults came with the files, too. */
static bool mask_definitions(struct cl_run *run, PGconn *conn, struct cl_err *err)
{
    const char *sql = cl_embedded("runtime/backup/rewrite_definitions.sql")->data;
    struct cl_mask_tally tally = {0};
    if (!run->spec->mask) {
        return true;
    }
    PGresult *r = cl_pg_query(conn, sql, 0, NULL, err);
    bool ok = r != NULL;
    for (int row = 0; ok && row < PQntuples(r); row++) {
        ok = mask_definition(run, conn, r, row, &tally, err);
    }
    PQclear(r);
    run->summary->tally.masked += tally.masked;
    run->summary->tally.shortened += tally.shortened;
    return ok || cl_err_context(err, "target");
}

/* They came with the files. */
static bool allowed(const struct cl_backup_spec *spec, struct cl_err *err)
{
    return !(spec->leave & CL_LEAVE_LARGE_OBJECTS) ||
           cl_fail(err, CL_INVALID, "E_OPTION",
                   "a copy of the source's files has its large objects: leave cannot name them");
}

bool cl_backup_rewrite(struct cl_job *job, const struct cl_backup_spec *spec,
                       struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_keeper keeper = {0};
    struct cl_link target = {0};
    struct cl_identity identity = {0};
    struct cl_catalog catalog = {0};
    struct cl_after none = {0}; /* indexes are there */
    struct cl_proof proof = {0};
    PGresult *statements = NULL;
    bool ok = cl_run_begin(&run, job, spec, summary, err) && allowed(spec, err) &&
              cl_run_open_source(&run, &keeper, err) && cl_target_join(&target, &run, err) &&
              cl_identity_read(&identity, target.conn, err) &&
              cl_identity_differ(&keeper.identity, &identity, err) &&
              cl_run_read_source(&run, &keeper, &catalog, err) && choose(&run, &catalog, err);
    if (ok) {
        run.rewrites = true;
        statements = read_statements(target.conn, &catalog, err);
        ok = statements && run_statements(&run, target.conn, statements, "before", err) &&
             cl_stream_rows(&run, &keeper, target.conn, &catalog, &none, &proof, true, err);
    }
    cl_run_release(&run);
    cl_keeper_close(&keeper); /* the source is not needed any more */
    ok = ok && refresh(&run, target.conn, catalog.matviews, err) &&
         run_statements(&run, target.conn, statements, "after", err) &&
         mask_definitions(&run, target.conn, err) &&
         run_statements(&run, target.conn, statements, "last", err) &&
         cl_proof_check(&proof, &run, err);
    PQclear(statements);
    cl_proof_end(&proof);
    cl_link_close(&target);
    cl_catalog_fini(&catalog);
    return cl_run_end(&run, ok, err);
}
