/* host: what the runtime's own Lua needs of the process. Scripts cannot require it. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "base/embed.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "host/await.h"
#include "host/host.h"
#include "modules.h"

#define MT_SIGNALS "cl.host.signals"

/* ---------------------------------------------------------------- signals */

struct signals {
    uv_signal_t *handles[2]; /* SIGINT, SIGTERM; each freed in its close callback; NULL: closed */
    struct cl_wait wait;     /* of the one task in :wait() */
    bool waiting;            /* a task is in :wait() */
    int pending;             /* the last signal nobody took yet; 0: none */
};

static void on_signal(uv_signal_t *handle, int signum)
{
    struct signals *s = handle->data;
    s->pending = signum;
    if (s->waiting) {
        s->waiting = false;
        cl_wait_done(&s->wait);
    }
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static int signals_release(lua_State *L)
{
    struct signals *s = luaL_checkudata(L, 1, MT_SIGNALS);
    for (int i = 0; i < 2; i++) {
        if (s->handles[i]) {
            uv_close((uv_handle_t *)s->handles[i], free_handle);
            s->handles[i] = NULL;
        }
    }
    return 0;
}

static void cancel_signals(struct cl_wait *wait)
{
    struct signals *s = (struct signals *)((char *)wait - offsetof(struct signals, wait));
    s->waiting = false;
}

static int finish_signal(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct signals *s = (struct signals *)ctx;
    lua_pushstring(L, s->pending == SIGINT ? "INT" : "TERM");
    s->pending = 0;
    return 1;
}

/* signals:wait() -> "INT" or "TERM", the next one */
static int l_signals_wait(lua_State *L)
{
    struct signals *s = luaL_checkudata(L, 1, MT_SIGNALS);
    memset(&s->wait, 0, sizeof s->wait);
    s->wait.cancel = cancel_signals;
    if (s->pending) {
        return finish_signal(L, LUA_OK, (lua_KContext)s);
    }
    s->waiting = true;
    return cl_await(L, &s->wait, (lua_KContext)s, finish_signal);
}

/* host.signals() -> from now on SIGINT and SIGTERM come here instead of ending the process */
static int l_signals(lua_State *L)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    struct signals *s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    luaL_setmetatable(L, MT_SIGNALS);
    for (int i = 0; i < 2; i++) {
        uv_signal_t *handle = malloc(sizeof *handle);
        if (!handle) {
            return luaL_error(L, "out of memory");
        }
        uv_signal_init(cl_host_loop(cl_host_of(L)), handle);
        s->handles[i] = handle;
        handle->data = s;
        uv_signal_start(handle, on_signal, numbers[i]);
        uv_unref((uv_handle_t *)handle);
    }
    return 1;
}

/* ---------------------------------------------------------------- process */

static FILE *stream(lua_State *L, int idx)
{
    static const char *const names[] = {"out", "err", NULL};
    return luaL_checkoption(L, idx, "out", names) == 0 ? stdout : stderr;
}

/* host.write("out"|"err", text) */
static int l_write(lua_State *L)
{
    size_t n;
    FILE *f = stream(L, 1);
    const char *text = luaL_checklstring(L, 2, &n);
    bool ok = fwrite(text, 1, n, f) == n && fflush(f) == 0;
    lua_pushboolean(L, ok);
    return 1;
}

/* host.terminal("out"|"err") -> columns, rows of the terminal, or nothing when it is none */
static int l_terminal(lua_State *L)
{
    struct winsize size;
    int fd = fileno(stream(L, 1));
    if (!isatty(fd)) {
        return 0;
    }
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        size.ws_col = 80;
        size.ws_row = 24;
    }
    lua_pushinteger(L, size.ws_col);
    lua_pushinteger(L, size.ws_row);
    return 2;
}

/* host.getenv(name) -> value or nil */
static int l_getenv(lua_State *L)
{
    lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
    return 1;
}

/* host.setup_log(level, json) */
static int l_setup_log(lua_State *L)
{
    enum cl_log_level level;
    luaL_argcheck(L, cl_log_parse_level(luaL_checkstring(L, 1), &level), 1, "not a log level");
    cl_log_setup(level, lua_toboolean(L, 2));
    return 0;
}

/* host.fault(name): passes a named fault point; raises when the test asked for a failure */
static int l_fault(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    luaL_argcheck(L, cl_fault_known(name), 1, "not in fault_points.def");
    if (cl_fault(name)) {
        return luaL_error(L, "fault point %s", name);
    }
    return 0;
}

/* host.uuid() -> a new UUID version 7 (RFC 9562): sortable by time */
static int l_uuid(lua_State *L)
{
    uint8_t b[16];
    if (!cl_random(b, sizeof b)) {
        return luaL_error(L, "the system has no random numbers");
    }
    uint64_t ms = (uint64_t)cl_clock_wall_ms();
    for (int i = 0; i < 6; i++) {
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x70);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    char hex[33];
    cl_hex(b, sizeof b, hex);
    char text[37];
    snprintf(text, sizeof text, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
    lua_pushstring(L, text);
    return 1;
}

/* host.sha256(bytes) -> hex */
static int l_sha256(lua_State *L)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    uint8_t digest[CL_SHA256_BYTES];
    char hex[2 * CL_SHA256_BYTES + 1];
    cl_sha256(bytes, n, digest);
    cl_hex(digest, sizeof digest, hex);
    lua_pushstring(L, hex);
    return 1;
}

/* host.embedded(path) -> the text of a file built into the program, or nil */
static int l_embedded(lua_State *L)
{
    const struct cl_embedded *file = cl_embedded(luaL_checkstring(L, 1));
    if (!file) {
        return 0;
    }
    lua_pushlstring(L, file->data, file->len);
    return 1;
}

/* host.is_public(module): may scripts require it? */
static int l_is_public(lua_State *L)
{
    lua_pushboolean(L, cl_module_is_public(luaL_checkstring(L, 1)));
    return 1;
}

/* What /proc tells of a process ("self" or its id): its state letter, and its start time in clock
 * ticks since boot, which with its id names one process for as long as the machine is up. False
 * when it tells nothing. */
static bool process_stat(const char *which, char *state, lua_Integer *started)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", which);
    FILE *f = fopen(path, "re");
    if (!f) {
        return false;
    }
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    char *p = strrchr(text, ')'); /* the name before it may hold anything */
    if (!p || p[1] != ' ') {
        return false;
    }
    *state = p[2];
    for (int field = 2; p && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }
    *started = p ? strtoll(p + 1, NULL, 10) : 0;
    return *started != 0;
}

/* host.process_gone(pid, started) -> is that process of this machine surely no more? A process that
 * only cannot be looked at (another user's under hidepid) is not gone. */
static int l_process_gone(lua_State *L)
{
    char which[32];
    char state = '?';
    lua_Integer pid = luaL_checkinteger(L, 1);
    lua_Integer was = luaL_checkinteger(L, 2);
    lua_Integer started = 0;
    luaL_argcheck(L, pid > 0 && pid <= INT32_MAX, 1, "not a process id");
    snprintf(which, sizeof which, "%lld", (long long)pid);
    bool gone = kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    if (!gone && process_stat(which, &state, &started)) {
        gone = started != was || state == 'Z' || state == 'X';
    }
    lua_pushboolean(L, gone);
    return 1;
}

/* host.quit(code): ends the process now, without closing anything */
static int l_quit(lua_State *L)
{
    fflush(NULL);
    _exit((int)luaL_checkinteger(L, 1));
}

/* Names one boot of one machine, seen from one process id namespace (and one of clocks, as start
 * times depend on it): within it a process id and a start time name a process. Empty when /proc
 * does not say, or belongs to another namespace: then nobody may judge by it. */
static void name_machine(char *out, size_t size)
{
    char boot[64] = "";
    char pids[64] = "";
    char clocks[64] = "";
    char self[32] = "";
    char want[32];
    out[0] = '\0';
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (f) {
        if (!fgets(boot, sizeof boot, f)) {
            boot[0] = '\0';
        }
        fclose(f);
    }
    boot[strcspn(boot, "\n")] = '\0';
    ssize_t n = readlink("/proc/self", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    n = readlink("/proc/self/ns/pid", pids, sizeof pids - 1);
    pids[n > 0 ? n : 0] = '\0';
    n = readlink("/proc/self/ns/time", clocks, sizeof clocks - 1); /* Linux 5.6 */
    clocks[n > 0 ? n : 0] = '\0';
    snprintf(want, sizeof want, "%lld", (long long)getpid());
    if (boot[0] && pids[0] && strcmp(self, want) == 0) {
        snprintf(out, size, "%s %s%s%s", boot, pids, clocks[0] ? " " : "", clocks);
    }
}

/* host.identity() -> {host, pid, started, machine}; started is 0 and machine "" when unknown */
static int l_identity(lua_State *L)
{
    char name[256] = "";
    char machine[256];
    char state;
    lua_Integer started = 0;
    gethostname(name, sizeof name - 1);
    name_machine(machine, sizeof machine);
    if (!process_stat("self", &state, &started)) {
        machine[0] = '\0';
    }
    lua_createtable(L, 0, 4);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "host");
    lua_pushinteger(L, getpid());
    lua_setfield(L, -2, "pid");
    lua_pushinteger(L, started);
    lua_setfield(L, -2, "started");
    lua_pushstring(L, machine);
    lua_setfield(L, -2, "machine");
    return 1;
}

int luaopen_cl_host(lua_State *L)
{
    static const luaL_Reg functions[] = {{"signals", l_signals},
                                         {"write", l_write},
                                         {"terminal", l_terminal},
                                         {"getenv", l_getenv},
                                         {"setup_log", l_setup_log},
                                         {"fault", l_fault},
                                         {"uuid", l_uuid},
                                         {"sha256", l_sha256},
                                         {"embedded", l_embedded},
                                         {"is_public", l_is_public},
                                         {"quit", l_quit},
                                         {"identity", l_identity},
                                         {"process_gone", l_process_gone},
                                         {NULL, NULL}};
    static const luaL_Reg methods[] = {{"wait", l_signals_wait}, {NULL, NULL}};
    if (luaL_newmetatable(L, MT_SIGNALS)) {
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, signals_release);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, signals_release);
        lua_setfield(L, -2, "__close");
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
