/*
 * A deck: values that swap places.  Every row puts a card in, with its value and what says which
 * row it is; once all are in, the deck is dealt: each row gets the value of another one of its
 * group, and its own only where no exchange could help.  What a row gets depends on the cards
 * alone, not on their order or on the parts they came in.
 *
 * Cards and values are in files without a name (below TMPDIR) that are mapped into memory: the
 * kernel may take their pages back at any time, and no file is left when the process ends, however
 * it ends. Values are encrypted (AES-256-CTR) with a key that was never written down.
 *
 * Adding: any threads. Dealing: one, when all are in. Finding: any threads, one at a time a part.
 */
#ifndef CL_BACKUP_DECK_H
#define CL_BACKUP_DECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "copyrow.h"

/* Which row it is. Rows with the same key are the same in every field. */
struct cl_deck_key {
    uint64_t group;   /* rows of one swap with each other */
    uint64_t hash[2]; /* keyed: nobody can foresee the order it makes */
};

struct cl_deck;

/* NULL with *err when there is no room for its files. */
struct cl_deck *cl_deck_new(struct cl_err *err);
void cl_deck_free(struct cl_deck *deck); /* NULL is fine */

/* The row's value is that of the n fields with the given numbers; those that are NULL are left out.
 * part: of the table, in which the row is read now and when it is found. */
bool cl_deck_add(struct cl_deck *deck, const struct cl_deck_key *key, unsigned part,
                 const struct cl_field *fields, const size_t *numbers, size_t n,
                 struct cl_err *err);

void cl_deck_deal(struct cl_deck *deck);

/* Puts what the row gets, which is in *value then, in place of those of the n fields that are not
 * NULL. Rows with the same key get what was dealt to them in turn. False with *err: class conflict
 * when there is no such row in that part. */
bool cl_deck_find(struct cl_deck *deck, const struct cl_deck_key *key, unsigned part,
                  struct cl_field *fields, const size_t *numbers, size_t n, struct cl_buf *value,
                  struct cl_err *err);

uint64_t cl_deck_cards(const struct cl_deck *deck);
uint64_t cl_deck_kept(const struct cl_deck *deck); /* of these, that got their own value */

#endif
