/* mask: bytes in the literals of arrays, composites and ranges, among text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mask/mask.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { VALUE_MAX = 1 << 20 };

static struct cl_mask *make_mask(enum cl_mask_mode mode)
{
    static const char key[] = "0123456789abcdef";
    struct cl_mask_spec spec = {
        .sink_domain = "sink.test", .mode = mode, .key = key, .key_bytes = sizeof key - 1};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    return mask;
}

static size_t find(const struct cl_mask *mask, const char *s, size_t n)
{
    return cl_mask_find(mask, NULL, CL_CARRIER_NESTED, s, n, NULL, NULL);
}

static struct cl_buf apply(const struct cl_mask *mask, const char *s, size_t n)
{
    struct cl_buf out;
    struct cl_mask_tally tally = {0};
    struct cl_err err;
    bool changed;
    cl_buf_init(&out, VALUE_MAX);
    assert_true(
        cl_mask_apply(mask, NULL, CL_CARRIER_NESTED, s, n, 0, &out, &changed, &tally, &err));
    assert_int_equal(changed, out.len != n || memcmp(cl_buf_str(&out), s, n) != 0);
    assert_int_equal(changed, tally.masked > 0);
    return out;
}

/* What was masked holds nothing any more, and stays. */
static void check_promises(const struct cl_mask *mask, const char *s, size_t n)
{
    size_t found = find(mask, s, n);
    struct cl_buf once = apply(mask, s, n);
    struct cl_buf twice = apply(mask, cl_buf_str(&once), once.len);
    size_t left = find(mask, cl_buf_str(&once), once.len);
    bool stays =
        once.len == twice.len && memcmp(cl_buf_str(&once), cl_buf_str(&twice), once.len) == 0;
    bool changed = once.len != n || memcmp(cl_buf_str(&once), s, n) != 0;
    if (left > 0 || !stays || changed != (found > 0)) {
        fail_msg("'%.*s' became '%s', which became '%s'; %zu found, %zu left", (int)n, s,
                 cl_buf_str(&once), cl_buf_str(&twice), found, left);
    }
    cl_buf_fini(&once);
    cl_buf_fini(&twice);
}

/* 6140622e6e6f is a@b.no, 615f622e6e6f4073696e6b2e74657374 what becomes of it. */
static const struct sample {
    const char *in;
    size_t found; /* addresses in it */
    const char *out;
} samples[] = {
    {"{\"\\\\x6140622e6e6f\"}", 1, "{\"\\\\x615f622e6e6f4073696e6b2e74657374\"}"},
    {"\\x6140622e6e6f", 1, "\\x615f622e6e6f4073696e6b2e74657374"},
    {"{NULL,\"\\\\x\",\"\\\\x6140622e6e6f\",\"\\\\xff\"}", 1,
     "{NULL,\"\\\\x\",\"\\\\x615f622e6e6f4073696e6b2e74657374\",\"\\\\xff\"}"},
    {"{\"(a@b.no,\\\"\\\\\\\\x6140622e6e6f\\\")\"}", 2,
     "{\"(a_b.no@sink.test,\\\"\\\\\\\\x615f622e6e6f4073696e6b2e74657374\\\")\"}"},
    {"(\"(\"\"\\\\\\\\x6140622e6e6f\"\",)\",1)", 1,
     "(\"(\"\"\\\\\\\\x615f622e6e6f4073696e6b2e74657374\"\",)\",1)"},
    {"[\"\\\\x6140622e6e6f\",)", 1, "[\"\\\\x615f622e6e6f4073696e6b2e74657374\",)"},
    {"{\"\\\\x6140622E6E6F\"}", 1, "{\"\\\\x615f622e6e6f4073696e6b2e74657374\"}"},
    {"{\"\\\\x4061622e6e6f\",\"\\\\x40\"}", 0, "{\"\\\\x4061622e6e6f\",\"\\\\x40\"}"},
    {"(jo\\\\x40b.no,\"\\\\x00\")", 1, NULL},
    {"{\"\\\\x615f622e6e6f4073696e6b2e74657374\"}", 0,
     "{\"\\\\x615f622e6e6f4073696e6b2e74657374\"}"},
    {"{\"\\\\x\"}", 0, "{\"\\\\x\"}"},
    {"{\"\\\\x614", 0, "{\"\\\\x614"},
    {"\\x", 0, "\\x"},
    {"", 0, ""},
};

static void bytes_in_literals(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask(CL_MASK_DOMAIN);
    for (size_t i = 0; i < COUNT(samples); i++) {
        const struct sample *s = &samples[i];
        struct cl_buf out = apply(mask, s->in, strlen(s->in));
        assert_int_equal(find(mask, s->in, strlen(s->in)), s->found);
        if (s->out) {
            assert_string_equal(cl_buf_str(&out), s->out);
        }
        check_promises(mask, s->in, strlen(s->in));
        cl_buf_fini(&out);
    }
    cl_mask_free(mask);
}

/* Bytes that are no text keep their length. */
static void addresses_among_bytes_are_overwritten(void **state)
{
    (void)state;
    static const char in[] = "{\"\\\\x00ff6f6c65406669726d612e6e6f00\"}"; /* ole@firma.no */
    struct cl_mask *mask = make_mask(CL_MASK_DOMAIN);
    struct cl_buf out = apply(mask, in, sizeof in - 1);
    assert_int_equal(out.len, sizeof in - 1);
    assert_memory_equal(out.data, in, 9);
    assert_memory_equal(out.data + out.len - 4, "00\"}", 4);
    assert_null(strstr(out.data, "406669726d61"));
    cl_buf_fini(&out);
    cl_mask_free(mask);
}

static uint64_t noise_state = 42;

static size_t noise(size_t below)
{
    noise_state = noise_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(noise_state >> 33) % below;
}

/* Noise from what literals are made of keeps the promises, in either mode. */
static void promises_hold_for_noise(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\\x",
                                         "\\\\x",
                                         "\\\\\\\\x",
                                         "6140622e6e6f",
                                         "6f6c65406669726d612e6e6f",
                                         "00",
                                         "4",
                                         "40",
                                         "2e",
                                         "ff",
                                         "3d0d0a",
                                         "\"",
                                         "\\\"",
                                         "\"\"",
                                         ",",
                                         "(",
                                         "}",
                                         "jo@a.no",
                                         "@",
                                         "a",
                                         ".no",
                                         "=\r\n",
                                         "=40",
                                         " ",
                                         "@sink.test",
                                         "YUBiLm5v",
                                         "59554269"};
    struct cl_mask *masks[] = {make_mask(CL_MASK_DOMAIN), make_mask(CL_MASK_HASH)};
    for (int i = 0; i < 40000; i++) {
        char value[600];
        size_t n = 0;
        for (size_t k = noise(20); k > 0; k--) {
            const char *piece = pieces[noise(COUNT(pieces))];
            memcpy(value + n, piece, strlen(piece));
            n += strlen(piece);
        }
        check_promises(masks[i % 2], value, n);
    }
    for (size_t i = 0; i < COUNT(masks); i++) {
        cl_mask_free(masks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_in_literals),
        cmocka_unit_test(addresses_among_bytes_are_overwritten),
        cmocka_unit_test(promises_hold_for_noise),
    };
    return cmocka_run_group_tests_name("mask nested", tests, NULL, NULL);
}
