/* The fast search for what an at-sign may be made of and for base64, as this machine chooses it and
 * as it is on machines without AVX2, against one that looks at byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "mask/private.h"

static size_t portable_find_hit(const char *s, size_t n, size_t pos);
static size_t portable_find_run(const char *s, size_t n, size_t pos);
static size_t portable_search(const char *s, size_t n, size_t pos);
static bool portable_candidate(const char *s, size_t n);

#undef __x86_64__
#define cl_mask_find_hit portable_find_hit
#define cl_mask_find_run portable_find_run
#define cl_mask_search portable_search
#define cl_mask_candidate portable_candidate
#include "mask/search.c"
#undef cl_mask_find_hit
#undef cl_mask_find_run
#undef cl_mask_search
#undef cl_mask_candidate

enum { BYTES_MAX = 200, ROUNDS = 200 };

static uint32_t random_state = 12345;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static bool is_base64(char c)
{
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                              "+/-_=\\";
    return c && strchr(all, c);
}

static bool is_run(const char *s, size_t n)
{
    for (size_t i = 0; i < 16; i++) {
        if (i == n || !is_base64(s[i])) {
            return false;
        }
    }
    return true;
}

static bool is_mark_of_escape(char c)
{
    return c && strchr("=\\%&;", c);
}

/* Is the run at s[pos], with all that goes on with it, a word or a key? */
static bool slow_word(const char *s, size_t n, size_t pos, size_t *end)
{
    bool mark = pos > 0 && is_mark_of_escape(s[pos - 1]), capital = false;
    size_t p = pos;
    for (; p < n && is_base64(s[p]); p++) {
        mark = mark || is_mark_of_escape(s[p]);
        capital = capital || (s[p] >= 'A' && s[p] <= 'Z') ||
                  (p >= pos + 2 && memcmp(s + p - 2, "77y", 3) == 0);
    }
    *end = p;
    return !mark && p - pos < 60 && (p == n || !is_mark_of_escape(s[p])) &&
           (!capital || cl_mask_are_words(s, pos, p, length_bytes(s, n, pos)));
}

/* The first run that may be base64 and whose first 16 bytes end before `until`. */
static size_t slow_run(const char *s, size_t n, size_t pos, size_t until)
{
    while (pos < until) {
        size_t end = pos + 1;
        if (is_run(s + pos, until - pos) && !slow_word(s, n, pos, &end)) {
            return pos;
        }
        pos = end;
    }
    return until;
}

/* May the number of an at-sign stand there, after the n bytes before? */
static bool slow_led(const char *before, size_t n)
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
        char c = before[p - 1];
        if (c == '&' || c == '#' || c == ';' || c == '\0') {
            return c == '&' || c == '#' || (p > 4 && memcmp(before + p - 4, "amp;", 4) == 0);
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
    if (!s[0] || !strchr("%=&;\\", s[0])) {
        return false;
    }
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
        if (s[pos] == ' ') {
            continue; /* as most bytes here are */
        }
        /* the last two: with escapes only */
        const char *two[] = {"40", "64", "&c", ";c", "\xEF\xBC", "=\n", "=\r"};
        if (s[pos] == '@' || is_rare(s + pos, n - pos) || (escapes && s[pos] == '\\')) {
            return pos;
        }
        for (size_t i = 0; pos + 1 < n && i < sizeof two / sizeof *two - (escapes ? 0 : 2); i++) {
            if (memcmp(s + pos, two[i], 2) == 0 && (i > 1 || slow_led(s, pos))) {
                return pos;
            }
        }
    }
    return n;
}

static void compare_at(const char *s, size_t n, size_t pos)
{
    size_t hit = slow(s, n, pos, true), run = slow_run(s, n, pos, hit);
    size_t plain = slow(s, n, pos, false), any_run = slow_run(s, n, pos, n);
    assert_int_equal(cl_mask_find_hit(s, n, pos), plain);
    assert_int_equal(portable_find_hit(s, n, pos), plain);
    assert_int_equal(cl_mask_find_run(s, n, pos), any_run);
    assert_int_equal(portable_find_run(s, n, pos), any_run);
    assert_int_equal(cl_mask_search(s, n, pos), run < hit ? run : hit);
    assert_int_equal(portable_search(s, n, pos), run < hit ? run : hit);
    assert_int_equal(portable_candidate(s, n), cl_mask_candidate(s, n));
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
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char text[BYTES_MAX] = {0};
        size_t n = (size_t)round % BYTES_MAX;
        for (size_t i = 0; i < n; i++) {
            text[i] = alphabet[next_random(sizeof alphabet - 1)];
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

/* Words of all lengths up to what is a run, and numbers, as text has them; what ends them is one of
 * the bytes that are hardest to tell from base64. */
static void long_texts(void **state)
{
    static const char *const letters[] = {"abcXYZ", "0123456789", "4064060x5%#",
                                          "AZaz09+/-_=", "abc\xC3\xA4\xEF\xBC\xA0"};
    static const char ends[] = "     .,:@`;[{|]}^~?\x7F\n\"&<>";
    enum { TEXT_BYTES = 700, TEXTS = 200 };
    (void)state;
    for (uint32_t round = 0; round < TEXTS; round++) {
        char text[TEXT_BYTES];
        size_t n = 1 + next_random(TEXT_BYTES), at = 0;
        while (at < n) {
            const char *from = letters[next_random(5)];
            for (uint32_t len = next_random(round % 2 ? 12 : 19); len > 0 && at < n; len--) {
                text[at++] = from[next_random((uint32_t)strlen(from))];
            }
            if (at < n) {
                text[at++] = ends[next_random(sizeof ends - 1)];
            }
        }
        char *s = exactly(text, n);
        for (size_t pos = 0; pos < n; pos += 1 + next_random(60)) {
            compare_at(s, n, pos);
        }
        free(s);
    }
}

/* Wherever the run and the byte in it lie in the blocks that are looked at at once. */
static void every_byte_in_a_run(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 80; at += 5 + byte % 5) {
            char s[160];
            memset(s, ' ', sizeof s);
            memset(s + at, 'x', 16);
            s[at + 7] = (char)byte;
            compare_at(s, sizeof s, 0);
            compare_at(s, at + 20, at / 2);
            s[at + 7] = 'x';
            s[at + 16] = (char)byte;
            compare_at(s, sizeof s, at + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_in_every_length),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(long_rows),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(every_byte_in_a_run),
    };
    return cmocka_run_group_tests_name("mask_search", tests, NULL, NULL);
}
