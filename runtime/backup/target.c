#include "target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "crew.h"

enum { SQL_BYTES_MAX = 4096 };

/* Notices would look like complaints in the middle of a COPY (pipe.c), and nobody reads them. */
static bool quiet(PGconn *conn, struct cl_err *err)
{
    return cl_pg_exec(conn, "SET client_min_messages = error", err);
}

bool cl_target_join(struct cl_link *link, struct cl_run *run, struct cl_err *err)
{
    static const struct cl_pg_options options = {.fast_commit = true,
                                                 .application = "cloner writer"};
    if (!cl_link_open(link, run->watch, run->spec->target, &options, err) ||
        !quiet(link->conn, err)) {
        return cl_err_context(err, "target");
    }
    return true;
}

bool cl_target_open(struct cl_target *target, struct cl_run *run, const struct cl_identity *source,
                    struct cl_err *err)
{
    if (!cl_target_join(&target->link, run, err)) {
        return false;
    }
    PGconn *conn = target->link.conn;
    return cl_identity_read(&target->identity, conn, err) &&
           cl_identity_differ(source, &target->identity, err) &&
           cl_catalog_empty(conn, &target->identity, err);
}

void cl_target_close(struct cl_target *target)
{
    cl_link_close(&target->link);
}

void cl_target_warn_logins(struct cl_run *run, size_t logins)
{
    if (logins > 0) {
        cl_run_warn(run,
                    "%zu user mapping(s) of foreign servers were left behind: the copy cannot "
                    "sign in there",
                    logins);
    }
}

static bool named_command(PGconn *conn, const char *command, const char *schema, const char *name,
                          struct cl_err *err)
{
    struct cl_buf sql;
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_adds(&sql, command);
    cl_sql_name(&sql, schema, name);
    bool ok = cl_pg_exec(conn, cl_buf_str(&sql), err);
    cl_buf_fini(&sql);
    return ok || cl_err_context(err, "%s.%s", schema, name);
}

bool cl_target_load(struct cl_run *run, PGconn *conn, struct cl_source *source,
                    const struct cl_table *table, enum cl_copy_format format, uint64_t share,
                    uint64_t expect, struct cl_checksum *sum, struct cl_err *err)
{
    struct cl_pg_sink sink;
    /* An extension's own rows stand in its configuration tables already; those are added to. */
    bool freeze = table->condition == NULL;
    if (!cl_pg_exec(conn, "BEGIN", err) ||
        (freeze && !named_command(conn, "TRUNCATE TABLE ONLY ", table->schema, table->name, err)) ||
        !cl_pg_sink_open(&sink, conn, table, format, freeze, err) ||
        !cl_run_part(run, source, &sink.base, table, format, share, expect, sum, err)) {
        return false;
    }
    return cl_pg_exec(conn, "COMMIT", err) || cl_run_blame(table, err);
}

static bool set_sequence(PGconn *conn, const struct cl_sequence *sequence, struct cl_err *err)
{
    struct cl_buf name;
    char value[24];
    cl_buf_init(&name, SQL_BYTES_MAX);
    cl_sql_name(&name, sequence->schema, sequence->name);
    snprintf(value, sizeof value, "%" PRId64, sequence->last_value);
    const char *params[] = {cl_buf_str(&name), value, sequence->is_called ? "t" : "f"};
    PGresult *r =
        cl_pg_query(conn, "SELECT setval($1::regclass, $2::bigint, $3::boolean)", 3, params, err);
    cl_buf_fini(&name);
    PQclear(r);
    return r || cl_err_context(err, "sequence %s.%s", sequence->schema, sequence->name);
}

struct analyst {
    struct cl_run *run;     /* borrowed */
    const PGresult *tables; /* of analyze.sql */
    struct cl_link link;    /* the worker's own */
};

static void *hire_analyst(void *arg, struct cl_err *err)
{
    const struct analyst *model = arg;
    struct analyst *analyst = calloc(1, sizeof *analyst);
    if (!analyst) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    *analyst = *model;
    if (!cl_target_join(&analyst->link, analyst->run, err)) {
        cl_link_close(&analyst->link);
        free(analyst);
        return NULL;
    }
    return analyst;
}

static bool analyze_one(void *worker, size_t item, struct cl_err *err)
{
    struct analyst *analyst = worker;
    return named_command(analyst->link.conn, "ANALYZE ", PQgetvalue(analyst->tables, (int)item, 0),
                         PQgetvalue(analyst->tables, (int)item, 1), err);
}

static void dismiss_analyst(void *worker)
{
    struct analyst *analyst = worker;
    cl_link_close(&analyst->link);
    free(analyst);
}

static bool analyze(struct cl_target *target, struct cl_run *run, struct cl_err *err)
{
    PGresult *tables = cl_pg_query(target->link.conn,
                                   cl_embedded("runtime/backup/analyze.sql")->data, 0, NULL, err);
    if (!tables) {
        return false;
    }
    struct analyst model = {.run = run, .tables = tables};
    struct cl_crew crew = {.n_items = (size_t)PQntuples(tables),
                           .jobs = run->jobs,
                           .arg = &model,
                           .hire = hire_analyst,
                           .work = analyze_one,
                           .dismiss = dismiss_analyst};
    bool ok = cl_crew_run(run->watch, &crew, err);
    PQclear(tables);
    return ok;
}

bool cl_target_finish(struct cl_target *target, struct cl_run *run, const struct cl_finish *finish,
                      struct cl_err *err)
{
    PGconn *conn = target->link.conn;
    cl_work_phase(run->work, "indexes");
    for (size_t i = 0; i < finish->n_sequences; i++) {
        if (!set_sequence(conn, &finish->sequences[i], err)) {
            return false;
        }
    }
    if (!cl_schema_restore(finish->tools, run->watch, run->spec->target, CL_SECTION_POST_DATA,
                           run->jobs, finish->schema_file, NULL, err)) {
        return false;
    }
    cl_work_phase(run->work, "views");
    for (size_t i = 0; i < finish->n_matviews; i++) {
        if (!cl_watch_check(run->watch, err) ||
            !named_command(conn, "REFRESH MATERIALIZED VIEW ", finish->matviews[2 * i],
                           finish->matviews[2 * i + 1], err)) {
            return false;
        }
    }
    cl_work_phase(run->work, "statistics");
    return analyze(target, run, err);
}
