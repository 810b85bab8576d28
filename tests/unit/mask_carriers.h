/*
 * Texts in carriers, for tests of the mask: each is written as others would write it, and read
 * strictly, by code that knows nothing of the mask's.
 */
#ifndef MASK_CARRIERS_H
#define MASK_CARRIERS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mask/mask.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { COLUMNS = 76 };

struct carrier {
    const char *name;   /* printed when something is wrong */
    enum cl_carrier as; /* what the mask is told */
    /* Appends n bytes of text, in one of its styles. */
    void (*write)(struct cl_buf *out, const char *s, size_t n, unsigned style);
    /* Appends the text again; false: what carries it is not valid. */
    bool (*read)(const char *s, size_t n, struct cl_buf *text);
    unsigned styles; /* how many there are */
    bool by_byte;    /* a character outside ASCII is written byte by byte */
    bool binary;     /* it is overwritten: its length stays */
};

static void write_plain(struct cl_buf *out, const char *s, size_t n, unsigned style)
{
    (void)style;
    cl_buf_add(out, s, n);
}

static bool read_plain(const char *s, size_t n, struct cl_buf *text)
{
    return cl_buf_add(text, s, n);
}

/* The character at s[*p], which moves on; no more than two bytes are in use here. */
static unsigned next_code(const char *s, size_t n, size_t *p)
{
    unsigned c = (unsigned char)s[(*p)++];
    return c < 0xC0 || *p == n ? c : (c & 0x1F) << 6 | ((unsigned char)s[(*p)++] & 0x3F);
}

static const char json_before[] = "{\"n\": 1.50, \"mail\": \"", json_after[] = "\"}";

static void write_json(struct cl_buf *out, const char *s, size_t n, unsigned style)
{
    cl_buf_adds(out, json_before);
    for (size_t p = 0; p < n;) {
        size_t from = p;
        unsigned code = next_code(s, n, &p);
        if (style == 1 || code < ' ') {
            cl_buf_addf(out, "\\u%04x", code);
        } else {
            cl_buf_adds(out, code == '"' || code == '\\' ? "\\" : "");
            cl_buf_add(out, s + from, p - from);
        }
    }
    cl_buf_adds(out, json_after);
}

static int hex_digits(const char *s, size_t n, size_t digits)
{
    int value = 0;
    for (size_t i = 0; i < digits; i++) {
        static const char all[] = "0123456789ABCDEF0123456789abcdef";
        const char *at = i < n && s[i] ? strchr(all, s[i]) : NULL;
        if (!at) {
            return -1;
        }
        value = value << 4 | ((at - all) & 15);
    }
    return value;
}

static void add_code(struct cl_buf *out, unsigned code)
{
    if (code >= 0x80) {
        cl_buf_addc(out, (char)(0xC0 | code >> 6));
        code = 0x80 | (code & 0x3F);
    }
    cl_buf_addc(out, (char)code);
}

static bool read_json(const char *s, size_t n, struct cl_buf *text)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    size_t end = n - (sizeof json_after - 1);
    if (n < sizeof json_before + sizeof json_after - 2 ||
        memcmp(s, json_before, sizeof json_before - 1) != 0 ||
        memcmp(s + end, json_after, sizeof json_after - 1) != 0) {
        return false;
    }
    for (size_t p = sizeof json_before - 1; p < end; p++) {
        const char *name = s[p] == '\\' && p + 1 < end ? strchr(names, s[p + 1]) : NULL;
        if (s[p] == '"' || (unsigned char)s[p] < ' ') {
            return false;
        }
        if (s[p] != '\\') {
            cl_buf_addc(text, s[p]);
        } else if (name && *name) {
            cl_buf_addc(text, values[name - names]);
            p++;
        } else {
            int code = p + 1 < end && s[p + 1] == 'u' ? hex_digits(s + p + 2, end - p - 2, 4) : -1;
            if (code < 0 || code > 0x7FF) {
                return false;
            }
            add_code(text, (unsigned)code);
            p += 5;
        }
    }
    return true;
}

static void write_xml(struct cl_buf *out, const char *s, size_t n, unsigned style)
{
    cl_buf_adds(out, "<m>");
    for (size_t p = 0; p < n;) {
        size_t from = p;
        unsigned code = next_code(s, n, &p);
        if (style > 0) {
            cl_buf_addf(out, style == 1 ? "&#%u;" : "&#x%X;", code);
        } else if (code < 0x80 && strchr("&<>\"'", (int)code)) {
            cl_buf_adds(out, code == '&'    ? "&amp;"
                             : code == '<'  ? "&lt;"
                             : code == '>'  ? "&gt;"
                             : code == '\'' ? "&#39;"
                                            : "&quot;");
        } else {
            cl_buf_add(out, s + from, p - from);
        }
    }
    cl_buf_adds(out, "</m>");
}

static bool read_xml(const char *s, size_t n, struct cl_buf *text)
{
    static const struct {
        const char *name; /* between "&" and ";" */
        unsigned code;    /* what it stands for */
    } entities[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    if (n < 7 || memcmp(s, "<m>", 3) != 0 || memcmp(s + n - 4, "</m>", 4) != 0) {
        return false;
    }
    for (size_t p = 3; p < n - 4; p++) {
        const char *end = memchr(s + p, ';', n - 4 - p);
        unsigned code = 0;
        if (s[p] == '<' || s[p] == '>') {
            return false;
        }
        if (s[p] != '&') {
            cl_buf_addc(text, s[p]);
            continue;
        }
        for (size_t i = 0; end && i < COUNT(entities); i++) {
            size_t len = strlen(entities[i].name);
            if ((size_t)(end - s) == p + 1 + len && memcmp(s + p + 1, entities[i].name, len) == 0) {
                code = entities[i].code;
            }
        }
        if (end && code == 0 && s[p + 1] == '#') {
            char *stop;
            bool hex = s[p + 2] == 'x';
            code = (unsigned)strtoul(s + p + 2 + hex, &stop, hex ? 16 : 10);
            code = stop == end ? code : 0;
        }
        if (code == 0 || code > 0x7FF) {
            return false;
        }
        add_code(text, code);
        p = (size_t)(end - s);
    }
    return true;
}

static bool is_ascii_letter(unsigned c)
{
    return (c | 32) - 'a' < 26;
}

static void write_url(struct cl_buf *out, const char *s, size_t n, unsigned style)
{
    static const char free_marks[] = "-_.!~*'()";
    for (size_t p = 0; p < n; p++) {
        unsigned c = (unsigned char)s[p];
        bool word = is_ascii_letter(c) || c - '0' < 10;
        if (style == 0 && c && (word || strchr(free_marks, (int)c))) {
            cl_buf_addc(out, (char)c);
        } else {
            cl_buf_addf(out, "%%%02X", c);
        }
    }
}

static bool read_url(const char *s, size_t n, struct cl_buf *text)
{
    for (size_t p = 0; p < n; p++) {
        int byte = s[p] == '%' ? hex_digits(s + p + 1, n - p - 1, 2) : (unsigned char)s[p];
        if (byte < 0) {
            return false;
        }
        p += s[p] == '%' ? 2 : 0;
        cl_buf_addc(text, (char)byte);
    }
    return true;
}

static const char *alphabet_of(unsigned style)
{
    return style == 2 ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                      : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

static void write_base64(struct cl_buf *out, const char *s, size_t n, unsigned style)
{
    const char *alphabet = alphabet_of(style);
    size_t column = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = 0;
        size_t bytes = n - i < 3 ? n - i : 3;
        for (size_t k = 0; k < 3; k++) {
            bits = bits << 8 | (k < bytes ? (unsigned char)s[i + k] : 0);
        }
        if (style == 1 && column == COLUMNS) {
            cl_buf_adds(out, "\r\n");
            column = 0;
        }
        for (size_t k = 0; k < 4; k++) {
            if (k <= bytes || style < 2) {
                cl_buf_addc(out, k <= bytes ? alphabet[bits >> (18 - 6 * k) & 63] : '=');
            }
        }
        column += 4;
    }
}

static bool read_base64(const char *s, size_t n, struct cl_buf *text)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t chars = 0, pads = 0, column = 0;
    for (size_t p = 0; p < n; p++, column++) {
        const char *standard = strchr(alphabet_of(0), s[p]), *safe = strchr(alphabet_of(2), s[p]);
        if (s[p] == '\r' && column == COLUMNS && n - p > 2 && s[p + 1] == '\n') {
            p++;
            column = (size_t)-1;
        } else if (s[p] == '=' && n - p <= 2) {
            pads++;
        } else if (s[p] && pads == 0 && (standard || safe)) {
            bits = bits << 6 |
                   (uint32_t)(standard ? standard - alphabet_of(0) : safe - alphabet_of(2));
            have += 6;
            chars++;
            if (have >= 8) {
                have -= 8;
                cl_buf_addc(text, (char)(bits >> have & 0xFF));
            }
        } else {
            return false;
        }
    }
    return chars % 4 != 1 && (pads == 0 || (chars + pads) % 4 == 0);
}

/* The first line is broken early: what has no soft line breaks cannot be told from other text. */
static void write_printable(struct cl_buf *out, const char *s, size_t n, unsigned style)
{
    size_t column = 0, width = COLUMNS / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        bool at = c == '@' && style == 1 && i > 0 && i + 1 < n &&
                  is_ascii_letter((unsigned char)s[i - 1]) &&
                  is_ascii_letter((unsigned char)s[i + 1]);
        if (column >= width) {
            cl_buf_adds(out, "=\r\n");
            column = 0;
            width = COLUMNS - 3;
        }
        if (c == '=' || c >= 0x7F || at) {
            cl_buf_addf(out, "=%02X", c);
            column += 3;
        } else {
            cl_buf_addc(out, (char)c);
            column++;
        }
    }
}

static bool read_printable(const char *s, size_t n, struct cl_buf *text)
{
    for (size_t p = 0; p < n; p++) {
        if (s[p] != '=') {
            cl_buf_addc(text, s[p]);
            continue;
        }
        bool soft = n - p > 2 && s[p + 1] == '\r' && s[p + 2] == '\n';
        int byte = soft ? 0 : hex_digits(s + p + 1, n - p - 1, 2);
        if (byte < 0) {
            return false;
        }
        if (!soft) {
            cl_buf_addc(text, (char)byte);
        }
        p += 2;
    }
    return true;
}

/* The same, and lines are short unless there is nowhere to break them. */
static bool read_short_lines(const char *s, size_t n, struct cl_buf *text)
{
    size_t column = 0, blank = 0;
    for (size_t p = 0; p < n; p++, column++) {
        if (s[p] == '\n') {
            column = (size_t)-1;
            blank = 0;
        } else if (column >= COLUMNS && s[p] != '\r' && blank > COLUMNS / 3) {
            return false;
        } else if (s[p] == ' ' && column < COLUMNS - 1) {
            blank = column;
        }
    }
    return read_printable(s, n, text);
}

static void write_binary(struct cl_buf *out, const char *s, size_t n, unsigned style)
{
    (void)style;
    cl_buf_add(out, "\0\xff\x01", 3);
    cl_buf_add(out, s, n);
    cl_buf_add(out, "\0\xfe", 2);
}

static bool read_binary(const char *s, size_t n, struct cl_buf *text)
{
    return n >= 5 && memcmp(s, "\0\xff\x01", 3) == 0 && memcmp(s + n - 2, "\0\xfe", 2) == 0 &&
           cl_buf_add(text, s + 3, n - 5);
}

static const struct carrier carriers[] = {
    {"plain", CL_CARRIER_TEXT, write_plain, read_plain, 1, false, false},
    {"json", CL_CARRIER_JSON, write_json, read_json, 2, false, false},
    {"json in text", CL_CARRIER_TEXT, write_json, read_json, 2, false, false},
    {"xml", CL_CARRIER_TEXT, write_xml, read_xml, 3, false, false},
    {"url", CL_CARRIER_TEXT, write_url, read_url, 2, true, false},
    {"base64", CL_CARRIER_TEXT, write_base64, read_base64, 3, false, false},
    {"quoted-printable", CL_CARRIER_TEXT, write_printable, read_short_lines, 2, true, false},
    {"bytes", CL_CARRIER_BYTES, write_plain, read_plain, 1, false, false},
    {"binary", CL_CARRIER_BYTES, write_binary, read_binary, 1, false, true},
};

static const struct carrier *carrier_named(const char *name)
{
    const struct carrier *c = carriers;
    while (strcmp(c->name, name) != 0) {
        c++;
    }
    return c;
}

#endif
