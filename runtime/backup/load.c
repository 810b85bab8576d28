/*
 * Design notes. Every table goes through the same states: its parts (the first one alone, because
 * it empties the table and freezes its rows under a lock that the others would wait for), then its
 * indexes (any number at once), then its end: constraints take over indexes, statistics are
 * gathered. Tables of a rank are begun when those of the rank before are in; rank 0 is in no order,
 * with them or any other. What can be done now stands in the queues below; a worker takes from them
 * under the mutex, works without it, and says what it has done under it again. Ends and indexes go
 * before parts, so that a table's pages are still in memory.
 *
 * The mutex guards everything of struct plan but what is fixed when workers start.
 */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "crew.h"
#include "target.h"
#include "transform.h"

enum {
    WAIT_MS = 100, /* between looks at the watch while others must finish first */
    SQL_BYTES_MAX = 1024 * 1024,
    SETTING_BYTES = 512,
    INDEX_MEMORY_MIB = 1024, /* maintenance_work_mem of all workers together */
};

enum work { WORK_OBJECTS, WORK_PART, WORK_INDEX, WORK_END };

struct state {
    size_t first_part;   /* in parts */
    size_t n_parts;      /* of the table; 0: no rows */
    size_t parts_left;   /* not in yet */
    size_t first_index;  /* in plan.indexes */
    size_t n_indexes;    /* of the table */
    size_t indexes_left; /* not built yet */
};

/* A list that is taken from at its front. */
struct queue {
    size_t *item; /* owned */
    size_t n;     /* put in so far */
    size_t taken; /* of these */
};

struct plan {
    const struct cl_load *load;      /* borrowed */
    struct state *states;            /* of load->tables */
    const struct cl_index **indexes; /* of all tables, a table's together, largest first */
    uv_mutex_t mutex;                /* see above */
    uv_cond_t changed;               /* something was put in, or all is done */
    struct queue objects;            /* items of large objects */
    struct queue starts;             /* first parts, the largest table's first */
    struct queue parts;              /* further parts of tables that were begun */
    struct queue ready_indexes;      /* in indexes */
    struct queue ready_ends;         /* tables */
    unsigned rank;                   /* of the tables that were begun last */
    unsigned last_rank;              /* that there is */
    size_t rank_left;                /* tables of `rank` that are not in */
    size_t ends_left;                /* tables, and items of large objects, that are not done */
    int busy;                        /* workers at work */
};

struct worker {
    struct plan *plan;     /* borrowed */
    void *reader;          /* the feed's */
    struct cl_link writer; /* its own */
};

static bool queue_init(struct queue *queue, size_t cap)
{
    queue->item = calloc(cap + 1, sizeof *queue->item);
    return queue->item != NULL;
}

static bool take(struct queue *queue, size_t *item)
{
    if (queue->taken == queue->n) {
        return false;
    }
    *item = queue->item[queue->taken++];
    return true;
}

/* The table is in: its indexes may be built; without any, its end is due. */
static void rows_done(struct plan *plan, size_t table)
{
    const struct state *state = &plan->states[table];
    for (size_t i = 0; i < state->n_indexes; i++) {
        plan->ready_indexes.item[plan->ready_indexes.n++] = state->first_index + i;
    }
    if (state->n_indexes == 0) {
        plan->ready_ends.item[plan->ready_ends.n++] = table;
    }
}

/* Lets the tables of a rank be begun; how many have rows. */
static size_t start_rank(struct plan *plan, unsigned rank)
{
    const struct cl_load *load = plan->load;
    size_t n = 0;
    for (size_t i = 0; i < load->parts->n; i++) {
        const struct cl_part *part = &load->parts->part[i];
        if (part->number == 0 && load->tables[part->table].rank == rank) {
            plan->starts.item[plan->starts.n++] = i;
            n++;
        }
    }
    return n;
}

static void next_rank(struct plan *plan)
{
    while (plan->rank_left == 0 && plan->rank < plan->last_rank) {
        plan->rank_left = start_rank(plan, ++plan->rank);
    }
}

static void part_done(struct plan *plan, const struct cl_part *part)
{
    struct state *state = &plan->states[part->table];
    if (part->number == 0) {
        for (size_t i = 1; i < state->n_parts; i++) {
            plan->parts.item[plan->parts.n++] = state->first_part + i;
        }
    }
    if (--state->parts_left == 0) {
        rows_done(plan, part->table);
        plan->rank_left -= plan->load->tables[part->table].rank > 0;
        next_rank(plan);
    }
}

/* Table of an index: the first whose run of indexes ends past it. */
static size_t table_of(const struct plan *plan, size_t index)
{
    size_t low = 0;
    size_t high = plan->load->n_tables;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (plan->states[middle].first_index + plan->states[middle].n_indexes <= index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void done(struct plan *plan, enum work what, size_t item)
{
    uv_mutex_lock(&plan->mutex);
    plan->busy--;
    if (what == WORK_PART) {
        part_done(plan, &plan->load->parts->part[item]);
    } else if (what == WORK_INDEX) {
        size_t table = table_of(plan, item);
        if (--plan->states[table].indexes_left == 0) {
            plan->ready_ends.item[plan->ready_ends.n++] = table;
        }
    } else {
        plan->ends_left--;
    }
    uv_cond_broadcast(&plan->changed);
    uv_mutex_unlock(&plan->mutex);
}

/* What to do next, waiting for it while others are at work; false when there is nothing more, or
 * the work is to end. *alone: nobody else has anything to do. */
static bool next(struct plan *plan, enum work *what, size_t *item, bool *alone)
{
    struct cl_watch *watch = plan->load->run->watch;
    bool found = false;
    uv_mutex_lock(&plan->mutex);
    while (!found && plan->ends_left > 0 && cl_watch_check(watch, NULL)) {
        found = true;
        if (take(&plan->ready_ends, item)) {
            *what = WORK_END;
        } else if (take(&plan->ready_indexes, item)) {
            *what = WORK_INDEX;
        } else if (take(&plan->objects, item)) {
            *what = WORK_OBJECTS;
        } else if (take(&plan->parts, item) || take(&plan->starts, item)) {
            *what = WORK_PART;
        } else {
            found = false;
            uv_cond_timedwait(&plan->changed, &plan->mutex, WAIT_MS * UINT64_C(1000000));
        }
    }
    if (found) {
        *alone = plan->busy++ == 0 && plan->objects.taken == plan->objects.n &&
                 plan->starts.taken == plan->starts.n && plan->parts.taken == plan->parts.n &&
                 plan->ready_indexes.taken == plan->ready_indexes.n;
    }
    uv_mutex_unlock(&plan->mutex);
    return found;
}

static bool load_part(struct worker *worker, const struct cl_part *part, struct cl_err *err)
{
    const struct cl_load *load = worker->plan->load;
    struct cl_checksum sum;
    if (cl_target_loaded(load->run, &load->tables[part->table], part, &sum)) {
        cl_proof_add(load->proof, part->table, &sum);
        return true;
    }
    struct cl_source *source = load->feed->open(worker->reader, part, err);
    bool ok = source && cl_target_load(load->run, worker->writer.conn, source,
                                       &load->tables[part->table], part, &sum, err);
    load->feed->close(worker->reader, part, ok ? NULL : err);
    if (ok) {
        cl_proof_add(load->proof, part->table, &sum);
    }
    return ok && (!cl_fault("copy_part") ||
                  cl_fail(err, CL_TRANSIENT, "E_FAULT", "fault point copy_part"));
}

/* The index as an object in work; the monitor finds how far it is by the server's process. */
static int show_index(struct worker *worker, const struct cl_index *index)
{
    struct cl_run *run = worker->plan->load->run;
    if (atomic_load(&run->progress->parts_done) >= atomic_load(&run->progress->parts_total)) {
        cl_work_phase(run->work, "indexes");
    }
    int slot = cl_work_begin(run->work, "index %s.%s", index->schema, index->name);
    cl_work_tag(run->work, slot, PQbackendPID(worker->writer.conn));
    return slot;
}

/* One index by itself may use the server's parallel workers; several at once are parallel enough.
 */
static bool build_index(struct worker *worker, const struct cl_index *index, bool alone,
                        struct cl_err *err)
{
    struct cl_buf sql;
    struct cl_buf name;
    const struct cl_run *run = worker->plan->load->run;
    const char *tablespace = cl_tablespace_of(run->spec, index->tablespace);
    cl_buf_init(&name, CL_MARK_NAME_MAX);
    cl_sql_name(&name, index->schema, index->name);
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_adds(&sql, alone ? "RESET max_parallel_maintenance_workers; "
                            : "SET max_parallel_maintenance_workers = 0; ");
    if (*tablespace) {
        cl_buf_adds(&sql, "SET default_tablespace = ");
        cl_sql_ident(&sql, tablespace);
        cl_buf_adds(&sql, "; ");
    } else {
        cl_buf_adds(&sql, "SET default_tablespace = ''; ");
    }
    cl_buf_adds(&sql, index->create);
    int slot = show_index(worker, index);
    bool ok = cl_marks_run(&run->marks, worker->writer.conn, "index", cl_buf_str(&name), 0,
                           cl_buf_str(&sql), err);
    cl_work_end(run->work, slot);
    cl_buf_fini(&name);
    cl_buf_fini(&sql);
    return (ok || cl_err_context(err, "target: index %s.%s", index->schema, index->name)) &&
           (!cl_fault("copy_index") ||
            cl_fail(err, CL_TRANSIENT, "E_FAULT", "fault point copy_index"));
}

/* The constraints need a lock on the table which no index build may hold. */
static bool take_over(struct worker *worker, size_t item, struct cl_err *err)
{
    const struct plan *plan = worker->plan;
    const struct cl_table *table = &plan->load->tables[item];
    const struct state *state = &plan->states[item];
    struct cl_work *work = plan->load->run->work;
    struct cl_buf sql;
    bool ok = true;
    if (plan->load->bare) {
        return true;
    }
    int slot = cl_work_begin(work, "statistics of %s.%s", table->schema, table->name);
    for (size_t i = 0; ok && i < state->n_indexes; i++) {
        const struct cl_index *index = plan->indexes[state->first_index + i];
        ok = !*index->after || cl_pg_exec(worker->writer.conn, index->after, err) ||
             cl_err_context(err, "target: index %s.%s", index->schema, index->name);
    }
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_adds(&sql, "ANALYZE ");
    cl_sql_name(&sql, table->schema, table->name);
    ok = ok && (table->foreign_below || cl_pg_exec(worker->writer.conn, cl_buf_str(&sql), err) ||
                cl_err_context(err, "target: statistics of %s.%s", table->schema, table->name));
    cl_work_end(work, slot);
    cl_buf_fini(&sql);
    return ok;
}

/* With its mark where marks are kept. */
static bool end_table(struct worker *worker, size_t item, struct cl_err *err)
{
    const struct cl_marks *marks = &worker->plan->load->run->marks;
    const struct cl_table *table = &worker->plan->load->tables[item];
    PGconn *conn = worker->writer.conn;
    struct cl_buf name;
    if (!marks->used) {
        return take_over(worker, item, err);
    }
    cl_buf_init(&name, CL_MARK_NAME_MAX);
    cl_sql_name(&name, table->schema, table->name);
    struct cl_mark mark = {.kind = "table", .name = cl_buf_str(&name)};
    bool ok = cl_marks_done(marks, &mark) ||
              (cl_pg_exec(conn, "BEGIN", err) && take_over(worker, item, err) &&
               cl_marks_put(marks, conn, &mark, err) && cl_pg_exec(conn, "COMMIT", err));
    cl_buf_fini(&name);
    return ok;
}

static void dismiss(struct worker *worker)
{
    const struct cl_feed *feed = worker->plan->load->feed;
    if (worker->reader) {
        feed->dismiss(worker->reader);
    }
    cl_link_close(&worker->writer);
}

/* Session settings: nothing of the server itself is changed. Columns that say how they are to be
 * compressed are; the setting is for all others. */
static bool set_session(struct worker *worker, struct cl_err *err)
{
    static const char lz4[] =
        " UNION ALL SELECT set_config('default_toast_compression', 'lz4', false) FROM pg_settings"
        " WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)";
    char sql[SETTING_BYTES];
    const struct cl_run *run = worker->plan->load->run;
    snprintf(
        sql, sizeof sql,
        "SELECT set_config('maintenance_work_mem', greatest(setting::bigint, %d)::text, false) "
        "FROM pg_settings WHERE name = 'maintenance_work_mem'%s",
        INDEX_MEMORY_MIB * 1024 / run->jobs, run->spec->toast_lz4 ? lz4 : "");
    PGresult *r = cl_pg_query(worker->writer.conn, sql, 0, NULL, err);
    PQclear(r);
    return r != NULL;
}

static void worker_main(void *arg)
{
    struct worker worker = {.plan = arg};
    const struct cl_load *load = worker.plan->load;
    struct cl_err err;
    enum work what;
    size_t item;
    bool alone;
    worker.reader = load->feed->hire(load->feed->arg, &err);
    bool ok = worker.reader && cl_target_join(&worker.writer, load->run, &err) &&
              set_session(&worker, &err);
    while (ok && next(worker.plan, &what, &item, &alone)) {
        switch (what) {
        case WORK_OBJECTS:
            ok = load->feed->objects(worker.reader, item, worker.writer.conn, &err) &&
                 (!cl_fault("copy_objects") ||
                  cl_fail(&err, CL_TRANSIENT, "E_FAULT", "fault point copy_objects"));
            break;
        case WORK_PART:
            ok = load_part(&worker, &load->parts->part[item], &err);
            break;
        case WORK_INDEX:
            ok = build_index(&worker, worker.plan->indexes[item], alone, &err);
            break;
        case WORK_END:
            ok = end_table(&worker, item, &err);
            break;
        }
        if (ok) {
            done(worker.plan, what, item);
        }
    }
    if (!ok) {
        cl_watch_fail(load->run->watch, &err);
    }
    dismiss(&worker);
}

static int by_table(const void *a, const void *b)
{
    const struct cl_index *x = *(const struct cl_index *const *)a;
    const struct cl_index *y = *(const struct cl_index *const *)b;
    int schema = strcmp(x->schema, y->schema);
    int table = schema != 0 ? schema : strcmp(x->table, y->table);
    return table != 0 ? table : (x > y) - (x < y); /* then as they came: largest first */
}

/* Where a table's indexes begin in the sorted list. */
static size_t lower_bound(const struct cl_index *const *sorted, size_t n,
                          const struct cl_table *table)
{
    size_t low = 0;
    size_t high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int schema = strcmp(sorted[middle]->schema, table->schema);
        int order = schema != 0 ? schema : strcmp(sorted[middle]->table, table->name);
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Lays the indexes out in the order of the tables. */
static bool assign_indexes(struct plan *plan, struct cl_err *err)
{
    const struct cl_load *load = plan->load;
    size_t n = load->after->n_indexes;
    const struct cl_index **sorted = calloc(n + 1, sizeof(struct cl_index *));
    plan->indexes = calloc(n + 1, sizeof(struct cl_index *));
    if (!sorted || !plan->indexes) {
        free(sorted);
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &load->after->indexes[i];
    }
    qsort(sorted, n, sizeof *sorted, by_table);
    size_t used = 0;
    for (size_t i = 0; i < load->n_tables; i++) {
        const struct cl_table *table = &load->tables[i];
        struct state *state = &plan->states[i];
        state->first_index = used;
        for (size_t at = lower_bound(sorted, n, table);
             at < n && strcmp(sorted[at]->schema, table->schema) == 0 &&
             strcmp(sorted[at]->table, table->name) == 0;
             at++) {
            plan->indexes[used++] = sorted[at];
        }
        state->n_indexes = used - state->first_index;
        state->indexes_left = state->n_indexes;
    }
    free(sorted);
    return used == n ||
           cl_fail(err, CL_BUG, "E_INDEXES", "%zu of %zu indexes have no table", n - used, n);
}

static bool plan_init(struct plan *plan, const struct cl_load *load, struct cl_err *err)
{
    plan->load = load;
    plan->ends_left = load->n_tables + load->n_objects;
    plan->states = calloc(load->n_tables + 1, sizeof *plan->states);
    if (!plan->states || !queue_init(&plan->objects, load->n_objects) ||
        !queue_init(&plan->starts, load->parts->n) || !queue_init(&plan->parts, load->parts->n) ||
        !queue_init(&plan->ready_indexes, load->after->n_indexes) ||
        !queue_init(&plan->ready_ends, load->n_tables)) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    if (!assign_indexes(plan, err)) {
        return false;
    }
    while (plan->objects.n < load->n_objects) {
        plan->objects.item[plan->objects.n] = plan->objects.n;
        plan->objects.n++;
    }
    for (size_t i = 0; i < load->parts->n; i++) {
        const struct cl_part *part = &load->parts->part[i];
        struct state *state = &plan->states[part->table];
        if (part->number == 0) {
            state->first_part = i;
        }
        state->n_parts++;
        state->parts_left++;
    }
    for (size_t i = 0; i < load->n_tables; i++) {
        if (plan->states[i].n_parts == 0) {
            rows_done(plan, i);
        }
        plan->last_rank =
            load->tables[i].rank > plan->last_rank ? load->tables[i].rank : plan->last_rank;
    }
    start_rank(plan, 0);
    next_rank(plan);
    return true;
}

static void plan_fini(struct plan *plan)
{
    free(plan->states);
    free(plan->indexes);
    free(plan->objects.item);
    free(plan->starts.item);
    free(plan->parts.item);
    free(plan->ready_indexes.item);
    free(plan->ready_ends.item);
}

/* Tables without rows count, too, and are read back: nothing may have come from elsewhere. */
static bool expect_tables(const struct cl_load *load, struct cl_err *err)
{
    if (!cl_proof_begin(load->proof, load->run, load->n_tables, err)) {
        return false;
    }
    for (size_t i = 0; i < load->n_tables; i++) {
        const struct cl_table *table = &load->tables[i];
        if (!table->excluded) {
            load->run->summary->tables++;
            cl_proof_expect(load->proof, load->run, i, table, table->format, table->bytes);
        }
    }
    return true;
}

/* Before any row is read. */
static bool maskable(const struct cl_load *load, struct cl_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < load->n_tables; i++) {
        const struct cl_table *table = &load->tables[i];
        ok = table->excluded ||
             cl_transform_possible(load->run->spec->mask, table, table->format, err);
    }
    return ok;
}

bool cl_load_run(const struct cl_load *load, struct cl_err *err)
{
    struct plan plan = {0};
    if (!maskable(load, err) || !plan_init(&plan, load, err) || !expect_tables(load, err)) {
        plan_fini(&plan);
        return false;
    }
    size_t most = load->n_objects + load->parts->n + load->after->n_indexes + 1;
    int jobs = (size_t)load->run->jobs < most ? load->run->jobs : (int)most;
    uv_mutex_init(&plan.mutex);
    uv_cond_init(&plan.changed);
    bool ok = cl_crew_threads(load->run->watch, jobs, worker_main, &plan, err);
    uv_cond_destroy(&plan.changed);
    uv_mutex_destroy(&plan.mutex);
    plan_fini(&plan);
    return ok;
}
