/* What pg_dump and pg_restore are asked for. */
#include "schema.h"

#include <stdlib.h>

#include "conninfo.h"
#include "loop/child.h"

/* Settings a role or database may have that would stop pg_dump half way. */
#define CHILD_OPTIONS                                                                              \
    "PGOPTIONS=-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 " \
    "-c default_transaction_isolation=read\\ committed -c quote_all_identifiers=off"

bool cl_schema_dump(const struct cl_tools *tools, struct cl_watch *watch, const char *conninfo,
                    const char *snapshot, const char *file, struct cl_err *err)
{
    char path[CL_TOOL_PATH_BYTES];
    struct cl_conninfo_parts parts;
    if (!cl_conninfo_split(conninfo, &parts, err)) {
        return false;
    }
    const char *argv[] = {cl_tools_program(tools, "pg_dump", path),
                          "--format=custom",
                          "--schema-only",
                          "--encoding=UTF8", /* whatever the database tells its clients */
                          "--no-password",
                          "--snapshot",
                          snapshot,
                          "--file",
                          file,
                          "--dbname",
                          parts.public_part,
                          NULL};
    /* the password in the environment, where other users cannot see it */
    const char *env[] = {CHILD_OPTIONS, parts.password_env, NULL};
    struct cl_child child = {.argv = argv, .env = env, .job = cl_watch_job(watch)};
    bool ok = cl_child_run(&child, err);
    cl_conninfo_fini(&parts);
    return ok || cl_err_context(err, "source: reading the schema");
}
