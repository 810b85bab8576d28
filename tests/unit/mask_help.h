/* What the tests of the mask share: masks, and one value on its way through. */
#ifndef CL_TEST_MASK_HELP_H
#define CL_TEST_MASK_HELP_H

#include "base/buf.h"
#include "mask/mask.h"

#define KEY "0123456789abcdef"
#define SINK "mailinator.com"
#define COUNT(a) (sizeof(a) / sizeof *(a))

static inline struct cl_mask *make_mask(void)
{
    static const char *const allow[] = {"Allowed.example", NULL};
    static const char *const names[] = {"keep@real.com", "o'kept@real.com", NULL};
    static const struct cl_mask_keep keep[] = {
        {"crm7", "associate", "username", names, "sign-in names"}};
    struct cl_mask_spec spec = {.sink_domain = SINK, .allow = allow, .keep = keep, .n_keep = 1};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    return mask;
}

static inline struct cl_mask *make_hiding(void)
{
    struct cl_mask_spec spec = {
        .sink_domain = SINK, .mode = CL_MASK_HASH, .key = KEY, .key_bytes = strlen(KEY)};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    return mask;
}

/* The masked form, to be freed with cl_buf_fini. */
static inline struct cl_buf apply(const struct cl_mask *mask, enum cl_carrier carrier,
                                  const char *in, size_t n, struct cl_mask_tally *tally)
{
    struct cl_buf out;
    bool changed;
    struct cl_err err;
    struct cl_mask_tally unused = {0};
    cl_buf_init(&out, 1 << 24);
    assert_true(cl_mask_apply(mask, NULL, carrier, in, n, 0, &out, &changed,
                              tally ? tally : &unused, &err));
    assert_int_equal(changed, out.len != n || memcmp(cl_buf_str(&out), in, n) != 0);
    return out;
}

#endif
