/* The fast search for what an at-sign may be made of, against one that looks at byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "mask/private.h"

enum { BYTES_MAX = 200, ROUNDS = 200 };

static bool is_run(const char *s, size_t n)
{
    for (size_t i = 0; i < 16; i++) {
        static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "+/-_=\\";
        if (i == n || !s[i] || !strchr(all, s[i])) {
            return false;
        }
    }
    return true;
}

static size_t slow_run(const char *s, size_t n, size_t pos)
{
    while (pos < n && !is_run(s + pos, n - pos)) {
        pos++;
    }
    return pos;
}

/* May the number of an at-sign stand there, after the n bytes before? */
static bool is_led(const char *before, size_t n)
{
    static const char *const leads[] = {"%",  "=",  "x",  "X",  "0",  "#",  "{", "25",
                                        "23", "3d", "3D", "7b", "7B", "3b", "3B"};
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        size_t len = strlen(leads[i]);
        if (n >= len && memcmp(before + n - len, leads[i], len) == 0) {
            return true;
        }
    }
    if (n == 0 || before[n - 1] != ';') {
        return false;
    }
    for (size_t p = n - 1; p > 0 && n - p < 10; p--) { /* the name before the semicolon */
        if (before[p - 1] == '&' || before[p - 1] == ';') {
            return before[p - 1] == '&' || (p > 4 && memcmp(before + p - 4, "amp;", 4) == 0);
        }
    }
    return false;
}

static bool begins(const char *s, size_t n, const char *with)
{
    size_t len = strlen(with);
    return n >= len && strncasecmp(s, with, len) == 0;
}

static bool is_rare(const char *s, size_t n)
{
    static const char *const forms[] = {"%EF%BC%A0", "=EF=BC=A0", "&#xFF20",   "&#65312",
                                        ";#xFF20",   ";#65312",   "&#x00FF20", "&#065312"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (begins(s, n, forms[i])) {
            return true;
        }
    }
    return (s[0] == '\\' || s[0] == '%') && n > 1 && s[1] == 'u' &&
           (begins(s + 2, n - 2, "FF20") || begins(s + 2, n - 2, "0026commat"));
}

static size_t slow(const char *s, size_t n, size_t pos, bool escapes)
{
    for (; pos < n; pos++) {
        /* the last two: with escapes only */
        const char *two[] = {"40", "64", "&c", ";c", "\xEF\xBC", "=\n", "=\r"};
        if (s[pos] == '@' || is_rare(s + pos, n - pos) || (escapes && s[pos] == '\\')) {
            return pos;
        }
        for (size_t i = 0; pos + 1 < n && i < sizeof two / sizeof *two - (escapes ? 0 : 2); i++) {
            if ((i > 1 || is_led(s, pos)) && memcmp(s + pos, two[i], 2) == 0) {
                return pos;
            }
        }
    }
    return n;
}

static void compare_at(const char *s, size_t n, size_t pos)
{
    size_t hit = slow(s, n, pos, true), run = slow_run(s, hit, pos);
    assert_int_equal(cl_mask_find_hit(s, n, pos), slow(s, n, pos, false));
    assert_int_equal(cl_mask_find_run(s, n, pos), slow_run(s, n, pos));
    assert_int_equal(cl_mask_search(s, n, pos), run < hit ? run : hit);
}

/* Memory of just that size, so that a sanitizer sees what is read beyond it. */
static char *exactly(const char *s, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, s, n);
    return copy;
}

static void every_place_in_every_length(void **state)
{
    static const char *const hits[] = {"@",         "40",        "%40",
                                       "=40",       "x40",       "2540",
                                       "#64",       "064",       "164",
                                       "&c",        ";c",        "\xEF\xBC",
                                       "\\",        "4",         "44",
                                       "\xEF",      "=\n",       "ABCDEFGHIJKLMNOP",
                                       "2364",      "3D40",      "7b40",
                                       "{40",       "&num;64",   "&amp;#37;40",
                                       ";40",       "540",       "%EF%BC%A0",
                                       "=ef=bc=a0", "=EF%BC=A0", "\\uff20",
                                       "%uFF20",    "=uFF20",    "\\u0026commat",
                                       "&#xFF20",   ";#65312",   "&#x00FF20",
                                       "&#065312",  "&#1"};
    (void)state;
    for (size_t i = 0; i < sizeof hits / sizeof *hits; i++) {
        size_t len = strlen(hits[i]);
        for (size_t n = len; n < 140; n += 1 + n / 40) {
            for (size_t at = 0; at + len <= n; at++) {
                char text[BYTES_MAX];
                memset(text, ' ', n);
                memcpy(text + at, hits[i], len);
                char *s = exactly(text, n);
                compare_at(s, n, 0);
                free(s);
            }
        }
    }
}

static void random_bytes(void **state)
{
    static const char alphabet[] =
        "2346570@&;#c\\uFab%\xEF\xBC= \n\r zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
    uint32_t random = 12345;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char text[BYTES_MAX];
        size_t n = (size_t)round % BYTES_MAX;
        for (size_t i = 0; i < n; i++) {
            random = random * 1664525u + 1013904223u;
            text[i] = alphabet[(random >> 8) % (sizeof alphabet - 1)];
        }
        char *s = exactly(text, n);
        for (size_t pos = 0; pos <= n; pos++) {
            compare_at(s, n, pos);
        }
        free(s);
    }
}

/* Long rows of nothing are looked at a piece at a time. */
static void long_rows(void **state)
{
    static const char *const things[] = {"40", "=\n", "ABCDEFGHIJKLMNOP"};
    enum { ROW_BYTES = 9000 };
    (void)state;
    for (size_t at = 0; at<ROW_BYTES - 16; at += at % 4096> 4060 ? 1u : 37u) {
        char *s = malloc(ROW_BYTES);
        assert_non_null(s);
        memset(s, ' ', ROW_BYTES);
        memcpy(s + at, things[at % 3], strlen(things[at % 3]));
        compare_at(s, ROW_BYTES, 0);
        compare_at(s, ROW_BYTES, at / 2);
        free(s);
    }
}

static void every_byte_in_a_run(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char s[160];
        memset(s, ' ', sizeof s);
        memset(s + 50, 'x', 16);
        s[57] = (char)byte;
        assert_int_equal(cl_mask_find_run(s, sizeof s, 0), slow_run(s, sizeof s, 0));
        assert_int_equal(cl_mask_find_run(s, 70, 20), slow_run(s, 70, 20));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_in_every_length),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(long_rows),
        cmocka_unit_test(every_byte_in_a_run),
    };
    return cmocka_run_group_tests_name("mask_search", tests, NULL, NULL);
}
