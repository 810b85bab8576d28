#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "backup.h"
#include "check_private.h"
#include "scan_private.h"

enum { NAMES_MAX = 64 * 1024 }; /* bytes of a list of columns */

static const char *const kinds[] = {"unique", "check", "domain", "partition"};

/* ---------------------------------------------------------------- the result */

void cl_check_result_free(struct cl_check_result *result)
{
    if (!result) {
        return;
    }
    for (size_t i = 0; i < result->n_columns; i++) {
        free(result->columns[i].schema);
        free(result->columns[i].table);
        free(result->columns[i].column);
    }
    for (size_t i = 0; i < result->n_findings; i++) {
        struct cl_check_finding *finding = &result->findings[i];
        free(finding->schema);
        free(finding->table);
        free(finding->columns);
        free(finding->name);
        free(finding->other);
    }
    for (size_t i = 0; i < result->n_gaps; i++) {
        free(result->gaps[i].name);
        free(result->gaps[i].reason);
    }
    for (size_t i = 0; i < result->n_references; i++) {
        free(result->references[i].schema);
        free(result->references[i].table);
        free(result->references[i].column);
        free(result->references[i].name);
        free(result->references[i].other);
    }
    free(result->references);
    cl_scan_definitions_free(result->definitions, result->n_definitions);
    free(result->columns);
    free(result->findings);
    free(result->gaps);
    free(result);
}

static bool add_column(struct cl_check_result *result, const struct check_table *t, size_t i)
{
    const struct check_column *stats = &t->stats[i];
    struct cl_check_column *columns =
        realloc(result->columns, (result->n_columns + 1) * sizeof *columns);
    if (!columns) {
        return false;
    }
    result->columns = columns;
    struct cl_check_column *column = &columns[result->n_columns++];
    *column = (struct cl_check_column){.schema = strdup(t->read.schema),
                                       .table = strdup(t->read.name),
                                       .column = strdup(t->columns[i].name),
                                       .changed = atomic_load(&stats->changed),
                                       .shortened = atomic_load(&stats->shortened),
                                       .squeezed = atomic_load(&stats->squeezed),
                                       .unfit = atomic_load(&stats->unfit),
                                       .limit = t->columns[i].class.max_chars,
                                       .needed = (size_t)atomic_load(&stats->needed)};
    return column->schema && column->table && column->column;
}

/* columns and other become the finding's. */
static bool add_finding(struct cl_check_result *result, const struct cl_check_finding *model,
                        const char *schema, const char *table, const char *name)
{
    struct cl_check_finding *findings =
        realloc(result->findings, (result->n_findings + 1) * sizeof *findings);
    if (!findings) {
        free(model->columns);
        free(model->other);
        return false;
    }
    result->findings = findings;
    struct cl_check_finding *finding = &findings[result->n_findings++];
    *finding = *model;
    finding->schema = strdup(schema);
    finding->table = strdup(table);
    finding->name = strdup(name);
    return finding->schema && finding->table && finding->name && finding->columns && finding->other;
}

static bool add_width(struct cl_check_result *result, const struct check_table *t, size_t i)
{
    struct cl_check_finding model = {.kind = "width",
                                     .columns = strdup(t->columns[i].name),
                                     .other = strdup(""),
                                     .count = atomic_load(&t->stats[i].unfit),
                                     .limit = t->columns[i].class.max_chars,
                                     .needed = (size_t)atomic_load(&t->stats[i].needed)};
    memcpy(model.sample, t->stats[i].sample, sizeof model.sample);
    return add_finding(result, &model, t->read.schema, t->read.name, "");
}

/* What a method cannot do; its name takes the place of a constraint's. */
static bool add_method(struct cl_check_result *result, const struct check_table *t, size_t i,
                       const char *kind, uint64_t count)
{
    struct cl_check_finding model = {
        .kind = kind, .columns = strdup(t->columns[i].name), .other = strdup(""), .count = count};
    return add_finding(result, &model, t->read.schema, t->read.name,
                       cl_mask_method_kind(t->stats[i].method));
}

/* A foreign key whose columns have different methods: no row need be looked at. */
static bool add_apart(struct cl_check_result *result, const PGresult *r, int row)
{
    struct cl_buf other;
    cl_buf_init(&other, NAMES_MAX);
    cl_buf_addf(&other, "%s.%s.%s", PQgetvalue(r, row, CHECK_LINK_TO_SCHEMA),
                PQgetvalue(r, row, CHECK_LINK_TO_TABLE), PQgetvalue(r, row, CHECK_LINK_TO_COLUMN));
    struct cl_check_finding model = {.kind = "methods",
                                     .columns = strdup(PQgetvalue(r, row, CHECK_LINK_COLUMN)),
                                     .other = other.data};
    return add_finding(result, &model, PQgetvalue(r, row, CHECK_LINK_SCHEMA),
                       PQgetvalue(r, row, CHECK_LINK_TABLE), PQgetvalue(r, row, CHECK_LINK_NAME));
}

static bool add_key(struct cl_check_result *result, const PGresult *r, const struct check_key *key)
{
    struct cl_buf names, other;
    int first = key->first;
    cl_buf_init(&names, NAMES_MAX);
    cl_buf_init(&other, NAMES_MAX);
    for (int row = first; row < key->next; row++) {
        cl_buf_addf(&names, "%s%s", row > first ? ", " : "", PQgetvalue(r, row, CHECK_LINK_COLUMN));
    }
    cl_buf_addf(&other, "%s.%s", PQgetvalue(r, first, CHECK_LINK_TO_SCHEMA),
                PQgetvalue(r, first, CHECK_LINK_TO_TABLE));
    struct cl_check_finding model = {
        .kind = key->kind, .columns = names.data, .other = other.data, .count = key->count};
    return add_finding(result, &model, PQgetvalue(r, first, CHECK_LINK_SCHEMA),
                       PQgetvalue(r, first, CHECK_LINK_TABLE),
                       PQgetvalue(r, first, CHECK_LINK_NAME));
}

/* A foreign key that uses addresses. */
static bool add_reference(struct cl_check_result *result, const PGresult *r, int row,
                          uint64_t count)
{
    struct cl_check_reference *list =
        realloc(result->references, (result->n_references + 1) * sizeof *list);
    struct cl_buf other;
    if (!list) {
        return false;
    }
    result->references = list;
    cl_buf_init(&other, NAMES_MAX);
    cl_buf_addf(&other, "%s.%s.%s", PQgetvalue(r, row, CHECK_LINK_TO_SCHEMA),
                PQgetvalue(r, row, CHECK_LINK_TO_TABLE), PQgetvalue(r, row, CHECK_LINK_TO_COLUMN));
    struct cl_check_reference *reference = &list[result->n_references++];
    *reference =
        (struct cl_check_reference){.schema = strdup(PQgetvalue(r, row, CHECK_LINK_SCHEMA)),
                                    .table = strdup(PQgetvalue(r, row, CHECK_LINK_TABLE)),
                                    .column = strdup(PQgetvalue(r, row, CHECK_LINK_COLUMN)),
                                    .name = strdup(PQgetvalue(r, row, CHECK_LINK_NAME)),
                                    .other = other.data,
                                    .count = count};
    return reference->schema && reference->table && reference->column && reference->name &&
           reference->other;
}

static bool add_references(struct cl_check_result *result, struct check_plan *plan)
{
    bool ok = true;
    for (int row = 0; ok && row < PQntuples(plan->link_rows); row++) {
        uint64_t count = cl_check_masked_keys(plan, row);
        ok = count == 0 || add_reference(result, plan->link_rows, row, count);
    }
    return ok;
}

static bool add_link(struct cl_check_result *result, const struct check_table *t,
                     const struct check_link *link)
{
    struct cl_buf other;
    cl_buf_init(&other, NAMES_MAX);
    cl_buf_addf(&other, "%s.%s.%s", link->schema, link->table, link->to);
    struct cl_check_finding model = {.kind = "foreign key",
                                     .columns = strdup(t->columns[link->column].name),
                                     .other = other.data,
                                     .count = atomic_load(&link->count)};
    memcpy(model.sample, link->sample, sizeof model.sample);
    return add_finding(result, &model, t->read.schema, t->read.name, link->name);
}

/* Kinds of the methods that make the columns of a rule. */
static char *methods_of(const struct check_rule *rule)
{
    struct cl_buf names;
    cl_buf_init(&names, NAMES_MAX);
    cl_buf_adds(&names, "");
    for (size_t k = 0; k < rule->n_columns; k++) {
        size_t i = rule->columns[k];
        const struct check_table *t = rule->table;
        const struct cl_mask_method *method = i < t->n_swept ? t->stats[i].method : NULL;
        if (method) {
            cl_buf_addf(&names, "%s%s", names.len ? ", " : "", cl_mask_method_kind(method));
        }
    }
    return names.data;
}

static bool add_broken(struct cl_check_result *result, const struct check_rule *rule)
{
    struct cl_buf names;
    cl_buf_init(&names, NAMES_MAX);
    for (size_t k = 0; k < rule->n_columns; k++) {
        cl_buf_addf(&names, "%s%s", k ? ", " : "", rule->table->columns[rule->columns[k]].name);
    }
    struct cl_check_finding model = {.kind = kinds[rule->kind],
                                     .columns = names.data,
                                     .other = methods_of(rule),
                                     .count = rule->count};
    memcpy(model.sample, rule->sample, sizeof model.sample);
    return add_finding(result, &model, rule->schema, rule->table_name, rule->name);
}

static bool add_gap(struct cl_check_result *result, const struct check_rule *rule)
{
    struct cl_check_gap *gaps = realloc(result->gaps, (result->n_gaps + 1) * sizeof *gaps);
    if (!gaps) {
        return false;
    }
    result->gaps = gaps;
    struct cl_buf name, reason;
    cl_buf_init(&name, NAMES_MAX);
    cl_buf_init(&reason, NAMES_MAX);
    cl_buf_addf(&name, "%s.%s: %s", rule->schema, rule->table_name, rule->name);
    cl_buf_adds(&reason, rule->reason);
    if (rule->code[0]) {
        cl_buf_addf(&reason, " (SQLSTATE %s)", rule->code);
    }
    gaps[result->n_gaps++] =
        (struct cl_check_gap){.kind = kinds[rule->kind], .name = name.data, .reason = reason.data};
    return name.data && reason.data;
}

static int by_name(const void *a, const void *b)
{
    const struct cl_check_column *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);
    order = order ? order : strcmp(x->table, y->table);
    return order ? order : strcmp(x->column, y->column);
}

static bool gather_table(struct cl_check_result *result, const struct check_table *t)
{
    for (size_t i = 0; i < t->n_swept; i++) {
        const struct check_column *stats = &t->stats[i];
        bool unfit = atomic_load(&stats->unfit) > 0;
        if (((unfit || atomic_load(&stats->changed) > 0) && !add_column(result, t, i)) ||
            (unfit && !add_width(result, t, i))) {
            return false;
        }
        uint64_t failed = atomic_load(&stats->failed), nulls = atomic_load(&stats->nulls);
        if ((failed > 0 && !add_method(result, t, i, "method", failed)) ||
            (nulls > 0 && !add_method(result, t, i, "not null", nulls))) {
            return false;
        }
    }
    for (size_t i = 0; i < t->n_links; i++) {
        if (atomic_load(&t->links[i].count) > 0 && !add_link(result, t, &t->links[i])) {
            return false;
        }
    }
    return true;
}

static struct cl_check_result *gather(struct check_plan *plan, struct cl_err *err)
{
    struct cl_check_result *result = calloc(1, sizeof *result);
    bool ok = result != NULL;
    for (size_t i = 0; ok && i < plan->n_tables; i++) {
        ok = gather_table(result, &plan->tables[i]);
    }
    for (size_t i = 0; ok && i < plan->n_apart; i++) {
        ok = add_apart(result, plan->link_rows, plan->apart[i]);
    }
    for (size_t i = 0; ok && i < plan->n_keys; i++) {
        ok = add_key(result, plan->link_rows, &plan->keys[i]);
    }
    ok = ok && add_references(result, plan);
    for (size_t i = 0; ok && i < plan->n_rules; i++) {
        const struct check_rule *rule = &plan->rules[i];
        if (rule->count > 0) {
            ok = add_broken(result, rule);
        }
        /* where no row was changed a set that was full has nothing to say; partitions of one table
         * would all say the same */
        if (ok && rule->reason && (rule->changed || !rule->full) &&
            !(rule->kind == CHECK_PARTITION && cl_check_same_root(plan, rule) && rule[-1].reason)) {
            ok = add_gap(result, rule);
        }
    }
    if (!ok) {
        cl_check_result_free(result);
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    if (result->n_columns > 0) {
        qsort(result->columns, result->n_columns, sizeof *result->columns, by_name);
    }
    return result;
}

/* ---------------------------------------------------------------- the verb */

static bool add_readings(struct cl_readings *readings, struct check_plan *plan,
                         const struct cl_parts *parts, struct cl_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < parts->n;) {
        const struct cl_part *part = &parts->part[i];
        struct check_table *t = &plan->tables[part->table];
        struct cl_reading model = {.side = CL_SIDE_SOURCE,
                                   .table = &t->read,
                                   .format = CL_COPY_TEXT,
                                   .arg = t,
                                   .row = cl_check_row};
        ok = cl_readings_add(readings, &model, part, part->of, err);
        i += part->of;
    }
    return ok;
}

static bool read_tables(struct check_plan *plan, struct cl_keeper *keeper, struct cl_err *err)
{
    struct cl_run *run = plan->run;
    struct cl_parts parts = {0};
    struct cl_readings readings = {.run = run, .source_snapshot = keeper->snapshot};
    struct cl_table *tables = calloc(plan->n_tables + 1, sizeof *tables);
    bool ok = tables || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    for (size_t i = 0; ok && i < plan->n_tables; i++) {
        tables[i] = plan->tables[i].read;
        atomic_fetch_add(&run->progress->total, tables[i].bytes);
    }
    ok = ok &&
         cl_parts_plan(&parts, tables, plan->n_tables, false, run->jobs, run->spec->part_bytes,
                       keeper->link.conn, err) &&
         add_readings(&readings, plan, &parts, err) && cl_readings_run(&readings, err);
    for (size_t i = 0; ok && i < plan->n_rules; i++) {
        ok = cl_check_ask_rest(&plan->rules[i], err);
    }
    free(readings.list);
    free(tables);
    cl_parts_fini(&parts);
    return ok;
}

/* What of the schema holds an address: no row need be read. */
static bool read_definitions(struct cl_check_result *result, const struct cl_backup_spec *spec,
                             PGconn *conn, struct cl_err *err)
{
    struct scan_plan found = {0};
    bool ok = spec->tables || cl_scan_definitions(&found, conn, spec->mask, err);
    result->definitions = found.in_schema;
    result->n_definitions = found.n_in_schema;
    found.in_schema = NULL; /* the result's from here on */
    found.n_in_schema = 0;
    cl_scan_plan_fini(&found);
    return ok;
}

bool cl_backup_check(struct cl_job *job, const struct cl_backup_spec *spec,
                     struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_keeper keeper = {0};
    struct cl_catalog catalog = {0};
    struct check_plan *plan = calloc(1, sizeof *plan);
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              (plan || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory")) &&
              cl_keeper_open(&keeper, run.watch, "source", spec->source, err) &&
              cl_catalog_load_whole(&catalog, keeper.link.conn, err) &&
              cl_catalog_exclude(&catalog, spec->exclude, spec->n_exclude, err) &&
              cl_catalog_named(&catalog, spec->mask, keeper.link.conn, err) &&
              cl_catalog_distinct(&catalog, spec->mask, keeper.link.conn, err) &&
              cl_catalog_mask(&catalog, spec->mask, err) && cl_run_protect(&run, &keeper, err) &&
              cl_check_plan_load(plan, &run, &catalog, keeper.link.conn, err) &&
              read_tables(plan, &keeper, err);
    if (ok) {
        summary->tables = plan->n_tables;
        summary->rows = atomic_load(&run.progress->rows);
        summary->bytes = atomic_load(&run.progress->bytes);
        summary->check = gather(plan, err);
        ok =
            summary->check != NULL && read_definitions(summary->check, spec, keeper.link.conn, err);
    }
    if (plan) {
        cl_check_plan_fini(plan);
    }
    free(plan);
    cl_run_release(&run);
    cl_keeper_close(&keeper);
    cl_catalog_fini(&catalog);
    return cl_run_end(&run, ok, err);
}
