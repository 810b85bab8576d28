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

static inline struct cl_mask *make_mask_of(enum cl_mask_mode mode)
{
    struct cl_mask_spec spec = {
        .sink_domain = SINK, .mode = mode, .key = KEY, .key_bytes = strlen(KEY)};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    return mask;
}

static inline void print_bytes(const char *label, const char *s, size_t n)
{
    print_error("%s: \"", label);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        print_error(c >= ' ' && c < 0x7F && c != '\\' && c != '"' ? "%c" : "\\%03o", c);
    }
    print_error("\"\n");
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
    if (!cl_mask_apply(mask, NULL, carrier, in, n, 0, &out, &changed, tally ? tally : &unused,
                       &err)) {
        print_bytes("value", in, n);
        fail_msg("%s", err.message);
    }
    assert_int_equal(changed, out.len != n || memcmp(cl_buf_str(&out), in, n) != 0);
    return out;
}

/* The same, for which what holds for any bytes has to: nothing is found in it, it stays when masked
 * again, and the fast search sees what the others find. */
static inline struct cl_buf apply_and_check(const struct cl_mask *mask, enum cl_carrier carrier,
                                            const struct cl_buf *value)
{
    struct cl_mask_tally tally = {0};
    const char *in = cl_buf_str(value);
    size_t n = value->len;
    size_t found = cl_mask_find(mask, NULL, carrier, in, n, NULL, NULL);
    struct cl_buf once = apply(mask, carrier, in, n, &tally);
    struct cl_buf twice = apply(mask, carrier, cl_buf_str(&once), once.len, NULL);
    size_t left = cl_mask_find(mask, NULL, carrier, cl_buf_str(&once), once.len, NULL, NULL);
    bool stable =
        once.len == twice.len && memcmp(cl_buf_str(&once), cl_buf_str(&twice), once.len) == 0;
    bool seen = !found || cl_mask_search(in, n, 0) < n;
    if (left || !stable || !seen || (found > 0) != (tally.masked > 0)) {
        print_bytes("value", in, n);
        print_bytes("masked", cl_buf_str(&once), once.len);
        print_bytes("again", cl_buf_str(&twice), twice.len);
        fail_msg("%zu found, %zu masked, %zu left%s", found, (size_t)tally.masked, left,
                 seen ? "" : ", not seen by the fast search");
    }
    cl_buf_fini(&twice);
    return once;
}

#endif
