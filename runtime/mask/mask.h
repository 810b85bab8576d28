/*
 * The mask: finds e-mail addresses in the bytes of one value and replaces them.
 *
 * Pure functions over bytes: no I/O, no clock, no global state.  A struct cl_mask is built once
 * and then only read, so any number of threads may share it.  The rule (design, section 7):
 * `john.doe@company.com` becomes `john.doe_company.com@mailinator.com`; an address that already
 * is in the sink domain (or a subdomain of it, or on the allow list) stays, so masking twice
 * equals masking once.
 */
#ifndef CL_MASK_H
#define CL_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* How the bytes carry text. */
enum cl_carrier {
    CL_CARRIER_TEXT, /* plain UTF-8 text (also array, composite, hstore literals; HTML; XML) */
    CL_CARRIER_JSON, /* JSON text: strings are read and written with their escapes */
};

/* Values of one column that pass unmasked, and why (sign-in names of users with a plan). */
struct cl_mask_keep {
    const char *schema;
    const char *table;
    const char *column;
    const char *const *values; /* NULL-terminated; exact matches of the whole value */
    const char *reason;        /* printed in the certificate */
};

struct cl_mask_spec {
    const char *sink_domain;         /* "mailinator.com" */
    const char *const *allow;        /* further domains that pass, NULL-terminated; may be NULL */
    const struct cl_mask_keep *keep; /* n_keep of them; everything is copied */
    size_t n_keep;
};

struct cl_mask;        /* immutable once made */
struct cl_mask_column; /* what one column's values may keep; belongs to its cl_mask */

/* NULL with *err when the sink domain is not a domain name. */
struct cl_mask *cl_mask_new(const struct cl_mask_spec *spec, struct cl_err *err);
struct cl_mask *cl_mask_ref(struct cl_mask *mask); /* one more owner; any thread */
void cl_mask_free(struct cl_mask *mask);           /* one owner less; NULL is fine */

/* The exceptions of that column; NULL when it has none (pass that on as it is). */
const struct cl_mask_column *cl_mask_column(const struct cl_mask *mask, const char *schema,
                                            const char *table, const char *column);

/* Is the whole value one that passes in that column (NULL: none does)? */
bool cl_mask_keeps(const struct cl_mask_column *column, const char *in, size_t n);

/* What the mask was made of, for a certificate; everything is lent. */
const char *cl_mask_sink(const struct cl_mask *mask);
const char *const *cl_mask_allow(const struct cl_mask *mask); /* NULL-terminated */
size_t cl_mask_keeps_count(const struct cl_mask *mask);
const struct cl_mask_keep *cl_mask_keep_at(const struct cl_mask *mask, size_t i, size_t *n_values);

/* SHA-256 (hex) over everything that decides what a value becomes. */
const char *cl_mask_rules_hash(const struct cl_mask *mask);

/* Counters a worker keeps; added up at the end. */
struct cl_mask_tally {
    uint64_t values;    /* looked at: those in which something was found */
    uint64_t masked;    /* addresses replaced */
    uint64_t shortened; /* of these, with a hash suffix because of a length or a clash */
    uint64_t kept;      /* values passed on purpose */
};

/*
 * Where the first byte at or after pos stands that may be of an address, however a carrier writes
 * it; n when there is none. A value that lies whole in bytes without one stays as it is, so rows
 * can be searched at once instead of each value.
 */
size_t cl_mask_search(const char *s, size_t n, size_t pos);

/*
 * Appends the masked form of the n bytes at `in` to *out and returns true; *changed says whether it
 * differs.  max_chars is the column's varchar limit in characters, 0 for none.  Same input, same
 * output, always.  False (class invalid) when no form fits max_chars, or *out is full.
 */
bool cl_mask_apply(const struct cl_mask *mask, const struct cl_mask_column *column,
                   enum cl_carrier carrier, const char *in, size_t n, size_t max_chars,
                   struct cl_buf *out, bool *changed, struct cl_mask_tally *tally,
                   struct cl_err *err);

/* Calls found() for every address in the value that the rules would not leave alone. The address
 * is decoded (as a mail program would read it). Returns how many there were. */
size_t cl_mask_find(const struct cl_mask *mask, const struct cl_mask_column *column,
                    enum cl_carrier carrier, const char *in, size_t n,
                    void (*found)(void *arg, const char *address, size_t len), void *arg);

#endif
