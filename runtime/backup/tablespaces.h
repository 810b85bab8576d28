/*
 * Where objects of a copy lie. A dump names the tablespace of what follows by a setting behind the
 * entry before; those settings are cut off the SQL here and written again for the target.
 */
#ifndef CL_BACKUP_TABLESPACES_H
#define CL_BACKUP_TABLESPACES_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>

#include "backup.h"
#include "base/err.h"

enum { CL_TABLESPACES_MAX = 256 }; /* different ones that are remembered */

/* Tablespaces the source uses. */
struct cl_tablespaces {
    char *names[CL_TABLESPACES_MAX]; /* n of them, owned */
    size_t n;                        /* entries in use */
};

void cl_tablespaces_fini(struct cl_tablespaces *tablespaces); /* a zeroed one is fine */

/* Remembers a name; "" is the database's own and is none. False when out of memory. */
bool cl_tablespaces_note(struct cl_tablespaces *tablespaces, const char *name);

/* What the source's tablespace is called in the target; "" for the database's own. */
const char *cl_tablespace_of(const struct cl_backup_spec *spec, const char *name);

/* Cuts the settings off the end of an entry's SQL. Returns them for the target, to free(), "" when
 * there were none; NULL with *err when out of memory. Names are noted. */
char *cl_tablespaces_cut(struct cl_tablespaces *tablespaces, const struct cl_backup_spec *spec,
                         char *sql, struct cl_err *err);

/* Class conflict, code E_NO_TABLESPACE, when the target lacks one that is needed. */
bool cl_tablespaces_check(const struct cl_tablespaces *tablespaces,
                          const struct cl_backup_spec *spec, PGconn *conn, struct cl_err *err);

#endif
