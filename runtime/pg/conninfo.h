/* Connection strings inside this room; what others may call is in session.h. */
#ifndef CL_PG_CONNINFO_H
#define CL_PG_CONNINFO_H

#include <libpq-fe.h>

#include "base/err.h"

/* Options named in the string only (no environment); PQconninfoFree them. NULL with *err when it
 * cannot be read; the message never holds a piece of the password. */
PQconninfoOption *cl_pg_conninfo_parse(const char *conninfo, struct cl_err *err);

#endif
