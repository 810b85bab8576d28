/*
 * The warden: a process of its own that holds a source's snapshot and its locks on the tables, so
 * that they outlive a run that is killed.  A run starts it (hold.h), tells it by its standard input
 * what to hold, and reads from its standard output whether it does.  It ends when it is told to
 * (SIGTERM), when its connection breaks, and when no run has used the snapshot for a while: an
 * abandoned snapshot must not hold back VACUUM for ever.
 */
#ifndef CL_BACKUP_WARDEN_H
#define CL_BACKUP_WARDEN_H

#include "holding.h"

/* The one argument it is started with; no verb for people. */
#define CL_WARDEN_WORD "keep-snapshot"

/* What it is told. */
struct cl_warden_order {
    const char *path;          /* of the holding's file */
    const char *conninfo;      /* of the source, password included */
    char *const *exclude;      /* n_exclude tables that are neither locked nor read */
    size_t n_exclude;          /* entries of exclude */
    int keep_s;                /* seconds without a run after which it ends */
    struct cl_holding holding; /* key, options, token, before; the rest is filled in */
};

/* The order as text. */
bool cl_warden_write_order(struct cl_buf *out, const struct cl_warden_order *order);

/* Its answer: true, or *err is why it does not hold. */
bool cl_warden_read_answer(const char *text, size_t n, struct cl_err *err);

/* The process: returns its exit code. */
int cl_warden_main(void);

#endif
