/* The roles a schema names: are they there, and may we make things theirs? */
#ifndef CL_BACKUP_ROLES_H
#define CL_BACKUP_ROLES_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>

#include "base/err.h"
#include "schema.h"

/* Looks, before anything is written, for every role that owns something in the scripts (n of them),
 * is granted something or is meant by a policy. Class not_found, code E_NO_ROLE, naming those the
 * target's server lacks; class permission, code E_NOT_MEMBER, naming those the target's user may
 * not act for. */
bool cl_roles_check(PGconn *target, const struct cl_script *const *scripts, size_t n,
                    struct cl_err *err);

#endif
