/*
 * Questions to the source's server: what it makes of values it is given.  Rows wait, per rule,
 * until there are enough of them to be worth a query; sessions for these queries are apart from
 * those that read, and belong to whoever has taken one.  A question the server fails at ends that
 * rule alone: its reason says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_private.h"

enum {
    ROWS_A_QUESTION = 4000,
    BYTES_A_QUESTION = 256 * 1024, /* of one column: then it is asked with fewer rows */
    SHOWN = 200,                   /* characters of a value that come back for a sample */
    CODE_BYTES = 5,                /* of a SQLSTATE */
};

/* What a question is put together from; the parameters' columns are called " 1", " 2" … */
static void add_parameters(struct check_rule *rule, const struct check_spelling *columns)
{
    struct cl_buf *sql = &rule->sql;
    cl_buf_adds(sql, " FROM unnest(");
    for (size_t k = 0; k < rule->n_columns; k++) {
        cl_buf_addf(sql, "%s$%zu::text[]", k ? ", " : "", k + 1);
    }
    cl_buf_adds(sql, ") AS v (");
    for (size_t k = 0; k < rule->n_columns; k++) {
        cl_buf_addf(sql, "%s\" %zu\"", k ? ", " : "", k + 1);
    }
    cl_buf_adds(sql, "), LATERAL (SELECT ");
    for (size_t k = 0; k < rule->n_columns; k++) {
        cl_buf_addf(sql, "%sv.\" %zu\"::%s AS ", k ? ", " : "", k + 1, columns[k].type);
        cl_sql_ident(sql, columns[k].name);
    }
    cl_buf_adds(sql, ") AS t");
}

void cl_check_question(struct check_rule *rule, const struct check_spelling *columns,
                       const char *probe, const char *extra)
{
    struct cl_buf *sql = &rule->sql;
    bool unique = rule->kind == CHECK_UNIQUE;
    if (unique) {
        cl_buf_addf(sql, "SELECT %s, left(v.\" %zu\", %d)", probe, rule->shown + 1, SHOWN);
    } else {
        cl_buf_addf(sql, "SELECT count(*), min(left(v.\" %zu\", %d))", rule->shown + 1, SHOWN);
    }
    add_parameters(rule, columns);
    cl_buf_adds(sql, extra);
    if (!unique) {
        cl_buf_addf(sql, " WHERE NOT (%s)", probe);
    }
}

/* From here on nothing is kept of the rule; its mutex is held. */
static void give_up(struct check_rule *rule, const char *reason, const char *code)
{
    struct check_plan *plan = rule->table->plan;
    if (!rule->reason) {
        rule->reason = reason;
        snprintf(rule->code, sizeof rule->code, "%.*s", CODE_BYTES, code);
    }
    atomic_fetch_add(&plan->keys_left, (long long)rule->keys.n);
    cl_keys_fini(&rule->keys);
    for (size_t k = 0; k < rule->n_columns; k++) {
        cl_buf_fini(&rule->waiting[k]);
    }
    rule->n_waiting = 0;
}

/* A row of the index; the mutex is held. */
static void add_key(struct check_rule *rule, const char *key, size_t n, const char *shown,
                    size_t shown_bytes)
{
    struct check_plan *plan = rule->table->plan;
    enum cl_keys_answer answer = cl_keys_add(&rule->keys, cl_digest_bytes(key, n));
    if (answer == CL_KEYS_KNOWN) {
        if (rule->count++ == 0) {
            cl_check_sample(shown, shown_bytes, cl_mask_sink(plan->mask), rule->sample);
        }
    } else if (answer == CL_KEYS_FULL || atomic_fetch_sub(&plan->keys_left, 1) <= 0) {
        rule->full = true;
        give_up(rule, "more keys than are kept in memory", "");
    }
}

/* The values of a row that stand for a key, one after the other with their lengths; false when one
 * is NULL: then nothing equals it. */
static bool gather_key(struct cl_buf *key, const struct check_rule *rule,
                       const struct check_scratch *row)
{
    for (size_t k = 0; k < rule->n_columns; k++) {
        size_t i = rule->columns[k], n = row->len[i];
        if (n == SIZE_MAX) {
            return false;
        }
        cl_buf_add(key, &n, sizeof n);
        cl_buf_add(key, cl_buf_str(&row->bytes) + row->at[i], n);
    }
    return true;
}

static void add_element(struct cl_buf *literal, const char *s, size_t n)
{
    cl_buf_addc(literal, literal->len ? ',' : '{');
    if (n == SIZE_MAX) {
        cl_buf_adds(literal, "NULL");
        return;
    }
    cl_buf_addc(literal, '"');
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"' || s[i] == '\\') {
            cl_buf_add(literal, s + done, i - done);
            cl_buf_addc(literal, '\\');
            done = i;
        }
    }
    cl_buf_add(literal, s + done, n - done);
    cl_buf_addc(literal, '"');
}

/* Puts the row to those that wait; true when they are enough. */
static bool wait_for_more(struct check_rule *rule, const struct check_scratch *row)
{
    size_t widest = 0;
    for (size_t k = 0; k < rule->n_columns; k++) {
        size_t i = rule->columns[k];
        add_element(&rule->waiting[k], cl_buf_str(&row->bytes) + row->at[i], row->len[i]);
        widest = rule->waiting[k].len > widest ? rule->waiting[k].len : widest;
    }
    return ++rule->n_waiting >= ROWS_A_QUESTION || widest >= BYTES_A_QUESTION;
}

/* ---------------------------------------------------------------- sessions */

static bool take_session(struct check_plan *plan, struct cl_link *link, struct cl_err *err)
{
    static const struct cl_pg_options options = {.readonly = true, .application = "cloner check"};
    *link = (struct cl_link){0};
    uv_mutex_lock(&plan->mutex);
    bool have = plan->n_asking > 0;
    if (have) {
        *link = plan->asking[--plan->n_asking];
    }
    uv_mutex_unlock(&plan->mutex);
    return have || cl_link_open(link, plan->run->watch, plan->run->spec->source, &options, err) ||
           cl_err_context(err, "source");
}

static void give_session(struct check_plan *plan, struct cl_link *link)
{
    uv_mutex_lock(&plan->mutex);
    bool room = plan->n_asking < sizeof plan->asking / sizeof *plan->asking;
    if (room) {
        plan->asking[plan->n_asking++] = *link;
    }
    uv_mutex_unlock(&plan->mutex);
    if (!room) {
        cl_link_close(link);
    }
}

/* ---------------------------------------------------------------- answers */

static void take_keys(struct check_rule *rule, const PGresult *r)
{
    struct check_rule *owner = rule->owner;
    if (owner != rule) {
        uv_mutex_lock(&owner->mutex);
        owner->changed |= rule->changed;
    }
    for (int row = 0; !owner->reason && row < PQntuples(r); row++) {
        if (!PQgetisnull(r, row, 0)) {
            add_key(owner, PQgetvalue(r, row, 0), (size_t)PQgetlength(r, row, 0),
                    PQgetvalue(r, row, 1), (size_t)PQgetlength(r, row, 1));
        }
    }
    if (owner != rule) {
        uv_mutex_unlock(&owner->mutex);
    }
}

static void take_count(struct check_rule *rule, const PGresult *r)
{
    uint64_t count = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
    if (rule->count == 0 && count > 0) {
        cl_check_sample(PQgetvalue(r, 0, 1), (size_t)PQgetlength(r, 0, 1),
                        cl_mask_sink(rule->table->plan->mask), rule->sample);
    }
    rule->count += count;
}

/* Asks about rows that were taken out of the rule; n_columns literals, which are closed here. */
static bool ask(struct check_rule *rule, struct cl_buf *literals, struct cl_err *err)
{
    struct check_plan *plan = rule->table->plan;
    struct cl_link link;
    const char *params[CL_COPY_FIELDS_MAX];
    bool full = rule->sql.failed;
    for (size_t k = 0; k < rule->n_columns; k++) {
        full |= !cl_buf_addc(&literals[k], '}');
        params[k] = cl_buf_str(&literals[k]);
    }
    if (!full && !take_session(plan, &link, err)) {
        return false;
    }
    PGresult *r =
        full ? NULL
             : cl_pg_query(link.conn, cl_buf_str(&rule->sql), (int)rule->n_columns, params, err);
    bool lost = !full && !r &&
                (PQstatus(link.conn) != CONNECTION_OK || !cl_watch_check(plan->run->watch, NULL));
    uv_mutex_lock(&rule->mutex);
    if (full) {
        give_up(rule, "a value is too wide to ask about", "");
    } else if (!r && !lost) {
        give_up(rule, "the server cannot evaluate it", err->code);
    } else if (r && rule->kind == CHECK_UNIQUE) {
        take_keys(rule, r);
    } else if (r) {
        take_count(rule, r);
    }
    uv_mutex_unlock(&rule->mutex);
    PQclear(r);
    if (lost) {
        cl_link_close(&link);
        return cl_err_context(err, "source: %s of %s.%s", rule->name, rule->schema,
                              rule->table_name);
    }
    if (!full) {
        give_session(plan, &link);
    }
    return true;
}

/* Takes what waits out of the rule, whose mutex is held; NULL when out of memory. */
static struct cl_buf *take_waiting(struct check_rule *rule)
{
    struct cl_buf *fresh = calloc(rule->n_columns, sizeof *fresh);
    struct cl_buf *taken = rule->waiting;
    if (fresh) {
        for (size_t k = 0; k < rule->n_columns; k++) {
            cl_buf_init(&fresh[k], CHECK_LITERAL_MAX);
        }
        rule->waiting = fresh;
        rule->n_waiting = 0;
        return taken;
    }
    return NULL;
}

static bool ask_and_free(struct check_rule *rule, struct cl_buf *taken, struct cl_err *err)
{
    if (!taken) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    bool ok = ask(rule, taken, err);
    for (size_t k = 0; k < rule->n_columns; k++) {
        cl_buf_fini(&taken[k]);
    }
    free(taken);
    return ok;
}

bool cl_check_judge(struct check_rule *rule, struct check_scratch *row, bool changed,
                    struct cl_err *err)
{
    bool enough = false, ok = true;
    struct cl_buf *taken = NULL;
    uv_mutex_lock(&rule->mutex);
    rule->changed |= changed;
    if (!rule->reason && rule->bytewise) {
        size_t shown = rule->columns[rule->shown];
        cl_buf_reset(&row->other);
        if (gather_key(&row->other, rule, row)) {
            add_key(rule, cl_buf_str(&row->other), row->other.len,
                    cl_buf_str(&row->bytes) + row->at[shown], row->len[shown]);
        }
        ok = !row->other.failed || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    } else if (!rule->reason) {
        enough = wait_for_more(rule, row);
        taken = enough ? take_waiting(rule) : NULL;
    }
    uv_mutex_unlock(&rule->mutex);
    return ok && (!enough || ask_and_free(rule, taken, err));
}

bool cl_check_ask_rest(struct check_rule *rule, struct cl_err *err)
{
    return rule->reason || rule->n_waiting == 0 || ask_and_free(rule, take_waiting(rule), err);
}
