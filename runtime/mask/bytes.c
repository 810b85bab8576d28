/*
 * Bytes that may be text: bytea, large objects.
 *
 * A value that is text is masked as such. In any other, runs of text are searched, and an address
 * found there must stand out from noise: of random bytes less than one in 10 GB may be taken for
 * one. It is overwritten by as many letters, so that lengths and offsets around it still hold.
 */
#include "private.h"

#include <string.h>

#include "base/hash.h"

enum {
    EIGHT_BIT_LEAST = 24, /* bytes that text in another encoding than UTF-8 has at least */
    RUN_SURE = 24,        /* in text this long everything counts that counts in text */
    ADDRESS_SURE = 16,    /* so does an address of this many bytes wherever it stands … */
    ADDRESS_LEAST = 10,   /* … and one of this many that looks like one throughout */
};

static bool is_control(unsigned char c)
{
    return c == 0x7F || (c < 0x20 && (c == 0 || !strchr("\t\n\r\f", c)));
}

/* Length of the UTF-8 character at p; 0: not one, -1: its end is not there yet. */
static int character(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int bytes = *p < 0x80 ? 1 : *p >= 0xF8 ? 0 : *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
    uint32_t c = bytes > 1 ? *p & (0x7FU >> bytes) : *p;
    if (*p == 0 || bytes == 0 || (*p >= 0x80 && *p < 0xC2)) {
        return 0;
    }
    for (int i = 1; i < bytes; i++) {
        if ((size_t)i >= n) {
            return -1;
        }
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3F);
    }
    return c >= least[bytes] && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF) ? bytes : 0;
}

bool cl_mask_judge_more(struct cl_mask_judge *judge, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    while (!judge->not_utf8 && judge->whole < n) {
        int bytes = character(p + judge->whole, n - judge->whole);
        if (bytes < 0) {
            break;
        }
        judge->not_utf8 = bytes == 0;
        judge->whole += (size_t)bytes;
    }
    for (; !judge->control && judge->seen < n; judge->seen++) {
        unsigned char c = p[judge->seen];
        judge->control = is_control(c);
        judge->ascii += c < 0x80;
    }
    return !judge->not_utf8 || !judge->control;
}

bool cl_mask_judge_text(const struct cl_mask_judge *judge, size_t n)
{
    bool eight_bit = !judge->control && n >= EIGHT_BIT_LEAST && judge->ascii >= n - n / 4;
    return (!judge->not_utf8 && judge->whole == n) || eight_bit;
}

/* ---------------------------------------------------------------- runs of text */

/* Length of the character at s[pos] that may stand in a run of text; 0: none. */
static size_t text_at(const char *s, size_t n, size_t pos)
{
    const unsigned char *p = (const unsigned char *)s + pos;
    if (pos >= n || is_control(*p)) {
        return 0;
    }
    int bytes = character(p, n - pos);
    return bytes > 0 ? (size_t)bytes : 0;
}

static size_t run_start(const char *s, size_t n, size_t pos)
{
    while (pos > 0) {
        size_t back = 1;
        while (back < 4 && back < pos && ((unsigned char)s[pos - back] & 0xC0) == 0x80) {
            back++;
        }
        if (text_at(s, n, pos - back) != back) {
            break;
        }
        pos -= back;
    }
    return pos;
}

static size_t run_end(const char *s, size_t n, size_t pos)
{
    for (size_t more; (more = text_at(s, n, pos)) > 0;) {
        pos += more;
    }
    return pos;
}

size_t cl_mask_text_break(const char *s, size_t n)
{
    while (n > 0 && !is_control((unsigned char)s[n - 1])) {
        n--;
    }
    return n;
}

static bool all_ascii(const char *s, size_t n)
{
    unsigned char all = 0;
    for (size_t i = 0; i < n; i++) {
        all |= (unsigned char)s[i];
    }
    return all < 0x80;
}

/* Letters of one case only, with a last label of letters: as addresses are written. */
static bool looks_plain(const char *s, size_t n)
{
    bool lower = false, upper = false;
    bool letters = false; /* so far, after the last dot */
    size_t last = 0;      /* bytes after it */
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        bool letter = cl_mask_class(c) == CL_LETTER;
        lower = lower || (letter && c >= 'a');
        upper = upper || (letter && c <= 'Z');
        letters = c == '.' || (letters && letter);
        last = c == '.' ? 0 : last + 1;
    }
    return !(lower && upper) && letters && last >= 2;
}

/* Does what was found in a run of so many bytes stand out from noise? */
static bool stands_out(const struct cl_token *t, const char *s, size_t run)
{
    size_t from = t->quoted ? t->local : cl_mask_local_start(s, t->local, t->first_at);
    size_t n = t->tail - from;
    return run >= RUN_SURE ||
           (all_ascii(s + from, n) &&
            (n >= ADDRESS_SURE || (n >= ADDRESS_LEAST && looks_plain(s + from, n))));
}

/* Calls visit() for each address in s that counts, from its first byte to its end. */
static size_t each_address(const struct cl_mask *mask, const char *s, size_t n,
                           void (*visit)(void *arg, size_t from, size_t to), void *arg)
{
    size_t count = 0;
    size_t end;
    for (size_t hit = cl_mask_find_hit(s, n, 0); hit < n; hit = cl_mask_find_hit(s, n, end)) {
        size_t start = run_start(s, n, hit);
        struct cl_token t;
        end = run_end(s, n, hit);
        for (size_t pos = 0; cl_mask_next(mask, s + start, end - start, pos, &t); pos = t.next) {
            if (t.leak && stands_out(&t, s + start, end - start)) {
                count++;
                visit(arg, start + t.local, start + t.tail);
            }
        }
        end = end > hit ? end : hit + 1;
    }
    return count;
}

/* ---------------------------------------------------------------- finding and masking */

struct search {
    const char *s;                                             /* the value */
    void (*found)(void *arg, const char *address, size_t len); /* the caller's; may be NULL */
    void *arg;                                                 /* its own */
};

static void tell(void *arg, size_t from, size_t to)
{
    const struct search *search = arg;
    if (search->found) {
        struct cl_buf address;
        cl_buf_init(&address, SIZE_MAX / 2);
        cl_mask_decode(search->s, from, to, &address);
        search->found(search->arg, cl_buf_str(&address), address.len);
        cl_buf_fini(&address);
    }
}

size_t cl_mask_find_binary(const struct cl_mask *mask, const char *s, size_t n,
                           void (*found)(void *arg, const char *address, size_t len), void *arg)
{
    struct search search = {.s = s, .found = found, .arg = arg};
    return each_address(mask, s, n, tell, &search);
}

struct overwriting {
    char *s;            /* the value */
    const uint8_t *key; /* of the rules; NULL: they have none */
};

/* A hash of what stands there, in letters: keyed, nobody can find out by guessing what it was.
 * Bytes above ASCII become some that no UTF-8 has, so that the value is judged as before. */
static void overwrite(void *arg, size_t from, size_t to)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    const struct overwriting *o = arg;
    uint8_t digest[CL_SHA256_BYTES];
    struct cl_buf decoded;
    cl_buf_init(&decoded, SIZE_MAX / 2);
    cl_mask_decode(o->s, from, to, &decoded);
    if (o->key) {
        cl_hmac_sha256(o->key, CL_SHA256_BYTES, cl_buf_str(&decoded), decoded.len, digest);
    } else {
        cl_sha256(cl_buf_str(&decoded), decoded.len, digest);
    }
    cl_buf_fini(&decoded);
    for (size_t i = 0; from + i < to; i++) {
        bool above = (unsigned char)o->s[from + i] >= 0x80;
        uint8_t hash = digest[i % CL_SHA256_BYTES];
        o->s[from + i] = above ? (char)(0xF8 | (hash & 7)) : letters[hash & 31];
    }
}

size_t cl_mask_overwrite(const struct cl_mask *mask, char *s, size_t n)
{
    struct overwriting o = {.s = s, .key = cl_mask_address_key(mask)};
    size_t count = 0;
    size_t now;
    while ((now = each_address(mask, s, n, overwrite, &o)) > 0) { /* each time fewer at-signs */
        count += now;
    }
    return count;
}

static bool is_text(const char *s, size_t n)
{
    struct cl_mask_judge judge = {0};
    return cl_mask_judge_more(&judge, s, n) && cl_mask_judge_text(&judge, n);
}

void cl_mask_bytes(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                   bool *changed, struct cl_mask_tally *tally)
{
    if (is_text(s, n)) {
        cl_mask_text(mask, s, n, SIZE_MAX, out, changed, tally);
        return;
    }
    size_t start = out->len;
    if (cl_buf_add(out, s, n)) {
        size_t masked = cl_mask_overwrite(mask, out->data + start, n);
        *changed = masked > 0;
        tally->masked += masked;
    }
}

size_t cl_mask_find_bytes(const struct cl_mask *mask, const char *s, size_t n,
                          void (*found)(void *arg, const char *address, size_t len), void *arg)
{
    return is_text(s, n) ? cl_mask_find_text(mask, s, n, found, arg)
                         : cl_mask_find_binary(mask, s, n, found, arg);
}
