/* What is done to tables that were there already: emptied, filled, looked at. */
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "into.h"
#include "largeobject.h"

enum { SQL_BYTES_MAX = 256 * 1024 * 1024 };

/* The first of the plan's tables that lead to this one of the target? */
static bool is_first(const struct cl_into *into, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (!into->tables[j].excluded && into->tables[j].oid == into->tables[i].oid) {
            return false;
        }
    }
    return !into->tables[i].excluded;
}

static void add_table(struct cl_buf *sql, const struct cl_table *table)
{
    cl_buf_adds(sql, table->partitioned ? "" : "ONLY ");
    cl_sql_name(sql, table->schema, table->name);
}

/* All in one command: they may refer to each other. */
static bool empty(struct cl_into *into, struct cl_err *err)
{
    struct cl_buf sql;
    struct cl_buf after;
    bool any = false;
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_init(&after, SQL_BYTES_MAX);
    cl_buf_adds(&sql, "BEGIN; ");
    for (size_t i = 0; i < into->n_tables; i++) {
        if (is_first(into, i) && into->tables[i].before) {
            cl_buf_adds(&sql, into->tables[i].before);
            cl_buf_adds(&after, into->tables[i].after);
        }
    }
    for (size_t i = 0; i < into->n_tables; i++) {
        if (is_first(into, i)) {
            cl_buf_adds(&sql, any ? ", " : "TRUNCATE TABLE ");
            add_table(&sql, &into->tables[i]);
            any = true;
        }
    }
    cl_buf_adds(&sql, any ? "; " : "");
    cl_buf_add(&sql, cl_buf_str(&after), after.len);
    cl_buf_adds(&sql, "COMMIT");
    bool ok = !any || cl_pg_exec(into->conn, cl_buf_str(&sql), err) ||
              cl_err_context(err, "emptying the target's tables");
    cl_buf_fini(&sql);
    cl_buf_fini(&after);
    return ok;
}

static bool check_empty(struct cl_into *into, const struct cl_table *table, struct cl_err *err)
{
    struct cl_buf sql;
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_adds(&sql, "SELECT EXISTS (SELECT FROM ");
    add_table(&sql, table);
    cl_buf_adds(&sql, ")");
    char *some = cl_pg_value(into->conn, cl_buf_str(&sql), err);
    cl_buf_fini(&sql);
    bool ok = some && (*some != 't' || cl_fail(err, CL_CONFLICT, "E_NOT_EMPTY",
                                               "the target's %s.%s has rows; truncate = true lets "
                                               "them go first",
                                               table->schema, table->name));
    free(some);
    return ok;
}

bool cl_into_check_empty(struct cl_into *into, struct cl_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && !into->run->spec->truncate && i < into->n_tables; i++) {
        ok = !is_first(into, i) || check_empty(into, &into->tables[i], err);
    }
    return ok;
}

/* Large objects are made with their numbers: none may be taken. */
static bool check_objects(struct cl_into *into, struct cl_err *err)
{
    uint64_t objects;
    return cl_lo_count(into->conn, &objects, err) &&
           (objects == 0 || cl_fail(err, CL_CONFLICT, "E_NOT_EMPTY",
                                    "the target has large objects; leave = {\"large_objects\"} "
                                    "copies the rows alone"));
}

bool cl_into_load(struct cl_into *into, const struct cl_load *model, struct cl_err *err)
{
    static const struct cl_after nothing = {0};
    struct cl_load load = *model;
    load.tables = into->tables;
    load.n_tables = into->n_tables;
    load.after = &nothing;
    load.bare = true;
    return (load.n_objects == 0 || check_objects(into, err)) &&
           (into->run->spec->truncate ? empty(into, err) : cl_into_check_empty(into, err)) &&
           cl_load_run(&load, err);
}

struct checker {
    struct cl_into *into; /* borrowed */
    struct cl_link link;  /* the worker's own */
};

static void dismiss(void *worker)
{
    struct checker *checker = worker;
    cl_link_close(&checker->link);
    free(checker);
}

static void *hire(void *arg, struct cl_err *err)
{
    struct checker *checker = calloc(1, sizeof *checker);
    if (!checker) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    checker->into = arg;
    if (!cl_target_join(&checker->link, checker->into->run, err)) {
        dismiss(checker);
        return NULL;
    }
    return checker;
}

/* The server has looked at the keys of those who are no replicas as rows came in. */
static bool check_key(void *worker, size_t item, struct cl_err *err)
{
    struct checker *checker = worker;
    const struct cl_into_key *key = &checker->into->keys[item];
    if (!checker->into->replica) {
        return true;
    }
    char *broken = cl_pg_value(checker->link.conn, key->check, err);
    if (!broken) {
        return cl_err_context(err, "foreign key %s of %s", key->name, key->table);
    }
    bool ok = strcmp(broken, "0") == 0 ||
              cl_fail(err, CL_CONFLICT, "E_FOREIGN_KEY", "%s row(s) of %s break the foreign key %s",
                      broken, key->table, key->name);
    free(broken);
    return ok;
}

static bool analyze(void *worker, size_t item, struct cl_err *err)
{
    struct checker *checker = worker;
    const struct cl_table *table = &checker->into->tables[item];
    struct cl_buf sql;
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_adds(&sql, "ANALYZE ");
    cl_sql_name(&sql, table->schema, table->name);
    bool ok = !is_first(checker->into, item) ||
              cl_pg_exec(checker->link.conn, cl_buf_str(&sql), err) || cl_run_blame(table, err);
    cl_buf_fini(&sql);
    return ok;
}

static bool set_sequences(struct cl_into *into, const struct cl_sequence *sequences, size_t n,
                          struct cl_err *err)
{
    struct cl_sequence *found = calloc(n + 1, sizeof *found);
    size_t n_found = 0;
    bool ok = found != NULL || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    ok = ok && cl_catalog_sequences(&into->catalog, into->conn, err);
    for (size_t i = 0; ok && i < n; i++) {
        bool there = false;
        for (size_t j = 0; !there && j < into->catalog.n_sequences; j++) {
            const struct cl_sequence *has = &into->catalog.sequences[j];
            there = strcmp(has->name, sequences[i].name) == 0 &&
                    strcmp(has->schema, sequences[i].schema) == 0;
        }
        if (there) {
            found[n_found++] = sequences[i];
        } else {
            cl_run_warn(into->run, "the target has no sequence %s.%s: it was not set",
                        sequences[i].schema, sequences[i].name);
        }
    }
    ok = ok && cl_target_sequences(into->conn, into->run, found, n_found, err);
    free(found);
    return ok;
}

/* Statistics first: without them a key may take the planner forever. */
bool cl_into_finish(struct cl_into *into, const struct cl_sequence *sequences, size_t n,
                    struct cl_err *err)
{
    struct cl_crew crew = {.n_items = into->n_tables,
                           .jobs = into->run->jobs,
                           .arg = into,
                           .hire = hire,
                           .work = analyze,
                           .dismiss = dismiss};
    if (!set_sequences(into, sequences, n, err) || !cl_crew_run(into->run->watch, &crew, err)) {
        return false;
    }
    crew.n_items = into->n_keys;
    crew.work = check_key;
    return cl_crew_run(into->run->watch, &crew, err);
}
