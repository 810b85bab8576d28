#include "private.h"

#include <string.h>

enum {
    SUFFIX = 13,      /* characters of a hash suffix: 65 bits */
    SUFFIX_LEAST = 8, /* in a narrow column: 40 bits */
    HIDDEN = 27,      /* characters of a whole local part that is a hash: an h and 130 bits */
};

/* SHA-256 of what the address stands for. */
static void hash_suffix(const char *s, const struct cl_token *t, char out[SUFFIX])
{
    uint8_t digest[CL_SHA256_BYTES];
    struct cl_buf decoded;
    cl_buf_init(&decoded, SIZE_MAX / 2);
    cl_mask_decode(s, t->local, t->tail, &decoded);
    cl_sha256(cl_buf_str(&decoded), decoded.len, digest);
    cl_buf_fini(&decoded);
    cl_mask_letters(digest, SUFFIX, out);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many bytes of s[from, to) fit into octets and chars, whole characters only, at least one. */
static size_t head_bytes(const char *s, size_t from, size_t to, size_t octets, size_t chars)
{
    size_t p = from, first = from, used = 0;
    while (p < to) {
        char c;
        size_t len = cl_mask_unit(s, to, p, &c);
        size_t more = cl_mask_chars(s + p, len);
        if (p > from && (p + len - from > octets || used + more > chars)) {
            break;
        }
        used += more;
        p += len;
        if (first == from) {
            first = p;
        }
    }
    while (p > first && strchr("._-", s[p - 1])) {
        p--;
    }
    return p - from;
}

/* One render of a value. */
struct render {
    const char *s;      /* the text */
    size_t sink_chars;  /* the length of the sink domain */
    size_t limit;       /* characters an address may take */
    struct cl_buf *out; /* where it goes */
    struct cl_mask_tally *tally;
    const uint8_t *hiding; /* makes hashes of addresses, of which nothing may be left; or NULL */
};

/* Characters there are for the local part, without its at-sign and quotes. */
static size_t room_for_local(const struct render *r, const struct cl_token *t)
{
    size_t fixed = cl_mask_chars(r->s + t->at, t->at_end - t->at) + r->sink_chars;
    if (t->quoted) {
        fixed += 2 * (t->first_at - t->close);
    }
    return r->limit > fixed ? r->limit - fixed : 0;
}

/* A keyed hash of the whole address. */
static void put_hash(struct render *r, const struct cl_token *t)
{
    uint8_t digest[CL_SHA256_BYTES];
    char letters[HIDDEN];
    size_t room = room_for_local(r, t);
    size_t n = room <= SUFFIX_LEAST ? SUFFIX_LEAST + 1 : least(room, HIDDEN);
    struct cl_buf decoded;
    cl_buf_init(&decoded, SIZE_MAX / 2);
    cl_mask_decode(r->s, t->local, t->tail, &decoded);
    cl_hmac_sha256(r->hiding, CL_SHA256_BYTES, cl_buf_str(&decoded), decoded.len, digest);
    r->out->failed = r->out->failed || decoded.failed;
    cl_buf_fini(&decoded);
    cl_mask_letters(digest, n, letters);
    letters[0] = 'h'; /* any other may make an escape of what is before it */
    cl_buf_add(r->out, letters, n);
    r->tally->shortened += n < HIDDEN;
}

/* Does local_domain, with the comment behind it, stay within what there is room for? */
static bool fits_plain(const struct render *r, const struct cl_token *t, size_t comment)
{
    const char *s = r->s;
    size_t local = t->close - t->local, domain = t->tail - t->at_end;
    if (local + 1 + domain > CL_LOCAL_OCTETS &&
        cl_mask_octets(s, t->local, t->close) + 1 + cl_mask_octets(s, t->at_end, t->tail) >
            CL_LOCAL_OCTETS) {
        return false;
    }
    return r->limit == SIZE_MAX || cl_mask_chars(s + t->local, local) + 1 +
                                           cl_mask_chars(s + t->at_end, domain) +
                                           cl_mask_chars(s + t->close, comment) <=
                                       room_for_local(r, t);
}

/* `_domain` or, where that cannot be, `_suffix`: what stands between local part and at-sign. */
static void put_local(struct render *r, const struct cl_token *t)
{
    const char *s = r->s;
    size_t local = t->close - t->local, domain = t->tail - t->at_end;
    size_t comment = t->quoted ? 0 : t->first_at - t->close;
    if (t->plain && fits_plain(r, t, comment)) {
        cl_buf_add(r->out, s + t->local, t->quoted ? 0 : local);
        cl_buf_addc(r->out, '_');
        cl_buf_add(r->out, s + t->at_end, domain);
        cl_buf_add(r->out, s + t->close, comment);
        return;
    }
    char suffix[SUFFIX];
    hash_suffix(s, t, suffix);
    size_t room = least(room_for_local(r, t), CL_LOCAL_OCTETS);
    size_t digits = room >= SUFFIX + 2 ? SUFFIX : room > SUFFIX_LEAST + 2 ? room - 2 : SUFFIX_LEAST;
    if (!t->quoted && local > 0) {
        /* The head shows what it was: local part and, when that is all there, the domain. */
        struct cl_buf both;
        cl_buf_init(&both, SIZE_MAX / 2);
        cl_buf_add(&both, s + t->local, local);
        if (!t->chain && t->plain) {
            cl_buf_addc(&both, '_');
            cl_buf_add(&both, s + t->at_end, domain);
        }
        size_t left = room > digits + 1 ? room - digits - 1 : 0;
        size_t octets = CL_LOCAL_OCTETS - digits - 1;
        cl_buf_add(r->out, cl_buf_str(&both),
                   head_bytes(cl_buf_str(&both), 0, both.len, octets,
                              r->limit == SIZE_MAX ? octets : left));
        r->out->failed = r->out->failed || both.failed;
        cl_buf_fini(&both);
    }
    cl_buf_addc(r->out, '_');
    cl_buf_add(r->out, suffix, digits);
    r->tally->shortened++;
}

size_t cl_mask_put_from(const struct cl_mask *mask, const struct cl_token *t)
{
    return t->quoted && !cl_mask_hiding_key(mask) ? t->close : t->local;
}

void cl_mask_put(const struct cl_mask *mask, const char *s, const struct cl_token *t, size_t limit,
                 struct cl_buf *out, struct cl_mask_tally *tally)
{
    const char *sink = cl_mask_sink(mask);
    struct render r = {
        .s = s, .sink_chars = strlen(sink), .limit = limit, .out = out, .tally = tally};
    r.hiding = cl_mask_hiding_key(mask);
    if (r.hiding) {
        put_hash(&r, t);
    } else {
        if (t->quoted && t->spaced) {
            cl_buf_addc(out, ' '); /* an address inside the quotes must not grow */
        }
        put_local(&r, t);
    }
    if (t->quoted) {
        cl_buf_add(out, s + t->close, t->first_at - t->close);
    }
    cl_buf_add(out, s + t->at, t->at_end - t->at);
    cl_buf_add(out, sink, r.sink_chars);
    tally->masked++;
}

void cl_mask_tokens(const struct cl_mask *mask, const char *s, size_t n, size_t limit,
                    struct cl_buf *out, bool *changed, struct cl_mask_tally *tally)
{
    size_t done = 0; /* what of the text is in the output */
    struct cl_token t;
    for (size_t pos = 0; cl_mask_next(mask, s, n, pos, &t); pos = t.next) {
        if (t.leak) {
            size_t end = cl_mask_put_from(mask, &t);
            if (end < done) { /* one inside its quotes is hidden already */
                cl_buf_addc(out, ' ');
            } else {
                cl_buf_add(out, s + done, end - done);
            }
            cl_mask_put(mask, s, &t, limit, out, tally);
            done = t.tail;
            *changed = true;
        }
    }
    cl_buf_add(out, s + done, n - done);
}

size_t cl_mask_find_tokens(const struct cl_mask *mask, const char *s, size_t n,
                           void (*found)(void *arg, const char *address, size_t len), void *arg)
{
    size_t count = 0;
    struct cl_token t;
    for (size_t pos = 0; cl_mask_next(mask, s, n, pos, &t); pos = t.next) {
        if (!t.leak) {
            continue;
        }
        count++;
        if (found) {
            struct cl_buf address;
            cl_buf_init(&address, SIZE_MAX / 2);
            cl_mask_decode(s, t.local, t.tail, &address);
            found(arg, cl_buf_str(&address), address.len);
            cl_buf_fini(&address);
        }
    }
    return count;
}

/* Renders into *out from `start`; true when the value has at most max_chars characters. */
static bool fits(const struct cl_mask *mask, const char *in, size_t n, size_t limit,
                 size_t max_chars, struct cl_buf *out, size_t start, struct cl_mask_tally *tally)
{
    bool changed = false;
    if (!out->failed) {
        out->len = start;
    }
    memset(tally, 0, sizeof *tally);
    cl_mask_text(mask, in, n, limit, out, &changed, tally);
    return !out->failed && cl_mask_chars(cl_buf_str(out) + start, out->len - start) <= max_chars;
}

/* The largest limit per address with which the whole value fits; false when none does. */
static bool squeeze(const struct cl_mask *mask, const char *in, size_t n, size_t max_chars,
                    struct cl_buf *out, size_t start, struct cl_mask_tally *tally)
{
    size_t low = 1, high = max_chars; /* low fits, high + 1 does not */
    if (!fits(mask, in, n, low, max_chars, out, start, tally)) {
        return false;
    }
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (fits(mask, in, n, middle, max_chars, out, start, tally)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return fits(mask, in, n, low, max_chars, out, start, tally);
}

static void add_tally(struct cl_mask_tally *sum, const struct cl_mask_tally *more)
{
    sum->masked += more->masked;
    sum->shortened += more->shortened;
}

bool cl_mask_apply(const struct cl_mask *mask, const struct cl_mask_column *column,
                   enum cl_carrier carrier, const char *in, size_t n, size_t max_chars,
                   struct cl_buf *out, bool *changed, struct cl_mask_tally *tally,
                   struct cl_err *err)
{
    struct cl_mask_tally here = {0};
    size_t start = out->len;
    bool differs = false;
    tally->values++;
    *changed = false;
    if (cl_mask_keeps(column, in, n)) {
        tally->kept++;
        cl_buf_add(out, in, n);
    } else if (carrier == CL_CARRIER_JSON) {
        cl_mask_json(mask, in, n, out, &differs, &here);
    } else if (carrier == CL_CARRIER_BYTES) {
        cl_mask_bytes(mask, in, n, out, &differs, &here);
    } else if (carrier == CL_CARRIER_NESTED) {
        cl_mask_nested(mask, in, n, out, &differs, &here);
    } else {
        cl_mask_text(mask, in, n, SIZE_MAX, out, &differs, &here);
        if (differs && max_chars > 0 && !out->failed &&
            cl_mask_chars(out->data + start, out->len - start) > max_chars &&
            !squeeze(mask, in, n, max_chars, out, start, &here) && !out->failed) {
            out->len = start;
            out->data[start] = '\0';
            return cl_fail(err, CL_INVALID, "E_MASK_WIDTH",
                           "a value of %zu characters holds addresses that, masked, do not fit "
                           "the column's limit of %zu characters",
                           cl_mask_chars(in, n), max_chars);
        }
    }
    if (out->failed) {
        return cl_fail(err, CL_INVALID, "E_MASK_SIZE", "a masked value is larger than %zu bytes",
                       out->max);
    }
    *changed = differs;
    add_tally(tally, &here);
    return true;
}

size_t cl_mask_find(const struct cl_mask *mask, const struct cl_mask_column *column,
                    enum cl_carrier carrier, const char *in, size_t n,
                    void (*found)(void *arg, const char *address, size_t len), void *arg)
{
    if (cl_mask_keeps(column, in, n)) {
        return 0;
    }
    if (carrier == CL_CARRIER_JSON) {
        return cl_mask_find_json(mask, in, n, found, arg);
    }
    if (carrier == CL_CARRIER_BYTES) {
        return cl_mask_find_bytes(mask, in, n, found, arg);
    }
    if (carrier == CL_CARRIER_NESTED) {
        return cl_mask_find_nested(mask, in, n, found, arg);
    }
    return cl_mask_find_text(mask, in, n, found, arg);
}
