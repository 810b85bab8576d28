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
 * Encoding is done here: keys sorted by their bytes, integers by %lld, the shortest digits
 * that give the same double again.
 */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua-cjson.h>

#include "base/buf.h"
#include "host/await.h"
#include "modules.h"

#define MT_ENCODER "cl.json.encoder"
#define IS_ARRAY "__jsonarray" /* metafield of every table to be written as an array */
#define MARK '\xff'

enum {
    DEPTH_MAX = 500,                    /* arrays and objects inside one another */
    TEXT_BYTES_MAX = 256 * 1024 * 1024, /* one document */
    NUMBER_BYTES_MAX = 512,             /* digits of one number */
    PATH_BYTES = 256,                   /* of the place named in an error */
    INDENT = 2,                         /* spaces a level, when pretty */
};

static int fail(lua_State *L, const char *what, size_t offset)
{
    struct cl_err err;
    cl_fail(&err, CL_INVALID, "E_JSON", "not valid JSON: %s at byte %zu", what, offset + 1);
    return cl_raise(L, &err);
}

/* The length of the UTF-8 sequence at p, 0 when it is none (overlong, surrogate, beyond U+10FFFF).
 */
static size_t utf8_length(const unsigned char *p, size_t left)
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
        size_t n = utf8_length((const unsigned char *)s->text + s->at, s->len - s->at);
        if (c < 0x20) {
            fail(L, "a control character inside a string", s->at);
        }
        if (n == 0) {
            fail(L, "a string that is not UTF-8", s->at);
        }
        s->at += n;
        if (c == '\\' && s->at < s->len && (unsigned char)s->text[s->at] >= 0x20) {
            n = utf8_length((const unsigned char *)s->text + s->at, s->len - s->at);
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
    if (len > TEXT_BYTES_MAX) {
        return fail(L, "a document that is too long", TEXT_BYTES_MAX);
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

/* ---------------------------------------------------------------- encoding */

struct step {
    const char *key;   /* anchored by the table being written; NULL: an index */
    lua_Integer index; /* when key is NULL */
};

struct encoder {
    struct cl_buf out;           /* the text so far; freed by __gc and __close */
    bool pretty;                 /* with line breaks */
    int depth;                   /* steps in use */
    struct step path[DEPTH_MAX]; /* where we are, for errors */
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
            size_t n = utf8_length((const unsigned char *)s + i, len - i);
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
    if (e->depth >= DEPTH_MAX) {
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
    bool array = luaL_getmetafield(L, -1, IS_ARRAY) != LUA_TNIL;
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
static int l_encode(lua_State *L)
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
    cl_buf_init(&e->out, TEXT_BYTES_MAX);
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

/* json.array(table) -> the table, to be written as an array even when it is empty */
static int l_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (luaL_getmetafield(L, 1, IS_ARRAY) != LUA_TNIL) {
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
    lua_pushinteger(L, DEPTH_MAX);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode");
    lua_copy(L, -1, -3);
    lua_pop(L, 2);
}

int luaopen_cl_json(lua_State *L)
{
    static const luaL_Reg functions[] = {{"encode", l_encode}, {"array", l_array}, {NULL, NULL}};
    if (luaL_newmetatable(L, MT_ENCODER)) {
        lua_pushcfunction(L, encoder_release);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, encoder_release);
        lua_setfield(L, -2, "__close");
    }
    if (luaL_newmetatable(L, CL_MT_JSON_ARRAY)) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, IS_ARRAY);
    }
    lua_pop(L, 2);
    luaL_newlib(L, functions);
    push_cjson_decode(L);
    lua_pushcclosure(L, l_decode, 1);
    lua_setfield(L, -2, "decode");
    lua_pushlightuserdata(L, NULL); /* what cjson makes of null */
    lua_setfield(L, -2, "null");
    return 1;
}
