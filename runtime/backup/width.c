#include "width.h"

#include <stdbool.h>
#include <string.h>

enum {
    DEPTH_MAX = 32, /* of conditions in conditions */
    DIGITS_MAX = 9, /* of a number */
};

struct span {
    const char *s; /* borrowed */
    size_t n;      /* bytes at s */
};

/* Where the next thing at the same level begins: a quoted name or text, or what stands in
 * parentheses, is one. */
static size_t step(struct span x, size_t i)
{
    char c = x.s[i++];
    if (c == '"' || c == '\'') {
        while (i < x.n && !(x.s[i] == c && !(i + 1 < x.n && x.s[i + 1] == c))) {
            i += x.s[i] == c ? 2 : 1;
        }
        return i < x.n ? i + 1 : x.n;
    }
    if (c != '(') {
        return i;
    }
    for (size_t depth = 1; i < x.n && depth > 0;) {
        if (x.s[i] == '(' || x.s[i] == ')') {
            depth += x.s[i] == '(' ? 1 : (size_t)-1;
            i++;
        } else {
            i = step(x, i); /* no parenthesis: no deeper than a quoted one */
        }
    }
    return i;
}

/* Without the parentheses around all of it. */
static struct span bare(struct span x)
{
    while (x.n >= 2 && x.s[0] == '(' && x.s[x.n - 1] == ')' && step(x, 0) == x.n) {
        x.s++;
        x.n -= 2;
    }
    return x;
}

/* Cuts off what stands before the separator, if there is one at this level. */
static bool cut(struct span *rest, const char *separator, struct span *part)
{
    size_t n = strlen(separator);
    for (size_t i = 0; i + n <= rest->n; i = step(*rest, i)) {
        if (memcmp(rest->s + i, separator, n) == 0) {
            *part = (struct span){rest->s, i};
            rest->s += i + n;
            rest->n -= i + n;
            return true;
        }
    }
    return false;
}

static bool ends(struct span *x, const char *suffix)
{
    size_t n = strlen(suffix);
    if (x->n < n || memcmp(x->s + x->n - n, suffix, n) != 0) {
        return false;
    }
    x->n -= n;
    return true;
}

static bool is_word(struct span x, const char *word)
{
    return x.n == strlen(word) && memcmp(x.s, word, x.n) == 0;
}

/* The column itself, quoted or not, as text. */
static bool is_column(struct span x, const char *column)
{
    x = bare(x);
    if (ends(&x, "::text")) {
        x = bare(x);
    }
    if (x.n < 2 || x.s[0] != '"') {
        return is_word(x, column);
    }
    size_t at = 0;
    for (size_t i = 1; i < x.n - 1; i++) {
        i += x.s[i] == '"'; /* it is doubled */
        if (i >= x.n - 1 || x.s[i] != column[at++]) {
            return false;
        }
    }
    return column[at] == '\0' && x.s[x.n - 1] == '"';
}

static bool is_length(struct span x, const char *column)
{
    static const char *const functions[] = {"length", "char_length", "character_length",
                                            "octet_length"};
    x = bare(x);
    const char *open = x.n > 0 ? memchr(x.s, '(', x.n) : NULL;
    size_t name = open ? (size_t)(open - x.s) : 0;
    if (!open || step(x, name) != x.n) {
        return false;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (is_word((struct span){x.s, name}, functions[i])) {
            return is_column((struct span){open, x.n - name}, column);
        }
    }
    return false;
}

static bool read_number(struct span x, size_t *number)
{
    x = bare(x);
    *number = 0;
    for (size_t i = 0; i < x.n; i++) {
        if (x.s[i] < '0' || x.s[i] > '9') {
            return false;
        }
        *number = *number * 10 + (size_t)(x.s[i] - '0');
    }
    return x.n > 0 && x.n <= DIGITS_MAX;
}

static size_t comparison(struct span x, const char *column)
{
    static const struct {
        const char *text;
        bool turned; /* the number stands before it */
        bool less;   /* the number itself is too much */
    } operators[] = {
        {" <= ", false, false}, {" < ", false, true}, {" >= ", true, false}, {" > ", true, true}};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        struct span left, right = x;
        size_t number;
        if (cut(&right, operators[i].text, &left)) {
            bool turned = operators[i].turned;
            bool ok = is_length(turned ? right : left, column) &&
                      read_number(turned ? left : right, &number);
            return !ok ? 0 : number - (operators[i].less && number > 0);
        }
    }
    return 0;
}

static bool is_null(struct span x, const char *column)
{
    x = bare(x);
    return ends(&x, " IS NULL") && is_column(x, column);
}

/* The next of what the separator stands between. */
static bool next(struct span *rest, const char *separator, struct span *part)
{
    bool any = rest->n > 0;
    if (any && !cut(rest, separator, part)) {
        *part = *rest;
        rest->n = 0;
    }
    return any;
}

static bool joined_by(struct span x, const char *separator)
{
    struct span part;
    return cut(&x, separator, &part);
}

static size_t width(struct span x, const char *column, int depth)
{
    struct span part;
    size_t found = 0;
    x = bare(x);
    if (depth >= DEPTH_MAX) {
        return 0;
    }
    if (joined_by(x, " OR ")) { /* all must have one, unless they are about NULL: the greatest */
        while (next(&x, " OR ", &part)) {
            size_t one = width(part, column, depth + 1);
            if (one == 0 && !is_null(part, column)) {
                return 0;
            }
            found = one > found ? one : found;
        }
        return found;
    }
    if (joined_by(x, " AND ")) { /* one of them is enough: the least */
        while (next(&x, " AND ", &part)) {
            size_t one = width(part, column, depth + 1);
            found = one > 0 && (found == 0 || one < found) ? one : found;
        }
        return found;
    }
    return comparison(x, column);
}

size_t cl_width_of_check(const char *expr, const char *column)
{
    return width((struct span){expr, strlen(expr)}, column, 0);
}
