/*
 * Writes text as base64 again, in the style that base64.c has read: alphabet, lines, padding, and
 * how its signs are escaped.
 */
#include "private.h"

#include <string.h>

/* One base64 on its way into a text. */
struct writer {
    const struct cl_base64 *b; /* its style */
    struct cl_buf *out;        /* where it goes */
    size_t chars;              /* written so far, without padding */
    size_t left;               /* columns that are left of the line */
};

/* Makes room for so many columns. No soft line break is where its "=" might be padding. */
static void make_room(struct writer *w, size_t columns)
{
    bool before = w->b->soft && w->left == 1 && w->chars % 4 == 2;
    if (w->b->columns && (w->left < columns || before)) {
        cl_buf_add(w->out, w->b->eol, w->b->eol_len);
        w->left = w->b->columns;
    }
    w->left -= w->left < columns ? w->left : columns;
}

/* A plus or a slash, escaped as others are: by the last letter or digit of an escape they are told
 * from each other, %2B %2F, &#43; &#47;. Where there is none, \/, a plus is not escaped. */
static void put_sign(struct writer *w, char c)
{
    static const char plus[] = "Bb3", slash[] = "Ff7";
    const char *from = c == '+' ? slash : plus, *to = c == '+' ? plus : slash;
    const char *s = w->b->plus;
    size_t k = w->b->plus_len;
    while (k > 0 && !(cl_mask_class((unsigned char)s[k - 1]) & (CL_LETTER | CL_DIGIT))) {
        k--;
    }
    if (k == 0) {
        bool escaped = c == '/' && w->b->plus_len > 0;
        cl_buf_add(w->out, escaped ? s : &c, escaped ? w->b->plus_len : 1);
        return;
    }
    const char *other = strchr(from, s[k - 1]);
    cl_buf_add(w->out, s, k - 1);
    cl_buf_addc(w->out, other ? to[other - from] : s[k - 1]);
    cl_buf_add(w->out, s + k, w->b->plus_len - k);
}

static void put_char(struct writer *w, char c)
{
    make_room(w, 1);
    if (c == '+' || c == '/') {
        put_sign(w, c);
    } else {
        cl_buf_addc(w->out, c);
    }
    w->chars++;
}

void cl_mask_put_base64(const struct cl_base64 *b, const char *plain, size_t n, struct cl_buf *out)
{
    static const char standard[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct writer w = {.b = b, .out = out, .left = b->first};
    /* In lines it goes never without: the last one would be a word of the text below. */
    bool lines = b->columns && !b->soft && (n + 2) / 3 * 4 > b->first;
    const char *sign = !b->sign && lines ? "=" : b->sign;
    for (size_t i = 0; i < n; i += 3) {
        size_t bytes = n - i < 3 ? n - i : 3, signs = sign ? 3 - bytes : 0;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) {
            bits = bits << 8 | (k < bytes ? (unsigned char)plain[i + k] : 0);
        }
        for (size_t k = 0; k <= bytes; k++) {
            put_char(&w, (b->url ? safe : standard)[bits >> (18 - 6 * k) & 63]);
        }
        if (signs > 0) {
            make_room(&w, b->soft ? signs * strlen(sign) : signs);
        }
        for (; signs > 0; signs--) {
            cl_buf_adds(out, sign);
        }
    }
}
