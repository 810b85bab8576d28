/*
 * How fast the mask reads: every figure beside memchr over the same bytes, in turns, medians.
 *
 *   make bench-mask                 prints a table; exit code 1 when a bar is missed
 *
 * Three questions: what a value without a candidate byte costs (bar: half the speed of memchr),
 * what text with an address in each KiB costs (bar: 1 GB/s on one core), and what single fields
 * cost.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "mask/mask.h"

enum {
    TEXT_BYTES = 64 * 1024 * 1024,
    ROUNDS = 9,
    WORDS = 4096,
    KIB = 1024,
    FIELD_BYTES = 48,
};

static const double PLAIN_BAR = 0.5; /* of memchr's speed */
static const double CRM_BAR = 1e9;   /* bytes a second */

/* What one contender does with the text; the result keeps it from being left out. */
typedef size_t (*work)(const struct cl_mask *mask, const char *text, struct cl_buf *out);

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Words of a made-up language, some frequent and most rare, with numbers and stops between. */
static void fill_text(char *text, size_t n)
{
    static char word[WORDS][12];
    uint32_t random = 2024;
    for (size_t i = 0; i < WORDS; i++) {
        size_t len = 2 + next_random(&random) % 9;
        for (size_t k = 0; k < len; k++) {
            word[i][k] = (char)('a' + next_random(&random) % 26);
        }
    }
    size_t at = 0;
    while (at + 16 < n) {
        uint32_t r = next_random(&random) % WORDS;
        const char *w = word[r * r / WORDS];
        size_t len = strlen(w);
        memcpy(text + at, w, len);
        at += len;
        if (r % 40 == 0) {
            at += (size_t)snprintf(text + at, 8, " %u", r);
        }
        text[at++] = r % 9 == 0 ? '.' : ' ';
    }
    memset(text + at, ' ', n - at);
}

/* One address in each KiB. */
static void plant(char *text, size_t n)
{
    for (size_t at = KIB / 2; at + KIB < n; at += KIB) {
        char address[64];
        int len = snprintf(address, sizeof address, " john.doe%zu@company.com ", at / KIB);
        memcpy(text + at, address, (size_t)len);
    }
}

static size_t run_memchr(const struct cl_mask *mask, const char *text, struct cl_buf *out)
{
    size_t found = 0;
    (void)mask;
    (void)out;
    for (const char *p = text, *end = text + TEXT_BYTES; (p = memchr(p, '@', (size_t)(end - p)));
         p++) {
        found++;
    }
    return found;
}

static size_t run_search(const struct cl_mask *mask, const char *text, struct cl_buf *out)
{
    size_t found = 0;
    (void)mask;
    (void)out;
    for (size_t p = 0; (p = cl_mask_search(text, TEXT_BYTES, p)) < TEXT_BYTES; p++) {
        found++;
    }
    return found;
}

static size_t apply(const struct cl_mask *mask, const char *text, size_t bytes, struct cl_buf *out)
{
    struct cl_mask_tally tally = {0};
    struct cl_err err;
    bool changed;
    for (size_t at = 0; at < TEXT_BYTES; at += bytes) {
        size_t n = bytes < TEXT_BYTES - at ? bytes : TEXT_BYTES - at;
        cl_buf_reset(out);
        if (!cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, text + at, n, 0, out, &changed, &tally,
                           &err)) {
            fprintf(stderr, "mask_bench: %s\n", err.message);
            exit(2);
        }
    }
    return tally.masked;
}

static size_t run_values(const struct cl_mask *mask, const char *text, struct cl_buf *out)
{
    return apply(mask, text, 4 * KIB, out);
}

static size_t run_fields(const struct cl_mask *mask, const char *text, struct cl_buf *out)
{
    return apply(mask, text, FIELD_BYTES, out);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct figure {
    const char *name; /* of the contender */
    work run;         /* what it does */
    double took[ROUNDS];
};

/* All contenders in turns, so that a busy moment meets all of them. */
static void measure(struct figure *figures, size_t n, const struct cl_mask *mask, const char *text)
{
    struct cl_buf out;
    volatile size_t kept = 0;
    cl_buf_init(&out, SIZE_MAX / 2);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            double began = seconds();
            kept = kept + figures[i].run(mask, text, &out);
            figures[i].took[round] = seconds() - began;
        }
    }
    cl_buf_fini(&out);
    for (size_t i = 0; i < n; i++) {
        qsort(figures[i].took, ROUNDS, sizeof *figures[i].took, by_size);
    }
}

static double speed(const struct figure *figure)
{
    return TEXT_BYTES / figure->took[ROUNDS / 2];
}

static void print(const char *what, const struct figure *figures, size_t n)
{
    printf("\n%s\n", what);
    for (size_t i = 0; i < n; i++) {
        printf("  %-34s %7.2f GB/s   %5.2f of memchr\n", figures[i].name, speed(&figures[i]) / 1e9,
               speed(&figures[i]) / speed(&figures[0]));
    }
}

static bool bar(const char *what, double figure, double least)
{
    bool met = figure >= least;
    printf("%-50s %6.2f, at least %.2f: %s\n", what, figure, least, met ? "met" : "NOT MET");
    return met;
}

int main(void)
{
    struct figure plain[] = {{.name = "memchr", .run = run_memchr},
                             {.name = "search for candidates", .run = run_search},
                             {.name = "mask, values of 4 KiB", .run = run_values},
                             {.name = "mask, values of 48 bytes", .run = run_fields}};
    struct figure crm[] = {{.name = "memchr", .run = run_memchr},
                           {.name = "search for candidates", .run = run_search},
                           {.name = "mask, values of 4 KiB", .run = run_values}};
    const struct cl_mask_spec spec = {.sink_domain = "mailinator.com"};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    char *text = malloc(TEXT_BYTES);
    if (!mask || !text) {
        fprintf(stderr, "mask_bench: out of memory\n");
        return 2;
    }
    fill_text(text, TEXT_BYTES);
    measure(plain, sizeof plain / sizeof *plain, mask, text);
    print("Text without addresses", plain, sizeof plain / sizeof *plain);
    plant(text, TEXT_BYTES);
    measure(crm, sizeof crm / sizeof *crm, mask, text);
    print("Text with one address in each KiB", crm, sizeof crm / sizeof *crm);
    printf("\n");
    bool met = bar("text without addresses, of memchr's speed", speed(&plain[2]) / speed(&plain[0]),
                   PLAIN_BAR);
    met = bar("one address in each KiB, GB/s", speed(&crm[2]) / 1e9, CRM_BAR / 1e9) && met;
    free(text);
    cl_mask_free(mask);
    return met ? 0 : 1;
}
