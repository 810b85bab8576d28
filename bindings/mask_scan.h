/* mask.scan: the job behind it. */
#ifndef CL_BINDING_MASK_SCAN_H
#define CL_BINDING_MASK_SCAN_H

#include <lua.h>

/* core.scan(conninfo, password or nil, rules, jobs, tables or nil) -> job handle */
int cl_mask_scan_binding(lua_State *L);

/* core.columns_sql() -> the query for the columns a scan reads */
int cl_mask_columns_sql_binding(lua_State *L);

#endif
