/*
 * What the files of this room share.
 *
 * Text is read as elements: a plain character, or one character written as %40, &#64;, =40,
 * \u0040 and the like.  A token is a run of elements holding at least one at-sign; whether a token
 * leaks, and what stands in its place, depends on nothing outside it but the byte before it.
 * That is what makes masking and finding agree.
 */
#ifndef CL_MASK_PRIVATE_H
#define CL_MASK_PRIVATE_H

#include <string.h>

#include "base/hash.h"
#include "mask.h"

enum { CL_LOCAL_OCTETS = 64 }; /* of a local part: RFC 5321 4.5.3.1.1 */

/* chars.c */

/* Classes of the ASCII bytes in text; other bytes have none. */
enum {
    CL_LETTER = 1, /* a-z A-Z */
    CL_DIGIT = 2,  /* 0-9 */
    CL_EDGE = 4,   /* - _ */
    CL_POINT = 8,  /* . */
    CL_PLUS = 16,  /* + */
    CL_SOFT = 32,  /* legal in a local part, yet in real text nearly always a separator */
    CL_IN_LABEL = CL_LETTER | CL_DIGIT | CL_EDGE,
    CL_IN_LOCAL = CL_IN_LABEL | CL_POINT | CL_PLUS,
};

extern const unsigned char cl_mask_classes[256];

static inline unsigned cl_mask_class(unsigned char c)
{
    return cl_mask_classes[c];
}

enum cl_kind {
    CL_NONE,  /* ends every token */
    CL_AT,    /* an at-sign, however it is written */
    CL_DOT,   /* a dot, however it is written */
    CL_LABEL, /* may stand in a domain label: letters, digits, '-', '_', non-ASCII */
    CL_CORE,  /* may stand in a local part only: '+', an inner apostrophe */
};

struct cl_element {
    enum cl_kind kind;
    bool letter;    /* a letter: may begin a top-level domain */
    bool digit;     /* 0-9 */
    bool edge;      /* '-' or '_': cut off the end of a domain */
    size_t len;     /* bytes it takes in the text; 0 for CL_NONE */
    size_t span;    /* the same, of CL_NONE too; 0: it is no spelling, its byte stands for itself */
    size_t n_bytes; /* of what it stands for */
    char bytes[8];  /* what it stands for, as UTF-8 */
};

/* The element at s[pos]; looks at s[pos-1] for what depends on it. */
struct cl_element cl_mask_any_element(const char *s, size_t n, size_t pos);

/* The same. Nearly all bytes of an address stand for themselves: those are read in place. */
static inline struct cl_element cl_mask_element(const char *s, size_t n, size_t pos)
{
    unsigned class = pos < n ? cl_mask_class((unsigned char)s[pos]) : 0;
    if (!(class & CL_IN_LOCAL)) {
        return cl_mask_any_element(s, n, pos);
    }
    return (struct cl_element){
        .kind = class == CL_POINT  ? CL_DOT
                : class == CL_PLUS ? CL_CORE
                                   : CL_LABEL,
        .letter = class == CL_LETTER,
        .digit = class == CL_DIGIT,
        .edge = class == CL_EDGE,
        .len = 1,
        .span = 1,
        .n_bytes = 1,
        .bytes = {s[pos]},
    };
}

/* Where the run of plain local-part characters that ends before s[at] begins, not before floor. */
size_t cl_mask_local_start(const char *s, size_t floor, size_t at);

/* Given an empty local part: does what stands before s[at] make it an address all the same? */
bool cl_mask_soft_local(const char *s, size_t at);

/* Where the quoted local part ending before s[at] opens and closes (positions of its first
 * character and of its closing quote); false when there is none. */
bool cl_mask_quoted_local(const char *s, size_t at, size_t *open, size_t *close);

/* May a quoted local part begin and end with it? */
static inline bool cl_mask_is_quotable(char c)
{
    return !strchr(" \t,:;(){}=<>\"\\", c); /* NUL counts as a separator too */
}

/* May it open at s[pos]? Not behind a name: there the "quotes" are the end of one string and the
 * start of the next. */
bool cl_mask_may_open(const char *s, size_t pos);

/* Appends what the text stands for. */
void cl_mask_decode(const char *s, size_t from, size_t to, struct cl_buf *out);

size_t cl_mask_chars(const char *s, size_t n); /* UTF-8 characters */

/* The digest in n letters and digits that survive case folding and never look like an escape ('0'
 * is not among them); at most 51. */
void cl_mask_letters(const uint8_t digest[CL_SHA256_BYTES], size_t n, char *out);

/* escapes.c */

enum {
    CL_BACKSLASHES_MAX = 64,  /* of one escape: each array, row and JSON string doubles them */
    CL_SPELLING_MAX = 160,    /* bytes of one character, however it is written */
    CL_ANY_LETTER = 0x110000, /* a code: of an entity for a letter, which one does not matter */
};

/* The byte after the backslashes of one escape, which begins at s[pos]. */
static inline size_t cl_mask_after_backslashes(const char *s, size_t n, size_t pos)
{
    size_t p = pos;
    while (p < n && s[p] == '\\' && p - pos < CL_BACKSLASHES_MAX) {
        p++;
    }
    return p;
}

/* Does an escape begin with this byte? */
static inline bool cl_mask_is_mark(unsigned char c)
{
    return c == '%' || c == '&' || c == '=' || c == '\\';
}

/* May an escape hold this byte? */
static inline bool cl_mask_may_spell(unsigned char c)
{
    return (cl_mask_class(c) & (CL_LETTER | CL_DIGIT)) || cl_mask_is_mark(c) || c == '#' ||
           c == ';' || c == '{' || c == '}';
}

/* A character that an escape stands for, or one that stands for itself. */
struct cl_escape {
    uint32_t code;  /* its code point; CL_ANY_LETTER */
    size_t end;     /* the byte after it in the text; 0: there is none */
    bool byte;      /* it is one byte of several, from 0x80 on */
    bool printable; /* an `=` of quoted-printable is in it, which is ordinary text as well */
};

/* The character at s[pos], with every escape undone, also those within each other. One that stands
 * for itself ends at pos + 1. */
struct cl_escape cl_mask_escape(const char *s, size_t n, size_t pos);

/* Does an escape of a character that fits end before s[end]? The longest one begins at *start, not
 * before floor. */
bool cl_mask_escape_before(const char *s, size_t floor, size_t end, bool (*fits)(uint32_t code),
                           size_t *start);

/* search.c */

/* Where the first byte at or after pos stands that the spelling of an at-sign may hold; n when
 * there is none, and that is certain. */
size_t cl_mask_find_hit(const char *s, size_t n, size_t pos);

/* May the byte stand in base64, its padding or, as JSON writes them, its line breaks? */
static inline bool cl_mask_is_dense(unsigned char c)
{
    return cl_mask_class(c) & (CL_IN_LABEL | CL_PLUS) || c == '/' || c == '=' || c == '\\';
}

/* Where the first 16 bytes in a row begin at or after pos that may be base64, words aside; n for
 * none. */
size_t cl_mask_find_run(const char *s, size_t n, size_t pos);

/* Is there anything an at-sign could be made of, or base64? */
bool cl_mask_candidate(const char *s, size_t n);

/* local.c */

/* Where the whole local part begins whose plain characters are s[local, at), not before floor; at
 * the earliest it is a character of a name. *close is where its own text ends: at, or where the
 * comment begins that stands before it. */
size_t cl_mask_local_whole(const char *s, size_t floor, size_t local, size_t at, size_t *close);

/* As cl_mask_quoted_local, for quotes that are written as escapes. */
bool cl_mask_coded_quotes(const char *s, size_t at, size_t *open, size_t *close);

/* Bytes of the character that begins at s[pos], n being more than that, however it is written. *c
 * is what it stands for: 'x' for a letter outside ASCII, FORM FEED for a separator there, LINE FEED
 * for backslashes. */
size_t cl_mask_unit(const char *s, size_t n, size_t pos, char *c);

/* Is it one of a name? */
bool cl_mask_in_local(const char *s, size_t n, size_t pos);

size_t cl_mask_octets(const char *s, size_t from, size_t to); /* of what the text stands for */

/* scan.c */

struct cl_token {
    size_t local;    /* where its local part begins; the at-sign's place when it is empty */
    size_t first_at; /* where the local part ends */
    size_t at;       /* its last at-sign ... */
    size_t at_end;   /* ... and the byte after it */
    size_t tail;     /* the byte after its domain: from here on the text stays */
    size_t next;     /* where scanning goes on */
    size_t close;    /* where its own text ends: at the closing quote, a comment, or first_at */
    bool quoted;     /* the local part is a quoted string and stays as it is */
    bool spaced;     /* quoted, and holds an at-sign of its own */
    bool chain;      /* several at-signs in a row: replaced as one */
    bool plain;      /* local_domain can be taken apart again: no suffix needed */
    bool leak;       /* an address the rules do not let pass */
};

/* The first token at or after pos, where nothing before pos belongs to it. */
bool cl_mask_next(const struct cl_mask *mask, const char *s, size_t n, size_t pos,
                  struct cl_token *token);

/* replace.c */

/* Where the bytes of a leaking token begin that are replaced; they go up to its tail. */
size_t cl_mask_put_from(const struct cl_mask *mask, const struct cl_token *token);

/* Appends what stands in the place of these bytes. It takes at most limit characters, SIZE_MAX for
 * no limit. */
void cl_mask_put(const struct cl_mask *mask, const char *s, const struct cl_token *token,
                 size_t limit, struct cl_buf *out, struct cl_mask_tally *tally);

/* Appends the text with the addresses in it masked, whatever else it carries; *changed is set when
 * it differs. */
void cl_mask_tokens(const struct cl_mask *mask, const char *s, size_t n, size_t limit,
                    struct cl_buf *out, bool *changed, struct cl_mask_tally *tally);

size_t cl_mask_find_tokens(const struct cl_mask *mask, const char *s, size_t n,
                           void (*found)(void *arg, const char *address, size_t len), void *arg);

/* lines.c */

/* Bytes of the line end at s[pos], as it is or as JSON, literals and XML write it; 0: none. */
size_t cl_mask_line_end(const char *s, size_t n, size_t pos);

/* Bytes of the soft line break of quoted-printable at s[pos], "=" and a line end; 0: none. After
 * another "=" it is none: that ends base64, or underlines a heading. */
size_t cl_mask_soft_break(const char *s, size_t n, size_t pos);

/* The first of them at or after pos and its bytes; n when there is none. */
size_t cl_mask_next_soft(const char *s, size_t n, size_t pos, size_t *len);

/* When the text was quoted-printable with lines as short as they have to be: appends the masked
 * text with lines that are, too, and returns true. */
bool cl_mask_wrap(const char *before, size_t n_before, const char *s, size_t n, struct cl_buf *out);

/* base64.c */

/* Are the bytes from pos to end, which stand alone and none of which is part of an escape, words
 * and keys? Up to `loose` of the first may not belong to the others. */
bool cl_mask_are_words(const char *s, size_t pos, size_t end, size_t loose);

/* Base64 inside a text. */
struct cl_base64 {
    size_t begin;     /* its first byte ... */
    size_t end;       /* ... and the byte after it, padding included */
    size_t first;     /* characters of its first line ... */
    size_t columns;   /* ... and of each other but the last; 0: it is one line, however long */
    const char *eol;  /* columns: what ends a line; the text's */
    size_t eol_len;   /* bytes of eol */
    bool soft;        /* eol is a soft line break */
    const char *sign; /* how a sign of padding is written; NULL: it goes without */
    const char *plus; /* a plus or slash that is an escape; the text's, or a constant */
    size_t plus_len;  /* bytes of plus; 0: they are not escaped */
    bool url;         /* with "-" and "_" for "+" and "/" */
};

/* Where base64 may begin, given the first thing the search has found: a run before that is shorter
 * than what it looks for, but may go on behind, also behind an escaped sign. */
size_t cl_mask_base64_from(const char *s, size_t n, size_t first);

/* The first base64 at or after pos, in one of the two alphabets, that holds text: *plain. */
bool cl_mask_next_base64(const char *s, size_t n, size_t pos, struct cl_base64 *b,
                         struct cl_buf *plain);

/* base64_write.c */

/* Appends other text in the same style. */
void cl_mask_put_base64(const struct cl_base64 *b, const char *plain, size_t n, struct cl_buf *out);

/* soft.c */

/* Are there soft line breaks? */
bool cl_mask_is_soft(const char *s, size_t n);

/* Appends the text without them. */
void cl_mask_join(const char *s, size_t n, struct cl_buf *out);

/* As cl_mask_tokens, for text with soft line breaks: addresses they cut are found. */
void cl_mask_soft(const struct cl_mask *mask, const char *s, size_t n, size_t limit,
                  struct cl_buf *out, bool *changed, struct cl_mask_tally *tally);

/* layers.c */

/* Appends the text with all addresses in it masked; *changed is set when it differs. */
void cl_mask_text(const struct cl_mask *mask, const char *s, size_t n, size_t limit,
                  struct cl_buf *out, bool *changed, struct cl_mask_tally *tally);

/* Same, of text that is around something else: no line is broken in another place. */
void cl_mask_around(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                    bool *changed, struct cl_mask_tally *tally);

size_t cl_mask_find_text(const struct cl_mask *mask, const char *s, size_t n,
                         void (*found)(void *arg, const char *address, size_t len), void *arg);

/* json.c */

/* The byte after the closing quote of the string that opens at s[pos]; 0 when it is malformed. */
size_t cl_mask_json_string(const char *s, size_t n, size_t pos, bool *escapes);

/* Reads the inside of a well-formed string. A surrogate without its other half is written as the
 * three bytes UTF-8 would have for it, which cl_mask_json_encode() knows. */
void cl_mask_json_decode(const char *s, size_t n, struct cl_buf *out);
void cl_mask_json_encode(const char *s, size_t n, struct cl_buf *out);

/* Can it be walked as JSON? (Strings well formed, nothing foreign between them.) */
bool cl_mask_json_valid(const char *s, size_t n);

void cl_mask_json(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                  bool *changed, struct cl_mask_tally *tally);

size_t cl_mask_find_json(const struct cl_mask *mask, const char *s, size_t n,
                         void (*found)(void *arg, const char *address, size_t len), void *arg);

/* bytes.c */

void cl_mask_bytes(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                   bool *changed, struct cl_mask_tally *tally);

size_t cl_mask_find_bytes(const struct cl_mask *mask, const char *s, size_t n,
                          void (*found)(void *arg, const char *address, size_t len), void *arg);

/* nested.c */

void cl_mask_nested(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                    bool *changed, struct cl_mask_tally *tally);

size_t cl_mask_find_nested(const struct cl_mask *mask, const char *s, size_t n,
                           void (*found)(void *arg, const char *address, size_t len), void *arg);

/* rules.c */

/* Does the domain (decoded) pass? */
bool cl_mask_domain_passes(const struct cl_mask *mask, const char *domain, size_t n);

/* The CL_SHA256_BYTES that hashes of addresses are made with; NULL: the rules have no key. */
const uint8_t *cl_mask_address_key(const struct cl_mask *mask);

/* Same; NULL: addresses are not hidden. */
const uint8_t *cl_mask_hiding_key(const struct cl_mask *mask);

#endif
