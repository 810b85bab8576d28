/*
 * Tables that are partitioned in another way on the other side.  A partition and its root are one
 * whole, and so are all partitions of a root; where a table of one side has no counterpart but its
 * whole has, everything of that whole, on both sides, is compared together.
 */
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "compare.h"

/* What a whole is called. */
struct whole {
    const char *schema; /* borrowed */
    const char *name;   /* same */
};

static int by_oid(uint32_t oid, const PGresult *r, int row)
{
    uint32_t other = (uint32_t)strtoul(PQgetvalue(r, row, 0), NULL, 10);
    return oid < other ? -1 : oid > other;
}

/* Rows of the pair may stand in another partition of the copy. */
static bool rerouted(const struct cl_comparison *all, const struct cl_pair *pair)
{
    return pair->there[CL_SIDE_SOURCE] && pair->there[CL_SIDE_TARGET] &&
           cl_table_reroutes(&pair->tables[CL_SIDE_TARGET], all->run->spec->mask != NULL);
}

static struct whole whole_of(const struct cl_comparison *all, const struct cl_pair *pair,
                             enum cl_side side)
{
    if (rerouted(all, pair)) {
        side = CL_SIDE_TARGET; /* an archive knows no roots */
    }
    const PGresult *r = all->roots[side];
    int low = 0;
    int high = r ? PQntuples(r) : 0;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = by_oid(pair->tables[side].oid, r, middle);
        if (order == 0) {
            return (struct whole){PQgetvalue(r, middle, 1), PQgetvalue(r, middle, 2)};
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return (struct whole){pair->schema, pair->name};
}

static bool belongs(const struct cl_comparison *all, const struct cl_pair *pair, enum cl_side side,
                    const struct whole *whole)
{
    if (!pair->there[side] || pair->tables[side].excluded) {
        return false;
    }
    struct whole its = whole_of(all, pair, side);
    return strcmp(its.name, whole->name) == 0 && strcmp(its.schema, whole->schema) == 0;
}

/* Brings a table of the whole into the order of the leader's columns. */
static bool join(struct cl_comparison *all, struct cl_pair *leader, struct cl_pair *pair,
                 enum cl_side side, struct cl_err *err)
{
    const char *missing;
    if (cl_pair_order(pair, side, &leader->tables[CL_SIDE_SOURCE], &missing, err)) {
        pair->read[side] = true;
        return true;
    }
    pair->read[side] = false;
    return missing &&
           cl_comparison_differs(all, "table", pair->schema, pair->name, "columns", NULL, err);
}

/* An archive's table knows no classes of its columns: it takes those of one of the target's. */
static bool classify(const struct cl_comparison *all, struct cl_pair *leader, struct cl_err *err)
{
    for (size_t i = 0; leader->archived && i < all->n_pairs; i++) {
        const struct cl_pair *pair = &all->pairs[i];
        const char *missing;
        if (pair->leader != leader || !pair->read[CL_SIDE_TARGET]) {
            continue;
        }
        struct cl_table *source = &leader->tables[CL_SIDE_SOURCE];
        const struct cl_table like = *source;
        *source = pair->tables[CL_SIDE_TARGET];
        source->schema = like.schema;
        source->name = like.name;
        return cl_pair_order(leader, CL_SIDE_SOURCE, &like, &missing, err);
    }
    return true;
}

/* Makes one pair of everything of the whole; its leader is the first of the source's tables. */
static bool unite(struct cl_comparison *all, const struct whole *whole, struct cl_err *err)
{
    struct cl_pair *leader = NULL;
    bool found = false;
    for (size_t i = 0; i < all->n_pairs; i++) {
        struct cl_pair *pair = &all->pairs[i];
        leader = !leader && belongs(all, pair, CL_SIDE_SOURCE, whole) ? pair : leader;
        found |= belongs(all, pair, CL_SIDE_TARGET, whole);
    }
    if (!leader || !found) {
        return true;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < all->n_pairs; i++) {
        struct cl_pair *pair = &all->pairs[i];
        for (int side = CL_SIDE_SOURCE; ok && side <= CL_SIDE_TARGET; side++) {
            if (belongs(all, pair, (enum cl_side)side, whole)) {
                pair->leader = leader;
                ok = join(all, leader, pair, (enum cl_side)side, err);
            }
        }
    }
    leader->grouped = true;
    leader->schema = whole->schema;
    leader->name = whole->name;
    return ok && classify(all, leader, err);
}

/* The table has no counterpart of its name, or not of the same rows, and is no whole's yet. */
static bool alone(const struct cl_comparison *all, const struct cl_pair *pair)
{
    return pair->leader == pair && !pair->grouped &&
           (rerouted(all, pair) || pair->there[CL_SIDE_SOURCE] != pair->there[CL_SIDE_TARGET]);
}

static bool read_roots(struct cl_comparison *all, struct cl_err *err)
{
    const char *sql = cl_embedded("runtime/backup/compare_roots.sql")->data;
    all->roots[CL_SIDE_TARGET] = cl_pg_query(all->target.link.conn, sql, 0, NULL, err);
    if (!all->roots[CL_SIDE_TARGET] || all->run->spec->archive) {
        return all->roots[CL_SIDE_TARGET] != NULL;
    }
    all->roots[CL_SIDE_SOURCE] = cl_pg_query(all->source.link.conn, sql, 0, NULL, err);
    return all->roots[CL_SIDE_SOURCE] != NULL;
}

bool cl_comparison_group(struct cl_comparison *all, struct cl_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < all->n_pairs; i++) {
        struct cl_pair *pair = &all->pairs[i];
        if (!alone(all, pair)) {
            continue;
        }
        if (!all->roots[CL_SIDE_TARGET]) {
            ok = read_roots(all, err);
        }
        enum cl_side side = pair->there[CL_SIDE_SOURCE] ? CL_SIDE_SOURCE : CL_SIDE_TARGET;
        struct whole whole = whole_of(all, pair, side);
        ok = ok && unite(all, &whole, err);
    }
    return ok;
}
