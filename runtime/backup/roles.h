/* The roles a schema names: are they there, and may we make things theirs? */
#ifndef CL_BACKUP_ROLES_H
#define CL_BACKUP_ROLES_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>

#include "base/err.h"
#include "schema.h"

/* A role that large objects name, which are no entries of the schema. */
struct cl_object_role {
    const char *name; /* borrowed: from the rows, or from a manifest */
    bool owns;        /* some of them */
    bool granted;     /* their privileges name it */
    bool grants;      /* it granted some of these, and owns none */
};

struct cl_object_roles {
    struct cl_object_role *list; /* n; owned */
    size_t n;                    /* entries of list */
    PGresult *rows;              /* what names point into; NULL: a manifest */
};

/* Those of all large objects there are; legal on zeroed ones. */
bool cl_object_roles_read(struct cl_object_roles *roles, PGconn *source, struct cl_err *err);
void cl_object_roles_fini(struct cl_object_roles *roles);

/* Looks, before anything is written, for every role that owns something in the scripts (n of them),
 * is granted something or is meant by a policy, and for those of large objects (NULL: none are
 * copied), but for what is left behind. Class not_found, code E_NO_ROLE, naming those the
 * target's server lacks; class permission, code E_NOT_MEMBER, naming those the target's user may
 * not act for. */
bool cl_roles_check(PGconn *target, const struct cl_script *const *scripts, size_t n,
                    const struct cl_object_roles *objects, unsigned leave, struct cl_err *err);

#endif
