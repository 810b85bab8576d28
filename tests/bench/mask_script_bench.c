/* How many values a second a Lua function of a column makes, in one worker: make bench-mask. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bindings/mask_script.h"
#include "bindings/modules.h"

enum { VALUES = 1000, ROUNDS = 5000, NAME_BYTES_MAX = 32, BAR = 1000 * 1000 };

static const struct {
    const char *what;
    const char *function;
    bool bar; /* must reach BAR */
} cases[] = {
    {"string.upper(value)", "return function(value) return string.upper(value) end", true},
    {"value:upper()", "return function(value) return value:upper() end", true},
    {"a prefix", "return function(value) return 'x' .. value end", true},
    {"value:sub(1, 1) and a local",
     "local mark = '***'; return function(value) return value:sub(1, 1) .. mark end", true},
    {"value:gsub('%a', 'x')", "return function(value) return (value:gsub('%a', 'x')) end", false},
    {"crypto.sha256(value)",
     "local crypto = crypto; return function(value) return crypto.sha256(value):sub(1, 12) end",
     false},
};

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

/* Values a second. */
static double measure(const struct cl_mask_script *script, const char *what)
{
    char names[VALUES][NAME_BYTES_MAX];
    struct cl_buf out;
    struct cl_err err;
    cl_buf_init(&out, 1024 * 1024);
    for (int i = 0; i < VALUES; i++) {
        snprintf(names[i], sizeof names[i], "Firstname%d Lastname", i);
    }
    void *state = script->open(script->arg, &err);
    if (!state) {
        give_up(what, err.message);
    }
    double begin = cpu_seconds();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < VALUES; i++) {
            bool is_null;
            cl_buf_reset(&out);
            if (!script->call(state, names[i], strlen(names[i]), &is_null, &out, &err)) {
                give_up(what, err.message);
            }
        }
    }
    double seconds = cpu_seconds() - begin;
    script->close(state);
    cl_buf_fini(&out);
    return (double)VALUES * ROUNDS / seconds;
}

int main(void)
{
    bool reached = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cl_mask_script script;
        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        luaL_requiref(L, "crypto", luaopen_cl_crypto, 1);
        if (luaL_dostring(L, cases[i].function) != LUA_OK) {
            give_up(cases[i].what, lua_tostring(L, -1));
        }
        cl_mask_script_new(L, -1, "crm7.person", "firstname", &script);
        lua_close(L);
        double rate = measure(&script, cases[i].what);
        script.free(script.arg);
        bool below = cases[i].bar && rate < BAR;
        reached = reached && !below;
        printf("%-30s %6.2f million values per second of CPU%s\n", cases[i].what, rate / 1e6,
               below ? ", below the bar of 1" : "");
    }
    return reached ? EXIT_SUCCESS : EXIT_FAILURE;
}
