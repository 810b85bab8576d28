#include "mask_scan.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "backup/scan.h"
#include "base/clock.h"
#include "base/embed.h"
#include "fields.h"
#include "host/await.h"
#include "job.h"
#include "mask.h"
#include "pg/session.h"

static void push_places(lua_State *L, const struct cl_scan_result *r)
{
    lua_createtable(L, (int)r->n_places, 0);
    for (size_t i = 0; i < r->n_places; i++) {
        const struct cl_scan_place *place = &r->places[i];
        lua_createtable(L, 0, 6);
        cl_set_string(L, "schema", place->schema);
        cl_set_string(L, "table", place->table);
        cl_set_string(L, "column", place->column);
        cl_set_string(L, "domain", place->domain);
        cl_set_string(L, "sample", place->sample);
        cl_set_count(L, "count", place->count);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_kept(lua_State *L, const struct cl_scan_result *r)
{
    lua_createtable(L, (int)r->n_kept, 0);
    for (size_t i = 0; i < r->n_kept; i++) {
        const struct cl_scan_kept *kept = &r->kept[i];
        lua_createtable(L, 0, 4);
        lua_pushfstring(L, "%s.%s", kept->schema, kept->table);
        lua_setfield(L, -2, "table");
        cl_set_string(L, "column", kept->column);
        cl_set_string(L, "reason", kept->reason);
        cl_set_count(L, "count", kept->count);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_gaps(lua_State *L, const struct cl_scan_result *r)
{
    lua_createtable(L, (int)r->n_gaps, 0);
    for (size_t i = 0; i < r->n_gaps; i++) {
        lua_createtable(L, 0, 2);
        cl_set_string(L, "kind", r->gaps[i].kind);
        cl_set_string(L, "name", r->gaps[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

void cl_definitions_push(lua_State *L, const struct cl_scan_definition *list, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        const struct cl_scan_definition *one = &list[i];
        lua_createtable(L, 0, 5);
        cl_set_string(L, "kind", one->kind);
        cl_set_string(L, "object", one->object);
        cl_set_string(L, "domain", one->domain);
        cl_set_string(L, "sample", one->sample);
        cl_set_count(L, "count", one->count);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* The certificate, but for the rules, which Lua adds. */
static int push_result(lua_State *L, void *arg)
{
    const struct cl_scan_result *r = cl_scan_result(arg);
    char iso[CL_ISO_BYTES];
    cl_clock_iso(r->taken_at_ms, iso);
    lua_newtable(L);
    cl_set_count(L, "version", 2);
    lua_newtable(L);
    cl_set_string(L, "system_identifier", r->system_identifier);
    cl_set_string(L, "oid", r->database_oid);
    cl_set_string(L, "name", r->database);
    cl_set_string(L, "server_version", r->server_version);
    lua_setfield(L, -2, "database");
    cl_set_string(L, "snapshot", r->snapshot);
    cl_set_string(L, "snapshot_xmax", r->last_xid);
    cl_set_string(L, "taken_at", iso);
    lua_newtable(L);
    cl_set_count(L, "tables", r->tables);
    cl_set_count(L, "columns", r->columns);
    cl_set_count(L, "rows", r->rows);
    cl_set_count(L, "values", r->values);
    cl_set_count(L, "bytes", r->bytes);
    cl_set_count(L, "large_objects", r->large_objects);
    cl_set_count(L, "definitions", r->definitions);
    lua_setfield(L, -2, "scanned");
    cl_set_count(L, "leaks", r->leaks);
    push_places(L, r);
    lua_setfield(L, -2, "places");
    push_kept(L, r);
    lua_setfield(L, -2, "kept");
    push_gaps(L, r);
    lua_setfield(L, -2, "not_scanned");
    cl_definitions_push(L, r->in_schema, r->n_in_schema);
    lua_setfield(L, -2, "definitions");
    lua_pushnumber(L, (lua_Number)r->elapsed_ms / 1000);
    lua_setfield(L, -2, "seconds");
    return 1;
}

/* Pushes a NULL-terminated array of the strings in the list at idx; Lua checked them. */
static const char **push_tables(lua_State *L, int idx)
{
    size_t n = lua_rawlen(L, idx);
    const char **list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, idx, (lua_Integer)i + 1);
        list[i] = luaL_checkstring(L, -1); /* the list keeps it alive */
        lua_pop(L, 1);
    }
    list[n] = NULL;
    return list;
}

int cl_mask_scan_binding(lua_State *L)
{
    struct cl_scan_spec spec = {.conninfo = luaL_checkstring(L, 1)};
    struct cl_err err;
    const char *password = luaL_optstring(L, 2, NULL);
    spec.mask = cl_mask_check(L, 3);
    lua_Integer jobs = luaL_checkinteger(L, 4);
    luaL_argcheck(L, jobs >= 1 && jobs <= CL_SCAN_JOBS_MAX, 4, "1 to 64 jobs");
    spec.jobs = (unsigned)jobs;
    lua_Integer since = luaL_optinteger(L, 6, 0);
    luaL_argcheck(L, since >= 0 && since <= UINT32_MAX, 6, "a transaction id");
    spec.newer = !lua_isnoneornil(L, 6);
    spec.since = (uint32_t)since;
    lua_Integer part_bytes = luaL_optinteger(L, 7, 0);
    luaL_argcheck(L, part_bytes >= 0, 7, "part_bytes must not be negative");
    spec.part_bytes = (uint64_t)part_bytes;
    spec.tables = lua_isnoneornil(L, 5) ? NULL : push_tables(L, 5);
    struct cl_job_handle *handle = cl_job_push(L);
    char *conninfo = cl_pg_conninfo(spec.conninfo, password, &err);
    if (!conninfo) {
        return cl_raise(L, &err);
    }
    spec.conninfo = conninfo;
    handle->arg = cl_scan_new(&spec, &err); /* nothing raises while conninfo is ours */
    explicit_bzero(conninfo, strlen(conninfo));
    free(conninfo);
    if (!handle->arg) {
        return cl_raise(L, &err);
    }
    handle->run = cl_scan_run;
    handle->free_arg = cl_scan_free;
    handle->push_result = push_result;
    return cl_job_begin(L);
}

int cl_mask_columns_sql_binding(lua_State *L)
{
    const struct cl_embedded *sql = cl_embedded("runtime/backup/scan_columns.sql");
    lua_pushlstring(L, sql->data, sql->len);
    return 1;
}
