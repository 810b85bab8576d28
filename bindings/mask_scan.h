/* mask.scan: the job behind it. */
#ifndef CL_BINDING_MASK_SCAN_H
#define CL_BINDING_MASK_SCAN_H

#include <lua.h>

#include "backup/scan.h"

/* core.scan(conninfo, password or nil, rules, jobs, tables or nil) -> job handle */
int cl_mask_scan_binding(lua_State *L);

/* Pushes the list of addresses in a schema. */
void cl_definitions_push(lua_State *L, const struct cl_scan_definition *list, size_t n);

/* core.columns_sql() -> the query for the columns a scan reads */
int cl_mask_columns_sql_binding(lua_State *L);

#endif
