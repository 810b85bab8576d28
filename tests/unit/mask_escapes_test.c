/* mask: at-signs written as escapes, whose marks are escapes again, the way carriers within each
 * other write them. Put together at random, the same way every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mask_help.h"
#include "noise.h"

enum { ROUNDS = 20000, VALUE_BYTES_MAX = 1 << 21, SPELLING_MAX = 160, LAYERS_MAX = 3 };

static const char *one_of(const char *const *list, size_t n)
{
    return list[noise((uint32_t)n)];
}

#define ONE_OF(list) one_of(list, sizeof(list) / sizeof *(list))

/* ---------------------------------------------------------------- carriers in carriers */

/* Each escapes what is neither a letter nor a digit; some only what they have to. */
enum layer { URL, DECIMAL, HEXADECIMAL, HTML, SCRIPT, STRING, PRINTABLE, N_LAYERS };

static void put_escape(struct cl_buf *out, enum layer layer, char c)
{
    bool least = (layer == HTML && c != '&') || (layer == STRING && c != '\\') ||
                 (layer == PRINTABLE && c != '=');
    bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (least || word) {
        cl_buf_addc(out, c);
    } else if (layer == DECIMAL) {
        cl_buf_addf(out, "&#%d;", c);
    } else if (layer == HEXADECIMAL) {
        cl_buf_addf(out, "&#x%x;", (unsigned)c);
    } else if (layer == SCRIPT) {
        cl_buf_addf(out, "\\u%04x", (unsigned)c);
    } else if (layer == URL || layer == PRINTABLE) {
        cl_buf_addf(out, "%c%02X", layer == URL ? '%' : '=', (unsigned)c);
    } else {
        cl_buf_adds(out, layer == HTML ? "&amp;" : "\\\\");
    }
}

/* How the innermost carrier writes an at-sign, and each one around it writes that. */
static struct cl_buf some_spelling(void)
{
    static const char *const inner[] = {"%40",     "=40",      "&#64;",      "&#x40;",
                                        "&#0064;", "\\u0040",  "\\x40",      "\\u{40}",
                                        "%u0040",  "&commat;", "\\U00000040"};
    struct cl_buf text, around;
    cl_buf_init(&text, VALUE_BYTES_MAX);
    cl_buf_init(&around, VALUE_BYTES_MAX);
    const char *at = ONE_OF(inner);
    cl_buf_adds(&text, at);
    for (uint32_t layers = noise(LAYERS_MAX + 1); layers > 0; layers--) {
        /* &commat; is looked for where its ampersand is one, or escaped in HTML. */
        enum layer layer = strcmp(at, "&commat;") == 0 ? HTML : (enum layer)noise(N_LAYERS);
        cl_buf_reset(&around);
        for (size_t i = 0; i < text.len; i++) {
            put_escape(&around, layer, text.data[i]);
        }
        if (around.len > SPELLING_MAX) {
            break;
        }
        cl_buf_reset(&text);
        cl_buf_add(&text, around.data, around.len);
    }
    cl_buf_fini(&around);
    return text;
}

static void every_spelling_is_found_and_kept(void **state)
{
    struct cl_mask *mask = make_mask_of(CL_MASK_DOMAIN), *hiding = make_mask_of(CL_MASK_HASH);
    (void)state;
    noise_state = 11;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct cl_buf at = some_spelling(), value, want;
        cl_buf_init(&value, VALUE_BYTES_MAX);
        cl_buf_init(&want, VALUE_BYTES_MAX);
        cl_buf_addf(&value, "see jo.doe%sthe.company.no!", cl_buf_str(&at));
        cl_buf_addf(&want, "see jo.doe_the.company.no%s" SINK "!", cl_buf_str(&at));
        struct cl_buf out = apply_and_check(mask, CL_CARRIER_TEXT, &value);
        if (strcmp(cl_buf_str(&out), cl_buf_str(&want)) != 0) {
            print_bytes("value", cl_buf_str(&value), value.len);
            print_bytes("masked", cl_buf_str(&out), out.len);
            fail_msg("the at-sign is not found, or its spelling is another one");
        }
        struct cl_buf hidden = apply_and_check(hiding, CL_CARRIER_TEXT, &value);
        assert_null(strstr(cl_buf_str(&hidden), "doe"));
        assert_null(strstr(cl_buf_str(&hidden), "company"));
        cl_buf_fini(&at);
        cl_buf_fini(&value);
        cl_buf_fini(&want);
        cl_buf_fini(&out);
        cl_buf_fini(&hidden);
    }
    cl_mask_free(mask);
    cl_mask_free(hiding);
}

/* ---------------------------------------------------------------- noise */

static const char *const pieces[] = {
    "jo",    "a.no",    "@",       "%40",      "%26",      "%2364%3B",  "%23",         "64",
    "40",    ";",       "&",       "&amp;",    "&#38;",    "&#x26;",    "#64;",        "#x40;",
    "&#64;", "&#64",    "&#64",    "&#111",    "&#0",      "&num;64;",  "&percnt;",    "&commat;",
    "\\",    "\\\\",    "\\u0040", "u0040",    "\\u0026",  "\\u0025",   "\\u005c",     "\\u{40}",
    "\\u{",  "}",       "\\x40",   "\\x5c",    "x40",      "%5C",       "%5Cu0040",    "%255C",
    "%25",   "%2540",   "25",      "%u0040",   "%u",       "=",         "=3D",         "=40",
    "=3D40", "=2540",   "=5C",     "%22",      "\\u0022",  "\\\"",      "\"",          "&quot;",
    "%2522", "jo doe",  "%20",     "%5B",      "%5D",      "[1.2.3.4]", "1.2.3.4",     "%3A",
    "%2E",   "\\u002e", "&#46;",   ".",        "_",        "-",         "+",           " ",
    ",",     "'",       "%27",     "(x)",      "%29",      "%EF%BC%A0", "=EF=BC=A0",   "%EF%BC",
    "%A0",   "%C3%A5",  "\\uff20", "&#xFF20;", "&#65312;", "\uff20",    "\u00e5",      "&uuml;",
    SINK,    "x." SINK, "no",      "x_y.de",   "\n",       "\\n",       "\\U00000040", "%2565",
    "\xef",  "\xbc",    "%",       "#",        "{",        "amp;",      "%28",         "%2520"};

static void add_json(struct cl_buf *out, const struct cl_buf *text)
{
    cl_buf_addc(out, '"');
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c == '"' || c == '\\') {
            cl_buf_addf(out, "\\%c", c);
        } else if (c < ' ' || (c < 0x7F && noise(20) == 0)) {
            cl_buf_addf(out, "\\u%04x", c);
        } else {
            cl_buf_addc(out, (char)c);
        }
    }
    cl_buf_addc(out, '"');
}

static void promises_hold_for_escapes(void **state)
{
    const char *seed = getenv("MASK_TEST_SEED"), *rounds = getenv("MASK_TEST_ROUNDS");
    struct cl_mask *masks[] = {make_mask_of(CL_MASK_DOMAIN), make_mask_of(CL_MASK_HASH)};
    (void)state;
    noise_state = seed ? strtoul(seed, NULL, 10) : 5;
    for (long left = rounds ? strtol(rounds, NULL, 10) : ROUNDS; left > 0; left--) {
        struct cl_buf text, json;
        cl_buf_init(&text, VALUE_BYTES_MAX);
        cl_buf_init(&json, VALUE_BYTES_MAX);
        for (uint32_t count = 2 + noise(14); count > 0; count--) {
            cl_buf_adds(&text, ONE_OF(pieces));
        }
        add_json(&json, &text);
        for (size_t i = 0; i < 2; i++) {
            struct cl_buf out = apply_and_check(masks[i], CL_CARRIER_TEXT, &text);
            cl_buf_fini(&out);
            out = apply_and_check(masks[i], CL_CARRIER_JSON, &json);
            cl_buf_fini(&out);
        }
        cl_buf_fini(&text);
        cl_buf_fini(&json);
    }
    cl_mask_free(masks[0]);
    cl_mask_free(masks[1]);
}

/* What tempts to read the same bytes again and again: a quadratic reader would take hours. */
static void escapes_take_linear_time(void **state)
{
    static const char *const patterns[] = {
        "%26",     "%25",          "%2526",    "&#38;",     "&amp;",   "&#x26;#", "\\",
        "\\u0026", "\\u005c",      ";40",      "&40",       "&#64",    "%22@",    "%22",
        "=3D",     "=26%23",       "%26%2364", "&#38;#38;", "x40",     "%u",      "\\u{",
        "&#",      "%26%23x40%3B", "a%22%40",  "[%3A",      "&quot;@", "%EF%BC"};
    enum { BYTES = 1 << 19 };
    struct cl_mask *mask = make_mask_of(CL_MASK_DOMAIN);
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct cl_buf value;
        cl_buf_init(&value, VALUE_BYTES_MAX);
        cl_buf_adds(&value, "jo@a.no ");
        while (value.len < BYTES) {
            cl_buf_adds(&value, patterns[i]);
        }
        struct cl_buf out = apply_and_check(mask, CL_CARRIER_TEXT, &value);
        cl_buf_fini(&out);
        cl_buf_fini(&value);
    }
    cl_mask_free(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_is_found_and_kept),
        cmocka_unit_test(promises_hold_for_escapes),
        cmocka_unit_test(escapes_take_linear_time),
    };
    return cmocka_run_group_tests_name("mask_escapes", tests, NULL, NULL);
}
