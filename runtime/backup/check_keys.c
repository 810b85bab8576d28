#include "check_keys.h"

#include <stdlib.h>

enum { CAP_LEAST = 64 };

static bool same(struct cl_digest a, struct cl_digest b)
{
    return a.half[0] == b.half[0] && a.half[1] == b.half[1];
}

static bool is_free(struct cl_digest slot)
{
    return slot.half[0] == 0 && slot.half[1] == 0;
}

/* Where the key is, or would be. */
static size_t slot_of(const struct cl_digest *slots, size_t cap, struct cl_digest key)
{
    size_t i = key.half[0] & (cap - 1);
    while (!is_free(slots[i]) && !same(slots[i], key)) {
        i = (i + 1) & (cap - 1);
    }
    return i;
}

static bool grow(struct cl_keys *keys)
{
    size_t cap = keys->cap ? 2 * keys->cap : CAP_LEAST;
    struct cl_digest *slots = calloc(cap, sizeof *slots);
    if (!slots) {
        return false;
    }
    for (size_t i = 0; i < keys->cap; i++) {
        if (!is_free(keys->slots[i])) {
            slots[slot_of(slots, cap, keys->slots[i])] = keys->slots[i];
        }
    }
    free(keys->slots);
    keys->slots = slots;
    keys->cap = cap;
    return true;
}

enum cl_keys_answer cl_keys_add(struct cl_keys *keys, struct cl_digest key)
{
    if (is_free(key)) {
        key.half[0] = 1;
    }
    if (keys->n >= keys->cap / 4 * 3 && keys->n < keys->max && !grow(keys)) {
        return CL_KEYS_FULL;
    }
    size_t i = keys->cap ? slot_of(keys->slots, keys->cap, key) : 0;
    if (keys->cap && same(keys->slots[i], key)) {
        return CL_KEYS_KNOWN;
    }
    if (keys->n >= keys->max) {
        return CL_KEYS_FULL;
    }
    keys->slots[i] = key;
    keys->n++;
    return CL_KEYS_NEW;
}

void cl_keys_fini(struct cl_keys *keys)
{
    free(keys->slots);
    keys->slots = NULL;
    keys->cap = 0;
    keys->n = 0;
}
