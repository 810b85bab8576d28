/*
 * What is known of one held snapshot, in a file of the state folder.  Locks on two bytes of that
 * file say who is alive, whatever the text says; the system takes them back from a killed process:
 *
 *   byte 0: the warden's (warden.h), as long as it lives
 *   byte 1: the run's that uses the snapshot; also taken by a warden that gives up, for ever
 *
 * A run takes byte 1 first and keeps it, so one process at a time is at a copy of one key.
 */
#ifndef CL_BACKUP_HOLDING_H
#define CL_BACKUP_HOLDING_H

#include <stdbool.h>
#include <sys/types.h>

#include "catalog.h"

enum {
    CL_COPY_KEY_MAX = 200, /* bytes of a key */
    CL_TOKEN_BYTES = 33,   /* 32 hex digits and a NUL */
};

struct cl_holding {
    char key[CL_COPY_KEY_MAX + 1]; /* the caller's name of the copy */
    char options[65];              /* hash of what was asked for */
    char token[CL_TOKEN_BYTES];    /* made for this one snapshot: marks and ledgers name it */
    struct cl_identity source;     /* system, oid and database only */
    char snapshot[64];             /* its exported name */
    char started[40];              /* ISO date */
    int backend;                   /* pid of the server's process */
    char ended[256];               /* why the warden ended, "" while it holds */
    char before[256];              /* why the snapshot before this one was lost, "" for the first */
};

/* Path of the file of that key, a string to free(); makes the state folder. Class invalid for a key
 * that is empty or too long, permission for a folder that others could write to. */
char *cl_holding_path(const char *key, struct cl_err *err);

/* Opens the file (making it) and takes byte 1 of it. -1 with *err: class conflict, E_COPY_BUSY,
 * when another run has it. Close it to give the byte back. */
int cl_holding_attach(const char *path, const char *key, struct cl_err *err);

/* The warden's side: opens the file and takes byte 0; -1 with *err when that is taken. */
int cl_holding_keep(const char *path, struct cl_err *err);

/* The process that has byte 0; 0: none, -1: one that cannot be seen from here. */
pid_t cl_holding_warden(int fd);

/* The warden's side: does a run have byte 1? And taking it when none has: from then on none can. */
bool cl_holding_attached(int fd);
bool cl_holding_give_up(int fd);

/* False when the file does not hold one (empty, cut short). */
bool cl_holding_read(int fd, struct cl_holding *holding);
bool cl_holding_write(int fd, const struct cl_holding *holding, struct cl_err *err);

#endif
