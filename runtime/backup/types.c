#include "types.h"

#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "pg/session.h"

enum {
    DEPTH_MAX = 16,         /* of domains over arrays of composites of … */
    FIRST_USER_OID = 16384, /* types below have the same oid in every database */
    VARHDR_BYTES = 4,       /* a varchar's typmod is its limit plus this */
};

/* Columns of types.sql. */
enum { T_OID, T_SCHEMA, T_NAME, T_TYPE, T_CATEGORY, T_ELEM, T_BASE, T_TYPMOD, T_RELID, T_SUBTYPE };

/* Built-in types that hold no text and whose binary form is the same everywhere. */
static const char *const plain_types[] = {
    "bit",    "bool",   "box",     "char",     "cid",        "cidr",    "circle",    "date",
    "float4", "float8", "inet",    "int2",     "int2vector", "int4",    "int8",      "interval",
    "line",   "lseg",   "macaddr", "macaddr8", "money",      "numeric", "oid",       "oidvector",
    "path",   "pg_lsn", "point",   "polygon",  "tid",        "time",    "timestamp", "timestamptz",
    "timetz", "uuid",   "varbit",  "xid",      "xid8",
};

/* Those of them a method of the mask may know. */
static const struct {
    const char *name;
    enum cl_mask_type type;
} known_types[] = {
    {"int2", CL_MASK_INT2},
    {"int4", CL_MASK_INT4},
    {"int8", CL_MASK_INT8},
    {"numeric", CL_MASK_NUMERIC},
    {"float4", CL_MASK_FLOAT4},
    {"float8", CL_MASK_FLOAT8},
    {"date", CL_MASK_DATE},
    {"timestamp", CL_MASK_TIMESTAMP},
    {"timestamptz", CL_MASK_TIMESTAMP},
    {"uuid", CL_MASK_UUID},
};

/* Built-in types that hold no text of users; text format, as names mean the same elsewhere and oids
 * do not. */
static const char *const named_types[] = {
    "regclass", "regcollation", "regconfig",     "regdictionary", "regnamespace",
    "regoper",  "regoperator",  "regproc",       "regprocedure",  "regrole",
    "regtype",  "pg_snapshot",  "txid_snapshot",
};

static const struct {
    const char *name;
    struct cl_type_class class;
} text_types[] = {
    {"text", {.text_like = true, .binary = true, .type = CL_MASK_TEXT}},
    {"varchar", {.text_like = true, .binary = true, .type = CL_MASK_TEXT}},
    {"bpchar", {.text_like = true, .binary = true, .type = CL_MASK_TEXT, .padded = true}},
    {"name", {.text_like = true, .binary = true, .type = CL_MASK_TEXT, .max_chars = 63}},
    {"xml", {.text_like = true, .binary = true, .type = CL_MASK_TEXT}},
    {"citext", {.text_like = true, .binary = true, .type = CL_MASK_TEXT}},
    {"bytea", {.text_like = true, .binary = true, .carrier = CL_CARRIER_BYTES}},
    {"json", {.text_like = true, .binary = true, .type = CL_MASK_JSON, .carrier = CL_CARRIER_JSON}},
    {"jsonb",
     {.text_like = true,
      .binary = true,
      .type = CL_MASK_JSON,
      .carrier = CL_CARRIER_JSON,
      .form = CL_BINARY_JSONB,
      .reorders = true}},
};

bool cl_types_load(struct cl_types *types, PGconn *conn, PGresult *columns, struct cl_err *err)
{
    types->columns = columns;
    types->types = cl_pg_query(conn, cl_embedded("runtime/backup/types.sql")->data, 0, NULL, err);
    return types->types != NULL;
}

void cl_types_fini(struct cl_types *types)
{
    PQclear(types->types);
    memset(types, 0, sizeof *types);
}

static uint32_t oid_at(const PGresult *r, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(r, row, column), NULL, 10);
}

/* First row whose column 0, ascending, is not below oid. */
static int lower_bound(const PGresult *r, uint32_t oid)
{
    int low = 0;
    int high = PQntuples(r);
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (oid_at(r, middle, 0) < oid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool listed(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

#define LISTED(name, names) listed(name, names, sizeof names / sizeof *names)

static const struct cl_type_class unknown_class = {
    .text_like = true, .reorders = true, .form = CL_BINARY_UNKNOWN};

static enum cl_mask_type plain_type(const char *name)
{
    for (size_t i = 0; i < sizeof known_types / sizeof *known_types; i++) {
        if (strcmp(known_types[i].name, name) == 0) {
            return known_types[i].type;
        }
    }
    return CL_MASK_OTHER;
}

static struct cl_type_class base_class(const char *schema, const char *name)
{
    bool built_in = strcmp(schema, "pg_catalog") == 0;
    if (built_in && LISTED(name, plain_types)) {
        return (struct cl_type_class){.binary = true, .type = plain_type(name)};
    }
    if (built_in && LISTED(name, named_types)) {
        return (struct cl_type_class){.binary = false};
    }
    for (size_t i = 0; i < sizeof text_types / sizeof *text_types; i++) {
        /* citext is an extension's, wherever that was installed */
        if ((built_in || strcmp(name, "citext") == 0) && strcmp(name, text_types[i].name) == 0) {
            return text_types[i].class;
        }
    }
    return unknown_class; /* hstore, tsvector, and whatever an extension brings */
}

static struct cl_type_class classify(const struct cl_types *types, uint32_t oid, int typmod,
                                     int depth);

static struct cl_type_class composite_class(const struct cl_types *types, uint32_t relid, int depth)
{
    struct cl_type_class class = {.form = CL_BINARY_UNKNOWN};
    int n = PQntuples(types->columns);
    int row = lower_bound(types->columns, relid);
    if (row == n || oid_at(types->columns, row, 0) != relid) {
        return unknown_class; /* a system catalog's row type */
    }
    for (; row < n && oid_at(types->columns, row, 0) == relid; row++) {
        struct cl_type_class part = classify(types, oid_at(types->columns, row, 2), -1, depth);
        class.text_like |= part.text_like;
        class.reorders |= part.reorders;
        if (cl_type_holds_bytes(&part)) {
            class.carrier = CL_CARRIER_NESTED;
        }
    }
    return class;
}

/* Of arrays and ranges. What may hold text is swept inside the literal, arrays of bytea in binary,
 * too; binary: it names no type by an oid of the database. */
static struct cl_type_class of_parts(const struct cl_type_class *part, bool array, bool binary)
{
    struct cl_type_class class = {.text_like = part->text_like, .reorders = part->reorders};
    bool bytes = cl_type_holds_bytes(part);
    class.binary = part->binary && binary && (!part->text_like || (array && bytes));
    if (part->text_like) {
        class.form = class.binary ? CL_BINARY_ARRAY : CL_BINARY_UNKNOWN;
        class.carrier = bytes ? CL_CARRIER_NESTED : CL_CARRIER_TEXT;
    }
    return class;
}

static struct cl_type_class classify(const struct cl_types *types, uint32_t oid, int typmod,
                                     int depth)
{
    const PGresult *r = types->types;
    int row = lower_bound(r, oid);
    if (depth >= DEPTH_MAX || row == PQntuples(r) || oid_at(r, row, T_OID) != oid) {
        return unknown_class;
    }
    struct cl_type_class class;
    char kind = *PQgetvalue(r, row, T_TYPE);
    uint32_t elem = oid_at(r, row, T_ELEM);
    if (kind == 'd') {
        int base_typmod = (int)strtol(PQgetvalue(r, row, T_TYPMOD), NULL, 10);
        return classify(types, oid_at(r, row, T_BASE), base_typmod, depth + 1);
    }
    if (kind == 'e') {
        return (struct cl_type_class){.binary = true};
    }
    if (kind == 'c') {
        return composite_class(types, oid_at(r, row, T_RELID), depth + 1);
    }
    if (kind == 'r' || kind == 'm') {
        class = classify(types, oid_at(r, row, T_SUBTYPE), -1, depth + 1);
        return of_parts(&class, false, true);
    }
    if (elem != 0 && *PQgetvalue(r, row, T_CATEGORY) == 'A') {
        class = classify(types, elem, -1, depth + 1);
        return of_parts(&class, true, elem < FIRST_USER_OID);
    }
    class = base_class(PQgetvalue(r, row, T_SCHEMA), PQgetvalue(r, row, T_NAME));
    if (class.text_like && typmod >= VARHDR_BYTES && class.form == CL_BINARY_PLAIN) {
        class.max_chars = (size_t)(typmod - VARHDR_BYTES);
    }
    return class;
}

void cl_types_classify(const struct cl_types *types, uint32_t oid, int typmod,
                       struct cl_type_class *out)
{
    *out = classify(types, oid, typmod, 0);
}

bool cl_type_holds_bytes(const struct cl_type_class *class)
{
    return class->carrier == CL_CARRIER_BYTES || class->carrier == CL_CARRIER_NESTED;
}

struct cl_mask_value cl_type_value(const struct cl_type_class *class, const char *text, size_t n)
{
    return (struct cl_mask_value){.in = text,
                                  .n = n,
                                  .carrier = class->carrier,
                                  .type = class->type,
                                  .max_chars = class->max_chars};
}
