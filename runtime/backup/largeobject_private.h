/* What the files of largeobject.h share. */
#ifndef CL_BACKUP_LARGEOBJECT_PRIVATE_H
#define CL_BACKUP_LARGEOBJECT_PRIVATE_H

#include "largeobject.h"

enum {
    CL_LO_PIECE_BYTES = 1024 * 1024, /* of contents in one row; a multiple of the server's pages */
    CL_LO_FIELDS = 6,                /* columns of cl_lo_table() */
    CL_LO_OID = 0,                   /* 4 bytes */
    CL_LO_OFFSET,                    /* 8 bytes */
    CL_LO_DATA,                      /* never NULL */
    CL_LO_OWNER,                     /* a role's name; this and the next two NULL after offset 0 */
    CL_LO_GRANTS,                    /* SQL, or NULL */
    CL_LO_REMARKS,                   /* SQL, or NULL */
};

/* One row. */
struct cl_lo_piece {
    uint32_t oid;                        /* of the object */
    int64_t offset;                      /* of the data in it */
    struct cl_field field[CL_LO_FIELDS]; /* CL_LO_DATA and what follows; borrowed */
};

/* Appends the low bytes of v, highest first. */
void cl_lo_put_be(struct cl_buf *out, uint64_t v, int bytes);

/* COPY data of a range. rows is known at its end. */
struct cl_lo_source;
struct cl_lo_source *cl_lo_source_open(PGconn *conn, const struct cl_lo_range *range,
                                       struct cl_err *err);
struct cl_source *cl_lo_source_base(struct cl_lo_source *source);
void cl_lo_source_close(struct cl_lo_source *source); /* NULL is fine */

/* Copies one range (or file) and counts it in the run's progress. pipe tells how much it was. */
bool cl_lo_pass(struct cl_run *run, struct cl_source *source, struct cl_sink *sink, uint64_t expect,
                struct cl_pipe *pipe, struct cl_err *err);

/* Told of an address, decoded. */
typedef void cl_lo_found(void *arg, const char *address, size_t n);

/* Where COPY data of large objects goes. */
struct cl_lo_sink_spec {
    const struct cl_mask *mask; /* borrowed; NULL: nothing is masked */
    cl_lo_found *found; /* told of the addresses the mask would replace, and none is; or NULL */
    void *arg;          /* of found */
    PGconn *target;     /* borrowed; gets the objects, each batch in a transaction; or NULL */
    struct cl_checksum *sum; /* borrowed; their contents are added up here; or NULL */
    unsigned leave;          /* what does not go along, as in struct cl_backup_spec */
    bool replace;            /* some of them may be there already, and go first */
};

struct cl_lo_sink;
struct cl_lo_sink *cl_lo_sink_open(const struct cl_lo_sink_spec *spec, struct cl_err *err);
struct cl_sink *cl_lo_sink_base(struct cl_lo_sink *sink);
void cl_lo_sink_close(struct cl_lo_sink *sink); /* NULL is fine */

/* After its finish. */
uint64_t cl_lo_sink_objects(const struct cl_lo_sink *sink);
const struct cl_mask_tally *cl_lo_sink_tally(const struct cl_lo_sink *sink);

/* Writes objects into a server, many at a time. */
struct cl_lo_writer;
struct cl_lo_writer *cl_lo_writer_new(PGconn *conn, unsigned leave, bool replace,
                                      struct cl_err *err);
bool cl_lo_writer_put(struct cl_lo_writer *writer, const struct cl_lo_piece *piece,
                      struct cl_err *err);
bool cl_lo_writer_finish(struct cl_lo_writer *writer, struct cl_err *err);
void cl_lo_writer_free(struct cl_lo_writer *writer); /* NULL is fine */

#endif
