/* The result of backup.check as Lua values. */
#ifndef CL_BINDING_BACKUP_CHECK_H
#define CL_BINDING_BACKUP_CHECK_H

#include <lua.h>

#include "backup/check.h"

/* Sets columns, findings, not_checked, references and definitions in the table on top of the stack.
 */
void cl_check_push(lua_State *L, const struct cl_check_result *result);

#endif
