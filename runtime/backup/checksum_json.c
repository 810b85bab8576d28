/*
 * The digest of a JSON document that does not depend on the order of its keys: that of an object is
 * made of the sum of its members', that of an array of its elements' in their order.
 */
#include "checksum.h"

enum { DEPTH_MAX = 64 }; /* deeper documents count in another way */

struct level {
    bool object;          /* or an array */
    bool has_key;         /* the value that comes is the key's */
    uint64_t n;           /* members or elements so far */
    struct cl_digest key; /* of the member under way */
    struct cl_digest sum; /* of those that are whole */
};

struct document {
    struct level levels[DEPTH_MAX]; /* those that are open, depth of them */
    size_t depth;                   /* entries of levels */
    struct cl_digest value;         /* the last one that was whole */
};

/* What stands between values, and what ends a number, true, false or null. */
static const bool between[256] = {
    [','] = true, [':'] = true, [' '] = true, ['\t'] = true, ['\n'] = true, ['\0'] = true};
static const bool closing[256] = {[']'] = true, ['}'] = true};

static struct cl_digest pair(struct cl_digest a, struct cl_digest b)
{
    struct cl_digest both[2] = {a, b};
    return cl_digest_bytes(both, sizeof both);
}

/* A value has ended: it goes to the object or array it stands in. */
static void give(struct document *d, struct cl_digest value)
{
    d->value = value;
    if (d->depth == 0) {
        return;
    }
    struct level *level = &d->levels[d->depth - 1];
    if (level->object && !level->has_key) {
        level->key = value;
        level->has_key = true;
        return;
    }
    if (level->object) {
        struct cl_digest member = pair(level->key, value);
        level->sum.half[0] += member.half[0];
        level->sum.half[1] += member.half[1];
        level->has_key = false;
    } else {
        level->sum = pair(level->sum, value);
    }
    level->n++;
}

static void leave(struct document *d)
{
    const struct level *level = &d->levels[--d->depth];
    uint64_t parts[4] = {level->object, level->n, level->sum.half[0], level->sum.half[1]};
    give(d, cl_digest_bytes(parts, sizeof parts));
}

/* The end of the string that starts at p, its closing quote included. In COPY's text format each
 * backslash is written twice. */
static const char *string_end(const char *p, const char *end, bool doubled)
{
    size_t slash = doubled ? 2 : 1;
    for (p++; p < end; p++) {
        if (*p == '"') {
            return p + 1;
        }
        if (*p == '\\') {
            bool another = (size_t)(end - p) > slash && p[slash] == '\\';
            p += another ? 2 * slash - 1 : slash;
        }
    }
    return end;
}

static const char *scalar_end(const char *p, const char *end)
{
    while (p < end && !between[(uint8_t)*p] && !closing[(uint8_t)*p]) {
        p++;
    }
    return p;
}

bool cl_digest_json(struct cl_digest *digest, const char *p, size_t n, bool doubled)
{
    struct document d;
    const char *end = p + n;
    d.depth = 0;
    d.value = cl_digest_bytes("", 0);
    while (p < end) {
        const char *start = p;
        if (between[(uint8_t)*p]) {
            p++;
        } else if (*p == '{' || *p == '[') {
            if (d.depth == DEPTH_MAX) {
                return false;
            }
            d.levels[d.depth++] = (struct level){.object = *p++ == '{'};
        } else if (closing[(uint8_t)*p]) {
            if (d.depth == 0) {
                return false;
            }
            leave(&d);
            p++;
        } else {
            p = *p == '"' ? string_end(p, end, doubled) : scalar_end(p, end);
            give(&d, cl_digest_bytes(start, (size_t)(p - start)));
        }
    }
    *digest = d.value;
    return d.depth == 0;
}
