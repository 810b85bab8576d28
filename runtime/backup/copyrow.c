#include "copyrow.h"

#include <string.h>

#include "base/hash.h"

const char cl_copy_header[CL_COPY_HEADER_BYTES] = {'P',  'G',    'C',  'O',  'P', 'Y',
                                                   '\n', '\377', '\r', '\n', '\0'};
const char cl_copy_trailer[CL_COPY_TRAILER_BYTES] = {'\377', '\377'};

enum { SIGNATURE_BYTES = 11, FIELD_BYTES_MAX = 0x3fffffff };

static uint32_t be32(const char *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

enum cl_row_status cl_row_binary_header(const char *p, size_t n, size_t *used)
{
    size_t have = n < SIGNATURE_BYTES ? n : SIGNATURE_BYTES;
    if (memcmp(p, cl_copy_header, have) != 0) {
        return CL_ROW_BAD;
    }
    if (n < CL_COPY_HEADER_BYTES) {
        return CL_ROW_MORE;
    }
    uint32_t extension = be32(p + SIGNATURE_BYTES + 4);
    /* bits 16-31 of the flags are critical: data we would misread */
    if (be32(p + SIGNATURE_BYTES) >> 16 != 0 || extension > FIELD_BYTES_MAX) {
        return CL_ROW_BAD;
    }
    *used = CL_COPY_HEADER_BYTES + (size_t)extension;
    return n < *used ? CL_ROW_MORE : CL_ROW_OK;
}

enum cl_row_status cl_row_binary(const char *p, size_t n, size_t n_fields, struct cl_field *fields,
                                 size_t *used)
{
    if (n < 2) {
        return CL_ROW_MORE;
    }
    uint32_t count = (uint32_t)(uint8_t)p[0] << 8 | (uint8_t)p[1];
    if (count == 0xffff) {
        *used = CL_COPY_TRAILER_BYTES;
        return CL_ROW_END;
    }
    if (count != n_fields) {
        return CL_ROW_BAD;
    }
    size_t at = 2;
    for (size_t i = 0; i < n_fields; i++) {
        if (n - at < 4) {
            return CL_ROW_MORE;
        }
        uint32_t len = be32(p + at);
        at += 4;
        fields[i].data = p + at;
        if (len == 0xffffffff) {
            fields[i].len = -1;
            continue;
        }
        if (len > FIELD_BYTES_MAX) {
            return CL_ROW_BAD;
        }
        if (n - at < len) {
            return CL_ROW_MORE;
        }
        fields[i].len = len;
        at += len;
    }
    *used = at;
    return CL_ROW_OK;
}

/* Cuts the line p[0..n) at its tabs; COPY escapes every tab inside a value. */
static bool split(const char *p, size_t n, size_t n_fields, struct cl_field *fields)
{
    const char *end = p + n;
    if (n_fields == 0) {
        return n == 0;
    }
    for (size_t i = 0; i < n_fields; i++) {
        const char *tab = memchr(p, '\t', (size_t)(end - p));
        bool last = i + 1 == n_fields;
        if (last != (tab == NULL)) {
            return false;
        }
        const char *stop = last ? end : tab;
        fields[i].data = p;
        fields[i].len = stop - p;
        if (fields[i].len == 2 && p[0] == '\\' && p[1] == 'N') {
            fields[i].len = -1;
        }
        p = stop + 1;
    }
    return true;
}

enum cl_row_status cl_row_text(const char *p, size_t n, size_t n_fields, struct cl_field *fields,
                               size_t *used, size_t *scanned)
{
    const char *newline = memchr(p + *scanned, '\n', n - *scanned);
    if (!newline) {
        *scanned = n;
        return CL_ROW_MORE;
    }
    size_t line = (size_t)(newline - p);
    *scanned = 0;
    *used = line + 1;
    if (line == 2 && p[0] == '\\' && p[1] == '.') {
        return CL_ROW_END;
    }
    return split(p, line, n_fields, fields) ? CL_ROW_OK : CL_ROW_BAD;
}

/* The escape after a backslash at p; returns how many bytes it takes. */
static size_t unescape_one(const char *p, size_t n, char *out)
{
    static const char from[] = "bfnrtv";
    static const char to[] = "\b\f\n\r\t\v";
    const char *known = *p ? strchr(from, *p) : NULL;
    if (known) {
        *out = to[known - from];
        return 1;
    }
    size_t at = 0;
    int value = 0;
    if (*p >= '0' && *p <= '7') {
        while (at < 3 && at < n && p[at] >= '0' && p[at] <= '7') {
            value = value * 8 + (p[at++] - '0');
        }
        *out = (char)(value & 0xff);
        return at;
    }
    if (*p == 'x' && n > 1 && cl_hex_digit(p[1]) >= 0) {
        for (at = 1; at < 3 && at < n && cl_hex_digit(p[at]) >= 0; at++) {
            value = value * 16 + cl_hex_digit(p[at]);
        }
        *out = (char)value;
        return at;
    }
    *out = *p;
    return 1;
}

bool cl_text_unescape(struct cl_buf *out, const char *p, size_t n)
{
    const char *end = p + n;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        const char *stop = slash ? slash : end;
        cl_buf_add(out, p, (size_t)(stop - p));
        if (!slash) {
            break;
        }
        p = slash + 1;
        if (p == end) {
            return false;
        }
        char c;
        p += unescape_one(p, (size_t)(end - p), &c);
        cl_buf_addc(out, c);
    }
    return !out->failed;
}

bool cl_text_escape(struct cl_buf *out, const char *p, size_t n)
{
    static const char names[] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
                                 ['\t'] = 't', ['\v'] = 'v', ['\\'] = '\\'};
    const char *end = p + n;
    const char *plain = p;
    for (; p < end; p++) {
        uint8_t c = (uint8_t)*p;
        if (c < sizeof names && names[c]) {
            cl_buf_add(out, plain, (size_t)(p - plain));
            cl_buf_addc(out, '\\');
            cl_buf_addc(out, names[c]);
            plain = p + 1;
        }
    }
    return cl_buf_add(out, plain, (size_t)(end - plain));
}
