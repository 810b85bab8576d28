#include "marks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/embed.h"
#include "pg/session.h"

enum {
    /* A killed process's session ends as soon as the server notices. */
    CLAIM_MS = 5000,
    ORPHANS_MS = 60000, /* one that writes its last pages may take a while */
    POLL_MS = 50,
    NUMBER_BYTES = 24,
    FIRST_COUNT = 3, /* columns of a mark */
    NOTE = FIRST_COUNT + CL_MARK_COUNTS,
};

void cl_mark_counts(struct cl_mark *mark, uint64_t *counts[CL_MARK_COUNTS])
{
    uint64_t *const all[CL_MARK_COUNTS] = {&mark->sum.rows,  &mark->sum.sum[0], &mark->sum.sum[1],
                                           &mark->bytes,     &mark->seen,       &mark->masked,
                                           &mark->shortened, &mark->kept};
    memcpy(counts, all, sizeof all);
}

static void pause_a_little(void)
{
    struct timespec pause = {.tv_nsec = POLL_MS * 1000 * 1000};
    nanosleep(&pause, NULL);
}

static PGresult *run_sql(PGconn *conn, const char *file, int n, const char *const *params,
                         struct cl_err *err)
{
    return cl_pg_query(conn, cl_embedded(file)->data, n, params, err);
}

bool cl_marks_claim(PGconn *conn, const char *database, struct cl_err *err)
{
    int64_t deadline_ms = cl_clock_boot_ms() + CLAIM_MS;
    for (;;) {
        /* of this database alone: any number will do that nobody else takes */
        char *got = cl_pg_value(conn, "SELECT pg_try_advisory_lock(1668050798, 1)", err);
        if (!got) {
            return false;
        }
        bool ours = got[0] == 't';
        free(got);
        if (ours) {
            return true;
        }
        if (cl_clock_boot_ms() > deadline_ms) {
            return cl_fail(err, CL_CONFLICT, "E_TARGET_BUSY",
                           "another process is copying into the target database '%s'", database);
        }
        pause_a_little();
    }
}

static bool end_orphans(PGconn *conn, const char *application, struct cl_err *err)
{
    int64_t deadline_ms = cl_clock_boot_ms() + ORPHANS_MS;
    for (;;) {
        PGresult *r = run_sql(conn, "runtime/backup/marks_orphans.sql", 1, &application, err);
        if (!r) {
            return false;
        }
        bool none = strcmp(PQgetvalue(r, 0, 0), "0") == 0;
        PQclear(r);
        if (none) {
            return true;
        }
        if (cl_clock_boot_ms() > deadline_ms) {
            return cl_fail(err, CL_CONFLICT, "E_TARGET_BUSY",
                           "sessions of a killed copy do not end in the target database");
        }
        pause_a_little();
    }
}

/* Is what the header tells of the copy we are to make? */
static bool same_copy(const PGresult *header, const struct cl_copy *copy, const char *database,
                      struct cl_err *err)
{
    const char *key = PQgetvalue(header, 0, 0);
    if (!copy->key || strcmp(key, copy->key) != 0) {
        return cl_fail(err, CL_CONFLICT, "E_NOT_EMPTY",
                       "the target database '%s' is not empty: it holds an unfinished copy, '%s'",
                       database, key);
    }
    bool options = strcmp(PQgetvalue(header, 0, 1), copy->options) == 0;
    if (options && strcmp(PQgetvalue(header, 0, 2), copy->token) == 0) {
        return true;
    }
    const char *why = !options                    ? "it is asked for with other options"
                      : copy->lost && *copy->lost ? copy->lost
                                                  : "its rows come from elsewhere now";
    return cl_fail(
        err, CL_CONFLICT, "E_SNAPSHOT_LOST",
        "the copy '%s' cannot go on, its snapshot is lost (%s): drop the target database "
        "'%s', make it anew and start over",
        key, why, database);
}

bool cl_marks_open(struct cl_marks *marks, PGconn *conn, const struct cl_copy *copy,
                   const char *database, const char *application, struct cl_err *err)
{
    char *there = cl_pg_value(conn,
                              "SELECT to_regclass('" CL_MARKS_SCHEMA ".copy') IS NOT NULL AND "
                              "to_regclass('" CL_MARKS_SCHEMA ".mark') IS NOT NULL",
                              err);
    if (!there) {
        return false;
    }
    bool unfinished = there[0] == 't';
    free(there);
    marks->used = copy->key != NULL;
    if (!unfinished) {
        return true;
    }
    PGresult *header =
        cl_pg_query(conn, "SELECT key, options, token FROM " CL_MARKS_SCHEMA ".copy", 0, NULL, err);
    bool ok = header != NULL;
    if (ok && PQntuples(header) != 1) {
        ok = cl_fail(err, CL_CONFLICT, "E_NOT_EMPTY",
                     "the target database '%s' is not empty: it has " CL_MARKS_SCHEMA, database);
    }
    ok = ok && same_copy(header, copy, database, err) && end_orphans(conn, application, err);
    PQclear(header);
    if (ok) {
        marks->rows = run_sql(conn, "runtime/backup/marks_read.sql", 0, NULL, err);
        ok = marks->resumed = marks->rows != NULL;
    }
    return ok;
}

bool cl_marks_make(struct cl_marks *marks, PGconn *conn, const struct cl_copy *copy,
                   struct cl_err *err)
{
    char source[200];
    if (!marks->used || marks->resumed) {
        return true;
    }
    snprintf(source, sizeof source, "%s (system %s, oid %u)", copy->source->database,
             copy->source->system, copy->source->oid);
    const char *params[] = {copy->key, copy->options, copy->token, source};
    if (!cl_pg_exec(conn, "BEGIN", err) ||
        !cl_pg_exec(conn, cl_embedded("runtime/backup/marks_make.sql")->data, err)) {
        return cl_err_context(err, "target: marks");
    }
    PGresult *r = cl_pg_query(conn,
                              "INSERT INTO " CL_MARKS_SCHEMA
                              ".copy (key, options, token, source) VALUES ($1, $2, $3, $4)",
                              4, params, err);
    bool ok = r != NULL && cl_pg_exec(conn, "COMMIT", err);
    PQclear(r);
    return ok || cl_err_context(err, "target: marks");
}

/* -------------------------------------------------------------- one mark */

static int64_t number_at(const PGresult *rows, int row, int column)
{
    return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

/* As the server sorted them: bytes of kind, bytes of name, number. */
static int compare(const PGresult *rows, int row, const struct cl_mark *mark)
{
    int order = strcmp(PQgetvalue(rows, row, 0), mark->kind);
    if (order == 0) {
        order = strcmp(PQgetvalue(rows, row, 1), mark->name);
    }
    if (order == 0) {
        int64_t number = number_at(rows, row, 2);
        order = (number > mark->number) - (number < mark->number);
    }
    return order;
}

bool cl_marks_done(const struct cl_marks *marks, struct cl_mark *mark)
{
    int low = 0;
    int high = marks->rows ? PQntuples(marks->rows) : 0;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = compare(marks->rows, middle, mark);
        if (order == 0) {
            uint64_t *counts[CL_MARK_COUNTS];
            cl_mark_counts(mark, counts);
            for (int i = 0; i < CL_MARK_COUNTS; i++) {
                *counts[i] = (uint64_t)number_at(marks->rows, middle, FIRST_COUNT + i);
            }
            mark->note = PQgetisnull(marks->rows, middle, NOTE)
                             ? NULL
                             : PQgetvalue(marks->rows, middle, NOTE);
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

bool cl_marks_put(const struct cl_marks *marks, PGconn *conn, const struct cl_mark *mark,
                  struct cl_err *err)
{
    char number[NUMBER_BYTES];
    char text[CL_MARK_COUNTS][NUMBER_BYTES];
    const char *params[NOTE + 1] = {mark->kind, mark->name, number};
    struct cl_mark copy = *mark;
    uint64_t *counts[CL_MARK_COUNTS];
    if (!marks->used) {
        return true;
    }
    if (marks->in_ledger) {
        return cl_ledger_append(marks->ledger, mark, err);
    }
    cl_mark_counts(&copy, counts);
    snprintf(number, sizeof number, "%" PRId64, mark->number);
    for (int i = 0; i < CL_MARK_COUNTS; i++) {
        /* sums use all 64 bits: the column has them with a sign */
        snprintf(text[i], NUMBER_BYTES, "%" PRId64, (int64_t)*counts[i]);
        params[FIRST_COUNT + i] = text[i];
    }
    params[NOTE] = mark->note;
    PGresult *r = run_sql(conn, "runtime/backup/marks_put.sql", NOTE + 1, params, err);
    PQclear(r);
    return r || cl_err_context(err, "target: mark of %s %s", mark->kind, mark->name);
}

bool cl_marks_run(const struct cl_marks *marks, PGconn *conn, const char *kind, const char *name,
                  int64_t number, const char *sql, struct cl_err *err)
{
    struct cl_mark mark = {.kind = kind, .name = name, .number = number};
    if (!marks->used) {
        return cl_pg_exec(conn, sql, err);
    }
    if (cl_marks_done(marks, &mark)) {
        return true;
    }
    if (!cl_pg_exec(conn, "BEGIN", err)) {
        return false;
    }
    if (!cl_pg_exec(conn, sql, err) || !cl_marks_put(marks, conn, &mark, err)) {
        cl_pg_exec(conn, "ROLLBACK", NULL); /* the failure to tell is the first one */
        return false;
    }
    return cl_pg_exec(conn, "COMMIT", err);
}

bool cl_marks_drop(const struct cl_marks *marks, PGconn *conn, struct cl_err *err)
{
    return !marks->used || cl_pg_exec(conn, "DROP SCHEMA " CL_MARKS_SCHEMA " CASCADE", err) ||
           cl_err_context(err, "target: marks");
}

void cl_marks_fini(struct cl_marks *marks)
{
    PQclear(marks->rows);
    if (marks->in_ledger) {
        close(marks->ledger);
    }
    memset(marks, 0, sizeof *marks);
}
