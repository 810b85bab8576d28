#include "db_value.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <lauxlib.h>

#include "host/await.h"
#include "json.h"

enum {
    PARAMS_MAX = 65535,     /* of the protocol */
    NUMBER_BYTES = 32,      /* a number as text */
    ARRAY_DEPTH_MAX = 6,    /* MAXDIM of PostgreSQL */
    FIRST_USER_OID = 16384, /* below: types every server has */
};

enum oid {
    BOOL = 16,
    BYTEA = 17,
    INT8 = 20,
    INT2 = 21,
    INT4 = 23,
    OIDOID = 26,
    JSON = 114,
    FLOAT4 = 700,
    FLOAT8 = 701,
    JSONB = 3802,
};

/* Array types every server has, but those whose elements stay text. */
static const struct {
    Oid array;
    Oid element;
} arrays[] = {
    {1000, BOOL},   {1001, BYTEA},  {1005, INT2}, {1007, INT4},  {1016, INT8}, {1028, OIDOID},
    {1021, FLOAT4}, {1022, FLOAT8}, {199, JSON},  {3807, JSONB}, {1002, 18},   {1003, 19},
    {1009, 25},     {1014, 1042},   {1015, 1043}, {1115, 1114},  {1182, 1082}, {1183, 1083},
    {1185, 1184},   {1187, 1186},   {1231, 1700}, {1270, 1266},  {2951, 2950}, {1041, 869},
    {651, 650},     {143, 142},     {2211, 2206}, {2210, 2205},  {3643, 3614}, {1561, 1560},
    {1563, 1562},   {791, 790},     {1040, 829},  {1034, 1033},
};

/* ---------------------------------------------------------------- parameters */

struct params {
    Oid *types;                    /* beside values */
    const char **values;           /* NULL: SQL NULL */
    int *lengths;                  /* of binary values */
    int *formats;                  /* 0 text, 1 binary */
    char (*numbers)[NUMBER_BYTES]; /* text of numbers */
};

static void take_wrapped(lua_State *L, int arg, struct params *p, int i)
{
    size_t len;
    bool ours = lua_getmetatable(L, arg);
    if (ours) {
        luaL_getmetatable(L, CL_MT_DB_VALUE);
        ours = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    if (!ours) {
        luaL_argerror(L, arg, "a table is not a parameter: use db.json, db.array or db.bytea");
    }
    lua_rawgeti(L, arg, 1);
    p->types[i] = (Oid)lua_tointeger(L, -1);
    lua_rawgeti(L, arg, 2);
    p->formats[i] = (int)lua_tointeger(L, -1);
    lua_rawgeti(L, arg, 3);
    p->values[i] = luaL_checklstring(L, -1, &len);
    p->lengths[i] = (int)len;
    lua_pop(L, 3); /* the argument keeps the string */
}

static void take(lua_State *L, int arg, struct params *p, int i)
{
    size_t len;
    switch (lua_type(L, arg)) {
    case LUA_TNIL:
        p->values[i] = NULL;
        break;
    case LUA_TBOOLEAN:
        p->types[i] = BOOL;
        p->values[i] = lua_toboolean(L, arg) ? "t" : "f";
        break;
    case LUA_TNUMBER:
        p->values[i] = p->numbers[i];
        if (lua_isinteger(L, arg)) {
            lua_Integer n = lua_tointeger(L, arg);
            p->types[i] = n >= INT32_MIN && n <= INT32_MAX ? INT4 : INT8;
            snprintf(p->numbers[i], NUMBER_BYTES, "%lld", (long long)n);
        } else {
            p->types[i] = FLOAT8;
            snprintf(p->numbers[i], NUMBER_BYTES, "%.17g", lua_tonumber(L, arg));
        }
        break;
    case LUA_TSTRING:
        p->values[i] = lua_tolstring(L, arg, &len); /* no type: the server infers it */
        luaL_argcheck(L, memchr(p->values[i], '\0', len) == NULL, arg,
                      "text with a zero byte: use db.bytea");
        break;
    case LUA_TTABLE:
        take_wrapped(L, arg, p, i);
        break;
    default:
        if (!lua_islightuserdata(L, arg) || lua_touserdata(L, arg)) {
            luaL_typeerror(L, arg, "a value PostgreSQL knows");
        }
        p->values[i] = NULL; /* db.null */
    }
}

void cl_db_push_params(lua_State *L, int first, struct cl_pg_params *out)
{
    int n = lua_gettop(L) - first + 1;
    n = n > 0 ? n : 0;
    luaL_argcheck(L, n <= PARAMS_MAX, first, "more than 65,535 parameters");
    size_t count = (size_t)n;
    size_t each = sizeof(char *) + sizeof(Oid) + 2 * sizeof(int) + NUMBER_BYTES;
    char *memory = lua_newuserdatauv(L, count * each + 1, 0);
    memset(memory, 0, count * each + 1);
    struct params p;
    p.values = (const char **)(void *)memory;
    p.types = (Oid *)(void *)(p.values + count);
    p.lengths = (int *)(p.types + count);
    p.formats = p.lengths + count;
    p.numbers = (char(*)[NUMBER_BYTES])(p.formats + count);
    for (int i = 0; i < n; i++) {
        take(L, first + i, &p, i);
    }
    *out = (struct cl_pg_params){n, p.types, p.values, p.lengths, p.formats};
}

/* ---------------------------------------------------------------- results */

static int fail(lua_State *L, const struct cl_db_convert *how, const char *why)
{
    struct cl_err err;
    cl_fail(&err, CL_INVALID, "E_VALUE", "column '%s': %s", how->column, why);
    return cl_raise(L, &err);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void push_bytea(lua_State *L, const struct cl_db_convert *how, const char *text, size_t len)
{
    luaL_Buffer b;
    if (len < 2 || text[0] != '\\' || text[1] != 'x' || len % 2 != 0) {
        fail(L, how, "bytea in another format than hex: leave bytea_output alone");
    }
    size_t n = len / 2 - 1;
    char *out = luaL_buffinitsize(L, &b, n);
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(text[2 + 2 * i]), low = hex_digit(text[3 + 2 * i]);
        out[i] = (char)((unsigned)high << 4 | (unsigned)low);
    }
    luaL_pushresultsize(&b, n);
}

static void push_json(lua_State *L, const struct cl_db_convert *how, const char *text, size_t len)
{
    char why[512];
    lua_pushvalue(L, how->decode);
    lua_pushlstring(L, text, len);
    int status = lua_pcall(L, 1, 1, 0);
    if (status == LUA_ERRMEM) {
        lua_error(L);
    }
    if (status != LUA_OK) {
        snprintf(why, sizeof why, "%s (select it as text to get it undecoded)",
                 luaL_tolstring(L, -1, NULL));
        fail(L, how, why);
    }
}

static Oid element_type(lua_State *L, int types, Oid type)
{
    Oid element = 0;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (arrays[i].array == type) {
            return arrays[i].element;
        }
    }
    if (type >= FIRST_USER_OID) {
        if (lua_rawgeti(L, types, type) == LUA_TNUMBER) {
            element = (Oid)lua_tointeger(L, -1);
        }
        lua_pop(L, 1);
    }
    return element;
}

bool cl_db_type_unknown(lua_State *L, int types, Oid type)
{
    if (type < FIRST_USER_OID) {
        return false;
    }
    bool unknown = lua_rawgeti(L, types, type) == LUA_TNIL;
    lua_pop(L, 1);
    return unknown;
}

/* [-0, +1] the quoted element at *p, which is left behind its closing quote. */
static void push_quoted(lua_State *L, const struct cl_db_convert *how, const char **p)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    const char *s = *p + 1;
    while (*s && *s != '"') {
        s += *s == '\\' && s[1];
        luaL_addchar(&b, *s);
        s++;
    }
    if (*s != '"') {
        fail(L, how, "an array that does not end");
    }
    *p = s + 1;
    luaL_pushresult(&b);
}

static void push_element(lua_State *L, const struct cl_db_convert *how, Oid element, const char **p)
{
    size_t len;
    if (**p == '"') {
        push_quoted(L, how, p);
    } else {
        len = strcspn(*p, ",}");
        const char *begin = *p;
        *p += len;
        if (len == 4 && strncasecmp(begin, "NULL", 4) == 0) {
            lua_pushlightuserdata(L, NULL);
            return;
        }
        lua_pushlstring(L, begin, len);
    }
    const char *text = lua_tolstring(L, -1, &len);
    cl_db_push_value(L, how, element, text, len); /* stack: text, value */
    lua_remove(L, -2);
}

/* [-0, +1] the array at *p, which is left behind its closing brace. */
static void push_array(lua_State *L, const struct cl_db_convert *how, Oid element, const char **p,
                       int depth)
{
    luaL_checkstack(L, 8, "array");
    if (depth > ARRAY_DEPTH_MAX) {
        fail(L, how, "an array nested too deeply");
    }
    lua_newtable(L);
    luaL_setmetatable(L, CL_MT_JSON_ARRAY);
    const char *s = *p + 1;
    for (lua_Integer i = 1; *s && *s != '}'; i++) {
        if (*s == '{') {
            push_array(L, how, element, &s, depth + 1);
        } else {
            push_element(L, how, element, &s);
        }
        lua_rawseti(L, -2, i);
        s += *s == ',';
    }
    if (*s != '}') {
        fail(L, how, "an array that does not end");
    }
    *p = s + 1;
}

static void push_double(lua_State *L, const char *text)
{
    lua_pushnumber(L, strtod(text, NULL)); /* knows NaN and Infinity too */
}

void cl_db_push_value(lua_State *L, const struct cl_db_convert *how, Oid type, const char *text,
                      size_t len)
{
    Oid element;
    switch (type) {
    case INT2:
    case INT4:
    case INT8:
    case OIDOID:
        lua_pushinteger(L, strtoll(text, NULL, 10));
        return;
    case FLOAT4:
    case FLOAT8:
        push_double(L, text);
        return;
    case BOOL:
        lua_pushboolean(L, text[0] == 't');
        return;
    case BYTEA:
        push_bytea(L, how, text, len);
        return;
    case JSON:
    case JSONB:
        push_json(L, how, text, len);
        return;
    default:
        element = element_type(L, how->types, type);
    }
    const char *begin = element ? strchr(text, '{') : NULL; /* after "[0:2]=", when it has that */
    if (begin) {
        push_array(L, how, element, &begin, 1);
    } else {
        lua_pushlstring(L, text, len);
    }
}
