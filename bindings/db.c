/*
 * db: PostgreSQL connections in direct style.
 *
 * The connection userdata owns its struct cl_pg_conn and the one wait of its one operation.  A
 * cancelled wait aborts the connection: what the server was doing is cancelled there, and the
 * connection is closed.  db.lua makes the API scripts see out of these primitives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "db_value.h"
#include "host/await.h"
#include "host/host.h"
#include "host/task.h"
#include "modules.h"
#include "pg/conn.h"

#define MT_CONN "cl.db.connection"
#define MT_TEXT "cl.db.text"

enum { STATE_INDEX = 1 };

struct conn {
    struct cl_pg_conn *pg; /* NULL once closed */
    struct cl_wait wait;   /* of the operation that runs */
    bool waiting;          /* wait is in use */
    bool ok;               /* how the operation ended */
    struct cl_err err;     /* why, when not ok */
    bool readonly;         /* P1: must stay read-only */
    struct cl_task *owner; /* only this task may use it: in a transaction or COPY; never followed */
    int locks;             /* how often it was locked by the owner */
};

struct text {
    char *s; /* from malloc */
};

/* ---------------------------------------------------------------- handles */

static struct conn *check_conn(lua_State *L)
{
    return luaL_checkudata(L, 1, MT_CONN);
}

static void on_done(void *owner, bool ok, const struct cl_err *err)
{
    struct conn *c = owner;
    c->ok = ok;
    if (!ok) {
        c->err = *err;
    }
    cl_wait_done(&c->wait);
}

static void cancel(struct cl_wait *wait)
{
    struct conn *c = (struct conn *)((char *)wait - offsetof(struct conn, wait));
    c->waiting = false;
    cl_pg_conn_abort(c->pg);
}

/* conn:close(), __close: idempotent. A task that waits on it gets an error. */
static int conn_close(lua_State *L)
{
    struct conn *c = check_conn(L);
    if (!c->pg) {
        return 0;
    }
    cl_pg_conn_abort(c->pg);
    if (c->waiting && !c->wait.done) {
        struct cl_err err;
        cl_fail(&err, CL_BUG, "E_CLOSED", "the database connection was closed by another task");
        on_done(c, false, &err);
    }
    return 0;
}

static int conn_gc(lua_State *L)
{
    struct conn *c = check_conn(L);
    struct cl_pg_conn *pg = c->pg;
    c->pg = NULL;
    if (c->waiting) {
        c->waiting = false;
        cl_wait_forget(&c->wait);
    }
    cl_pg_conn_free(pg);
    return 0;
}

static int conn_tostring(lua_State *L)
{
    struct conn *c = check_conn(L);
    lua_pushfstring(L, "database connection (%s)",
                    c->pg && cl_pg_conn_is_open(c->pg) ? "open" : "closed");
    return 1;
}

static int text_release(lua_State *L)
{
    struct text *t = luaL_checkudata(L, 1, MT_TEXT);
    if (t->s) {
        explicit_bzero(t->s, strlen(t->s));
    }
    free(t->s);
    t->s = NULL;
    return 0;
}

static struct text *push_text(lua_State *L)
{
    struct text *t = lua_newuserdatauv(L, sizeof *t, 0);
    t->s = NULL;
    luaL_setmetatable(L, MT_TEXT);
    return t;
}

/* ---------------------------------------------------------------- running */

static int raise_bug(lua_State *L, const char *code, const char *message)
{
    struct cl_err err;
    cl_fail(&err, CL_BUG, code, "%s", message);
    return cl_raise(L, &err);
}

/* The connection at 1, open, idle and this task's to use; ready for an operation to start. */
static struct conn *prepare(lua_State *L)
{
    struct conn *c = check_conn(L);
    if (!c->pg || (!c->waiting && !cl_pg_conn_is_open(c->pg))) {
        raise_bug(L, "E_CLOSED", "the database connection is closed");
    }
    if (c->waiting || (c->owner && c->owner != cl_task_current(L))) {
        raise_bug(L, "E_BUSY",
                  "the database connection is in use by another task: give each its own");
    }
    memset(&c->wait, 0, sizeof c->wait);
    c->wait.cancel = cancel;
    c->waiting = true;
    return c;
}

/* After an operation was started, or not. */
static int await(lua_State *L, struct conn *c, bool started, const struct cl_err *err,
                 lua_KFunction k)
{
    if (!started) {
        c->waiting = false;
        return cl_raise(L, err);
    }
    return cl_await(L, &c->wait, (lua_KContext)c, k);
}

/* First thing of every continuation: raises when the operation failed. */
static struct conn *ended(lua_State *L, lua_KContext ctx)
{
    struct conn *c = (struct conn *)ctx;
    c->waiting = false;
    if (!c->ok) {
        cl_raise(L, &c->err);
    }
    if (c->readonly) {
        const char *now = cl_pg_conn_setting(c->pg, "default_transaction_read_only");
        if (now && strcmp(now, "on") != 0) {
            struct cl_err err;
            cl_pg_conn_abort(c->pg);
            cl_fail(&err, CL_PERMISSION, "E_NOT_READONLY",
                    "a read-only connection was made writable: it was closed");
            cl_raise(L, &err);
        }
    }
    return c;
}

static int finish_nothing(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    ended(L, ctx);
    return 0;
}

/* -> the result, a userdata */
static int finish_result(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct conn *c = ended(L, ctx);
    *cl_db_push_result(L) = cl_pg_conn_take(c->pg);
    return 1;
}

/* A statement at index 2. */
static const char *check_sql(lua_State *L)
{
    size_t len;
    const char *sql = luaL_checklstring(L, 2, &len);
    luaL_argcheck(L, strlen(sql) == len, 2, "SQL with a zero byte");
    return sql;
}

/* core.query(conn, sql, …) -> result */
static int l_query(lua_State *L)
{
    struct cl_err err;
    struct cl_pg_params params;
    check_conn(L);
    const char *sql = check_sql(L);
    cl_db_push_params(L, 3, &params);
    struct conn *c = prepare(L);
    return await(L, c, cl_pg_conn_query(c->pg, sql, &params, &err), &err, finish_result);
}

/* core.script(conn, sql) */
static int l_script(lua_State *L)
{
    struct cl_err err;
    check_conn(L);
    const char *sql = check_sql(L);
    struct conn *c = prepare(L);
    return await(L, c, cl_pg_conn_script(c->pg, sql, &err), &err, finish_nothing);
}

/* core.copy_out(conn, sql), then core.copy_read(conn) -> chunk, until "" */
static int l_copy_out(lua_State *L)
{
    struct cl_err err;
    check_conn(L);
    const char *sql = check_sql(L);
    struct conn *c = prepare(L);
    return await(L, c, cl_pg_conn_copy_out(c->pg, sql, &err), &err, finish_nothing);
}

static int finish_read(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    size_t n;
    struct conn *c = ended(L, ctx);
    const char *chunk = cl_pg_conn_chunk(c->pg, &n);
    lua_pushlstring(L, chunk, n);
    return 1;
}

static int l_copy_read(lua_State *L)
{
    struct cl_err err;
    struct conn *c = prepare(L);
    return await(L, c, cl_pg_conn_copy_read(c->pg, &err), &err, finish_read);
}

/* core.copy_in(conn, sql), core.copy_write(conn, bytes)…, core.copy_end(conn[, reason]) -> result
 */
static int l_copy_in(lua_State *L)
{
    struct cl_err err;
    check_conn(L);
    const char *sql = check_sql(L);
    struct conn *c = prepare(L);
    return await(L, c, cl_pg_conn_copy_in(c->pg, sql, &err), &err, finish_nothing);
}

static int l_copy_write(lua_State *L)
{
    struct cl_err err;
    size_t n;
    check_conn(L);
    const char *data = luaL_checklstring(L, 2, &n); /* stays on this stack while we wait */
    struct conn *c = prepare(L);
    return await(L, c, cl_pg_conn_copy_write(c->pg, data, n, &err), &err, finish_nothing);
}

static int l_copy_end(lua_State *L)
{
    struct cl_err err;
    check_conn(L);
    const char *reason = luaL_optstring(L, 2, NULL);
    struct conn *c = prepare(L);
    return await(L, c, cl_pg_conn_copy_end(c->pg, reason, &err), &err, finish_result);
}

/* -> {channel, payload, pid} or nil */
static int finish_notification(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct conn *c = ended(L, ctx);
    const PGnotify *notify = cl_pg_conn_notification(c->pg);
    if (!notify) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 3);
    lua_pushstring(L, notify->relname);
    lua_setfield(L, -2, "channel");
    lua_pushstring(L, notify->extra);
    lua_setfield(L, -2, "payload");
    lua_pushinteger(L, notify->be_pid);
    lua_setfield(L, -2, "pid");
    return 1;
}

/* core.notification(conn, timeout_ms), below 0: no limit */
static int l_notification(lua_State *L)
{
    struct cl_err err;
    check_conn(L);
    lua_Integer limit_ms = luaL_checkinteger(L, 2);
    luaL_argcheck(L, limit_ms <= 1000 * 1000 * 1000, 2, "milliseconds, up to 1e9");
    struct conn *c = prepare(L);
    bool started = cl_pg_conn_wait_notify(c->pg, limit_ms < 0 ? -1 : (int)limit_ms, &err);
    return await(L, c, started, &err, finish_notification);
}

/* ---------------------------------------------------------------- connecting */

static int finish_connect(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct conn *c = ended(L, ctx);
    (void)c;
    lua_pushvalue(L, 6); /* the connection, made by l_connect */
    return 1;
}

/* core.connect(conninfo, readonly, application or nil, timeout_ms, state table) -> conn */
static int l_connect(lua_State *L)
{
    struct cl_err err;
    const char *conninfo = luaL_checkstring(L, 1);
    struct cl_pg_options options = {.readonly = lua_toboolean(L, 2),
                                    .application = luaL_optstring(L, 3, NULL),
                                    .for_scripts = true};
    lua_Integer timeout_ms = luaL_checkinteger(L, 4);
    luaL_argcheck(L, timeout_ms >= 0 && timeout_ms <= 1000 * 1000 * 1000, 4,
                  "timeout_ms: milliseconds, up to 1e9");
    luaL_checktype(L, 5, LUA_TTABLE);
    lua_settop(L, 5);
    struct conn *c = lua_newuserdatauv(L, sizeof *c, 1);
    memset(c, 0, sizeof *c);
    luaL_setmetatable(L, MT_CONN);
    lua_pushvalue(L, 5);
    lua_setiuservalue(L, 6, STATE_INDEX);
    c->readonly = options.readonly;
    c->pg = cl_pg_conn_new(cl_host_loop(cl_host_of(L)), on_done, c);
    if (!c->pg) {
        return luaL_error(L, "out of memory");
    }
    c->wait.cancel = cancel;
    c->waiting = true;
    bool started = cl_pg_conn_connect(c->pg, conninfo, &options, (int)timeout_ms, &err);
    return await(L, c, started, &err, finish_connect);
}

/* core.conninfo(dsn, password or nil) -> key=value connection string with the password */
static int l_conninfo(lua_State *L)
{
    struct cl_err err;
    const char *dsn = luaL_checkstring(L, 1);
    const char *password = luaL_optstring(L, 2, NULL);
    struct text *t = push_text(L);
    t->s = cl_pg_conninfo(dsn, password, &err);
    if (!t->s) {
        return cl_raise(L, &err);
    }
    lua_pushstring(L, t->s);
    return 1;
}

/* core.safe_dsn(dsn) -> the same without the password */
static int l_safe_dsn(lua_State *L)
{
    const char *dsn = luaL_checkstring(L, 1);
    struct text *t = push_text(L);
    t->s = cl_pg_safe_conninfo(dsn);
    lua_pushstring(L, t->s ? t->s : "");
    return 1;
}

/* ---------------------------------------------------------------- parameters */

/* core.value(type OID, format, bytes) -> a parameter */
static int l_value(lua_State *L)
{
    luaL_checkinteger(L, 1);
    luaL_checkinteger(L, 2);
    luaL_checkstring(L, 3);
    lua_createtable(L, 3, 0);
    for (int i = 1; i <= 3; i++) {
        lua_pushvalue(L, i);
        lua_rawseti(L, -2, i);
    }
    luaL_setmetatable(L, CL_MT_DB_VALUE);
    return 1;
}

/* core.bytes_of(value) -> the bytes of a db.bytea(), nil for anything else */
static int l_bytes_of(lua_State *L)
{
    if (!lua_istable(L, 1) || !lua_getmetatable(L, 1)) {
        return 0;
    }
    luaL_getmetatable(L, CL_MT_DB_VALUE);
    if (!lua_rawequal(L, -1, -2)) {
        return 0;
    }
    lua_rawgeti(L, 1, 2);
    bool binary = lua_tointeger(L, -1) == 1;
    lua_rawgeti(L, 1, 3);
    return binary ? 1 : 0;
}

/* ---------------------------------------------------------------- state */

/* core.state(conn) -> the table given to connect() */
static int l_state(lua_State *L)
{
    check_conn(L);
    lua_getiuservalue(L, 1, STATE_INDEX);
    return 1;
}

/* core.transaction(conn) -> "idle", "active", "intrans", "inerror" or "unknown" */
static int l_transaction(lua_State *L)
{
    static const char *const names[] = {[PQTRANS_IDLE] = "idle",
                                        [PQTRANS_ACTIVE] = "active",
                                        [PQTRANS_INTRANS] = "intrans",
                                        [PQTRANS_INERROR] = "inerror",
                                        [PQTRANS_UNKNOWN] = "unknown"};
    struct conn *c = check_conn(L);
    lua_pushstring(L, names[c->pg ? cl_pg_conn_transaction(c->pg) : PQTRANS_UNKNOWN]);
    return 1;
}

/* core.lock(conn): until as many unlock(), only this task may use it */
static int l_lock(lua_State *L)
{
    struct conn *c = check_conn(L);
    struct cl_task *task = cl_task_current(L);
    if (c->owner && c->owner != task) {
        return raise_bug(L, "E_BUSY",
                         "the database connection is in use by another task: give each its own");
    }
    c->owner = task;
    c->locks++;
    return 0;
}

static int l_unlock(lua_State *L)
{
    struct conn *c = check_conn(L);
    if (c->locks > 0 && --c->locks == 0) {
        c->owner = NULL;
    }
    return 0;
}

/* conn:is_open() */
static int l_is_open(lua_State *L)
{
    struct conn *c = check_conn(L);
    lua_pushboolean(L, c->pg && cl_pg_conn_is_open(c->pg));
    return 1;
}

static void make_metatables(lua_State *L)
{
    static const luaL_Reg conn[] = {
        {"__gc", conn_gc}, {"__close", conn_close}, {"__tostring", conn_tostring}, {NULL, NULL}};
    static const luaL_Reg text[] = {{"__gc", text_release}, {NULL, NULL}};
    luaL_newmetatable(L, MT_CONN);
    luaL_setfuncs(L, conn, 0);
    lua_pushliteral(L, "a database connection");
    lua_setfield(L, -2, "__metatable");
    luaL_newmetatable(L, MT_TEXT);
    luaL_setfuncs(L, text, 0);
    luaL_newmetatable(L, CL_MT_DB_VALUE);
    lua_pop(L, 3);
}

int luaopen_cl_db(lua_State *L)
{
    static const luaL_Reg functions[] = {{"connect", l_connect},
                                         {"conninfo", l_conninfo},
                                         {"safe_dsn", l_safe_dsn},
                                         {"query", l_query},
                                         {"script", l_script},
                                         {"copy_out", l_copy_out},
                                         {"copy_read", l_copy_read},
                                         {"copy_in", l_copy_in},
                                         {"copy_write", l_copy_write},
                                         {"copy_end", l_copy_end},
                                         {"value", l_value},
                                         {"bytes_of", l_bytes_of},
                                         {"state", l_state},
                                         {"transaction", l_transaction},
                                         {"lock", l_lock},
                                         {"unlock", l_unlock},
                                         {"notification", l_notification},
                                         {NULL, NULL}};
    static const luaL_Reg methods[] = {{"close", conn_close}, {"is_open", l_is_open}, {NULL, NULL}};
    make_metatables(L);
    luaL_newlib(L, functions);
    cl_db_result_open(L);
    luaL_newlib(L, methods); /* db.lua adds the rest */
    luaL_getmetatable(L, MT_CONN);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_setfield(L, -2, "methods");
    return 1;
}
