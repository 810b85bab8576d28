/* What conn.c and conn_open.c share. */
#ifndef CL_PG_CONN_PRIVATE_H
#define CL_PG_CONN_PRIVATE_H

#include "base/buf.h"
#include "conn.h"
#include "loop/job.h"

enum op { OP_NONE, OP_CONNECT, OP_RESULTS, OP_COPY_READ, OP_COPY_WRITE, OP_COPY_END, OP_NOTIFY };
enum copy { COPY_NONE, COPY_OUT, COPY_IN };

struct poller {
    uv_poll_t uv;         /* freed with the struct, in its close callback */
    struct cl_pg_conn *c; /* NULL once closed */
};

struct cl_pg_conn {
    uv_loop_t *loop;         /* borrowed */
    cl_pg_done done;         /* how an operation ends */
    void *owner;             /* for done */
    PGconn *pg;              /* NULL unless connected */
    struct poller *poller;   /* lives as long as pg */
    enum op op;              /* what runs */
    enum copy copy;          /* a COPY is under way */
    enum copy want;          /* what the statement being run is to begin */
    struct cl_timer *timer;  /* limit of the operation, NULL: none */
    int timeout_ms;          /* for every operation; 0: none */
    PGresult *result;        /* of the last operation */
    PGnotify *notify;        /* of the last wait */
    struct cl_buf chunk;     /* rows of a COPY that were read */
    const char *data;        /* rest to be written; borrowed */
    size_t data_bytes;       /* of data */
    bool ending;             /* PQputCopyEnd was taken by libpq */
    char *reason;            /* for PQputCopyEnd; NULL: the data is complete */
    struct cl_job *job;      /* while connecting */
    struct connecting *plan; /* the job's argument; ours again when it is done */
};

/* The operation ended: the only caller of done. Last thing any callback does. */
void cl_pg_conn_finish(struct cl_pg_conn *c, bool ok, const struct cl_err *err);

/* Lets go of an attempt to connect, if there is one. */
void cl_pg_conn_abandon_connect(struct cl_pg_conn *c);

#endif
