/*
 * One fast pass over bytes: where might the spelling of an at-sign begin?
 *
 * Blocks are compared as a whole, with AVX2 where the processor has it, else 16
 * bytes at a time, which GCC and clang turn into SSE2 or NEON. Which one is
 * asked at run time; both give the same.
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
    WINDOW_BYTES = 4096, /* looked at for one thing, then for the other, while
                            they are near */
};

typedef uint8_t lanes __attribute__((vector_size(LANES)));
typedef uint64_t halves __attribute__((vector_size(LANES)));

/* Does an entity end before s[at], its ampersand perhaps escaped again and again? */
static bool after_entity(const char *s, size_t at)
{
    enum { NAME_BYTES = 8 };
    size_t p = at - 1; /* the semicolon */
    while (p > 0 && at - p <= NAME_BYTES && s[p - 1] != '&' && s[p - 1] != ';') {
        p--;
    }
    return p > 0 && (s[p - 1] == '&' || (p > 4 && memcmp(s + p - 4, "amp;", 4) == 0));
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

#ifdef __x86_64__
enum { WIDE = 32 };

__attribute__((target("avx2"))) static inline __m256i hits_avx2(const char *p, bool escapes)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 1));
    __m256i four_six =
        _mm256_cmpeq_epi8(_mm256_and_si256(a, _mm256_set1_epi8((char)0xFD)), _mm256_set1_epi8('4'));
    __m256i zero_four =
        _mm256_cmpeq_epi8(_mm256_and_si256(b, _mm256_set1_epi8((char)0xFB)), _mm256_set1_epi8('0'));
    __m256i entity =
        _mm256_and_si256(_mm256_or_si256(_mm256_cmpeq_epi8(a, _mm256_set1_epi8('&')),
                                         _mm256_cmpeq_epi8(a, _mm256_set1_epi8(';'))),
                         _mm256_cmpeq_epi8(_mm256_and_si256(b, _mm256_set1_epi8((char)0xBF)),
                                           _mm256_set1_epi8('#')));
    __m256i slash = _mm256_cmpeq_epi8(a, _mm256_set1_epi8('\\'));
    __m256i equals = _mm256_cmpeq_epi8(a, _mm256_set1_epi8('='));
    __m256i mark = _mm256_or_si256(_mm256_or_si256(slash, equals),
                                   _mm256_cmpeq_epi8(a, _mm256_set1_epi8('%')));
    __m256i wide =
        _mm256_cmpeq_epi8(_mm256_and_si256(b, _mm256_set1_epi8((char)0xCF)), _mm256_set1_epi8('E'));
    __m256i hit = _mm256_or_si256(_mm256_cmpeq_epi8(a, _mm256_set1_epi8('@')),
                                  _mm256_cmpeq_epi8(a, _mm256_set1_epi8((char)0xEF)));
    hit = _mm256_or_si256(hit, _mm256_or_si256(entity, _mm256_and_si256(four_six, zero_four)));
    hit = _mm256_or_si256(hit, _mm256_and_si256(mark, wide));
    if (escapes) {
        __m256i control = _mm256_cmpeq_epi8(_mm256_and_si256(b, _mm256_set1_epi8((char)0xF8)),
                                            _mm256_set1_epi8('\b'));
        hit = _mm256_or_si256(hit, _mm256_or_si256(slash, _mm256_and_si256(equals, control)));
    }
    return hit;
}

/* The same; of the last 32 bytes. */
__attribute__((target("avx2"))) static size_t skip_avx2(const char *s, size_t n, size_t pos,
                                                        bool escapes)
{
    while (n - pos > 2 * WIDE) {
        __m256i low = hits_avx2(s + pos, escapes);
        __m256i high = hits_avx2(s + pos + WIDE, escapes);
        if (!_mm256_testz_si256(_mm256_or_si256(low, high), _mm256_set1_epi8(-1))) {
            uint64_t both = (uint32_t)_mm256_movemask_epi8(low) |
                            (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << WIDE;
            return pos + (size_t)__builtin_ctzll(both);
        }
        pos += 2 * WIDE;
    }
    while (n - pos > WIDE) {
        uint32_t hit = (uint32_t)_mm256_movemask_epi8(hits_avx2(s + pos, escapes));
        if (hit) {
            return pos + (size_t)__builtin_ctz(hit);
        }
        pos += WIDE;
    }
    return pos;
}
#endif

static inline size_t skip(const char *s, size_t n, size_t pos, bool escapes)
{
#ifdef __x86_64__
    if (n - pos > WIDE && __builtin_cpu_supports("avx2")) {
        pos = skip_avx2(s, n, pos, escapes);
        if (n - pos > WIDE) {
            return pos;
        }
    }
#endif
    return skip_portable(s, n, pos, escapes);
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

static inline size_t search(const char *s, size_t n, size_t pos, bool escapes)
{
    for (; pos < n; pos++) {
        pos = skip(s, n, pos, escapes);
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

size_t cl_mask_find_hit(const char *s, size_t n, size_t pos)
{
    return search(s, n, pos, false);
}

#ifdef __x86_64__
/* Classes of 32 bytes: a table says for the low half of a byte in which it is
 * right, another one which the high half makes. Bits 0-4: cl_mask_is_dense (2x,
 * 3x, 4x and 6x, 5x, 7x); bits 5-7: a hit may begin there (4 6 ; =, & %, @). */
enum { DENSE_BITS = 0x1F };

__attribute__((target("avx2"))) static inline __m256i classes_avx2(const char *p)
{
    const __m256i low = _mm256_broadcastsi128_si256(
        _mm_setr_epi8((char)154, 30, 30, 30, 62, 94, 126, 30, 30, 30, 28, 37, 12, 39, 4, 13));
    const __m256i high = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 0, 65, 34, (char)132, 8, 4, 16, 0, 0, 0, 0, 0, 0, 0, 0));
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i above = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
    return _mm256_and_si256(_mm256_shuffle_epi8(low, bytes), _mm256_shuffle_epi8(high, above));
}

__attribute__((target("avx2"))) static inline uint32_t dense_bits(__m256i classes)
{
    __m256i dense = _mm256_and_si256(classes, _mm256_set1_epi8(DENSE_BITS));
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(dense, _mm256_setzero_si256()));
}

__attribute__((target("avx2"))) static inline uint32_t dense_avx2(const char *p)
{
    return dense_bits(classes_avx2(p));
}

/* Where 16 bits in a row begin; 64 for nowhere. */
static inline size_t run_of_bits(uint64_t bits)
{
    bits &= bits >> 1; /* now 2 in a row, then 4, 8, 16 */
    bits &= bits >> 2;
    bits &= bits >> 4;
    bits &= bits >> 8;
    return bits ? (size_t)__builtin_ctzll(bits) : 64;
}

/* cl_mask_find_run for 32 bytes and more. */
__attribute__((target("avx2"))) static size_t find_run_avx2(const char *s, size_t n, size_t pos)
{
    for (; n - pos >= 2 * WIDE; pos += 2 * WIDE - (RUN_BYTES - 1)) {
        uint64_t dense = dense_avx2(s + pos) | (uint64_t)dense_avx2(s + pos + WIDE) << WIDE;
        size_t run = run_of_bits(dense);
        if (run < 2 * WIDE) {
            return pos + run;
        }
    }
    size_t last = n < 2 * WIDE ? 0 : n - 2 * WIDE, shift = n - last - WIDE;
    uint64_t dense = dense_avx2(s + last) | (uint64_t)dense_avx2(s + n - WIDE) << shift;
    size_t run = pos - last < 64 ? run_of_bits(dense >> (pos - last)) : 64;
    return run < 64 ? pos + run : n;
}

/* The first hit in the 64 bytes at s[from]; 64 for none. */
__attribute__((target("avx2"))) static size_t hit_of_block(const char *s, size_t n, size_t from)
{
    const char *p = s + from;
    uint64_t bits = (uint32_t)_mm256_movemask_epi8(hits_avx2(p, true)) |
                    (uint64_t)(uint32_t)_mm256_movemask_epi8(hits_avx2(p + WIDE, true)) << WIDE;
    for (; bits; bits &= bits - 1) {
        size_t at = (size_t)__builtin_ctzll(bits);
        if (is_hit(s, n, from + at, true)) {
            return at;
        }
    }
    return 2 * WIDE;
}

/* cl_mask_search, both things at once. False when there is neither up to the
 * last 64 bytes: *pos is where to go on. */
__attribute__((target("avx2"))) static bool search_avx2(const char *s, size_t n, size_t *pos)
{
    const __m256i slash = _mm256_set1_epi8('\\'), wide = _mm256_set1_epi8((char)0xEF);
    enum { BEFORE = RUN_BYTES - 1 };
    uint64_t before = 0; /* the last 15 bytes of the block before it */
    size_t p = *pos, first = p;
    for (; n - p > 2 * WIDE; p += 2 * WIDE) {
        __m256i low = classes_avx2(s + p), high = classes_avx2(s + p + WIDE);
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(s + p));
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(s + p + WIDE));
        __m256i others = _mm256_or_si256(
            _mm256_or_si256(_mm256_cmpeq_epi8(a, slash), _mm256_cmpeq_epi8(a, wide)),
            _mm256_or_si256(_mm256_cmpeq_epi8(b, slash), _mm256_cmpeq_epi8(b, wide)));
        __m256i any = _mm256_or_si256(
            others, _mm256_and_si256(_mm256_or_si256(low, high), _mm256_set1_epi8(~DENSE_BITS)));
        uint64_t dense = dense_bits(low) | (uint64_t)dense_bits(high) << WIDE;
        size_t hit = _mm256_testz_si256(any, any) ? 2 * WIDE : hit_of_block(s, n, p);
        uint64_t until = hit < 2 * WIDE ? dense & (((uint64_t)1 << hit) - 1) : dense;
        size_t run = run_of_bits(before | until << BEFORE);
        if (run < 64) {
            *pos = p + run - BEFORE;
            return true;
        }
        run = run_of_bits(until);
        if (run < 64 || hit < 2 * WIDE) {
            *pos = p + (run < 64 ? run : hit);
            return true;
        }
        before = dense >> (2 * WIDE - BEFORE);
    }
    *pos = p - first < BEFORE ? first : p - BEFORE;
    return false;
}
#endif

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

size_t cl_mask_find_run(const char *s, size_t n, size_t pos)
{
#ifdef __x86_64__
    if (n >= WIDE && n - pos >= RUN_BYTES && __builtin_cpu_supports("avx2")) {
        return find_run_avx2(s, n, pos);
    }
#endif
    return find_run_portable(s, n, pos);
}

size_t cl_mask_search(const char *s, size_t n, size_t pos)
{
#ifdef __x86_64__
    if (n - pos > 2 * WIDE && __builtin_cpu_supports("avx2") && search_avx2(s, n, &pos)) {
        return pos;
    }
#endif
    for (;;) {
        size_t end = n - pos > WINDOW_BYTES ? pos + WINDOW_BYTES : n;
        size_t hit = search(s, end, pos, true);
        size_t run = cl_mask_find_run(s, hit, pos);
        if (run < hit || hit < end || end == n) {
            return run < hit ? run : hit < end ? hit : n;
        }
        pos = end - (RUN_BYTES - 1);
    }
}

bool cl_mask_candidate(const char *s, size_t n)
{
    return cl_mask_find_hit(s, n, 0) < n || cl_mask_find_run(s, n, 0) < n;
}
