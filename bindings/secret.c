/*
 * secret: values that are named, and read only where they are used.
 *
 * The object holds the name alone, so that neither tostring, json nor the journal can show a
 * value.  reveal() reads it anew each time (files rotate) and tells base/redact.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/redact.h"
#include "box.h"
#include "host/await.h"
#include "modules.h"

#define MT_SECRET "cl.secret"

enum { NAME_INDEX = 1, SECRET_BYTES_MAX = 64 * 1024, PATH_BYTES_MAX = 4096 };

/* ---------------------------------------------------------------- files */

static bool read_fd(int fd, const char *path, struct cl_buf *out, struct cl_err *err)
{
    for (;;) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return cl_fail_errno(err, errno, "reading secret file:%s", path);
        }
        if (n == 0) {
            return true;
        }
        bool fits = cl_buf_add(out, chunk, (size_t)n);
        explicit_bzero(chunk, sizeof chunk);
        if (!fits) {
            return cl_fail(err, CL_INVALID, "E_SECRET", "secret file:%s is larger than %d bytes",
                           path, SECRET_BYTES_MAX);
        }
    }
}

static bool read_file(const char *path, struct cl_buf *out, struct cl_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return cl_fail_errno(err, errno, "opening secret file:%s", path);
    }
    bool ok = read_fd(fd, path, out, err);
    close(fd);
    while (ok && out->len > 0 &&
           (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r')) {
        out->data[--out->len] = '\0'; /* the end of a line is the editor's, not the secret's */
    }
    return ok;
}

static bool write_fd(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        }
    }
    return fsync(fd) == 0;
}

/* The rename survives a power cut once the folder is on disk. */
static bool sync_folder_of(const char *path)
{
    char folder[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1,
             slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = saved;
    return ok;
}

/* Whoever looks sees the old content or the new, never a part. */
static bool write_file(const char *path, const char *bytes, size_t n, struct cl_err *err)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    char temp[PATH_BYTES_MAX];
    if (!cl_random(random, sizeof random)) {
        return cl_fail(err, CL_TRANSIENT, "E_RANDOM", "the system has no random numbers");
    }
    cl_hex(random, sizeof random, hex);
    if (snprintf(temp, sizeof temp, "%s.%s.tmp", path, hex) >= (int)sizeof temp) {
        return cl_fail(err, CL_INVALID, "E_SECRET", "the path of a secret is too long");
    }
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return cl_fail_errno(err, errno, "creating secret file:%s", path);
    }
    bool ok = write_fd(fd, bytes, n);
    int saved = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        saved = errno;
    }
    if (ok && rename(temp, path) != 0) {
        ok = false;
        saved = errno;
    }
    if (!ok) {
        unlink(temp);
    } else if (!sync_folder_of(path)) {
        ok = false;
        saved = errno;
    }
    return ok || cl_fail_errno(err, saved, "writing secret file:%s", path);
}

/* ---------------------------------------------------------------- objects */

/* Raises unless name is env:… or file:…; returns what follows the colon. */
static const char *check_name(lua_State *L, int idx, const char *name, bool *is_file)
{
    *is_file = strncmp(name, "file:", 5) == 0;
    if (!*is_file && strncmp(name, "env:", 4) != 0) {
        luaL_argerror(L, idx, "a secret is named env:NAME or file:/path");
    }
    const char *rest = strchr(name, ':') + 1;
    luaL_argcheck(L, *rest != '\0', idx, "a secret is named env:NAME or file:/path");
    return rest;
}

/* The name behind the string or secret at idx; borrowed from that value. */
static const char *name_at(lua_State *L, int idx)
{
    if (luaL_testudata(L, idx, MT_SECRET)) {
        lua_getiuservalue(L, idx, NAME_INDEX);
        const char *name = lua_tostring(L, -1);
        lua_pop(L, 1); /* the secret keeps it */
        return name;
    }
    return luaL_checkstring(L, idx);
}

/* secret "env:NAME" | secret "file:/path"; a secret passes through */
static int l_new(lua_State *L)
{
    bool is_file;
    if (luaL_testudata(L, 2, MT_SECRET)) {
        lua_settop(L, 2);
        return 1;
    }
    check_name(L, 1, luaL_checkstring(L, 2), &is_file); /* argument 1 as scripts count */
    lua_newuserdatauv(L, 0, 1);
    luaL_setmetatable(L, MT_SECRET);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, NAME_INDEX);
    return 1;
}

static int secret_tostring(lua_State *L)
{
    luaL_checkudata(L, 1, MT_SECRET);
    lua_getiuservalue(L, 1, NAME_INDEX);
    return 1;
}

static int secret_eq(lua_State *L)
{
    lua_pushboolean(L, strcmp(name_at(L, 1), name_at(L, 2)) == 0);
    return 1;
}

static int push_file(lua_State *L, const char *path)
{
    struct cl_err err;
    struct cl_buf *b = cl_box_push(L, SECRET_BYTES_MAX);
    if (!read_file(path, b, &err)) {
        return cl_raise(L, &err);
    }
    if (b->len == 0) {
        cl_fail(&err, CL_NOT_FOUND, "E_SECRET", "secret file:%s is empty", path);
        return cl_raise(L, &err);
    }
    cl_redact_add(b->data, b->len);
    lua_pushlstring(L, b->data, b->len);
    return 1;
}

/* secret.reveal(secret or string) -> the value; a string is its own value */
static int l_reveal(lua_State *L)
{
    bool is_file;
    if (!luaL_testudata(L, 1, MT_SECRET)) {
        luaL_checkstring(L, 1);
        lua_settop(L, 1);
        return 1;
    }
    const char *rest = check_name(L, 1, name_at(L, 1), &is_file);
    if (is_file) {
        return push_file(L, rest);
    }
    const char *value = getenv(rest);
    if (!value || !*value) {
        struct cl_err err;
        cl_fail(&err, CL_NOT_FOUND, "E_SECRET", "secret env:%s: the variable is %s", rest,
                value ? "empty" : "not set");
        return cl_raise(L, &err);
    }
    cl_redact_add(value, strlen(value));
    lua_pushstring(L, value);
    return 1;
}

/* secret.put("file:/path" or secret, value): writes it, mode 0600, atomically */
static int l_put(lua_State *L)
{
    bool is_file;
    size_t n;
    const char *path = check_name(L, 1, name_at(L, 1), &is_file);
    const char *value = luaL_checklstring(L, 2, &n);
    luaL_argcheck(L, is_file, 1, "only a secret named file:/path can be written");
    luaL_argcheck(L, n > 0 && n <= SECRET_BYTES_MAX, 2, "1 to 65,536 bytes");
    cl_redact_add(value, n);
    struct cl_err err;
    return write_file(path, value, n, &err) ? 0 : cl_raise(L, &err);
}

/* secret.conceal(value) -> value: logs and messages print *** for it from now on */
static int l_conceal(lua_State *L)
{
    size_t n;
    const char *value = luaL_checklstring(L, 1, &n);
    cl_redact_add(value, n);
    lua_settop(L, 1);
    return 1;
}

/* secret.is(value) */
static int l_is(lua_State *L)
{
    lua_pushboolean(L, luaL_testudata(L, 1, MT_SECRET) != NULL);
    return 1;
}

int luaopen_cl_secret(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"reveal", l_reveal}, {"put", l_put}, {"conceal", l_conceal}, {"is", l_is}, {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__tostring", secret_tostring}, {"__eq", secret_eq}, {NULL, NULL}};
    if (luaL_newmetatable(L, MT_SECRET)) {
        luaL_setfuncs(L, meta, 0);
        lua_pushliteral(L, "a secret");
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_new);
    lua_setfield(L, -2, "__call");
    lua_setmetatable(L, -2);
    return 1;
}
