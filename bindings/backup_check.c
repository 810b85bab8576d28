#include "backup_check.h"

#include "fields.h"
#include "mask_scan.h"

/* Absent when it is empty. */
static void opt_string(lua_State *L, const char *name, const char *value)
{
    if (value[0]) {
        cl_set_string(L, name, value);
    }
}

/* Absent when it is 0. */
static void opt_count(lua_State *L, const char *name, uint64_t value)
{
    if (value > 0) {
        cl_set_count(L, name, value);
    }
}

static void push_columns(lua_State *L, const struct cl_check_result *result)
{
    lua_createtable(L, (int)result->n_columns, 0);
    for (size_t i = 0; i < result->n_columns; i++) {
        const struct cl_check_column *column = &result->columns[i];
        lua_createtable(L, 0, 9);
        cl_set_string(L, "schema", column->schema);
        cl_set_string(L, "table", column->table);
        cl_set_string(L, "column", column->column);
        cl_set_count(L, "changed", column->changed);
        cl_set_count(L, "shortened", column->shortened);
        cl_set_count(L, "squeezed", column->squeezed);
        cl_set_count(L, "unfit", column->unfit);
        opt_count(L, "limit", column->limit);
        opt_count(L, "needed", column->needed);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_findings(lua_State *L, const struct cl_check_result *result)
{
    lua_createtable(L, (int)result->n_findings, 0);
    for (size_t i = 0; i < result->n_findings; i++) {
        const struct cl_check_finding *finding = &result->findings[i];
        lua_createtable(L, 0, 10);
        cl_set_string(L, "kind", finding->kind);
        cl_set_string(L, "schema", finding->schema);
        cl_set_string(L, "table", finding->table);
        cl_set_string(L, "columns", finding->columns);
        cl_set_count(L, "count", finding->count);
        opt_string(L, "name", finding->name);
        opt_string(L, "other", finding->other);
        opt_string(L, "sample", finding->sample);
        opt_count(L, "limit", finding->limit);
        opt_count(L, "needed", finding->needed);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_gaps(lua_State *L, const struct cl_check_result *result)
{
    lua_createtable(L, (int)result->n_gaps, 0);
    for (size_t i = 0; i < result->n_gaps; i++) {
        lua_createtable(L, 0, 3);
        cl_set_string(L, "kind", result->gaps[i].kind);
        cl_set_string(L, "name", result->gaps[i].name);
        cl_set_string(L, "reason", result->gaps[i].reason);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_references(lua_State *L, const struct cl_check_result *result)
{
    lua_createtable(L, (int)result->n_references, 0);
    for (size_t i = 0; i < result->n_references; i++) {
        const struct cl_check_reference *reference = &result->references[i];
        lua_createtable(L, 0, 6);
        cl_set_string(L, "schema", reference->schema);
        cl_set_string(L, "table", reference->table);
        cl_set_string(L, "column", reference->column);
        cl_set_string(L, "name", reference->name);
        cl_set_string(L, "other", reference->other);
        cl_set_count(L, "count", reference->count);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

void cl_check_push(lua_State *L, const struct cl_check_result *result)
{
    push_columns(L, result);
    lua_setfield(L, -2, "columns");
    push_findings(L, result);
    lua_setfield(L, -2, "findings");
    push_gaps(L, result);
    lua_setfield(L, -2, "not_checked");
    push_references(L, result);
    lua_setfield(L, -2, "references");
    cl_definitions_push(L, result->definitions, result->n_definitions);
    lua_setfield(L, -2, "definitions");
}
