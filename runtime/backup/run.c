#include "run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "base/clock.h"
#include "base/hash.h"
#include "check.h"
#include "largeobject.h"
#include "monitor.h"
#include "shuffle.h"

enum { WARNING_BYTES = 512 };

/* Changes with the order or the names of units of work: no run goes on with another version's. */
#define RESUME_FORMAT "1"

static void difference_fini(struct cl_backup_difference *d)
{
    free(d->table);
    for (size_t i = 0; i < d->n_rows; i++) {
        free(d->rows[i]);
    }
}

void cl_backup_summary_fini(struct cl_backup_summary *summary)
{
    for (size_t i = 0; i < summary->n_warnings; i++) {
        free(summary->warnings[i]);
    }
    for (size_t i = 0; i < summary->n_differences && i < CL_BACKUP_DIFFERENCES_MAX; i++) {
        difference_fini(&summary->differences[i]);
    }
    free(summary->differences);
    for (size_t i = 0; i < summary->n_compared; i++) {
        difference_fini(&summary->compared[i]);
    }
    free(summary->compared);
    for (size_t i = 0; i < summary->listing.n_tables; i++) {
        free(summary->listing.tables[i].schema);
        free(summary->listing.tables[i].name);
    }
    free(summary->listing.tables);
    cl_check_result_free(summary->check);
    memset(summary, 0, sizeof *summary);
}

bool cl_run_begin(struct cl_run *run, struct cl_job *job, const struct cl_backup_spec *spec,
                  struct cl_backup_summary *summary, struct cl_err *err)
{
    memset(run, 0, sizeof *run);
    run->spec = spec;
    run->summary = summary;
    run->progress = cl_job_progress(job);
    run->work = cl_job_work(job);
    cl_work_phase(run->work, "schema");
    run->started_ms = cl_clock_boot_ms();
    run->jobs = spec->jobs > 0 ? spec->jobs : CL_BACKUP_JOBS_DEFAULT;
    uv_mutex_init(&run->mutex);
    run->watch = cl_watch_start(job, err);
    cl_limits_init(&run->limits, run->watch, spec->max_bytes_per_second);
    return run->watch && (!spec->target || cl_monitor_start(run, err));
}

double cl_run_snapshot_seconds(const struct cl_run *run)
{
    return (double)(cl_clock_boot_ms() - run->snapshot_ms) / 1000.0;
}

bool cl_run_protect(struct cl_run *run, const struct cl_keeper *keeper, struct cl_err *err)
{
    run->snapshot_ms = keeper->taken_ms;
    if (run->spec->max_replica_lag_ms == 0 && run->spec->warn_xmin_age == 0) {
        return true;
    }
    run->guard = cl_guard_start(run, PQbackendPID(keeper->link.conn), err);
    return run->guard != NULL;
}

void cl_run_release(struct cl_run *run)
{
    if (run->snapshot_ms == 0) {
        return;
    }
    cl_guard_end(run->guard);
    run->guard = NULL;
    run->summary->snapshot_seconds = cl_run_snapshot_seconds(run);
    run->snapshot_ms = 0;
}

bool cl_run_end(struct cl_run *run, bool ok, struct cl_err *err)
{
    cl_run_release(run);
    cl_poller_end(&run->monitor);
    if (!ok && run->watch) {
        cl_watch_verdict(run->watch, err);
    }
    cl_watch_end(run->watch);
    cl_limits_fini(&run->limits);
    uv_mutex_destroy(&run->mutex);
    cl_marks_fini(&run->marks);
    cl_shuffle_free(run->shuffle);
    if (ok) {
        cl_hold_end(&run->hold);
    } else {
        cl_hold_close(&run->hold);
    }
    run->summary->seconds = (double)(cl_clock_boot_ms() - run->started_ms) / 1000.0;
    return ok;
}

void cl_run_warn(struct cl_run *run, const char *fmt, ...)
{
    char text[WARNING_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *line = strdup(text);
    uv_mutex_lock(&run->mutex);
    if (line && run->summary->n_warnings < CL_BACKUP_WARNINGS_MAX) {
        run->summary->warnings[run->summary->n_warnings++] = line;
        line = NULL;
    }
    uv_mutex_unlock(&run->mutex);
    free(line);
}

static void hash_string(struct cl_sha256_stream *hash, const char *s)
{
    cl_sha256_add(hash, s, strlen(s) + 1); /* with its NUL: "a","b" is not "ab" */
}

bool cl_run_identify(struct cl_run *run, const char *archive, struct cl_err *err)
{
    const struct cl_backup_spec *spec = run->spec;
    uint8_t digest[CL_SHA256_BYTES];
    char leave[24];
    struct cl_sha256_stream *hash = cl_sha256_new();
    if (!hash) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    /* everything that decides what the copy will be, and nothing else */
    snprintf(leave, sizeof leave, "%u", spec->leave);
    hash_string(hash, RESUME_FORMAT);
    hash_string(hash, spec->source ? "server" : "archive");
    hash_string(hash, spec->target ? "server" : "archive");
    hash_string(hash, leave);
    hash_string(hash, spec->compare ? "compared" : "");
    hash_string(hash, spec->mask ? cl_mask_rules_hash(spec->mask) : "");
    hash_string(hash, spec->restored_with ? cl_mask_rules_hash(spec->restored_with) : "");
    for (size_t i = 0; i < 2 * spec->n_tablespaces; i++) {
        hash_string(hash, spec->tablespaces[i]);
    }
    hash_string(hash, ""); /* no name: the end of the list */
    for (size_t i = 0; i < spec->n_tables; i++) {
        hash_string(hash, spec->tables[i]);
    }
    hash_string(hash, "");
    for (size_t i = 0; i < spec->n_exclude; i++) {
        hash_string(hash, spec->exclude[i]);
    }
    cl_sha256_end(hash, digest);
    cl_sha256_free(hash);
    cl_hex(digest, sizeof digest, run->options);
    snprintf(run->token, sizeof run->token, "%s", archive ? archive : "");
    return true;
}

bool cl_run_open_source(struct cl_run *run, struct cl_keeper *keeper, struct cl_err *err)
{
    const struct cl_backup_spec *spec = run->spec;
    if (!spec->resume) {
        return cl_keeper_open(keeper, run->watch, "source", spec->source, err);
    }
    if (!cl_run_identify(run, NULL, err) ||
        !cl_hold_open(&run->hold, keeper, run->watch, spec, run->options, err)) {
        return false;
    }
    snprintf(run->token, sizeof run->token, "%s", run->hold.holding.token);
    if (run->hold.holding.before[0]) {
        cl_run_warn(run, "the snapshot of copy '%s' was lost (%s): its data were started over",
                    spec->resume, run->hold.holding.before);
    }
    return true;
}

/* A standby has no rows of unlogged tables, and the files of them look empty. */
static bool within_reach(const struct cl_catalog *catalog, struct cl_err *err)
{
    for (size_t i = 0; i < catalog->n_tables; i++) {
        const struct cl_table *table = &catalog->tables[i];
        if (table->out_of_reach && !table->excluded) {
            return cl_fail(err, CL_INVALID, "E_UNLOGGED",
                           "%s.%s is unlogged, and a standby has no rows of it: copy from the "
                           "primary, or exclude the table's rows",
                           table->schema, table->name);
        }
    }
    return true;
}

/* A half copy has tables without their rows: nothing would say so in a copy of it. */
static bool finished(PGconn *conn, struct cl_err *err)
{
    char *marked =
        cl_pg_value(conn, "SELECT to_regnamespace('" CL_MARKS_SCHEMA "') IS NOT NULL", err);
    bool ok = marked && marked[0] == 'f';
    if (marked && !ok) {
        cl_fail(err, CL_CONFLICT, "E_UNFINISHED",
                "the source is itself an unfinished copy: it has the schema " CL_MARKS_SCHEMA);
    }
    free(marked);
    return ok;
}

bool cl_run_read_source(struct cl_run *run, struct cl_keeper *keeper, struct cl_catalog *catalog,
                        struct cl_err *err)
{
    PGconn *conn = keeper->link.conn;
    const struct cl_mask *mask = run->spec->mask ? run->spec->mask : run->spec->restored_with;
    if (!finished(conn, err) || !cl_catalog_load(catalog, conn, err) ||
        !cl_catalog_exclude(catalog, run->spec->exclude, run->spec->n_exclude, err) ||
        !cl_catalog_named(catalog, mask, conn, err) ||
        !cl_catalog_distinct(catalog, mask, conn, err) || !cl_catalog_mask(catalog, mask, err) ||
        !within_reach(catalog, err) || !cl_keeper_lock(keeper, catalog, err) ||
        !cl_catalog_sequences(catalog, conn, err) || !cl_catalog_matviews(catalog, conn, err)) {
        return false;
    }
    snprintf(run->summary->snapshot, sizeof run->summary->snapshot, "%s", keeper->snapshot);
    uint64_t total = 0;
    for (size_t i = 0; i < catalog->n_tables; i++) {
        total += catalog->tables[i].excluded ? 0 : catalog->tables[i].bytes;
    }
    atomic_store(&run->progress->total, total);
    return cl_run_protect(run, keeper, err);
}

bool cl_run_read_objects(struct cl_run *run, struct cl_keeper *keeper, struct cl_lo_plan *plan,
                         struct cl_err *err)
{
    if (run->spec->leave & CL_LEAVE_LARGE_OBJECTS) {
        bool ok = cl_lo_count(keeper->link.conn, &plan->objects, err);
        cl_lo_warn_left(run, plan->objects);
        return ok;
    }
    /* which objects a file of an archive holds must not change while it is made */
    struct cl_mark cuts = {.kind = "object ranges", .name = ""};
    bool pinned = run->marks.in_ledger && cl_marks_done(&run->marks, &cuts);
    plan->n_ranges = pinned ? cuts.sum.rows : 0;
    if (!cl_lo_plan_read(plan, keeper->link.conn, run->jobs, err)) {
        return cl_err_context(err, "source");
    }
    cuts.sum.rows = plan->n_ranges;
    if (run->marks.in_ledger && !pinned && !cl_marks_put(&run->marks, NULL, &cuts, err)) {
        return false;
    }
    atomic_fetch_add(&run->progress->total, plan->bytes);
    atomic_fetch_add(&run->progress->parts_total, plan->n_ranges);
    return true;
}

bool cl_run_blame(const struct cl_table *table, struct cl_err *err)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s", table->schema, table->name);
    if (!strstr(err->message, name)) {
        cl_err_context(err, "%s", name);
    }
    return false;
}

static void add_up(struct cl_run *run, const struct cl_mark *done)
{
    uv_mutex_lock(&run->mutex);
    run->summary->rows += done->sum.rows;
    run->summary->bytes += done->bytes;
    run->summary->tally.values += done->seen;
    run->summary->tally.masked += done->masked;
    run->summary->tally.shortened += done->shortened;
    run->summary->tally.kept += done->kept;
    uv_mutex_unlock(&run->mutex);
    atomic_fetch_add(&run->progress->parts_done, 1);
}

void cl_run_skip_part(struct cl_run *run, const struct cl_mark *done, uint64_t share)
{
    add_up(run, done);
    uv_mutex_lock(&run->mutex);
    run->summary->resumed_parts++;
    run->summary->resumed_rows += done->sum.rows;
    uv_mutex_unlock(&run->mutex);
    atomic_fetch_add(&run->progress->done, share);
    atomic_fetch_add(&run->progress->rows, done->sum.rows);
    atomic_fetch_add(&run->progress->bytes, done->bytes);
}

int cl_run_show_part(struct cl_run *run, const struct cl_table *table, const struct cl_part *part)
{
    return part->of > 1 ? cl_work_begin(run->work, "%s.%s (%u/%u)", table->schema, table->name,
                                        part->number + 1, part->of)
                        : cl_work_begin(run->work, "%s.%s", table->schema, table->name);
}

bool cl_run_part(struct cl_run *run, struct cl_source *source, struct cl_sink *sink,
                 const struct cl_table *table, const struct cl_part *part, struct cl_mark *done,
                 struct cl_err *err)
{
    struct cl_transform transform = {0};
    struct cl_checksum passed = {0};
    struct cl_mark counts = {0};
    const struct cl_mask *mask = table->text_like ? run->spec->mask : NULL;
    struct cl_pipe pipe = {.source = source,
                           .sink = sink,
                           .watch = run->watch,
                           .limits = &run->limits,
                           .progress = run->progress,
                           .share = part->bytes,
                           .expect = part->bytes};
    bool ok = true;
    cl_work_phase(run->work, "rows");
    int slot = cl_run_show_part(run, table, part);
    if (done && run->spec->compare) {
        pipe.sum = &passed;
        pipe.by_field = mask && cl_checksum_normalises(table->columns, table->n_columns);
    }
    if (mask || pipe.sum) { /* rows that are summed up have to be cut, too */
        pipe.transform = &transform;
        ok = cl_transform_init(&transform, mask, table, table->format, err) &&
             cl_transform_shuffle(&transform,
                                  mask ? cl_shuffle_dealer(run->shuffle, part->table) : NULL,
                                  part->number, err);
    }
    ok = ok && cl_pipe_run(&pipe, err);
    if (ok) {
        const struct cl_mask_tally *tally = &transform.tally;
        done = done ? done : &counts;
        done->sum = passed;
        done->sum.rows = pipe.rows;
        done->bytes = pipe.bytes;
        done->seen = tally->values;
        done->masked = tally->masked;
        done->shortened = tally->shortened;
        done->kept = tally->kept;
        add_up(run, done);
    } else {
        cl_run_blame(table, err);
    }
    if (pipe.transform) {
        cl_transform_fini(&transform);
    }
    cl_work_end(run->work, slot);
    return ok;
}

char *cl_run_scratch(struct cl_err *err)
{
    const char *base = getenv("TMPDIR");
    char *folder = cl_path_join(base && *base ? base : "/tmp", "cloner-XXXXXX");
    if (!folder || !mkdtemp(folder)) {
        cl_fail_errno(err, errno, "cannot make a temporary folder");
        free(folder);
        return NULL;
    }
    return folder;
}

void cl_run_scratch_end(char *folder)
{
    char *file = folder ? cl_path_join(folder, CL_SCHEMA_FILE) : NULL;
    if (file) {
        unlink(file);
    }
    if (folder) {
        rmdir(folder);
    }
    free(file);
    free(folder);
}
