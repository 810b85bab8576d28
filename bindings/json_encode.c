/*
 * json.encode: keys sorted by their bytes, integers by %lld, the shortest digits that give the same
 * double again, so that equal values give equal text.
 */
#include "json.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/buf.h"
#include "host/await.h"

#define MT_ENCODER "cl.json.encoder"

enum {
    PATH_BYTES = 256, /* of the place named in an error */
    INDENT = 2,       /* spaces a level, when pretty */
};

struct step {
    const char *key;   /* anchored by the table being written; NULL: an index */
    lua_Integer index; /* when key is NULL */
};

struct encoder {
    struct cl_buf out;                   /* the text so far; freed by __gc and __close */
    bool pretty;                         /* with line breaks */
    int depth;                           /* steps in use */
    struct step path[CL_JSON_DEPTH_MAX]; /* where we are, for errors */
};

struct key {
    const char *text; /* anchored by the table */
    size_t len;       /* its bytes */
};

static int encoder_release(lua_State *L)
{
    struct encoder *e = luaL_checkudata(L, 1, MT_ENCODER);
    cl_buf_fini(&e->out);
    return 0;
}

static int refuse(lua_State *L, const struct encoder *e, const char *what)
{
    char path[PATH_BYTES] = "";
    size_t used = 0;
    for (int i = 0; i < e->depth && used < sizeof path; i++) {
        int n = e->path[i].key ? snprintf(path + used, sizeof path - used, ".%s", e->path[i].key)
                               : snprintf(path + used, sizeof path - used, "[%lld]",
                                          (long long)e->path[i].index);
        used += n > 0 ? (size_t)n : 0;
    }
    struct cl_err err;
    cl_fail(&err, CL_INVALID, "E_JSON", "cannot write as JSON: %s%s%s", what, path[0] ? " at " : "",
            path);
    return cl_raise(L, &err);
}

static void write_string(lua_State *L, struct encoder *e, const char *s, size_t len)
{
    struct cl_buf *b = &e->out;
    cl_buf_addc(b, '"');
    for (size_t i = 0; i < len;) {
        size_t begin = i;
        while (i < len && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\') {
            size_t n = cl_json_utf8_length((const unsigned char *)s + i, len - i);
            if (n == 0) {
                refuse(L, e, "a string that is not UTF-8 (base64 it, or use bytea)");
            }
            i += n;
        }
        cl_buf_add(b, s + begin, i - begin);
        if (i == len) {
            break;
        }
        const char *at = memchr("\"\\\b\f\n\r\t", s[i], 7);
        if (at) {
            cl_buf_addc(b, '\\');
            cl_buf_addc(b, "\"\\bfnrt"[at - "\"\\\b\f\n\r\t"]);
        } else {
            cl_buf_addf(b, "\\u%04x", (unsigned)(unsigned char)s[i]);
        }
        i++;
    }
    cl_buf_addc(b, '"');
}

static void write_float(lua_State *L, struct encoder *e, double d)
{
    char text[40];
    if (!isfinite(d)) {
        refuse(L, e, "a number that is infinite or not a number");
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, d);
        if (strtod(text, NULL) == d) {
            break;
        }
    }
    cl_buf_adds(&e->out, text);
    if (!strpbrk(text, ".e")) {
        cl_buf_adds(&e->out, ".0"); /* it comes back as a float */
    }
}

static void new_line(struct encoder *e)
{
    if (e->pretty) {
        cl_buf_addf(&e->out, "\n%*s", e->depth * INDENT, "");
    }
}

static void encode_value(lua_State *L, struct encoder *e);

static void enter(lua_State *L, struct encoder *e)
{
    if (e->depth >= CL_JSON_DEPTH_MAX) {
        e->depth = 8;
        refuse(L, e, "a value nested too deeply, or in a cycle, starting");
    }
    e->depth++;
    luaL_checkstack(L, 8, "json nested too deeply");
}

/* The array on top of the stack, of n elements. */
static void encode_array(lua_State *L, struct encoder *e, lua_Integer n)
{
    cl_buf_addc(&e->out, '[');
    enter(L, e);
    for (lua_Integer i = 1; i <= n; i++) {
        e->path[e->depth - 1] = (struct step){.index = i};
        if (i > 1) {
            cl_buf_addc(&e->out, ',');
        }
        new_line(e);
        if (lua_rawgeti(L, -1, i) == LUA_TNIL) {
            refuse(L, e, "an array with a hole (use json.null)");
        }
        encode_value(L, e);
        lua_pop(L, 1);
    }
    e->depth--;
    if (n > 0) {
        new_line(e);
    }
    cl_buf_addc(&e->out, ']');
}

static int by_bytes(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->text, y->text, n);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* [-0, +1] the sorted keys of the table on top, in a userdata. */
static struct key *push_keys(lua_State *L, struct encoder *e, size_t n)
{
    struct key *keys = lua_newuserdatauv(L, n * sizeof *keys, 0);
    size_t i = 0;
    lua_pushnil(L);
    while (lua_next(L, -3) && i < n) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            refuse(L, e, "an object with a key that is not a string");
        }
        keys[i].text = lua_tolstring(L, -1, &keys[i].len);
        i++;
    }
    qsort(keys, n, sizeof *keys, by_bytes);
    return keys;
}

/* The object on top of the stack, of n fields. */
static void encode_object(lua_State *L, struct encoder *e, size_t n)
{
    luaL_checkstack(L, 8, "json nested too deeply");
    struct key *keys = push_keys(L, e, n); /* stack: table, keys */
    cl_buf_addc(&e->out, '{');
    enter(L, e);
    for (size_t i = 0; i < n; i++) {
        e->path[e->depth - 1] = (struct step){.key = keys[i].text};
        if (i > 0) {
            cl_buf_addc(&e->out, ',');
        }
        new_line(e);
        write_string(L, e, keys[i].text, keys[i].len);
        cl_buf_adds(&e->out, e->pretty ? ": " : ":");
        lua_pushlstring(L, keys[i].text, keys[i].len);
        lua_rawget(L, -3);
        encode_value(L, e);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    e->depth--;
    if (n > 0) {
        new_line(e);
    }
    cl_buf_addc(&e->out, '}');
}

static void encode_table(lua_State *L, struct encoder *e)
{
    luaL_checkstack(L, 8, "json nested too deeply");
    size_t fields = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        fields++;
        lua_pop(L, 1);
    }
    bool array = luaL_getmetafield(L, -1, CL_JSON_IS_ARRAY) != LUA_TNIL;
    if (array) {
        lua_pop(L, 1);
    } else if (fields > 0) {
        array = lua_rawgeti(L, -1, 1) != LUA_TNIL;
        lua_pop(L, 1);
    }
    if (!array) {
        encode_object(L, e, fields);
        return;
    }
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    if ((size_t)n < fields) {
        refuse(L, e, "a table that is neither an array nor an object (mixed keys, or a hole)");
    }
    encode_array(L, e, n);
}

static void encode_value(lua_State *L, struct encoder *e)
{
    size_t len;
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        cl_buf_adds(&e->out, "null");
        break;
    case LUA_TBOOLEAN:
        cl_buf_adds(&e->out, lua_toboolean(L, -1) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, -1)) {
            cl_buf_addf(&e->out, "%lld", (long long)lua_tointeger(L, -1));
        } else {
            write_float(L, e, lua_tonumber(L, -1));
        }
        break;
    case LUA_TSTRING: {
        const char *s = lua_tolstring(L, -1, &len);
        write_string(L, e, s, len);
        break;
    }
    case LUA_TTABLE:
        encode_table(L, e);
        break;
    default:
        if (lua_islightuserdata(L, -1) && !lua_touserdata(L, -1)) {
            cl_buf_adds(&e->out, "null");
        } else {
            char what[64];
            snprintf(what, sizeof what, "a %s", luaL_typename(L, -1));
            refuse(L, e, what);
        }
    }
    if (e->out.failed) {
        refuse(L, e, "a document that is too long");
    }
}

/* json.encode(value[, {pretty = true}]) */
int cl_json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    bool pretty = false;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_getfield(L, 2, "pretty");
        pretty = lua_toboolean(L, -1);
    }
    lua_settop(L, 1);
    struct encoder *e = lua_newuserdatauv(L, sizeof *e, 0);
    cl_buf_init(&e->out, CL_JSON_BYTES_MAX);
    e->depth = 0;
    e->pretty = pretty;
    luaL_setmetatable(L, MT_ENCODER);
    lua_toclose(L, 2);
    lua_pushvalue(L, 1);
    encode_value(L, e);
    lua_pushlstring(L, cl_buf_str(&e->out), e->out.len);
    lua_closeslot(L, 2);
    return 1;
}

void cl_json_encoder_register(lua_State *L)
{
    if (luaL_newmetatable(L, MT_ENCODER)) {
        lua_pushcfunction(L, encoder_release);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, encoder_release);
        lua_setfield(L, -2, "__close");
    }
    lua_pop(L, 1);
}
