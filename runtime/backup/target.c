#include "target.h"

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
    cl_script_fini(&target->before);
    cl_link_close(&target->link);
}

bool cl_target_load(struct cl_run *run, PGconn *conn, struct cl_source *source,
                    const struct cl_table *table, const struct cl_part *part,
                    struct cl_checksum *sum, struct cl_err *err)
{
    struct cl_pg_sink sink;
    /* An extension's own rows stand in its configuration tables already; those are added to. What
     * fits into a page is not worth a new file. */
    bool fresh = table->condition == NULL && part->number == 0 && !part->small;
    if (!cl_pg_sink_open(&sink, conn, table, table->format, fresh, err) ||
        !cl_run_part(run, source, &sink.base, table, part, sum, err)) {
        return false;
    }
    return cl_pg_exec(conn, "COMMIT", err) || cl_run_blame(table, err);
}
