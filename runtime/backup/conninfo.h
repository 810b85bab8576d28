/* Connection strings taken apart, so that a password never becomes an argument of a program. */
#ifndef CL_BACKUP_CONNINFO_H
#define CL_BACKUP_CONNINFO_H

#include <stdbool.h>

#include "base/err.h"

struct cl_conninfo_parts {
    char *public_part;  /* everything but the password: fit for argv */
    char *password_env; /* "PGPASSWORD=…", NULL without a password */
};

bool cl_conninfo_split(const char *conninfo, struct cl_conninfo_parts *parts, struct cl_err *err);
void cl_conninfo_fini(struct cl_conninfo_parts *parts); /* wipes the password */

#endif
