/*
 * The shuffle: the values of a column swap rows within their table.  Which value comes to a row can
 * only be said by who has seen the whole table (runtime/backup/dealer.h); it comes with the row's
 * own, and is swept like anything a method makes.
 */
#include "method.h"

static bool make_shuffle(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                         struct cl_err *err)
{
    const char *unit = cl_method_option(spec, "unit");
    if (spec->path || !spec->column) {
        return cl_fail(err, CL_INVALID, "E_METHOD",
                       "method 'shuffle' is for whole columns, not for what is inside a document");
    }
    return cl_method_copy(&method->text, unit ? unit : "", err) &&
           cl_method_copy(&method->by, cl_method_option(spec, "within"), err);
}

static bool run_shuffle(const struct cl_mask_method *method, const struct cl_mask_value *value,
                        struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    (void)method;
    (void)is_null;
    if (!value->dealt) {
        return cl_fail(err, CL_INVALID, "E_SHUFFLE",
                       "method 'shuffle' needs the table's other rows, and none were read");
    }
    cl_buf_add(out, value->dealt, value->n_dealt);
    return true;
}

const struct cl_method_kind cl_method_shuffle = {
    .name = "shuffle",
    .options = (const char *const[]){"unit", "within", NULL},
    .types = CL_METHOD_ANY,
    .keyed = true,
    .make = make_shuffle,
    .run = run_shuffle,
};
