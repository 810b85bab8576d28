/* mask: addresses in bytes that may be text, and noise that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mask/mask.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct cl_mask *make_mask(void)
{
    struct cl_mask_spec spec = {.sink_domain = "sink.test"};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    return mask;
}

static size_t find(const struct cl_mask *mask, const char *s, size_t n)
{
    return cl_mask_find(mask, NULL, CL_CARRIER_BYTES, s, n, NULL, NULL);
}

static struct cl_buf apply(const struct cl_mask *mask, const char *s, size_t n)
{
    struct cl_buf out;
    struct cl_mask_tally tally = {0};
    struct cl_err err;
    bool changed;
    cl_buf_init(&out, 1 << 26);
    assert_true(cl_mask_apply(mask, NULL, CL_CARRIER_BYTES, s, n, 0, &out, &changed, &tally, &err));
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
    assert_int_equal(found > 0, once.len != n || memcmp(once.data, s, n) != 0);
    assert_int_equal(find(mask, cl_buf_str(&once), once.len), 0);
    assert_int_equal(once.len, twice.len);
    assert_memory_equal(cl_buf_str(&once), cl_buf_str(&twice), once.len);
    cl_buf_fini(&once);
    cl_buf_fini(&twice);
}

#define BYTES(s) s, sizeof(s) - 1

static const struct sample {
    const char *name; /* printed when it fails */
    const char *in;   /* the bytes */
    size_t n;         /* how many */
    size_t found;     /* addresses in them */
    const char *out;  /* what they become when they are text */
} samples[] = {
    {"text", BYTES("to a@b.no"), 1, "to a_b.no@sink.test"},
    {"UTF-8", BYTES("K\xc3\xa5re <k@b.no>"), 1, "K\xc3\xa5re <k_b.no@sink.test>"},
    {"UTF-8 with control characters", BYTES("\x01\x02 a@b.no"), 1, "\x01\x02 a_b.no@sink.test"},
    {"Latin-1", BYTES("From: K\xe5re Hansen <k@b.no>\r\n"), 1,
     "From: K\xe5re Hansen <k_b.no@sink.test>\r\n"},
    {"already masked", BYTES("a_b.no@sink.test"), 0, "a_b.no@sink.test"},
    {"between NULs", BYTES("\0\0\0ole@firma.no\0\0"), 1, NULL},
    {"with its length in front", BYTES("\n\x0cole@firma.no\x12\x80\xff"), 1, NULL},
    {"in capitals", BYTES("\xff\xfe\x01OLE@FIRMA.NO\x80"), 1, NULL},
    {"long, in mixed case", BYTES("\0John.Doe@Company.com\0"), 1, NULL},
    {"two of them", BYTES("\0ole@firma.no\0\1kari@firma.no\0"), 2, NULL},
    {"short, in a run of text", BYTES("\0\xff(see the mail of a@b.no, please)\0"), 1, NULL},
    {"with an escape", BYTES("\0\xff<a href=\"mailto:ole%40firma.no\">\0"), 1, NULL},
    {"of the sink", BYTES("\0ole_firma.no@sink.test\0"), 0, NULL},
    {"too short to tell from noise",
     BYTES("\0\xff"
           "a@b.no\0"),
     0, NULL},
    {"mixed case, too short",
     BYTES("\0\xff"
           "aQ9@x7.Zn\0"),
     0, NULL},
    {"at the very end", BYTES("\x80\x81ole@firma.no"), 1, NULL},
    {"a character cut off", BYTES("ole@firma.no \xc3"), 1, NULL},
    {"nothing", BYTES(""), 0, ""},
};

static void addresses_in_bytes(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask();
    unsigned wrong = 0;
    for (size_t i = 0; i < COUNT(samples); i++) {
        const struct sample *s = &samples[i];
        struct cl_buf out = apply(mask, s->in, s->n);
        size_t found = find(mask, s->in, s->n);
        bool right = s->out ? strcmp(cl_buf_str(&out), s->out) == 0 : out.len == s->n;
        if (found != s->found || !right) {
            print_error("%s: %zu found instead of %zu, %zu bytes became '%s' (%zu)\n", s->name,
                        found, s->found, s->n, cl_buf_str(&out), out.len);
            wrong++;
        }
        cl_buf_fini(&out);
        check_promises(mask, s->in, s->n);
    }
    cl_mask_free(mask);
    assert_int_equal(wrong, 0);
}

/* Everything around an address stays where it was, and two addresses become two things. */
static void what_is_around_stays(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask();
    struct cl_buf a = apply(mask, BYTES("\x01\0ole@firma.no\0\xff"));
    struct cl_buf b = apply(mask, BYTES("\x01\0ola@firma.no\0\xff"));
    assert_int_equal(a.len, 16);
    assert_memory_equal(a.data, "\x01\0", 2);
    assert_memory_equal(a.data + 14, "\0\xff", 2);
    assert_memory_not_equal(a.data + 2, "ole@firma.no", 12);
    assert_memory_not_equal(a.data, b.data, 16);
    cl_buf_fini(&a);
    cl_buf_fini(&b);
    cl_mask_free(mask);
}

static struct cl_mask *make_keyed(const char *key, enum cl_mask_mode mode)
{
    struct cl_mask_spec spec = {
        .sink_domain = "sink.test", .mode = mode, .key = key, .key_bytes = strlen(key)};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    return mask;
}

/* What an address was overwritten with can be guessed only by who has the key, whatever the mode.
 */
static void overwriting_is_keyed(void **state)
{
    (void)state;
    struct cl_mask *masks[] = {make_mask(), make_keyed("0123456789abcdef", CL_MASK_DOMAIN),
                               make_keyed("0123456789abcdeg", CL_MASK_DOMAIN),
                               make_keyed("0123456789abcdeg", CL_MASK_HASH)};
    struct cl_buf out[COUNT(masks)];
    for (size_t i = 0; i < COUNT(masks); i++) {
        out[i] = apply(masks[i], BYTES("\x01\0ole@firma.no\0\xff"));
        check_promises(masks[i], BYTES("\x01\0ole@firma.no\0\xff"));
        assert_int_equal(out[i].len, 16);
        assert_memory_equal(out[i].data + 14, "\0\xff", 2);
    }
    assert_memory_not_equal(out[0].data + 2, out[1].data + 2, 12);
    assert_memory_not_equal(out[1].data + 2, out[2].data + 2, 12);
    assert_memory_equal(out[2].data, out[3].data, 16); /* same key, same result */
    for (size_t i = 0; i < COUNT(masks); i++) {
        cl_buf_fini(&out[i]);
        cl_mask_free(masks[i]);
    }
}

/* What is written over a letter above ASCII never completes the character that is cut off before
 * it: the value would be UTF-8 then, and the short address in it count. */
static void cut_characters_stay_cut(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask();
    for (unsigned i = 0; i < 2000; i++) {
        char value[80];
        snprintf(value, sizeof value, "jo@a.no \x01\xe2\u00f8%u.ole@firma.no is in text", i);
        check_promises(mask, value, strlen(value));
    }
    cl_mask_free(mask);
}

/* Letters in the place of an address above ASCII are no reason to take the rest for text. */
static void bytes_stay_bytes(void **state)
{
    (void)state;
    static const char in[] = "see a@b.no, \xd0\xd0 mail to \xe4\xbe\x8b\xe4\xbe\x8b@"
                             "\xe4\xbe\x8b\xe5\xad\x90.example";
    struct cl_mask *mask = make_mask();
    struct cl_buf out = apply(mask, BYTES(in));
    check_promises(mask, BYTES(in));
    assert_int_equal(find(mask, BYTES(in)), 1);
    assert_int_equal(out.len, sizeof in - 1);
    assert_memory_equal(out.data, in, 23);
    assert_null(memchr(out.data + 23, '@', out.len - 23));
    cl_buf_fini(&out);
    cl_mask_free(mask);
}

static uint64_t noise_state;

static uint64_t noise(void)
{
    noise_state ^= noise_state << 13;
    noise_state ^= noise_state >> 7;
    noise_state ^= noise_state << 17;
    return noise_state;
}

static void fill(char *s, size_t n)
{
    for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
        uint64_t r = noise();
        memcpy(s + i, &r, n - i < sizeof r ? n - i : sizeof r);
    }
}

/*
 * Less than one in 10 GB, shown in less: every 16th byte is made an at-sign and every 16th a dot,
 * so that the two an address needs meet 256 times as often. 32 MiB then stand for 8 GiB.
 */
static void noise_holds_no_address(void **state)
{
    (void)state;
    enum { VALUE = 65536, VALUES = 512 };
    static char value[VALUE];
    struct cl_mask *mask = make_mask();
    size_t found = 0, as_text = 0;
    noise_state = 88172645463325252u;
    for (int i = 0; i < VALUES; i++) {
        fill(value, VALUE);
        for (size_t p = 0; p < VALUE; p++) {
            unsigned dice = (unsigned)(noise() >> 20) & 31;
            value[p] = dice < 2 ? '@' : dice < 4 ? '.' : value[p];
        }
        found += find(mask, value, VALUE);
        as_text += cl_mask_find(mask, NULL, CL_CARRIER_TEXT, value, VALUE, NULL, NULL);
    }
    print_message("%zu found as bytes, %zu as if it were text\n", found, as_text);
    assert_true(as_text > 1000); /* so there is something to be told apart */
    assert_int_equal(found, 0);
    cl_mask_free(mask);
}

/* Values as short as keys and digests are never taken for text with an address. */
static void short_noise_holds_no_address(void **state)
{
    (void)state;
    static const size_t sizes[] = {8, 16, 20, 32, 64};
    struct cl_mask *mask = make_mask();
    char value[64];
    size_t found = 0;
    noise_state = 2463534242u;
    for (int i = 0; i < 400000; i++) {
        size_t n = sizes[i % (int)COUNT(sizes)];
        fill(value, n);
        found += find(mask, value, n);
    }
    assert_int_equal(found, 0);
    cl_mask_free(mask);
}

/* Noise from what addresses and bytes are made of keeps the promises. */
static void promises_hold_for_noise(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "ole",  "@",         "firma.no", "\"",   "\xff",  "\xc3\xa5",      "%40",
        "\\",   "[1.2.3.4]", ".",        "X",    "&#64;", "@sink.test",    " ",
        "\x01", "-",         "_",        "\xe5", "a",     "longer.example"};
    struct cl_mask *mask = make_mask();
    noise_state = 42;
    for (int i = 0; i < 60000; i++) {
        char value[400];
        size_t n = 0;
        for (uint64_t k = noise() % 20; k > 0; k--) {
            const char *piece = pieces[noise() % COUNT(pieces)];
            memcpy(value + n, piece, strlen(piece));
            n += strlen(piece);
        }
        check_promises(mask, value, n);
    }
    cl_mask_free(mask);
}

/* A value that comes in pieces is judged and searched as if it had come at once. */
static void pieces_are_judged_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct cl_mask_judge whole = {0}, pieces = {0};
        cl_mask_judge_more(&whole, samples[i].in, samples[i].n);
        for (size_t n = 1; n <= samples[i].n; n++) {
            cl_mask_judge_more(&pieces, samples[i].in, n);
        }
        assert_int_equal(cl_mask_judge_text(&whole, samples[i].n),
                         cl_mask_judge_text(&pieces, samples[i].n));
    }
    assert_int_equal(cl_mask_text_break(BYTES("abc")), 0);
    assert_int_equal(cl_mask_text_break(BYTES("a\0bc")), 2);
    assert_int_equal(cl_mask_text_break(BYTES("abc\x7f")), 4);
    assert_int_equal(cl_mask_text_break(BYTES("\x01\xff\n")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_in_bytes),           cmocka_unit_test(what_is_around_stays),
        cmocka_unit_test(overwriting_is_keyed),         cmocka_unit_test(bytes_stay_bytes),
        cmocka_unit_test(cut_characters_stay_cut),      cmocka_unit_test(noise_holds_no_address),
        cmocka_unit_test(short_noise_holds_no_address), cmocka_unit_test(promises_hold_for_noise),
        cmocka_unit_test(pieces_are_judged_alike),
    };
    return cmocka_run_group_tests_name("mask bytes", tests, NULL, NULL);
}
