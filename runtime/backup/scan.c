/*
 * Who owns what: the job's thread makes the plan, starts the workers and joins them; each worker
 * owns its session and the part it took (by the atomic `next`).  The mutex guards the first error,
 * the count of workers alive, the cancel handles, and what was counted in tables.
 */
#include "scan.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "pg/session.h"
#include "scan_private.h"

struct worker {
    struct cl_scan *scan; /* shared */
    uv_thread_t thread;   /* joined by the job's thread */
    PGcancel *cancel;     /* of its session, NULL without one; under the mutex */
};

struct cl_scan {
    char *conninfo;               /* with its password */
    struct cl_mask *mask;         /* one reference */
    char **tables;                /* NULL: all */
    struct scan_filter filter;    /* which rows */
    unsigned jobs;                /* workers wanted */
    uint64_t part_bytes;          /* as in the spec */
    struct cl_job *job;           /* while it runs */
    struct scan_plan plan;        /* what is read */
    struct cl_scan_result result; /* filled at the end; lists are ours, names are the plan's */
    atomic_size_t next;           /* next part or range nobody took */
    atomic_bool failed;           /* a worker failed: the others stop */
    uv_mutex_t mutex;             /* guards what follows */
    uv_cond_t ended;              /* a worker ended */
    struct cl_err err;            /* the first error */
    unsigned alive;               /* workers not ended */
    struct worker workers[CL_SCAN_JOBS_MAX];
};

static char **copy_list(const char *const *list)
{
    size_t n = 0;
    while (list[n]) {
        n++;
    }
    char **copy = calloc(n + 1, sizeof *copy);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = strdup(list[i]);
        if (!copy[i]) {
            while (i-- > 0) {
                free(copy[i]);
            }
            free(copy);
            return NULL;
        }
    }
    return copy;
}

struct cl_scan *cl_scan_new(const struct cl_scan_spec *spec, struct cl_err *err)
{
    struct cl_scan *scan = calloc(1, sizeof *scan);
    if (!scan || uv_mutex_init(&scan->mutex) != 0) {
        free(scan);
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    if (uv_cond_init(&scan->ended) != 0) {
        abort(); /* only when the process is out of everything */
    }
    scan->mask = cl_mask_ref(spec->mask);
    scan->jobs = spec->jobs;
    scan->part_bytes = spec->part_bytes;
    scan->filter = (struct scan_filter){.newer = spec->newer, .since = spec->since};
    scan->conninfo = strdup(spec->conninfo);
    scan->tables = spec->tables ? copy_list(spec->tables) : NULL;
    if (!scan->conninfo || (spec->tables && !scan->tables)) {
        cl_scan_free(scan);
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    return scan;
}

void cl_scan_free(void *arg)
{
    struct cl_scan *scan = arg;
    if (!scan) {
        return;
    }
    struct cl_scan_result *r = &scan->result;
    free(r->system_identifier);
    free(r->database_oid);
    free(r->database);
    free(r->server_version);
    free(r->snapshot);
    free(r->last_xid);
    free(r->places); /* its strings are the plan's */
    free(r->kept);
    cl_scan_plan_fini(&scan->plan);
    for (size_t i = 0; scan->tables && scan->tables[i]; i++) {
        free(scan->tables[i]);
    }
    free(scan->tables);
    if (scan->conninfo) {
        explicit_bzero(scan->conninfo, strlen(scan->conninfo));
    }
    free(scan->conninfo);
    cl_mask_free(scan->mask);
    uv_cond_destroy(&scan->ended);
    uv_mutex_destroy(&scan->mutex);
    free(scan);
}

const struct cl_scan_result *cl_scan_result(const struct cl_scan *scan)
{
    return &scan->result;
}

/* ---------------------------------------------------------------- workers */

static PGconn *open_session(const struct cl_scan *scan, struct cl_err *err)
{
    struct cl_pg_options options = {.readonly = true, .application = "cloner scan"};
    PGconn *conn = cl_pg_open(scan->conninfo, &options, err);
    if (conn && !cl_pg_exec(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err)) {
        PQfinish(conn);
        return NULL;
    }
    return conn;
}

static bool import_snapshot(const struct cl_scan *scan, PGconn *conn, struct cl_err *err)
{
    char sql[128]; /* the name comes from the server: "00000003-0000001B-1" */
    snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%.60s'", scan->result.snapshot);
    return cl_pg_exec(conn, sql, err);
}

static void set_cancel(struct worker *w, PGcancel *cancel)
{
    uv_mutex_lock(&w->scan->mutex);
    PGcancel *old = w->cancel;
    w->cancel = cancel;
    uv_mutex_unlock(&w->scan->mutex);
    if (old) {
        PQfreeCancel(old);
    }
}

/* Parts of tables, then ranges of large objects. */
static size_t units(const struct scan_plan *plan)
{
    return plan->parts.n + plan->ranges.n_ranges;
}

static bool read_unit(struct cl_scan *scan, size_t unit, PGconn *conn, struct cl_err *err)
{
    struct scan_plan *plan = &scan->plan;
    const struct cl_part *part = unit < plan->parts.n ? &plan->parts.part[unit] : NULL;
    const struct cl_lo_range *range = part ? NULL : &plan->ranges.ranges[unit - plan->parts.n];
    struct scan_table *table = part ? &plan->tables[part->table] : &plan->objects;
    struct scan_table counted;
    struct scan_filter filter = scan->filter;
    filter.where = part ? part->where : NULL;
    bool ok = cl_scan_part_init(&counted, table, part ? part->bytes : range->bytes, err) &&
              (part ? cl_scan_table_read(&counted, scan->mask, &filter, conn, scan->job, err)
                    : cl_scan_objects_read(&counted, scan->mask, range, conn, scan->job, err));
    if (ok) {
        uv_mutex_lock(&scan->mutex);
        ok = cl_scan_part_join(table, &counted, err);
        uv_mutex_unlock(&scan->mutex);
    }
    cl_scan_part_fini(&counted);
    return ok;
}

static bool read_units(struct cl_scan *scan, PGconn *conn, struct cl_err *err)
{
    while (!atomic_load(&scan->failed)) {
        size_t i = atomic_fetch_add(&scan->next, 1);
        if (i >= units(&scan->plan)) {
            break;
        }
        if (!cl_job_check(scan->job, err) || !read_unit(scan, i, conn, err)) {
            return false;
        }
    }
    return true;
}

static void work(void *arg)
{
    struct worker *w = arg;
    struct cl_scan *scan = w->scan;
    struct cl_err err;
    PGconn *conn = open_session(scan, &err);
    bool ok = conn && import_snapshot(scan, conn, &err);
    if (ok) {
        set_cancel(w, PQgetCancel(conn));
        ok = read_units(scan, conn, &err);
        set_cancel(w, NULL);
    }
    PQfinish(conn);
    uv_mutex_lock(&scan->mutex);
    if (!ok && !atomic_exchange(&scan->failed, true)) {
        scan->err = err;
    }
    scan->alive--;
    uv_cond_signal(&scan->ended);
    uv_mutex_unlock(&scan->mutex);
}

/* Workers may sit in a read: their queries are cancelled at the server. Mutex held. */
static void cancel_workers(struct cl_scan *scan)
{
    char text[256];
    for (unsigned i = 0; i < scan->jobs; i++) {
        if (scan->workers[i].cancel) {
            PQcancel(scan->workers[i].cancel, text, sizeof text);
        }
    }
}

static bool run_workers(struct cl_scan *scan, struct cl_err *err)
{
    enum { LOOK_NS = 100 * 1000 * 1000 };
    unsigned started = 0;
    if (scan->jobs > units(&scan->plan)) {
        scan->jobs = (unsigned)units(&scan->plan);
    }
    scan->alive = scan->jobs;
    for (; started < scan->jobs; started++) {
        struct worker *w = &scan->workers[started];
        w->scan = scan;
        if (uv_thread_create(&w->thread, work, w) != 0) {
            break;
        }
    }
    uv_mutex_lock(&scan->mutex);
    if (started < scan->jobs && !atomic_exchange(&scan->failed, true)) {
        cl_fail(&scan->err, CL_TRANSIENT, "EAGAIN", "no thread can be started");
    }
    scan->alive -= scan->jobs - started;
    while (scan->alive > 0) {
        if (cl_job_stopping(scan->job) || atomic_load(&scan->failed)) {
            cancel_workers(scan);
        }
        uv_cond_timedwait(&scan->ended, &scan->mutex, LOOK_NS);
    }
    uv_mutex_unlock(&scan->mutex);
    for (unsigned i = 0; i < started; i++) {
        uv_thread_join(&scan->workers[i].thread);
    }
    if (!cl_job_check(scan->job, err)) {
        return false;
    }
    if (atomic_load(&scan->failed)) {
        *err = scan->err;
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- result */

static bool identify(struct cl_scan *scan, PGconn *conn, struct cl_err *err)
{
    struct cl_scan_result *r = &scan->result;
    r->taken_at_ms = cl_clock_wall_ms();
    r->snapshot = cl_pg_value(conn, "SELECT pg_export_snapshot()", err);
    if (!r->snapshot) {
        return false;
    }
    r->database = cl_pg_value(conn, "SELECT current_database()", err);
    r->database_oid = cl_pg_value(
        conn, "SELECT oid::text FROM pg_database WHERE datname = current_database()", err);
    r->server_version = cl_pg_value(conn, "SELECT current_setting('server_version')", err);
    r->last_xid =
        cl_pg_value(conn, "SELECT txid_snapshot_xmax(txid_current_snapshot())::text", err);
    r->system_identifier = cl_pg_value(
        conn,
        "SELECT CASE WHEN has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') "
        "THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE '' END",
        err);
    return r->database && r->database_oid && r->server_version && r->last_xid &&
           r->system_identifier;
}

static int compare_places(const void *a, const void *b)
{
    const struct cl_scan_place *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);
    order = order ? order : strcmp(x->table, y->table);
    order = order ? order : strcmp(x->column, y->column);
    return order ? order : strcmp(x->domain, y->domain);
}

static void gather_column(struct cl_scan_result *r, const struct scan_table *t,
                          const struct scan_column *c)
{
    for (size_t i = 0; i < c->slots; i++) {
        if (c->places[i].domain) {
            struct cl_scan_place *place = &r->places[r->n_places++];
            *place = c->places[i];
            place->schema = t->schema;
            place->table = t->name;
            place->column = c->name;
            r->leaks += place->count;
        }
    }
    if (c->kept > 0) {
        r->kept[r->n_kept++] = (struct cl_scan_kept){
            .schema = t->schema, .table = t->name, .column = c->name, .count = c->kept};
    }
}

static void add_reasons(struct cl_scan *scan)
{
    for (size_t k = 0; k < scan->result.n_kept; k++) {
        struct cl_scan_kept *kept = &scan->result.kept[k];
        for (size_t i = 0; i < cl_mask_keeps_count(scan->mask); i++) {
            size_t n;
            const struct cl_mask_keep *keep = cl_mask_keep_at(scan->mask, i, &n);
            if (strcmp(keep->schema, kept->schema) == 0 && strcmp(keep->table, kept->table) == 0 &&
                strcmp(keep->column, kept->column) == 0) {
                kept->reason = keep->reason;
            }
        }
    }
}

/* The plan's tables, and large objects as the last. */
static const struct scan_table *table_at(const struct scan_plan *plan, size_t i)
{
    return i < plan->n_tables ? &plan->tables[i] : &plan->objects;
}

static bool gather(struct cl_scan *scan, struct cl_err *err)
{
    const struct scan_plan *plan = &scan->plan;
    struct cl_scan_result *r = &scan->result;
    size_t places = 0, kept = 0;
    for (size_t i = 0; i <= plan->n_tables; i++) {
        const struct scan_table *t = table_at(plan, i);
        for (size_t c = 0; c < t->n_columns; c++) {
            places += t->columns[c].n_places;
            kept += t->columns[c].kept > 0;
        }
    }
    r->places = calloc(places + 1, sizeof *r->places);
    r->kept = calloc(kept + 1, sizeof *r->kept);
    if (!r->places || !r->kept) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i <= plan->n_tables; i++) {
        const struct scan_table *t = table_at(plan, i);
        r->rows += t->rows;
        r->values += t->values;
        r->bytes += t->bytes;
        for (size_t c = 0; c < t->n_columns; c++) {
            gather_column(r, t, &t->columns[c]);
        }
        r->columns += i < plan->n_tables ? t->n_columns : 0;
    }
    qsort(r->places, r->n_places, sizeof *r->places, compare_places);
    add_reasons(scan);
    r->tables = plan->n_tables;
    r->large_objects = plan->objects.values;
    r->definitions = plan->definitions;
    r->gaps = plan->gaps;
    r->n_gaps = plan->n_gaps;
    r->in_schema = plan->in_schema;
    r->n_in_schema = plan->n_in_schema;
    return true;
}

bool cl_scan_run(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct cl_scan *scan = arg;
    int64_t started = cl_clock_boot_ms();
    scan->job = job;
    PGconn *keeper = open_session(scan, err);
    bool ok = keeper && identify(scan, keeper, err) &&
              cl_scan_plan_load(&scan->plan, keeper, scan->mask, (const char *const *)scan->tables,
                                (int)scan->jobs, scan->part_bytes, err);
    if (ok) {
        uint64_t total = scan->plan.ranges.bytes;
        for (size_t i = 0; i < scan->plan.n_tables; i++) {
            total += scan->plan.tables[i].size;
        }
        atomic_store(&cl_job_progress(job)->total, total);
        ok = run_workers(scan, err) && gather(scan, err);
    }
    PQfinish(keeper); /* the snapshot ends with it */
    scan->result.elapsed_ms = cl_clock_boot_ms() - started;
    return ok;
}
