/*
 * Design notes. An expression goes from DEFAULT or GENERATED to the end of its column. The server
 * prints a constant with its type behind it, as in 'ole@corp.example'::text, and only those of the
 * types below are masked: what becomes of the label of an enum, say, would be none.  Words that are
 * no keywords are lower case or quoted, and each column is a line.  What does not fit its column,
 * or may not where the limit of that is not told, stays, for a scan to name.
 */
#include "defaults.h"

#include <stdlib.h>
#include <string.h>

enum { LITERAL_BYTES_MAX = 0x40000000 };

static const struct {
    const char *prefix; /* of labels */
    bool columns;       /* it tells the columns' types */
} kinds[] = {{"TABLE ", true}, {"FOREIGN TABLE ", true}, {"DOMAIN ", true}, {"DEFAULT ", false}};

static const struct constant_type {
    const char *name; /* without its schema */
    enum cl_carrier carrier;
    bool limited; /* a column of it may have a limit */
} types[] = {
    {"text", CL_CARRIER_TEXT, false},  {"character varying", CL_CARRIER_TEXT, true},
    {"bpchar", CL_CARRIER_TEXT, true}, {"citext", CL_CARRIER_TEXT, false},
    {"xml", CL_CARRIER_TEXT, false},   {"json", CL_CARRIER_JSON, false},
    {"jsonb", CL_CARRIER_JSON, false}, {"bytea", CL_CARRIER_NESTED, false},
};

/* Where a statement is read. */
struct walk {
    const struct cl_mask *mask;  /* borrowed */
    struct cl_buf *out;          /* the statement up to `done`; borrowed */
    struct cl_mask_tally *tally; /* borrowed */
    const char *done;            /* what follows is not in *out yet */
    const char *column;          /* where the definition of the column begins */
    size_t depth;                /* open parentheses */
    size_t outside;              /* of these around the expression */
    size_t max_chars;            /* limit of the column, 0: none */
    bool columns;                /* the statement tells the limits of its columns */
    bool fits;                   /* what fits max_chars fits the column */
    bool inside;                 /* an expression */
    bool changed;                /* a constant was masked */
};

static bool in_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Behind what a quote opens; one within is doubled, which reads as two. */
static const char *behind(const char *open)
{
    const char *close = strchr(open + 1, *open);
    return close ? close + 1 : open + strlen(open);
}

/* Same, of a string as a whole. */
static const char *behind_string(const char *open)
{
    const char *p = behind(open);
    while (*p == '\'') {
        p = behind(p);
    }
    return p;
}

/* The type of the constant before it; NULL: another one. */
static const struct constant_type *read_type(const char *p)
{
    const char *name = p + 2;
    if (strncmp(p, "::", 2) != 0) {
        return NULL;
    }
    for (p = name; in_word(*p) || *p == '.' || *p == '"'; p++) {
        name = *p == '.' ? p + 1 : name;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t n = strlen(types[i].name);
        if (strncmp(name, types[i].name, n) == 0 && !in_word(name[n])) {
            return &types[i];
        }
    }
    return NULL;
}

/* Reads the limit of the column whose definition is [p, end); of an array it is one of elements. */
static void read_limit(struct walk *w, const char *end)
{
    static const char *const names[] = {" character varying(", " character("};
    const char *at = NULL;
    w->max_chars = 0;
    w->fits = w->columns;
    for (size_t i = 0; !at && i < sizeof names / sizeof *names; i++) {
        char *rest;
        at = memmem(w->column, (size_t)(end - w->column), names[i], strlen(names[i]));
        if (at) {
            w->max_chars = strtoul(at + strlen(names[i]), &rest, 10);
            w->fits = strncmp(rest, ")[", 2) != 0;
        }
    }
}

/* A quote within a string is doubled; the server prints no other escapes. */
static void unquote(struct cl_buf *text, const char *p, const char *end)
{
    for (; p < end; p++) {
        cl_buf_addc(text, *p);
        p += *p == '\'' && p + 1 < end;
    }
}

static void quote(struct cl_buf *out, const struct cl_buf *text)
{
    for (size_t i = 0; i < text->len; i++) {
        cl_buf_addc(out, text->data[i]);
        if (text->data[i] == '\'') {
            cl_buf_addc(out, '\'');
        }
    }
}

/* The constant [open, end), quotes included. */
static bool mask_constant(struct walk *w, const char *open, const char *end, struct cl_err *err)
{
    const struct constant_type *type = read_type(end);
    struct cl_buf text, masked;
    struct cl_mask_tally tally = *w->tally;
    struct cl_err refusal;
    bool changed = false;
    if (!type || (type->limited && !w->fits)) {
        return true;
    }
    cl_buf_init(&text, LITERAL_BYTES_MAX);
    cl_buf_init(&masked, LITERAL_BYTES_MAX);
    unquote(&text, open + 1, end - 1);
    bool ok = cl_mask_apply(w->mask, NULL, type->carrier, cl_buf_str(&text), text.len, w->max_chars,
                            &masked, &changed, &tally, &refusal) ||
              strcmp(refusal.code, "E_MASK_WIDTH") == 0;
    if (!ok) {
        *err = refusal;
    } else if (changed) {
        cl_buf_add(w->out, w->done, (size_t)(open + 1 - w->done));
        quote(w->out, &masked);
        w->done = end - 1;
        w->changed = true;
        *w->tally = tally;
    }
    w->out->failed = w->out->failed || text.failed;
    cl_buf_fini(&text);
    cl_buf_fini(&masked);
    return ok;
}

static bool is(const char *word, size_t n, const char *keyword)
{
    return strlen(keyword) == n && strncmp(word, keyword, n) == 0;
}

/* Behind the word at p. */
static const char *read_word(struct walk *w, const char *p)
{
    const char *word = p;
    while (in_word(*p)) {
        p++;
    }
    size_t n = (size_t)(p - word);
    if (!w->inside && (is(word, n, "DEFAULT") || is(word, n, "GENERATED"))) {
        w->inside = true;
        w->outside = w->depth;
        read_limit(w, word);
    } else if (w->inside && w->depth == w->outside && is(word, n, "CONSTRAINT")) {
        w->inside = false;
    }
    return p;
}

/* Any other character. */
static void read_sign(struct walk *w, const char *p)
{
    char c = *p;
    w->depth += c == '(';
    w->depth -= c == ')' && w->depth > 0;
    if (c == ';' || w->depth < w->outside || (c == ',' && w->depth == w->outside)) {
        w->inside = false;
    }
    if (c == '\n' && !w->inside) {
        w->column = p;
    }
}

static bool walk(struct walk *w, const char *sql, struct cl_err *err)
{
    bool ok = true;
    for (const char *p = sql; ok && *p;) {
        if (strncmp(p, "--", 2) == 0) {
            p += strcspn(p, "\n");
        } else if (*p == '\'') {
            const char *end = behind_string(p);
            ok = !w->inside || mask_constant(w, p, end, err);
            p = end;
        } else if (*p == '"') {
            p = behind(p);
        } else if (in_word(*p)) {
            p = read_word(w, p);
        } else {
            read_sign(w, p++);
        }
    }
    return ok;
}

bool cl_defaults_mask(const char *label, const char *sql, const struct cl_mask *mask,
                      struct cl_buf *out, bool *changed, struct cl_mask_tally *tally,
                      struct cl_err *err)
{
    struct walk w = {.mask = mask, .out = out, .tally = tally, .done = sql, .column = sql};
    size_t i = 0;
    *changed = false;
    while (i < sizeof kinds / sizeof *kinds &&
           strncmp(label, kinds[i].prefix, strlen(kinds[i].prefix)) != 0) {
        i++;
    }
    if (i == sizeof kinds / sizeof *kinds) {
        return true;
    }
    w.columns = kinds[i].columns;
    if (!walk(&w, sql, err)) {
        return cl_err_context(err, "%s", label);
    }
    *changed = w.changed;
    if (w.changed) {
        cl_buf_adds(out, w.done);
    }
    return !out->failed || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}
