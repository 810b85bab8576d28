/* Answers that are not 2xx as errors: the one table from HTTP status to class. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "exchange.h"

enum { RETRY_AFTER_MAX_MS = 24 * 3600 * 1000, DETAIL_MAX = 600 };

static const struct {
    int status;          /* of the answer */
    enum cl_class class; /* ours */
} classes[] = {
    {304, CL_CONFLICT},   {401, CL_PERMISSION}, {403, CL_PERMISSION}, {404, CL_NOT_FOUND},
    {407, CL_PERMISSION}, {408, CL_TRANSIENT},  {409, CL_CONFLICT},   {410, CL_NOT_FOUND},
    {412, CL_CONFLICT},   {423, CL_CONFLICT},   {425, CL_TRANSIENT},  {429, CL_THROTTLED},
    {501, CL_INVALID},    {505, CL_INVALID},
};

static enum cl_class class_of(int status)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (classes[i].status == status) {
            return classes[i].class;
        }
    }
    return status >= 500 ? CL_TRANSIENT : CL_INVALID;
}

int cl_http_retry_after_ms(const char *value, int64_t now_wall_ms)
{
    int64_t ms;
    if (*value >= '0' && *value <= '9') {
        char *end;
        errno = 0;
        long seconds = strtol(value, &end, 10);
        if (*end != '\0') {
            return 0;
        }
        ms = errno != 0 || seconds > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS
                                                               : (int64_t)seconds * 1000;
    } else {
        time_t at = curl_getdate(value, NULL);
        if (at == -1) {
            return 0;
        }
        ms = (int64_t)at * 1000 - now_wall_ms;
    }
    if (ms < 0) {
        return 0;
    }
    return (int)(ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms);
}

/* Length of the UTF-8 character at p, 0 when the bytes are none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    size_t len = *p < 0x80                  ? 1
                 : *p >= 0xc2 && *p < 0xe0  ? 2
                 : *p >= 0xe0 && *p < 0xf0  ? 3
                 : *p >= 0xf0 && *p <= 0xf4 ? 4
                                            : 0;
    if (len == 0 || len > n) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

/* The start of a body as one line of text a database will take. */
static void excerpt(const struct cl_buf *body, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < body->len && used + 4 < size;) {
        const unsigned char *p = (const unsigned char *)body->data + i;
        size_t len = utf8_length(p, body->len - i);
        if (len == 0 || *p < ' ' || *p == 0x7f) {
            out[used++] = *p < ' ' ? ' ' : '?';
            i++;
        } else {
            memcpy(out + used, p, len);
            used += len;
            i += len;
        }
    }
    out[used] = '\0';
}

bool cl_http_fail(struct cl_err *err, const struct cl_http_request *request,
                  const struct cl_http_response *response)
{
    char text[300];
    char code[32];
    char value[256];
    cl_http_describe(request, text, sizeof text);
    snprintf(code, sizeof code, "HTTP_%d", response->status);
    enum cl_class class = class_of(response->status);
    bool asked = cl_http_header(response, "retry-after", value, sizeof value);
    if (response->status == 503 && asked) {
        class = CL_THROTTLED;
    }
    if (response->status / 100 == 3 && response->status != 304) {
        cl_fail(err, class, code, "%s: answered %d, and redirects are not followed", text,
                response->status);
    } else {
        cl_fail(err, class, code, "%s: answered %d", text, response->status);
    }
    if (!err) {
        return false;
    }
    if (asked && err->retryable) {
        err->retry_after_ms = cl_http_retry_after_ms(value, cl_clock_wall_ms());
    }
    excerpt(&response->body, err->detail, DETAIL_MAX);
    return false;
}
