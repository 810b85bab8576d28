/*
 * Methods: what is done with the values of one column instead of the sweep.
 *
 * A kind of method is a row of cl_method_kinds: what its options are, which types of column it
 * makes values of, and a function from one value to another.  method.c picks, checks and sweeps;
 * the kinds are in method_*.c by family.
 */
#ifndef CL_MASK_METHOD_H
#define CL_MASK_METHOD_H

#include "private.h"

struct cl_method_kind {
    const char *name;           /* as rules write it */
    const char *const *options; /* names it takes, NULL-terminated */
    unsigned types;             /* CL_METHOD_TYPE of each it makes values of */
    bool keyed;                 /* needs a key */
    bool clean;                 /* no result can hold an address: it is not swept */
    bool lossy;                 /* makes one value of many, whatever the values are */
    /* Reads the options; may be NULL. */
    bool (*make)(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                 struct cl_err *err);
    /* Appends the new value, or sets *is_null. */
    bool (*run)(const struct cl_mask_method *method, const struct cl_mask_value *value,
                struct cl_buf *out, bool *is_null, struct cl_err *err);
    /* Is there room? May be NULL: it makes do with any. */
    bool (*fits)(const struct cl_mask_method *method, enum cl_mask_type type, size_t max_chars,
                 struct cl_err *err);
};

#define CL_METHOD_TYPE(type) (1U << (type))

enum {
    CL_METHOD_TEXT = CL_METHOD_TYPE(CL_MASK_TEXT),
    CL_METHOD_INTEGERS =
        CL_METHOD_TYPE(CL_MASK_INT2) | CL_METHOD_TYPE(CL_MASK_INT4) | CL_METHOD_TYPE(CL_MASK_INT8),
    CL_METHOD_NUMBERS = CL_METHOD_INTEGERS | CL_METHOD_TYPE(CL_MASK_NUMERIC) |
                        CL_METHOD_TYPE(CL_MASK_FLOAT4) | CL_METHOD_TYPE(CL_MASK_FLOAT8),
    CL_METHOD_DATES = CL_METHOD_TYPE(CL_MASK_DATE) | CL_METHOD_TYPE(CL_MASK_TIMESTAMP),
    CL_METHOD_ANY = CL_METHOD_TEXT | CL_METHOD_NUMBERS | CL_METHOD_DATES |
                    CL_METHOD_TYPE(CL_MASK_UUID) | CL_METHOD_TYPE(CL_MASK_JSON) |
                    CL_METHOD_TYPE(CL_MASK_OTHER),
};

/* An entry of a dictionary. */
struct cl_method_entry {
    char *from; /* owned */
    char *to;   /* owned */
};

/* A word list: pointers into the embedded text. */
struct cl_method_words {
    const char **word; /* n of them, each ends at a newline; owned array */
    size_t n;          /* entries of word */
};

struct cl_mask_method {
    char *schema;                      /* owned; NULL inside another method */
    char *table;                       /* same */
    char *column;                      /* same */
    char *where;                       /* it is written; owned; NULL: not known */
    char *steps;                       /* of the path, see method_json.c; owned */
    size_t n_steps;                    /* in steps */
    char *path;                        /* inside json: which values; owned */
    const struct cl_method_kind *kind; /* what it does */
    bool lossy;                        /* as its kind, unless its options say otherwise */
    const char *key;                   /* key_bytes; borrowed; NULL: none */
    size_t key_bytes;                  /* of key */
    const char *purpose;               /* what its own key is for; NULL: the kind's name */
    uint8_t own[CL_SHA256_BYTES];      /* made of the key for that purpose */
    char *text;                      /* the constant, default, replacement, unit; owned; or NULL */
    char *by;                        /* another column of the row; owned; NULL: none */
    uint64_t number;                 /* length, days, parts per million, bucket: as the kind says */
    uint64_t first;                  /* partial: characters kept in front … */
    uint64_t last;                   /* … and at the end */
    int form;                        /* which of the forms the kind knows */
    struct cl_method_entry *entries; /* n_entries, sorted; owned */
    size_t n_entries;                /* of entries */
    struct cl_mask_method *parts;    /* json: n_parts; owned */
    size_t n_parts;                  /* of parts */
    struct cl_method_words words[2]; /* fake: what it chooses from */
    struct cl_mask_script script;    /* kind "script" */
    uint8_t depends[CL_SHA256_BYTES]; /* over data that decides values; zeros: none does */
    bool owns_script;                 /* script.arg is given back with it */
    uint8_t digest[CL_SHA256_BYTES];  /* over all that decides a value, but the key */
};

/* method.c */

/* Fills a zeroed method whose key is set; legal to fini also when it fails. */
bool cl_method_make(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                    struct cl_err *err);
void cl_method_fini(struct cl_mask_method *method);

/* The value of an option; NULL when it is not given. */
const char *cl_method_option(const struct cl_mask_method_spec *spec, const char *name);

/* A whole number from least to most; fallback when it is not given (below least: it must be). */
bool cl_method_number(const struct cl_mask_method_spec *spec, const char *name, uint64_t least,
                      uint64_t most, uint64_t fallback, uint64_t *out, struct cl_err *err);

/* Which of the NULL-terminated words; the first when it is not given. */
bool cl_method_choice(const struct cl_mask_method_spec *spec, const char *name,
                      const char *const *words, int *out, struct cl_err *err);

/* Sets *out to a copy of s, which may be NULL. */
bool cl_method_copy(char **out, const char *s, struct cl_err *err);

/* Makes the rules' hash depend on data that decides values. */
void cl_method_depends(struct cl_mask_method *method, const char *bytes, size_t n);

/* Is it a JSON document? */
bool cl_method_is_json(const char *s, size_t n);

/* HMAC-SHA-256 with the method's own key. */
void cl_method_digest(const struct cl_mask_method *method, const char *bytes, size_t n,
                      uint8_t out[CL_SHA256_BYTES]);

/* 64 bits of a digest as a number below n. */
uint64_t cl_method_below(const uint8_t digest[8], uint64_t n);

/* Class invalid: the value is not what the method takes. It is not shown. */
bool cl_method_refuse(const struct cl_mask_method *method, const char *want, struct cl_err *err);

/* The kinds, by family. */
extern const struct cl_method_kind cl_method_hash, cl_method_redact, cl_method_constant,
    cl_method_null, cl_method_partial, cl_method_dictionary; /* method_text.c */
extern const struct cl_method_kind cl_method_date_shift;     /* method_date.c */
extern const struct cl_method_kind cl_method_noise;          /* method_number.c */
extern const struct cl_method_kind cl_method_generalise;     /* method_generalise.c */
extern const struct cl_method_kind cl_method_fake;           /* method_fake.c */
extern const struct cl_method_kind cl_method_json;           /* method_json.c */
extern const struct cl_method_kind cl_method_shuffle;        /* method_shuffle.c */

#endif
