#include "into.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "plan.h"

/* Columns of into_keys.sql. */
enum { K_NAME, K_TABLE, K_FROM, K_TO, K_CHECK, K_VALIDATED };

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

static uint32_t oid_at(const PGresult *rows, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(rows, row, column), NULL, 10);
}

/* May sessions act as replicas? This one then does. */
static bool probe_replica(struct cl_into *into, struct cl_err *err)
{
    struct cl_err refused;
    into->replica = cl_pg_exec(into->conn, "SET session_replication_role = replica", &refused);
    into->run->replica = into->replica;
    if (!into->replica && refused.class != CL_PERMISSION) {
        *err = refused;
        return false;
    }
    return true;
}

/* Where the rows of a source's table go; NULL: nowhere. */
static const struct cl_table *find(const struct cl_into *into, const struct cl_table *source)
{
    const struct cl_table *root =
        source->root_schema
            ? cl_catalog_find(&into->catalog, source->root_schema, source->root_name)
            : NULL;
    return root ? root : cl_catalog_find(&into->catalog, source->schema, source->name);
}

/* The length of a type's name without what stands in parentheses behind it. */
static size_t bare_length(const char *type)
{
    size_t n = strcspn(type, "(");
    return n > 0 && type[n - 1] == ' ' ? n - 1 : n;
}

static bool is_text(const char *type)
{
    static const char *const names[] = {"text", "character varying", "character"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (bare_length(type) == strlen(names[i]) &&
            strncmp(type, names[i], strlen(names[i])) == 0) {
            return type[strcspn(type, "[")] == '\0';
        }
    }
    return false;
}

/* Have both the same binary form? Lengths do not change it. */
static bool same_type(const char *a, const char *b)
{
    const char *rest_a = strchr(a, ')');
    const char *rest_b = strchr(b, ')');
    size_t n = bare_length(a);
    if (is_text(a) && is_text(b)) {
        return true;
    }
    return n == bare_length(b) && strncmp(a, b, n) == 0 &&
           strcmp(rest_a ? rest_a + 1 : "", rest_b ? rest_b + 1 : "") == 0;
}

/* Gives a column of the target what the mask must know of the source's. */
static void join_classes(struct cl_column *column, const struct cl_column *source)
{
    size_t here = column->class.max_chars;
    size_t there = source->class.max_chars;
    if (source->class.text_like) {
        column->class = source->class;
        column->class.max_chars = here == 0 || (there > 0 && there < here) ? there : here;
    } else if (source->class.type != CL_MASK_OTHER) {
        column->class.type = source->class.type;
    }
}

/* Does every column of the target that must have a value get one? */
static bool has_required(const struct cl_table *found, const struct cl_table *source,
                         const PGresult *required, struct cl_err *err)
{
    for (int row = 0; row < PQntuples(required); row++) {
        const char *name = PQgetvalue(required, row, 1);
        bool given = oid_at(required, row, 0) != found->oid;
        for (size_t i = 0; !given && i < source->n_columns; i++) {
            given = strcmp(source->columns[i].name, name) == 0;
        }
        if (!given) {
            return cl_fail(err, CL_CONFLICT, "E_NO_COLUMN",
                           "the target's %s.%s wants a value for the column %s, which the source "
                           "does not have",
                           found->schema, found->name, name);
        }
    }
    return true;
}

static bool fit_columns(struct cl_table *table, const struct cl_table *found,
                        struct cl_table *source, struct cl_column *columns, bool stored,
                        struct cl_err *err)
{
    const char *missing;
    if (!cl_plan_columns(found, source, columns, &missing) ||
        (source->n_columns == 0 && found->n_columns > 0)) {
        return cl_fail(err, CL_CONFLICT, "E_NO_COLUMN",
                       "the target's %s.%s lacks the column %s, or fills it itself", found->schema,
                       found->name, source->n_columns > 0 ? missing : "list of the source");
    }
    for (size_t i = 0; i < source->n_columns; i++) {
        bool same = same_type(columns[i].type, source->columns[i].type);
        if (!same && stored && source->format == CL_COPY_BINARY) {
            return cl_fail(err, CL_CONFLICT, "E_BINARY_FORM",
                           "%s.%s.%s is %s in the archive and %s in the target: its binary form "
                           "cannot be turned into that",
                           found->schema, found->name, columns[i].name, source->columns[i].type,
                           columns[i].type);
        }
        if (!same || !columns[i].class.binary) {
            source->format = stored ? source->format : CL_COPY_TEXT;
        }
        join_classes(&columns[i], &source->columns[i]);
        table->text_like |= columns[i].class.text_like;
    }
    table->columns = columns;
    table->n_columns = source->n_columns;
    table->format = source->format;
    return true;
}

static bool fit(struct cl_into *into, size_t i, struct cl_table *source, struct cl_column *columns,
                const PGresult *required, bool stored, struct cl_err *err)
{
    struct cl_table *table = &into->tables[i];
    const struct cl_table *found = find(into, source);
    if (source->excluded) {
        *table = *source;
        return true;
    }
    if (!found) {
        return cl_fail(err, CL_CONFLICT, "E_NO_TABLE", "the target lacks the table %s.%s",
                       source->root_schema ? source->root_schema : source->schema,
                       source->root_schema ? source->root_name : source->name);
    }
    *table = *found;
    table->bytes = source->bytes;
    table->condition = ""; /* its rows are added to what is there */
    table->rank = into->replica ? 0 : 1;
    for (int row = 0; row < PQntuples(into->triggers); row++) {
        if (oid_at(into->triggers, row, 0) == found->oid) {
            table->before = PQgetvalue(into->triggers, row, 1);
            table->after = PQgetvalue(into->triggers, row, 2);
            source->heap = false; /* one part: each would lock the table for itself */
        }
    }
    return has_required(found, source, required, err) &&
           fit_columns(table, found, source, columns, stored, err);
}

static bool fit_all(struct cl_into *into, struct cl_table *sources, bool stored, struct cl_err *err)
{
    size_t n_columns = 0;
    for (size_t i = 0; i < into->n_tables; i++) {
        n_columns += sources[i].n_columns;
    }
    into->columns = calloc(n_columns + 1, sizeof *into->columns);
    if (!into->columns) {
        return no_memory(err);
    }
    PGresult *required =
        cl_pg_query(into->conn, cl_embedded("runtime/backup/into_columns.sql")->data, 0, NULL, err);
    bool ok = required != NULL;
    size_t used = 0;
    for (size_t i = 0; ok && i < into->n_tables; i++) {
        ok = fit(into, i, &sources[i], &into->columns[used], required, stored, err);
        used += sources[i].n_columns;
    }
    PQclear(required);
    return ok;
}

/* Tables of the plan whose rows go to the target's table. */
static size_t feeders(const struct cl_into *into, uint32_t oid)
{
    size_t n = 0;
    for (size_t i = 0; i < into->n_tables; i++) {
        n += !into->tables[i].excluded && into->tables[i].oid == oid;
    }
    return n;
}

/* Keys that bind rows which are to come. */
static bool read_keys(struct cl_into *into, struct cl_err *err)
{
    into->key_rows =
        cl_pg_query(into->conn, cl_embedded("runtime/backup/into_keys.sql")->data, 0, NULL, err);
    if (!into->key_rows) {
        return false;
    }
    const PGresult *rows = into->key_rows;
    into->keys = calloc((size_t)PQntuples(rows) + 1, sizeof *into->keys);
    if (!into->keys) {
        return no_memory(err);
    }
    for (int row = 0; row < PQntuples(rows); row++) {
        struct cl_into_key key = {.name = PQgetvalue(rows, row, K_NAME),
                                  .table = PQgetvalue(rows, row, K_TABLE),
                                  .check = PQgetvalue(rows, row, K_CHECK),
                                  .from = oid_at(rows, row, K_FROM),
                                  .to = oid_at(rows, row, K_TO)};
        /* a key that is not validated promises nothing of the rows */
        if (feeders(into, key.from) == 0 ||
            (into->replica && *PQgetvalue(rows, row, K_VALIDATED) != 't')) {
            continue;
        }
        if (into->replica && !*key.check) {
            return cl_fail(err, CL_CONFLICT, "E_FOREIGN_KEY",
                           "the foreign key %s of %s cannot be checked here: it is over periods",
                           key.name, key.table);
        }
        into->keys[into->n_keys++] = key;
    }
    return true;
}

static bool unordered(const struct cl_into_key *key, struct cl_err *err)
{
    return cl_fail(err, CL_CONFLICT, "E_FOREIGN_KEY",
                   "no order of the tables keeps the foreign key %s of %s while rows come in; a "
                   "role that may set session_replication_role needs none",
                   key->name, key->table);
}

/* One table refers to itself: its rows must come in one statement. */
static bool bind_self(struct cl_into *into, const struct cl_into_key *key, struct cl_table *sources,
                      struct cl_err *err)
{
    if (feeders(into, key->from) > 1) {
        return unordered(key, err);
    }
    for (size_t i = 0; i < into->n_tables; i++) {
        if (!into->tables[i].excluded && into->tables[i].oid == key->from) {
            sources[i].heap = false; /* never cut */
        }
    }
    return true;
}

/* As far as it is known; 0: no rows of the table are to come. */
static unsigned rank_of(const struct cl_into *into, uint32_t oid)
{
    for (size_t i = 0; i < into->n_tables; i++) {
        if (!into->tables[i].excluded && into->tables[i].oid == oid) {
            return into->tables[i].rank;
        }
    }
    return 0;
}

static void raise_rank(struct cl_into *into, uint32_t oid, unsigned rank)
{
    for (size_t i = 0; i < into->n_tables; i++) {
        if (into->tables[i].oid == oid) {
            into->tables[i].rank = rank;
        }
    }
}

/* Where the server looks at keys, what is referred to comes first. */
static bool set_ranks(struct cl_into *into, struct cl_table *sources, struct cl_err *err)
{
    bool changed = !into->replica;
    for (size_t round = 0; changed; round++) {
        changed = false;
        for (size_t i = 0; i < into->n_keys; i++) {
            const struct cl_into_key *key = &into->keys[i];
            unsigned above = rank_of(into, key->to);
            if (key->from == key->to) {
                if (round == 0 && !bind_self(into, key, sources, err)) {
                    return false;
                }
            } else if (above > 0 && rank_of(into, key->from) <= above) {
                if (round > into->n_tables) {
                    return unordered(key, err);
                }
                raise_rank(into, key->from, above + 1);
                changed = true;
            }
        }
    }
    return true;
}

bool cl_into_allowed(const struct cl_backup_spec *spec, struct cl_err *err)
{
    for (size_t i = 0; spec->mask && i < cl_mask_methods_count(spec->mask); i++) {
        const struct cl_mask_method *method = cl_mask_method_at(spec->mask, i);
        if (cl_mask_method_unit(method)) {
            return cl_fail(err, CL_INVALID, "E_OPTION",
                           "data_only does not go with method 'shuffle', which %s.%s.%s has",
                           cl_mask_method_schema(method), cl_mask_method_table(method),
                           cl_mask_method_column(method));
        }
    }
    return (!spec->compare && !spec->resume && !spec->tables) ||
           cl_fail(err, CL_INVALID, "E_OPTION", "data_only does not go with %s",
                   spec->resume   ? "resume"
                   : spec->tables ? "tables: exclude_data leaves tables out"
                                  : "compare: call backup.compare afterwards");
}

bool cl_into_plan(struct cl_into *into, struct cl_run *run, PGconn *target,
                  struct cl_table *sources, size_t n, bool stored, struct cl_err *err)
{
    into->run = run;
    into->conn = target;
    into->n_tables = n;
    into->tables = calloc(n + 1, sizeof *into->tables);
    if (!into->tables) {
        return no_memory(err);
    }
    const struct cl_mask *mask = run->spec->mask;
    if (!probe_replica(into, err) || !cl_catalog_load_whole(&into->catalog, target, err) ||
        (stored && !cl_catalog_named(&into->catalog, mask, target, err)) ||
        !cl_catalog_mask(&into->catalog, mask, err)) {
        return false;
    }
    const char *params[] = {into->replica ? "t" : "f"};
    into->triggers =
        cl_pg_query(target, cl_embedded("runtime/backup/into_triggers.sql")->data, 1, params, err);
    return into->triggers && fit_all(into, sources, stored, err) && read_keys(into, err) &&
           set_ranks(into, sources, err);
}

void cl_into_fini(struct cl_into *into)
{
    free(into->tables);
    free(into->columns);
    free(into->keys);
    PQclear(into->key_rows);
    PQclear(into->triggers);
    cl_catalog_fini(&into->catalog);
    memset(into, 0, sizeof *into);
}
