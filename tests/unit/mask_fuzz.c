/*
 * libFuzzer targets of the mask: the scanner, each carrier and the methods, by what they promise
 * for any bytes. MASK_FUZZ names one of the targets below.
 *
 *   make fuzz FUZZ_S=3600 FUZZ=json      an hour from the kept corpus on, tests/mask/corpus/json
 *
 * What it found worth keeping is in build/fuzz/corpus; mask_fuzz_test.c runs the kept ones,
 * altered. Built without CL_FUZZ it reads one input from standard input: to replay a finding.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mask/mask.h"
#include "mask/private.h"
#include "mask_carriers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY "0123456789abcdef"

/* The masks of both modes, made once. */
static const struct cl_mask *const *masks(void)
{
    static const struct cl_mask *both[3];
    struct cl_mask_spec spec = {
        .sink_domain = "mailinator.com", .key = KEY, .key_bytes = strlen(KEY)};
    struct cl_err err;
    if (!both[0]) {
        both[0] = cl_mask_new(&spec, &err);
        spec.mode = CL_MASK_HASH;
        both[1] = cl_mask_new(&spec, &err);
    }
    return both;
}

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void apply(const struct cl_mask *mask, enum cl_carrier carrier, const char *in, size_t n,
                  struct cl_buf *out)
{
    bool changed;
    struct cl_err err;
    struct cl_mask_tally tally = {0};
    cl_buf_init(out, SIZE_MAX / 2);
    must(cl_mask_apply(mask, NULL, carrier, in, n, 0, out, &changed, &tally, &err));
    must(cl_mask_find(mask, NULL, carrier, cl_buf_str(out), out->len, NULL, NULL) == 0);
    must(changed == (cl_mask_find(mask, NULL, carrier, in, n, NULL, NULL) > 0));
}

/* Nothing left after masking, masking twice is masking once. *once: initialised here. */
static void promises(const struct cl_mask *mask, enum cl_carrier carrier, const char *in, size_t n,
                     struct cl_buf *once)
{
    struct cl_buf twice;
    apply(mask, carrier, in, n, once);
    apply(mask, carrier, cl_buf_str(once), once->len, &twice);
    must(once->len == twice.len && memcmp(cl_buf_str(once), cl_buf_str(&twice), once->len) == 0);
    cl_buf_fini(&twice);
}

/* ---------------------------------------------------------------- targets */

/* Tokens follow each other, and their parts do. */
static void scanner(const char *s, size_t n)
{
    for (const struct cl_mask *const *mask = masks(); *mask; mask++) {
        struct cl_token t;
        for (size_t pos = 0; cl_mask_next(*mask, s, n, pos, &t); pos = t.next) {
            must(t.local >= pos || t.quoted);
            must(t.local <= t.close && t.close <= t.first_at && t.first_at <= t.at);
            must(t.at < t.at_end && t.at_end <= t.tail && t.tail <= t.next && t.next <= n);
            must(t.first_at >= pos && cl_mask_find_hit(s, n, pos) < t.at_end);
        }
    }
}

static void plain(const char *s, size_t n)
{
    for (const struct cl_mask *const *mask = masks(); *mask; mask++) {
        struct cl_buf out;
        struct cl_mask_tally tally = {0};
        struct cl_err err;
        bool changed;
        size_t max_chars = 20 + n % 60;
        promises(*mask, CL_CARRIER_TEXT, s, n, &out);
        cl_buf_reset(&out);
        if (cl_mask_apply(*mask, NULL, CL_CARRIER_TEXT, s, n, max_chars, &out, &changed, &tally,
                          &err)) {
            must(!changed || cl_mask_chars(out.data, out.len) <= max_chars);
            must(cl_mask_find(*mask, NULL, CL_CARRIER_TEXT, cl_buf_str(&out), out.len, NULL,
                              NULL) == 0);
        }
        cl_buf_fini(&out);
    }
}

static void json(const char *s, size_t n)
{
    for (const struct cl_mask *const *mask = masks(); *mask; mask++) {
        struct cl_buf out;
        promises(*mask, CL_CARRIER_JSON, s, n, &out);
        must(!cl_mask_json_valid(s, n) || cl_mask_json_valid(cl_buf_str(&out), out.len));
        cl_buf_fini(&out);
    }
}

/* Text in a carrier, in the style the first byte says: it can still be read, and holds nothing. */
static void carried(const struct carrier *carrier, const char *s, size_t n)
{
    struct cl_buf in, out, text;
    cl_buf_init(&in, SIZE_MAX / 2);
    cl_buf_init(&text, SIZE_MAX / 2);
    if (n > 0) {
        carrier->write(&in, s + 1, n - 1, (unsigned char)s[0] % carrier->styles);
    }
    for (const struct cl_mask *const *mask = masks(); *mask; mask++) {
        promises(*mask, CL_CARRIER_TEXT, cl_buf_str(&in), in.len, &out);
        cl_buf_reset(&text);
        must(carrier->read(cl_buf_str(&out), out.len, &text));
        cl_buf_fini(&out);
    }
    cl_buf_fini(&in);
    cl_buf_fini(&text);
}

/* What decodes to anything but text may be read in another way, and not as a whole. */
static void base64(const char *s, size_t n)
{
    struct cl_mask_judge judge = {0};
    if (n > 0 && cl_mask_judge_more(&judge, s + 1, n - 1) && !judge.not_utf8 && !judge.control) {
        carried(carrier_named("base64"), s, n);
    }
}

static bool read_anything(const char *s, size_t n, struct cl_buf *text)
{
    return cl_buf_add(text, s, n);
}

static bool has_dense_run(const char *s, size_t n)
{
    size_t many = 0;
    for (size_t i = 0; i < n && many < 16; i++) {
        many = cl_mask_is_dense((unsigned char)s[i]) ? many + 1 : 0;
    }
    return many == 16;
}

/* A byte by itself that is not ASCII is not told from a word behind an equals sign: `TO=BERIT`. Nor
 * does base64 in it know what carries it, whose padding is an equals sign. */
static void soft(const char *s, size_t n)
{
    struct carrier printable = *carrier_named("quoted-printable");
    struct cl_buf text;
    cl_buf_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; i < n; i++) {
        if (i == 0) {
            cl_buf_addc(&text, s[0]);
        } else {
            add_code(&text, (unsigned char)s[i]);
        }
    }
    printable.read = has_dense_run(s, n) ? read_anything : read_printable;
    carried(&printable, cl_buf_str(&text), text.len);
    cl_buf_fini(&text);
}

static void bytes(const char *s, size_t n)
{
    struct cl_mask_judge judge = {0};
    bool text = cl_mask_judge_more(&judge, s, n) && cl_mask_judge_text(&judge, n);
    for (const struct cl_mask *const *mask = masks(); *mask; mask++) {
        struct cl_buf out;
        promises(*mask, CL_CARRIER_BYTES, s, n, &out);
        must(text || out.len == n);
        cl_buf_fini(&out);
    }
}

static void nested(const char *s, size_t n)
{
    for (const struct cl_mask *const *mask = masks(); *mask; mask++) {
        struct cl_buf out;
        promises(*mask, CL_CARRIER_NESTED, s, n, &out);
        cl_buf_fini(&out);
    }
}

/* The mask with the method of that number, and a worker of it; made once. */
static const struct cl_mask *mask_of(size_t number, struct cl_mask_worker **worker)
{
    static const struct cl_mask_option ends[] = {{"first", "4"}, {"last", "5"}};
    static const struct cl_mask_option other[] = {{"default", "ask jo@a.no"}};
    static const struct cl_mask_option entries[] = {{"c", "c"}};
    static const struct cl_mask_option phone[] = {{"of", "phone"}}, name[] = {{"of", "full_name"}};
    static const struct cl_mask_option month[] = {{"to", "month"}}, by[] = {{"days", "40"}};
    static const struct cl_mask_option percent[] = {{"percent", "20"}};
    static const struct cl_mask_method_spec parts[] = {
        {.path = "$.*", .kind = "partial", .options = ends, .n_options = 2}};
    static const struct cl_mask_method_spec methods[] = {
        {.kind = "hash"},
        {.kind = "redact"},
        {.kind = "partial", .options = ends, .n_options = 2},
        {.kind = "dictionary",
         .options = other,
         .n_options = 1,
         .entries = entries,
         .n_entries = 1},
        {.kind = "fake", .options = phone, .n_options = 1},
        {.kind = "fake", .options = name, .n_options = 1},
        {.kind = "generalise", .options = month, .n_options = 1},
        {.kind = "date_shift", .options = by, .n_options = 1},
        {.kind = "noise", .options = percent, .n_options = 1},
        {.kind = "json", .parts = parts, .n_parts = 1},
    };
    static struct cl_mask *made[COUNT(methods)];
    static struct cl_mask_worker *workers[COUNT(methods)];
    size_t i = number % COUNT(methods);
    if (!made[i]) {
        struct cl_mask_method_spec method = methods[i];
        struct cl_mask_spec spec = {.sink_domain = "mailinator.com",
                                    .key = KEY,
                                    .key_bytes = strlen(KEY),
                                    .methods = &method,
                                    .n_methods = 1};
        struct cl_err err;
        method.schema = method.table = method.column = "x";
        made[i] = cl_mask_new(&spec, &err);
        must(made[i]);
        workers[i] = cl_mask_worker_open(cl_mask_method_at(made[i], 0), &err);
    }
    *worker = workers[i];
    return made[i];
}

/* The first three bytes say which method, of what type and how wide the column is. What comes out
 * is the same each time, fits, and holds no address; or it is an error. */
static void methods(const char *s, size_t n)
{
    static const enum cl_mask_type types[] = {CL_MASK_TEXT, CL_MASK_JSON,    CL_MASK_DATE,
                                              CL_MASK_TEXT, CL_MASK_NUMERIC, CL_MASK_TIMESTAMP};
    if (n < 3) {
        return;
    }
    struct cl_mask_worker *worker;
    const struct cl_mask *mask = mask_of((unsigned char)s[0], &worker);
    struct cl_mask_value value = {.in = s + 3, .n = n - 3};
    value.type = types[(unsigned char)s[1] % COUNT(types)];
    value.carrier = value.type == CL_MASK_JSON ? CL_CARRIER_JSON : CL_CARRIER_TEXT;
    value.max_chars = value.type == CL_MASK_TEXT ? (unsigned char)s[2] % 64 : 0;
    struct cl_buf out[2];
    bool ok[2], is_null[2] = {false, false};
    for (size_t i = 0; i < 2; i++) {
        struct cl_mask_tally tally = {0};
        struct cl_err err;
        cl_buf_init(&out[i], SIZE_MAX / 2);
        ok[i] =
            cl_mask_method_apply(mask, worker, NULL, &value, &out[i], &is_null[i], &tally, &err);
        must(ok[i] || err.class == CL_INVALID);
    }
    const char *made = cl_buf_str(&out[0]);
    size_t len = out[0].len;
    must(ok[0] == ok[1] && is_null[0] == is_null[1] && len == out[1].len);
    must(memcmp(made, cl_buf_str(&out[1]), len) == 0);
    if (ok[0] && !is_null[0]) {
        must(value.max_chars == 0 || cl_mask_chars(made, len) <= value.max_chars);
        must(cl_mask_find(mask, NULL, value.carrier, made, len, NULL, NULL) == 0);
    }
    cl_buf_fini(&out[0]);
    cl_buf_fini(&out[1]);
}

static const struct target {
    const char *name;                     /* of its corpus, too */
    void (*run)(const char *s, size_t n); /* aborts when a promise is broken */
} targets[] = {
    {"scanner", scanner}, {"plain", plain}, {"json", json},     {"base64", base64},
    {"soft", soft},       {"bytes", bytes}, {"nested", nested}, {"methods", methods},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *name = getenv("MASK_FUZZ");
    for (size_t i = 0; i < COUNT(targets); i++) {
        if (name && strcmp(targets[i].name, name) == 0) {
            targets[i].run((const char *)data, size);
            return 0;
        }
    }
    fputs("MASK_FUZZ names no target\n", stderr);
    exit(2);
}

#ifndef CL_FUZZ
int main(void)
{
    static char input[1 << 20];
    size_t n = fread(input, 1, sizeof input, stdin);
    return LLVMFuzzerTestOneInput((const uint8_t *)input, n);
}
#endif
