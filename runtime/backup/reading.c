#include "reading.h"

#include <stdlib.h>

#include "archive.h"
#include "crew.h"

enum { KEEP_BYTES = 1024 * 1024 }; /* a row buffer wider than that is given back */

struct reader {
    struct cl_readings *all; /* borrowed */
    struct cl_link links[2]; /* by side; the worker's own */
    struct cl_buf row;       /* a masked row */
};

static void dismiss(void *worker)
{
    struct reader *reader = worker;
    cl_link_close(&reader->links[CL_SIDE_SOURCE]);
    cl_link_close(&reader->links[CL_SIDE_TARGET]);
    cl_buf_fini(&reader->row);
    free(reader);
}

static bool join_side(struct reader *reader, enum cl_side side, struct cl_err *err)
{
    const struct cl_readings *all = reader->all;
    const struct cl_backup_spec *spec = all->run->spec;
    bool source = side == CL_SIDE_SOURCE;
    const char *snapshot = source ? all->source_snapshot : all->target_snapshot;
    return !snapshot || cl_keeper_ensure(&reader->links[side], all->run->watch,
                                         source ? spec->source : spec->target, snapshot, err);
}

static void *hire(void *arg, struct cl_err *err)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    reader->all = arg;
    cl_buf_init(&reader->row, INT32_MAX);
    if (!join_side(reader, CL_SIDE_SOURCE, err) || !join_side(reader, CL_SIDE_TARGET, err)) {
        dismiss(reader);
        return NULL;
    }
    return reader;
}

/* The current row of the transform. */
static bool take_row(struct reader *reader, struct cl_reading *reading, struct cl_transform *t,
                     struct cl_err *err)
{
    const char *row = t->rows.row;
    size_t n = t->rows.row_bytes;
    if (t->mask) {
        cl_buf_reset(&reader->row);
        if (!cl_transform_row(t, &reader->row, err)) {
            return false;
        }
        row = cl_buf_str(&reader->row);
        n = reader->row.len;
    }
    if (!reading->row) {
        return cl_checksum_transformed(&reading->sum, t, reading->by_field, row, n, err);
    }
    struct cl_row_seen seen = {.fields = t->rows.fields,
                               .columns = t->columns,
                               .format = reading->format,
                               .side = reading->side};
    return cl_digest_transformed(&seen.digest, t, reading->by_field, row, n, err) &&
           (!t->mask || cl_transform_recut(t, row, n, err)) &&
           reading->row(reading->arg, &seen, err);
}

static bool read_chunk(struct reader *reader, struct cl_reading *reading, struct cl_transform *t,
                       const char *bytes, size_t n, struct cl_err *err)
{
    enum cl_row_status status;
    if (!cl_rows_feed(&t->rows, bytes, n, err)) {
        return false;
    }
    while ((status = cl_rows_next(&t->rows)) == CL_ROW_OK || status == CL_ROW_END) {
        if (status == CL_ROW_OK && !take_row(reader, reading, t, err)) {
            return false;
        }
    }
    if (reader->row.cap > KEEP_BYTES) {
        cl_buf_fini(&reader->row);
    }
    return status != CL_ROW_BAD || cl_transform_bad(t, err);
}

static bool read_all(struct reader *reader, struct cl_reading *reading, struct cl_source *source,
                     struct cl_transform *t, struct cl_err *err)
{
    struct cl_run *run = reader->all->run;
    bool spared = reading->side == CL_SIDE_SOURCE && reader->links[CL_SIDE_SOURCE].conn;
    uint64_t unpaid = 0;
    for (;;) {
        const char *bytes;
        size_t n;
        if (!cl_watch_check(run->watch, err) || !source->next(source, &bytes, &n, err)) {
            return false;
        }
        if (n == 0) {
            break;
        }
        atomic_fetch_add(&run->progress->bytes, n);
        unpaid += spared ? n : 0;
        if (unpaid >= CL_BATCH_BYTES) {
            if (!cl_limits_pass(&run->limits, unpaid, err)) {
                return false;
            }
            unpaid = 0;
        }
        if (!read_chunk(reader, reading, t, bytes, n, err)) {
            return false;
        }
    }
    atomic_fetch_add(&run->progress->rows, t->rows.n);
    return cl_rows_complete(&t->rows) || cl_transform_bad(t, err);
}

static bool read_one(struct reader *reader, struct cl_reading *reading, struct cl_err *err)
{
    struct cl_file_source *file = NULL;
    struct cl_pg_source pg = {0};
    struct cl_source *source = NULL;
    struct cl_transform t = {0};
    bool ok = cl_transform_init(&t, reading->mask, reading->table, reading->format, err) &&
              cl_transform_shuffle(&t, reading->dealer, reading->part, err);
    if (ok && reading->file) {
        file = cl_file_source_open(reader->all->archive, reading->file, err);
        source = file ? cl_file_source_base(file) : NULL;
    } else if (ok) {
        ok = join_side(reader, reading->side, err) &&
             cl_pg_source_open(&pg, reader->links[reading->side].conn,
                               reading->side == CL_SIDE_SOURCE ? "source" : "target",
                               reading->table, reading->where, reading->format, err);
        source = ok ? &pg.base : NULL;
    }
    ok = source && read_all(reader, reading, source, &t, err);
    cl_pg_source_close(&pg);
    cl_keeper_slim(&reader->links[reading->side], pg.widest);
    cl_file_source_close(file);
    cl_transform_fini(&t);
    return ok || cl_run_blame(reading->table, err);
}

static bool work(void *worker, size_t item, struct cl_err *err)
{
    struct reader *reader = worker;
    struct cl_reading *reading = &reader->all->list[item];
    const struct cl_table *table = reading->table;
    struct cl_work *board = reader->all->run->work;
    int slot = cl_work_begin(board, "%s.%s", table->schema, table->name);
    bool ok = read_one(reader, reading, err);
    cl_work_end(board, slot);
    atomic_fetch_add(&reader->all->run->progress->parts_done, 1);
    atomic_fetch_add(&reader->all->run->progress->done, reading->bytes);
    return ok;
}

static bool add(struct cl_readings *readings, const struct cl_reading *reading, struct cl_err *err)
{
    if ((readings->n & (readings->n - 1)) == 0) { /* full at 0, 1, 2, 4 … */
        size_t room = readings->n > 0 ? 2 * readings->n : 1;
        struct cl_reading *list = realloc(readings->list, room * sizeof *list);
        if (!list) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
        readings->list = list;
    }
    readings->list[readings->n++] = *reading;
    return true;
}

bool cl_readings_add(struct cl_readings *readings, const struct cl_reading *model,
                     const struct cl_part *parts, size_t n_parts, struct cl_err *err)
{
    bool ok = n_parts > 0 || add(readings, model, err);
    for (size_t i = 0; ok && i < n_parts; i++) {
        struct cl_reading reading = *model;
        reading.part = parts[i].number;
        reading.where = parts[i].where;
        reading.bytes = parts[i].bytes;
        ok = add(readings, &reading, err);
    }
    return ok;
}

static int larger_first(const void *a, const void *b)
{
    const struct cl_reading *x = a;
    const struct cl_reading *y = b;
    return x->bytes < y->bytes ? 1 : -(x->bytes > y->bytes);
}

bool cl_readings_run(struct cl_readings *readings, struct cl_err *err)
{
    cl_work_phase(readings->run->work, readings->phase ? readings->phase : "compare");
    if (readings->n > 0) { /* a database without tables has no list */
        qsort(readings->list, readings->n, sizeof *readings->list, larger_first);
    }
    atomic_fetch_add(&readings->run->progress->parts_total, readings->n);
    struct cl_crew crew = {.n_items = readings->n,
                           .jobs = readings->run->jobs,
                           .arg = readings,
                           .hire = hire,
                           .work = work,
                           .dismiss = dismiss};
    return cl_crew_run(readings->run->watch, &crew, err);
}
