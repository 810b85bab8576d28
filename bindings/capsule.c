#include "capsule.h"

#include <string.h>

#include <lauxlib.h>

#include "pure.h"

enum { DEPTH_MAX = 100 };

/* One byte before each value. Lengths and counts are uint64_t in this machine's order. */
enum {
    TAG_NIL = 'z',
    TAG_FALSE = '0',
    TAG_TRUE = '1',
    TAG_INTEGER = 'i',  /* lua_Integer */
    TAG_NUMBER = 'n',   /* lua_Number */
    TAG_STRING = 's',   /* length, bytes */
    TAG_TABLE = 't',    /* count; keys, each with its value */
    TAG_FUNCTION = 'f', /* length, bytecode; count, upvalues */
    TAG_SEEN = '=',     /* number of a table or function that came before, from 1 */
    TAG_PURE = 'p',     /* library and name, each with its length */
    TAG_ENV = 'e',      /* the environment */
};

/* ---------------------------------------------------------------- packing */

struct packer {
    lua_State *L;
    struct cl_buf *out;
    int seen;        /* index of a table: table or function -> its number */
    uint64_t n_seen; /* numbers given */
    bool bare;       /* without debug information */
    int depth;       /* values inside one another */
};

/* Where a value was found, for messages. */
struct use {
    const lua_Debug *function; /* which uses it; NULL: it is the function itself */
    const char *name;          /* what it is called there */
    bool inside;               /* in a table of that name */
};

static void refuse(struct packer *p, const struct use *use, const char *what)
{
    if (!use->function) {
        luaL_error(p->L, "%s cannot be taken along", what);
        return;
    }
    luaL_error(p->L,
               "%s:%d: the function uses '%s' from outside, %s%s: only plain values, tables of "
               "them and Lua functions can be taken along",
               use->function->short_src, use->function->linedefined, use->name,
               use->inside ? "which holds " : "", what);
}

static void add_size(struct packer *p, size_t n)
{
    uint64_t wide = n;
    cl_buf_add(p->out, &wide, sizeof wide);
}

static void add_bytes(struct packer *p, const char *bytes, size_t n)
{
    add_size(p, n);
    cl_buf_add(p->out, bytes, n);
}

static void pack(struct packer *p, const struct use *use);

static int write_code(lua_State *L, const void *bytes, size_t n, void *out)
{
    (void)L;
    cl_buf_add(out, bytes, n);
    return 0; /* a full buffer says so itself */
}

/* The Lua function on top. */
static void pack_function(struct packer *p)
{
    lua_State *L = p->L;
    lua_Debug ar;
    uint64_t length = 0;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">Su", &ar);
    cl_buf_addc(p->out, TAG_FUNCTION);
    size_t begin = p->out->len;
    add_size(p, 0); /* put right below */
    lua_dump(L, write_code, p->out, p->bare);
    if (p->out->failed) {
        return;
    }
    length = p->out->len - begin - sizeof length;
    memcpy(p->out->data + begin, &length, sizeof length);
    add_size(p, ar.nups);
    for (int i = 1; i <= ar.nups; i++) {
        struct use use = {.function = &ar, .name = lua_getupvalue(L, -1, i)};
        if (strcmp(use.name, "_ENV") == 0) {
            cl_buf_addc(p->out, TAG_ENV);
        } else {
            pack(p, &use);
        }
        lua_pop(L, 1);
    }
}

/* The table on top. */
static void pack_table(struct packer *p, const struct use *use)
{
    lua_State *L = p->L;
    struct use inside = *use;
    inside.inside = true;
    if (lua_getmetatable(L, -1)) {
        refuse(p, use, "an object");
    }
    if (!cl_pure_keys(L, -1)) {
        refuse(p, use, "a table with keys that are not strings or numbers");
    }
    cl_buf_addc(p->out, TAG_TABLE);
    add_size(p, lua_rawlen(L, -1));
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        pack(p, &inside); /* the key */
        lua_rawget(L, -3);
        pack(p, &inside);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

/* Something that has an identity, on top. */
static void pack_object(struct packer *p, const struct use *use)
{
    lua_State *L = p->L;
    const char *library;
    const char *name;
    if (use->function && cl_pure_find(L, -1, &library, &name)) {
        cl_buf_addc(p->out, TAG_PURE);
        add_bytes(p, library, strlen(library));
        add_bytes(p, name, strlen(name));
        return;
    }
    lua_pushvalue(L, -1);
    if (lua_rawget(L, p->seen) == LUA_TNUMBER) {
        cl_buf_addc(p->out, TAG_SEEN);
        add_size(p, (size_t)lua_tointeger(L, -1));
        lua_pop(L, 1);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushinteger(L, (lua_Integer)++p->n_seen);
    lua_rawset(L, p->seen);
    if (lua_istable(L, -1)) {
        pack_table(p, use);
    } else if (lua_iscfunction(L, -1)) {
        refuse(p, use, "a function of the runtime");
    } else {
        pack_function(p);
    }
}

static void pack_number(struct packer *p)
{
    if (lua_isinteger(p->L, -1)) {
        lua_Integer integer = lua_tointeger(p->L, -1);
        cl_buf_addc(p->out, TAG_INTEGER);
        cl_buf_add(p->out, &integer, sizeof integer);
    } else {
        lua_Number number = lua_tonumber(p->L, -1);
        cl_buf_addc(p->out, TAG_NUMBER);
        cl_buf_add(p->out, &number, sizeof number);
    }
}

/* The value on top, which stays there. */
static void pack(struct packer *p, const struct use *use)
{
    lua_State *L = p->L;
    size_t n;
    const char *bytes;
    if (++p->depth > DEPTH_MAX) {
        refuse(p, use, "tables or functions nested too deeply");
    }
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        cl_buf_addc(p->out, TAG_NIL);
        break;
    case LUA_TBOOLEAN:
        cl_buf_addc(p->out, lua_toboolean(L, -1) ? TAG_TRUE : TAG_FALSE);
        break;
    case LUA_TNUMBER:
        pack_number(p);
        break;
    case LUA_TSTRING:
        bytes = lua_tolstring(L, -1, &n);
        cl_buf_addc(p->out, TAG_STRING);
        add_bytes(p, bytes, n);
        break;
    case LUA_TTABLE:
    case LUA_TFUNCTION:
        pack_object(p, use);
        break;
    default:
        refuse(p, use, "an object");
    }
    p->depth--;
}

void cl_capsule_pack(lua_State *L, int idx, bool bare, struct cl_buf *out)
{
    struct use use = {.function = NULL};
    luaL_checktype(L, idx, LUA_TFUNCTION);
    lua_pushvalue(L, idx);
    lua_newtable(L);
    lua_insert(L, -2);
    struct packer p = {.L = L, .out = out, .seen = lua_gettop(L) - 1, .bare = bare};
    pack(&p, &use);
    lua_pop(L, 2);
}

/* ---------------------------------------------------------------- unpacking */

struct unpacker {
    lua_State *L;
    const char *at;        /* the next byte */
    int env;               /* index of the environment */
    int seen;              /* index of a list: tables and functions by number */
    int watched;           /* index of the list that cl_capsule_unpack returns */
    lua_Integer n_seen;    /* of seen */
    lua_Integer n_watched; /* entries of watched */
};

static void take(struct unpacker *u, void *out, size_t n)
{
    memcpy(out, u->at, n);
    u->at += n;
}

static size_t take_size(struct unpacker *u)
{
    uint64_t n;
    take(u, &n, sizeof n);
    return n;
}

static void push_bytes(struct unpacker *u)
{
    size_t n = take_size(u);
    lua_pushlstring(u->L, u->at, n);
    u->at += n;
}

static void unpack(struct unpacker *u);

/* Gives the value on top the next number. */
static void remember(struct unpacker *u)
{
    lua_pushvalue(u->L, -1);
    lua_rawseti(u->L, u->seen, ++u->n_seen);
}

static void unpack_function(struct unpacker *u)
{
    lua_State *L = u->L;
    size_t n = take_size(u);
    if (luaL_loadbufferx(L, u->at, n, "=capsule", "b") != LUA_OK) {
        lua_error(L);
    }
    u->at += n;
    remember(u);
    int n_upvalues = (int)take_size(u);
    for (int i = 1; i <= n_upvalues; i++) {
        unpack(u);
        lua_pushvalue(L, -2);
        lua_rawseti(L, u->watched, ++u->n_watched);
        lua_pushinteger(L, i);
        lua_rawseti(L, u->watched, ++u->n_watched);
        lua_pushvalue(L, -1);
        lua_rawseti(L, u->watched, ++u->n_watched);
        lua_setupvalue(L, -2, i);
    }
}

static void unpack_table(struct unpacker *u)
{
    lua_State *L = u->L;
    lua_newtable(L);
    lua_pushvalue(L, -1);
    cl_pure_freeze(L);
    remember(u); /* before what is in it, which may know it */
    for (size_t left = take_size(u); left > 0; left--) {
        unpack(u);
        unpack(u);
        lua_rawset(L, -4);
    }
    lua_remove(L, -2);
}

static void unpack_pure(struct unpacker *u)
{
    lua_State *L = u->L;
    lua_pushvalue(L, u->env);
    for (int i = 0; i < 2; i++) {
        push_bytes(u);
        if (lua_rawlen(L, -1) == 0) {
            lua_pop(L, 1);
        } else {
            lua_gettable(L, -2);
            lua_remove(L, -2);
        }
    }
}

static void unpack_number(struct unpacker *u, char tag)
{
    lua_Integer integer;
    lua_Number number;
    if (tag == TAG_INTEGER) {
        take(u, &integer, sizeof integer);
        lua_pushinteger(u->L, integer);
    } else {
        take(u, &number, sizeof number);
        lua_pushnumber(u->L, number);
    }
}

/* Pushes the next value. */
static void unpack(struct unpacker *u)
{
    lua_State *L = u->L;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    char tag = *u->at++;
    switch (tag) {
    case TAG_NIL:
        lua_pushnil(L);
        break;
    case TAG_FALSE:
    case TAG_TRUE:
        lua_pushboolean(L, tag == TAG_TRUE);
        break;
    case TAG_INTEGER:
    case TAG_NUMBER:
        unpack_number(u, tag);
        break;
    case TAG_STRING:
        push_bytes(u);
        break;
    case TAG_TABLE:
        unpack_table(u);
        break;
    case TAG_FUNCTION:
        unpack_function(u);
        break;
    case TAG_SEEN:
        lua_rawgeti(L, u->seen, (lua_Integer)take_size(u));
        break;
    case TAG_PURE:
        unpack_pure(u);
        break;
    default:
        lua_pushvalue(L, u->env);
    }
}

void cl_capsule_unpack(lua_State *L, const struct cl_buf *capsule, int env)
{
    struct unpacker u = {.L = L, .at = capsule->data, .env = lua_absindex(L, env)};
    lua_newtable(L);
    u.watched = lua_gettop(L);
    lua_newtable(L);
    u.seen = lua_gettop(L);
    unpack(&u);
    lua_replace(L, u.seen);
    lua_rotate(L, u.watched, 1);
}
