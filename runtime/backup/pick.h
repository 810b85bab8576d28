/*
 * Which entries of a dump a restore of single tables needs: the tables, all they depend on, and
 * what is theirs (defaults, constraints, indexes, triggers, policies, comments, privileges …) with
 * what that depends on. Dependencies are those pg_dump wrote down.
 */
#ifndef CL_BACKUP_PICK_H
#define CL_BACKUP_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "manifest.h"
#include "tools.h"
#include "watch.h"

struct cl_pick {
    bool *kept;       /* by number in the dump's table of contents, n of them; owned */
    size_t n;         /* entries of kept */
    uint32_t *oids;   /* of the kept entries' objects that have one, sorted; owned */
    size_t n_oids;    /* entries of oids */
    size_t n_dropped; /* foreign keys that lead to tables that stay behind */
};

/* Picks the tables called "schema.table", n of them, of the dump at file; class not_found for one
 * the archive has no rows of. Takes all else out of the manifest. cl_pick_fini() is due either way.
 */
bool cl_pick_tables(struct cl_pick *pick, struct cl_manifest *manifest, char *const *names,
                    size_t n, const struct cl_tools *tools, struct cl_watch *watch,
                    const char *file, struct cl_err *err);

/* Is the entry of that number needed? NULL: all are. */
bool cl_pick_wants(const struct cl_pick *pick, int id);

void cl_pick_fini(struct cl_pick *pick); /* zeroed is fine */

#endif
