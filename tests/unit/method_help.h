/* What the tests of methods share: rules with one method, and one value on its way through it. */
#ifndef CL_TEST_METHOD_HELP_H
#define CL_TEST_METHOD_HELP_H

#include "mask/mask.h"

#define KEY "0123456789abcdef0123456789abcdef"
#define OTHER_KEY "fedcba9876543210fedcba9876543210"

enum { OPTIONS_MAX = 4 };

struct made {
    struct cl_mask *mask;          /* owned */
    struct cl_mask_worker *worker; /* owned; of its only method */
};

static inline struct cl_mask *rules(const char *key, const struct cl_mask_method_spec *method,
                                    size_t n, struct cl_err *err)
{
    struct cl_mask_spec spec = {.sink_domain = "sink.test",
                                .key = key,
                                .key_bytes = key ? strlen(key) : 0,
                                .methods = method,
                                .n_methods = n};
    return cl_mask_new(&spec, err);
}

static inline struct cl_mask_method_spec describe(const char *kind,
                                                  const struct cl_mask_option *options)
{
    struct cl_mask_method_spec spec = {
        .schema = "s", .table = "t", .column = "c", .kind = kind, .options = options};
    while (options && spec.n_options < OPTIONS_MAX && options[spec.n_options].name) {
        spec.n_options++;
    }
    return spec;
}

static inline struct made make(const char *key, const struct cl_mask_method_spec *spec)
{
    struct cl_err err;
    struct made made = {.mask = rules(key, spec, 1, &err)};
    if (!made.mask) {
        print_error("%s\n", err.message);
    }
    assert_non_null(made.mask);
    made.worker = cl_mask_worker_open(cl_mask_method_at(made.mask, 0), &err);
    assert_non_null(made.worker);
    return made;
}

static inline void unmake(struct made *made)
{
    cl_mask_worker_close(made->worker);
    cl_mask_free(made->mask);
}

/* What becomes of a value: a string to free(), "<null>", or "!" and the error's code. */
static inline char *apply(struct made *made, const struct cl_mask_value *value)
{
    struct cl_buf out;
    struct cl_err err;
    struct cl_mask_tally tally = {0};
    bool is_null;
    cl_buf_init(&out, 1 << 20);
    if (!cl_mask_method_apply(made->mask, made->worker, NULL, value, &out, &is_null, &tally,
                              &err)) {
        cl_buf_reset(&out);
        cl_buf_addf(&out, "!%s", err.code);
    } else if (is_null) {
        assert_int_equal(out.len, 0);
        cl_buf_adds(&out, "<null>");
    } else {
        assert_int_equal(tally.values, 1);
    }
    char *text = strdup(cl_buf_str(&out));
    cl_buf_fini(&out);
    return text;
}

#endif
