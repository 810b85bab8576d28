#include "target.h"

static const char writer[] = "cloner writer"; /* application_name of all sessions in a target */

/* Notices would look like complaints in the middle of a COPY (pipe.c), and nobody reads them. */
static bool quiet(PGconn *conn, struct cl_err *err)
{
    return cl_pg_exec(conn, "SET client_min_messages = error", err);
}

bool cl_target_join(struct cl_link *link, struct cl_run *run, struct cl_err *err)
{
    static const struct cl_pg_options options = {.fast_commit = true, .application = writer};
    if (!cl_link_open(link, run->watch, run->spec->target, &options, err) ||
        !quiet(link->conn, err) ||
        (run->replica && !cl_pg_exec(link->conn, "SET session_replication_role = replica", err))) {
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
    const char *name = target->identity.database;
    struct cl_copy copy = {.key = run->spec->resume,
                           .options = run->options,
                           .token = run->token,
                           .source = source,
                           .lost = run->hold.holding.before};
    return cl_identity_read(&target->identity, conn, err) &&
           cl_identity_differ(source, &target->identity, err) && cl_marks_claim(conn, name, err) &&
           cl_marks_open(&run->marks, conn, &copy, name, writer, err) &&
           (run->marks.resumed || run->spec->data_only ||
            (cl_catalog_empty(conn, &target->identity, err) &&
             cl_marks_make(&run->marks, conn, &copy, err)));
}

void cl_target_close(struct cl_target *target)
{
    cl_script_fini(&target->before);
    cl_script_fini(&target->rest);
    cl_link_close(&target->link);
}

/* Rows and mark are there together or not at all. */
static bool load(struct cl_run *run, PGconn *conn, struct cl_source *source,
                 const struct cl_table *table, const struct cl_part *part, struct cl_mark *mark,
                 struct cl_err *err)
{
    struct cl_pg_sink sink;
    /* An extension's own rows stand in its configuration tables already; those are added to. What
     * fits into a page is not worth a new file. */
    bool fresh = table->condition == NULL && part->number == 0 && !part->small;
    struct cl_table into = *table;
    if (cl_table_reroutes(table, run->spec->mask != NULL)) {
        into.schema = table->root_schema; /* as pg_dump --load-via-partition-root */
        into.name = table->root_name;
        fresh = false; /* rows of other partitions may stand there */
    }
    if (!cl_pg_sink_open(&sink, conn, &into, table->format, fresh, err) ||
        !cl_run_part(run, source, &sink.base, table, part, mark, err)) {
        return false;
    }
    return ((!table->after || cl_pg_exec(conn, table->after, err)) &&
            cl_marks_put(&run->marks, conn, mark, err) && cl_pg_exec(conn, "COMMIT", err)) ||
           cl_err_context(err, "target: %s.%s", table->schema, table->name);
}

/* The names are the mark's for the time of the call. */
static void begin_mark(struct cl_mark *mark, struct cl_buf *name, const struct cl_table *table,
                       const struct cl_part *part)
{
    cl_buf_init(name, CL_MARK_NAME_MAX);
    cl_sql_name(name, table->schema, table->name);
    *mark = (struct cl_mark){.kind = "part", .name = cl_buf_str(name), .number = part->number};
}

bool cl_target_load(struct cl_run *run, PGconn *conn, struct cl_source *source,
                    const struct cl_table *table, const struct cl_part *part,
                    struct cl_checksum *sum, struct cl_err *err)
{
    struct cl_buf name;
    struct cl_mark mark;
    begin_mark(&mark, &name, table, part);
    bool ok = load(run, conn, source, table, part, &mark, err);
    *sum = mark.sum;
    cl_buf_fini(&name);
    return ok;
}

bool cl_target_loaded(struct cl_run *run, const struct cl_table *table, const struct cl_part *part,
                      struct cl_checksum *sum)
{
    struct cl_buf name;
    struct cl_mark mark;
    begin_mark(&mark, &name, table, part);
    bool done = cl_marks_done(&run->marks, &mark);
    if (done) {
        cl_run_skip_part(run, &mark, part->bytes);
    }
    *sum = mark.sum;
    cl_buf_fini(&name);
    return done;
}
