#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "connect.h"

PGconn *cl_pg_open(const char *conninfo, const struct cl_pg_options *options, struct cl_err *err)
{
    return cl_pg_open_stoppable(conninfo, options, NULL, NULL, err);
}

PGconn *cl_pg_open_stoppable(const char *conninfo, const struct cl_pg_options *options,
                             cl_pg_stopping stopping, void *arg, struct cl_err *err)
{
    static const struct cl_pg_options plain = {.readonly = false};
    return cl_pg_connect(conninfo, options ? options : &plain, 0, stopping, arg, err);
}

static bool fine(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

/* Frees the result of a command that was not to start a COPY, and leaves that COPY. */
static bool fail_unexpected(PGconn *conn, PGresult *result, struct cl_err *err)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
        cl_fail(err, CL_BUG, "E_COPY", "a COPY command was run as a plain one");
        char *chunk = NULL;
        if (status == PGRES_COPY_IN) {
            PQputCopyEnd(conn, "not a COPY");
        } else {
            while (PQgetCopyData(conn, &chunk, 0) > 0) {
                PQfreemem(chunk);
            }
        }
        PQclear(result);
        while ((result = PQgetResult(conn)) != NULL) {
            PQclear(result);
        }
        return false;
    }
    cl_pg_fail(err, conn, result);
    PQclear(result);
    return false;
}

bool cl_pg_exec(PGconn *conn, const char *sql, struct cl_err *err)
{
    PGresult *result = PQexec(conn, sql);
    if (!fine(result)) {
        return fail_unexpected(conn, result, err);
    }
    PQclear(result);
    return true;
}

PGresult *cl_pg_query(PGconn *conn, const char *sql, int n_params, const char *const *params,
                      struct cl_err *err)
{
    PGresult *result = PQexecParams(conn, sql, n_params, NULL, params, NULL, NULL, 0);
    if (!fine(result)) {
        fail_unexpected(conn, result, err);
        return NULL;
    }
    return result;
}

char *cl_pg_value(PGconn *conn, const char *sql, struct cl_err *err)
{
    char *value = NULL;
    PGresult *result = cl_pg_query(conn, sql, 0, NULL, err);
    if (!result) {
        return NULL;
    }
    if (PQntuples(result) < 1 || PQnfields(result) < 1 || PQgetisnull(result, 0, 0)) {
        cl_fail(err, CL_NOT_FOUND, "P0002", "no value from: %.200s", sql);
    } else {
        value = strdup(PQgetvalue(result, 0, 0));
        if (!value) {
            cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
    }
    PQclear(result);
    return value;
}
