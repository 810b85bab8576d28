#include "dealer.h"

#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "deck.h"

enum {
    VALUE_BYTES_MAX = 0x40000000 + 65536, /* PostgreSQL's limit of a row, and some */
    KEEP_BYTES = 1024 * 1024,             /* buffers wider than that are given back */
};

static const size_t NO_FIELD = SIZE_MAX;

/* Columns whose values move together. */
struct unit {
    const struct cl_mask_method *method; /* of the first; borrowed */
    size_t *fields;                      /* n, in order of their names; owned */
    size_t n;                            /* entries of fields */
    size_t within;                       /* rows with the same value there swap; NO_FIELD: all do */
    struct cl_digest name;               /* of their names: no two units have the same order */
    struct cl_deck *deck;                /* owned */
};

struct cl_dealer {
    const struct cl_table *table; /* borrowed */
    size_t *order;                /* its columns by name; owned */
    struct unit *units;           /* n_units */
    size_t n_units;               /* entries of units */
};

static const char *unit_of(const struct cl_mask *mask, const struct cl_table *table, size_t column)
{
    const struct cl_mask_method *method = cl_table_method(table, table->columns[column].name, mask);
    return method ? cl_mask_method_unit(method) : NULL;
}

bool cl_dealer_needed(const struct cl_mask *mask, const struct cl_table *table)
{
    bool needed = false;
    for (size_t i = 0; mask && i < table->n_columns; i++) {
        needed = needed || unit_of(mask, table, i);
    }
    return needed;
}

static size_t find_column(const struct cl_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return i;
        }
    }
    return NO_FIELD;
}

/* The digest of what came before and one piece more. */
static struct cl_digest chain(struct cl_digest before, const void *piece, size_t n)
{
    struct cl_digest both[2] = {before, cl_digest_bytes(piece, n)};
    return cl_digest_bytes(both, sizeof both);
}

static struct cl_digest chain_field(struct cl_digest before, const struct cl_field *field)
{
    static const struct cl_digest null = {{0, 1}};
    struct cl_digest both[2] = {before, null};
    return field->len >= 0 ? chain(before, field->data, (size_t)field->len)
                           : cl_digest_bytes(both, sizeof both);
}

/* The unit the column belongs to, a new one when there is none yet. */
static struct unit *unit_for(struct cl_dealer *dealer, const struct cl_mask_method *method)
{
    const char *name = cl_mask_method_unit(method);
    for (size_t i = 0; *name && i < dealer->n_units; i++) {
        if (strcmp(cl_mask_method_unit(dealer->units[i].method), name) == 0) {
            return &dealer->units[i];
        }
    }
    struct unit *unit = &dealer->units[dealer->n_units++];
    const char *within = cl_mask_method_by(method);
    unit->method = method;
    unit->within = within ? find_column(dealer->table, within) : NO_FIELD;
    return unit;
}

static bool add_column(struct cl_dealer *dealer, const struct cl_mask *mask, size_t column,
                       struct cl_err *err)
{
    const char *name = dealer->table->columns[column].name;
    const struct cl_mask_method *method = cl_table_method(dealer->table, name, mask);
    if (!method || !cl_mask_method_unit(method)) {
        return true;
    }
    struct unit *unit = unit_for(dealer, method);
    if (!unit->deck) {
        unit->fields = calloc(dealer->table->n_columns, sizeof *unit->fields);
        if (!unit->fields) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
        unit->deck = cl_deck_new(err);
    }
    unit->fields[unit->n++] = column;
    unit->name = chain(unit->name, name, strlen(name));
    return unit->deck != NULL;
}

/* The columns' numbers in order of their names, by insertion: there are few. */
static void put_in_order(size_t *order, const struct cl_table *table)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(table->columns[order[at - 1]].name, table->columns[i].name) > 0;
             at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

struct cl_dealer *cl_dealer_new(const struct cl_mask *mask, const struct cl_table *table,
                                struct cl_err *err)
{
    struct cl_dealer *dealer = calloc(1, sizeof *dealer);
    bool ok = dealer != NULL;
    if (ok) {
        dealer->table = table;
        dealer->order = calloc(table->n_columns + 1, sizeof *dealer->order);
        dealer->units = calloc(table->n_columns + 1, sizeof *dealer->units);
        ok = dealer->order && dealer->units;
    }
    if (!ok) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    } else {
        put_in_order(dealer->order, table);
    }
    for (size_t i = 0; ok && i < table->n_columns; i++) {
        ok = add_column(dealer, mask, dealer->order[i], err);
    }
    if (!ok) {
        cl_dealer_free(dealer);
        return NULL;
    }
    return dealer;
}

void cl_dealer_free(struct cl_dealer *dealer)
{
    if (!dealer) {
        return;
    }
    for (size_t i = 0; dealer->units && i < dealer->n_units; i++) {
        cl_deck_free(dealer->units[i].deck);
        free(dealer->units[i].fields);
    }
    free(dealer->units);
    free(dealer->order);
    free(dealer);
}

/* All of the row, whatever order its columns are in. */
static struct cl_digest digest_row(const struct cl_dealer *dealer, const struct cl_field *row)
{
    struct cl_digest all = {{0, 0}};
    for (size_t i = 0; i < dealer->table->n_columns; i++) {
        all = chain_field(all, &row[dealer->order[i]]);
    }
    return all;
}

/* Which of the unit's rows it is; false when it has no value to shuffle. Rows swap with those in
 * which the same columns are NULL: these stay. */
static bool key_of(const struct unit *unit, const struct cl_field *row, struct cl_digest digest,
                   struct cl_deck_key *key)
{
    struct cl_digest group = {{0, 0}};
    bool some = false;
    for (size_t i = 0; i < unit->n; i++) {
        char null = row[unit->fields[i]].len < 0;
        group = chain(group, &null, sizeof null);
        some = some || !null;
    }
    if (unit->within != NO_FIELD) {
        group = chain_field(group, &row[unit->within]);
    }
    struct cl_digest both[2] = {unit->name, digest};
    uint8_t keyed[CL_SHA256_BYTES];
    if (some) {
        cl_mask_method_order(unit->method, both, sizeof both, keyed);
        key->group = group.half[0];
        memcpy(key->hash, keyed, sizeof key->hash);
    }
    return some;
}

bool cl_dealer_take(struct cl_dealer *dealer, unsigned part, const struct cl_field *row,
                    struct cl_err *err)
{
    struct cl_digest digest = digest_row(dealer, row);
    struct cl_deck_key key;
    bool ok = true;
    for (size_t i = 0; ok && i < dealer->n_units; i++) {
        struct unit *unit = &dealer->units[i];
        ok = !key_of(unit, row, digest, &key) ||
             cl_deck_add(unit->deck, &key, part, row, unit->fields, unit->n, err);
    }
    return ok;
}

void cl_dealer_deal(struct cl_dealer *dealer)
{
    for (size_t i = 0; i < dealer->n_units; i++) {
        cl_deck_deal(dealer->units[i].deck);
    }
}

bool cl_hand_init(struct cl_hand *hand, const struct cl_dealer *dealer, struct cl_err *err)
{
    memset(hand, 0, sizeof *hand);
    hand->fields = calloc(dealer->table->n_columns + 1, sizeof *hand->fields);
    hand->values = calloc(dealer->n_units + 1, sizeof *hand->values);
    if (!hand->fields || !hand->values) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    hand->n = dealer->n_units;
    for (size_t i = 0; i < hand->n; i++) {
        cl_buf_init(&hand->values[i], VALUE_BYTES_MAX);
    }
    return true;
}

void cl_hand_fini(struct cl_hand *hand)
{
    for (size_t i = 0; i < hand->n; i++) {
        cl_buf_fini(&hand->values[i]);
    }
    free(hand->values);
    free(hand->fields);
    memset(hand, 0, sizeof *hand);
}

bool cl_dealer_give(struct cl_dealer *dealer, unsigned part, const struct cl_field *row,
                    struct cl_hand *hand, struct cl_err *err)
{
    struct cl_digest digest = digest_row(dealer, row);
    struct cl_deck_key key;
    bool ok = true;
    for (size_t i = 0; ok && i < dealer->n_units; i++) {
        struct unit *unit = &dealer->units[i];
        struct cl_buf *value = &hand->values[i];
        for (size_t k = 0; k < unit->n; k++) {
            hand->fields[unit->fields[k]] = row[unit->fields[k]];
        }
        if (value->cap > KEEP_BYTES) {
            cl_buf_fini(value);
        }
        ok = !key_of(unit, row, digest, &key) ||
             cl_deck_find(unit->deck, &key, part, hand->fields, unit->fields, unit->n, value, err);
    }
    return ok;
}

bool cl_dealer_result(const struct cl_dealer *dealer, size_t n, struct cl_dealt *out)
{
    if (n >= dealer->n_units) {
        return false;
    }
    const struct unit *unit = &dealer->units[n];
    *out = (struct cl_dealt){.column = dealer->table->columns[unit->fields[0]].name,
                             .rows = cl_deck_cards(unit->deck),
                             .kept = cl_deck_kept(unit->deck)};
    return true;
}
