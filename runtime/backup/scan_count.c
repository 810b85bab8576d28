#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "scan_private.h"

enum {
    FIRST_SLOTS = 16,
    SLOTS_MAX = 2048,   /* twice CL_SCAN_DOMAINS_MAX: the table never fills up */
    SAMPLE_BYTES = 256, /* of one shortened address */
};

static const char others[] = "\xe2\x80\xa6"; /* all domains beyond CL_SCAN_DOMAINS_MAX */

static size_t hash_domain(const char *s, size_t n)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    }
    return (size_t)(h ^ h >> 32);
}

static struct cl_scan_place *slot_of(struct cl_scan_place *places, size_t slots, const char *domain)
{
    size_t i = hash_domain(domain, strlen(domain)) & (slots - 1);
    while (places[i].domain && strcmp(places[i].domain, domain) != 0) {
        i = (i + 1) & (slots - 1);
    }
    return &places[i];
}

static bool grow(struct scan_column *c)
{
    size_t slots = c->slots ? c->slots * 2 : FIRST_SLOTS;
    struct cl_scan_place *places = calloc(slots, sizeof *places);
    if (!places) {
        return false;
    }
    for (size_t i = 0; i < c->slots; i++) {
        if (c->places[i].domain) {
            *slot_of(places, slots, c->places[i].domain) = c->places[i];
        }
    }
    free(c->places);
    c->places = places;
    c->slots = slots;
    return true;
}

/* Bytes of the first `chars` characters. */
static size_t lead(const char *s, size_t n, size_t chars)
{
    size_t p = 0;
    while (p < n && (chars > 0 || ((unsigned char)s[p] & 0xC0) == 0x80)) {
        chars -= ((unsigned char)s[p] & 0xC0) != 0x80;
        p++;
        while (p < n && ((unsigned char)s[p] & 0xC0) == 0x80) {
            p++;
        }
    }
    return p;
}

/* Enough to find it again, not enough to write to it: "jo…@c…". */
static char *make_sample(const char *address, size_t n, size_t at)
{
    struct cl_buf b;
    cl_buf_init(&b, SAMPLE_BYTES);
    cl_buf_add(&b, address, lead(address, at < 255 ? at : 255, 2));
    cl_buf_adds(&b, "\xe2\x80\xa6@");
    if (at < n) {
        cl_buf_add(&b, address + at + 1, lead(address + at + 1, n - at - 1, 1));
    }
    cl_buf_adds(&b, "\xe2\x80\xa6");
    if (b.failed) {
        cl_buf_fini(&b);
        return NULL;
    }
    return b.data;
}

/* Are as many domains told apart as may be? */
static bool is_full(const struct scan_column *c)
{
    return c->n_places >= CL_SCAN_DOMAINS_MAX &&
           c->n_places - (slot_of(c->places, c->slots, others)->domain != NULL) >=
               CL_SCAN_DOMAINS_MAX;
}

/* The place of a domain, made when it is new; NULL when out of memory. */
static struct cl_scan_place *place_of(struct scan_column *c, const char *domain)
{
    if (c->slots == 0 && !grow(c)) {
        return NULL;
    }
    struct cl_scan_place *place = slot_of(c->places, c->slots, domain);
    if (!place->domain && is_full(c)) {
        domain = others;
        place = slot_of(c->places, c->slots, domain);
    }
    if (!place->domain) {
        if (c->n_places * 2 >= c->slots && c->slots < SLOTS_MAX) {
            if (!grow(c)) {
                return NULL;
            }
            place = slot_of(c->places, c->slots, domain);
        }
        place->domain = strdup(domain);
        if (!place->domain) {
            return NULL;
        }
        c->n_places++;
    }
    return place;
}

void cl_scan_count(void *arg, const char *address, size_t n)
{
    struct scan_column *c = arg;
    char domain[256];
    const char *last = memrchr(address, '@', n);
    size_t at = last ? (size_t)(last - address) : n, len = 0;
    for (size_t i = at + 1; i < n && len + 1 < sizeof domain; i++) {
        char b = address[i];
        domain[len++] = b >= 'A' && b <= 'Z' ? (char)(b | 32) : b ? b : '?';
    }
    domain[len] = '\0';
    struct cl_scan_place *place = place_of(c, domain);
    if (place && !place->sample) {
        place->sample = make_sample(address, n, at);
    }
    if (!place || !place->sample) {
        c->failed = true;
        return;
    }
    place->count++;
}

void cl_scan_column_fini(struct scan_column *c)
{
    for (size_t i = 0; i < c->slots; i++) {
        free(c->places[i].domain);
        free(c->places[i].sample);
    }
    free(c->places);
    c->places = NULL;
    c->slots = 0;
}

/* ---------------------------------------------------------------- parts */

bool cl_scan_part_init(struct scan_table *part, const struct scan_table *table, uint64_t size,
                       struct cl_err *err)
{
    *part = (struct scan_table){.schema = table->schema, .name = table->name, .size = size};
    part->columns = calloc(table->n_columns + 1, sizeof *part->columns);
    if (!part->columns) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    part->n_columns = table->n_columns;
    for (size_t i = 0; i < part->n_columns; i++) {
        const struct scan_column *c = &table->columns[i];
        part->columns[i] =
            (struct scan_column){.name = c->name, .carrier = c->carrier, .except = c->except};
    }
    return true;
}

void cl_scan_part_fini(struct scan_table *part)
{
    for (size_t i = 0; i < part->n_columns; i++) {
        cl_scan_column_fini(&part->columns[i]);
    }
    free(part->columns);
    part->columns = NULL;
    part->n_columns = 0;
}

static bool join_column(struct scan_column *c, struct scan_column *more)
{
    c->kept += more->kept;
    for (size_t i = 0; i < more->slots; i++) {
        struct cl_scan_place *from = &more->places[i];
        struct cl_scan_place *to = from->domain ? place_of(c, from->domain) : NULL;
        if (from->domain && !to) {
            return false;
        }
        if (to && !to->sample) {
            to->sample = from->sample;
            from->sample = NULL;
        }
        if (to) {
            to->count += from->count;
        }
    }
    return !more->failed;
}

bool cl_scan_part_join(struct scan_table *table, struct scan_table *part, struct cl_err *err)
{
    table->rows += part->rows;
    table->values += part->values;
    table->bytes += part->bytes;
    for (size_t i = 0; i < table->n_columns; i++) {
        if (!join_column(&table->columns[i], &part->columns[i])) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
    }
    return true;
}

void cl_scan_report(const struct scan_table *part, struct scan_reported *before, bool finished,
                    struct cl_job *job)
{
    struct cl_progress *progress = cl_job_progress(job);
    uint64_t now = finished || part->bytes > part->size ? part->size : part->bytes;
    atomic_fetch_add(&progress->rows, part->rows - before->rows);
    atomic_fetch_add(&progress->bytes, part->bytes - before->bytes);
    atomic_fetch_add(&progress->done, now - before->done);
    *before = (struct scan_reported){.rows = part->rows, .bytes = part->bytes, .done = now};
}
