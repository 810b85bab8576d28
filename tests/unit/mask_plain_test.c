/*
 * Why the search may pass over base64 without capital letters: proof that no at-sign is in it.
 *
 * A character of base64 is six bits. Those without capitals stand for 26 and more, so that some
 * bytes cannot be made of them: the first of three is 0x68 or more, the low half of the second 6 or
 * more, the low six bits of the third 26 or more. Each spelling of an at-sign has bytes in a row
 * that cannot all be made, wherever in its three bytes the first of them falls. For base64 in
 * base64 the question is asked of the characters of the inner one. Sets of what may stand in a
 * place are wider than what can stand there together; a proof for these holds all the more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mask/private.h"

enum {
    BYTES_MAX = 64,   /* of a row of sets */
    CAPITALS = 26,    /* they stand for 0 to 25 */
    DEPTH_MAX = 3,    /* base64 in base64 in base64, as layers.c looks for it */
    ALTERNATIVES = 2, /* characters that stand for the same: + and -, / and _ */
    BITS = 64,        /* of a set of six bits */
};

/* What may stand in a place: a bit for each byte. */
struct set {
    uint64_t bits[4];
};

/* Places in a row. */
struct row {
    size_t n;
    struct set at[BYTES_MAX];
};

static void put(struct set *set, unsigned char c)
{
    set->bits[c / 64] |= (uint64_t)1 << c % 64;
}

static bool has(const struct set *set, unsigned c)
{
    return set->bits[c / 64] >> c % 64 & 1;
}

/* A place for each character of the text, in either case when it is a letter; "[#0;3]" is one place
 * for any of these. */
static void read_row(const char *text, struct row *row)
{
    memset(row, 0, sizeof *row);
    for (bool open = false; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '[' || c == ']') {
            open = c == '[';
            row->n += c == ']';
            continue;
        }
        put(&row->at[row->n], c);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            put(&row->at[row->n], c ^ 32);
        }
        row->n += !open;
    }
}

/* What the index-th six bits may be when the row's first byte is the begin-th; anything may stand
 * around it. */
static uint64_t sextets(const struct row *row, size_t begin, size_t index)
{
    static const struct set all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    size_t bit = index * 6, byte = bit / 8, shift = bit % 8;
    const struct set *first =
        byte < begin || byte - begin >= row->n ? &all : &row->at[byte - begin];
    const struct set *second =
        byte + 1 < begin || byte + 1 - begin >= row->n ? &all : &row->at[byte + 1 - begin];
    uint64_t found = 0;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; has(first, a) && b < 256; b++) {
            if (has(second, b)) {
                found |= (uint64_t)1 << ((a << 8 | b) >> (10 - shift) & 63);
            }
        }
    }
    return found;
}

/* The characters of base64 that may hold the row when its first byte is the begin-th of three. */
static void encode(const struct row *row, size_t begin, struct row *out)
{
    static const char standard[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t from = begin * 8 / 6, to = ((begin + row->n) * 8 + 5) / 6;
    memset(out, 0, sizeof *out);
    assert_true(to - from <= BYTES_MAX);
    for (size_t i = from; i < to; i++, out->n++) {
        uint64_t found = sextets(row, begin, i);
        for (unsigned v = 0; v < BITS; v++) {
            if (found >> v & 1) {
                put(&out->at[out->n], (unsigned char)standard[v]);
                if (v >= BITS - ALTERNATIVES) {
                    put(&out->at[out->n], v == BITS - 1 ? '_' : '-');
                }
            }
        }
    }
}

static bool can_be_plain(const struct row *row)
{
    for (size_t i = 0; i < row->n; i++) {
        struct set small = row->at[i];
        for (unsigned char c = 'A'; c <= 'Z'; c++) {
            small.bits[c / 64] &= ~((uint64_t)1 << c % 64);
        }
        if (!(small.bits[0] | small.bits[1])) {
            return false;
        }
    }
    return true;
}

/* Puts around the row what an address has at least: a byte before its at-sign, four behind. */
static void put_around(struct row *row)
{
    enum { BEFORE = 1, BEHIND = 4 };
    assert_true(BEFORE + row->n + BEHIND <= BYTES_MAX);
    memmove(row->at + BEFORE, row->at, row->n * sizeof *row->at);
    row->n += BEFORE + BEHIND;
    for (size_t i = 0; i < row->n; i++) {
        if (i < BEFORE || i >= row->n - BEHIND) {
            memset(&row->at[i], 0xFF, sizeof row->at[i]);
        }
    }
}

/* Fails when base64 without capitals may hold the row, or base64 that does, in so many layers. */
static void never_plain(const char *name, const struct row *row, unsigned depth, unsigned layers)
{
    for (size_t begin = 0; begin < 3; begin++) {
        struct row chars;
        encode(row, begin, &chars);
        if (can_be_plain(&chars)) {
            fail_msg("%s, byte %zu of 3, in %u layer(s) of base64", name, begin, depth);
        }
        if (depth < layers) {
            never_plain(name, &chars, depth + 1, layers);
        }
    }
}

/* What every spelling of an at-sign has, as escapes.c reads them; bytes beside an at-sign may be
 * spelled again, which is longer. */
static const struct {
    const char *text;
    unsigned layers; /* of base64, up to which it needs capitals */
} spellings[] = {
    {"@", DEPTH_MAX},        /* itself */
    {"40", DEPTH_MAX},       /* %40 =40 \\x40 \\u0040 &#x40; ... */
    {"[#0;3]64", DEPTH_MAX}, /* &#64; &num;64 &#064; %2364 ... */
    {"23}64", DEPTH_MAX},    /* \\u{23}64 */
    {"commat", DEPTH_MAX},   /* &commat; */
    {"ff20", 1},             /* \\uFF20 &#xFF20; */
    {"65312", 1},            /* &#65312; */
    {"ef", 1},               /* %EF%BC%A0 */
};

static void no_spelling_of_an_at_sign(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct row row;
        read_row(spellings[i].text, &row);
        put_around(&row);
        never_plain(spellings[i].text, &row, 1, spellings[i].layers);
    }
}

/* Soft line breaks may cut any of them. */
static void no_spelling_that_is_cut(void **state)
{
    static const char *const breaks[] = {"=\n",    "=\r\n",  "=\\n",   "=\\r\\n",
                                         "=\\\\n", "=&#10;", "=&#xa;", "=%0a"};
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct row whole;
        read_row(spellings[i].text, &whole);
        for (size_t k = 0; k < sizeof breaks / sizeof *breaks; k++) {
            struct row cut;
            read_row(breaks[k], &cut);
            for (size_t gap = 1; gap < whole.n; gap++) {
                struct row row = {.n = whole.n + cut.n};
                memcpy(row.at, whole.at, gap * sizeof *row.at);
                memcpy(row.at + gap, cut.at, cut.n * sizeof *row.at);
                memcpy(row.at + gap + cut.n, whole.at + gap, (whole.n - gap) * sizeof *row.at);
                put_around(&row);
                never_plain(spellings[i].text, &row, 1, spellings[i].layers);
            }
        }
    }
}

static void full_width_only_as_77yg(void **state)
{
    struct row row, chars;
    (void)state;
    read_row("\xEF\xBC\xA0", &row);
    for (size_t begin = 0; begin < 3; begin++) {
        encode(&row, begin, &chars);
        assert_int_equal(can_be_plain(&chars), begin == 0);
        if (begin == 0) {
            struct row known;
            memset(&known, 0, sizeof known);
            known.n = 4;
            for (size_t i = 0; i < 4; i++) {
                put(&known.at[i], (unsigned char)"77yg"[i]);
            }
            assert_int_equal(chars.n, 4);
            assert_memory_equal(chars.at, known.at, 4 * sizeof *known.at);
        }
    }
}

/* The proof is able to fail: what has no capitals is said to. */
static void other_text_can_be_plain(void **state)
{
    struct row row, chars;
    bool any = false;
    (void)state;
    read_row("hij", &row);
    for (size_t begin = 0; begin < 3; begin++) {
        encode(&row, begin, &chars);
        any = any || can_be_plain(&chars);
    }
    assert_true(any);
}

static size_t find(const char *s)
{
    return cl_mask_find_run(s, strlen(s), 0);
}

static void what_is_passed_over(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "x 3998f40ab605512d599d8b96550e0823 y", "jose-vries_nordmann-hansen.example",
        "/a/small/path/of/words/only",          "/api/v1/Contact/31331",
        "3998F40AB605512D599D8B96550E0823",
    };
    static const char *const others[] = {
        "am9obkBjb21wYW55LmNvbQ",    "abcdefghijklmnop=",
        "abcdefghijklmnop%3D",       "%2Babcdefghijklmnop",
        "abcdefghijklmnop&#43;",     "am9&#43;abcdefghijklmnop",
        "am8xam8x77ygbm8xbi56",      "abcdefghijklmnop\\/",
        "ab\\u002babcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx",
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        assert_int_equal(find(plain[i]), strlen(plain[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char later[200] = "Some words before it, so that it lies in another block of bytes: ";
        assert_true(find(others[i]) < strlen(others[i]));
        strncat(later, others[i], sizeof later - strlen(later) - 1);
        assert_true(find(later) < strlen(later));
    }
}

/* In binary COPY data the length of a value stands right before it. */
static void a_length_before_it(void **state)
{
    static const char *const lengths[] = {"A", "5", "zZ", "+/", "aB-", "9_Z"};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t before = 0; before < 70; before += 23) {
            char row[200];
            memset(row, '.', before);
            memset(row + before, 0, 4);
            size_t at = before + 4 - strlen(lengths[i]), n = before + 4;
            memcpy(row + at, lengths[i], strlen(lengths[i]));
            n += (size_t)snprintf(row + n, sizeof row - n, "am9obkBjb21wYW55LmNvbQ");
            assert_int_equal(cl_mask_find_run(row, n, 0), at);
            assert_int_equal(cl_mask_search(row, n, 0), at);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_spelling_of_an_at_sign), cmocka_unit_test(no_spelling_that_is_cut),
        cmocka_unit_test(full_width_only_as_77yg),   cmocka_unit_test(other_text_can_be_plain),
        cmocka_unit_test(what_is_passed_over),       cmocka_unit_test(a_length_before_it),
    };
    return cmocka_run_group_tests_name("mask_plain", tests, NULL, NULL);
}
