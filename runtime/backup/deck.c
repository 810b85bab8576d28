#include "deck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <uv.h>

#include "base/hash.h"
#include "checksum.h"

enum {
    GROW_BYTES = 1024 * 1024, /* a file grows by no less */
    KEY_BYTES = 32,
    BLOCK_BYTES = 16, /* of the cipher: values begin at a multiple */
};

/* A file without a name, mapped whole. */
struct spill {
    int fd;      /* -1: none */
    char *map;   /* room bytes; NULL: none yet */
    size_t len;  /* bytes in use */
    size_t room; /* bytes the file has, on the disk, too */
};

struct card {
    struct cl_deck_key key; /* */
    uint64_t own;           /* hash of its value: does another have the same? */
    uint64_t value;         /* where that stands … */
    uint64_t bytes;         /* … and how long it is */
    uint64_t from;          /* the card whose value it was dealt */
    uint32_t part;          /* its row is in */
    uint32_t used;          /* of the first of equal cards: how many were found */
};

struct cl_deck {
    struct spill cards;        /* struct card, sorted once they are dealt */
    struct spill values;       /* of each field its length and its bytes; encrypted */
    uint8_t secret[KEY_BYTES]; /* by this; wiped at the end */
    uv_mutex_t mutex;          /* guards both while cards are added */
    uint64_t kept;             /* cards that were dealt their own value */
};

static struct card *cards_of(const struct cl_deck *deck)
{
    return (struct card *)(void *)deck->cards.map;
}

uint64_t cl_deck_cards(const struct cl_deck *deck)
{
    return deck->cards.len / sizeof(struct card);
}

uint64_t cl_deck_kept(const struct cl_deck *deck)
{
    return deck->kept;
}

/* ---------------------------------------------------------------- files */

static bool spill_fail(int error, struct cl_err *err)
{
    return cl_fail_errno(err, error, "cannot keep the values of a shuffle below TMPDIR");
}

static bool spill_open(struct spill *spill, struct cl_err *err)
{
    const char *base = getenv("TMPDIR");
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/cloner-XXXXXX", base && *base ? base : "/tmp");
    if (n < 0 || (size_t)n >= sizeof path) {
        return spill_fail(ENAMETOOLONG, err);
    }
    spill->fd = mkostemp(path, O_CLOEXEC); /* mode 0600 */
    if (spill->fd < 0 || unlink(path) != 0) {
        return spill_fail(errno, err);
    }
    return true;
}

static void spill_close(struct spill *spill)
{
    if (spill->map) {
        munmap(spill->map, spill->room);
    }
    if (spill->fd >= 0) {
        close(spill->fd);
    }
}

/* Room for more bytes: on the disk first, or writing into the map could only be told of by a
 * signal. */
static bool spill_reserve(struct spill *spill, size_t more, struct cl_err *err)
{
    if (spill->room - spill->len >= more) {
        return true;
    }
    size_t wanted = spill->len + more;
    size_t room = spill->room + spill->room / 4;
    room = ((room > wanted ? room : wanted) / GROW_BYTES + 1) * GROW_BYTES;
    int error;
    do {
        error = posix_fallocate(spill->fd, (off_t)spill->room, (off_t)(room - spill->room));
    } while (error == EINTR);
    if (error != 0) {
        return spill_fail(error, err);
    }
    void *map = spill->map ? mremap(spill->map, spill->room, room, MREMAP_MAYMOVE)
                           : mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, spill->fd, 0);
    if (map == MAP_FAILED) {
        return spill_fail(errno, err);
    }
    spill->map = map;
    spill->room = room;
    return true;
}

/* A cipher for the value that begins there; no two share a block. NULL with *err. Decrypting is the
 * same. */
static EVP_CIPHER_CTX *cipher_at(const struct cl_deck *deck, uint64_t value, struct cl_err *err)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t counter[BLOCK_BYTES] = {0};
    uint64_t block = value / BLOCK_BYTES;
    for (size_t i = 0; i < sizeof block; i++) {
        counter[BLOCK_BYTES - 1 - i] = (uint8_t)(block >> 8 * i);
    }
    if (!cipher || !EVP_EncryptInit_ex(cipher, EVP_aes_256_ctr(), NULL, deck->secret, counter)) {
        EVP_CIPHER_CTX_free(cipher);
        cl_fail(err, CL_TRANSIENT, "E_SHUFFLE", "libcrypto cannot encrypt the values of a shuffle");
        return NULL;
    }
    return cipher;
}

static bool encrypt(EVP_CIPHER_CTX *cipher, const void *bytes, size_t n, char *out,
                    struct cl_err *err)
{
    int done;
    return EVP_EncryptUpdate(cipher, (uint8_t *)out, &done, bytes, (int)n) ||
           cl_fail(err, CL_TRANSIENT, "E_SHUFFLE", "libcrypto cannot encrypt a value");
}

struct cl_deck *cl_deck_new(struct cl_err *err)
{
    struct cl_deck *deck = calloc(1, sizeof *deck);
    if (!deck) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    uv_mutex_init(&deck->mutex);
    deck->cards.fd = -1;
    deck->values.fd = -1;
    bool ok = cl_random(deck->secret, sizeof deck->secret) ||
              cl_fail(err, CL_TRANSIENT, "E_SHUFFLE", "the system gives no random bytes");
    if (!ok || !spill_open(&deck->cards, err) || !spill_open(&deck->values, err)) {
        cl_deck_free(deck);
        return NULL;
    }
    return deck;
}

void cl_deck_free(struct cl_deck *deck)
{
    if (deck) {
        spill_close(&deck->cards);
        spill_close(&deck->values);
        uv_mutex_destroy(&deck->mutex);
        explicit_bzero(deck->secret, sizeof deck->secret);
        free(deck);
    }
}

/* ---------------------------------------------------------------- adding */

/* The same for the same value; of no use to who finds it on a disk. */
static uint64_t value_hash(const struct cl_deck *deck, const struct cl_field *fields,
                           const size_t *numbers, size_t n)
{
    struct cl_digest all = cl_digest_bytes(deck->secret, sizeof deck->secret);
    for (size_t i = 0; i < n; i++) {
        const struct cl_field *field = &fields[numbers[i]];
        if (field->len >= 0) {
            struct cl_digest both[2] = {all, cl_digest_bytes(field->data, (size_t)field->len)};
            all = cl_digest_bytes(both, sizeof both);
        }
    }
    return all.half[0];
}

/* Puts the value of a card at the end of the others. */
static bool put_value(struct cl_deck *deck, const struct card *card, const struct cl_field *fields,
                      const size_t *numbers, size_t n, struct cl_err *err)
{
    EVP_CIPHER_CTX *cipher = cipher_at(deck, card->value, err);
    char *out = deck->values.map + card->value;
    bool ok = cipher != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        const struct cl_field *field = &fields[numbers[i]];
        if (field->len >= 0) {
            ok = encrypt(cipher, &field->len, sizeof field->len, out, err) &&
                 encrypt(cipher, field->data, (size_t)field->len, out + sizeof field->len, err);
            out += sizeof field->len + (size_t)field->len;
        }
    }
    EVP_CIPHER_CTX_free(cipher);
    return ok;
}

bool cl_deck_add(struct cl_deck *deck, const struct cl_deck_key *key, unsigned part,
                 const struct cl_field *fields, const size_t *numbers, size_t n, struct cl_err *err)
{
    struct card card = {.key = *key, .own = value_hash(deck, fields, numbers, n), .part = part};
    for (size_t i = 0; i < n; i++) {
        int64_t len = fields[numbers[i]].len;
        card.bytes += len >= 0 ? sizeof len + (uint64_t)len : 0;
    }
    size_t room = (card.bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    uv_mutex_lock(&deck->mutex);
    card.value = deck->values.len;
    bool ok = spill_reserve(&deck->values, room, err) &&
              spill_reserve(&deck->cards, sizeof card, err) &&
              put_value(deck, &card, fields, numbers, n, err);
    if (ok) {
        memcpy(deck->cards.map + deck->cards.len, &card, sizeof card);
        deck->cards.len += sizeof card;
        deck->values.len += room;
    }
    uv_mutex_unlock(&deck->mutex);
    return ok;
}

/* ---------------------------------------------------------------- dealing */

static int compare_keys(const struct cl_deck_key *a, const struct cl_deck_key *b)
{
    const uint64_t x[] = {a->group, a->hash[0], a->hash[1]};
    const uint64_t y[] = {b->group, b->hash[0], b->hash[1]};
    for (size_t i = 0; i < 3; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}

static int compare(const struct cl_deck_key *a, unsigned a_part, const struct cl_deck_key *b,
                   unsigned b_part)
{
    int order = compare_keys(a, b);
    return order ? order : (a_part > b_part) - (a_part < b_part);
}

static int compare_cards(const struct card *a, const struct card *b)
{
    return compare(&a->key, a->part, &b->key, b->part);
}

static void swap_cards(struct card *a, struct card *b)
{
    struct card kept = *a;
    *a = *b;
    *b = kept;
}

/* Quicksort in place: qsort() takes as much memory again. Equal cards stop both sides, so many of
 * them are no worse than others; and keys cannot be foreseen, so nobody can make it slow. */
static void sort_cards(struct card *cards, size_t n)
{
    while (n > 1) {
        struct card pivot = cards[n / 2];
        size_t i = 0, j = n - 1;
        for (;; i++, j--) {
            while (compare_cards(&cards[i], &pivot) < 0) {
                i++;
            }
            while (compare_cards(&cards[j], &pivot) > 0) {
                j--;
            }
            if (i >= j) {
                break;
            }
            swap_cards(&cards[i], &cards[j]);
        }
        size_t right = i == j ? i + 1 : i; /* from here on; what is before is done below */
        size_t left = i;
        if (left < n - right) {
            sort_cards(cards, left);
            cards += right;
            n -= right;
        } else {
            sort_cards(cards + right, n - right);
            n = left;
        }
    }
}

static bool keeps_own(const struct card *cards, const struct card *card)
{
    return cards[card->from].own == card->own;
}

/* The next card from *at on, in a circle of n, that neither has the card's value nor got it; NULL
 * when there is none. */
static struct card *find_partner(struct card *cards, uint64_t n, const struct card *card,
                                 const struct card *all, uint64_t *at)
{
    for (uint64_t looked = 0; looked < n; looked++) {
        *at = *at + 1 < n ? *at + 1 : 0;
        struct card *other = &cards[*at];
        if (other->own != card->own && all[other->from].own != card->own) {
            return other;
        }
    }
    return NULL;
}

/*
 * Each card of the group got the value of the next. Those that so got what they had exchange it
 * with another that neither has nor got that value. As long as no value is that of more than half
 * of the cards there is one; when there is none, every card has that value or got it, so that no
 * other value was kept either, and no exchange would help.
 */
static void mend_group(struct cl_deck *deck, uint64_t first, uint64_t n)
{
    struct card *all = cards_of(deck);
    struct card *cards = all + first;
    uint64_t at = 0; /* where the last partner was */
    for (uint64_t i = 0; i < n; i++) {
        if (!keeps_own(all, &cards[i])) {
            continue;
        }
        struct card *partner = find_partner(cards, n, &cards[i], all, &at);
        if (!partner) {
            for (; i < n; i++) {
                deck->kept += keeps_own(all, &cards[i]);
            }
            return;
        }
        uint64_t from = cards[i].from;
        cards[i].from = partner->from;
        partner->from = from;
    }
}

void cl_deck_deal(struct cl_deck *deck)
{
    struct card *cards = cards_of(deck);
    uint64_t n = cl_deck_cards(deck);
    deck->kept = 0;
    sort_cards(cards, n);
    for (uint64_t first = 0, next; first < n; first = next) {
        for (next = first + 1; next < n && cards[next].key.group == cards[first].key.group;
             next++) {
            cards[next - 1].from = next;
        }
        cards[next - 1].from = first;
        mend_group(deck, first, next - first);
    }
}

/* ---------------------------------------------------------------- finding */

/* The first card that is not before; n when there is none. */
static uint64_t lower_bound(const struct cl_deck *deck, const struct cl_deck_key *key,
                            unsigned part)
{
    const struct card *cards = cards_of(deck);
    uint64_t low = 0, high = cl_deck_cards(deck);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (compare(&cards[middle].key, cards[middle].part, key, part) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool get_value(const struct cl_deck *deck, const struct card *card, struct cl_buf *value,
                      struct cl_err *err)
{
    cl_buf_reset(value);
    if (!cl_buf_reserve(value, card->bytes)) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    EVP_CIPHER_CTX *cipher = cipher_at(deck, card->value, err);
    bool ok =
        cipher && encrypt(cipher, deck->values.map + card->value, card->bytes, value->data, err);
    EVP_CIPHER_CTX_free(cipher);
    value->len = ok ? card->bytes : 0;
    return ok;
}

bool cl_deck_find(struct cl_deck *deck, const struct cl_deck_key *key, unsigned part,
                  struct cl_field *fields, const size_t *numbers, size_t n, struct cl_buf *value,
                  struct cl_err *err)
{
    struct card *cards = cards_of(deck);
    uint64_t first = lower_bound(deck, key, part);
    uint64_t end = lower_bound(deck, key, part + 1);
    if (end == first) {
        return cl_fail(err, CL_CONFLICT, "E_SHUFFLE",
                       "a row that was not there when the table was read to be shuffled");
    }
    /* whoever reads the part once more begins anew */
    const struct card *card = &cards[first + cards[first].used++ % (end - first)];
    if (!get_value(deck, &cards[card->from], value, err)) {
        return false;
    }
    const char *at = value->data;
    for (size_t i = 0; i < n; i++) {
        struct cl_field *field = &fields[numbers[i]];
        if (field->len >= 0) {
            memcpy(&field->len, at, sizeof field->len);
            field->data = at + sizeof field->len;
            at += sizeof field->len + (size_t)field->len;
        }
    }
    return true;
}
