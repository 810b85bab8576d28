/* What is made once rows are in: indexes with their constraints, and foreign keys. */
#ifndef CL_BACKUP_AFTER_H
#define CL_BACKUP_AFTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/err.h"

/* An index of an ordinary table; a constraint may take it over. Strings are borrowed. */
struct cl_index {
    uint32_t oid;            /* in the source */
    uint32_t constraint_oid; /* of its constraint there; 0: none */
    const char *schema;      /* of its table, and its own */
    const char *table;       /* by name */
    const char *name;        /* of the index */
    const char *create;      /* CREATE INDEX …, complete */
    const char *after;       /* ALTER …; run once all indexes of the table are there; "" */
    const char *tablespace;  /* "" for the database's own */
};

struct cl_foreign_key {
    uint32_t oid;       /* in the source */
    const char *schema; /* of the referencing table */
    const char *table;  /* by name */
    const char *name;   /* of the constraint */
    const char *create; /* ALTER TABLE … ADD CONSTRAINT … NOT VALID */
    bool valid;         /* to be validated */
};

struct cl_after {
    struct cl_index *indexes;            /* n_indexes, the largest first; owned */
    size_t n_indexes;                    /* entries of indexes */
    struct cl_foreign_key *foreign_keys; /* n_foreign_keys, the largest table first; owned */
    size_t n_foreign_keys;               /* entries of foreign_keys */
    uint32_t (*objects)[2];              /* (class, oid) of all of them, sorted; owned */
    size_t n_objects;                    /* pairs in objects */
    PGresult *index_rows; /* what the strings point into; NULL: an archive's manifest */
    PGresult *key_rows;   /* same */
};

/* As this connection's transaction sees them; legal on a zeroed value. */
bool cl_after_load(struct cl_after *after, PGconn *conn, struct cl_err *err);

/* Fills objects from indexes and foreign_keys. */
bool cl_after_sort(struct cl_after *after, struct cl_err *err);

/* Is that object, by its numbers in the source, among them? */
bool cl_after_makes(const struct cl_after *after, uint32_t class_oid, uint32_t oid);

void cl_after_fini(struct cl_after *after);

#endif
