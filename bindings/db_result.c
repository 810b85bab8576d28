/* db: what a statement gave back, until Lua has its own copy. */
#include <stdlib.h>

#include <lauxlib.h>

#include "db_value.h"

#define MT_RESULT "cl.db.result"

struct result {
    PGresult *pg; /* NULL once closed */
};

PGresult **cl_db_push_result(lua_State *L)
{
    struct result *r = lua_newuserdatauv(L, sizeof *r, 0);
    r->pg = NULL;
    luaL_setmetatable(L, MT_RESULT);
    return &r->pg;
}

static int result_release(lua_State *L)
{
    struct result *r = luaL_checkudata(L, 1, MT_RESULT);
    PGresult *pg = r->pg;
    r->pg = NULL;
    PQclear(pg);
    return 0;
}

static PGresult *check_result(lua_State *L)
{
    struct result *r = luaL_checkudata(L, 1, MT_RESULT);
    luaL_argcheck(L, r->pg != NULL, 1, "the result is closed");
    return r->pg;
}

/* core.describe(result) -> {column names}, affected rows, command tag */
static int l_describe(lua_State *L)
{
    PGresult *r = check_result(L);
    int n = PQnfields(r);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushstring(L, PQfname(r, i));
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, strtoll(PQcmdTuples(r), NULL, 10));
    lua_pushstring(L, PQcmdStatus(r));
    return 3;
}

/* core.unknown(result, types) -> {OIDs of types to ask the server about} or nil */
static int l_unknown(lua_State *L)
{
    PGresult *r = check_result(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_newtable(L);
    lua_Integer count = 0;
    for (int i = 0; i < PQnfields(r); i++) {
        if (cl_db_type_unknown(L, 2, PQftype(r, i))) {
            lua_pushinteger(L, PQftype(r, i));
            lua_rawseti(L, 3, ++count);
        }
    }
    return count > 0 ? 1 : 0;
}

static void push_cell(lua_State *L, struct cl_db_convert *how, const PGresult *r, int row, int col)
{
    how->column = PQfname(r, col);
    cl_db_push_value(L, how, PQftype(r, col), PQgetvalue(r, row, col),
                     (size_t)PQgetlength(r, row, col));
}

/* core.rows(result, types, json.decode, row metatable, {column names}) -> list of rows; NULL is
 * absent */
static int l_rows(lua_State *L)
{
    PGresult *r = check_result(L);
    lua_settop(L, 5);
    int rows = PQntuples(r), cols = PQnfields(r);
    struct cl_db_convert how = {.types = 2, .decode = 3};
    luaL_checkstack(L, cols + 20, "too many columns");
    for (int i = 0; i < cols; i++) { /* stack from 6: the names, made once */
        lua_rawgeti(L, 5, i + 1);
    }
    lua_createtable(L, rows, 0);
    for (int row = 0; row < rows; row++) {
        lua_createtable(L, 0, cols);
        for (int col = 0; col < cols; col++) {
            if (!PQgetisnull(r, row, col)) {
                lua_pushvalue(L, 6 + col);
                push_cell(L, &how, r, row, col);
                lua_rawset(L, -3);
            }
        }
        lua_pushvalue(L, 4);
        lua_setmetatable(L, -2);
        lua_rawseti(L, -2, row + 1);
    }
    return 1;
}

/* core.first(result, types, json.decode) -> first column of the first row, nil: NULL or no row */
static int l_first(lua_State *L)
{
    PGresult *r = check_result(L);
    lua_settop(L, 3);
    struct cl_db_convert how = {.types = 2, .decode = 3};
    if (PQntuples(r) == 0 || PQnfields(r) == 0 || PQgetisnull(r, 0, 0)) {
        lua_pushnil(L);
    } else {
        push_cell(L, &how, r, 0, 0);
    }
    return 1;
}

void cl_db_result_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"describe", l_describe},
                                         {"unknown", l_unknown},
                                         {"rows", l_rows},
                                         {"first", l_first},
                                         {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__gc", result_release}, {"__close", result_release}, {NULL, NULL}};
    luaL_newmetatable(L, MT_RESULT);
    luaL_setfuncs(L, meta, 0);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
