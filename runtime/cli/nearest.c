#include <string.h>

#include "verb.h"

enum { NAME_BYTES_MAX = 64 };

/* Levenshtein's distance; names longer than the maximum are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_BYTES_MAX + 1];
    size_t m = strlen(a);
    size_t n = strlen(b);
    if (m > NAME_BYTES_MAX || n > NAME_BYTES_MAX) {
        return NAME_BYTES_MAX;
    }
    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= m; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            corner = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

const char *cl_nearest(const char *typed, const char *const *names)
{
    const char *near = NULL;
    size_t least = strlen(typed) / 3 + 1;
    for (size_t i = 0; names[i]; i++) {
        size_t d = distance(typed, names[i]);
        if (d <= least) {
            least = d;
            near = d == 0 ? names[i] : near && distance(typed, near) <= d ? near : names[i];
        }
    }
    return near;
}
