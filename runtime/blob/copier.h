/*
 * Copies blobs from one store to another with a few threads: equal ones are skipped, the service
 * itself copies where it can, the rest streams through here, and at the end the target is listed
 * and compared.
 *
 * Run it as a job (loop/job.h). Progress: done and total count the bytes of all blobs, bytes those
 * that moved, rows the blobs copied.
 */
#ifndef CL_BLOB_COPIER_H
#define CL_BLOB_COPIER_H

#include "store.h"

enum {
    CL_BLOB_CONCURRENCY_MAX = 64,
    CL_BLOB_OBJECT_ATTEMPTS = 3, /* of one blob, beside those of its requests */
    CL_BLOB_OBJECT_BACKOFF_MS = 250,
};

enum cl_blob_how {
    CL_BLOB_PENDING,     /* not reached */
    CL_BLOB_STREAMED,    /* its bytes went through here */
    CL_BLOB_SERVER_SIDE, /* the service copied it */
    CL_BLOB_SKIPPED,     /* it was there and equal */
};

struct cl_blob_copy {
    struct cl_blob_store *from; /* owned */
    struct cl_blob_store *to;   /* owned */
    /* What to copy, sorted; the names alone will do (known = false), the rest is asked for. After
     * the run: the manifest. Owned. */
    struct cl_blob_items items;
    enum cl_blob_how *how; /* of each item, after the run; owned, made by the run */
    int concurrency;       /* threads, 1 to CL_BLOB_CONCURRENCY_MAX */
    bool verify;           /* list the target at the end and compare */
    uint64_t bytes;        /* result: of all items */
    size_t copied;         /* result: written, whichever way */
    size_t skipped;        /* result: equal already */
    size_t server_side;    /* result: of the copied ones, by the service */
};

/* arg is a struct cl_blob_copy; the run borrows it. Class conflict, code E_BLOB_VERIFY: the target
 * differs in the end. */
bool cl_blob_copy_run(struct cl_job *job, void *arg, struct cl_err *err);
void cl_blob_copy_fini(struct cl_blob_copy *copy);

#endif
