/*
 * The pipe every row goes through: a source (COPY out of a server, a file of an archive) is read in
 * chunks, rows are masked when there is something to mask, and go in large batches to a sink (COPY
 * into a server, a file of an archive, a checksum).
 */
#ifndef CL_BACKUP_PIPE_H
#define CL_BACKUP_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalog.h"
#include "checksum.h"
#include "limits.h"
#include "transform.h"
#include "watch.h"

enum {
    CL_BATCH_BYTES = 128 * 1024, /* a batch is sent when it has grown past this */
    CL_ROWS_UNKNOWN = -1,        /* a source that does not say how many rows it gave */
};

/* Where bytes come from. The first member of a concrete source. */
struct cl_source {
    /* The next chunk, valid until the next call; *n 0 at the end. */
    bool (*next)(struct cl_source *source, const char **bytes, size_t *n, struct cl_err *err);
    int64_t rows;    /* after the end: how many rows the source says it gave */
    bool by_the_row; /* each chunk is a row; a header or an end mark may come alone */
};

/* Where they go. */
struct cl_sink {
    bool (*put)(struct cl_sink *sink, const char *bytes, size_t n, struct cl_err *err);
    /* After the last batch; rows then says how many the sink says it took. */
    bool (*finish)(struct cl_sink *sink, struct cl_err *err);
    int64_t rows;
};

/* COPY out of a server. */
struct cl_pg_source {
    struct cl_source base;        /* next, rows */
    PGconn *conn;                 /* borrowed; idle before and after */
    const char *side;             /* "source" or "target", for messages */
    const struct cl_table *table; /* borrowed; same */
    char *message;                /* libpq's, freed at the next call */
    size_t widest;                /* bytes of the largest message */
    uint64_t messages;            /* given so far; a server sends a row in each */
};

/* COPY into a server. */
struct cl_pg_sink {
    struct cl_sink base;          /* put, finish, rows */
    PGconn *conn;                 /* borrowed; in a transaction once opened */
    const struct cl_table *table; /* borrowed; for messages */
};

/* Starts COPY (columns) TO STDOUT; where (may be NULL) is a condition on the rows; side is where
 * the connection leads, for messages. */
bool cl_pg_source_open(struct cl_pg_source *source, PGconn *conn, const char *side,
                       const struct cl_table *table, const char *where, enum cl_copy_format format,
                       struct cl_err *err);
void cl_pg_source_close(struct cl_pg_source *source);

/* Starts COPY (columns) FROM STDIN in a transaction of its own, which the caller commits. fresh:
 * all that is in the table goes first, and rows are frozen. */
bool cl_pg_sink_open(struct cl_pg_sink *sink, PGconn *conn, const struct cl_table *table,
                     enum cl_copy_format format, bool fresh, struct cl_err *err);

struct cl_pipe {
    struct cl_source *source;       /* borrowed */
    struct cl_sink *sink;           /* borrowed */
    struct cl_transform *transform; /* NULL: bytes pass as they are */
    struct cl_checksum *sum;        /* NULL, or what the rows leaving the transform add up to */
    bool by_field;                  /* add them by field, see cl_checksum_normalises() */
    struct cl_watch *watch;         /* asked at every batch */
    struct cl_limits *limits;       /* same; NULL: none */
    uint64_t unpaid;                /* bytes read since the limits were asked */
    uint64_t reported;              /* of `bytes`, what the progress knows of */
    uint64_t passed;                /* rows, or chunks like rows, the progress does not know of */
    uint64_t guessed;               /* chunks it was told of as rows: not yet known to be right */
    struct cl_progress *progress;   /* bytes and rows are added as they pass */
    uint64_t share;                 /* `done` units this pipe is worth; all given out at its end */
    uint64_t expect;                /* bytes we think will pass, for handing out the share */
    uint64_t bytes;                 /* out: that passed, as the source gave them */
    uint64_t rows;                  /* out: that passed */
};

/* Runs it to the end of the source and finishes the sink. Rows read and rows written are compared.
 */
bool cl_pipe_run(struct cl_pipe *pipe, struct cl_err *err);

#endif
