/*
 * One fast pass over bytes: where might the spelling of an at-sign begin?
 *
 * Blocks are compared as a whole, with AVX2 where the processor has it, else 16 bytes at a time,
 * which GCC and clang turn into SSE2 or NEON. Which one is asked at run time; both give the same.
 */
#include "private.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { LANES = 16 };

typedef uint8_t lanes __attribute__((vector_size(LANES)));
typedef uint64_t halves __attribute__((vector_size(LANES)));

/* May a spelling hold these two neighbours? "@", "40", "64", "&c", U+FF20; with escapes "\". */
static inline bool is_hit(unsigned char a, unsigned char b, bool escapes)
{
    return a == '@' || (a == '4' && b == '0') || (a == '6' && b == '4') || (a == '&' && b == 'c') ||
           (a == 0xEF && b == 0xBC) || (escapes && a == '\\');
}

/* Which of the 16 bytes at p, each with the byte after it, may make a hit: all that do, and few
 * that do not ("44", "60"), for fewer comparisons. Reads 17 bytes. */
static inline halves hits(const char *p, bool escapes)
{
    lanes a, b;
    memcpy(&a, p, LANES);
    memcpy(&b, p + 1, LANES);
    lanes hit = (lanes)((a == '@') | (((a & 0xFD) == '4') & ((b & 0xFB) == '0')) |
                        ((a == '&') & (b == 'c')) | (a == 0xEF));
    if (escapes) {
        hit |= (lanes)(a == '\\');
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

/* The first byte at or after pos that may begin a hit, or where the last 16 bytes or fewer begin,
 * which are not looked at. */
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
    __m256i entity = _mm256_and_si256(_mm256_cmpeq_epi8(a, _mm256_set1_epi8('&')),
                                      _mm256_cmpeq_epi8(b, _mm256_set1_epi8('c')));
    __m256i hit = _mm256_or_si256(_mm256_cmpeq_epi8(a, _mm256_set1_epi8('@')),
                                  _mm256_cmpeq_epi8(a, _mm256_set1_epi8((char)0xEF)));
    hit = _mm256_or_si256(hit, _mm256_or_si256(entity, _mm256_and_si256(four_six, zero_four)));
    if (escapes) {
        hit = _mm256_or_si256(hit, _mm256_cmpeq_epi8(a, _mm256_set1_epi8('\\')));
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
        unsigned char next = pos + 1 < n ? (unsigned char)s[pos + 1] : 0;
        if (is_hit((unsigned char)s[pos], next, escapes)) {
            return pos;
        }
    }
    return n;
}

size_t cl_mask_find_hit(const char *s, size_t n, size_t pos)
{
    return search(s, n, pos, false);
}

size_t cl_mask_search(const char *s, size_t n, size_t pos)
{
    return search(s, n, pos, true);
}

bool cl_mask_candidate(const char *s, size_t n)
{
    return cl_mask_find_hit(s, n, 0) < n;
}
