/* What the verbs of this room share: one run's state, and the copying of one part. */
#ifndef CL_BACKUP_RUN_H
#define CL_BACKUP_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "backup.h"
#include "catalog.h"
#include "checksum.h"
#include "guard.h"
#include "hold.h"
#include "keeper.h"
#include "limits.h"
#include "marks.h"
#include "part.h"
#include "pipe.h"
#include "poller.h"
#include "schema.h"
#include "watch.h"

struct cl_lo_plan;
struct cl_pick;
struct cl_shuffle;

/* Sums of contents, piece by piece; owners, privileges and comments are not part of them. */
struct cl_lo_sum {
    struct cl_checksum contents; /* its rows are pieces */
    uint64_t objects;            /* how many */
};

struct cl_run {
    const struct cl_backup_spec *spec; /* borrowed */
    struct cl_backup_summary *summary; /* borrowed; workers write under mutex */
    struct cl_progress *progress;      /* the job's */
    const struct cl_pick *pick;        /* what of the schema is restored; NULL: all; borrowed */
    struct cl_work *work;              /* same: phase, objects in work */
    struct cl_watch *watch;            /* owned; NULL until begun */
    bool replica;                      /* sessions on the target act as replicas: see into.h */
    bool rewrites;                     /* the target has the source's large objects already */
    struct cl_lo_sum objects;          /* large objects written so far, when it compares */
    struct cl_shuffle *shuffle;        /* what columns swap rows; owned; NULL: none were read */
    uv_mutex_t mutex;                  /* guards *summary while workers run */
    int64_t started_ms;                /* boot time */
    struct cl_limits limits;           /* how fast the source may be read */
    struct cl_guard *guard;            /* owned; NULL: nobody watches over the source */
    struct cl_poller monitor;          /* asks the target how far its indexes are */
    int64_t snapshot_ms;               /* when the source's was taken, boot time; 0: none is held */
    int jobs;                          /* spec's, within its bounds */
    struct cl_hold hold;               /* the snapshot that outlives us, when spec names the copy */
    char options[65];                  /* hash of what a copy must not change when it is resumed */
    char token[65];                    /* of what its rows come from; same */
    struct cl_marks marks;             /* of what is done in the target, when spec names the copy */
};

/* False with *err; cl_run_end() is due either way. */
bool cl_run_begin(struct cl_run *run, struct cl_job *job, const struct cl_backup_spec *spec,
                  struct cl_backup_summary *summary, struct cl_err *err);

/* Ends the watch and settles what the verb returns: ok, or the first failure in *err. */
bool cl_run_end(struct cl_run *run, bool ok, struct cl_err *err);

/* Adds a line for the operator; more than CL_BACKUP_WARNINGS_MAX are dropped. */
void cl_run_warn(struct cl_run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Source side of create and stream: opens the keeper, on the snapshot of spec->resume if any. */
bool cl_run_open_source(struct cl_run *run, struct cl_keeper *keeper, struct cl_err *err);

/* Then: the keeper's snapshot, tables, sequences, views, locks; the source is protected from here
 * on. */
bool cl_run_read_source(struct cl_run *run, struct cl_keeper *keeper, struct cl_catalog *catalog,
                        struct cl_err *err);

/* The large objects of the source, added to the progress's total; after cl_run_read_source(). None
 * and a warning when the spec leaves them behind. */
bool cl_run_read_objects(struct cl_run *run, struct cl_keeper *keeper, struct cl_lo_plan *plan,
                         struct cl_err *err);
/* From here on the source's snapshot is held: starts the guard, when the run has a limit for one.
 */
bool cl_run_protect(struct cl_run *run, const struct cl_keeper *keeper, struct cl_err *err);

/* The snapshot is about to be given back: ends the guard. Done by cl_run_end() at the latest. */
void cl_run_release(struct cl_run *run);

/* How long it has been held. */
double cl_run_snapshot_seconds(const struct cl_run *run);

/* Copies one part of a table from source to sink, masked when the run has a mask and the table
 * text. The counts of *done (may be NULL) are filled, and for a run that compares the sums of what
 * became of the rows. */
bool cl_run_part(struct cl_run *run, struct cl_source *source, struct cl_sink *sink,
                 const struct cl_table *table, const struct cl_part *part, struct cl_mark *done,
                 struct cl_err *err);

/* Counts a part that an earlier run has done as if it were ours. */
void cl_run_skip_part(struct cl_run *run, const struct cl_mark *done, uint64_t share);

/* Shows the table, or what of it, as an object in work; for cl_work_end(). */
int cl_run_show_part(struct cl_run *run, const struct cl_table *table, const struct cl_part *part);

/* The hash of the options into run->options, and what the rows come from: the source's snapshot, or
 * an archive by its checksum. */
bool cl_run_identify(struct cl_run *run, const char *archive, struct cl_err *err);

/* Puts "schema.table" in front of the message unless it names the table already. Returns false. */
bool cl_run_blame(const struct cl_table *table, struct cl_err *err);

/* A folder of our own for the schema, under TMPDIR; a string to give to cl_run_scratch_end(). */
char *cl_run_scratch(struct cl_err *err);
void cl_run_scratch_end(char *folder); /* NULL is fine */

#endif
