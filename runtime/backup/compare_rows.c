/*
 * Names some of the rows that differ, so that an operator knows where to look.
 *
 * The tables concerned are read twice more.  First rows fall into buckets by the hash of their key,
 * and each bucket is summed up on both sides; then the rows of a few buckets that differ are put
 * side by side.  Rows without a key are told apart by their own hash.  Memory has a bound whatever
 * the table: BUCKETS sums, and ENTRIES_MAX rows of which hashes and keys are kept.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "compare_key.h"

enum {
    TABLES_MAX = 5,                      /* of which rows are named */
    BUCKETS = 65536,                     /* a table of a hundred million rows has 1500 in each */
    WANTED_MAX = 2 * CL_BACKUP_ROWS_MAX, /* buckets that are looked into */
    ENTRIES_MAX = 64 * 1024,             /* rows kept of them */
    TEXT_BYTES_MAX = 4 * 1024 * 1024,    /* of their keys */
    LINE_BYTES_MAX = 2048,               /* of a line about a row */
};

/* A row of a wanted bucket. */
struct entry {
    struct cl_digest key; /* the same for the same row on both sides */
    struct cl_digest row; /* its content */
    enum cl_side side;    /* where it is */
    size_t text;          /* its key's offset in texts */
};

/* One table's search. */
struct search {
    struct cl_comparison *all; /* borrowed */
    struct cl_pair *pair;      /* borrowed */
    struct cl_key key;         /* empty: rows go by their own hash */
    atomic_ullong *sums;       /* BUCKETS sums of two halves, source less target */
    bool *wanted;              /* BUCKETS: which are looked into */
    size_t n_differ;           /* buckets that differ */
    uv_mutex_t mutex;          /* guards what follows */
    struct entry *entries;     /* n_entries, room for ENTRIES_MAX */
    size_t n_entries;          /* entries of entries */
    struct cl_buf texts;       /* keys, one C string after the other */
    bool overflow;             /* not all rows of the wanted buckets are in entries */
};

static struct cl_digest key_of(const struct search *search, const struct cl_row_seen *row)
{
    return search->key.n > 0 ? cl_digest_fields(row->format, row->columns, row->fields,
                                                search->key.columns, search->key.n)
                             : row->digest;
}

static size_t bucket_of(struct cl_digest key)
{
    return key.half[0] % BUCKETS;
}

/* First pass: a bucket's sums come to nothing when both sides hold the same rows. */
static bool sum_row(void *arg, const struct cl_row_seen *row, struct cl_err *err)
{
    struct search *search = arg;
    (void)err;
    atomic_ullong *sums = &search->sums[2 * bucket_of(key_of(search, row))];
    for (int half = 0; half < 2; half++) {
        uint64_t value = row->digest.half[half];
        atomic_fetch_add(&sums[half], row->side == CL_SIDE_SOURCE ? value : 0 - value);
    }
    return true;
}

/* Second pass: keeps the rows of wanted buckets. */
static bool keep_row(void *arg, const struct cl_row_seen *row, struct cl_err *err)
{
    struct search *search = arg;
    struct cl_digest key = key_of(search, row);
    if (!search->wanted[bucket_of(key)]) {
        return true;
    }
    bool ok = true;
    uv_mutex_lock(&search->mutex);
    search->overflow |= search->n_entries == ENTRIES_MAX;
    if (!search->overflow) {
        search->entries[search->n_entries++] = (struct entry){
            .key = key, .row = row->digest, .side = row->side, .text = search->texts.len};
        ok = cl_key_show(&search->texts, &search->key, row, search->all->run->spec->mask, err);
        cl_buf_addc(&search->texts, '\0');
        search->overflow = search->texts.failed;
    }
    uv_mutex_unlock(&search->mutex);
    return ok;
}

static int by_digest(const struct cl_digest *a, const struct cl_digest *b)
{
    for (int i = 0; i < 2; i++) {
        if (a->half[i] != b->half[i]) {
            return a->half[i] < b->half[i] ? -1 : 1;
        }
    }
    return 0;
}

static int by_key_and_row(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int key = by_digest(&x->key, &y->key);
    int row = key != 0 ? key : by_digest(&x->row, &y->row);
    return row != 0 ? row : (int)x->side - (int)y->side;
}

static bool say(struct cl_backup_difference *d, struct cl_err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool say(struct cl_backup_difference *d, struct cl_err *err, const char *fmt, ...)
{
    char line[LINE_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    d->rows[d->n_rows] = strdup(line);
    return d->rows[d->n_rows++] || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

/* The n entries of one key: what is there of each side once pairs of equal rows are taken away? */
static bool judge_key(struct search *search, const struct entry *entries, size_t n,
                      struct cl_err *err)
{
    struct cl_backup_difference *d = search->pair->noted;
    size_t left[2] = {0, 0};
    size_t seen[2] = {0, 0};
    for (size_t i = 0; i < n;) {
        size_t same[2] = {0, 0};
        size_t j = i;
        for (; j < n && by_digest(&entries[i].row, &entries[j].row) == 0; j++) {
            same[entries[j].side]++;
            seen[entries[j].side]++;
        }
        size_t both = same[0] < same[1] ? same[0] : same[1];
        left[0] += same[0] - both;
        left[1] += same[1] - both;
        i = j;
    }
    if (left[CL_SIDE_SOURCE] == 0 && left[CL_SIDE_TARGET] == 0) {
        return true;
    }
    if (search->key.n == 0) {
        return say(d, err, "a row (no key, hash %016" PRIx64 "): %zu in the target, not %zu",
                   entries->row.half[0], seen[CL_SIDE_TARGET], seen[CL_SIDE_SOURCE]);
    }
    const char *what = left[CL_SIDE_TARGET] == 0   ? "missing in the target"
                       : left[CL_SIDE_SOURCE] == 0 ? "not in the source"
                                                   : "other content";
    return say(d, err, "%s: %s", search->texts.data + entries->text, what);
}

/* Puts the kept rows side by side. */
static bool judge(struct search *search, struct cl_err *err)
{
    struct cl_backup_difference *d = search->pair->noted;
    if (search->overflow) {
        return say(d, err, "too many rows to name any");
    }
    qsort(search->entries, search->n_entries, sizeof *search->entries, by_key_and_row);
    bool ok = true;
    for (size_t i = 0; ok && i < search->n_entries && d->n_rows < CL_BACKUP_ROWS_MAX;) {
        size_t j = i;
        while (j < search->n_entries &&
               by_digest(&search->entries[i].key, &search->entries[j].key) == 0) {
            j++;
        }
        ok = judge_key(search, &search->entries[i], j - i, err);
        i = j;
    }
    if (ok && search->n_differ > d->n_rows) {
        ok = say(d, err, "… and at least %zu more", search->n_differ - d->n_rows);
    }
    return ok;
}

/* Reads all searched tables, both sides of them. */
static bool read_tables(struct search *searches, size_t n,
                        bool (*row)(void *, const struct cl_row_seen *, struct cl_err *),
                        struct cl_err *err)
{
    struct cl_comparison *all = searches->all;
    struct cl_readings readings = cl_comparison_reader(all);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        size_t first = readings.n;
        ok = cl_comparison_readings(all, searches[i].pair, &readings, err);
        for (size_t j = first; j < readings.n; j++) {
            readings.list[j].arg = &searches[i];
            readings.list[j].row = row;
            atomic_fetch_add(&all->run->progress->total, readings.list[j].bytes);
        }
    }
    ok = ok && cl_readings_run(&readings, err);
    free(readings.list);
    return ok;
}

/* Some of the buckets that differ, as many as there is room for their rows. */
static void choose(struct search *search)
{
    const struct cl_checksum *sums = search->pair->sums;
    uint64_t each = (sums[CL_SIDE_SOURCE].rows + sums[CL_SIDE_TARGET].rows) / BUCKETS + 1;
    uint64_t room = ENTRIES_MAX / 2 / each;
    size_t most = room < 1 ? 1 : room < WANTED_MAX ? (size_t)room : WANTED_MAX;
    for (size_t i = 0; i < BUCKETS; i++) {
        bool differs = atomic_load(&search->sums[2 * i]) || atomic_load(&search->sums[2 * i + 1]);
        search->wanted[i] = differs && search->n_differ < most;
        search->n_differ += differs;
    }
}

static bool search_begin(struct search *search, struct cl_comparison *all, struct cl_pair *pair,
                         struct cl_err *err)
{
    search->all = all;
    search->pair = pair;
    uv_mutex_init(&search->mutex);
    cl_buf_init(&search->texts, TEXT_BYTES_MAX);
    search->sums = calloc(2 * (size_t)BUCKETS, sizeof *search->sums);
    search->wanted = calloc(BUCKETS, sizeof *search->wanted);
    search->entries = calloc(ENTRIES_MAX, sizeof *search->entries);
    if (!search->sums || !search->wanted || !search->entries) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    return cl_key_find(&search->key, all, pair, err);
}

static void search_end(struct search *search)
{
    uv_mutex_destroy(&search->mutex);
    cl_buf_fini(&search->texts);
    free(search->sums);
    free(search->wanted);
    free(search->entries);
}

bool cl_comparison_rows(struct cl_comparison *all, struct cl_err *err)
{
    struct search searches[TABLES_MAX] = {{0}};
    size_t n = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < all->n_pairs && n < TABLES_MAX; i++) {
        struct cl_pair *pair = &all->pairs[i];
        if (pair->noted && pair->tables[CL_SIDE_SOURCE].n_columns > 0) {
            ok = search_begin(&searches[n++], all, pair, err);
        }
    }
    if (ok && n > 0) {
        ok = read_tables(searches, n, sum_row, err);
        for (size_t i = 0; ok && i < n; i++) {
            choose(&searches[i]);
        }
        ok = ok && read_tables(searches, n, keep_row, err);
        for (size_t i = 0; ok && i < n; i++) {
            ok = judge(&searches[i], err);
        }
    }
    for (size_t i = 0; i < n; i++) {
        search_end(&searches[i]);
    }
    return ok;
}
