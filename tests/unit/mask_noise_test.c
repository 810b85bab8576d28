/* mask: the promises that hold for any bytes, over noise made of what is hard to get right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mask_help.h"
#include "noise.h"

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Addresses made to clash: few letters, underscores on both sides, long names. */
static void distinct_stays_distinct(void **state)
{
    (void)state;
    enum { N = 60000 };
    static char *before[N], *after[N];
    struct cl_mask *mask = make_mask();
    noise_state = 1;
    for (size_t i = 0; i < N; i++) {
        static const char letters[] = "ab_.-";
        char local[100], domain[60], in[200];
        size_t l = 1 + noise(i % 7 == 0 ? 90 : 5), d = 1 + noise(6), p;
        for (p = 0; p < l; p++) {
            local[p] = letters[noise(4)];
        }
        local[p] = '\0';
        domain[0] = 'd';
        for (p = 1; p < d; p++) {
            domain[p] = letters[noise(3)];
        }
        domain[p] = '\0';
        snprintf(in, sizeof in, "%s@%s.no", local, domain);
        struct cl_buf out = apply(mask, CL_CARRIER_TEXT, in, strlen(in), NULL);
        before[i] = strdup(in);
        after[i] = strdup(cl_buf_str(&out));
        assert_true(strlen(after[i]) <= 64 + sizeof "@" SINK);
        cl_buf_fini(&out);
    }
    size_t distinct[2] = {1, 1};
    char **lists[2] = {before, after};
    for (size_t k = 0; k < 2; k++) {
        qsort(lists[k], N, sizeof(char *), compare_strings);
        for (size_t i = 1; i < N; i++) {
            distinct[k] += strcmp(lists[k][i - 1], lists[k][i]) != 0;
        }
    }
    assert_int_equal(distinct[0], distinct[1]);
    assert_true(distinct[0] > 20000);
    for (size_t i = 0; i < N; i++) {
        free(before[i]);
        free(after[i]);
    }
    cl_mask_free(mask);
}

/* Puts together a value out of the pieces that are hard to get right. */
static size_t noisy_value(char *out, size_t max)
{
    static const char *const pieces[] = {
        "@",
        "@",
        "@",
        "%40",
        "&#64;",
        "&#x40;",
        "=40",
        "\\u0040",
        "\\x40",
        "\uff20",
        "%2540",
        "&amp;#64;",
        "&commat;",
        ".",
        ".",
        "..",
        "%2E",
        "&#46;",
        "=2E",
        "\\u002e",
        "a",
        "b.com",
        "c",
        "Z",
        "9",
        "2x.png",
        "40",
        "mailinator.com",
        "x.mailinator.com",
        "no",
        "_",
        "-",
        "+",
        "'",
        "''",
        "\"",
        "\\\"",
        "\"\"",
        "[1.2.3.4]",
        "[x:y]",
        "[",
        "]",
        " ",
        "\n",
        ",",
        ";",
        ":",
        "=",
        "&",
        "%",
        "?",
        "/",
        "\\",
        "\\n",
        "(",
        ")",
        "<",
        ">",
        "{",
        "}",
        "\u00e5",
        "\u201d",
        "\xe5",
        "\xef\xbc",
        "\xa0",
        "%C3%A5",
        "&uuml;",
        "&#xe5;",
        "&#111;",
        "\\u00e5",
        "=C3",
        "%25",
        "%2",
        "&#",
        "u0040",
        "amp;",
        "jo@a.no",
        "x@b_c.d",
        "1.2.3.4",
        "longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglong",
        "\xed\xa0\x80",
        ".2nd",
        "-.-",
        "0",
        "&quot;",
        "#",
        "&nbsp;",
        "\u3002",
        "\0",
        "\t"};
    size_t n = 0, count = 1 + noise(14);
    while (count-- > 0) {
        const char *piece = pieces[noise(COUNT(pieces))];
        size_t len = strlen(piece) ? strlen(piece) : 1;
        if (n + len > max) {
            break;
        }
        memcpy(out + n, piece, len);
        n += len;
    }
    return n;
}

/* Wraps a value as a JSON string now and then, so that both branches are seen. */
static size_t noisy_json(char *out, size_t max)
{
    char inner[400];
    size_t n = noisy_value(inner, sizeof inner), p = 0;
    (void)max;
    if (noise(4) == 0) {
        memcpy(out, inner, n);
        return n;
    }
    out[p++] = '"';
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)inner[i];
        if (c < 0x20) {
            p += (size_t)snprintf(out + p, 7, "\\u%04x", c);
            continue;
        }
        if (c == '"' || (c == '\\' && noise(2))) {
            out[p++] = '\\';
        }
        out[p++] = (char)c;
    }
    out[p++] = '"';
    return p;
}

/* find(mask(x)) == 0, mask(mask(x)) == mask(x), find agrees with mask, narrow columns hold. */
static void check_promises(const struct cl_mask *mask, enum cl_carrier carrier, const char *in,
                           size_t n)
{
    struct cl_mask_tally tally = {0};
    size_t found = cl_mask_find(mask, NULL, carrier, in, n, NULL, NULL);
    struct cl_buf once = apply(mask, carrier, in, n, &tally);
    size_t left = cl_mask_find(mask, NULL, carrier, cl_buf_str(&once), once.len, NULL, NULL);
    struct cl_buf twice = apply(mask, carrier, cl_buf_str(&once), once.len, NULL);
    bool stable =
        once.len == twice.len && memcmp(cl_buf_str(&once), cl_buf_str(&twice), once.len) == 0;
    if (left || !stable || (found > 0) != (tally.masked > 0) || tally.values != 1) {
        print_bytes("value", in, n);
        print_bytes("masked", once.data, once.len);
        print_bytes("again", twice.data, twice.len);
        fail_msg("%zu found, %zu masked, %zu left", found, (size_t)tally.masked, left);
    }
    cl_buf_fini(&once);
    cl_buf_fini(&twice);
    if (carrier == CL_CARRIER_TEXT && found) {
        struct cl_buf narrow;
        struct cl_err err;
        bool changed;
        size_t chars = 20 + noise(60);
        cl_buf_init(&narrow, 1 << 20);
        if (cl_mask_apply(mask, NULL, carrier, in, n, chars, &narrow, &changed, &tally, &err) &&
            cl_mask_find(mask, NULL, carrier, cl_buf_str(&narrow), narrow.len, NULL, NULL)) {
            print_bytes("value", in, n);
            print_bytes("narrow", narrow.data, narrow.len);
            fail_msg("left in a narrow column");
        }
        cl_buf_fini(&narrow);
    }
}

/* Found by libFuzzer and by longer noise: what follows an address must be read the same before and
 * after, whatever byte the address ended with. */
static void promises_hold_for_old_findings(void **state)
{
    (void)state;
    static const char *const values[] = {
        "a@b.co\xc0\x82\xc0@c.no",     "jo@a.no@=40x.mailinator.com", "a@[1.2.3.4]=40b.com",
        "@jo@a.noc\\u0040-''=40b.com", "\"3@v.&uuml;\"%40i.g",        "\"\xed\xb4,@8@6%2Ec\"",
        "a@[1.2.3.4]'@x.com",          "\"q\"@5.&uuml;\"%405.x",
    };
    struct cl_mask *mask = make_mask(), *hiding = make_mask_of(CL_MASK_HASH);
    for (size_t i = 0; i < COUNT(values); i++) {
        check_promises(mask, CL_CARRIER_TEXT, values[i], strlen(values[i]));
        check_promises(mask, CL_CARRIER_JSON, values[i], strlen(values[i]));
        check_promises(hiding, CL_CARRIER_TEXT, values[i], strlen(values[i]));
        check_promises(hiding, CL_CARRIER_JSON, values[i], strlen(values[i]));
    }
    cl_mask_free(mask);
    cl_mask_free(hiding);
}

/* MASK_TEST_ROUNDS asks for more, from another beginning. */
static void check_noise(struct cl_mask *mask, long rounds, uint64_t seed)
{
    const char *text_rounds = getenv("MASK_TEST_ROUNDS");
    if (text_rounds) {
        rounds = strtol(text_rounds, NULL, 10);
        seed = (uint64_t)rounds;
    }
    noise_state = seed;
    for (long i = 0; i < rounds; i++) {
        char text[400], json[4000];
        check_promises(mask, CL_CARRIER_TEXT, text, noisy_value(text, sizeof text));
        check_promises(mask, CL_CARRIER_JSON, json, noisy_json(json, sizeof json));
    }
    cl_mask_free(mask);
}

static void promises_hold_for_noise(void **state)
{
    (void)state;
    check_noise(make_mask(), 60000, 42);
}

/* The same where nothing of an address may be left. */
static void promises_hold_for_hidden_noise(void **state)
{
    (void)state;
    check_noise(make_mask_of(CL_MASK_HASH), 20000, 43);
}

/* What a method makes holds no address and fits its column, or is an error. */
static void check_method(const struct cl_mask *mask, struct cl_mask_worker *worker,
                         const struct cl_mask_value *value)
{
    struct cl_buf out[2];
    struct cl_mask_tally tally = {0};
    struct cl_err err;
    bool is_null, ok[2];
    for (size_t i = 0; i < 2; i++) {
        cl_buf_init(&out[i], 1 << 20);
        ok[i] = cl_mask_method_apply(mask, worker, NULL, value, &out[i], &is_null, &tally, &err);
        assert_true(ok[i] || err.class == CL_INVALID);
    }
    size_t n = out[0].len, chars = 0;
    for (size_t i = 0; i < n; i++) {
        chars += ((unsigned char)out[0].data[i] & 0xC0) != 0x80;
    }
    if (ok[0] != ok[1] || n != out[1].len ||
        memcmp(cl_buf_str(&out[0]), cl_buf_str(&out[1]), n) != 0 ||
        (ok[0] && value->max_chars > 0 && chars > value->max_chars) ||
        (ok[0] &&
         cl_mask_find(mask, NULL, value->carrier, cl_buf_str(&out[0]), n, NULL, NULL) > 0)) {
        print_bytes("value", value->in, value->n);
        print_bytes("made", out[0].data, n);
        fail();
    }
    cl_buf_fini(&out[0]);
    cl_buf_fini(&out[1]);
}

static void methods_hold_for_noise(void **state)
{
    (void)state;
    static const struct cl_mask_option ends[] = {{"first", "4"}, {"last", "5"}};
    static const struct cl_mask_option other[] = {{"default", "ask jo@a.no"}};
    static const struct cl_mask_option entries[] = {{"c", "c"}};
    static const struct cl_mask_option phone[] = {{"of", "phone"}}, name[] = {{"of", "full_name"}};
    static const struct cl_mask_method_spec parts[] = {
        {.path = "$", .kind = "partial", .options = ends, .n_options = 2}};
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
        {.kind = "json", .parts = parts, .n_parts = 1},
    };
    noise_state = 44;
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct cl_mask_method_spec method = methods[i];
        struct cl_mask_spec spec = {.sink_domain = SINK,
                                    .key = KEY,
                                    .key_bytes = strlen(KEY),
                                    .methods = &method,
                                    .n_methods = 1};
        struct cl_err err;
        method.schema = method.table = method.column = "x";
        struct cl_mask *mask = cl_mask_new(&spec, &err);
        assert_non_null(mask);
        struct cl_mask_worker *worker = cl_mask_worker_open(cl_mask_method_at(mask, 0), &err);
        for (long round = 0; round < 4000; round++) {
            char text[4000];
            struct cl_mask_value value = {.in = text, .type = CL_MASK_TEXT};
            if (method.parts) {
                value.carrier = CL_CARRIER_JSON;
                value.type = CL_MASK_JSON;
                value.n = noisy_json(text, sizeof text);
            } else {
                value.n = noisy_value(text, 400);
                value.max_chars = noise(2) ? noise(60) : 0;
            }
            check_method(mask, worker, &value);
        }
        cl_mask_worker_close(worker);
        cl_mask_free(mask);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distinct_stays_distinct), cmocka_unit_test(promises_hold_for_old_findings),
        cmocka_unit_test(promises_hold_for_noise), cmocka_unit_test(promises_hold_for_hidden_noise),
        cmocka_unit_test(methods_hold_for_noise),
    };
    return cmocka_run_group_tests_name("mask noise", tests, NULL, NULL);
}
