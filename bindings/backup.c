/* backup: starts one verb of the backup engine as a job; backup.lua waits for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "backup/backup.h"
#include "backup/seal.h"
#include "backup/tablespaces.h"
#include "backup_check.h"
#include "blob.h"
#include "host/await.h"
#include "job.h"
#include "mask.h"
#include "modules.h"

enum { EXCLUDE_MAX = 100000, KEEP_SNAPSHOT_S_MAX = 7 * 24 * 3600, OPTIONS_MAX = 50 };

typedef bool (*verb_fn)(struct cl_job *, const struct cl_backup_spec *, struct cl_backup_summary *,
                        struct cl_err *);

static const struct {
    const char *name;
    verb_fn run;
    bool source; /* reads a database */
    bool target; /* opens a second one */
} verbs[] = {
    {"create", cl_backup_create, true, false},      {"verify", cl_backup_verify, false, false},
    {"list", cl_backup_list, false, false},         {"cat", cl_backup_cat, false, false},
    {"decrypt", cl_backup_decrypt, false, false},   {"restore", cl_backup_restore, false, true},
    {"stream", cl_backup_stream, true, true},       {"compare", cl_backup_compare, false, true},
    {"preflight", cl_backup_preflight, true, true}, {"probe", cl_backup_probe, true, false},
    {"forget", cl_backup_forget, false, false},     {"rewrite", cl_backup_rewrite, true, true},
    {"check", cl_backup_check, true, false},
};

struct op {
    verb_fn run;                      /* one of verbs */
    struct cl_backup_spec spec;       /* owned, strings and mask included */
    struct cl_backup_summary summary; /* filled by the job */
};

static void free_secret(char *s)
{
    if (s) {
        explicit_bzero(s, strlen(s));
    }
    free(s);
}

static void free_op(void *arg)
{
    struct op *op = arg;
    if (op->spec.key) {
        explicit_bzero(op->spec.key, CL_BACKUP_KEY_BYTES);
    }
    free(op->spec.key);
    cl_blob_free(op->spec.store);
    free_secret(op->spec.source);
    free_secret(op->spec.target);
    free(op->spec.archive);
    free(op->spec.to);
    free(op->spec.table);
    free(op->spec.resume);
    for (size_t i = 0; i < op->spec.n_exclude; i++) {
        free(op->spec.exclude[i]);
    }
    free(op->spec.exclude);
    for (size_t i = 0; i < 2 * op->spec.n_tablespaces; i++) {
        free(op->spec.tablespaces[i]);
    }
    free(op->spec.tablespaces);
    for (size_t i = 0; i < op->spec.n_tables; i++) {
        free(op->spec.tables[i]);
    }
    free(op->spec.tables);
    cl_mask_free(op->spec.mask);
    cl_mask_free(op->spec.restored_with);
    cl_backup_summary_fini(&op->summary);
    free(op);
}

static bool run_op(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct op *op = arg;
    return op->run(job, &op->spec, &op->summary, err);
}

static void set_integer(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

/* A list of {kind, table, problem, rows, source_rows, target_rows}; no problem when the table is as
 * it should be. */
static void push_differences(lua_State *L, const struct cl_backup_difference *list, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        const struct cl_backup_difference *d = &list[i];
        lua_createtable(L, 0, 6);
        lua_pushstring(L, d->kind);
        lua_setfield(L, -2, "kind");
        lua_pushstring(L, d->table);
        lua_setfield(L, -2, "table");
        if (d->problem[0]) {
            lua_pushstring(L, d->problem);
            lua_setfield(L, -2, "problem");
        }
        if (d->n_rows > 0) {
            lua_createtable(L, (int)d->n_rows, 0);
            for (size_t j = 0; j < d->n_rows; j++) {
                lua_pushstring(L, d->rows[j]);
                lua_rawseti(L, -2, (lua_Integer)j + 1);
            }
            lua_setfield(L, -2, "rows");
        }
        set_integer(L, "source_rows", d->source_rows);
        set_integer(L, "target_rows", d->target_rows);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_listing(lua_State *L, const struct cl_backup_listing *l)
{
    static const char *const formats[] = {"text", "binary"};
    lua_createtable(L, (int)l->n_tables, 0);
    for (size_t i = 0; i < l->n_tables; i++) {
        const struct cl_backup_listed *t = &l->tables[i];
        lua_createtable(L, 0, 7);
        lua_pushstring(L, t->schema);
        lua_setfield(L, -2, "schema");
        lua_pushstring(L, t->name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, formats[t->binary]);
        lua_setfield(L, -2, "format");
        set_integer(L, "rows", t->rows);
        set_integer(L, "bytes", t->bytes);
        set_integer(L, "stored_bytes", t->stored_bytes);
        set_integer(L, "files", t->files);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "tables");
    lua_pushstring(L, l->created);
    lua_setfield(L, -2, "created");
    lua_pushstring(L, l->database);
    lua_setfield(L, -2, "database");
    lua_pushstring(L, l->server);
    lua_setfield(L, -2, "server_version");
    lua_pushboolean(L, l->sealed);
    lua_setfield(L, -2, "encrypted");
    set_integer(L, "format_version", (uint64_t)l->format_version);
    set_integer(L, "large_objects", l->large_objects);
    if (l->level > 0) {
        set_integer(L, "level", (uint64_t)l->level);
    }
}

static int push_summary(lua_State *L, void *arg)
{
    const struct op *op = arg;
    const struct cl_backup_summary *s = &op->summary;
    lua_createtable(L, 0, 16);
    if (op->run == cl_backup_compare) {
        size_t kept = s->n_differences < CL_BACKUP_DIFFERENCES_MAX ? s->n_differences
                                                                   : CL_BACKUP_DIFFERENCES_MAX;
        push_differences(L, s->compared, s->n_compared);
        lua_setfield(L, -2, "tables");
        push_differences(L, s->differences, kept);
        lua_setfield(L, -2, "differences");
        set_integer(L, "n_differences", s->n_differences);
    } else if (op->run == cl_backup_list) {
        push_listing(L, &s->listing);
    } else if (op->run == cl_backup_check) {
        cl_check_push(L, s->check);
        set_integer(L, "tables", s->tables);
    } else {
        set_integer(L, "tables", s->tables);
    }
    if (op->spec.compare) {
        set_integer(L, "compared", s->n_compared);
    }
    set_integer(L, "rows", s->rows);
    set_integer(L, "large_objects", s->large_objects);
    set_integer(L, "resumed_parts", s->resumed_parts);
    set_integer(L, "resumed_rows", s->resumed_rows);
    set_integer(L, "bytes", s->bytes);
    set_integer(L, "stored_bytes", s->stored_bytes);
    set_integer(L, "masked", s->tally.masked);
    set_integer(L, "shortened", s->tally.shortened);
    set_integer(L, "kept", s->tally.kept);
    lua_pushnumber(L, s->seconds);
    lua_setfield(L, -2, "seconds");
    lua_pushnumber(L, s->snapshot_seconds);
    lua_setfield(L, -2, "snapshot_seconds");
    set_integer(L, "xmin_age", s->xmin_age);
    lua_pushstring(L, s->snapshot);
    lua_setfield(L, -2, "snapshot");
    if (op->spec.archive) {
        lua_pushstring(L, op->spec.archive);
        lua_setfield(L, -2, "archive");
    }
    if (s->checksum[0]) {
        lua_pushstring(L, s->checksum);
        lua_setfield(L, -2, "checksum");
    }
    lua_newtable(L);
    for (size_t i = 0; i < s->n_warnings; i++) {
        lua_pushstring(L, s->warnings[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "warnings");
    return 1;
}

/* The field as a string Lua owns, NULL when absent; it stays on the stack. */
static const char *opt_string(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    if (lua_isnil(L, -1)) {
        return NULL;
    }
    if (lua_type(L, -1) != LUA_TSTRING) {
        luaL_error(L, "backup: '%s' must be a string", name);
    }
    return lua_tostring(L, -1);
}

static const char *need_string(lua_State *L, const char *name)
{
    const char *s = opt_string(L, name);
    if (!s) {
        luaL_error(L, "backup: '%s' is missing", name);
    }
    return s;
}

static char *conninfo(lua_State *L, const char *dsn_name, const char *password_name)
{
    struct cl_err err;
    const char *dsn = need_string(L, dsn_name);
    char *whole = cl_backup_conninfo(dsn, opt_string(L, password_name), &err);
    if (!whole) {
        cl_err_context(&err, "%s", dsn_name);
        cl_raise(L, &err);
    }
    return whole;
}

/* A list of "schema.table"; *list stays NULL when it is absent. */
static void fill_tables(lua_State *L, const char *name, char ***list, size_t *count)
{
    if (lua_getfield(L, 2, name) == LUA_TNIL) {
        return;
    }
    if (!lua_istable(L, -1) || lua_rawlen(L, -1) > EXCLUDE_MAX) {
        luaL_error(L, "backup: '%s' must be a list of \"schema.table\"", name);
    }
    size_t n = lua_rawlen(L, -1);
    *list = calloc(n + 1, sizeof **list);
    for (size_t i = 0; *list && i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            luaL_error(L, "backup: '%s' must be a list of \"schema.table\"", name);
        }
        (*list)[i] = strdup(lua_tostring(L, -1));
        if (!(*list)[i]) {
            luaL_error(L, "out of memory");
        }
        ++*count;
        lua_pop(L, 1);
    }
    if (!*list) {
        luaL_error(L, "out of memory");
    }
}

static void fill_resume(lua_State *L, struct cl_backup_spec *spec)
{
    const char *key = opt_string(L, "resume");
    spec->resume = key ? strdup(key) : NULL;
    lua_getfield(L, 2, "keep_snapshot_s");
    lua_Integer keep_s = luaL_optinteger(L, -1, CL_KEEP_SNAPSHOT_S_DEFAULT);
    luaL_argcheck(L, keep_s >= 1 && keep_s <= KEEP_SNAPSHOT_S_MAX, 2,
                  "keep_snapshot_s must be 1 to 604800");
    spec->keep_snapshot_s = (int)keep_s;
}

/* The CL_LEAVE_… of the name on top of the stack. */
static unsigned leave_bit(lua_State *L)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {
        {"owners", CL_LEAVE_OWNERS},
        {"privileges", CL_LEAVE_PRIVILEGES},
        {"publications", CL_LEAVE_PUBLICATIONS},
        {"subscriptions", CL_LEAVE_SUBSCRIPTIONS},
        {"user_mappings", CL_LEAVE_USER_MAPPINGS},
        {"tablespaces", CL_LEAVE_TABLESPACES},
        {"large_objects", CL_LEAVE_LARGE_OBJECTS},
    };
    const char *name = lua_tostring(L, -1);
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].bit;
        }
    }
    return (unsigned)luaL_error(L, "backup: leave has no '%s'", name ? name : luaL_typename(L, -1));
}

/* leave = {"owners", …} -> a mask of CL_LEAVE_… */
static unsigned read_leave(lua_State *L)
{
    unsigned leave = 0;
    if (lua_getfield(L, 2, "leave") == LUA_TNIL) {
        return leave;
    }
    luaL_argcheck(L, lua_istable(L, -1), 2, "leave must be a list of names");
    size_t n = lua_rawlen(L, -1);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        leave |= leave_bit(L);
        lua_pop(L, 1);
    }
    return leave;
}

/* A limit: a positive integer, 0 when absent. */
static uint64_t opt_limit(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    if (lua_isnil(L, -1)) {
        return 0;
    }
    int is_integer;
    lua_Integer limit = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || limit < 1) {
        luaL_error(L, "backup: '%s' must be a positive integer", name);
    }
    return (uint64_t)limit;
}

/* false when absent */
static bool opt_bool(lua_State *L, const char *name)
{
    if (lua_getfield(L, 2, name) != LUA_TNIL && !lua_isboolean(L, -1)) {
        luaL_error(L, "backup: '%s' must be true or false", name);
    }
    return lua_toboolean(L, -1);
}

static char *take_string(lua_State *L, const char *name)
{
    const char *s = opt_string(L, name);
    char *copy = s ? strdup(s) : NULL;
    if (s && !copy) {
        luaL_error(L, "out of memory");
    }
    return copy;
}

/* Where an archive lies, and how its files are written or read. */
static void fill_archive(lua_State *L, struct cl_backup_spec *spec)
{
    struct cl_err err;
    size_t n;
    spec->archive = take_string(L, "archive");
    spec->to = take_string(L, "to");
    spec->table = take_string(L, "table");
    lua_getfield(L, 2, "level");
    lua_Integer level = luaL_optinteger(L, -1, CL_BACKUP_LEVEL_DEFAULT);
    luaL_argcheck(L, level >= 1 && level <= CL_BACKUP_LEVEL_MAX, 2, "level must be 1 to 19");
    spec->level = (int)level;
    lua_getfield(L, 2, "store");
    struct cl_blob_store *store = cl_blob_store_opt(L, lua_gettop(L));
    if (store && !(spec->store = cl_blob_clone(store, NULL, &err))) {
        cl_raise(L, &err);
    }
    if (opt_string(L, "key")) {
        const char *key = lua_tolstring(L, -1, &n);
        spec->key = malloc(CL_BACKUP_KEY_BYTES);
        if (!spec->key) {
            luaL_error(L, "out of memory");
        }
        if (!cl_seal_parse_key(key, n, spec->key, &err)) {
            cl_raise(L, &err);
        }
    }
}

/* tablespaces = {fast = "slow"}: what lies in the one goes to the other. */
static void fill_tablespaces(lua_State *L, struct cl_backup_spec *spec)
{
    static const char what[] = "tablespaces must be a table of names by names";
    if (lua_getfield(L, 2, "tablespaces") == LUA_TNIL) {
        return;
    }
    luaL_argcheck(L, lua_istable(L, -1), 2, what);
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        n++;
    }
    luaL_argcheck(L, n <= CL_TABLESPACES_MAX, 2, "tablespaces has too many entries");
    spec->tablespaces = calloc(2 * n + 1, sizeof *spec->tablespaces);
    for (lua_pushnil(L); spec->tablespaces && lua_next(L, -2); lua_pop(L, 1)) {
        bool names = lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING;
        luaL_argcheck(L, names, 2, what);
        char **pair = &spec->tablespaces[2 * spec->n_tablespaces++];
        pair[0] = strdup(lua_tostring(L, -2));
        pair[1] = strdup(lua_tostring(L, -1));
        if (!pair[0] || !pair[1]) {
            luaL_error(L, "out of memory");
        }
    }
}

/* One more owner of the rules in that option; NULL without. */
static struct cl_mask *take_mask(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    struct cl_mask *mask = cl_mask_opt(L, -1);
    lua_pop(L, 1);
    return mask ? cl_mask_ref(mask) : NULL;
}

static void fill(lua_State *L, struct op *op, size_t verb)
{
    struct cl_backup_spec *spec = &op->spec;
    luaL_checkstack(L, OPTIONS_MAX, NULL); /* most stay there */
    fill_archive(L, spec);
    bool both = verbs[verb].source && verbs[verb].target; /* then nothing lies between */
    bool either = verbs[verb].run == cl_backup_compare;
    if (!both && !either && verbs[verb].run != cl_backup_probe &&
        verbs[verb].run != cl_backup_forget && verbs[verb].run != cl_backup_check) {
        need_string(L, "archive");
    }
    if (verbs[verb].source || (either && !spec->archive)) {
        spec->source = conninfo(L, "source", "source_password");
    }
    if (verbs[verb].target) {
        spec->target = conninfo(L, "target", "target_password");
    }
    spec->mask = take_mask(L, "mask");
    spec->restored_with = take_mask(L, "restored_with");
    lua_getfield(L, 2, "jobs");
    lua_Integer jobs = luaL_optinteger(L, -1, CL_BACKUP_JOBS_DEFAULT);
    luaL_argcheck(L, jobs >= 1 && jobs <= CL_BACKUP_JOBS_MAX, 2, "jobs must be 1 to 64");
    spec->jobs = (int)jobs;
    spec->compare = opt_bool(L, "compare");
    spec->data_only = opt_bool(L, "data_only");
    spec->truncate = opt_bool(L, "truncate");
    spec->toast_lz4 = opt_bool(L, "toast_lz4");
    lua_getfield(L, 2, "part_bytes");
    lua_Integer part_bytes = luaL_optinteger(L, -1, 0);
    luaL_argcheck(L, part_bytes >= 0, 2, "part_bytes must not be negative");
    spec->part_bytes = (uint64_t)part_bytes;
    spec->leave = read_leave(L);
    spec->max_bytes_per_second = opt_limit(L, "max_bytes_per_second");
    spec->max_replica_lag_ms = opt_limit(L, "max_replica_lag_ms");
    spec->warn_xmin_age = opt_limit(L, "warn_xmin_age");
    fill_tables(L, "exclude_data", &spec->exclude, &spec->n_exclude);
    fill_tables(L, "tables", &spec->tables, &spec->n_tables);
    fill_tablespaces(L, spec);
    fill_resume(L, spec);
}

/* core.start(verb, {source=, source_password=, target=, target_password=, archive=, mask=,
 * restored_with=, key=, level=, store=, to=, table=, tables=, exclude_data=, leave=, tablespaces=,
 * jobs=, part_bytes=, compare=, data_only=, truncate=, toast_lz4=, resume=, keep_snapshot_s=,
 * max_bytes_per_second=, max_replica_lag_ms=, warn_xmin_age=}) -> job handle */
static int l_start(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t verb = 0;
    while (verb < sizeof verbs / sizeof *verbs && strcmp(verbs[verb].name, name) != 0) {
        verb++;
    }
    luaL_argcheck(L, verb < sizeof verbs / sizeof *verbs, 1, "unknown verb");
    struct cl_job_handle *handle = cl_job_push(L);
    int top = lua_gettop(L);
    struct op *op = calloc(1, sizeof *op);
    if (!op) {
        return luaL_error(L, "out of memory");
    }
    handle->run = run_op;
    handle->arg = op;
    handle->free_arg = free_op;
    handle->push_result = push_summary;
    op->run = verbs[verb].run;
    fill(L, op, verb);
    lua_settop(L, top);
    return cl_job_begin(L);
}

int luaopen_cl_backup(lua_State *L)
{
    static const luaL_Reg functions[] = {{"start", l_start}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
