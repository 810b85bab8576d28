/* Noise: numbers a few per cent off. */
#include "method_number.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MILLION = 1000000,
    EXACT_DIGITS = 17, /* taken exactly; what is behind them is drawn */
    FLOAT_BYTES_MAX = 64,
    NUMBER_BYTES_MAX = 1024 * 1024,
    PERCENT_MAX = 99,
};

static bool read_decimal(struct cl_number *number, const char *s, size_t n)
{
    size_t p = 0;
    bool point = false;
    if (p < n && (s[p] == '-' || s[p] == '+')) {
        number->negative = s[p++] == '-';
    }
    if ((n - p == 3 && memcmp(s + p, "NaN", 3) == 0) ||
        (n - p == 8 && memcmp(s + p, "Infinity", 8) == 0)) {
        number->stays = true;
        return true;
    }
    size_t seen = 0;
    for (; p < n; p++) {
        if (s[p] == '.' && !point) {
            point = true;
            continue;
        }
        if (s[p] < '0' || s[p] > '9') {
            return false;
        }
        seen++;
        number->scale += point;
        if (s[p] != '0' || number->digits.len > 0) {
            cl_buf_addc(&number->digits, s[p]);
        }
    }
    return seen > 0 && !number->digits.failed;
}

static void write_decimal(const struct cl_number *number, struct cl_buf *out)
{
    const char *digits = cl_buf_str(&number->digits);
    size_t n = number->digits.len;
    size_t whole = n > number->scale ? n - number->scale : 0;
    if (number->negative && strspn(digits, "0") < n) {
        cl_buf_addc(out, '-');
    }
    size_t zeros = strspn(digits, "0");
    size_t from = zeros < whole ? zeros : whole;
    cl_buf_add(out, digits + from, whole - from);
    if (from == whole) {
        cl_buf_addc(out, '0');
    }
    if (number->scale > 0) {
        cl_buf_addc(out, '.');
        for (size_t i = n; i < number->scale; i++) {
            cl_buf_addc(out, '0');
        }
        cl_buf_add(out, digits + whole, n - whole);
    }
}

static bool read_float(double *out, const char *s, size_t n)
{
    char text[FLOAT_BYTES_MAX];
    char *end;
    if (n == 0 || n >= sizeof text || memchr(s, '\0', n)) {
        return false;
    }
    memcpy(text, s, n);
    text[n] = '\0';
    if (strspn(text, "+-.0123456789eE") != n && strcmp(text, "NaN") != 0 &&
        strcmp(text, "Infinity") != 0 && strcmp(text, "-Infinity") != 0) {
        return false; /* strtod knows more forms */
    }
    *out = strtod(text, &end);
    return end == text + n;
}

bool cl_number_read(struct cl_number *number, const struct cl_mask_method *method,
                    const struct cl_mask_value *value, struct cl_err *err)
{
    bool ok;
    memset(number, 0, sizeof *number);
    cl_buf_init(&number->digits, NUMBER_BYTES_MAX);
    number->floats = value->type == CL_MASK_FLOAT4 || value->type == CL_MASK_FLOAT8;
    if (number->floats) {
        ok = read_float(&number->real, value->in, value->n);
        number->stays = ok && !isfinite(number->real);
    } else {
        ok = read_decimal(number, value->in, value->n);
    }
    if (!ok) {
        cl_buf_fini(&number->digits);
    }
    return ok || cl_method_refuse(method, "a number", err);
}

void cl_number_write(struct cl_number *number, const struct cl_mask_value *value,
                     struct cl_buf *out)
{
    if (number->stays) {
        cl_buf_add(out, value->in, value->n);
    } else if (number->floats) {
        /* so many digits come back as they were given */
        cl_buf_addf(out, "%.*g", value->type == CL_MASK_FLOAT4 ? FLT_DIG : DBL_DIG, number->real);
    } else {
        write_decimal(number, out);
    }
    cl_buf_fini(&number->digits);
}

static bool make_noise(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                       struct cl_err *err)
{
    const char *text = cl_method_option(spec, "percent");
    double percent = 0;
    if (!text || !read_float(&percent, text, strlen(text)) || !(percent >= 0.01) ||
        percent > PERCENT_MAX) {
        return cl_fail(err, CL_INVALID, "E_METHOD",
                       "method 'noise' needs 'percent', from 0.01 to %d", PERCENT_MAX);
    }
    method->number = (uint64_t)llround(percent * (MILLION / 100));
    return true;
}

/* The first n digits. */
static uint64_t leading(const char *digits, size_t n)
{
    uint64_t number = 0;
    for (size_t i = 0; i < n; i++) {
        number = number * 10 + (uint64_t)(digits[i] - '0');
    }
    return number;
}

static uint64_t times(uint64_t number, uint64_t millionths)
{
    return number / MILLION * millionths + (number % MILLION * millionths + MILLION / 2) / MILLION;
}

/* The greatest value of the type whose digits these may be, cut to n of them; else no limit. */
static uint64_t limit_of(enum cl_mask_type type, size_t all, size_t n)
{
    const char *most = type == CL_MASK_INT2   ? "32767"
                       : type == CL_MASK_INT4 ? "2147483647"
                       : type == CL_MASK_INT8 ? "9223372036854775807"
                                              : "";
    return strlen(most) == all ? leading(most, n) : UINT64_MAX;
}

/* A number keeps its sign, its scale, and how many digits it has at most. */
static void disturb(struct cl_number *number, enum cl_mask_type type, uint64_t millionths,
                    const uint8_t digest[CL_SHA256_BYTES])
{
    struct cl_buf *digits = &number->digits;
    size_t n = digits->len < EXACT_DIGITS ? digits->len : EXACT_DIGITS;
    uint64_t before = leading(cl_buf_str(digits), n);
    uint64_t after = times(before, millionths);
    uint64_t power = 1;
    for (size_t i = 0; i < n; i++) {
        power *= 10;
    }
    if (after >= power || after >= limit_of(type, digits->len, n)) {
        after = times(before, 2 * (uint64_t)MILLION - millionths);
    }
    after = after > 0 ? after : before;
    for (size_t i = n; i-- > 0; after /= 10) {
        digits->data[i] = (char)('0' + after % 10);
    }
    for (size_t i = n; i < digits->len; i++) {
        digits->data[i] = (char)('0' + digest[i % CL_SHA256_BYTES] % 10);
    }
}

static double disturb_float(double number, enum cl_mask_type type, uint64_t millionths)
{
    double most = type == CL_MASK_FLOAT4 ? (double)FLT_MAX : DBL_MAX;
    double factor = (double)millionths / MILLION;
    return number * (fabs(number) > most / 2 && factor > 1 ? 2 - factor : factor);
}

static bool run_noise(const struct cl_mask_method *method, const struct cl_mask_value *value,
                      struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    uint8_t digest[CL_SHA256_BYTES];
    struct cl_number number;
    (void)is_null;
    if (!cl_number_read(&number, method, value, err)) {
        return false;
    }
    cl_method_digest(method, value->in, value->n, digest);
    uint64_t off = 1 + cl_method_below(digest, method->number);
    uint64_t millionths = digest[CL_SHA256_BYTES - 1] & 1 ? MILLION + off : MILLION - off;
    if (number.floats) {
        number.stays = number.stays || number.real == 0;
        number.real = disturb_float(number.real, value->type, millionths);
    } else if (number.digits.len > 0) {
        disturb(&number, value->type, millionths, digest);
    }
    cl_number_write(&number, value, out);
    return true;
}

const struct cl_method_kind cl_method_noise = {
    .name = "noise",
    .options = (const char *const[]){"percent", NULL},
    .types = CL_METHOD_TEXT | CL_METHOD_NUMBERS,
    .keyed = true,
    .clean = true,
    .make = make_noise,
    .run = run_noise,
};
