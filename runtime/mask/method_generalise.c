/* Generalise: numbers to the bucket they are in, dates to their month or year. */
#include <math.h>
#include <string.h>

#include "method_date.h"
#include "method_number.h"

enum { BUCKET_MAX = 1000 * 1000 * 1000 };

enum { BUCKET, MONTH, YEAR };

static const char *const units[] = {"", "month", "year", NULL};

static bool make_generalise(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                            struct cl_err *err)
{
    bool bucket = cl_method_option(spec, "bucket") != NULL;
    if (bucket == (cl_method_option(spec, "to") != NULL)) {
        return cl_fail(err, CL_INVALID, "E_METHOD",
                       "method 'generalise' needs either 'bucket', a number, or 'to', which is "
                       "'month' or 'year'");
    }
    if (bucket) {
        return cl_method_number(spec, "bucket", 2, BUCKET_MAX, 0, &method->number, err);
    }
    return cl_method_choice(spec, "to", units, &method->form, err) &&
           (method->form != BUCKET ||
            cl_fail(err, CL_INVALID, "E_METHOD", "method 'generalise' has no to ''"));
}

static bool to_unit(const struct cl_mask_method *method, const struct cl_mask_value *value,
                    struct cl_buf *out, struct cl_err *err)
{
    struct cl_stamp stamp;
    if (!cl_stamp_parse(&stamp, value->in, value->n)) {
        return cl_method_refuse(method, "a date or a timestamp", err);
    }
    if (stamp.endless) {
        cl_buf_add(out, value->in, value->n);
        return true;
    }
    struct cl_buf rest;
    size_t zone = 1; /* where the time zone begins */
    cl_buf_init(&rest, value->n + 16);
    if (stamp.n_rest > 0) {
        while (zone < stamp.n_rest && !strchr("+-Z", stamp.rest[zone])) {
            zone++;
        }
        cl_buf_add(&rest, stamp.rest, 1);
        cl_buf_adds(&rest, "00:00:00");
        cl_buf_add(&rest, stamp.rest + zone, stamp.n_rest - zone);
    }
    stamp.rest = cl_buf_str(&rest);
    stamp.n_rest = rest.len;
    stamp.day = 1;
    stamp.month = method->form == YEAR ? 1 : stamp.month;
    cl_stamp_write(&stamp, out);
    cl_buf_fini(&rest);
    return true;
}

/* Takes the number behind the last multiple of the bucket away. */
static void round_down(struct cl_number *number, uint64_t bucket)
{
    char *digits = number->digits.data;
    size_t n = number->digits.len;
    size_t whole = n > number->scale ? n - number->scale : 0;
    uint64_t rest = 0;
    for (size_t i = 0; i < whole; i++) {
        rest = (rest * 10 + (uint64_t)(digits[i] - '0')) % bucket;
    }
    for (size_t i = whole; i-- > 0 && rest > 0;) {
        uint64_t less = rest % 10;
        uint64_t digit = (uint64_t)(digits[i] - '0');
        rest = rest / 10 + (digit < less);
        digits[i] = (char)('0' + (digit + 10 - less) % 10);
    }
    if (n > whole) {
        memset(digits + whole, '0', n - whole);
    }
}

/* Towards zero: no type is too narrow for the result. */
static bool to_bucket(const struct cl_mask_method *method, const struct cl_mask_value *value,
                      struct cl_buf *out, struct cl_err *err)
{
    struct cl_number number;
    if (!cl_number_read(&number, method, value, err)) {
        return false;
    }
    if (number.floats) {
        double rest = fmod(number.real, (double)method->number);
        number.real = number.real == rest ? 0 : number.real - rest;
    } else {
        round_down(&number, method->number);
    }
    cl_number_write(&number, value, out);
    return true;
}

static bool run_generalise(const struct cl_mask_method *method, const struct cl_mask_value *value,
                           struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    (void)is_null;
    return method->form == BUCKET ? to_bucket(method, value, out, err)
                                  : to_unit(method, value, out, err);
}

static bool fits_generalise(const struct cl_mask_method *method, enum cl_mask_type type,
                            size_t max_chars, struct cl_err *err)
{
    bool dates = method->form != BUCKET;
    (void)max_chars;
    return type == CL_MASK_TEXT || dates == ((CL_METHOD_DATES & CL_METHOD_TYPE(type)) != 0) ||
           cl_fail(err, CL_INVALID, "E_METHOD",
                   "method 'generalise' makes %s here, not values of its type",
                   dates ? "dates" : "numbers");
}

const struct cl_method_kind cl_method_generalise = {
    .name = "generalise",
    .options = (const char *const[]){"bucket", "to", NULL},
    .types = CL_METHOD_TEXT | CL_METHOD_NUMBERS | CL_METHOD_DATES,
    .clean = true,
    .lossy = true,
    .make = make_generalise,
    .run = run_generalise,
    .fits = fits_generalise,
};
