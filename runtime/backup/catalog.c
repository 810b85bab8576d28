#include "catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "plan.h"
#include "pg/session.h"
#include "width.h"

enum {
    TABLES_MAX = 1000000,  /* more are refused */
    NAME_BYTES_MAX = 1024, /* two quoted identifiers of 63 bytes, doubled quotes */
    SQL_BYTES_MAX = 4096,  /* a statement around one name */
    SEQUENCES_A_QUERY = 100,
};

/* Columns of tables.sql and columns.sql. */
enum {
    R_OID,
    R_SCHEMA,
    R_NAME,
    R_BYTES,
    R_PAGES,
    R_HEAP,
    R_CONDITION,
    R_FOREIGN,
    R_REACH,
    R_ROOT_SCHEMA,
    R_ROOT_NAME,
    R_BY_ENUM,
    R_BY_TEXT,
    R_PARTITIONED,
    R_RANK
};
enum { C_RELID, C_NAME, C_TYPID, C_TYPMOD, C_TYPE, C_GENERATED };

static PGresult *run_sql(PGconn *conn, const char *path, struct cl_err *err)
{
    return cl_pg_query(conn, cl_embedded(path)->data, 0, NULL, err);
}

static int by_oid(const void *a, const void *b)
{
    const struct cl_table *const *x = a;
    const struct cl_table *const *y = b;
    return (*x)->oid < (*y)->oid ? -1 : (*x)->oid > (*y)->oid;
}

static uint32_t oid_at(const PGresult *r, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(r, row, column), NULL, 10);
}

static void add_column(struct cl_catalog *catalog, struct cl_table *table, struct cl_column *column,
                       int row)
{
    const PGresult *r = catalog->column_rows;
    column->name = PQgetvalue(r, row, C_NAME);
    column->type = PQgetvalue(r, row, C_TYPE);
    uint32_t type = oid_at(r, row, C_TYPID);
    int typmod = (int)strtol(PQgetvalue(r, row, C_TYPMOD), NULL, 10);
    cl_types_classify(&catalog->types, type, typmod, &column->class);
    table->n_columns++;
    table->text_like |= column->class.text_like;
    if (!column->class.binary) {
        table->format = CL_COPY_TEXT;
    }
}

/* Constraints that say how long a text may be are limits like varchar's. *row is the first of
 * width_rows that is not of a table before this one. */
static void narrow(const struct cl_catalog *catalog, const struct cl_table *table,
                   struct cl_column *column, int *row)
{
    enum { W_RELID, W_NAME, W_EXPR, W_CALLED };
    const PGresult *r = catalog->width_rows;
    struct cl_type_class *class = &column->class;
    while (*row < PQntuples(r) && oid_at(r, *row, W_RELID) < table->oid) {
        ++*row;
    }
    for (int i = *row; i < PQntuples(r) && oid_at(r, i, W_RELID) == table->oid; i++) {
        size_t width = strcmp(PQgetvalue(r, i, W_NAME), column->name) == 0
                           ? cl_width_of_check(PQgetvalue(r, i, W_EXPR), PQgetvalue(r, i, W_CALLED))
                           : 0;
        if (width > 0 && class->type == CL_MASK_TEXT && class->form == CL_BINARY_PLAIN &&
            (class->max_chars == 0 || width < class->max_chars)) {
            class->max_chars = width;
        }
    }
}

/* Gives each table its run of rows in column_rows; both are walked in order of oid. */
static bool add_columns(struct cl_catalog *catalog, struct cl_err *err)
{
    int n = PQntuples(catalog->column_rows);
    struct cl_table **order = calloc(catalog->n_tables + 1, sizeof *order);
    catalog->columns = calloc((size_t)n + 1, sizeof *catalog->columns);
    if (!order || !catalog->columns) {
        free(order);
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory reading the catalog");
    }
    for (size_t i = 0; i < catalog->n_tables; i++) {
        order[i] = &catalog->tables[i];
        order[i]->format = CL_COPY_BINARY;
    }
    qsort(order, catalog->n_tables, sizeof(struct cl_table *), by_oid);
    size_t at = 0;
    size_t used = 0;
    int width = 0;
    for (int row = 0; row < n; row++) {
        uint32_t oid = oid_at(catalog->column_rows, row, C_RELID);
        while (at < catalog->n_tables && order[at]->oid < oid) {
            at++;
        }
        bool ours = at < catalog->n_tables && order[at]->oid == oid;
        if (!ours || *PQgetvalue(catalog->column_rows, row, C_GENERATED) == 't') {
            continue;
        }
        if (order[at]->n_columns == 0) {
            order[at]->columns = &catalog->columns[used];
        }
        add_column(catalog, order[at], &catalog->columns[used], row);
        narrow(catalog, order[at], &catalog->columns[used++], &width);
    }
    free(order);
    return true;
}

static bool load(struct cl_catalog *catalog, PGconn *conn, bool whole, struct cl_err *err)
{
    const char *params[] = {whole ? "t" : "f"};
    catalog->table_rows =
        cl_pg_query(conn, cl_embedded("runtime/backup/tables.sql")->data, 1, params, err);
    catalog->column_rows =
        catalog->table_rows ? run_sql(conn, "runtime/backup/columns.sql", err) : NULL;
    catalog->width_rows =
        catalog->column_rows ? run_sql(conn, "runtime/backup/column_widths.sql", err) : NULL;
    if (!catalog->width_rows || !cl_types_load(&catalog->types, conn, catalog->column_rows, err)) {
        return false;
    }
    const PGresult *r = catalog->table_rows;
    catalog->n_tables = (size_t)PQntuples(r);
    if (catalog->n_tables > TABLES_MAX) {
        return cl_fail(err, CL_INVALID, "E_TOO_MANY", "more than %d tables", TABLES_MAX);
    }
    catalog->tables = calloc(catalog->n_tables + 1, sizeof *catalog->tables);
    if (!catalog->tables) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory reading the catalog");
    }
    for (int i = 0; i < PQntuples(r); i++) {
        struct cl_table *table = &catalog->tables[i];
        table->oid = oid_at(r, i, R_OID);
        table->schema = PQgetvalue(r, i, R_SCHEMA);
        table->name = PQgetvalue(r, i, R_NAME);
        table->bytes = strtoull(PQgetvalue(r, i, R_BYTES), NULL, 10);
        table->pages = strtoull(PQgetvalue(r, i, R_PAGES), NULL, 10);
        table->heap = *PQgetvalue(r, i, R_HEAP) == 't';
        table->root_schema =
            PQgetisnull(r, i, R_ROOT_NAME) ? NULL : PQgetvalue(r, i, R_ROOT_SCHEMA);
        table->root_name = PQgetvalue(r, i, R_ROOT_NAME);
        table->by_enum = *PQgetvalue(r, i, R_BY_ENUM) == 't';
        table->by_text = *PQgetvalue(r, i, R_BY_TEXT) == 't';
        table->out_of_reach = *PQgetvalue(r, i, R_REACH) == 't';
        table->foreign_below = *PQgetvalue(r, i, R_FOREIGN) == 't';
        table->partitioned = *PQgetvalue(r, i, R_PARTITIONED) == 't';
        table->rank = (unsigned)strtoul(PQgetvalue(r, i, R_RANK), NULL, 10);
        table->condition = PQgetisnull(r, i, R_CONDITION) ? NULL : PQgetvalue(r, i, R_CONDITION);
    }
    if (!add_columns(catalog, err)) {
        return false;
    }
    cl_plan_order(catalog->tables, catalog->n_tables);
    return true;
}

bool cl_catalog_load(struct cl_catalog *catalog, PGconn *conn, struct cl_err *err)
{
    return load(catalog, conn, false, err);
}

bool cl_catalog_load_whole(struct cl_catalog *catalog, PGconn *conn, struct cl_err *err)
{
    return load(catalog, conn, true, err);
}

bool cl_catalog_exclude(struct cl_catalog *catalog, char *const *names, size_t n,
                        struct cl_err *err)
{
    char full[NAME_BYTES_MAX];
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t j = 0; j < catalog->n_tables; j++) {
            struct cl_table *table = &catalog->tables[j];
            snprintf(full, sizeof full, "%s.%s", table->schema, table->name);
            if (strcmp(full, names[i]) == 0) {
                table->excluded = true;
                found = true;
            }
        }
        if (!found) {
            return cl_fail(err, CL_NOT_FOUND, "E_NO_TABLE",
                           "exclude_data names '%s', but there is no such table", names[i]);
        }
    }
    return true;
}

/* Partitions have the rules of their topmost table: rows may move between them. */
const struct cl_mask_method *cl_table_method(const struct cl_table *table, const char *column,
                                             const struct cl_mask *mask)
{
    bool part = table->root_schema != NULL;
    return cl_mask_method(mask, part ? table->root_schema : table->schema,
                          part ? table->root_name : table->name, column);
}

static bool is_of(const struct cl_table *table, const struct cl_mask_method *method)
{
    bool part = table->root_schema != NULL;
    return strcmp(part ? table->root_schema : table->schema, cl_mask_method_schema(method)) == 0 &&
           strcmp(part ? table->root_name : table->name, cl_mask_method_table(method)) == 0;
}

static const struct cl_column *find_column(const struct cl_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

/* Says where the rule is written. */
static bool blame_rule(const struct cl_mask_method *method, struct cl_err *err)
{
    const char *where = cl_mask_method_where(method);
    return *where && cl_err_context(err, "%s", where);
}

static bool missing(const struct cl_mask_method *method, const char *column, struct cl_err *err)
{
    const char *schema = cl_mask_method_schema(method);
    const char *table = cl_mask_method_table(method);
    if (column) {
        cl_fail(err, CL_INVALID, "E_RULES",
                "the rules name %s.%s.%s, but the table has no such column, or generates it",
                schema, table, column);
    } else {
        cl_fail(err, CL_INVALID, "E_RULES",
                "the rules name %s.%s, but there is no such table, or it is a partition (name the "
                "table it is one of)",
                schema, table);
    }
    return blame_rule(method, err);
}

/* Of a table the catalog has nothing of: is it partitioned, and only lacks partitions? */
static bool find_empty(const struct cl_mask_method *method, PGconn *conn, struct cl_err *err)
{
    const char *column = cl_mask_method_column(method);
    const char *by = cl_mask_method_by(method);
    const char *params[] = {cl_mask_method_schema(method), cl_mask_method_table(method), column,
                            by ? by : column};
    const struct cl_embedded *sql = cl_embedded("runtime/backup/empty_root.sql");
    PGresult *r = cl_pg_query(conn, sql->data, 4, params, err);
    if (!r) {
        return false;
    }
    bool there = PQntuples(r) > 0;
    bool has_column = there && *PQgetvalue(r, 0, 0) == 't';
    bool has_by = there && *PQgetvalue(r, 0, 1) == 't';
    PQclear(r);
    if (!there) {
        return missing(method, NULL, err);
    }
    return (has_column && has_by) || missing(method, has_column ? by : column, err);
}

bool cl_catalog_named(const struct cl_catalog *catalog, const struct cl_mask *mask, PGconn *conn,
                      struct cl_err *err)
{
    for (size_t i = 0; mask && i < cl_mask_methods_count(mask); i++) {
        const struct cl_mask_method *method = cl_mask_method_at(mask, i);
        const char *column = cl_mask_method_column(method);
        const char *by = cl_mask_method_by(method);
        bool found = false;
        for (size_t j = 0; j < catalog->n_tables; j++) {
            const struct cl_table *table = &catalog->tables[j];
            if (!is_of(table, method)) {
                continue;
            }
            found = true;
            if (!find_column(table, column) || (by && !find_column(table, by))) {
                return missing(method, find_column(table, column) ? by : column, err);
            }
        }
        if (!found && !find_empty(method, conn, err)) {
            return false;
        }
    }
    return true;
}

static bool any_lossy(const struct cl_mask *mask)
{
    for (size_t i = 0; mask && i < cl_mask_methods_count(mask); i++) {
        if (cl_mask_method_lossy(cl_mask_method_at(mask, i))) {
            return true;
        }
    }
    return false;
}

bool cl_catalog_distinct(const struct cl_catalog *catalog, const struct cl_mask *mask, PGconn *conn,
                         struct cl_err *err)
{
    enum { SCHEMA, TABLE, COLUMN, INDEX, RULE_SCHEMA, RULE_TABLE };
    if (!any_lossy(mask)) {
        return true;
    }
    PGresult *r = run_sql(conn, "runtime/backup/unique_columns.sql", err);
    bool ok = r != NULL;
    for (int row = 0; ok && row < PQntuples(r); row++) {
        const char *column = PQgetvalue(r, row, COLUMN);
        const struct cl_mask_method *method = cl_mask_method(
            mask, PQgetvalue(r, row, RULE_SCHEMA), PQgetvalue(r, row, RULE_TABLE), column);
        const struct cl_table *table =
            method && cl_mask_method_lossy(method)
                ? cl_catalog_find(catalog, PQgetvalue(r, row, SCHEMA), PQgetvalue(r, row, TABLE))
                : NULL;
        if (table && !table->excluded) {
            cl_fail(err, CL_INVALID, "E_RULES",
                    "%s.%s.%s is unique (%s), and method '%s' makes one value of many: choose one "
                    "that keeps them apart, such as 'hash'",
                    table->schema, table->name, column, PQgetvalue(r, row, INDEX),
                    cl_mask_method_kind(method));
            ok = blame_rule(method, err);
        }
    }
    PQclear(r);
    return ok;
}

/* Is it in the binary format what it is in text, but for a byte before jsonb? */
static bool same_in_binary(const struct cl_column *column)
{
    return column->class.text_like && column->class.binary && !cl_type_holds_bytes(&column->class);
}

static bool mask_column(struct cl_table *table, const struct cl_column *column,
                        const struct cl_mask *mask, const struct cl_mask_method *method,
                        struct cl_err *err)
{
    const char *by = cl_mask_method_by(method);
    const struct cl_column *other = by ? find_column(table, by) : NULL;
    bool stays = cl_mask_column(mask, table->schema, table->name, column->name) != NULL;
    bool ok = cl_mask_method_fits(method, column->class.type, column->class.max_chars, err);
    if (ok && stays && cl_mask_method_unit(method)) { /* the value would be in another row, too */
        ok = cl_fail(err, CL_INVALID, "E_RULES",
                     "method 'shuffle' does not go with values that are kept");
    }
    if (!ok) {
        cl_err_context(err, "%s.%s.%s (%s)", table->schema, table->name, column->name,
                       column->type);
        return blame_rule(method, err);
    }
    if (!same_in_binary(column) || (other && !same_in_binary(other))) {
        table->format = CL_COPY_TEXT;
    }
    table->text_like = true;
    table->by_text = true; /* the column may be among the keys of its partitioning */
    return true;
}

bool cl_catalog_mask(struct cl_catalog *catalog, const struct cl_mask *mask, struct cl_err *err)
{
    if (!mask || cl_mask_methods_count(mask) == 0) {
        return true;
    }
    for (size_t i = 0; i < catalog->n_tables; i++) {
        struct cl_table *table = &catalog->tables[i];
        for (size_t j = 0; j < table->n_columns; j++) {
            const struct cl_column *column = &table->columns[j];
            const struct cl_mask_method *method = cl_table_method(table, column->name, mask);
            if (method && !mask_column(table, column, mask, method, err)) {
                return false;
            }
        }
    }
    return true;
}

bool cl_table_reroutes(const struct cl_table *table, bool masked)
{
    return table->root_schema && (table->by_enum || (masked && table->by_text));
}

/* The state lies in the sequences' own relations; their catalog view hides values not yet called.
 * Reads n of them, from the first on. */
static bool read_sequences(struct cl_sequence *first, size_t n, PGconn *conn, struct cl_err *err)
{
    struct cl_buf sql;
    cl_buf_init(&sql, SEQUENCES_A_QUERY * SQL_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        cl_buf_addf(&sql, "%sSELECT %zu, last_value, is_called FROM ", i > 0 ? " UNION ALL " : "",
                    i);
        cl_sql_name(&sql, first[i].schema, first[i].name);
    }
    PGresult *r = cl_pg_query(conn, cl_buf_str(&sql), 0, NULL, err);
    cl_buf_fini(&sql);
    for (int row = 0; r && row < PQntuples(r); row++) {
        struct cl_sequence *sequence = &first[strtoul(PQgetvalue(r, row, 0), NULL, 10)];
        sequence->last_value = strtoll(PQgetvalue(r, row, 1), NULL, 10);
        sequence->is_called = *PQgetvalue(r, row, 2) == 't';
    }
    PQclear(r);
    return r || cl_err_context(err, "reading sequences");
}

bool cl_catalog_sequences(struct cl_catalog *catalog, PGconn *conn, struct cl_err *err)
{
    catalog->sequence_rows = run_sql(conn, "runtime/backup/sequences.sql", err);
    if (!catalog->sequence_rows) {
        return false;
    }
    size_t n = (size_t)PQntuples(catalog->sequence_rows);
    catalog->sequences = calloc(n + 1, sizeof *catalog->sequences);
    if (!catalog->sequences) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory reading the catalog");
    }
    catalog->n_sequences = n;
    for (size_t i = 0; i < n; i++) {
        catalog->sequences[i].schema = PQgetvalue(catalog->sequence_rows, (int)i, 0);
        catalog->sequences[i].name = PQgetvalue(catalog->sequence_rows, (int)i, 1);
    }
    bool ok = true;
    for (size_t i = 0; ok && i < n; i += SEQUENCES_A_QUERY) {
        size_t some = n - i < SEQUENCES_A_QUERY ? n - i : SEQUENCES_A_QUERY;
        ok = read_sequences(&catalog->sequences[i], some, conn, err);
    }
    return ok;
}

bool cl_catalog_matviews(struct cl_catalog *catalog, PGconn *conn, struct cl_err *err)
{
    catalog->matviews = run_sql(conn, "runtime/backup/matviews.sql", err);
    return catalog->matviews != NULL;
}

void cl_catalog_fini(struct cl_catalog *catalog)
{
    cl_types_fini(&catalog->types);
    PQclear(catalog->table_rows);
    PQclear(catalog->column_rows);
    PQclear(catalog->width_rows);
    PQclear(catalog->sequence_rows);
    PQclear(catalog->matviews);
    free(catalog->tables);
    free(catalog->columns);
    free(catalog->sequences);
    memset(catalog, 0, sizeof *catalog);
}

const struct cl_table *cl_catalog_find(const struct cl_catalog *catalog, const char *schema,
                                       const char *name)
{
    for (size_t i = 0; i < catalog->n_tables; i++) {
        const struct cl_table *table = &catalog->tables[i];
        if (strcmp(table->name, name) == 0 && strcmp(table->schema, schema) == 0) {
            return table;
        }
    }
    return NULL;
}

static bool read_system(struct cl_identity *identity, PGconn *conn, struct cl_err *err)
{
    char *system = cl_pg_value(conn, "SELECT system_identifier FROM pg_control_system()", err);
    snprintf(identity->system, sizeof identity->system, "%s", system ? system : "");
    free(system);
    return *identity->system != '\0';
}

bool cl_identity_read(struct cl_identity *identity, PGconn *conn, struct cl_err *err)
{
    PGresult *r = run_sql(conn, "runtime/backup/identity.sql", err);
    if (!r) {
        return cl_err_context(err, "cannot tell which database this is");
    }
    *identity->system = '\0';
    bool may_ask = *PQgetvalue(r, 0, 0) == 't';
    identity->oid = (uint32_t)strtoul(PQgetvalue(r, 0, 1), NULL, 10);
    snprintf(identity->database, sizeof identity->database, "%s", PQgetvalue(r, 0, 2));
    snprintf(identity->version, sizeof identity->version, "%s", PQgetvalue(r, 0, 3));
    identity->number = (int)strtol(PQgetvalue(r, 0, 4), NULL, 10);
    snprintf(identity->started, sizeof identity->started, "%s", PQgetvalue(r, 0, 5));
    PQclear(r);
    return !may_ask || read_system(identity, conn, err) ||
           cl_err_context(err, "cannot tell which database this is");
}

/* One server? Either mark says so: a role may be let ask for less than the other. */
static bool same_server(const struct cl_identity *a, const struct cl_identity *b)
{
    return (*a->system && strcmp(a->system, b->system) == 0) ||
           (*a->started && strcmp(a->started, b->started) == 0);
}

bool cl_identity_differ(const struct cl_identity *source, const struct cl_identity *target,
                        struct cl_err *err)
{
    if (source->oid == target->oid && same_server(source, target)) {
        return cl_fail(err, CL_PERMISSION, "E_SAME_DATABASE",
                       "source and target are the same database '%s' (oid %u)", target->database,
                       target->oid);
    }
    return true;
}

bool cl_catalog_empty(PGconn *conn, const struct cl_identity *identity, struct cl_err *err)
{
    PGresult *r = run_sql(conn, "runtime/backup/occupants.sql", err);
    if (!r) {
        return false;
    }
    bool empty = PQntuples(r) == 0;
    if (!empty) {
        long more = strtol(PQgetvalue(r, 0, 1), NULL, 10) - 1;
        char others[64] = "";
        if (more > 0) {
            snprintf(others, sizeof others, " and %ld more", more);
        }
        cl_fail(err, CL_CONFLICT, "E_NOT_EMPTY",
                "the target database '%s' is not empty: it has %s%s", identity->database,
                PQgetvalue(r, 0, 0), others);
    }
    PQclear(r);
    return empty;
}

bool cl_sql_ident(struct cl_buf *out, const char *name)
{
    cl_buf_addc(out, '"');
    for (; *name; name++) {
        if (*name == '"') {
            cl_buf_addc(out, '"');
        }
        cl_buf_addc(out, *name);
    }
    return cl_buf_addc(out, '"');
}

bool cl_sql_name(struct cl_buf *out, const char *schema, const char *name)
{
    cl_sql_ident(out, schema);
    cl_buf_addc(out, '.');
    return cl_sql_ident(out, name);
}
