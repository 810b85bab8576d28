/*
 * Where an archive lies: a folder (place_folder.c) or a prefix of an object store (place_blob.c).
 *
 * A place may be used by several threads at once, each file by one.  A place that is written
 * becomes an archive in one step, with cl_place_publish(); until then nobody takes it for one, and
 * cl_place_close() removes what was written.
 */
#ifndef CL_BACKUP_PLACE_H
#define CL_BACKUP_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "blob/store.h"
#include "loop/job.h"

/* A file being written. The first member of a driver's own. */
struct cl_place_writer {
    bool (*write)(struct cl_place_writer *writer, const char *bytes, size_t n, struct cl_err *err);
    bool (*finish)(struct cl_place_writer *writer, struct cl_err *err); /* it is whole now */
    void (*close)(struct cl_place_writer *writer); /* one not finished leaves nothing of its name */
};

/* A file being read. The first member of a driver's own. */
struct cl_place_reader {
    /* Up to n bytes, 0 at the end, -1 with *err. */
    long (*read)(struct cl_place_reader *reader, char *bytes, size_t n, struct cl_err *err);
    void (*close)(struct cl_place_reader *reader);
};

struct cl_place {
    const struct cl_place_driver *driver; /* how it works */
    struct cl_job *job;                   /* waits end when it is stopped; may be NULL */
    bool keep; /* what was begun is gone on with, and stays when it is given up */
};

/* Is the file (name as in the archive) to stay? */
typedef bool (*cl_place_wanted)(void *arg, const char *name, uint64_t size);

struct cl_place_driver {
    bool (*begin)(struct cl_place *place, struct cl_err *err);
    struct cl_place_writer *(*create)(struct cl_place *place, const char *name, struct cl_err *err);
    bool (*publish)(struct cl_place *place, const char *name, const char *bytes, size_t n,
                    struct cl_err *err);
    struct cl_place_reader *(*open)(struct cl_place *place, const char *name, struct cl_err *err);
    bool (*list)(struct cl_place *place, struct cl_blob_items *items, struct cl_err *err);
    void (*close)(struct cl_place *place);
    /* For places that can keep what was begun; NULL both for others. */
    const char *(*work)(struct cl_place *place);
    bool (*sweep)(struct cl_place *place, cl_place_wanted wanted, void *arg, struct cl_err *err);
};

/* where: a folder, file:///folder, or (when store is NULL) any other URL, which must need no
 * credentials; not looked at when there is a store, which is cloned. No I/O. */
struct cl_place *cl_place_open(const char *where, const struct cl_blob_store *store,
                               struct cl_job *job, struct cl_err *err);

/* Makes ready for writing. Class conflict when something stands there (E_ARCHIVE_EXISTS) or
 * somebody writes there now (E_ARCHIVE_BUSY); what a crash left is removed. */
bool cl_place_begin(struct cl_place *place, struct cl_err *err);

/* The folder it is written in, when what was begun can be kept there (place->keep is set before
 * cl_place_begin); NULL when not. */
const char *cl_place_work(struct cl_place *place);

/* Removes from it what is not wanted. Only where there is such a folder. */
bool cl_place_sweep(struct cl_place *place, cl_place_wanted wanted, void *arg, struct cl_err *err);

/* name: "schema.dump", "data/x". Not twice the same. */
struct cl_place_writer *cl_place_create(struct cl_place *place, const char *name,
                                        struct cl_err *err);

/* Writes the file that makes it an archive, last and in one step. */
bool cl_place_publish(struct cl_place *place, const char *name, const char *bytes, size_t n,
                      struct cl_err *err);

/* Code E_ARCHIVE_MISSING: there is no such file. */
struct cl_place_reader *cl_place_read(struct cl_place *place, const char *name, struct cl_err *err);

/* All files, sorted by name, with their sizes. Code E_NO_ARCHIVE: nothing is there. */
bool cl_place_list(struct cl_place *place, struct cl_blob_items *items, struct cl_err *err);

void cl_place_close(struct cl_place *place); /* NULL is fine */

/* The drivers' makers. */
struct cl_place *cl_place_folder(const char *path, struct cl_err *err);
struct cl_place *cl_place_blob(const struct cl_blob_store *store, struct cl_job *job,
                               struct cl_err *err);

/* folder/name, a string to free(); NULL when out of memory. */
char *cl_path_join(const char *folder, const char *name);

/* Class invalid, code E_ARCHIVE_MISSING. Returns false. */
bool cl_place_lacks(const char *name, struct cl_err *err);

#endif
