#include "checksum.h"

#include <string.h>

static const uint64_t prime1 = 0x9E3779B185EBCA87u;
static const uint64_t prime2 = 0xC2B2AE3D27D4EB4Fu;
static const uint64_t prime3 = 0x165667B19E3779F9u;
static const uint64_t prime4 = 0x85EBCA77C2B2AE63u;
static const uint64_t prime5 = 0x27D4EB2F165667C5u;

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static uint64_t read64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t read32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t stripe(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * prime2, 31) * prime1;
}

static uint64_t merge(uint64_t hash, uint64_t lane)
{
    return (hash ^ stripe(0, lane)) * prime1 + prime4;
}

static uint64_t tail(uint64_t hash, const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 8; p += 8) {
        hash = rotate(hash ^ stripe(0, read64(p)), 27) * prime1 + prime4;
    }
    if (end - p >= 4) {
        hash = rotate(hash ^ read32(p) * prime1, 23) * prime2 + prime3;
        p += 4;
    }
    for (; p < end; p++) {
        hash = rotate(hash ^ *p * prime5, 11) * prime1;
    }
    hash = (hash ^ hash >> 33) * prime2;
    hash = (hash ^ hash >> 29) * prime3;
    return hash ^ hash >> 32;
}

uint64_t cl_hash64(const void *bytes, size_t n, uint64_t seed)
{
    const uint8_t *p = bytes;
    const uint8_t *end = p + n;
    uint64_t hash = seed + prime5;
    if (n >= 32) {
        uint64_t lane[4] = {seed + prime1 + prime2, seed + prime2, seed, seed - prime1};
        for (; end - p >= 32; p += 32) {
            for (int i = 0; i < 4; i++) {
                lane[i] = stripe(lane[i], read64(p + 8 * i));
            }
        }
        hash = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
        for (int i = 0; i < 4; i++) {
            hash = merge(hash, lane[i]);
        }
    }
    return tail(hash + n, p, end);
}

static void add_hash(struct cl_checksum *sum, uint64_t hash)
{
    sum->rows++;
    sum->sum[0] += hash;
    sum->sum[1] += (hash ^ hash >> 29) * prime2 ^ rotate(hash * prime3, 32);
}

bool cl_checksum_equal(const struct cl_checksum *a, const struct cl_checksum *b)
{
    return a->rows == b->rows && a->sum[0] == b->sum[0] && a->sum[1] == b->sum[1];
}

void cl_checksum_add(struct cl_checksum *sum, const char *row, size_t n)
{
    add_hash(sum, cl_hash64(row, n, 0));
}

static bool separates(char c)
{
    return c != '\0' && strchr(" \t{}[](),:\"'=>\\", c) != NULL;
}

/* The words between separators, in any order. */
static uint64_t hash_words(const char *p, size_t n)
{
    const char *end = p + n;
    uint64_t hash = 0;
    while (p < end) {
        const char *word = p;
        while (p < end && !separates(*p)) {
            p++;
        }
        if (p > word) {
            hash += cl_hash64(word, (size_t)(p - word), 1);
        }
        p++;
    }
    return hash;
}

void cl_checksum_add_fields(struct cl_checksum *sum, const struct cl_column *columns,
                            const struct cl_field *fields, size_t n)
{
    uint64_t hash = prime5;
    for (size_t i = 0; i < n; i++) {
        uint64_t value = prime4; /* NULL */
        size_t len = fields[i].len > 0 ? (size_t)fields[i].len : 0;
        if (fields[i].len >= 0 && columns[i].class.reorders) {
            value = hash_words(fields[i].data, len);
        } else if (fields[i].len >= 0) {
            while (columns[i].class.padded && len > 0 && fields[i].data[len - 1] == ' ') {
                len--;
            }
            value = cl_hash64(fields[i].data, len, 0);
        }
        hash = rotate(hash ^ stripe(i, value), 27) * prime1 + prime4;
    }
    add_hash(sum, hash);
}
