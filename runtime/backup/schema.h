/* The schema, by pg_dump and pg_restore. Which of the installed versions fits is decided here. */
#ifndef CL_BACKUP_SCHEMA_H
#define CL_BACKUP_SCHEMA_H

#include <stdbool.h>

#include "base/err.h"
#include "watch.h"

enum cl_section { CL_SECTION_PRE_DATA, CL_SECTION_POST_DATA };

struct cl_tools {
    char folder[256]; /* of pg_dump and pg_restore, "" for those in PATH */
    int major;        /* their version */
};

/* The oldest installed tools that can read a server of that version (server_version_num); class
 * invalid naming the package when none can. */
bool cl_tools_find(struct cl_tools *tools, int server_number, struct cl_err *err);

/* Writes the schema as one custom-format file, as the snapshot sees it. */
bool cl_schema_dump(const struct cl_tools *tools, struct cl_watch *watch, const char *conninfo,
                    const char *snapshot, const char *file, struct cl_err *err);

/* Restores one section of it. Owners, privileges, tablespaces, publications and subscriptions are
 * left out: they belong to the source's cluster; so are user mappings, with which a copy could
 * write to the databases behind the source's foreign tables: *logins (may be NULL) is how many
 * there were. jobs: connections for the post-data section. */
bool cl_schema_restore(const struct cl_tools *tools, struct cl_watch *watch, const char *conninfo,
                       enum cl_section section, int jobs, const char *file, size_t *logins,
                       struct cl_err *err);

#endif
