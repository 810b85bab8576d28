/* Large objects, as compare sees them. */
#include "compare.h"
#include "largeobject.h"

bool cl_comparison_objects(struct cl_comparison *all, struct cl_err *err)
{
    struct cl_run *run = all->run;
    const struct cl_backup_spec *spec = run->spec;
    struct cl_lo_sum sums[2] = {0};
    bool masked = spec->mask != NULL;
    if (spec->leave & CL_LEAVE_LARGE_OBJECTS) {
        return true;
    }
    bool ok = spec->archive ? cl_lo_sum_archive(run, &all->archive, &all->manifest, masked,
                                                &sums[CL_SIDE_SOURCE], err)
                            : cl_lo_sum_database(run, &all->source, spec->source, masked,
                                                 &sums[CL_SIDE_SOURCE], err);
    ok = ok &&
         cl_lo_sum_database(run, &all->target, spec->target, false, &sums[CL_SIDE_TARGET], err);
    if (!ok || cl_lo_sum_equal(&sums[CL_SIDE_SOURCE], &sums[CL_SIDE_TARGET])) {
        return ok;
    }
    struct cl_checksum counts[2] = {{.rows = sums[CL_SIDE_SOURCE].objects},
                                    {.rows = sums[CL_SIDE_TARGET].objects}};
    bool same = counts[CL_SIDE_SOURCE].rows == counts[CL_SIDE_TARGET].rows;
    return cl_comparison_differs(all, "large objects", "", "large objects",
                                 same ? "content" : "number", counts, err);
}
