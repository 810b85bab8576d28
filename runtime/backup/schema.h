/*
 * The schema: pg_dump writes it, pg_restore turns it into SQL, and that SQL is cut into the entries
 * of the dump's table of contents and run here, through a session of ours, many entries to a
 * transaction.  So a schema is restored under our settings, its failures name the object, and what
 * was done can be told from what was not.  Comments, security labels and constants in default and
 * generated expressions are masked on the way.
 */
#ifndef CL_BACKUP_SCHEMA_H
#define CL_BACKUP_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "backup.h"
#include "base/buf.h"
#include "base/err.h"
#include "marks.h"
#include "tablespaces.h"
#include "tools.h"
#include "watch.h"

/* Writes the schema as one custom-format file, as the snapshot sees it. */
bool cl_schema_dump(const struct cl_tools *tools, struct cl_watch *watch, const char *conninfo,
                    const char *snapshot, const char *file, struct cl_err *err);

enum cl_section { CL_SECTION_PRE_DATA, CL_SECTION_POST_DATA };

/* When an entry may be run. */
enum cl_script_turn {
    CL_TURN_MAIN,       /* in the dump's order */
    CL_TURN_PRIVILEGES, /* after everything is there: grants would bind us, too */
    CL_TURN_LAST,       /* event triggers: they fire at whatever follows */
};

struct cl_script_entry {
    int id;             /* in the dump's table of contents */
    uint32_t class_oid; /* pg_class, pg_constraint …; 0 for comments, privileges and the like */
    uint32_t oid;       /* of the object in the source */
    enum cl_script_turn turn; /* when it is run */
    char *label;              /* "INDEX public person_idx", for messages; owned */
    char *sql;                /* in the script's text, or masked; NULL until cut */
    char *masked;             /* the SQL, when something in it was; NULL: nothing; owned */
    char *settings;           /* of the session, for what follows; owned */
};

struct cl_script {
    struct cl_script_entry *entries; /* n_entries, in the order they are run in; owned */
    size_t n_entries;                /* entries of entries */
    struct cl_buf text; /* what pg_restore wrote: settings of the session, then each entry's SQL,
                           all ended by a NUL */
    char *settings;     /* behind those, for the first entry; owned */
    struct cl_tablespaces tablespaces; /* that the source's objects lie in */
    size_t n_logins;                   /* user mappings that were left out */
    struct cl_mask_tally tally;        /* of what was masked */
};

struct cl_after;
struct cl_pick;

/* Which entries of the dump are not run. */
struct cl_script_except {
    const struct cl_pick *pick;   /* what is not in it; NULL: everything is wanted; borrowed */
    const struct cl_after *after; /* what is made from there; NULL: nothing; borrowed */
};

/* Reads one section of a dump as a script, as spec->leave and spec->tablespaces say; except may be
 * NULL. Legal on a zeroed script; cl_script_fini() is due either way. */
bool cl_script_load(struct cl_script *script, const struct cl_tools *tools, struct cl_watch *watch,
                    const char *file, enum cl_section section, const struct cl_backup_spec *spec,
                    const struct cl_script_except *except, struct cl_err *err);
void cl_script_fini(struct cl_script *script);

/* Where a script is run. All borrowed. */
struct cl_script_run {
    struct cl_watch *watch;       /* asked before each entry */
    PGconn *conn;                 /* the target's */
    const struct cl_marks *marks; /* what an earlier run has done is not done again */
    const char *name;             /* of the script, in marks */
};

/* Runs the entries of one turn, in transactions of a bounded number of them. On failure the open
 * transaction is rolled back and *err names the object. The last turn is one transaction, in which
 * the marks go, too. */
bool cl_script_run(const struct cl_script *script, const struct cl_script_run *run,
                   enum cl_script_turn turn, struct cl_err *err);

#endif
