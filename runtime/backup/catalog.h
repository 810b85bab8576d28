/* What there is to copy: tables with their columns, sequences, materialised views. */
#ifndef CL_BACKUP_CATALOG_H
#define CL_BACKUP_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/err.h"
#include "copyrow.h"
#include "types.h"

struct cl_column {
    const char *name;           /* borrowed from the catalog's results */
    const char *type;           /* as format_type() writes it; same */
    struct cl_type_class class; /* what that means */
};

struct cl_table {
    uint32_t oid;               /* in its own database */
    const char *schema;         /* borrowed */
    const char *name;           /* borrowed */
    const char *condition;      /* extension configuration: "WHERE …" or ""; NULL: an own table */
    const char *before;         /* SQL in the transaction of a part, before its rows; NULL: none */
    const char *after;          /* same, after them */
    unsigned rank;              /* rows of lower ranks come before its own; 0: in no order */
    bool partitioned;           /* has no rows but its partitions' */
    uint64_t bytes;             /* heap and TOAST, as the server counts */
    uint64_t pages;             /* of the heap */
    bool heap;                  /* its access method; parts are cut by its pages */
    bool foreign_below;         /* foreign tables inherit from it: ANALYZE would read those */
    bool out_of_reach;          /* unlogged, and this server is a standby: its rows are not here */
    const char *root_schema;    /* borrowed; NULL: no partition */
    const char *root_name;      /* borrowed; the topmost table it is a partition of */
    bool by_enum;               /* a hash of an enum is among the keys of its partitioning */
    bool by_text;               /* what a mask may change is */
    bool excluded;              /* no row may be read */
    enum cl_copy_format format; /* decided by its columns */
    bool text_like;             /* a column of it is swept, or has a method */
    struct cl_column *columns;  /* n_columns that are copied: not the generated ones */
    size_t n_columns;           /* entries of columns */
};

struct cl_sequence {
    const char *schema; /* borrowed */
    const char *name;   /* borrowed */
    int64_t last_value; /* its exact state */
    bool is_called;     /* same */
};

struct cl_identity {
    char system[24];    /* system identifier; "" when the role may not ask for it */
    char started[24];   /* when the server was, to the microsecond; "" when read from an archive */
    char database[128]; /* its name, for messages */
    char version[64];   /* "15.20 (Debian …)" */
    uint32_t oid;       /* of the database */
    int number;         /* 150020 */
};

struct cl_catalog {
    struct cl_table *tables;       /* n_tables, largest first */
    size_t n_tables;               /* entries of tables */
    struct cl_sequence *sequences; /* n_sequences; filled by cl_catalog_sequences */
    size_t n_sequences;            /* entries of sequences */
    PGresult *matviews;            /* of matviews.sql; NULL until loaded */
    struct cl_column *columns;     /* all tables' columns, one block */
    struct cl_types types;         /* owner of the type rows */
    PGresult *table_rows;          /* what the strings point into */
    PGresult *column_rows;         /* same */
    PGresult *width_rows;          /* of column_widths.sql */
    PGresult *sequence_rows;       /* same */
};

/* Tables, columns and types as this connection's transaction sees them; legal on a zeroed catalog.
 */
bool cl_catalog_load(struct cl_catalog *catalog, PGconn *conn, struct cl_err *err);

/* Same, with partitioned tables among the tables: for rows to go into, never to be read. */
bool cl_catalog_load_whole(struct cl_catalog *catalog, PGconn *conn, struct cl_err *err);

/* Marks the tables named "schema.table". A name that is no table's is class not_found: a typing
 * error must not let rows through. */
bool cl_catalog_exclude(struct cl_catalog *catalog, char *const *names, size_t n,
                        struct cl_err *err);

/* Makes the catalog one of tables that go through the mask (NULL: they do not): those with a method
 * are read in a format it can be applied in. Class invalid when it cannot make a column's values.
 */
bool cl_catalog_mask(struct cl_catalog *catalog, const struct cl_mask *mask, struct cl_err *err);

/* Class invalid, code E_RULES, when a method names a table or a column that is not there. conn is
 * where the catalog was read: tables that have no partitions are not in it. */
bool cl_catalog_named(const struct cl_catalog *catalog, const struct cl_mask *mask, PGconn *conn,
                      struct cl_err *err);

/* Same, when a column that is unique by itself has a method that makes one value of many. */
bool cl_catalog_distinct(const struct cl_catalog *catalog, const struct cl_mask *mask, PGconn *conn,
                         struct cl_err *err);

/* The method of a column; NULL: it is swept. */
const struct cl_mask_method *cl_table_method(const struct cl_table *table, const char *column,
                                             const struct cl_mask *mask);

/* Sequences with their state, and materialised views. */
bool cl_catalog_sequences(struct cl_catalog *catalog, PGconn *conn, struct cl_err *err);
bool cl_catalog_matviews(struct cl_catalog *catalog, PGconn *conn, struct cl_err *err);

void cl_catalog_fini(struct cl_catalog *catalog);

/* Must rows of this partition find their partition anew in a copy? */
bool cl_table_reroutes(const struct cl_table *table, bool masked);

/* NULL when there is none. */
const struct cl_table *cl_catalog_find(const struct cl_catalog *catalog, const char *schema,
                                       const char *name);

bool cl_identity_read(struct cl_identity *identity, PGconn *conn, struct cl_err *err);

/* Class permission, code E_SAME_DATABASE, when both are one database (P1). */
bool cl_identity_differ(const struct cl_identity *source, const struct cl_identity *target,
                        struct cl_err *err);

/* Class conflict naming what stands there, when the database has tables, views or sequences. */
bool cl_catalog_empty(PGconn *conn, const struct cl_identity *identity, struct cl_err *err);

/* Appends "name", quoted; and "schema"."name". */
bool cl_sql_ident(struct cl_buf *out, const char *name);
bool cl_sql_name(struct cl_buf *out, const char *schema, const char *name);

#endif
