/* blob: stores, and jobs on them. Every operation runs on a thread of its own, on a clone of the
 * store; what it needs is copied into its `op` first. */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/hash.h"
#include "blob.h"
#include "blob/copier.h"
#include "blob/store.h"
#include "host/await.h"
#include "job.h"
#include "modules.h"

#define MT_STORE "cl.blob.store"
#define MT_LISTING "cl.blob.listing"

struct store {
    struct cl_blob_store *store; /* owned; NULL once closed */
};

struct op {
    struct cl_blob_store *store; /* owned clone */
    struct cl_blob_item item;    /* of a put or stat; the name of others */
    char *prefix;                /* of a list or delete_all; owned */
    char *bytes;                 /* of a put; owned, byte_count of them */
    size_t byte_count;           /* of bytes */
    struct cl_buf content;       /* of a get */
    struct cl_blob_items items;  /* of a list */
    size_t count;                /* of a delete_all */
    bool md5;                    /* list, stat: compute MD5s that are not known */
    bool missing;                /* of a stat: there is no such blob */
};

static const char *const header_fields[CL_BLOB_HEADER_COUNT] = {
    [CL_BLOB_CONTENT_TYPE] = "content_type",
    [CL_BLOB_CONTENT_ENCODING] = "content_encoding",
    [CL_BLOB_CONTENT_LANGUAGE] = "content_language",
    [CL_BLOB_CONTENT_DISPOSITION] = "content_disposition",
    [CL_BLOB_CACHE_CONTROL] = "cache_control",
};

static int out_of_memory(lua_State *L)
{
    struct cl_err err;
    cl_fail(&err, CL_TRANSIENT, "ENOMEM", "blob: out of memory");
    return cl_raise(L, &err);
}

/* ---------------------------------------------------------------- stores */

static int store_release(lua_State *L)
{
    struct store *s = luaL_checkudata(L, 1, MT_STORE);
    struct cl_blob_store *store = s->store;
    s->store = NULL;
    cl_blob_free(store);
    return 0;
}

static struct cl_blob_store *check_store(lua_State *L, int idx)
{
    struct store *s = luaL_checkudata(L, idx, MT_STORE);
    luaL_argcheck(L, s->store, idx, "the store is closed");
    return s->store;
}

struct cl_blob_store *cl_blob_store_opt(lua_State *L, int idx)
{
    return lua_isnoneornil(L, idx) ? NULL : check_store(L, idx);
}

static const char *text_field(lua_State *L, int table, const char *name)
{
    int type = lua_getfield(L, table, name); /* stays on the stack: keeps the string alive */
    luaL_argcheck(L, type == LUA_TNIL || type == LUA_TSTRING, table,
                  lua_pushfstring(L, "'%s' must be a string", name));
    return type == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
}

/* blob.open(url, {endpoint=, key=, sas=, token=, ca_file=, page=}) -> store */
static int l_open(lua_State *L)
{
    const char *url = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct store *s = lua_newuserdatauv(L, sizeof *s, 0);
    s->store = NULL;
    luaL_setmetatable(L, MT_STORE);
    struct cl_blob_options options = {0};
    options.endpoint = text_field(L, 2, "endpoint");
    options.key = text_field(L, 2, "key");
    options.sas = text_field(L, 2, "sas");
    options.token = text_field(L, 2, "token");
    options.ca_file = text_field(L, 2, "ca_file");
    lua_getfield(L, 2, "page");
    options.page = (int)luaL_optinteger(L, -1, 0);
    luaL_argcheck(L, options.page >= 0 && options.page <= 5000, 2, "'page' is 1 to 5000");
    struct cl_err err;
    s->store = cl_blob_open(url, &options, &err);
    if (!s->store) {
        return cl_raise(L, &err);
    }
    lua_settop(L, 3);
    return 1;
}

/* blob.url(store) -> its URL, without credentials */
static int l_url(lua_State *L)
{
    lua_pushstring(L, check_store(L, 1)->url);
    return 1;
}

/* ---------------------------------------------------------------- items */

static void push_item(lua_State *L, const struct cl_blob_item *item)
{
    lua_createtable(L, 0, 8);
    lua_pushstring(L, item->name);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, (lua_Integer)item->size);
    lua_setfield(L, -2, "size");
    if (item->etag) {
        lua_pushstring(L, item->etag);
        lua_setfield(L, -2, "etag");
    }
    if (item->has_md5) {
        char hex[2 * CL_BLOB_MD5_BYTES + 1];
        cl_hex(item->md5, CL_BLOB_MD5_BYTES, hex);
        lua_pushstring(L, hex);
        lua_setfield(L, -2, "md5");
    }
    if (item->modified_ms != 0) {
        lua_pushinteger(L, item->modified_ms);
        lua_setfield(L, -2, "modified");
    }
    for (size_t i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        if (item->headers[i]) {
            lua_pushstring(L, item->headers[i]);
            lua_setfield(L, -2, header_fields[i]);
        }
    }
    lua_createtable(L, 0, (int)item->meta_count);
    for (size_t i = 0; i < item->meta_count; i++) {
        lua_pushstring(L, item->meta[i].value);
        lua_setfield(L, -2, item->meta[i].name);
    }
    lua_setfield(L, -2, "metadata");
}

/* The properties a script gave for a put; the name is set. Raises; *item is boxed. */
static void check_props(lua_State *L, int table, struct cl_blob_item *item)
{
    for (int i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        if (!cl_blob_item_header(item, (enum cl_blob_header)i,
                                 text_field(L, table, header_fields[i]))) {
            out_of_memory(L);
        }
        lua_pop(L, 1);
    }
    if (lua_getfield(L, table, "metadata") != LUA_TNIL) {
        luaL_argcheck(L, lua_istable(L, -1), table, "'metadata' must be a table of strings");
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING,
                          table, "'metadata' must be a table of strings");
            luaL_argcheck(L, item->meta_count < CL_BLOB_META_MAX, table,
                          "'metadata' has more than 64 entries");
            if (!cl_blob_item_meta(item, lua_tostring(L, -2), lua_tostring(L, -1))) {
                out_of_memory(L);
            }
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

/* ---------------------------------------------------------------- listings */

static int listing_gc(lua_State *L)
{
    cl_blob_items_fini(luaL_checkudata(L, 1, MT_LISTING));
    return 0;
}

/* listing:count() */
static int l_listing_count(lua_State *L)
{
    struct cl_blob_items *items = luaL_checkudata(L, 1, MT_LISTING);
    lua_pushinteger(L, (lua_Integer)items->count);
    return 1;
}

/* listing:item(i) -> table */
static int l_listing_item(lua_State *L)
{
    struct cl_blob_items *items = luaL_checkudata(L, 1, MT_LISTING);
    lua_Integer i = luaL_checkinteger(L, 2);
    luaL_argcheck(L, i >= 1 && (size_t)i <= items->count, 2, "no such item");
    push_item(L, &items->item[i - 1]);
    return 1;
}

/* ---------------------------------------------------------------- jobs */

static void op_free(void *arg)
{
    struct op *op = arg;
    cl_blob_free(op->store);
    cl_blob_item_fini(&op->item);
    cl_blob_items_fini(&op->items);
    cl_buf_fini(&op->content);
    free(op->prefix);
    free(op->bytes);
    free(op);
}

/* Pushes the handle of a job on the store at 1, its op boxed in it. */
static struct op *push_op(lua_State *L, cl_job_run run, int (*push_result)(lua_State *, void *))
{
    struct cl_blob_store *store = check_store(L, 1);
    struct cl_job_handle *handle = cl_job_push(L);
    struct op *op = calloc(1, sizeof *op);
    if (!op) {
        out_of_memory(L);
        return NULL;
    }
    cl_buf_init(&op->content, CL_BLOB_MEMORY_MAX);
    handle->arg = op;
    handle->free_arg = op_free;
    handle->run = run;
    handle->push_result = push_result;
    struct cl_err err;
    op->store = cl_blob_clone(store, NULL, &err);
    if (!op->store) {
        cl_raise(L, &err);
    }
    return op;
}

static char *copy_text(lua_State *L, int idx)
{
    size_t n;
    const char *text = luaL_checklstring(L, idx, &n);
    luaL_argcheck(L, strlen(text) == n, idx, "a name holds no NUL byte");
    char *copy = strdup(text);
    if (!copy) {
        out_of_memory(L);
    }
    return copy;
}

static bool run_list(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct op *op = arg;
    op->store->job = job;
    bool ok = cl_blob_list(op->store, op->prefix, &op->items, err);
    for (size_t i = 0; ok && op->md5 && i < op->items.count; i++) {
        ok = cl_blob_digest(op->store, &op->items.item[i], err);
    }
    return ok;
}

static int push_listing(lua_State *L, void *arg)
{
    struct op *op = arg;
    struct cl_blob_items *items = lua_newuserdatauv(L, sizeof *items, 0);
    *items = op->items;
    memset(&op->items, 0, sizeof op->items);
    luaL_setmetatable(L, MT_LISTING);
    return 1;
}

/* blob.list(store, prefix, md5) -> job -> listing */
static int l_list(lua_State *L)
{
    luaL_checkstring(L, 2);
    struct op *op = push_op(L, run_list, push_listing);
    op->prefix = copy_text(L, 2);
    op->md5 = lua_toboolean(L, 3);
    return cl_job_begin(L);
}

static bool run_stat(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct op *op = arg;
    op->store->job = job;
    bool ok = cl_blob_stat(op->store, &op->item, err) &&
              (!op->md5 || cl_blob_digest(op->store, &op->item, err));
    if (!ok && err->class == CL_NOT_FOUND && strcmp(err->code, "E_NO_BLOB") == 0) {
        op->missing = true;
        ok = true;
    }
    return ok;
}

static int push_stat(lua_State *L, void *arg)
{
    struct op *op = arg;
    if (op->missing) {
        lua_pushnil(L);
    } else {
        push_item(L, &op->item);
    }
    return 1;
}

/* blob.stat(store, name, md5) -> job -> item | nil */
static int l_stat(lua_State *L)
{
    luaL_checkstring(L, 2);
    struct op *op = push_op(L, run_stat, push_stat);
    op->item.name = copy_text(L, 2);
    op->md5 = lua_toboolean(L, 3);
    return cl_job_begin(L);
}

static bool run_get(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct op *op = arg;
    op->store->job = job;
    return cl_blob_get(op->store, op->item.name, &op->content, err);
}

static int push_get(lua_State *L, void *arg)
{
    struct op *op = arg;
    lua_pushlstring(L, cl_buf_str(&op->content), op->content.len);
    return 1;
}

/* blob.get(store, name) -> job -> bytes */
static int l_get(lua_State *L)
{
    luaL_checkstring(L, 2);
    struct op *op = push_op(L, run_get, push_get);
    op->item.name = copy_text(L, 2);
    return cl_job_begin(L);
}

static bool run_put(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct op *op = arg;
    op->store->job = job;
    return cl_blob_put_bytes(op->store, &op->item, op->bytes, op->byte_count, err);
}

/* blob.put(store, name, bytes, {content_type=, metadata=, …}) -> job -> item */
static int l_put(lua_State *L)
{
    luaL_checkstring(L, 2);
    size_t n;
    const char *bytes = luaL_checklstring(L, 3, &n);
    luaL_checktype(L, 4, LUA_TTABLE);
    struct op *op = push_op(L, run_put, push_stat);
    op->item.name = copy_text(L, 2);
    check_props(L, 4, &op->item);
    op->bytes = malloc(n + 1);
    if (!op->bytes) {
        return out_of_memory(L);
    }
    memcpy(op->bytes, bytes, n);
    op->byte_count = n;
    return cl_job_begin(L);
}

static bool run_delete(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct op *op = arg;
    op->store->job = job;
    return cl_blob_delete(op->store, op->item.name, err);
}

/* blob.delete(store, name) -> job */
static int l_delete(lua_State *L)
{
    luaL_checkstring(L, 2);
    struct op *op = push_op(L, run_delete, NULL);
    op->item.name = copy_text(L, 2);
    return cl_job_begin(L);
}

static bool run_delete_all(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct op *op = arg;
    op->store->job = job;
    return cl_blob_delete_all(op->store, op->prefix, &op->count, err);
}

static int push_count(lua_State *L, void *arg)
{
    struct op *op = arg;
    lua_pushinteger(L, (lua_Integer)op->count);
    return 1;
}

/* blob.delete_all(store, prefix) -> job -> how many */
static int l_delete_all(lua_State *L)
{
    luaL_checkstring(L, 2);
    struct op *op = push_op(L, run_delete_all, push_count);
    op->prefix = copy_text(L, 2);
    return cl_job_begin(L);
}

/* ---------------------------------------------------------------- copies */

static void copy_free(void *arg)
{
    cl_blob_copy_fini(arg);
    free(arg);
}

static int push_copy(lua_State *L, void *arg)
{
    static const char *const how[] = {[CL_BLOB_PENDING] = "pending",
                                      [CL_BLOB_STREAMED] = "copied",
                                      [CL_BLOB_SERVER_SIDE] = "server_side",
                                      [CL_BLOB_SKIPPED] = "skipped"};
    const struct cl_blob_copy *c = arg;
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, (lua_Integer)c->items.count);
    lua_setfield(L, -2, "objects");
    lua_pushinteger(L, (lua_Integer)c->bytes);
    lua_setfield(L, -2, "bytes");
    lua_pushinteger(L, (lua_Integer)c->copied);
    lua_setfield(L, -2, "copied");
    lua_pushinteger(L, (lua_Integer)c->skipped);
    lua_setfield(L, -2, "skipped");
    lua_pushinteger(L, (lua_Integer)c->server_side);
    lua_setfield(L, -2, "server_side");
    lua_createtable(L, (int)c->items.count, 0);
    for (size_t i = 0; i < c->items.count; i++) {
        push_item(L, &c->items.item[i]);
        lua_pushstring(L, how[c->how[i]]);
        lua_setfield(L, -2, "how");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "manifest");
    return 1;
}

/* Takes the items of a listing at `listing` whose numbers are in the list at `keep`. */
static void take_kept(lua_State *L, int listing, int keep, struct cl_blob_items *items)
{
    const struct cl_blob_items *all = luaL_checkudata(L, listing, MT_LISTING);
    lua_Integer n = luaL_len(L, keep);
    for (lua_Integer k = 1; k <= n; k++) {
        lua_rawgeti(L, keep, k);
        lua_Integer i = lua_tointeger(L, -1);
        lua_pop(L, 1);
        luaL_argcheck(L, i >= 1 && (size_t)i <= all->count, keep, "no such item");
        struct cl_blob_item item;
        if (!cl_blob_item_copy(&item, &all->item[i - 1])) {
            out_of_memory(L);
        }
        if (!cl_blob_items_add(items, &item)) {
            cl_blob_item_fini(&item);
            out_of_memory(L);
        }
    }
}

static void take_names(lua_State *L, int names, struct cl_blob_items *items)
{
    lua_Integer n = luaL_len(L, names);
    for (lua_Integer k = 1; k <= n; k++) {
        luaL_argcheck(L, lua_rawgeti(L, names, k) == LUA_TSTRING, names, "must be a list of names");
        struct cl_blob_item item = {.name = copy_text(L, -1)};
        lua_pop(L, 1);
        if (!cl_blob_items_add(items, &item)) {
            cl_blob_item_fini(&item);
            out_of_memory(L);
        }
    }
}

/* Twice the same name would be two workers writing one blob. */
static void drop_doubles(struct cl_blob_items *items)
{
    size_t kept = 0;
    cl_blob_items_sort(items);
    for (size_t i = 0; i < items->count; i++) {
        if (kept > 0 && strcmp(items->item[kept - 1].name, items->item[i].name) == 0) {
            cl_blob_item_fini(&items->item[i]);
        } else {
            items->item[kept++] = items->item[i];
        }
    }
    items->count = kept;
}

/* blob.copy(from, to, concurrency, verify, listing | nil, kept numbers | names) -> job -> table */
static int l_copy(lua_State *L)
{
    struct cl_blob_store *from = check_store(L, 1);
    struct cl_blob_store *to = check_store(L, 2);
    lua_Integer concurrency = luaL_checkinteger(L, 3);
    luaL_argcheck(L, concurrency >= 1 && concurrency <= CL_BLOB_CONCURRENCY_MAX, 3,
                  "concurrency is 1 to 64");
    luaL_checktype(L, 6, LUA_TTABLE);
    struct cl_job_handle *handle = cl_job_push(L);
    struct cl_blob_copy *c = calloc(1, sizeof *c);
    if (!c) {
        return out_of_memory(L);
    }
    handle->arg = c;
    handle->free_arg = copy_free;
    handle->run = cl_blob_copy_run;
    handle->push_result = push_copy;
    c->concurrency = (int)concurrency;
    c->verify = lua_toboolean(L, 4);
    if (lua_isnil(L, 5)) {
        take_names(L, 6, &c->items);
    } else {
        take_kept(L, 5, 6, &c->items);
    }
    drop_doubles(&c->items);
    struct cl_err err;
    c->from = cl_blob_clone(from, NULL, &err);
    c->to = c->from ? cl_blob_clone(to, NULL, &err) : NULL;
    if (!c->to) {
        return cl_raise(L, &err);
    }
    return cl_job_begin(L);
}

static void make_metatable(lua_State *L, const char *name, const luaL_Reg *methods,
                           lua_CFunction release)
{
    if (luaL_newmetatable(L, name)) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__close");
    }
    lua_pop(L, 1);
}

int luaopen_cl_blob(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"open", l_open},     {"url", l_url},   {"list", l_list},
        {"stat", l_stat},     {"get", l_get},   {"put", l_put},
        {"delete", l_delete}, {"copy", l_copy}, {"delete_all", l_delete_all},
        {NULL, NULL}};
    static const luaL_Reg store_methods[] = {{"url", l_url}, {NULL, NULL}};
    static const luaL_Reg listing_methods[] = {
        {"count", l_listing_count}, {"item", l_listing_item}, {NULL, NULL}};
    make_metatable(L, MT_STORE, store_methods, store_release);
    make_metatable(L, MT_LISTING, listing_methods, listing_gc);
    luaL_newlib(L, functions);
    return 1;
}
