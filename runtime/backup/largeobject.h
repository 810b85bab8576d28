/*
 * Large objects: owner, privileges, comment, security labels and contents, copied in ranges of
 * oids.  Only functions any owner of an object may call are used, in the source's snapshot.
 *
 * On its way, and in an archive, a range is binary COPY data of cl_lo_table()'s columns.  Objects
 * wider than a piece (1 MiB) have several rows, one after the other; only the first names the
 * owner and the rest.  Holes are filled with zeros, as pg_dump fills them.
 *
 * Masked, an object that is text goes through the mask like one value, whole, up to CL_LO_TEXT_MAX;
 * in other contents addresses are overwritten, as in bytea (mask.h says what is what).
 */
#ifndef CL_BACKUP_LARGEOBJECT_H
#define CL_BACKUP_LARGEOBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive.h"
#include "run.h"

enum { CL_LO_TEXT_MAX = 64 * 1024 * 1024 };

/* What one worker copies at once, and what one data file holds. */
struct cl_lo_range {
    uint32_t first;   /* oid; the ranges of a plan leave no gap */
    uint32_t last;    /* oid, included */
    uint64_t objects; /* how many the snapshot has there */
    uint64_t bytes;   /* their share of what all take on disk: an estimate */
};

struct cl_lo_plan {
    struct cl_lo_range *ranges; /* n_ranges, by oid */
    size_t n_ranges;            /* 0: there are no large objects */
    uint64_t objects;           /* of all ranges */
    uint64_t bytes;             /* same */
};

/* Plans the objects that conn's transaction sees, for that many workers. Zeroed before, but for
 * n_ranges: so many ranges, when it is not 0. */
bool cl_lo_plan_read(struct cl_lo_plan *plan, PGconn *conn, int jobs, struct cl_err *err);
void cl_lo_plan_fini(struct cl_lo_plan *plan);

/* How many there are, without a plan. */
bool cl_lo_count(PGconn *conn, uint64_t *objects, struct cl_err *err);

/* Tells the operator how many are left behind. */
void cl_lo_warn_left(struct cl_run *run, uint64_t objects);

/* What data files of large objects look like: a table of no database. Everything is lent. */
void cl_lo_table(struct cl_table *table);

/* Files of an archive that this run restores large objects from, and their COPY data: none when it
 * leaves them behind. */
size_t cl_lo_archived_files(const struct cl_run *run, const struct cl_manifest *manifest);
uint64_t cl_lo_archived_bytes(const struct cl_run *run, const struct cl_manifest *manifest);

/* source -> target, masked when the run has a mask. */
bool cl_lo_stream(struct cl_run *run, PGconn *source, PGconn *target,
                  const struct cl_lo_range *range, struct cl_err *err);

/* source -> data file, unmasked. Fills file->rows. */
bool cl_lo_save(struct cl_run *run, PGconn *source, const struct cl_lo_range *range,
                struct cl_archive *archive, struct cl_data_file *file, struct cl_err *err);

/* data file -> target, masked when the run has a mask. */
bool cl_lo_load(struct cl_run *run, struct cl_archive *archive, const struct cl_data_file *file,
                PGconn *target, struct cl_err *err);

bool cl_lo_sum_equal(const struct cl_lo_sum *a, const struct cl_lo_sum *b);

/* Of all that keeper's snapshot has, read by several workers; masked: as they would be in a copy.
 * conninfo leads to the same database. */
bool cl_lo_sum_database(struct cl_run *run, const struct cl_keeper *keeper, const char *conninfo,
                        bool masked, struct cl_lo_sum *sum, struct cl_err *err);

/* Same, of an archive. */
bool cl_lo_sum_archive(struct cl_run *run, struct cl_archive *archive,
                       const struct cl_manifest *manifest, bool masked, struct cl_lo_sum *sum,
                       struct cl_err *err);

/* Reads back what a run that compares has written, which run->objects tells. Class conflict, code
 * E_COPY_DIFFERS, when it is something else. */
bool cl_lo_prove(struct cl_run *run, const struct cl_keeper *target, struct cl_err *err);

#endif
