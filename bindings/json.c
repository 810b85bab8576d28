/*
 * json: lua-cjson made exact.
 *
 * lua-cjson 2.1.0 turns every number into a double, writes 14 digits, writes keys in hash order and
 * cannot tell [] from {}.  So:
 *
 * Decoding goes through cjson, after a pass over the text that checks what cjson does not (UTF-8,
 * control characters, number syntax and range) and marks what cjson would lose: an integer N
 * becomes the string "\xffN" and an empty array ["\xff["].  The byte 0xff cannot come from valid
 * UTF-8, so a marked string is never a real one.  A walk over the result then turns the marks into
 * integers and gives every array its metatable.
 *
 * Encoding is done in json_encode.c.
 */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua-cjson.h>

#include "host/await.h"
#include "modules.h"

#define MARK '\xff'

enum {
    NUMBER_BYTES_MAX = 512, /* digits of one number */
};

static int fail(lua_State *L, const char *what, size_t offset)
{
    struct cl_err err;
    cl_fail(&err, CL_INVALID, "E_JSON", "not valid JSON: %s at byte %zu", what, offset + 1);
    return cl_raise(L, &err);
}

size_t cl_json_utf8_length(const unsigned char *p, size_t left)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n == 0 || p[0] > 0xf4 || n > left) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
               (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
    return bad ? 0 : n;
}

/* ---------------------------------------------------------------- decoding */

struct scan {
    const char *text; /* the document */
    size_t len;       /* its bytes */
    size_t at;        /* where we are */
    luaL_Buffer *out; /* the marked document, NULL: only count */
    size_t out_len;   /* bytes given out so far */
};

static void emit(struct scan *s, const char *bytes, size_t n)
{
    s->out_len += n;
    if (s->out) {
        luaL_addlstring(s->out, bytes, n);
    }
}

/* Copies a string literal with its quotes. Escapes are cjson's to judge. */
static void scan_string(lua_State *L, struct scan *s)
{
    size_t begin = s->at++;
    while (s->at < s->len && s->text[s->at] != '"') {
        unsigned char c = (unsigned char)s->text[s->at];
        size_t n = cl_json_utf8_length((const unsigned char *)s->text + s->at, s->len - s->at);
        if (c < 0x20) {
            fail(L, "a control character inside a string", s->at);
        }
        if (n == 0) {
            fail(L, "a string that is not UTF-8", s->at);
        }
        s->at += n;
        if (c == '\\' && s->at < s->len && (unsigned char)s->text[s->at] >= 0x20) {
            n = cl_json_utf8_length((const unsigned char *)s->text + s->at, s->len - s->at);
            s->at += n;
        }
    }
    if (s->at >= s->len) {
        fail(L, "a string without its end", begin);
    }
    s->at++;
    emit(s, s->text + begin, s->at - begin);
}

static size_t digits(const char *p)
{
    return strspn(p, "0123456789");
}

/* Is it a JSON number? *integer: without fraction and exponent. */
static bool number_syntax(const char *p, bool *integer)
{
    p += *p == '-';
    size_t n = digits(p);
    if (n == 0 || (n > 1 && *p == '0')) {
        return false;
    }
    p += n;
    *integer = *p == '\0';
    if (*p == '.') {
        n = digits(++p);
        if (n == 0) {
            return false;
        }
        p += n;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        n = digits(p);
        if (n == 0) {
            return false;
        }
        p += n;
    }
    return *p == '\0';
}

static void scan_number(lua_State *L, struct scan *s)
{
    char token[NUMBER_BYTES_MAX];
    size_t begin = s->at, n = 0;
    bool integer = false;
    while (begin + n < s->len && s->text[begin + n] != '\0' &&
           strchr("0123456789+-.eE", s->text[begin + n])) {
        n++;
    }
    if (n >= sizeof token) {
        fail(L, "a number with too many digits", begin);
    }
    memcpy(token, s->text + begin, n);
    token[n] = '\0';
    if (!number_syntax(token, &integer)) {
        fail(L, "a malformed number", begin);
    }
    errno = 0;
    if (integer) {
        strtoll(token, NULL, 10);
        if (errno == ERANGE) {
            fail(L, "an integer that does not fit 64 bits", begin);
        }
        emit(s, "\"\xff", 2);
        emit(s, token, n);
        emit(s, "\"", 1);
    } else {
        if (!isfinite(strtod(token, NULL))) {
            fail(L, "a number too large for a double", begin);
        }
        emit(s, token, n);
    }
    s->at += n;
}

/* At '[': marks it when nothing but white space is inside. */
static void scan_array(struct scan *s)
{
    size_t next = s->at + 1;
    while (next < s->len && s->text[next] != '\0' && strchr(" \t\r\n", s->text[next])) {
        next++;
    }
    if (next < s->len && s->text[next] == ']') {
        emit(s, "[\"\xff[\"]", 6);
        s->at = next + 1;
    } else {
        emit(s, "[", 1);
        s->at++;
    }
}

/* Goes on until the end, or until more than out_max bytes were given out. */
static void scan(lua_State *L, struct scan *s, size_t out_max)
{
    while (s->at < s->len && s->out_len <= out_max) {
        char c = s->text[s->at];
        if (c == '"') {
            scan_string(L, s);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            scan_number(L, s);
        } else if (c == '[') {
            scan_array(s);
        } else if (c == '\0') {
            fail(L, "a zero byte", s->at);
        } else {
            emit(s, &c, 1);
            s->at++;
        }
    }
}

/* cjson counts characters of the marked text; find the byte of the original it means. */
static size_t original_offset(lua_State *L, const char *text, size_t len, size_t marked)
{
    size_t before = 0;
    struct scan s = {.text = text, .len = len};
    while (s.at < len) {
        before = s.at;
        size_t given = s.out_len;
        scan(L, &s, s.out_len); /* one token */
        if (s.out_len > marked) {
            size_t inside = marked - given;
            return before + (inside < s.at - before ? inside : 0);
        }
    }
    return len;
}

/* "Expected value but found invalid token at character 5" */
static int fail_of_cjson(lua_State *L, const char *text, size_t len)
{
    char what[128];
    const char *message = lua_tostring(L, -1);
    const char *at = message ? strstr(message, " at character ") : NULL;
    snprintf(what, sizeof what, "%s", message ? message : "unknown error");
    if (!at) {
        return fail(L, what, 0);
    }
    what[(size_t)(at - message) < sizeof what ? (size_t)(at - message) : sizeof what - 1] = '\0';
    long character = strtol(at + strlen(" at character "), NULL, 10);
    return fail(L, what, original_offset(L, text, len, character > 0 ? (size_t)character - 1 : 0));
}

/* The value on top becomes what its mark says. True when it was marked. */
static bool unmark(lua_State *L)
{
    size_t n;
    const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    if (!s || n == 0 || s[0] != MARK) {
        return false;
    }
    long long value = strtoll(s + 1, NULL, 10);
    lua_pop(L, 1);
    lua_pushinteger(L, value);
    return true;
}

static bool is_empty_mark(lua_State *L)
{
    size_t n;
    const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    return s && n == 2 && s[0] == MARK && s[1] == '[';
}

/* The decoded table on top: marks out, arrays marked. cjson has bounded the depth. */
static void walk(lua_State *L)
{
    luaL_checkstack(L, 6, "json nested too deeply");
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    if (n > 0) {
        luaL_setmetatable(L, CL_MT_JSON_ARRAY);
        lua_rawgeti(L, -1, 1);
        bool empty = n == 1 && is_empty_mark(L);
        lua_pop(L, 1);
        if (empty) {
            lua_pushnil(L);
            lua_rawseti(L, -2, 1);
            return;
        }
        for (lua_Integer i = 1; i <= n; i++) {
            int type = lua_rawgeti(L, -1, i);
            if (type == LUA_TTABLE) {
                walk(L);
            } else if (unmark(L)) {
                lua_rawseti(L, -2, i);
                continue;
            }
            lua_pop(L, 1);
        }
        return;
    }
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (lua_type(L, -1) == LUA_TTABLE) {
            walk(L);
        } else if (unmark(L)) {
            lua_pushvalue(L, -2); /* stack: table, key, value, key */
            lua_insert(L, -2);
            lua_rawset(L, -4); /* an existing field: legal while lua_next runs */
            continue;
        }
        lua_pop(L, 1);
    }
}

/* json.decode(text). Upvalue 1: the decode function of our own cjson instance. */
static int l_decode(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    luaL_Buffer out;
    struct scan s = {.text = text, .len = len, .out = &out};
    lua_settop(L, 1);
    if (len > CL_JSON_BYTES_MAX) {
        return fail(L, "a document that is too long", CL_JSON_BYTES_MAX);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    luaL_buffinit(L, &out);
    scan(L, &s, SIZE_MAX);
    luaL_pushresult(&out);
    int status = lua_pcall(L, 1, 1, 0);
    if (status == LUA_ERRMEM) {
        return lua_error(L);
    }
    if (status != LUA_OK) {
        return fail_of_cjson(L, text, len);
    }
    if (lua_type(L, -1) == LUA_TTABLE) {
        walk(L);
    } else {
        unmark(L);
    }
    return 1;
}

/* json.array(table) -> the table, to be written as an array even when it is empty */
static int l_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (luaL_getmetafield(L, 1, CL_JSON_IS_ARRAY) != LUA_TNIL) {
        lua_settop(L, 1);
        return 1;
    }
    luaL_argcheck(L, !lua_getmetatable(L, 1), 1, "it has a metatable of its own");
    luaL_setmetatable(L, CL_MT_JSON_ARRAY);
    return 1;
}

static void push_cjson_decode(lua_State *L)
{
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "new"); /* settings of our own */
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, false);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode_max_depth");
    lua_pushinteger(L, CL_JSON_DEPTH_MAX);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode");
    lua_copy(L, -1, -3);
    lua_pop(L, 2);
}

int luaopen_cl_json(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"encode", cl_json_encode}, {"array", l_array}, {NULL, NULL}};
    cl_json_encoder_register(L);
    if (luaL_newmetatable(L, CL_MT_JSON_ARRAY)) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, CL_JSON_IS_ARRAY);
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    push_cjson_decode(L);
    lua_pushcclosure(L, l_decode, 1);
    lua_setfield(L, -2, "decode");
    lua_pushlightuserdata(L, NULL); /* what cjson makes of null */
    lua_setfield(L, -2, "null");
    return 1;
}
