/* What a target gets before and after its rows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/fault.h"
#include "crew.h"
#include "target.h"

enum {
    SQL_BYTES_MAX = 1024 * 1024,
    NAME_BYTES_MAX = 1024, /* quoted names, and a number */
    SEQUENCES_A_QUERY = 100,
};

static bool named_command(PGconn *conn, const char *command, const char *schema, const char *name,
                          const struct cl_marks *marks, struct cl_err *err)
{
    struct cl_buf sql;
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_adds(&sql, command);
    cl_sql_name(&sql, schema, name);
    bool ok = cl_marks_run(marks, conn, "command", cl_buf_str(&sql), 0, cl_buf_str(&sql), err);
    cl_buf_fini(&sql);
    return ok || cl_err_context(err, "target: %s.%s", schema, name);
}

/* What lies where, before anything is made. */
static bool settle_tablespaces(struct cl_target *target, struct cl_run *run,
                               const struct cl_after *after, struct cl_err *err)
{
    struct cl_tablespaces *used = &target->before.tablespaces;
    struct cl_buf names;
    for (size_t i = 0; i < after->n_indexes; i++) {
        if (!cl_tablespaces_note(used, after->indexes[i].tablespace)) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
    }
    if (used->n > 0 && (run->spec->leave & CL_LEAVE_TABLESPACES)) {
        cl_buf_init(&names, SQL_BYTES_MAX);
        for (size_t i = 0; i < used->n; i++) {
            cl_buf_addf(&names, "%s%s", i > 0 ? ", " : "", used->names[i]);
        }
        cl_run_warn(run,
                    "tablespaces of the source were left behind (%s): everything lies in the "
                    "database's own",
                    cl_buf_str(&names));
        cl_buf_fini(&names);
    }
    return cl_tablespaces_check(used, run->spec, target->link.conn, err);
}

static void count_comments(struct cl_run *run, const struct cl_script *script)
{
    uv_mutex_lock(&run->mutex);
    run->summary->tally.masked += script->tally.masked;
    run->summary->tally.shortened += script->tally.shortened;
    uv_mutex_unlock(&run->mutex);
}

bool cl_target_prepare(struct cl_target *target, struct cl_run *run, const struct cl_tools *tools,
                       const char *schema_file, const struct cl_after *after,
                       const struct cl_object_roles *roles, struct cl_err *err)
{
    const struct cl_script *const scripts[] = {&target->before, &target->rest};
    const struct cl_script_except except = {.pick = run->pick, .after = after};
    const struct cl_script_except picked = {.pick = run->pick};
    const struct cl_script_run where = {
        .watch = run->watch, .conn = target->link.conn, .marks = &run->marks, .name = "before"};
    if (!cl_script_load(&target->before, tools, run->watch, schema_file, CL_SECTION_PRE_DATA,
                        run->spec, &picked, err) ||
        !cl_script_load(&target->rest, tools, run->watch, schema_file, CL_SECTION_POST_DATA,
                        run->spec, &except, err) ||
        !settle_tablespaces(target, run, after, err) ||
        !cl_roles_check(target->link.conn, scripts, 2, roles, run->spec->leave, err) ||
        !cl_script_run(&target->before, &where, CL_TURN_MAIN, err)) {
        return false;
    }
    count_comments(run, &target->before);
    count_comments(run, &target->rest);
    if (target->before.n_logins > 0) {
        cl_run_warn(run,
                    "%zu user mapping(s) of foreign servers were left behind: the copy cannot "
                    "sign in there",
                    target->before.n_logins);
    }
    return true;
}

/* Marked, although it could be repeated: by then grants may bind us. */
static bool set_sequences(PGconn *conn, struct cl_run *run, size_t first,
                          const struct cl_sequence *sequences, size_t n, struct cl_err *err)
{
    struct cl_buf sql;
    struct cl_buf name;
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_init(&name, NAME_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        cl_buf_reset(&name);
        cl_sql_name(&name, sequences[i].schema, sequences[i].name);
        char *literal = PQescapeLiteral(conn, cl_buf_str(&name), name.len);
        cl_buf_addf(&sql, "%ssetval(%s, %" PRId64 ", %s)", i > 0 ? ", " : "SELECT ",
                    literal ? literal : "", sequences[i].last_value,
                    sequences[i].is_called ? "true" : "false");
        PQfreemem(literal);
    }
    bool ok =
        cl_marks_run(&run->marks, conn, "sequences", "", (int64_t)first, cl_buf_str(&sql), err);
    cl_buf_fini(&sql);
    cl_buf_fini(&name);
    return ok || cl_err_context(err, "target: setting sequences");
}

bool cl_target_sequences(PGconn *conn, struct cl_run *run, const struct cl_sequence *sequences,
                         size_t n, struct cl_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < n; i += SEQUENCES_A_QUERY) {
        ok = set_sequences(conn, run, i, &sequences[i],
                           n - i < SEQUENCES_A_QUERY ? n - i : SEQUENCES_A_QUERY, err);
    }
    return ok;
}

struct validator {
    struct cl_run *run;                /* borrowed */
    const struct cl_foreign_key *keys; /* borrowed; item i is key i */
    struct cl_link link;               /* the worker's own */
};

static void *hire_validator(void *arg, struct cl_err *err)
{
    struct validator *validator = calloc(1, sizeof *validator);
    if (!validator) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    *validator = *(const struct validator *)arg;
    if (!cl_target_join(&validator->link, validator->run, err)) {
        cl_link_close(&validator->link);
        free(validator);
        return NULL;
    }
    return validator;
}

static bool validate(void *worker, size_t item, struct cl_err *err)
{
    struct validator *validator = worker;
    const struct cl_foreign_key *key = &validator->keys[item];
    struct cl_buf sql;
    if (!key->valid) {
        return true;
    }
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_adds(&sql, "ALTER TABLE ONLY ");
    cl_sql_name(&sql, key->schema, key->table);
    cl_buf_adds(&sql, " VALIDATE CONSTRAINT ");
    cl_sql_ident(&sql, key->name);
    int slot = cl_work_begin(validator->run->work, "foreign key %s of %s.%s", key->name,
                             key->schema, key->table);
    bool ok = cl_pg_exec(validator->link.conn, cl_buf_str(&sql), err);
    cl_work_end(validator->run->work, slot);
    cl_buf_fini(&sql);
    return ok || cl_err_context(err, "target: foreign key %s of %s.%s", key->name, key->schema,
                                key->table);
}

static void dismiss_validator(void *worker)
{
    struct validator *validator = worker;
    cl_link_close(&validator->link);
    free(validator);
}

/* All are made first, without looking at rows: that takes a lock on both tables. Then rows are
 * looked at, side by side, under locks that do not keep each other out. */
static bool make_foreign_keys(PGconn *conn, struct cl_run *run, const struct cl_after *after,
                              struct cl_err *err)
{
    cl_work_phase(run->work, "foreign keys");
    for (size_t i = 0; i < after->n_foreign_keys; i++) {
        const struct cl_foreign_key *key = &after->foreign_keys[i];
        if (!cl_watch_check(run->watch, err)) {
            return false;
        }
        if (!cl_marks_run(&run->marks, conn, "foreign key", "", key->oid, key->create, err)) {
            return cl_err_context(err, "target: foreign key %s of %s.%s", key->name, key->schema,
                                  key->table);
        }
    }
    struct validator model = {.run = run, .keys = after->foreign_keys};
    struct cl_crew crew = {.n_items = after->n_foreign_keys,
                           .jobs = run->jobs,
                           .arg = &model,
                           .hire = hire_validator,
                           .work = validate,
                           .dismiss = dismiss_validator};
    return cl_crew_run(run->watch, &crew, err);
}

static bool refresh(PGconn *conn, struct cl_run *run, const struct cl_finish *finish,
                    struct cl_err *err)
{
    bool ok = true;
    cl_work_phase(run->work, "views");
    for (size_t i = 0; ok && i < finish->n_matviews; i++) {
        const char *schema = finish->matviews[2 * i];
        const char *name = finish->matviews[2 * i + 1];
        int slot = cl_work_begin(run->work, "%s.%s", schema, name);
        ok = cl_watch_check(run->watch, err) &&
             named_command(conn, "REFRESH MATERIALIZED VIEW ", schema, name, &run->marks, err);
        cl_work_end(run->work, slot);
    }
    return ok;
}

/* Tables had their statistics with their indexes. */
static bool analyze_rest(PGconn *conn, struct cl_run *run, struct cl_err *err)
{
    PGresult *r = cl_pg_query(conn, cl_embedded("runtime/backup/analyze.sql")->data, 0, NULL, err);
    bool ok = r != NULL;
    for (int i = 0; ok && i < PQntuples(r); i++) {
        ok =
            cl_watch_check(run->watch, err) && named_command(conn, "ANALYZE ", PQgetvalue(r, i, 0),
                                                             PQgetvalue(r, i, 1), &run->marks, err);
    }
    PQclear(r);
    return ok;
}

bool cl_target_finish(struct cl_target *target, struct cl_run *run, const struct cl_finish *finish,
                      struct cl_err *err)
{
    PGconn *conn = target->link.conn;
    struct cl_script *script = &target->rest;
    const struct cl_script_run before = {
        .watch = run->watch, .conn = conn, .marks = &run->marks, .name = "before"};
    const struct cl_script_run after = {
        .watch = run->watch, .conn = conn, .marks = &run->marks, .name = "after"};
    bool ok = cl_target_sequences(conn, run, finish->sequences, finish->n_sequences, err);
    ok = ok && make_foreign_keys(conn, run, finish->after, err) &&
         cl_script_run(script, &after, CL_TURN_MAIN, err) &&
         cl_script_run(&target->before, &before, CL_TURN_PRIVILEGES, err) &&
         cl_script_run(script, &after, CL_TURN_PRIVILEGES, err) &&
         refresh(conn, run, finish, err) && analyze_rest(conn, run, err) &&
         cl_proof_check(finish->proof, run, err);
    if (ok && cl_fault("copy_ending")) {
        ok = cl_fail(err, CL_TRANSIENT, "E_FAULT", "fault point copy_ending");
    }
    ok = ok && cl_script_run(script, &after, CL_TURN_LAST, err);
    return ok;
}
