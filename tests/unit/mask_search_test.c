/* The fast search for what an at-sign may be made of, against one that looks at byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mask/private.h"

enum { BYTES_MAX = 200, ROUNDS = 400 };

static size_t slow(const char *s, size_t n, size_t pos, bool escapes)
{
    for (; pos < n; pos++) {
        const char *two[] = {"40", "64", "&c", "\xEF\xBC"};
        if (s[pos] == '@' || (escapes && s[pos] == '\\')) {
            return pos;
        }
        for (size_t i = 0; pos + 1 < n && i < sizeof two / sizeof *two; i++) {
            if (memcmp(s + pos, two[i], 2) == 0) {
                return pos;
            }
        }
    }
    return n;
}

static void compare(const char *s, size_t n)
{
    for (size_t pos = 0; pos <= n; pos++) {
        assert_int_equal(cl_mask_find_hit(s, n, pos), slow(s, n, pos, false));
        assert_int_equal(cl_mask_search(s, n, pos), slow(s, n, pos, true));
    }
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
    static const char *const hits[] = {"@", "40", "64", "&c", "\xEF\xBC", "\\", "4", "44", "\xEF"};
    (void)state;
    for (size_t i = 0; i < sizeof hits / sizeof *hits; i++) {
        size_t len = strlen(hits[i]);
        for (size_t n = len; n < 140; n += 1 + n / 40) {
            for (size_t at = 0; at + len <= n; at++) {
                char text[BYTES_MAX];
                memset(text, 'x', n);
                memcpy(text + at, hits[i], len);
                char *s = exactly(text, n);
                assert_int_equal(cl_mask_find_hit(s, n, 0), slow(s, n, 0, false));
                assert_int_equal(cl_mask_search(s, n, 0), slow(s, n, 0, true));
                free(s);
            }
        }
    }
}

static void random_bytes(void **state)
{
    static const char alphabet[] = "460@&c\\ab\xEF\xBC zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
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
        compare(s, n);
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_in_every_length),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests_name("mask_search", tests, NULL, NULL);
}
