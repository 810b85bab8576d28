/* Large objects: what there is, and the verbs over one range. */
#include "largeobject.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "largeobject_private.h"
#include "ledger.h"

enum {
    RANGES_PER_WORKER = 4,   /* so that none is left alone with the last long one */
    RANGE_OBJECTS = 4000,    /* at most, in one range */
    RANGE_BYTES = 256 << 20, /* about, when there are many */
};

static const char mark_kind[] = "large objects";

/* Ranges for n objects that take so many bytes on disk. */
static uint64_t ranges_for(uint64_t objects, uint64_t bytes, int jobs)
{
    uint64_t n = (uint64_t)jobs * RANGES_PER_WORKER;
    n = bytes / RANGE_BYTES > n ? bytes / RANGE_BYTES : n;
    n = objects / RANGE_OBJECTS > n ? objects / RANGE_OBJECTS : n;
    n = n > INT32_MAX / 2 ? INT32_MAX / 2 : n;
    return n < objects ? n : objects;
}

static bool fill(struct cl_lo_plan *plan, const PGresult *rows, struct cl_err *err)
{
    plan->n_ranges = (size_t)PQntuples(rows);
    plan->ranges = calloc(plan->n_ranges + 1, sizeof *plan->ranges);
    if (!plan->ranges) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    double each = plan->objects > 0 ? (double)plan->bytes / (double)plan->objects : 0;
    for (size_t i = 0; i < plan->n_ranges; i++) {
        struct cl_lo_range *range = &plan->ranges[i];
        range->first = i > 0 ? (uint32_t)strtoul(PQgetvalue(rows, (int)i, 0), NULL, 10) : 0;
        range->last = UINT32_MAX;
        range->objects = strtoull(PQgetvalue(rows, (int)i, 1), NULL, 10);
        range->bytes = (uint64_t)((double)range->objects * each);
        if (i > 0) {
            plan->ranges[i - 1].last = range->first - 1;
        }
    }
    return true;
}

bool cl_lo_plan_read(struct cl_lo_plan *plan, PGconn *conn, int jobs, struct cl_err *err)
{
    char ranges[24];
    PGresult *total = cl_pg_query(conn,
                                  "SELECT count(*), pg_total_relation_size('pg_largeobject') "
                                  "FROM pg_largeobject_metadata",
                                  0, NULL, err);
    if (!total) {
        return cl_err_context(err, "large objects");
    }
    plan->objects = strtoull(PQgetvalue(total, 0, 0), NULL, 10);
    plan->bytes = strtoull(PQgetvalue(total, 0, 1), NULL, 10);
    PQclear(total);
    if (plan->objects == 0) {
        plan->bytes = 0;
        return true;
    }
    uint64_t n = plan->n_ranges > 0 ? plan->n_ranges : ranges_for(plan->objects, plan->bytes, jobs);
    snprintf(ranges, sizeof ranges, "%llu", (unsigned long long)n);
    const char *params[] = {ranges};
    PGresult *rows =
        cl_pg_query(conn, cl_embedded("runtime/backup/largeobject_plan.sql")->data, 1, params, err);
    bool ok = rows && fill(plan, rows, err);
    PQclear(rows);
    return ok || cl_err_context(err, "large objects");
}

void cl_lo_plan_fini(struct cl_lo_plan *plan)
{
    free(plan->ranges);
    memset(plan, 0, sizeof *plan);
}

bool cl_lo_count(PGconn *conn, uint64_t *objects, struct cl_err *err)
{
    char *count = cl_pg_value(conn, "SELECT count(*) FROM pg_largeobject_metadata", err);
    if (!count) {
        return cl_err_context(err, "large objects");
    }
    *objects = strtoull(count, NULL, 10);
    free(count);
    return true;
}

void cl_lo_warn_left(struct cl_run *run, uint64_t objects)
{
    if (objects > 0) {
        cl_run_warn(run, "%llu large objects of the source were left behind",
                    (unsigned long long)objects);
    }
}

size_t cl_lo_archived_files(const struct cl_run *run, const struct cl_manifest *manifest)
{
    return run->spec->leave & CL_LEAVE_LARGE_OBJECTS ? 0 : manifest->objects.n_files;
}

uint64_t cl_lo_archived_bytes(const struct cl_run *run, const struct cl_manifest *manifest)
{
    return cl_lo_archived_files(run, manifest) ? cl_archived_raw_bytes(&manifest->objects) : 0;
}

void cl_lo_table(struct cl_table *table)
{
    static struct cl_column columns[CL_LO_FIELDS] = {
        [CL_LO_OID] = {.name = "loid", .type = "oid"},
        [CL_LO_OFFSET] = {.name = "offset", .type = "bigint"},
        [CL_LO_DATA] = {.name = "data", .type = "bytea"},
        [CL_LO_OWNER] = {.name = "owner", .type = "text"},
        [CL_LO_GRANTS] = {.name = "grants", .type = "text"},
        [CL_LO_REMARKS] = {.name = "remarks", .type = "text"},
    };
    *table = (struct cl_table){.schema = "pg_catalog",
                               .name = "pg_largeobject",
                               .format = CL_COPY_BINARY,
                               .columns = columns,
                               .n_columns = CL_LO_FIELDS};
}

bool cl_lo_pass(struct cl_run *run, struct cl_source *source, struct cl_sink *sink, uint64_t expect,
                struct cl_pipe *pipe, struct cl_err *err)
{
    *pipe = (struct cl_pipe){.source = source,
                             .sink = sink,
                             .watch = run->watch,
                             .limits = &run->limits,
                             .progress = run->progress,
                             .share = expect,
                             .expect = expect};
    int slot = cl_work_begin(run->work, "large objects");
    bool ok = cl_pipe_run(pipe, err);
    cl_work_end(run->work, slot);
    if (ok) {
        atomic_fetch_add(&run->progress->parts_done, 1);
        return true;
    }
    return strstr(err->message, "large object") ? false : cl_err_context(err, "large objects");
}

/* A range was written. */
static void count(struct cl_run *run, const struct cl_pipe *pipe, const struct cl_lo_sum *sum,
                  const struct cl_mask_tally *tally)
{
    uv_mutex_lock(&run->mutex);
    run->summary->bytes += pipe->bytes;
    run->summary->large_objects += sum->objects;
    run->objects.objects += sum->objects;
    cl_checksum_join(&run->objects.contents, &sum->contents);
    if (tally) {
        run->summary->tally.values += tally->values;
        run->summary->tally.masked += tally->masked;
        run->summary->tally.shortened += tally->shortened;
        run->summary->tally.kept += tally->kept;
    }
    uv_mutex_unlock(&run->mutex);
}

/* Was the range copied by an earlier run? Then it counts as copied now. */
static bool skip(struct cl_run *run, struct cl_mark *mark, uint64_t expect)
{
    if (!cl_marks_done(&run->marks, mark)) {
        return false;
    }
    const struct cl_mask_tally tally = {.values = mark->seen,
                                        .masked = mark->masked,
                                        .shortened = mark->shortened,
                                        .kept = mark->kept};
    const struct cl_pipe pipe = {.bytes = mark->bytes};
    const struct cl_lo_sum sum = {.contents = mark->sum,
                                  .objects = strtoull(mark->note ? mark->note : "", NULL, 10)};
    atomic_fetch_add(&run->progress->done, expect);
    atomic_fetch_add(&run->progress->parts_done, 1);
    count(run, &pipe, &sum, &tally);
    return true;
}

/* The mark follows its range: without one that is copied again, as a whole. */
static bool put_mark(struct cl_run *run, PGconn *target, struct cl_mark *mark,
                     const struct cl_pipe *pipe, const struct cl_lo_sum *sum,
                     const struct cl_mask_tally *tally, struct cl_err *err)
{
    char objects[24];
    snprintf(objects, sizeof objects, "%" PRIu64, sum->objects);
    mark->sum = sum->contents;
    mark->bytes = pipe->bytes;
    mark->seen = tally->values;
    mark->masked = tally->masked;
    mark->shortened = tally->shortened;
    mark->kept = tally->kept;
    mark->note = objects;
    bool ok = cl_marks_put(&run->marks, target, mark, err);
    mark->note = NULL;
    return ok;
}

/* Into a server. */
static bool write_objects(struct cl_run *run, struct cl_source *source, PGconn *target,
                          uint64_t expect, struct cl_mark *mark, struct cl_err *err)
{
    struct cl_lo_sum sum = {0};
    struct cl_pipe pipe;
    struct cl_lo_sink_spec spec = {.mask = run->spec->mask,
                                   .target = target,
                                   .sum = run->spec->compare ? &sum.contents : NULL,
                                   .leave = run->spec->leave,
                                   .replace = run->marks.resumed || run->rewrites};
    struct cl_lo_sink *sink = cl_lo_sink_open(&spec, err);
    bool ok = sink && cl_lo_pass(run, source, cl_lo_sink_base(sink), expect, &pipe, err);
    if (ok) {
        sum.objects = cl_lo_sink_objects(sink);
        count(run, &pipe, &sum, cl_lo_sink_tally(sink));
        ok = put_mark(run, target, mark, &pipe, &sum, cl_lo_sink_tally(sink), err);
    }
    cl_lo_sink_close(sink);
    return ok;
}

bool cl_lo_stream(struct cl_run *run, PGconn *source, PGconn *target,
                  const struct cl_lo_range *range, struct cl_err *err)
{
    char name[32];
    struct cl_mark mark = {.kind = mark_kind, .name = name};
    snprintf(name, sizeof name, "%u-%u", (unsigned)range->first, (unsigned)range->last);
    if (skip(run, &mark, range->bytes)) {
        return true;
    }
    struct cl_lo_source *from = cl_lo_source_open(source, range, err);
    bool ok = from && write_objects(run, cl_lo_source_base(from), target, range->bytes, &mark, err);
    cl_lo_source_close(from);
    return ok;
}

static void count_saved(struct cl_run *run, const struct cl_data_file *file,
                        const struct cl_pipe *pipe, const struct cl_lo_range *range)
{
    struct cl_lo_sum sum = {.objects = range->objects};
    count(run, pipe, &sum, NULL);
    uv_mutex_lock(&run->mutex);
    run->summary->stored_bytes += file->bytes;
    uv_mutex_unlock(&run->mutex);
}

bool cl_lo_save(struct cl_run *run, PGconn *source, const struct cl_lo_range *range,
                struct cl_archive *archive, struct cl_data_file *file, struct cl_err *err)
{
    struct cl_mark mark;
    if (cl_ledger_done(run, file, &mark)) {
        const struct cl_pipe before = {.bytes = mark.bytes};
        atomic_fetch_add(&run->progress->done, range->bytes);
        atomic_fetch_add(&run->progress->parts_done, 1);
        count_saved(run, file, &before, range);
        return true;
    }
    struct cl_lo_source *from = cl_lo_source_open(source, range, err);
    struct cl_file_sink *to = from ? cl_file_sink_open(archive, file, err) : NULL;
    struct cl_pipe pipe;
    bool ok = to && cl_lo_pass(run, cl_lo_source_base(from), cl_file_sink_base(to), range->bytes,
                               &pipe, err);
    if (ok) {
        file->rows = pipe.rows;
        count_saved(run, file, &pipe, range);
        mark = (struct cl_mark){0};
        ok = cl_ledger_put(run, file, &mark, err);
    }
    cl_file_sink_close(to);
    cl_lo_source_close(from);
    return ok;
}

bool cl_lo_load(struct cl_run *run, struct cl_archive *archive, const struct cl_data_file *file,
                PGconn *target, struct cl_err *err)
{
    struct cl_mark mark = {.kind = mark_kind, .name = file->file};
    if (skip(run, &mark, file->raw_bytes)) {
        return true;
    }
    struct cl_file_source *from = cl_file_source_open(archive, file, err);
    bool ok =
        from && write_objects(run, cl_file_source_base(from), target, file->raw_bytes, &mark, err);
    cl_file_source_close(from);
    return ok;
}
