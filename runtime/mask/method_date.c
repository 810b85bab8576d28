/* Dates and timestamps as PostgreSQL writes them (DateStyle ISO): "2024-02-29", "0044-03-15 BC",
 * "2024-02-29 12:30:00.5+01", "infinity". */
#include "method_date.h"

#include <string.h>

enum {
    YEAR_DIGITS_MAX = 7,
    DAYS_MAX = 366 * 100,
    DATE_YEAR_MAX = 5874896, /* PostgreSQL's limits, less a year */
    STAMP_YEAR_MAX = 294275,
    YEAR_MIN = -4711, /* 4712 BC */
};

static bool digits(const char *s, size_t n, size_t *pos, size_t least, size_t most, int *out)
{
    size_t begin = *pos;
    *out = 0;
    while (*pos < n && *pos - begin < most && s[*pos] >= '0' && s[*pos] <= '9') {
        *out = *out * 10 + (s[(*pos)++] - '0');
    }
    return *pos - begin >= least;
}

static bool skip(const char *s, size_t n, size_t *pos, char c)
{
    bool there = *pos < n && s[*pos] == c;
    *pos += there;
    return there;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

bool cl_stamp_parse(struct cl_stamp *stamp, const char *s, size_t n)
{
    size_t p = 0;
    memset(stamp, 0, sizeof *stamp);
    if ((n == 8 && memcmp(s, "infinity", 8) == 0) || (n == 9 && memcmp(s, "-infinity", 9) == 0)) {
        stamp->endless = true;
        return true;
    }
    if (!digits(s, n, &p, 4, YEAR_DIGITS_MAX, &stamp->year) || !skip(s, n, &p, '-') ||
        !digits(s, n, &p, 2, 2, &stamp->month) || !skip(s, n, &p, '-') ||
        !digits(s, n, &p, 2, 2, &stamp->day)) {
        return false;
    }
    if (n - p >= 3 && memcmp(s + n - 3, " BC", 3) == 0) {
        n -= 3;
        stamp->year = 1 - stamp->year;
    }
    stamp->rest = s + p;
    stamp->n_rest = n - p;
    for (size_t i = 0; i < stamp->n_rest; i++) {
        if (stamp->rest[i] == '\0' || !strchr(i == 0 ? " T" : "0123456789:.,+-Z", stamp->rest[i])) {
            return false;
        }
    }
    return stamp->month >= 1 && stamp->month <= 12 && stamp->day >= 1 &&
           stamp->day <= month_days(stamp->year, stamp->month);
}

void cl_stamp_write(const struct cl_stamp *stamp, struct cl_buf *out)
{
    bool bc = stamp->year <= 0;
    cl_buf_addf(out, "%04d-%02d-%02d", bc ? 1 - stamp->year : stamp->year, stamp->month,
                stamp->day);
    cl_buf_add(out, stamp->rest, stamp->n_rest);
    if (bc) {
        cl_buf_adds(out, " BC");
    }
}

static int floor_div(int a, int b)
{
    return a / b - (a % b < 0);
}

/* Days since 1 March of the year 0; years begin in March, so that leap days end them. */
static int to_days(const struct cl_stamp *stamp)
{
    int year = stamp->year - (stamp->month < 3);
    int month = (stamp->month + 9) % 12;
    return 365 * year + floor_div(year, 4) - floor_div(year, 100) + floor_div(year, 400) +
           (153 * month + 2) / 5 + stamp->day - 1;
}

static void from_days(struct cl_stamp *stamp, int days)
{
    static const int cycle = 146097; /* days of 400 years */
    int era = floor_div(days, cycle);
    int left = days - era * cycle;
    int year = (left - left / 1460 + left / 36524 - left / 146096) / 365;
    left -= 365 * year + year / 4 - year / 100;
    int month = (5 * left + 2) / 153;
    stamp->day = left - (153 * month + 2) / 5 + 1;
    stamp->month = month < 10 ? month + 3 : month - 9;
    stamp->year = year + era * 400 + (stamp->month < 3);
}

static bool in_range(const struct cl_stamp *stamp, enum cl_mask_type type)
{
    return stamp->year >= YEAR_MIN &&
           stamp->year <= (type == CL_MASK_TIMESTAMP ? STAMP_YEAR_MAX : DATE_YEAR_MAX);
}

static bool make_shift(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                       struct cl_err *err)
{
    return cl_method_number(spec, "days", 1, DAYS_MAX, 0, &method->number, err) &&
           cl_method_copy(&method->by, cl_method_option(spec, "by"), err);
}

/* By 1 to so many days, to either side: all that one value decides about move together. */
static bool run_shift(const struct cl_mask_method *method, const struct cl_mask_value *value,
                      struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    struct cl_stamp stamp;
    uint8_t digest[CL_SHA256_BYTES];
    bool by = method->by && value->by;
    (void)is_null;
    if (!cl_stamp_parse(&stamp, value->in, value->n)) {
        return cl_method_refuse(method, "a date or a timestamp", err);
    }
    if (stamp.endless) {
        cl_buf_add(out, value->in, value->n);
        return true;
    }
    cl_method_digest(method, by ? value->by : value->in, by ? value->n_by : value->n, digest);
    int shift = 1 + (int)cl_method_below(digest, method->number);
    shift = digest[CL_SHA256_BYTES - 1] & 1 ? shift : -shift;
    int days = to_days(&stamp);
    from_days(&stamp, days + shift);
    if (!in_range(&stamp, value->type)) {
        from_days(&stamp, days - shift);
    }
    cl_stamp_write(&stamp, out);
    return true;
}

const struct cl_method_kind cl_method_date_shift = {
    .name = "date_shift",
    .options = (const char *const[]){"days", "by", NULL},
    .types = CL_METHOD_TEXT | CL_METHOD_DATES,
    .keyed = true,
    .clean = true,
    .make = make_shift,
    .run = run_shift,
};
