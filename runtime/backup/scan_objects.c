#include "largeobject_private.h"
#include "scan_private.h"

/* Everything the range holds goes into the sink, which finds. */
static bool search(struct scan_table *part, struct cl_source *source, struct cl_sink *sink,
                   struct cl_job *job, struct cl_err *err)
{
    struct scan_reported reported = {0};
    const char *bytes;
    size_t n;
    while (cl_job_check(job, err) && source->next(source, &bytes, &n, err)) {
        if (n == 0) {
            cl_scan_report(part, &reported, true, job);
            return sink->finish(sink, err);
        }
        if (!sink->put(sink, bytes, n, err)) {
            break;
        }
        part->bytes += n;
        cl_scan_report(part, &reported, false, job);
    }
    return false;
}

bool cl_scan_objects_read(struct scan_table *part, const struct cl_mask *mask,
                          const struct cl_lo_range *range, PGconn *conn, struct cl_job *job,
                          struct cl_err *err)
{
    struct cl_lo_sink_spec spec = {.mask = mask, .found = cl_scan_count, .arg = part->columns};
    struct cl_lo_source *source = cl_lo_source_open(conn, range, err);
    struct cl_lo_sink *sink = source ? cl_lo_sink_open(&spec, err) : NULL;
    bool ok = sink && search(part, cl_lo_source_base(source), cl_lo_sink_base(sink), job, err);
    if (ok) {
        part->values = cl_lo_sink_objects(sink);
    }
    cl_lo_sink_close(sink);
    cl_lo_source_close(source);
    return ok || cl_err_context(err, "scanning large objects");
}
