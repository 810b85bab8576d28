/*
 * Reads rows of a source, a target or an archive, many parts at the same time, as they should stand
 * in the copy (masked where there is a mask), and adds them up or shows them to whoever looks.
 */
#ifndef CL_BACKUP_READING_H
#define CL_BACKUP_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive.h"
#include "checksum.h"
#include "manifest.h"
#include "part.h"
#include "run.h"

enum cl_side { CL_SIDE_SOURCE, CL_SIDE_TARGET };

/* A row as it should stand in the copy; valid during the call. */
struct cl_row_seen {
    struct cl_digest digest;         /* of the whole row */
    const struct cl_field *fields;   /* one for each column of the table */
    const struct cl_column *columns; /* these */
    enum cl_copy_format format;      /* of the fields */
    enum cl_side side;               /* where it is */
};

/* What one worker reads in one go: a table, or a part of it. Zero what is not said. */
struct cl_reading {
    enum cl_side side;               /* which database; an archive is a source */
    const struct cl_table *table;    /* columns in the order of the data; borrowed */
    const struct cl_data_file *file; /* of the archive; NULL: COPY out of the database. Borrowed */
    const char *where;               /* which rows of the database's; NULL: all. Borrowed */
    enum cl_copy_format format;      /* of the data */
    const struct cl_mask *mask;      /* borrowed; NULL: rows are taken as they are */
    struct cl_dealer *dealer;        /* with a mask: of the table; NULL: nothing is shuffled */
    unsigned part;                   /* of the table */
    bool by_field;                   /* see cl_checksum_normalises(); the same on both sides */
    uint64_t bytes;                  /* about so many: the order, and the share of the progress */
    void *arg;                       /* for row() */
    /* NULL, or shown every row, on the worker's thread. */
    bool (*row)(void *arg, const struct cl_row_seen *row, struct cl_err *err);
    struct cl_checksum sum; /* out, when row is NULL */
};

struct cl_readings {
    struct cl_run *run;          /* borrowed */
    struct cl_archive *archive;  /* of the readings that have a file; borrowed */
    const char *source_snapshot; /* NULL: there is no source, or it is an archive */
    const char *target_snapshot; /* NULL: no reading is of the target */
    const char *phase;           /* what this is for; NULL: to compare */
    struct cl_reading *list;     /* n; the caller's to free. Put in the order of their size */
    size_t n;                    /* entries of list */
};

/* Adds a reading like the model for each of the parts, or the model itself when there are none. */
bool cl_readings_add(struct cl_readings *readings, const struct cl_reading *model,
                     const struct cl_part *parts, size_t n_parts, struct cl_err *err);

/* Reads them all; false with the first failure. */
bool cl_readings_run(struct cl_readings *readings, struct cl_err *err);

#endif
