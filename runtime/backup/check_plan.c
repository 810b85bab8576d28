#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "check_private.h"

enum {
    HASHES_SINCE = 140000,       /* server_version_num: hash_record_extended() */
    SQL_BYTES_MAX = 1024 * 1024, /* a question */
    NAME_BYTES_MAX = 256,        /* schema.table */
    PARTITIONS_MAX = 200,        /* of a table: each of them is asked about all */
};

/* Columns of check_rules.sql. */
enum {
    R_ID,
    R_KIND,
    R_RELID,
    R_SCHEMA,
    R_TABLE,
    R_NAME,
    R_PROBE,
    R_EXTRA,
    R_BYTEWISE,
    R_EVERY,
    R_REASON,
    R_COLUMN,
    R_TYPE,
    R_ALIAS,
    R_ROOT
};

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

/* ---------------------------------------------------------------- tables */

static bool wanted(const struct cl_backup_spec *spec, const struct cl_table *table)
{
    char full[NAME_BYTES_MAX];
    bool named = !spec->tables;
    snprintf(full, sizeof full, "%s.%s", table->schema, table->name);
    for (size_t i = 0; !named && i < spec->n_tables; i++) {
        named = strcmp(spec->tables[i], full) == 0;
    }
    return named && !table->excluded && !table->partitioned;
}

static bool add_table(struct check_plan *plan, const struct cl_table *table, struct cl_err *err)
{
    struct check_table *t = &plan->tables[plan->n_tables++];
    t->table = table;
    t->plan = plan;
    t->read = *table;
    t->columns = calloc(table->n_columns, sizeof *t->columns);
    t->stats = calloc(table->n_columns, sizeof *t->stats);
    if (!t->columns || !t->stats) {
        return no_memory(err);
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct cl_column *column = &table->columns[i];
        const struct cl_mask_method *method = cl_table_method(table, column->name, plan->mask);
        if (column->class.text_like || method) {
            struct check_column *stats = &t->stats[t->n_swept];
            stats->method = method;
            t->every |= method != NULL;
            stats->keep = cl_mask_column(plan->mask, table->schema, table->name, column->name);
            atomic_flag_clear(&stats->sampled);
            t->columns[t->n_swept++] = *column;
        }
    }
    t->read.columns = t->columns;
    t->read.n_columns = t->n_swept;
    return true;
}

static int by_oid(const void *a, const void *b)
{
    const struct check_table *x = a, *y = b;
    return x->table->oid < y->table->oid ? -1 : x->table->oid > y->table->oid;
}

static bool add_tables(struct check_plan *plan, const struct cl_catalog *catalog,
                       struct cl_err *err)
{
    plan->tables = calloc(catalog->n_tables + 1, sizeof *plan->tables);
    if (!plan->tables) {
        return no_memory(err);
    }
    for (size_t i = 0; i < catalog->n_tables; i++) {
        if (catalog->tables[i].text_like && wanted(plan->run->spec, &catalog->tables[i]) &&
            !add_table(plan, &catalog->tables[i], err)) {
            return false;
        }
    }
    qsort(plan->tables, plan->n_tables, sizeof *plan->tables, by_oid);
    return true;
}

static struct check_table *find_table(struct check_plan *plan, uint32_t oid)
{
    struct cl_table table = {.oid = oid};
    struct check_table key = {.table = &table};
    return plan->n_tables == 0 ? NULL
                               : bsearch(&key, plan->tables, plan->n_tables, sizeof key, by_oid);
}

static bool find_column(const struct cl_column *columns, size_t n, const char *name, size_t *place)
{
    for (*place = 0; *place < n; ++*place) {
        if (strcmp(columns[*place].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Where the column is among those read; it becomes one of them. */
static bool read_column(struct check_table *t, const char *name, size_t *place)
{
    size_t whole;
    if (find_column(t->columns, t->read.n_columns, name, place)) {
        return true;
    }
    if (!find_column(t->table->columns, t->table->n_columns, name, &whole)) {
        return false;
    }
    t->columns[t->read.n_columns++] = t->table->columns[whole];
    return true;
}

/* What methods look at besides their own column; which columns may not be NULL. */
static bool add_methods(struct check_plan *plan, PGconn *conn, struct cl_err *err)
{
    static const char filled[] = "SELECT a.attrelid, a.attname FROM pg_attribute a "
                                 "WHERE a.attnotnull AND a.attnum > 0 AND a.attrelid >= 16384";
    size_t place;
    if (cl_mask_methods_count(plan->mask) == 0) {
        return true;
    }
    for (size_t i = 0; i < plan->n_tables; i++) {
        struct check_table *t = &plan->tables[i];
        for (size_t k = 0; k < t->n_swept; k++) {
            struct check_column *stats = &t->stats[k];
            const char *by = stats->method ? cl_mask_method_by(stats->method) : NULL;
            stats->by = by && read_column(t, by, &place) ? place : SIZE_MAX;
        }
    }
    PGresult *r = cl_pg_query(conn, filled, 0, NULL, err);
    for (int row = 0; r && row < PQntuples(r); row++) {
        struct check_table *t =
            find_table(plan, (uint32_t)strtoul(PQgetvalue(r, row, 0), NULL, 10));
        if (t && find_column(t->columns, t->n_swept, PQgetvalue(r, row, 1), &place)) {
            t->stats[place].filled = true;
        }
    }
    PQclear(r);
    return r != NULL;
}

/* ---------------------------------------------------------------- rules */

static const char *value(const PGresult *r, int row, int column)
{
    return PQgetisnull(r, row, column) ? NULL : PQgetvalue(r, row, column);
}

static bool is_true(const PGresult *r, int row, int column)
{
    return *PQgetvalue(r, row, column) == 't';
}

/* Why the rule is not looked into, other than what the catalog says. */
static const char *own_reason(const struct check_rule *rule, int version)
{
    if (rule->kind != CHECK_UNIQUE) {
        return NULL;
    }
    if (cl_table_reroutes(&rule->table->read, true) && !rule->root) {
        return "its rows may belong to another partition in a copy";
    }
    return version < HASHES_SINCE && !rule->bytewise ? "needs a server of version 14 or newer"
                                                     : NULL;
}

/* A view's index concerns us when its keys have a collation: they are text. */
static bool is_text(const PGresult *r, int first, int n)
{
    for (int i = first; i < first + n; i++) {
        if (strstr(PQgetvalue(r, i, R_TYPE), " COLLATE ")) {
            return true;
        }
    }
    return false;
}

static bool fill_columns(struct check_rule *rule, const PGresult *r, int first, size_t n,
                         struct cl_err *err)
{
    rule->columns = calloc(n, sizeof *rule->columns);
    rule->waiting = calloc(n, sizeof *rule->waiting);
    if (!rule->columns || !rule->waiting) {
        return no_memory(err);
    }
    rule->n_columns = n;
    for (size_t k = 0; k < n; k++) {
        const char *name = PQgetvalue(r, first + (int)k, R_COLUMN);
        cl_buf_init(&rule->waiting[k], CHECK_LITERAL_MAX);
        if (!read_column(rule->table, name, &rule->columns[k])) {
            return cl_fail(err, CL_BUG, "E_COLUMN", "%s.%s has no column %s", rule->schema,
                           rule->table_name, name);
        }
        if (!rule->swept && rule->columns[k] < rule->table->n_swept) {
            rule->swept = true;
            rule->shown = k;
        }
    }
    return true;
}

static bool make_question(struct check_rule *rule, const PGresult *r, int first, const char *probe,
                          struct cl_err *err)
{
    struct check_spelling *spelled = calloc(rule->n_columns, sizeof *spelled);
    if (!spelled) {
        return no_memory(err);
    }
    for (size_t k = 0; k < rule->n_columns; k++) {
        spelled[k].type = PQgetvalue(r, first + (int)k, R_TYPE);
        spelled[k].name = PQgetvalue(r, first + (int)k, R_ALIAS);
    }
    cl_check_question(rule, spelled, probe, PQgetvalue(r, first, R_EXTRA));
    free(spelled);
    return true;
}

bool cl_check_same_root(const struct check_plan *plan, const struct check_rule *rule)
{
    return rule > plan->rules && rule->root && rule[-1].root &&
           strcmp(rule->root, rule[-1].root) == 0;
}

/* The same for the bounds of partitions, whose probe is read here. */
static bool ask_bounds(struct check_rule *rule, const PGresult *rules, int first, PGconn *conn,
                       struct cl_err *err)
{
    char most[16];
    const char *params[] = {rule->root, most};
    if (cl_check_same_root(rule->table->plan, rule) && rule[-1].reason) {
        rule->reason = rule[-1].reason;
        return true;
    }
    const struct cl_embedded *sql = cl_embedded("runtime/backup/check_partitions.sql");
    snprintf(most, sizeof most, "%d", PARTITIONS_MAX);
    PGresult *r = cl_pg_query(conn, sql->data, 2, params, err);
    bool ok = r != NULL;
    if (ok && strtol(PQgetvalue(r, 0, 0), NULL, 10) > PARTITIONS_MAX) {
        rule->reason = "its table has too many partitions";
    } else if (ok) {
        ok = make_question(rule, rules, first, PQgetvalue(r, 0, 1), err);
    }
    PQclear(r);
    return ok;
}

static bool fill_question(struct check_rule *rule, const PGresult *r, int first, PGconn *conn,
                          struct cl_err *err)
{
    if (rule->bytewise || rule->reason) {
        return true;
    }
    return rule->kind == CHECK_PARTITION
               ? ask_bounds(rule, r, first, conn, err)
               : make_question(rule, r, first, PQgetvalue(r, first, R_PROBE), err);
}

static enum check_kind kind_of(const char *name)
{
    return strcmp(name, "unique") == 0   ? CHECK_UNIQUE
           : strcmp(name, "check") == 0  ? CHECK_TABLE
           : strcmp(name, "domain") == 0 ? CHECK_DOMAIN
                                         : CHECK_PARTITION;
}

/* Is any of the n columns of a rule swept? Those that are not concern nobody. */
static bool concerns(const struct check_table *t, const PGresult *r, int first, int n)
{
    size_t place;
    for (int i = first; i < first + n; i++) {
        if (find_column(t->columns, t->n_swept, PQgetvalue(r, i, R_COLUMN), &place)) {
            return true;
        }
    }
    return false;
}

/* Rows of partitions may meet in another one: their parts of an index keep keys together, as the
 * server hashes them, for columns may stand in another order. */
static void share_keys(struct check_plan *plan, struct check_rule *rule)
{
    if (rule->kind != CHECK_UNIQUE || !rule->root || !cl_table_reroutes(&rule->table->read, true)) {
        return;
    }
    rule->bytewise = false;
    for (struct check_rule *before = rule; cl_check_same_root(plan, before);) {
        before--;
        if (cl_table_reroutes(&before->table->read, true)) {
            rule->owner = before->owner;
            break;
        }
    }
}

/* Values that belong together in the source will not in the copy, and which will, is not known. */
static bool is_shuffled(const struct check_rule *rule)
{
    bool shuffled = false;
    for (size_t k = 0; rule->n_columns > 1 && k < rule->n_columns; k++) {
        const struct cl_mask_method *method = rule->columns[k] < rule->table->n_swept
                                                  ? rule->table->stats[rule->columns[k]].method
                                                  : NULL;
        shuffled = shuffled || (method && cl_mask_method_unit(method));
    }
    return shuffled;
}

/* The rule of the n rows from `first` on, one for each of its columns. */
static bool add_rule(struct check_plan *plan, int first, int n, PGconn *conn, struct cl_err *err)
{
    const PGresult *r = plan->rule_rows;
    struct check_table *t =
        find_table(plan, (uint32_t)strtoul(PQgetvalue(r, first, R_RELID), NULL, 10));
    bool view = strncmp("of a materialised view", PQgetvalue(r, first, R_REASON), 22) == 0 &&
                !plan->run->spec->tables && is_text(r, first, n);
    if (t ? !concerns(t, r, first, n) : !view) {
        return true;
    }
    struct check_rule *rule = &plan->rules[plan->n_rules++];
    uv_mutex_init(&rule->mutex);
    rule->kind = kind_of(PQgetvalue(r, first, R_KIND));
    rule->root = value(r, first, R_ROOT);
    rule->owner = rule;
    rule->name = PQgetvalue(r, first, R_NAME);
    rule->schema = PQgetvalue(r, first, R_SCHEMA);
    rule->table_name = PQgetvalue(r, first, R_TABLE);
    rule->reason = value(r, first, R_REASON);
    rule->bytewise = is_true(r, first, R_BYTEWISE);
    rule->every = is_true(r, first, R_EVERY);
    rule->keys.max = CL_CHECK_KEYS_MAX;
    rule->table = t;
    cl_buf_init(&rule->sql, SQL_BYTES_MAX);
    if (!t) {
        return true;
    }
    share_keys(plan, rule);
    rule->reason = rule->reason ? rule->reason : own_reason(rule, PQserverVersion(conn));
    if (!fill_columns(rule, r, first, (size_t)n, err)) {
        return false;
    }
    if (!rule->reason && is_shuffled(rule)) {
        rule->reason = "values of its columns are shuffled";
    }
    return fill_question(rule, r, first, conn, err);
}

/* Do methods keep all keys apart? Then there is nothing to count. */
static bool is_safe(const struct check_rule *rule)
{
    const struct check_table *t = rule->table;
    for (size_t k = 0; k < rule->n_columns; k++) {
        size_t i = rule->columns[k];
        const struct cl_mask_method *method = i < t->n_swept ? t->stats[i].method : NULL;
        if (i < t->n_swept &&
            !(method && cl_mask_method_injective(method, t->columns[i].class.max_chars))) {
            return false;
        }
    }
    return rule->kind == CHECK_UNIQUE && rule->bytewise;
}

/* Gives each table its rules that are looked into. */
static bool share_rules(struct check_plan *plan, struct cl_err *err)
{
    for (size_t i = 0; i < plan->n_rules; i++) {
        struct check_rule *rule = &plan->rules[i];
        struct check_table *t = rule->table;
        if (!t || rule->reason || is_safe(rule)) {
            continue;
        }
        struct check_rule **rules = realloc(t->rules, (t->n_rules + 1) * sizeof(*rules));
        if (!rules) {
            return no_memory(err);
        }
        t->rules = rules;
        t->rules[t->n_rules++] = rule;
        t->every |= rule->every;
    }
    return true;
}

static bool add_rules(struct check_plan *plan, PGconn *conn, struct cl_err *err)
{
    const struct cl_embedded *sql = cl_embedded("runtime/backup/check_rules.sql");
    PGresult *r = plan->rule_rows = cl_pg_query(conn, sql->data, 0, NULL, err);
    if (!r) {
        return false;
    }
    int rows = PQntuples(r);
    plan->rules = calloc((size_t)rows + 1, sizeof *plan->rules);
    if (!plan->rules) {
        return no_memory(err);
    }
    for (int first = 0, next; first < rows; first = next) {
        const char *id = PQgetvalue(r, first, R_ID);
        for (next = first + 1; next < rows && strcmp(PQgetvalue(r, next, R_ID), id) == 0; next++) {
            /* of the same rule */
        }
        if (!add_rule(plan, first, next - first, conn, err)) {
            return false;
        }
    }
    return share_rules(plan, err);
}

/* ---------------------------------------------------------------- foreign keys */

static bool add_apart(struct check_plan *plan, int row, struct cl_err *err)
{
    int *apart = realloc(plan->apart, (plan->n_apart + 1) * sizeof *apart);
    if (!apart) {
        return no_memory(err);
    }
    plan->apart = apart;
    apart[plan->n_apart++] = row;
    return true;
}

/* A column that refers to another, when the two are not treated alike. */
static bool add_link(struct check_plan *plan, const struct cl_catalog *catalog, int row,
                     struct cl_err *err)
{
    const PGresult *r = plan->link_rows;
    const char *schema = PQgetvalue(r, row, CHECK_LINK_TO_SCHEMA);
    const char *name = PQgetvalue(r, row, CHECK_LINK_TO_TABLE);
    const char *column = PQgetvalue(r, row, CHECK_LINK_COLUMN);
    const char *to = PQgetvalue(r, row, CHECK_LINK_TO_COLUMN);
    const struct cl_table *table = cl_catalog_find(catalog, PQgetvalue(r, row, CHECK_LINK_SCHEMA),
                                                   PQgetvalue(r, row, CHECK_LINK_TABLE));
    const struct cl_table *other = table ? cl_catalog_find(catalog, schema, name) : NULL;
    size_t here, there;
    if (!other || other->excluded || !wanted(plan->run->spec, table)) {
        return true;
    }
    const struct cl_mask_method *from = cl_table_method(table, column, plan->mask);
    const struct cl_mask_method *onto = cl_table_method(other, to, plan->mask);
    if (cl_check_unbinds(from, r, row)) {
        return true;
    }
    bool shuffled = from && cl_mask_method_unit(from); /* no two columns alike */
    if (!from != !onto || shuffled ||
        (from && strcmp(cl_mask_method_kind(from), cl_mask_method_kind(onto)) != 0)) {
        return add_apart(plan, row, err);
    }
    struct check_table *t = find_table(plan, table->oid);
    if (!t || (from && (cl_mask_method_by(from) || cl_mask_method_by(onto))) ||
        !find_column(t->columns, t->n_swept, column, &here) ||
        !find_column(other->columns, other->n_columns, to, &there)) {
        return true;
    }
    const struct cl_type_class *ours = &t->columns[here].class;
    const struct cl_type_class *theirs = &other->columns[there].class;
    const struct cl_mask_column *keep = cl_mask_column(plan->mask, schema, name, to);
    if (!from && keep == t->stats[here].keep && ours->max_chars == theirs->max_chars) {
        return true;
    }
    struct check_link *links = realloc(t->links, (t->n_links + 1) * sizeof *links);
    if (!links) {
        return no_memory(err);
    }
    t->links = links;
    struct check_link *link = &links[t->n_links++];
    memset(link, 0, sizeof *link);
    atomic_flag_clear(&link->sampled);
    link->name = PQgetvalue(r, row, CHECK_LINK_NAME);
    link->method = onto;
    link->column = here;
    link->keep = keep;
    link->class = *theirs;
    link->schema = schema;
    link->table = name;
    link->to = to;
    return true;
}

static bool add_links(struct check_plan *plan, const struct cl_catalog *catalog, PGconn *conn,
                      struct cl_err *err)
{
    const struct cl_embedded *sql = cl_embedded("runtime/backup/check_links.sql");
    plan->link_rows = cl_pg_query(conn, sql->data, 0, NULL, err);
    bool ok = plan->link_rows != NULL;
    for (int row = 0; ok && row < PQntuples(plan->link_rows); row++) {
        ok = add_link(plan, catalog, row, err);
    }
    return ok;
}

uint64_t cl_check_masked_keys(struct check_plan *plan, int row)
{
    const PGresult *r = plan->link_rows;
    struct check_table *t =
        find_table(plan, (uint32_t)strtoul(PQgetvalue(r, row, CHECK_LINK_RELID), NULL, 10));
    size_t place;
    if (!t || !find_column(t->columns, t->n_swept, PQgetvalue(r, row, CHECK_LINK_COLUMN), &place)) {
        return 0;
    }
    return t->stats[place].method ? 0 : atomic_load(&t->stats[place].changed);
}

bool cl_check_plan_load(struct check_plan *plan, struct cl_run *run,
                        const struct cl_catalog *catalog, PGconn *conn, struct cl_err *err)
{
    plan->run = run;
    plan->mask = run->spec->mask;
    uv_mutex_init(&plan->mutex);
    atomic_init(&plan->keys_left, CL_CHECK_KEYS_MAX);
    return add_tables(plan, catalog, err) && add_methods(plan, conn, err) &&
           add_rules(plan, conn, err) && add_links(plan, catalog, conn, err) &&
           cl_check_emptied(plan, catalog, conn, err) && cl_check_folded(plan, catalog, conn, err);
}

void cl_check_plan_fini(struct check_plan *plan)
{
    if (!plan->run) {
        return; /* never begun */
    }
    for (size_t i = 0; i < plan->n_asking; i++) {
        cl_link_close(&plan->asking[i]);
    }
    for (size_t i = 0; i < plan->n_rules; i++) {
        struct check_rule *rule = &plan->rules[i];
        for (size_t k = 0; rule->waiting && k < rule->n_columns; k++) {
            cl_buf_fini(&rule->waiting[k]);
        }
        free(rule->waiting);
        free(rule->columns);
        cl_buf_fini(&rule->sql);
        cl_keys_fini(&rule->keys);
        uv_mutex_destroy(&rule->mutex);
    }
    for (size_t i = 0; i < plan->n_tables; i++) {
        free(plan->tables[i].columns);
        free(plan->tables[i].stats);
        free((void *)plan->tables[i].rules);
        free(plan->tables[i].links);
        cl_check_scratch_free(plan->tables[i].scratch);
    }
    free(plan->apart);
    free(plan->keys);
    free(plan->rules);
    free(plan->tables);
    PQclear(plan->rule_rows);
    PQclear(plan->link_rows);
    uv_mutex_destroy(&plan->mutex);
}
