#include "keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
    SERVER_LEAST = 120000,        /* version 12: attgenerated */
    LOCK_BYTES_MAX = 1024 * 1024, /* one LOCK TABLE statement */
    LOCK_TABLES_MAX = 200,        /* in one statement */
    WIDE_BYTES = 4 * 1024 * 1024, /* a row above leaves too much memory behind */
};

static bool begin(PGconn *conn, struct cl_err *err)
{
    /* row_security off: a policy that would hide rows is an error, never a silent loss */
    return cl_pg_exec(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) &&
           cl_pg_exec(conn, "SET LOCAL row_security = off", err);
}

bool cl_keeper_open(struct cl_keeper *keeper, struct cl_watch *watch, const char *side,
                    const char *conninfo, struct cl_err *err)
{
    static const struct cl_pg_options options = {.readonly = true, .application = "cloner keeper"};
    if (!cl_link_open(&keeper->link, watch, conninfo, &options, err)) {
        return cl_err_context(err, "%s", side);
    }
    return cl_keeper_take(keeper, side, err);
}

bool cl_keeper_take(struct cl_keeper *keeper, const char *side, struct cl_err *err)
{
    PGconn *conn = keeper->link.conn;
    if (!begin(conn, err) || !cl_identity_read(&keeper->identity, conn, err)) {
        return cl_err_context(err, "%s", side);
    }
    if (keeper->identity.number < SERVER_LEAST) {
        return cl_fail(err, CL_INVALID, "E_SERVER_TOO_OLD",
                       "the %s runs PostgreSQL %s; 12 is the oldest this can work with", side,
                       keeper->identity.version);
    }
    char *snapshot = cl_pg_value(conn, "SELECT pg_export_snapshot()", err);
    if (!snapshot) {
        return cl_err_context(err, "%s", side);
    }
    keeper->taken_ms = cl_clock_boot_ms();
    snprintf(keeper->snapshot, sizeof keeper->snapshot, "%s", snapshot);
    free(snapshot);
    return true;
}

bool cl_keeper_lock(struct cl_keeper *keeper, const struct cl_catalog *catalog, struct cl_err *err)
{
    struct cl_buf sql;
    cl_buf_init(&sql, LOCK_BYTES_MAX);
    bool ok = true;
    size_t i = 0;
    while (ok && i < catalog->n_tables) {
        int listed = 0;
        cl_buf_reset(&sql);
        cl_buf_adds(&sql, "LOCK TABLE ");
        for (; i < catalog->n_tables && listed < LOCK_TABLES_MAX; i++) {
            if (!catalog->tables[i].excluded) {
                cl_buf_adds(&sql, listed++ ? ", ONLY " : "ONLY ");
                cl_sql_name(&sql, catalog->tables[i].schema, catalog->tables[i].name);
            }
        }
        cl_buf_adds(&sql, " IN ACCESS SHARE MODE");
        ok = listed == 0 || cl_pg_exec(keeper->link.conn, cl_buf_str(&sql), err);
    }
    cl_buf_fini(&sql);
    return ok || cl_err_context(err, "source");
}

bool cl_keeper_follow(struct cl_keeper *keeper, struct cl_watch *watch, const char *conninfo,
                      const char *snapshot, struct cl_err *err)
{
    if (!cl_keeper_join(&keeper->link, watch, conninfo, snapshot, err)) {
        return false;
    }
    keeper->taken_ms = cl_clock_boot_ms();
    snprintf(keeper->snapshot, sizeof keeper->snapshot, "%s", snapshot);
    return cl_identity_read(&keeper->identity, keeper->link.conn, err) ||
           cl_err_context(err, "source");
}

void cl_keeper_close(struct cl_keeper *keeper)
{
    cl_link_close(&keeper->link);
}

bool cl_keeper_join(struct cl_link *link, struct cl_watch *watch, const char *conninfo,
                    const char *snapshot, struct cl_err *err)
{
    static const struct cl_pg_options options = {.readonly = true, .application = "cloner reader"};
    char sql[160];
    snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%s'", snapshot);
    if (!cl_link_open(link, watch, conninfo, &options, err)) {
        return cl_err_context(err, "source");
    }
    /* the snapshot must come before anything else in the transaction */
    if (!cl_pg_exec(link->conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) ||
        !cl_pg_exec(link->conn, sql, err) ||
        !cl_pg_exec(link->conn, "SET LOCAL row_security = off", err)) {
        return cl_err_context(err, "source");
    }
    return true;
}

void cl_keeper_slim(struct cl_link *link, size_t widest)
{
    if (widest > WIDE_BYTES) {
        cl_link_close(link);
    }
}

bool cl_keeper_ensure(struct cl_link *link, struct cl_watch *watch, const char *conninfo,
                      const char *snapshot, struct cl_err *err)
{
    return link->conn || cl_keeper_join(link, watch, conninfo, snapshot, err);
}
