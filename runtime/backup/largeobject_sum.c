/* Large objects of a database or an archive, added up by several workers. */
#include <inttypes.h>
#include <stdlib.h>

#include "crew.h"
#include "largeobject_private.h"

/* What there is to add up; item i is range i, or file i. */
struct adding {
    struct cl_run *run;               /* borrowed */
    const char *conninfo;             /* of the database; NULL: an archive */
    const char *snapshot;             /* same */
    struct cl_lo_plan plan;           /* same; owned by who made it */
    struct cl_archive *archive;       /* NULL: a database; borrowed */
    const struct cl_archived *stored; /* same */
    bool masked;                      /* as they would be in a copy */
    struct cl_lo_sum *sum;            /* borrowed; under the run's mutex */
};

struct adder {
    struct adding *all;  /* borrowed */
    struct cl_link link; /* the worker's own; closed: an archive */
};

static void dismiss(void *worker)
{
    struct adder *adder = worker;
    cl_link_close(&adder->link);
    free(adder);
}

static void *hire(void *arg, struct cl_err *err)
{
    struct adding *all = arg;
    struct adder *adder = calloc(1, sizeof *adder);
    if (!adder) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    adder->all = all;
    if (all->conninfo &&
        !cl_keeper_join(&adder->link, all->run->watch, all->conninfo, all->snapshot, err)) {
        dismiss(adder);
        return NULL;
    }
    return adder;
}

static bool add_up(struct adding *all, struct cl_source *source, uint64_t expect,
                   struct cl_err *err)
{
    struct cl_checksum contents = {0};
    struct cl_pipe pipe;
    struct cl_lo_sink_spec spec = {.mask = all->masked ? all->run->spec->mask : NULL,
                                   .sum = &contents};
    struct cl_lo_sink *sink = cl_lo_sink_open(&spec, err);
    bool ok = sink && cl_lo_pass(all->run, source, cl_lo_sink_base(sink), expect, &pipe, err);
    if (ok) {
        uv_mutex_lock(&all->run->mutex);
        cl_checksum_join(&all->sum->contents, &contents);
        all->sum->objects += cl_lo_sink_objects(sink);
        uv_mutex_unlock(&all->run->mutex);
    }
    cl_lo_sink_close(sink);
    return ok;
}

static bool work(void *worker, size_t item, struct cl_err *err)
{
    struct adder *adder = worker;
    struct adding *all = adder->all;
    bool ok;
    if (all->conninfo) {
        const struct cl_lo_range *range = &all->plan.ranges[item];
        struct cl_lo_source *source = cl_lo_source_open(adder->link.conn, range, err);
        ok = source && add_up(all, cl_lo_source_base(source), range->bytes, err);
        cl_lo_source_close(source);
    } else {
        const struct cl_data_file *file = &all->stored->files[item];
        struct cl_file_source *source = cl_file_source_open(all->archive, file, err);
        ok = source && add_up(all, cl_file_source_base(source), file->raw_bytes, err);
        cl_file_source_close(source);
    }
    return ok;
}

static bool run_all(struct adding *all, size_t n, uint64_t bytes, struct cl_err *err)
{
    struct cl_crew crew = {.n_items = n,
                           .jobs = all->run->jobs,
                           .arg = all,
                           .hire = hire,
                           .work = work,
                           .dismiss = dismiss};
    atomic_fetch_add(&all->run->progress->total, bytes);
    atomic_fetch_add(&all->run->progress->parts_total, n);
    return cl_crew_run(all->run->watch, &crew, err);
}

bool cl_lo_sum_equal(const struct cl_lo_sum *a, const struct cl_lo_sum *b)
{
    return a->objects == b->objects && cl_checksum_equal(&a->contents, &b->contents);
}

bool cl_lo_sum_database(struct cl_run *run, const struct cl_keeper *keeper, const char *conninfo,
                        bool masked, struct cl_lo_sum *sum, struct cl_err *err)
{
    struct adding all = {.run = run,
                         .conninfo = conninfo,
                         .snapshot = keeper->snapshot,
                         .masked = masked,
                         .sum = sum};
    bool ok = cl_lo_plan_read(&all.plan, keeper->link.conn, run->jobs, err) &&
              run_all(&all, all.plan.n_ranges, all.plan.bytes, err);
    cl_lo_plan_fini(&all.plan);
    return ok;
}

bool cl_lo_sum_archive(struct cl_run *run, struct cl_archive *archive,
                       const struct cl_manifest *manifest, bool masked, struct cl_lo_sum *sum,
                       struct cl_err *err)
{
    struct adding all = {
        .run = run, .archive = archive, .stored = &manifest->objects, .masked = masked, .sum = sum};
    return run_all(&all, manifest->objects.n_files, cl_archived_raw_bytes(&manifest->objects), err);
}

bool cl_lo_prove(struct cl_run *run, const struct cl_keeper *target, struct cl_err *err)
{
    struct cl_lo_sum found = {0};
    if (!cl_lo_sum_database(run, target, run->spec->target, false, &found, err)) {
        return false;
    }
    return cl_lo_sum_equal(&run->objects, &found) ||
           cl_fail(err, CL_CONFLICT, "E_COPY_DIFFERS",
                   "large objects are not what was copied: %" PRIu64 " were written, %" PRIu64
                   " read back%s",
                   run->objects.objects, found.objects,
                   run->objects.objects == found.objects ? ", with other contents" : "");
}
