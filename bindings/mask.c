/* mask: rules, and the mask itself over single strings. Scanning a database is in mask_scan.c. */
#include "mask.h"

#include <string.h>

#include <lauxlib.h>

#include "box.h"
#include "host/await.h"
#include "mask_method.h"
#include "mask_scan.h"
#include "modules.h"

#define MT_RULES "cl.mask.rules"
#define DEFAULT_SINK "mailinator.com"

enum {
    EMPTY_INDEX = 1, /* user value: the `empty` list as given, which anchors its strings */
    NAMES_INDEX = 2, /* user value: an array of pointers to them */
    TEXT_BYTES_MAX = 256 * 1024 * 1024,
    LIST_MAX = 1000 * 1000, /* entries of one list in the rules */
};

struct rules {
    struct cl_mask *mask; /* one reference; NULL once collected */
    size_t n_empty;       /* names in NAMES_INDEX */
};

static int release(lua_State *L)
{
    struct rules *rules = luaL_checkudata(L, 1, MT_RULES);
    cl_mask_free(rules->mask);
    rules->mask = NULL;
    return 0;
}

struct cl_mask *cl_mask_check(lua_State *L, int idx)
{
    struct rules *rules = luaL_checkudata(L, idx, MT_RULES);
    luaL_argcheck(L, rules->mask, idx, "the rules were closed");
    return rules->mask;
}

struct cl_mask *cl_mask_opt(lua_State *L, int idx)
{
    return lua_isnoneornil(L, idx) ? NULL : cl_mask_check(L, idx);
}

const char *const *cl_mask_rules_empty(lua_State *L, int idx, size_t *n)
{
    struct rules *rules = luaL_checkudata(L, idx, MT_RULES);
    lua_getiuservalue(L, idx, NAMES_INDEX);
    const char *const *names = lua_touserdata(L, -1); /* the user value keeps it alive */
    lua_pop(L, 1);
    *n = rules->n_empty;
    return names;
}

/* Pushes a NULL-terminated array of the strings in the list at idx, alive as long as both are;
 * name is for the message. */
static const char **push_strings(lua_State *L, int idx, const char *name, size_t *n)
{
    idx = lua_absindex(L, idx);
    *n = 0;
    if (lua_isnoneornil(L, idx)) {
        lua_newtable(L);
        lua_replace(L, idx);
    }
    if (!lua_istable(L, idx)) {
        luaL_error(L, "rules: '%s' must be a list of strings", name);
    }
    size_t count = lua_rawlen(L, idx);
    if (count > LIST_MAX) {
        luaL_error(L, "rules: '%s' has more than %d entries", name, LIST_MAX);
    }
    const char **list = lua_newuserdatauv(L, (count + 1) * sizeof *list, 0);
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(L, idx, (lua_Integer)i + 1) != LUA_TSTRING) {
            luaL_error(L, "rules: entry %d of '%s' is not a string", (int)i + 1, name);
        }
        list[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    list[count] = NULL;
    *n = count;
    return list;
}

static const char *field(lua_State *L, int idx, const char *name)
{
    if (lua_getfield(L, idx, name) != LUA_TSTRING) {
        luaL_error(L, "rules: an entry of 'keep' has no '%s'", name);
    }
    const char *s = lua_tostring(L, -1); /* the entry keeps it alive */
    lua_pop(L, 1);
    return s;
}

/* Pushes the array of exceptions described by the list at idx, and what it points to. */
static struct cl_mask_keep *push_keep(lua_State *L, int idx, size_t *n)
{
    idx = lua_absindex(L, idx);
    *n = lua_istable(L, idx) ? lua_rawlen(L, idx) : 0;
    struct cl_mask_keep *keep = lua_newuserdatauv(L, (*n + 1) * sizeof *keep, 0);
    lua_createtable(L, (int)*n, 0); /* anchors the arrays of values */
    for (size_t i = 0; i < *n; i++) {
        size_t n_values = 0;
        lua_rawgeti(L, idx, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        keep[i].schema = field(L, -1, "schema");
        keep[i].table = field(L, -1, "table");
        keep[i].column = field(L, -1, "column");
        keep[i].reason = field(L, -1, "reason");
        lua_getfield(L, -1, "values");
        keep[i].values = push_strings(L, -1, "values", &n_values);
        lua_rawseti(L, -4, (lua_Integer)i + 1);
        lua_pop(L, 2);
    }
    return keep;
}

/* Pushes rules made to be closed. */
static struct rules *push_rules(lua_State *L)
{
    struct rules *rules = lua_newuserdatauv(L, sizeof *rules, 2);
    memset(rules, 0, sizeof *rules);
    luaL_setmetatable(L, MT_RULES);
    return rules;
}

/* core.rules{sink_domain=, allow=, keep={{schema=, table=, column=, values=, reason=}}, empty=,
 * key=, hash=, methods={…}} */
static int l_rules(lua_State *L)
{
    struct cl_mask_spec spec = {.sink_domain = NULL};
    struct cl_err err;
    size_t n_allow;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct rules *rules = push_rules(L); /* 2 */
    lua_getfield(L, 1, "sink_domain");   /* 3 */
    spec.sink_domain = luaL_optstring(L, 3, DEFAULT_SINK);
    lua_getfield(L, 1, "allow"); /* 4 */
    spec.allow = push_strings(L, 4, "allow", &n_allow);
    lua_getfield(L, 1, "keep");
    spec.keep = push_keep(L, -1, &spec.n_keep);
    lua_getfield(L, 1, "key");
    spec.key = luaL_optlstring(L, -1, NULL, &spec.key_bytes);
    lua_getfield(L, 1, "hash");
    spec.mode = lua_toboolean(L, -1) ? CL_MASK_HASH : CL_MASK_DOMAIN;
    lua_getfield(L, 1, "methods");
    spec.methods = cl_mask_push_methods(L, lua_gettop(L), &spec.n_methods);
    lua_getfield(L, 1, "empty");
    int empty = lua_gettop(L);
    push_strings(L, empty, "empty", &rules->n_empty);
    lua_setiuservalue(L, 2, NAMES_INDEX);
    lua_setiuservalue(L, 2, EMPTY_INDEX);
    rules->mask = cl_mask_new(&spec, &err);
    if (!rules->mask) {
        return cl_raise(L, &err);
    }
    cl_mask_methods_taken(spec.methods, spec.n_methods);
    lua_settop(L, 2);
    return 1;
}

/* rules:hash() -> hex digest over everything that decides what a value becomes */
static int l_hash(lua_State *L)
{
    lua_pushstring(L, cl_mask_rules_hash(cl_mask_check(L, 1)));
    return 1;
}

/* rules:empty() -> the tables whose rows must never be copied */
static int l_empty(lua_State *L)
{
    cl_mask_check(L, 1);
    lua_getiuservalue(L, 1, EMPTY_INDEX);
    return 1;
}

/* core.describe(rules) -> sink_domain, allow, keep: the parts of rules:describe() */
static int l_describe(lua_State *L)
{
    struct cl_mask *mask = cl_mask_check(L, 1);
    lua_pushstring(L, cl_mask_sink(mask));
    lua_newtable(L);
    const char *const *allow = cl_mask_allow(mask);
    for (lua_Integer i = 0; allow[i]; i++) {
        lua_pushstring(L, allow[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_newtable(L);
    for (size_t i = 0; i < cl_mask_keeps_count(mask); i++) {
        size_t n_values;
        const struct cl_mask_keep *keep = cl_mask_keep_at(mask, i, &n_values);
        lua_createtable(L, 0, 4);
        lua_pushfstring(L, "%s.%s", keep->schema, keep->table);
        lua_setfield(L, -2, "table");
        lua_pushstring(L, keep->column);
        lua_setfield(L, -2, "column");
        lua_pushinteger(L, (lua_Integer)n_values);
        lua_setfield(L, -2, "count");
        lua_pushstring(L, keep->reason);
        lua_setfield(L, -2, "reason");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 3;
}

/* Argument idx of email() and find(): rules, a sink domain, or nothing. */
static struct cl_mask *mask_argument(lua_State *L, int idx)
{
    if (lua_isuserdata(L, idx)) {
        return cl_mask_check(L, idx);
    }
    struct cl_mask_spec spec = {.sink_domain = luaL_optstring(L, idx, DEFAULT_SINK)};
    struct cl_err err;
    struct rules *rules = push_rules(L);
    rules->mask = cl_mask_new(&spec, &err);
    if (!rules->mask) {
        cl_raise(L, &err);
    }
    return rules->mask;
}

/* mask.email(text[, rules or sink domain]) -> the text, masked */
static int l_email(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    struct cl_mask *mask = mask_argument(L, 2);
    struct cl_buf *out = cl_box_push(L, TEXT_BYTES_MAX);
    struct cl_mask_tally tally = {0};
    struct cl_err err;
    bool changed;
    if (!cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, text, n, 0, out, &changed, &tally, &err)) {
        return cl_raise(L, &err);
    }
    lua_pushlstring(L, cl_buf_str(out), out->len);
    return 1;
}

/* core.apply(method, value[, key]) -> what the method makes of it, nil for NULL */
static int l_apply(lua_State *L)
{
    struct cl_mask_spec spec = {.sink_domain = DEFAULT_SINK};
    struct cl_mask_value value = {.type = CL_MASK_TEXT};
    struct cl_mask_tally tally = {0};
    struct cl_err err;
    bool is_null;
    luaL_checktype(L, 1, LUA_TTABLE);
    value.in = luaL_checklstring(L, 2, &value.n);
    spec.key = luaL_optlstring(L, 3, NULL, &spec.key_bytes);
    lua_settop(L, 3);
    struct rules *rules = push_rules(L); /* 4 */
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, 5, 1);
    spec.methods = cl_mask_push_methods(L, 5, &spec.n_methods);
    struct cl_buf *out = cl_box_push(L, TEXT_BYTES_MAX);
    rules->mask = cl_mask_new(&spec, &err);
    if (!rules->mask) {
        return cl_raise(L, &err);
    }
    cl_mask_methods_taken(spec.methods, spec.n_methods);
    const struct cl_mask_method *method = cl_mask_method_at(rules->mask, 0);
    if (strcmp(cl_mask_method_kind(method), "json") == 0) {
        value.type = CL_MASK_JSON;
        value.carrier = CL_CARRIER_JSON;
    }
    struct cl_mask_worker *worker = cl_mask_worker_open(method, &err);
    bool ok = worker &&
              cl_mask_method_apply(rules->mask, worker, NULL, &value, out, &is_null, &tally, &err);
    cl_mask_worker_close(worker);
    if (!ok) {
        return cl_raise(L, &err);
    }
    if (is_null) {
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, cl_buf_str(out), out->len);
    }
    return 1;
}

static void collect(void *arg, const char *address, size_t len)
{
    struct cl_buf *found = arg;
    cl_buf_add(found, &len, sizeof len);
    cl_buf_add(found, address, len);
}

/* mask.find(text[, rules or sink domain]) -> list of the addresses that would be masked */
static int l_find(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    struct cl_mask *mask = mask_argument(L, 2);
    struct cl_buf *found = cl_box_push(L, TEXT_BYTES_MAX);
    cl_mask_find(mask, NULL, CL_CARRIER_TEXT, text, n, collect, found);
    if (found->failed) {
        return luaL_error(L, "more than %d bytes of addresses", TEXT_BYTES_MAX);
    }
    lua_newtable(L);
    lua_Integer count = 0;
    for (size_t p = 0; p < found->len;) {
        size_t len;
        memcpy(&len, found->data + p, sizeof len);
        p += sizeof len;
        lua_pushlstring(L, found->data + p, len);
        lua_rawseti(L, -2, ++count);
        p += len;
    }
    return 1;
}

int luaopen_cl_mask(lua_State *L)
{
    static const luaL_Reg methods[] = {{"hash", l_hash}, {"empty", l_empty}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"rules", l_rules},
        {"describe", l_describe},
        {"email", l_email},
        {"apply", l_apply},
        {"find", l_find},
        {"scan", cl_mask_scan_binding},
        {"columns_sql", cl_mask_columns_sql_binding},
        {NULL, NULL},
    };
    luaL_newlib(L, functions);
    if (luaL_newmetatable(L, MT_RULES)) {
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, methods); /* mask.lua adds describe */
        lua_pushvalue(L, -1);
        lua_setfield(L, -4, "methods");
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    return 1;
}
