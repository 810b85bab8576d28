/* Lua functions of columns as the copy workers call them: what goes along, what comes out, limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "bindings/mask_script.h"
#include "bindings/modules.h"

enum { OUT_BYTES_MAX = 32 * 1024 * 1024 };

static int make(lua_State *L)
{
    cl_mask_script_new(L, 1, "crm7.person", "firstname", lua_touserdata(L, 2));
    return 0;
}

/* Packs what the chunk returns. False: refused, with the message in *said. */
static bool pack(const char *chunk, struct cl_mask_script *script, char *said, size_t n)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    luaL_requiref(L, "crypto", luaopen_cl_crypto, 0);
    luaL_requiref(L, "mask", luaopen_cl_mask, 0);
    lua_settop(L, 0);
    if (luaL_loadbuffer(L, chunk, strlen(chunk), "@rules.lua") != LUA_OK ||
        lua_pcall(L, 0, 1, 0) != LUA_OK) {
        fail_msg("%s", lua_tostring(L, -1));
    }
    lua_pushcfunction(L, make);
    lua_insert(L, 1);
    lua_pushlightuserdata(L, script);
    bool ok = lua_pcall(L, 2, 0, 0) == LUA_OK;
    if (!ok) {
        snprintf(said, n, "%s", luaL_tolstring(L, -1, NULL));
    }
    lua_close(L); /* the function lives on without it */
    return ok;
}

/* What the chunk's function makes of the n bytes; "NULL", "! " and the error, or "? " and why it
 * was refused. */
static char *apply_bytes(const char *chunk, const char *in, size_t n)
{
    static char result[2048];
    struct cl_mask_script script;
    struct cl_err err;
    struct cl_buf out;
    bool is_null;
    memset(result, 0, sizeof result);
    if (!pack(chunk, &script, result + 2, sizeof result - 2)) {
        memcpy(result, "? ", 2);
        return result;
    }
    cl_buf_init(&out, OUT_BYTES_MAX);
    void *state = script.open(script.arg, &err);
    if (state && script.call(state, in, n, &is_null, &out, &err)) {
        snprintf(result, sizeof result, "%s", is_null ? "NULL" : cl_buf_str(&out));
    } else {
        assert_int_equal(err.class, CL_INVALID);
        snprintf(result, sizeof result, "! %s", err.message);
    }
    if (state) {
        script.close(state);
    }
    script.free(script.arg);
    cl_buf_fini(&out);
    return result;
}

struct sample {
    const char *chunk; /* returns the function */
    const char *in;    /* a value */
    const char *out;   /* what becomes of it, as apply_bytes() gives it; or a part of that */
};

/* Says which samples are wrong, then fails. */
static void check(const struct sample *samples, size_t n, bool whole)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sample *s = &samples[i];
        const char *got = apply_bytes(s->chunk, s->in, strlen(s->in));
        if (whole ? strcmp(got, s->out) != 0 : !strstr(got, s->out)) {
            print_error("%s\n  makes of '%s':\n  %s\n  instead of %s\n", s->chunk, s->in, got,
                        s->out);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void results(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"return function(v) return v:upper() end", "Ola", "OLA"},
        {"return function(v) return (v:gsub('%l', 'x')) end", "Ola", "Oxx"},
        {"return function(v) return v:gsub('l', 'x') end", "Ola", "Oxa"},
        {"return function() return nil end", "Ola", "NULL"},
        {"return function() end", "Ola", "NULL"},
        {"return function() return '' end", "Ola", ""},
        {"return function(v) return #v end", "Ola", "3"},
        {"return function(v) return #v / 2 end", "Ola", "1.5"},
        {"return function(v, c) return c.table .. '/' .. c.column .. '/' .. v end", "x",
         "crm7.person/firstname/x"},
        {"return function(v) return utf8.char(0x1F600) .. v end", "\xC3\xA6",
         "\xF0\x9F\x98\x80\xC3\xA6"},
        {"return function(v) return crypto.hex(v) end", "\xC3\xA6\x01", "c3a601"},
        {"return function(v) return mask.email(v) end", "a@b.no", "a_b.no@mailinator.com"},
    };
    check(samples, COUNT(samples), true);
}

static void what_goes_along(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"local a, b, c, d = 'x', 7, 2.5, true\n"
         "return function(v) return a .. b .. c .. tostring(d) .. v end",
         "!", "x72.5true!"},
        {"local function twice(v) return v .. v end\n"
         "return function(v) return twice(v) end",
         "ab", "abab"},
        {"local function down(n) return n == 0 and '' or n .. down(n - 1) end\n"
         "return function(v) return down(#v) end",
         "abc", "321"},
        {"local even, odd\n"
         "function even(n) return n == 0 or odd(n - 1) end\n"
         "function odd(n) return n ~= 0 and even(n - 1) end\n"
         "return function(v) return tostring(even(#v)) end",
         "abcd", "true"},
        {"local names = {'Kari', 'Ola', n = {x = 'deep'}}\n"
         "names.n.up = names\n"
         "return function(v) return names[1] .. #names .. names.n.up.n.x end",
         "v", "Kari2deep"},
        {"local m = {b = 1, a = 2, [10] = 3, [9] = 4, [1.5] = 5}\n"
         "return function(v) local s = ''\n"
         "for k, n in pairs(m) do s = s .. k .. n .. ' ' end return s end",
         "v", "1.55 94 103 a2 b1 "},
        {"local m = {}; for i = 1, 26 do m[string.char(96 + i)] = i end\n"
         "return function(v) local t, s = {}, ''\n"
         "for k, n in pairs(m) do t[k] = n end\n"
         "for k in pairs(t) do s = s .. k end return s end",
         "v", "abcdefghijklmnopqrstuvwxyz"},
        {"local upper, s, c = string.upper, string, require 'crypto'\n"
         "return function(v) return upper(v) .. s.lower(v) .. c.hex(v) end",
         "aB", "ABab6142"},
        {"local names = {'Kari', 'Ola', 'Liv'}\n"
         "return function(v) return table.concat(names, ',') end",
         "v", "Kari,Ola,Liv"},
    };
    check(samples, COUNT(samples), true);
}

static void what_does_not(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"local file = io.stdout\nreturn function() return file end", "",
         "? crm7.person.firstname: rules.lua:2: the function uses 'file' from outside, an object"},
        {"local t = {{io.stdout}}\nreturn function() return t end", "",
         "uses 't' from outside, which holds an object"},
        {"local clock = os.clock\nreturn function() return clock() end", "",
         "uses 'clock' from outside, a function of the runtime"},
        {"local o = setmetatable({}, {})\nreturn function() return o end", "",
         "'o' from outside, an object"},
        {"local o = {[true] = 1}\nreturn function() return o end", "",
         "keys that are not strings or numbers"},
        {"local clock = os.clock\nlocal function f() return clock() end\n"
         "return function() return f() end",
         "", "rules.lua:2: the function uses 'clock'"},
        {"local t = {}; for i = 1, 200 do t = {t} end\nreturn function() return t end", "",
         "nested too deeply"},
        {"return string.upper", "", "? crm7.person.firstname: a function of the runtime"},
        {"local s = ('x'):rep(20000000)\nreturn function() return s end", "", "too large"},
    };
    check(samples, COUNT(samples), false);
}

static void what_is_not_there(void **state)
{
    static const char *const names[] = {"os",      "io",     "debug",     "require",
                                        "load",    "pcall",  "coroutine", "_G",
                                        "package", "print",  "rawset",    "setmetatable",
                                        "next",    "dofile", "typo",      "collectgarbage"};
    static const struct sample samples[] = {
        {"return function() return math.random() end", "", "'random'"},
        {"return function(v) return v:dump() end", "", "'dump'"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char chunk[100];
        char want[100];
        snprintf(chunk, sizeof chunk, "return function()\nreturn %s\nend", names[i]);
        snprintf(want, sizeof want, "! rules.lua:2: there is no '%s' in a mask function", names[i]);
        const struct sample sample = {chunk, "", want};
        check(&sample, 1, false);
    }
    check(samples, COUNT(samples), false);
}

static void errors(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"return function(v)\n\nreturn v.x.y\nend", "", "! rules.lua:3: "},
        {"return function(v)\nerror('no ' .. v)\nend", "way", "! rules.lua:2: no way"},
        {"return function(v) error(v) end", "john@corp.no", "john_corp.no@"},
        {"return function(v) error {} end", "v", "! rules.lua:1: a table was raised"},
        {"return function(v)\nreturn crypto.base64_decode(v)\nend", "?",
         "! rules.lua:2: not base64"},
        {"return function()\nreturn true\nend", "",
         "! rules.lua:1: the function returned a boolean"},
        {"return function()\nreturn {}\nend", "", "returned a table"},
        {"return function(v) return v:sub(1, 1) end", "\xC3\xA6", "not UTF-8"},
        {"return function(v) return v .. '\\0' end", "a", "a zero byte"},
        {"return function() while true do end end", "", "an endless loop?"},
        {"return function()\nlocal s = 'x'\nwhile true do s = s .. s end end", "",
         "needs more than"},
        {"return function(v) local function f() return 1 + f() end return f() end", "", "! "},
        {"return function(v) v = v + 1 end", "x", "attempt to add"},
    };
    check(samples, COUNT(samples), false);
}

static void nothing_is_kept(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"local n = 0\nreturn function(v) n = n + 1; return v .. n end", "",
         "! rules.lua:2: the function changes 'n'"},
        {"local n\nlocal function f() n = 1 end\nreturn function(v) f(); return v end", "",
         "! rules.lua:2: the function changes 'n'"},
        {"return function(v) x = v end", "", "cannot set 'x'"},
        {"return function(v) _ENV = {} return v end", "", "changes '_ENV'"},
        {"return function(v) string.upper = v end", "", "cannot set 'upper'"},
        {"return function(v, c) c.n = v end", "", "cannot set 'n'"},
        {"local t = {{}}\nreturn function(v) t[1].n = v end", "", "cannot set 'n'"},
        {"local t = {3, 1}\nreturn function(v) table.sort(t) end", "", "cannot set"},
    };
    check(samples, COUNT(samples), false);
}

static void wide_values(void **state)
{
    (void)state;
    size_t n = 1024 * 1024;
    char *wide = malloc(n);
    assert_non_null(wide);
    memset(wide, 'x', n);
    assert_string_equal(
        apply_bytes("return function(v) return #v:upper():gsub('X', 'yy') end", wide, n),
        "2097152");
    assert_string_equal(
        apply_bytes("return function(v) local n = 0; for c in v:gmatch '.' do n = n + #c end\n"
                    "return n end",
                    wide, n),
        "1048576");
    free(wide);
}

static void the_hash_tells_what_it_does(void **state)
{
    static const char *const chunks[] = {
        "local a = 'x'; return function(v) return a .. v end",
        "local b = 'x'; return function(value) return b .. value end", /* the same */
        "local a = 'y'; return function(v) return a .. v end",
        "local a = 'x'; return function(v) return v .. a end",
        "local a = {x = 1}; return function(v) return a.x .. v end",
        "local a = {x = 2}; return function(v) return a.x .. v end",
    };
    char hashes[COUNT(chunks)][80];
    (void)state;
    for (size_t i = 0; i < COUNT(chunks); i++) {
        struct cl_mask_script script;
        assert_true(pack(chunks[i], &script, hashes[i], sizeof hashes[i]));
        assert_int_equal(strlen(script.hash), 64);
        snprintf(hashes[i], sizeof hashes[i], "%s", script.hash);
        script.free(script.arg);
        for (size_t j = 0; j < i; j++) {
            assert_true((strcmp(hashes[i], hashes[j]) == 0) == (i == 1 && j == 0));
        }
    }
}

static void a_state_serves_many_values(void **state)
{
    struct cl_mask_script script;
    struct cl_err err;
    struct cl_buf out;
    char said[100];
    (void)state;
    assert_true(pack("return function(v)\nif v == '7' then error 'seven' end\nreturn v .. v end",
                     &script, said, sizeof said));
    void *states[2] = {script.open(script.arg, &err), script.open(script.arg, &err)};
    cl_buf_init(&out, OUT_BYTES_MAX);
    for (int i = 0; i < 100000; i++) {
        char in[16];
        char want[32];
        bool is_null = true;
        snprintf(in, sizeof in, "%d", i % 10);
        snprintf(want, sizeof want, "%d%d", i % 10, i % 10);
        cl_buf_reset(&out);
        bool ok = script.call(states[i % 2], in, strlen(in), &is_null, &out, &err);
        assert_true(ok == (i % 10 != 7));
        if (ok) {
            assert_false(is_null);
            assert_string_equal(cl_buf_str(&out), want);
        } else {
            assert_non_null(strstr(err.message, "seven"));
        }
    }
    script.close(states[0]);
    script.close(states[1]);
    script.free(script.arg);
    cl_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results),
        cmocka_unit_test(what_goes_along),
        cmocka_unit_test(what_does_not),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(errors),
        cmocka_unit_test(nothing_is_kept),
        cmocka_unit_test(wide_values),
        cmocka_unit_test(the_hash_tells_what_it_does),
        cmocka_unit_test(a_state_serves_many_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
