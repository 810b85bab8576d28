#include "private.h"

#include <string.h>
#include <strings.h>

/* The at-sign that the byte at h belongs to, not before floor; false when it is of none. */
static bool is_at(const char *s, size_t n, size_t floor, size_t h, size_t *at, size_t *at_end)
{
    size_t p = h;
    if (s[h] != '@' && (unsigned char)s[h] < 0x80) {
        while (p > floor && h - p < CL_SPELLING_MAX && cl_mask_may_spell((unsigned char)s[p - 1])) {
            p--;
        }
    }
    for (; p <= h; p++) {
        if (p < h && !cl_mask_is_mark((unsigned char)s[p])) {
            continue;
        }
        struct cl_element e = cl_mask_element(s, n, p);
        if (e.kind == CL_AT && p + e.len > h) {
            *at = p;
            *at_end = p + e.len;
            return true;
        }
    }
    return false;
}

static bool find_at(const char *s, size_t n, size_t pos, size_t *at, size_t *at_end)
{
    for (size_t h = cl_mask_find_hit(s, n, pos); h < n; h = cl_mask_find_hit(s, n, h + 1)) {
        if (is_at(s, n, pos, h, at, at_end)) {
            return true;
        }
    }
    return false;
}

struct domain {
    size_t end;   /* the byte after it; 0 when what follows the at-sign is no domain */
    size_t run;   /* the byte after everything that looks like one */
    bool literal; /* [192.0.2.1] */
};

/* State of reading one run of labels. */
struct labels {
    size_t count;   /* finished labels */
    size_t len;     /* elements of the current one */
    size_t trimmed; /* the byte after its last element other than '-' and '_' */
    size_t numbers; /* leading labels of 1-3 digits */
    size_t four;    /* the byte after the fourth of them */
    bool letter;    /* the current one begins with a letter */
    bool digits;    /* the current one is all digits */
};

static void end_label(struct labels *l, struct domain *d)
{
    l->count++;
    if (l->digits && l->len <= 3 && l->numbers == l->count - 1) {
        l->numbers++;
        if (l->numbers == 4) {
            l->four = l->trimmed;
        }
    }
    if (l->letter && l->count >= 2) {
        d->end = l->trimmed; /* the longest run of labels that ends in a possible TLD */
    }
    l->len = 0;
}

/* name@2x.png: the file names of images for dense screens. */
static bool is_image_name(const char *s, size_t n)
{
    static const char *const ends[] = {"png",  "jpg",  "jpeg", "gif", "svg",
                                       "webp", "avif", "ico",  "bmp"};
    size_t p = 0;
    while (p < n && (s[p] == '.' || (s[p] >= '0' && s[p] <= '9'))) {
        p++;
    }
    if (p == 0 || p > 4 || n - p < 5 || (s[p] != 'x' && s[p] != 'X') || s[p + 1] != '.') {
        return false;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (n - p - 2 == strlen(ends[i]) && strncasecmp(s + p + 2, ends[i], n - p - 2) == 0) {
            return true;
        }
    }
    return false;
}

/* [192.0.2.1] or [IPv6:2001:db8::1] at s[pos]: the byte after it, 0 when there is none. */
static size_t read_literal(const char *s, size_t n, size_t pos)
{
    enum { LITERAL_MAX_BYTES = 128 };
    bool separator = false;
    if (pos >= n || (s[pos] != '[' && !cl_mask_is_mark((unsigned char)s[pos]))) {
        return 0;
    }
    struct cl_escape c = cl_mask_escape(s, n, pos);
    if (c.code != '[') {
        return 0;
    }
    while ((c = cl_mask_escape(s, n, c.end)).end && c.end - pos <= LITERAL_MAX_BYTES) {
        if (c.code == ']') {
            return separator ? c.end : 0;
        }
        if (c.code == '.' || c.code == ':') {
            separator = true;
        } else if (c.code >= 0x80 || (c.code != '-' && !(cl_mask_class((unsigned char)c.code) &
                                                         (CL_LETTER | CL_DIGIT)))) {
            return 0;
        }
    }
    return 0;
}

/* Reads on in a label while its characters stand for themselves, as nearly all do. */
static size_t plain_label(const char *s, size_t n, size_t pos, struct labels *l)
{
    unsigned char all = l->len > 0 && !l->digits ? CL_LETTER : 0;
    size_t p = pos;
    if (l->len == 0 && p < n) {
        l->letter = cl_mask_class((unsigned char)s[p]) == CL_LETTER;
    }
    for (unsigned class; p < n && (class = cl_mask_class((unsigned char)s[p])) & CL_IN_LABEL; p++) {
        all |= (unsigned char)class;
        if (class != CL_EDGE) {
            l->trimmed = p + 1;
        }
    }
    if (p > pos) {
        l->len += p - pos;
        l->digits = all == CL_DIGIT;
    }
    return p;
}

static struct domain read_domain(const char *s, size_t n, size_t pos)
{
    struct domain d = {.end = read_literal(s, n, pos), .run = pos};
    if (d.end) {
        d.literal = true;
        d.run = d.end;
        return d;
    }
    struct labels l = {.trimmed = 0};
    for (;;) {
        d.run = plain_label(s, n, d.run, &l);
        struct cl_element e = cl_mask_element(s, n, d.run);
        if (e.kind == CL_LABEL) {
            if (l.len == 0) {
                l.letter = e.letter;
                l.digits = true;
            }
            l.digits = l.digits && e.digit;
            l.len++;
            d.run += e.len;
            if (!e.edge) {
                l.trimmed = d.run;
            }
        } else if (e.kind == CL_DOT && l.len > 0) {
            end_label(&l, &d);
            d.run += e.len;
        } else {
            break;
        }
    }
    if (l.len > 0) {
        end_label(&l, &d);
    }
    if (d.end == 0) {
        d.end = l.four;
    } else if (is_image_name(s + pos, d.end - pos)) {
        d.end = 0;
    }
    return d;
}

static bool passes(const struct cl_mask *mask, const char *s, size_t from, size_t to)
{
    enum { DOMAIN_MAX_BYTES = 255 }; /* no longer one is on any list */
    struct cl_buf domain;
    cl_buf_init(&domain, DOMAIN_MAX_BYTES);
    size_t plain = from;
    while (plain < to && s[plain] != '%' && s[plain] != '&' && s[plain] != '=' &&
           s[plain] != '\\') {
        plain++;
    }
    if (plain == to) {
        return cl_mask_domain_passes(mask, s + from, to - from);
    }
    cl_mask_decode(s, from, to, &domain);
    bool pass = !domain.failed && cl_mask_domain_passes(mask, cl_buf_str(&domain), domain.len);
    cl_buf_fini(&domain);
    return pass;
}

static size_t skip_core(const char *s, size_t n, size_t pos)
{
    for (;;) {
        struct cl_element e = cl_mask_element(s, n, pos);
        if (e.kind == CL_NONE || e.kind == CL_AT) {
            return pos;
        }
        pos += e.len;
    }
}

/* Would text that goes on like this after a domain belong to that domain? */
static bool would_extend(const char *s, size_t from, size_t to)
{
    for (size_t p = from; p < to; p++) {
        if (!strchr(".-_'", s[p])) {
            return true;
        }
    }
    return false;
}

/* What follows its last at-sign decides where the replaced text ends. */
static void end_token(struct cl_token *t, const char *s, struct domain d)
{
    t->tail = d.end;
    if (d.end == 0) {
        t->tail = t->next;
    } else if (d.literal && would_extend(s, d.end, t->next)) {
        t->tail = t->next;
    }
    /* The domain must be told from the local part again; inside quotes it must not end with a
     * separator either, which the closing quote would then seem to follow. */
    t->plain = !t->chain && !d.literal && !memchr(s + t->at_end, '_', t->tail - t->at_end) &&
               !(t->quoted && s[t->tail - 1] == ';');
}

/* The local part of a leaking address in full. Where it stays legible, nothing is taken for one
 * that is longer than a local part can be. */
static void take_whole(const struct cl_mask *mask, struct cl_token *t, const char *s, size_t floor)
{
    size_t close, whole = cl_mask_local_whole(s, floor, t->local, t->first_at, &close);
    if (cl_mask_hiding_key(mask) || cl_mask_octets(s, whole, close) <= CL_LOCAL_OCTETS) {
        t->local = whole;
        t->close = close;
    }
}

bool cl_mask_next(const struct cl_mask *mask, const char *s, size_t n, size_t pos,
                  struct cl_token *t)
{
    memset(t, 0, sizeof *t);
    if (!find_at(s, n, pos, &t->at, &t->at_end)) {
        return false;
    }
    size_t open = 0, floor = pos;
    t->first_at = t->at;
    t->local = cl_mask_local_start(s, pos, t->at);
    if (t->local == t->at) {
        t->quoted = cl_mask_quoted_local(s, t->at, &open, &t->close) ||
                    cl_mask_coded_quotes(s, t->at, &open, &t->close);
        t->spaced = t->quoted && pos > open;
    }
    bool local = t->local < t->at || t->quoted || cl_mask_soft_local(s, t->at);
    if (t->quoted) {
        t->local = open;
    }
    for (;;) {
        struct domain d = read_domain(s, n, t->at_end);
        t->next = skip_core(s, n, d.run);
        t->leak = t->leak || (local && d.end && (d.literal || !passes(mask, s, t->at_end, d.end)));
        struct cl_element e = cl_mask_element(s, n, t->next);
        if (e.kind != CL_AT) {
            end_token(t, s, d);
            if (!t->quoted) {
                t->close = t->first_at;
                if (t->leak) {
                    take_whole(mask, t, s, floor);
                }
            }
            return true;
        }
        /* More at-signs: @name@host.example begins after its first, a@b@c.example is one. */
        t->chain = local;
        if (!local) {
            local = t->next > t->at_end;
            t->local = floor = t->at_end;
            t->first_at = t->next;
        }
        t->at = t->next;
        t->at_end = t->next + e.len;
    }
}
