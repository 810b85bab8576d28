/* mask: the promises for values in layers - base64 in its styles, quoted-printable, one in another
 * - that are put together at random, the same way every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mask_help.h"
#include "noise.h"

enum { ROUNDS = 10000, VALUE_BYTES_MAX = 1 << 20, DEPTH_MAX = 3 };

/* Line ends, as something around the text may write them. */
static const char *const breaks[] = {"\n",         "\r\n",          "\\n",     "\\r\\n",
                                     "\\\\r\\\\n", "\\\\\\\\u000a", "&#xd;\n", "&#10;"};

static void add_base64(struct cl_buf *out, const struct cl_buf *plain)
{
    static const char *const alphabets[] = {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};
    static const char *const pads[] = {"=", "", "%3D", "\\u003d", "=3D"};
    static const char *const signs[][2] = {{"+", "/"},        {"+", "\\/"},     {"+", "\\\\\\/"},
                                           {"%2B", "%2F"},    {"\\u002B", "/"}, {"&#43;", "&#47;"},
                                           {"%252b", "%252f"}};
    static const uint32_t widths[] = {76, 64, 60, 0, 0, 0};
    const char *alphabet = alphabets[noise(2)], *pad = pads[noise(5)], *eol = breaks[noise(8)];
    const char *const *sign = signs[noise(sizeof signs / sizeof *signs)];
    uint32_t width = widths[noise(6)], column = 0;
    for (size_t i = 0; i < plain->len; i += 3) {
        size_t bytes = plain->len - i < 3 ? plain->len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) {
            bits = bits << 8 | (k < bytes ? (unsigned char)plain->data[i + k] : 0);
        }
        if (width && column == width) {
            cl_buf_adds(out, eol);
            column = 0;
        }
        for (size_t k = 0; k < 4; k++) {
            if (k <= bytes) {
                char c = alphabet[bits >> (18 - 6 * k) & 63];
                cl_buf_adds(out, c == '+' ? sign[0] : c == '/' ? sign[1] : (char[]){c, '\0'});
            } else {
                cl_buf_adds(out, pad);
            }
        }
        column += 4;
    }
}

/* Lines of 76 columns and less, with escapes; now and then a break more, or all escaped. */
static void add_printable(struct cl_buf *out, const struct cl_buf *plain)
{
    const char *soft = breaks[noise(2) ? noise(2) : noise(8)];
    uint32_t column = 0, often = noise(2) ? 20 : 1000;
    bool all = noise(8) == 0;
    for (size_t i = 0; i < plain->len; i++) {
        unsigned char c = (unsigned char)plain->data[i];
        if (column >= 72 || noise(often) == 0) {
            cl_buf_addf(out, "=%s", soft);
            column = 0;
        }
        if (all || c == '=' || c >= 0x7F || (c == '@' && noise(2))) {
            cl_buf_addf(out, "=%02X", c);
            column += 3;
        } else {
            cl_buf_addc(out, (char)c);
            column = c == '\n' ? 0 : column + 1;
        }
    }
}

/* As an array or a row has it. */
static void add_literal(struct cl_buf *out, const struct cl_buf *plain)
{
    bool row = noise(2);
    cl_buf_adds(out, row ? "(1,\"" : "{\"");
    for (size_t i = 0; i < plain->len; i++) {
        char c = plain->data[i];
        if (c == '"' || c == '\\') {
            cl_buf_addc(out, row ? c : '\\');
        }
        cl_buf_addc(out, c);
    }
    cl_buf_adds(out, row ? "\")" : "\"}");
}

static void add_noise(struct cl_buf *out, unsigned depth)
{
    static const char *const pieces[] = {
        "jo@a.no",
        "john.doe@company.com",
        " ",
        " ",
        "\n",
        "\r\n",
        "=\n",
        "=\r\n",
        "=",
        "==",
        "@",
        "%40",
        "=40",
        "&#64;",
        "&amp;commat;",
        "\\u0040",
        "\\\\u0040",
        ".",
        "a",
        "b.com",
        "/",
        "+",
        "-",
        "_",
        "mailinator.com",
        "x@mailinator.com",
        "\n\n",
        "\r\n\r\n",
        "--",
        "\"",
        "'",
        ":",
        "Content-Transfer-Encoding: quoted-printable\n\n",
        "YWJjZGVmZ2hpamtsbW5v",
        "am9AYS5ub",
        "word",
        "Regards",
        "\\n",
        "\\",
        "\xe5",
        "\u00e5",
        "[1.2.3.4]",
        "\0",
        "\x01",
        "%3D",
        "0",
        "Hello, this is a line of some length that is here to be wrapped and nothing else but that",
        "longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong"};
    for (uint32_t count = 1 + noise(9); count > 0; count--) {
        uint32_t kind = depth < DEPTH_MAX ? noise(8) : 7;
        if (kind > 2) {
            const char *piece = pieces[noise(sizeof pieces / sizeof *pieces)];
            cl_buf_add(out, piece, *piece ? strlen(piece) : 1);
            continue;
        }
        struct cl_buf inner;
        cl_buf_init(&inner, VALUE_BYTES_MAX);
        add_noise(&inner, depth + 1);
        if (kind == 0) {
            add_base64(out, &inner);
        } else if (kind == 1) {
            add_printable(out, &inner);
        } else {
            add_literal(out, &inner);
        }
        cl_buf_fini(&inner);
    }
}

/* As a JSON string. */
static void add_json(struct cl_buf *out, const struct cl_buf *text)
{
    cl_buf_addc(out, '"');
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c == '"' || c == '\\' || (c == '/' && noise(2))) {
            cl_buf_addf(out, "\\%c", c);
        } else if (c < ' ') {
            cl_buf_addf(out, c == '\n' ? "\\n" : "\\u%04x", c);
        } else {
            cl_buf_addc(out, (char)c);
        }
    }
    cl_buf_addc(out, '"');
}

static void check(const struct cl_mask *mask, enum cl_carrier carrier, const struct cl_buf *in)
{
    struct cl_buf masked = apply_and_check(mask, carrier, in);
    cl_buf_fini(&masked);
}

static void promises_hold_for_layers(void **state)
{
    const char *seed = getenv("MASK_TEST_SEED"), *rounds = getenv("MASK_TEST_ROUNDS");
    struct cl_mask_spec spec = {.sink_domain = "mailinator.com"};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    (void)state;
    assert_non_null(mask);
    noise_state = seed ? strtoul(seed, NULL, 10) : 7;
    for (long left = rounds ? strtol(rounds, NULL, 10) : ROUNDS; left > 0; left--) {
        struct cl_buf text, json;
        cl_buf_init(&text, VALUE_BYTES_MAX);
        cl_buf_init(&json, VALUE_BYTES_MAX);
        add_noise(&text, 0);
        add_json(&json, &text);
        check(mask, CL_CARRIER_TEXT, &text);
        check(mask, CL_CARRIER_JSON, &json);
        cl_buf_fini(&text);
        cl_buf_fini(&json);
    }
    cl_mask_free(mask);
}

/* What tempts to read the same bytes again and again: a quadratic reader would take hours. */
static void layers_take_linear_time(void **state)
{
    static const char *const patterns[] = {
        "A",
        "-",
        "/",
        "a-",
        "a/",
        "a/b-",
        "=\n",
        "=\r\n",
        "a=\n",
        "@=\n",
        "\\",
        "\n",
        "++",
        "_",
        "A==\n",
        "a@b.no=\n",
        "AAAA\\n",
        "\xff",
        "%3D",
        "/w",
        "\\/",
        "a\\/",
        "=3D",
        "=\\n",
        "=&#10;",
        "g=\n",
        "gg=\n",
        "&amp;",
        "=61",
        "\\u000a",
        "AAAA\\\\/",
        "AAAA%2B",
        "a%2F",
        "&#43;",
        "AAAA\\u002B",
        "\"",
        "AQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQID\n",
        "YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJj\n"};
    enum { BYTES = 1 << 20 };
    struct cl_mask_spec spec = {.sink_domain = "mailinator.com"};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    (void)state;
    assert_non_null(mask);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct cl_buf value;
        cl_buf_init(&value, 2 * BYTES);
        cl_buf_adds(&value, "jo@a.no ");
        while (value.len < BYTES) {
            cl_buf_adds(&value, patterns[i]);
        }
        check(mask, CL_CARRIER_TEXT, &value);
        cl_buf_fini(&value);
    }
    cl_mask_free(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_hold_for_layers),
        cmocka_unit_test(layers_take_linear_time),
    };
    return cmocka_run_group_tests_name("mask_layers", tests, NULL, NULL);
}
