#include "shuffle.h"

#include <inttypes.h>
#include <stdlib.h>

/* Where the rows of a reading go. */
struct taking {
    struct cl_dealer *dealer; /* borrowed */
    unsigned part;            /* of its table */
};

struct cl_shuffle {
    struct cl_run *run;         /* borrowed */
    struct cl_dealer **dealers; /* n_tables; NULL: nothing is shuffled; owned */
    const struct cl_table **of; /* same: the tables; borrowed */
    size_t n_tables;            /* entries of dealers */
    struct cl_readings read;    /* what is read */
    struct taking *takings;     /* of each of the readings, in the order they were added */
};

struct cl_shuffle *cl_shuffle_new(struct cl_run *run, size_t n_tables, struct cl_err *err)
{
    struct cl_shuffle *shuffle = calloc(1, sizeof *shuffle);
    if (shuffle) {
        shuffle->run = run;
        shuffle->n_tables = n_tables;
        shuffle->dealers = calloc(n_tables + 1, sizeof(*shuffle->dealers));
        shuffle->of = calloc(n_tables + 1, sizeof(*shuffle->of));
    }
    if (!shuffle || !shuffle->dealers || !shuffle->of) {
        cl_shuffle_free(shuffle);
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    return shuffle;
}

void cl_shuffle_free(struct cl_shuffle *shuffle)
{
    if (!shuffle) {
        return;
    }
    for (size_t i = 0; shuffle->dealers && i < shuffle->n_tables; i++) {
        cl_dealer_free(shuffle->dealers[i]);
    }
    free((void *)shuffle->dealers);
    free((void *)shuffle->of);
    free(shuffle->read.list);
    free(shuffle->takings);
    free(shuffle);
}

struct cl_dealer *cl_shuffle_dealer(const struct cl_shuffle *shuffle, size_t n)
{
    return shuffle ? shuffle->dealers[n] : NULL;
}

static bool take_row(void *arg, const struct cl_row_seen *row, struct cl_err *err)
{
    const struct taking *taking = arg;
    return cl_dealer_take(taking->dealer, taking->part, row->fields, err);
}

bool cl_shuffle_add(struct cl_shuffle *shuffle, size_t n, const struct cl_reading *model,
                    struct cl_err *err)
{
    const struct cl_mask *mask = shuffle->run->spec->mask;
    if (model->table->excluded || !cl_dealer_needed(mask, model->table)) {
        return true;
    }
    if (!shuffle->dealers[n]) {
        shuffle->of[n] = model->table;
        shuffle->dealers[n] = cl_dealer_new(mask, model->table, err);
    }
    size_t i = shuffle->read.n;
    struct cl_reading reading = *model;
    reading.mask = NULL;
    reading.row = take_row;
    if (!shuffle->dealers[n] || !cl_readings_add(&shuffle->read, &reading, NULL, 0, err)) {
        return false;
    }
    struct taking *takings = realloc(shuffle->takings, (i + 1) * sizeof *takings);
    if (!takings) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    takings[i] = (struct taking){.dealer = shuffle->dealers[n], .part = model->part};
    shuffle->takings = takings;
    return true;
}

/* Values that are of no other row of their group stay where they are: whoever reads the copy should
 * know. */
static void warn_kept(const struct cl_shuffle *shuffle, size_t n)
{
    struct cl_dealt dealt;
    for (size_t i = 0; cl_dealer_result(shuffle->dealers[n], i, &dealt); i++) {
        if (dealt.kept > 0) {
            cl_run_warn(
                shuffle->run,
                "%s.%s.%s: %" PRIu64 " of %" PRIu64
                " rows keep their value: no other row that they could swap with has another",
                shuffle->of[n]->schema, shuffle->of[n]->name, dealt.column, dealt.kept, dealt.rows);
        }
    }
}

bool cl_shuffle_read(struct cl_shuffle *shuffle, const struct cl_readings *where,
                     struct cl_err *err)
{
    struct cl_readings *read = &shuffle->read;
    if (read->n == 0) {
        return true;
    }
    read->run = where->run;
    read->archive = where->archive;
    read->source_snapshot = where->source_snapshot;
    read->phase = "shuffle";
    for (size_t i = 0; i < read->n; i++) {
        read->list[i].arg = &shuffle->takings[i];
        atomic_fetch_add(&shuffle->run->progress->total, read->list[i].bytes);
    }
    if (!cl_readings_run(read, err)) {
        return cl_err_context(err, "shuffle");
    }
    for (size_t i = 0; i < shuffle->n_tables; i++) {
        if (shuffle->dealers[i]) {
            cl_dealer_deal(shuffle->dealers[i]);
            warn_kept(shuffle, i);
        }
    }
    return true;
}
