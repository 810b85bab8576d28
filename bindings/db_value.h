/* Values between PostgreSQL and Lua; shared by the db*.c files only. */
#ifndef CL_BINDING_DB_VALUE_H
#define CL_BINDING_DB_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>
#include <lua.h>

#include "pg/conn.h"

/* Metatable of db.json(), db.bytea(), db.array(): {type OID, format, text}. */
#define CL_MT_DB_VALUE "cl.db.value"

/* [-0, +1] a userdata with the arguments first..top as parameters; *out points into it and into
 * the arguments, which must stay where they are. Raises for what cannot be a parameter. */
void cl_db_push_params(lua_State *L, int first, struct cl_pg_params *out);

struct cl_db_convert {
    int types;          /* stack index: table of type OID -> OID of its elements, or false */
    int decode;         /* stack index: json.decode */
    const char *column; /* for messages */
};

/* [-0, +1] a value that is not NULL. */
void cl_db_push_value(lua_State *L, const struct cl_db_convert *how, Oid type, const char *text,
                      size_t len);

/* Must the server be asked what kind of type it is? Types of extensions and of users; types: stack
 * index of those asked about before. */
bool cl_db_type_unknown(lua_State *L, int types, Oid type);

/* db_result.c: [-0, +1] a closed result; store a PGresult there and it is owned. */
PGresult **cl_db_push_result(lua_State *L);

/* Makes its metatable, and adds the functions on results to the table on top. */
void cl_db_result_open(lua_State *L);

#endif
