#include "pick.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "loop/child.h"

enum {
    LIST_BYTES_MAX = 1024 * 1024 * 1024,
    ENTRIES_MAX = 50 * 1000000,
    PG_CLASS = 1259, /* its oid, in every server */
};

/* How an entry comes along with others. */
enum bond {
    BOND_NONE,  /* only when something depends on it */
    BOND_TABLE, /* with a table or sequence it depends on, and pulls in the rest */
    BOND_ANY,   /* with anything it depends on */
    BOND_ALL,   /* when all it depends on is there */
};

struct entry {
    enum bond bond;   /* see there */
    bool present;     /* it is in the list */
    bool relation;    /* a table or sequence */
    bool foreign_key; /* to be counted when it stays behind */
    uint32_t class;   /* oid of the catalog … */
    uint32_t oid;     /* … and of the object */
    size_t first;     /* its dependencies, in deps */
    size_t n_deps;    /* of them */
};

struct contents {
    struct entry *entries; /* n, by number; owned */
    size_t n;              /* entries of entries */
    size_t *deps;          /* numbers of entries; owned */
    size_t n_deps;         /* used */
    bool *kept;            /* n, so far */
    size_t *todo;          /* n: kept, but what it depends on was not looked at */
    size_t n_todo;         /* entries of todo */
};

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

/* ---------------------------------------------------------------- reading the list */

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static enum bond bond_of(const char *what)
{
    static const struct {
        const char *prefix;
        enum bond bond;
    } bonds[] = {
        {"DEFAULT ACL ", BOND_NONE},   {"DEFAULT ", BOND_TABLE},
        {"SEQUENCE OWNED ", BOND_ALL}, {"SEQUENCE ", BOND_TABLE},
        {"CONSTRAINT ", BOND_TABLE},   {"CHECK CONSTRAINT ", BOND_TABLE},
        {"INDEX ATTACH ", BOND_ALL},   {"INDEX ", BOND_TABLE},
        {"TRIGGER ", BOND_TABLE},      {"RULE ", BOND_TABLE},
        {"POLICY ", BOND_TABLE},       {"ROW SECURITY ", BOND_TABLE},
        {"STATISTICS ", BOND_TABLE},   {"TABLE ATTACH ", BOND_ALL},
        {"FK CONSTRAINT ", BOND_ALL},  {"PUBLICATION TABLE ", BOND_ALL},
        {"COMMENT ", BOND_ANY},        {"ACL ", BOND_ANY},
        {"SECURITY LABEL ", BOND_ANY},
    };
    for (size_t i = 0; i < sizeof bonds / sizeof *bonds; i++) {
        if (starts_with(what, bonds[i].prefix)) {
            return bonds[i].bond;
        }
    }
    return BOND_NONE;
}

/* "215; 1259 16385 TABLE public foo postgres" */
static void read_entry(struct contents *c, const char *line, size_t id)
{
    char *end;
    struct entry *e = &c->entries[id];
    const char *semicolon = strchr(line, ';');
    e->class = (uint32_t)strtoul(semicolon + 1, &end, 10);
    e->oid = (uint32_t)strtoul(end, &end, 10);
    const char *what = *end == ' ' ? end + 1 : end;
    e->present = true;
    e->bond = bond_of(what);
    e->foreign_key = starts_with(what, "FK CONSTRAINT ");
    e->relation = e->class == PG_CLASS &&
                  (starts_with(what, "TABLE ") || starts_with(what, "FOREIGN TABLE ") ||
                   (starts_with(what, "SEQUENCE ")));
    e->first = c->n_deps;
}

/* ";\tdepends on: 214 6", of the entry above it */
static void read_deps(struct contents *c, const char *line, struct entry *e)
{
    const char *p = strchr(line, ':') + 1;
    while (*p == ' ') {
        char *end;
        unsigned long id = strtoul(p, &end, 10);
        if (end == p) {
            break;
        }
        if (id < c->n) {
            c->deps[c->n_deps++] = id;
            e->n_deps++;
        }
        p = end;
    }
}

static bool is_entry(const char *line)
{
    return *line >= '0' && *line <= '9' && line[strspn(line, "0123456789")] == ';';
}

static bool allocate(struct contents *c, const char *list, struct cl_err *err)
{
    size_t spaces = 0;
    for (const char *line = list; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t id = is_entry(line) ? strtoul(line, NULL, 10) : 0;
        c->n = id >= c->n ? id + 1 : c->n;
    }
    for (const char *p = list; *p; p++) {
        spaces += *p == ' ';
    }
    if (c->n > ENTRIES_MAX) {
        return cl_fail(err, CL_INVALID, "E_TOO_LARGE", "the schema has too many objects");
    }
    c->entries = calloc(c->n + 1, sizeof *c->entries);
    c->deps = calloc(spaces + 1, sizeof *c->deps);
    c->kept = calloc(c->n + 1, sizeof *c->kept);
    c->todo = calloc(c->n + 1, sizeof *c->todo);
    return (c->entries && c->deps && c->kept && c->todo) || no_memory(err);
}

static void read_list(struct contents *c, char *list)
{
    struct entry *last = NULL;
    char *next;
    for (char *line = list; *line; line = next) {
        char *end = strchr(line, '\n');
        next = end ? end + 1 : line + strlen(line);
        if (end) {
            *end = '\0';
        }
        if (is_entry(line)) {
            size_t id = strtoul(line, NULL, 10);
            read_entry(c, line, id);
            last = &c->entries[id];
        } else if (last && starts_with(line, ";\tdepends on:")) {
            read_deps(c, line, last);
        }
    }
}

static bool load_list(struct contents *c, const struct cl_tools *tools, struct cl_watch *watch,
                      const char *file, struct cl_err *err)
{
    char path[CL_TOOL_PATH_BYTES];
    struct cl_buf list;
    const char *argv[] = {cl_tools_program(tools, "pg_restore", path), "--list", "--verbose", file,
                          NULL};
    cl_buf_init(&list, LIST_BYTES_MAX);
    struct cl_child child = {.argv = argv, .out = &list, .job = cl_watch_job(watch)};
    bool ok = cl_child_run(&child, err) &&
              (!list.failed ||
               cl_fail(err, CL_INVALID, "E_TOO_LONG", "the schema is too long: over 1 GB")) &&
              allocate(c, cl_buf_str(&list), err);
    if (ok && list.data) {
        read_list(c, list.data);
    }
    cl_buf_fini(&list);
    return ok || cl_err_context(err, "reading what the schema holds");
}

/* ---------------------------------------------------------------- choosing */

static void keep(struct contents *c, size_t id)
{
    if (c->entries[id].present && !c->kept[id]) {
        c->kept[id] = true;
        c->todo[c->n_todo++] = id;
    }
}

/* Keeps whatever the kept ones depend on. */
static void close_over(struct contents *c)
{
    while (c->n_todo > 0) {
        const struct entry *e = &c->entries[c->todo[--c->n_todo]];
        for (size_t i = 0; i < e->n_deps; i++) {
            keep(c, c->deps[e->first + i]);
        }
    }
}

static bool comes_along(const struct contents *c, const struct entry *e)
{
    size_t there = 0;
    size_t relations = 0;
    size_t known = 0;
    for (size_t i = 0; i < e->n_deps; i++) {
        size_t dep = c->deps[e->first + i];
        known += c->entries[dep].present;
        there += c->kept[dep];
        relations += c->kept[dep] && c->entries[dep].relation;
    }
    switch (e->bond) {
    case BOND_TABLE:
        return relations > 0;
    case BOND_ANY:
        return there > 0;
    case BOND_ALL:
        return there > 0 && there == known;
    default:
        return false;
    }
}

/* Until nothing more comes along. */
static void choose(struct contents *c)
{
    bool grew = true;
    close_over(c);
    while (grew) {
        grew = false;
        for (size_t id = 0; id < c->n; id++) {
            if (!c->kept[id] && c->entries[id].present && comes_along(c, &c->entries[id])) {
                keep(c, id);
                close_over(c);
                grew = true;
            }
        }
    }
}

static bool seed(struct contents *c, const struct cl_archived *a, struct cl_err *err)
{
    for (size_t id = 0; a->table.oid != 0 && id < c->n; id++) {
        if (c->entries[id].present && c->entries[id].class == PG_CLASS &&
            c->entries[id].oid == a->table.oid) {
            keep(c, id);
            return true;
        }
    }
    return cl_fail(err, CL_INVALID, "E_ARCHIVE_VERSION",
                   "%s.%s cannot be restored alone: the archive does not say which object it is%s",
                   a->table.schema, a->table.name,
                   a->table.oid == 0 ? " (it was made by an older version)" : "");
}

/* ---------------------------------------------------------------- the manifest */

static bool is_called(const struct cl_table *table, const char *name)
{
    size_t n = strlen(table->schema);
    return strncmp(name, table->schema, n) == 0 && name[n] == '.' &&
           strcmp(name + n + 1, table->name) == 0;
}

/* Takes the tables that are not named out of the manifest. */
static bool keep_tables(struct cl_manifest *m, char *const *names, size_t n, struct cl_err *err)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        while (at < m->n_tables && !is_called(&m->tables[at].table, names[i])) {
            at++;
        }
        if (at == m->n_tables) {
            return cl_fail(err, CL_NOT_FOUND, "E_NO_TABLE",
                           "the archive has no rows of a table called %s", names[i]);
        }
        if (at >= found) { /* not named before */
            struct cl_archived a = m->tables[at];
            m->tables[at] = m->tables[found];
            m->tables[found++] = a;
        }
    }
    for (size_t i = found; i < m->n_tables; i++) {
        free(m->tables[i].files);
    }
    m->n_tables = found;
    free(m->objects.files);
    m->objects.files = NULL;
    m->objects.n_files = 0;
    m->large_objects = 0;
    m->n_matviews = 0;
    free(m->files);
    m->n_files = 0;
    return cl_manifest_list_files(m, err);
}

static int by_oid(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

static bool has_oid(const struct cl_pick *pick, uint32_t oid)
{
    return oid != 0 && bsearch(&oid, pick->oids, pick->n_oids, sizeof oid, by_oid);
}

/* Indexes and foreign keys whose entries are not kept are not made either. */
static void keep_after(const struct cl_pick *pick, struct cl_after *after)
{
    size_t n = 0;
    for (size_t i = 0; i < after->n_indexes; i++) {
        const struct cl_index *index = &after->indexes[i];
        if (has_oid(pick, index->constraint_oid ? index->constraint_oid : index->oid)) {
            after->indexes[n++] = *index;
        }
    }
    after->n_indexes = n;
    n = 0;
    for (size_t i = 0; i < after->n_foreign_keys; i++) {
        if (has_oid(pick, after->foreign_keys[i].oid)) {
            after->foreign_keys[n++] = after->foreign_keys[i];
        }
    }
    after->n_foreign_keys = n;
}

/* Hands over what was chosen. */
static bool settle(struct cl_pick *pick, struct contents *c, struct cl_err *err)
{
    pick->oids = calloc(c->n + 1, sizeof *pick->oids);
    if (!pick->oids) {
        return no_memory(err);
    }
    for (size_t id = 0; id < c->n; id++) {
        const struct entry *e = &c->entries[id];
        if (c->kept[id] && e->oid != 0) {
            pick->oids[pick->n_oids++] = e->oid;
        }
        for (size_t i = 0; e->foreign_key && !c->kept[id] && i < e->n_deps; i++) {
            size_t dep = c->deps[e->first + i];
            if (c->kept[dep] && c->entries[dep].relation) {
                pick->n_dropped++;
                break;
            }
        }
    }
    qsort(pick->oids, pick->n_oids, sizeof *pick->oids, by_oid);
    pick->kept = c->kept;
    pick->n = c->n;
    c->kept = NULL;
    return true;
}

bool cl_pick_tables(struct cl_pick *pick, struct cl_manifest *manifest, char *const *names,
                    size_t n, const struct cl_tools *tools, struct cl_watch *watch,
                    const char *file, struct cl_err *err)
{
    struct contents c = {0};
    bool ok = keep_tables(manifest, names, n, err) && load_list(&c, tools, watch, file, err);
    for (size_t i = 0; ok && i < manifest->n_tables; i++) {
        ok = seed(&c, &manifest->tables[i], err);
    }
    if (ok) {
        choose(&c);
        ok = settle(pick, &c, err);
    }
    if (ok) {
        keep_after(pick, &manifest->after);
    }
    free(c.entries);
    free(c.deps);
    free(c.kept);
    free(c.todo);
    return ok;
}

bool cl_pick_wants(const struct cl_pick *pick, int id)
{
    return !pick || (id >= 0 && (size_t)id < pick->n && pick->kept[id]);
}

void cl_pick_fini(struct cl_pick *pick)
{
    free(pick->kept);
    free(pick->oids);
    memset(pick, 0, sizeof *pick);
}
