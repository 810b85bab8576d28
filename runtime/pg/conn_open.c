/* The connecting half of conn.c: a job that connects, and what becomes of its connection. */
#include "conn_private.h"

#include <stdlib.h>
#include <string.h>

#include "connect.h"

struct connecting {
    char *conninfo;               /* owned; wiped */
    char *application;            /* owned; may be NULL */
    struct cl_pg_options options; /* its application is the one above */
    int timeout_ms;               /* a host */
    PGconn *pg;                   /* what came of it */
};

static void free_connecting(void *arg)
{
    struct connecting *p = arg;
    if (p) {
        if (p->conninfo) {
            explicit_bzero(p->conninfo, strlen(p->conninfo));
        }
        free(p->conninfo);
        free(p->application);
        PQfinish(p->pg);
        free(p);
    }
}

void cl_pg_conn_abandon_connect(struct cl_pg_conn *c)
{
    if (c->job) {
        cl_job_abandon(c->job, free_connecting);
        c->job = NULL;
        c->plan = NULL;
    }
}

static bool stopping(void *job)
{
    return cl_job_stopping(job);
}

static bool run_connect(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct connecting *p = arg;
    p->pg = cl_pg_connect(p->conninfo, &p->options, p->timeout_ms, stopping, job, err);
    return p->pg != NULL;
}

static bool adopt(struct cl_pg_conn *c, PGconn *pg, struct cl_err *err)
{
    struct poller *poller = calloc(1, sizeof *poller);
    if (!poller) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    int rc = uv_poll_init(c->loop, &poller->uv, PQsocket(pg));
    if (rc != 0) {
        free(poller);
        return cl_fail(err, CL_TRANSIENT, uv_err_name(rc), "cannot watch a connection: %s",
                       uv_strerror(rc));
    }
    poller->uv.data = poller;
    poller->c = c;
    c->poller = poller;
    c->pg = pg;
    PQsetnonblocking(pg, 1);
    return true;
}

static void on_connected(void *owner, bool ok, const struct cl_err *err)
{
    struct cl_pg_conn *c = owner;
    struct connecting *p = c->plan;
    struct cl_err failure;
    c->job = NULL;
    c->plan = NULL;
    if (ok) {
        ok = adopt(c, p->pg, &failure);
        p->pg = ok ? NULL : p->pg;
    } else {
        failure = *err;
    }
    free_connecting(p);
    cl_pg_conn_finish(c, ok, &failure);
}

bool cl_pg_conn_connect(struct cl_pg_conn *c, const char *conninfo,
                        const struct cl_pg_options *options, int timeout_ms, struct cl_err *err)
{
    struct connecting *p = calloc(1, sizeof *p);
    if (c->pg || c->op != OP_NONE) {
        free(p);
        return cl_fail(err, CL_BUG, "E_BUSY", "connected already");
    }
    if (p) {
        p->options = *options;
        p->timeout_ms = timeout_ms;
        p->conninfo = strdup(conninfo);
        p->application = options->application ? strdup(options->application) : NULL;
        p->options.application = p->application;
    }
    if (!p || !p->conninfo || (options->application && !p->application)) {
        free_connecting(p);
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    c->timeout_ms = timeout_ms;
    c->plan = p;
    c->job = cl_job_start(c->loop, run_connect, p, on_connected, c, err);
    if (!c->job) {
        c->plan = NULL;
        free_connecting(p);
        return false;
    }
    c->op = OP_CONNECT;
    return true;
}
