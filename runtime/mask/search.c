/*
 * One fast pass over bytes: where might the spelling of an at-sign begin, where base64?
 *
 * Blocks are compared as a whole: 64 bytes with AVX2 where the processor has it, else 16 at a time,
 * which GCC and clang turn into SSE2 or NEON. Which one is asked at run time; both give the same.
 */
#include "private.h"

#include <string.h>
#include <strings.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum {
    LANES = 16,
    RUN_BYTES = 16,      /* of base64: fewer in a row are words */
    LINE_LEAST = 60,     /* bytes of a line of base64 that goes on below */
    WINDOW_BYTES = 4096, /* looked at for one thing, then for the other, while
                            they are near */
};

typedef uint8_t lanes __attribute__((vector_size(LANES)));
typedef uint64_t halves __attribute__((vector_size(LANES)));

/* Does an entity end before s[at], its ampersand perhaps escaped, also again and again? */
static bool after_entity(const char *s, size_t at)
{
    enum { NAME_BYTES = 8 };
    size_t p = at - 1; /* the semicolon */
    while (p > 0 && at - p <= NAME_BYTES && !strchr("&;#", s[p - 1])) {
        p--;
    }
    return p > 0 &&
           (s[p - 1] == '&' || s[p - 1] == '#' || (p > 4 && memcmp(s + p - 4, "amp;", 4) == 0));
}

/* Can 40 or 64 at s[at] be the number of a spelling? %40 =40 \x40 \u0040 \u{40} &#64; &#x40; Their
 * marks may be escapes, too: %2540 %23x40 =3D40 \u%7B40, or end with one: &#37;40 &num;64; %3B40 */
static inline bool is_led(const char *s, size_t at)
{
    unsigned char c = at > 0 ? (unsigned char)s[at - 1] : 0;
    unsigned char before = at > 1 ? (unsigned char)s[at - 2] : 0;
    return c == '%' || c == '=' || c == 'x' || c == 'X' || c == '0' || c == '#' || c == '{' ||
           (before == '2' && (c == '5' || c == '3')) ||
           (before == '3' && ((c | 32) == 'd' || (c | 32) == 'b')) ||
           (before == '7' && (c | 32) == 'b') || (c == ';' && after_entity(s, at));
}

/* Does the escape of an at-sign begin at s[at] that has neither 40 nor 64? &#xFF20; &#65312; \uFF20
 * %uFF20 %EF%BC%A0 =EF=BC=A0 \u0026commat; */
static bool is_rare_at(const char *s, size_t n, size_t at)
{
    enum { ZEROS_MAX = 6 };
    size_t p = at + 2;
    if (s[at + 1] == '#') {
        bool hexadecimal = p < n && (s[p] | 32) == 'x';
        p += hexadecimal;
        for (size_t zeros = 0; p < n && s[p] == '0' && zeros < ZEROS_MAX; zeros++) {
            p++;
        }
        return hexadecimal ? n - p >= 4 && strncasecmp(s + p, "ff20", 4) == 0
                           : n - p >= 5 && memcmp(s + p, "65312", 5) == 0;
    }
    if (s[at + 1] == 'u') {
        return s[at] != '=' && ((n - p >= 4 && strncasecmp(s + p, "ff20", 4) == 0) ||
                                (n - p >= 10 && memcmp(s + p, "0026commat", 10) == 0));
    }
    return s[at] != '\\' && n - at >= 9 && s[at + 3] == s[at] && s[at + 6] == s[at] &&
           strncasecmp(s + at + 1, "ef", 2) == 0 && strncasecmp(s + at + 4, "bc", 2) == 0 &&
           strncasecmp(s + at + 7, "a0", 2) == 0;
}

/* May a spelling hold the byte at s[at]? "@", "40", "64", "&c", ";c", U+FF20; with escapes "\" and
 * a soft line break. Numbers are frequent in text, so what stands around them is looked at, too. */
static inline bool is_hit(const char *s, size_t n, size_t at, bool escapes)
{
    unsigned char a = (unsigned char)s[at];
    unsigned char b = at + 1 < n ? (unsigned char)s[at + 1] : 0;
    if ((a == '4' && b == '0') || (a == '6' && b == '4')) {
        return is_led(s, at);
    }
    if (a == '@' || (a == 0xEF && b == 0xBC) || ((a == '&' || a == ';') && b == 'c') ||
        (escapes && (a == '\\' || (a == '=' && (b == '\n' || b == '\r'))))) {
        return true;
    }
    bool rare = a == '&' || a == ';' ? b == '#' : b == 'u' || (b | 32) == 'e';
    return rare && (a == '&' || a == ';' || a == '%' || a == '=' || a == '\\') &&
           is_rare_at(s, n, at);
}

/* Which of the 16 bytes at p, each with the byte after it, may make a hit: all
 * that do, and few that do not ("44", "60", "&#", "=e"), for fewer comparisons.
 * Reads 17 bytes. */
static inline halves hits(const char *p, bool escapes)
{
    lanes a, b;
    memcpy(&a, p, LANES);
    memcpy(&b, p + 1, LANES);
    lanes hit = (lanes)((a == '@') | (((a & 0xFD) == '4') & ((b & 0xFB) == '0')) |
                        (((a == '&') | (a == ';')) & ((b & 0xBF) == '#')) | (a == 0xEF) |
                        (((a == '%') | (a == '=') | (a == '\\')) & ((b & 0xCF) == 'E')));
    if (escapes) {
        hit |= (lanes)((a == '\\') | ((a == '=') & ((b & 0xF8) == '\b')));
    }
    return (halves)hit;
}

/* The place of the first of them; some hold. */
static inline size_t first_of(halves hit)
{
    size_t half = hit[0] ? 0 : 1;
    uint64_t bytes = hit[half];
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    return half * sizeof bytes + (size_t)__builtin_ctzll(bytes) / 8;
}

/* The first byte at or after pos that may begin a hit, or where the last 16
 * bytes or fewer begin, which are not looked at. */
static inline size_t skip_portable(const char *s, size_t n, size_t pos, bool escapes)
{
    for (; n - pos > LANES; pos += LANES) {
        halves hit = hits(s + pos, escapes);
        if (hit[0] | hit[1]) {
            return pos + first_of(hit);
        }
    }
    return pos;
}

/* The same, to the end: what is left are at most 16 bytes. */
static inline size_t skip_tail(const char *s, size_t n, size_t pos, bool escapes)
{
    char copy[LANES + 1] = {0};
    if (n <= LANES) {
        memcpy(copy, s + pos, n - pos);
        halves hit = hits(copy, escapes);
        return hit[0] | hit[1] ? pos + first_of(hit) : n;
    }
    static const lanes index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    size_t block = n - LANES - 1; /* those before pos do not count */
    halves hit = hits(s + block, escapes) & (halves)(lanes)(index >= (uint8_t)(pos - block));
    return hit[0] | hit[1] ? block + first_of(hit) : n - 1;
}

static size_t find_hit_portable(const char *s, size_t n, size_t pos, bool escapes)
{
    for (; pos < n; pos++) {
        pos = skip_portable(s, n, pos, escapes);
        if (n - pos <= LANES) {
            pos = skip_tail(s, n, pos, escapes);
        }
        if (pos == n) {
            break;
        }
        if (is_hit(s, n, pos, escapes)) {
            return pos;
        }
    }
    return n;
}

static size_t find_run_portable(const char *s, size_t n, size_t pos)
{
    while (n - pos >= RUN_BYTES) {
        size_t p = pos + RUN_BYTES; /* from the end: the last blank says where to go on */
        while (p > pos && cl_mask_is_dense((unsigned char)s[p - 1])) {
            p--;
        }
        if (p == pos) {
            return pos;
        }
        pos = p;
    }
    return n;
}

static inline bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* What may be part of an escape that goes on with base64 or ends before it (%2B, &#43;), of its
 * padding or of a line's end. */
static inline bool is_mark(char c)
{
    return c == '=' || c == '\\' || c == '%' || c == '&' || c == ';';
}

enum { LENGTH_BYTES = 4 }; /* before a value, when records are searched whole */

/* How many of the bytes from s[pos] on may be the length of the value behind them? One that reaches
 * there begins with a byte that is no text, but for one of 512 MB. */
static size_t length_bytes(const char *s, size_t n, size_t pos)
{
    bool any = n >> 29 > 0;
    for (size_t k = 1; k <= LENGTH_BYTES && k <= pos; k++) {
        any = any || (unsigned char)s[pos - k] < ' ';
    }
    return any ? LENGTH_BYTES - 1 : 0;
}

/*
 * Is the run at s[pos] a word, a name or a key, alone? *end is set to the byte after it.
 *
 * It is when there are only small letters, digits and signs: base64 of text with an at-sign has a
 * capital letter, whatever spells the at-sign and however often it is wrapped again
 * (tests/unit/mask_plain_test.c proves it). For an at-sign in full width, U+FF20, that holds for
 * one layer, where it may also be 77yg.
 */
static bool is_harmless(const char *s, size_t n, size_t pos, size_t *end)
{
    size_t p = pos;
    bool capital = false, alone = pos == 0 || !is_mark(s[pos - 1]);
    for (; alone && p < n && cl_mask_is_dense((unsigned char)s[p]); p++) {
        alone = !is_mark(s[p]);
        capital = capital || is_capital(s[p]) ||
                  (s[p] == 'y' && p - pos >= 2 && s[p - 1] == '7' && s[p - 2] == '7');
    }
    *end = p;
    if (!alone || p - pos >= LINE_LEAST || (p < n && is_mark(s[p]))) {
        return false;
    }
    return !capital || cl_mask_are_words(s, pos, p, length_bytes(s, n, pos));
}

/* The first run between pos and end that may be base64; end for none. */
static size_t find_base64(const char *s, size_t n, size_t pos, size_t end)
{
    size_t behind;
    while (pos < end && (pos = find_run_portable(s, end, pos)) < end) {
        if (!is_harmless(s, n, pos, &behind)) {
            return pos;
        }
        pos = behind;
    }
    return end;
}

static size_t search_portable(const char *s, size_t n, size_t pos)
{
    for (;;) {
        size_t end = n - pos > WINDOW_BYTES ? pos + WINDOW_BYTES : n;
        size_t hit = find_hit_portable(s, end, pos, true);
        size_t run = find_base64(s, n, pos, hit);
        if (run < hit || hit < end || end == n) {
            return run < hit ? run : hit < end ? hit : n;
        }
        pos = end - (RUN_BYTES - 1);
    }
}

#ifdef __x86_64__
/*
 * With AVX2 every byte of a block becomes a bit, and all of them are asked at once for what is rare
 * in text, numbers included. It says yes a little too often; then bytes are looked at one by one.
 *
 * A shuffle looks up the low half of each of 32 bytes in a table, and makes 0 of those from 0x80
 * on.
 */
#define AVX2 __attribute__((target("avx2")))
#define INLINE_AVX2 __attribute__((target("avx2"), always_inline)) static inline

enum {
    WIDE = 32,
    BLOCK = 2 * WIDE,
    BEFORE = 2,            /* bytes before a block that are looked at with it */
    AHEAD = 32 * BLOCK,    /* bytes that memory is asked for ahead of time */
    LEAST = WIDE + BEFORE, /* bytes of a value; fewer are looked at the other way */
};

/* What is looked for. */
enum { HITS = 1, ESCAPES = 2, RUNS = 4 };

/* 64 bytes, or what is left of a value, in two halves that may overlap. */
struct block {
    const char *low;  /* 32 bytes ... */
    const char *high; /* ... and 32 more, which end where the block does */
    unsigned apart;   /* how far the halves are from each other */
    unsigned done;    /* bytes at the beginning that belong to the block before */
};

INLINE_AVX2 uint64_t bits_of(const struct block *b, __m256i low, __m256i high)
{
    uint64_t bits = (uint32_t)_mm256_movemask_epi8(low) |
                    (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << b->apart;
    return bits >> b->done;
}

INLINE_AVX2 __m256i load(const char *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

#define TABLE(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))

enum { NO = -128 }; /* in a table: equals nothing */

/* Bytes that every hit but a number has: @ & ; % = \ and 0xEF. With 0x11 added, 0xEF is 0 and no
 * two have the same low half: each must be what the table has for its own. */
INLINE_AVX2 __m256i marks(__m256i bytes)
{
    enum { UP = 0x11 };
    const __m256i set = TABLE(0xEF + UP - 256, '@' + UP, NO, NO, NO, NO, '%' + UP, '&' + UP, NO, NO,
                              NO, NO, ';' + UP, '\\' + UP, '=' + UP, NO);
    __m256i up = _mm256_add_epi8(bytes, _mm256_set1_epi8(UP));
    return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(set, up), up);
}

/* The second digits of 40 and 64 (digit is 1 and 5; in what is rare, 4P and 6t, too), unless what
 * stands before them is frequent there and cannot lead the number of a spelling. */
INLINE_AVX2 __m256i numbers(const char *p, __m256i bytes)
{
    const __m256i first = TABLE(NO, '4', NO, NO, NO, '6', NO, NO, NO, NO, NO, NO, NO, NO, NO, NO);
    const __m256i others =
        TABLE(' ', '1', '2', NO, '4', NO, '6', '7', '8', '9', ':', '+', ',', '-', '.', '/');
    __m256i digit = _mm256_subs_epu8(bytes, _mm256_set1_epi8('0' - 1));
    __m256i lead = load(p - 2);
    return _mm256_andnot_si256(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(others, lead), lead),
                               _mm256_cmpeq_epi8(_mm256_shuffle_epi8(first, digit), load(p - 1)));
}

INLINE_AVX2 __m256i may_hit(const char *p)
{
    __m256i bytes = load(p);
    return _mm256_or_si256(marks(bytes), numbers(p, bytes));
}

/* All that cl_mask_is_dense, and a few that are rare in text: @ ` ; [ { | ] } ^ ~ ? and 0x7F. They
 * are above what the table has for their low half. */
INLINE_AVX2 __m256i may_be_dense(const char *p)
{
    const __m256i floor =
        TABLE(' ', '!', '"', '#', '$', '%', '&', '\'', '(', ')', ':', 0x1B, '<', 0x1D, '>', 0x1F);
    __m256i bytes = load(p);
    return _mm256_cmpgt_epi8(bytes, _mm256_shuffle_epi8(floor, bytes));
}

/* Where twice as many bits in a row end; *last are the bits of the block before. */
static inline uint64_t twice(uint64_t bits, unsigned many, uint64_t *last)
{
    uint64_t earlier = bits << many | *last >> (BLOCK - many);
    *last = bits;
    return bits & earlier;
}

/* Where 16 bits in a row end. */
static inline uint64_t run_ends(uint64_t bits, uint64_t last[4])
{
    bits = twice(bits, 1, &last[0]);
    bits = twice(bits, 2, &last[1]);
    bits = twice(bits, 4, &last[2]);
    return twice(bits, 8, &last[3]);
}

/* Where a search is. */
struct place {
    const char *s;  /* the value, not owned */
    size_t n;       /* its bytes */
    size_t first;   /* where the search began */
    size_t from;    /* where the block begins */
    struct block b; /* the block */
};

/* The first hit of the block, n for none; a bit of `may` says that it may be one, or end one. */
static size_t hit_of(const struct place *at, uint64_t may, bool escapes)
{
    for (; may; may &= may - 1) {
        size_t hit = at->from + (size_t)__builtin_ctzll(may);
        if (hit > at->first && is_hit(at->s, at->n, hit - 1, escapes)) {
            return hit - 1;
        }
        if (is_hit(at->s, at->n, hit, escapes)) {
            return hit;
        }
    }
    return at->n;
}

/* The first hit of the block or the first run that ends in it, n when the bits said too much; a bit
 * of `runs` is where one may end. */
static size_t settle(const struct place *at, uint64_t may, bool escapes, uint64_t runs)
{
    size_t hit = may ? hit_of(at, may, escapes) : at->n;
    if (runs) {
        size_t begin = at->from + (size_t)__builtin_ctzll(runs) - (RUN_BYTES - 1);
        size_t end = at->n - at->from > BLOCK ? at->from + BLOCK : at->n;
        end = hit < end ? hit : end;
        size_t found = find_base64(at->s, at->n, begin, end);
        hit = found < end ? found : hit;
    }
    return hit;
}

/* Capital letters, marks, and any 7y. No two of the marks have the same low half. */
INLINE_AVX2 __m256i not_plain(const char *p)
{
    const __m256i set = TABLE(NO, NO, NO, NO, NO, '%', '&', NO, NO, NO, NO, ';', '\\', '=', NO, NO);
    __m256i bytes = load(p), seven = _mm256_cmpeq_epi8(load(p - 1), _mm256_set1_epi8('7'));
    __m256i capital = _mm256_and_si256(_mm256_cmpgt_epi8(bytes, _mm256_set1_epi8('A' - 1)),
                                       _mm256_cmpgt_epi8(_mm256_set1_epi8('Z' + 1), bytes));
    __m256i mark = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(set, bytes), bytes);
    __m256i y = _mm256_and_si256(seven, _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('y')));
    return _mm256_or_si256(_mm256_or_si256(capital, mark), y);
}

/* Are the runs that end in the block plain? Asked only of those that are in it whole, or in it and
 * the bytes before the first block; the others are looked at one by one. */
INLINE_AVX2 bool are_plain(const struct place *at, uint64_t runs)
{
    const uint64_t began_before = ((uint64_t)1 << (RUN_BYTES - 1)) - 1;
    if (runs >> (BLOCK - 1) || __builtin_popcountll(runs) > LINE_LEAST - RUN_BYTES) {
        return false;
    }
    if (runs & began_before && (at->from != BEFORE || is_capital(at->s[0]) ||
                                is_capital(at->s[1]) || is_mark(at->s[0]) || is_mark(at->s[1]))) {
        return false;
    }
    return bits_of(&at->b, not_plain(at->b.low), not_plain(at->b.high)) == 0;
}

/* The same; *last is what run_ends() keeps. */
INLINE_AVX2 size_t judge(const struct place *at, unsigned what, uint64_t last[4])
{
    uint64_t may = 0, runs = 0;
    if (what & HITS) {
        may = bits_of(&at->b, may_hit(at->b.low), may_hit(at->b.high));
    }
    if (what & RUNS) {
        runs = run_ends(bits_of(&at->b, may_be_dense(at->b.low), may_be_dense(at->b.high)), last);
        runs = runs && are_plain(at, runs) ? 0 : runs;
    }
    if (__builtin_expect((may | runs) == 0, 1)) {
        return at->n;
    }
    const struct place copy = *at; /* so that the other one stays in registers */
    return settle(&copy, may, what & ESCAPES, runs);
}

/* The first thing of what is looked for, n for none; n is LEAST at least. */
INLINE_AVX2 size_t look(const char *s, size_t n, size_t pos, unsigned what)
{
    struct place at = {.s = s, .n = n, .first = pos, .from = pos};
    size_t found = n;
    uint64_t last[4] = {0}, dense = 0;
    for (; at.from < BEFORE; at.from++) {
        unsigned char c = (unsigned char)s[at.from];
        unsigned class = cl_mask_class(c);
        if (what & HITS && !(class & CL_IN_LOCAL) && is_hit(s, n, at.from, what & ESCAPES)) {
            return at.from;
        }
        dense = dense >> 1 | (uint64_t)((class != 0) | (c == '\\')) << (BLOCK - 1);
    }
    run_ends(dense, last);
    for (; n - at.from >= BLOCK; at.from += BLOCK) {
        const char *p = s + at.from;
        _mm_prefetch(p + AHEAD, _MM_HINT_T0);
        at.b = (struct block){.low = p, .high = p + WIDE, .apart = WIDE};
        found = judge(&at, what, last);
        if (found < n) {
            return found;
        }
    }
    if (at.from < n) {
        size_t begin = n < BLOCK + BEFORE ? BEFORE : n - BLOCK;
        at.b = (struct block){.low = s + begin, .high = s + n - WIDE};
        at.b.apart = (unsigned)(at.b.high - at.b.low);
        at.b.done = (unsigned)(at.from - begin);
        found = judge(&at, what, last);
    }
    return found;
}

AVX2 static size_t find_hit_avx2(const char *s, size_t n, size_t pos)
{
    return look(s, n, pos, HITS);
}

AVX2 static size_t find_run_avx2(const char *s, size_t n, size_t pos)
{
    return look(s, n, pos, RUNS);
}

AVX2 static size_t search_avx2(const char *s, size_t n, size_t pos)
{
    return look(s, n, pos, HITS | ESCAPES | RUNS);
}

static inline bool has_avx2(size_t n)
{
    return n >= LEAST && __builtin_cpu_supports("avx2");
}
#endif

size_t cl_mask_find_hit(const char *s, size_t n, size_t pos)
{
#ifdef __x86_64__
    if (has_avx2(n)) {
        return find_hit_avx2(s, n, pos);
    }
#endif
    return find_hit_portable(s, n, pos, false);
}

size_t cl_mask_find_run(const char *s, size_t n, size_t pos)
{
    if (n - pos < RUN_BYTES) {
        return n;
    }
#ifdef __x86_64__
    if (has_avx2(n)) {
        return find_run_avx2(s, n, pos);
    }
#endif
    return find_base64(s, n, pos, n);
}

size_t cl_mask_search(const char *s, size_t n, size_t pos)
{
#ifdef __x86_64__
    if (has_avx2(n)) {
        return search_avx2(s, n, pos);
    }
#endif
    return search_portable(s, n, pos);
}

bool cl_mask_candidate(const char *s, size_t n)
{
    return cl_mask_find_hit(s, n, 0) < n || cl_mask_find_run(s, n, 0) < n;
}
