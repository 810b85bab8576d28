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
#include "base/hash.h"

/* How the bytes carry text. */
enum cl_carrier {
    CL_CARRIER_TEXT,   /* plain UTF-8 text (also array, composite, hstore literals; HTML; XML) */
    CL_CARRIER_JSON,   /* JSON text: strings are read and written with their escapes */
    CL_CARRIER_BYTES,  /* bytes that may be text or hold some, see below */
    CL_CARRIER_NESTED, /* the literal of an array, composite or range that holds such bytes */
};

/* Values of one column that pass unmasked, and why (sign-in names of users with a plan). */
struct cl_mask_keep {
    const char *schema;
    const char *table;
    const char *column;
    const char *const *values; /* NULL-terminated; exact matches of the whole value */
    const char *reason;        /* printed in the certificate */
};

/* How addresses are replaced. */
enum cl_mask_mode {
    CL_MASK_DOMAIN, /* local_domain@sink */
    CL_MASK_HASH,   /* hash@sink, keyed: nothing of the address is left */
};

/* One option of a method, or one entry of a dictionary. */
struct cl_mask_option {
    const char *name;
    const char *value; /* numbers as decimal text */
};

/* Code of somebody else's that makes the values of a column. */
struct cl_mask_script {
    void *(*open)(void *arg, struct cl_err *err); /* a worker's own state; NULL with *err */
    bool (*call)(void *state, const char *in, size_t n, bool *is_null, struct cl_buf *out,
                 struct cl_err *err); /* appends the new value, or sets *is_null */
    void (*close)(void *state);
    void (*free)(void *arg);
    void *arg;        /* handed to open, on any thread */
    const char *hash; /* over what decides a value; lives as long as arg */
};

/* What is done with the values of one column instead of the sweep. */
struct cl_mask_method_spec {
    const char *schema; /* of a partition: its topmost table */
    const char *table;
    const char *column;
    const char *where; /* it is written, for messages: "mask.lua:12"; may be NULL */
    const char *kind;  /* "hash", "redact" …, see README.md */
    const struct cl_mask_option *options; /* n_options */
    size_t n_options;
    const struct cl_mask_option *entries; /* dictionary: n_entries */
    size_t n_entries;
    const char *path;                        /* inside json: which values */
    const struct cl_mask_method_spec *parts; /* json: n_parts, each with its path */
    size_t n_parts;
    const struct cl_mask_script *script; /* kind "script" */
};

struct cl_mask_spec {
    const char *sink_domain;         /* "mailinator.com" */
    const char *const *allow;        /* further domains that pass, NULL-terminated; may be NULL */
    const struct cl_mask_keep *keep; /* n_keep of them; everything is copied */
    size_t n_keep;
    enum cl_mask_mode mode;
    const void *key; /* key_bytes; what needs one is refused without; NULL: none */
    size_t key_bytes;
    const struct cl_mask_method_spec *methods; /* n_methods; everything is copied */
    size_t n_methods;
};

struct cl_mask;        /* immutable once made */
struct cl_mask_column; /* what one column's values may keep; belongs to its cl_mask */
struct cl_mask_method; /* a method; belongs to its cl_mask */
struct cl_mask_worker; /* what one thread needs to apply a method */

/* NULL with *err when something in the spec is wrong; else the scripts' args are its own. */
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

/* The method of that column; NULL: its values are swept. */
const struct cl_mask_method *cl_mask_method(const struct cl_mask *mask, const char *schema,
                                            const char *table, const char *column);

/* All of them, in order of their names. */
size_t cl_mask_methods_count(const struct cl_mask *mask);
const struct cl_mask_method *cl_mask_method_at(const struct cl_mask *mask, size_t i);

const char *cl_mask_method_schema(const struct cl_mask_method *method);
const char *cl_mask_method_table(const struct cl_mask_method *method);
const char *cl_mask_method_column(const struct cl_mask_method *method);
const char *cl_mask_method_kind(const struct cl_mask_method *method);  /* "hash" … */
const char *cl_mask_method_where(const struct cl_mask_method *method); /* "mask.lua:12"; or "" */

/* The column of the same row whose value decides with it; NULL: none. */
const char *cl_mask_method_by(const struct cl_mask_method *method);

/* A shuffle: the name of the columns whose values move together, "" for this one alone; NULL: it is
 * none. Its values come from other rows, which the caller deals (struct cl_mask_value). */
const char *cl_mask_method_unit(const struct cl_mask_method *method);

/* Where a shuffle has its row in a keyed order: hashes of what says which row it is. */
void cl_mask_method_order(const struct cl_mask_method *method, const void *bytes, size_t n,
                          uint8_t out[CL_SHA256_BYTES]);

/* Do distinct values stay distinct in a column of at most max_chars characters (0: any)? */
bool cl_mask_method_injective(const struct cl_mask_method *method, size_t max_chars);

/* Does it make one value of many, so that no column whose values differ may have it? Of a method
 * that is neither lossy nor injective only the data can tell. */
bool cl_mask_method_lossy(const struct cl_mask_method *method);

/* What a column's values are. */
enum cl_mask_type {
    CL_MASK_OTHER, /* anything else, in PostgreSQL's text form */
    CL_MASK_TEXT,
    CL_MASK_JSON,
    CL_MASK_INT2,
    CL_MASK_INT4,
    CL_MASK_INT8,
    CL_MASK_NUMERIC,
    CL_MASK_FLOAT4,
    CL_MASK_FLOAT8,
    CL_MASK_DATE,
    CL_MASK_TIMESTAMP, /* with or without time zone */
    CL_MASK_UUID,
};

/* Can it make values of such a column? Class invalid; the caller adds the column. */
bool cl_mask_method_fits(const struct cl_mask_method *method, enum cl_mask_type type,
                         size_t max_chars, struct cl_err *err);

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
 * can be searched at once instead of each value, also with lengths of four bytes between them,
 * their highest byte first.
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

/* NULL with *err when a script cannot be opened. A worker is used by one thread at a time. */
struct cl_mask_worker *cl_mask_worker_open(const struct cl_mask_method *method, struct cl_err *err);
void cl_mask_worker_close(struct cl_mask_worker *worker); /* NULL is fine */

/* A value, not NULL, on its way through a method. */
struct cl_mask_value {
    const char *in;          /* n bytes of text */
    size_t n;                /* of in */
    const char *by;          /* n_by bytes: what cl_mask_method_by() names; NULL: that is NULL */
    size_t n_by;             /* of by */
    const char *dealt;       /* a shuffle: n_dealt bytes, what it becomes; NULL: nobody says */
    size_t n_dealt;          /* of dealt */
    enum cl_carrier carrier; /* of the column */
    enum cl_mask_type type;  /* of the column */
    size_t max_chars;        /* the column's limit in characters, 0 for none */
};

/*
 * Appends what the method makes of the value, swept, to *out; or sets *is_null.  Values that the
 * column keeps (NULL: none) pass.  Same value, same key, same result, always.  False (class
 * invalid) when the value is not what the method takes, or the result does not fit.
 */
bool cl_mask_method_apply(const struct cl_mask *mask, struct cl_mask_worker *worker,
                          const struct cl_mask_column *column, const struct cl_mask_value *value,
                          struct cl_buf *out, bool *is_null, struct cl_mask_tally *tally,
                          struct cl_err *err);

/* Calls found() for every address in the value that the rules would not leave alone. The address
 * is decoded (as a mail program would read it). Returns how many there were. */
size_t cl_mask_find(const struct cl_mask *mask, const struct cl_mask_column *column,
                    enum cl_carrier carrier, const char *in, size_t n,
                    void (*found)(void *arg, const char *address, size_t len), void *arg);

/*
 * Bytes are text when they are UTF-8 without NUL, or, from 24 bytes on, three quarters of them are
 * ASCII and none is a control character but white space. Text is masked as text. In other bytes an
 * address counts in a run of at least 24 bytes of text, or when it is ASCII and has 16 bytes or
 * more itself, or 10 with letters of one case and a last label of letters: random bytes hold less
 * than one in 10 GB. It is overwritten by as many letters. CL_CARRIER_BYTES does all that; what
 * follows is for values that are too wide to have whole.
 */
struct cl_mask_judge {
    size_t whole;  /* so many bytes are whole UTF-8 characters without NUL */
    size_t seen;   /* so many were looked at for what follows */
    size_t ascii;  /* of these */
    bool not_utf8; /* something else came */
    bool control;  /* a control character came */
};

/* Looks at what came since: the first n bytes of the value are at s, all of them. False: they are
 * no text, whatever follows. Zeroed before the first. */
bool cl_mask_judge_more(struct cl_mask_judge *judge, const char *s, size_t n);

/* The value has n bytes, all judged: is it text? */
bool cl_mask_judge_text(const struct cl_mask_judge *judge, size_t n);

/* How many of the n bytes can be masked (or searched) without what follows them: no run of text
 * spans that place. 0: none. */
size_t cl_mask_text_break(const char *s, size_t n);

/* Bytes that are no text: overwrites, or finds, the addresses in them; returns how many. */
size_t cl_mask_overwrite(const struct cl_mask *mask, char *s, size_t n);
size_t cl_mask_find_binary(const struct cl_mask *mask, const char *s, size_t n,
                           void (*found)(void *arg, const char *address, size_t len), void *arg);

#endif
