#include "azure_sign.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/hash.h"
#include "store.h"

void cl_azure_date(int64_t wall_ms, char out[CL_AZURE_DATE_BYTES])
{
    /* Not strftime: the names of days and months must not follow a locale. */
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    snprintf(out, CL_AZURE_DATE_BYTES, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
             tm.tm_mday, months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min,
             tm.tm_sec);
}

/* The value of a header, without the blanks around it; length in *len; NULL when it is not there.
 */
static const char *header(const struct cl_azure_request *r, const char *name, size_t *len)
{
    size_t n = strlen(name);
    for (size_t i = 0; r->headers[i]; i++) {
        if (strncasecmp(r->headers[i], name, n) == 0 && r->headers[i][n] == ':') {
            const char *value = r->headers[i] + n + 1;
            value += strspn(value, " \t");
            *len = strlen(value);
            while (*len > 0 && (value[*len - 1] == ' ' || value[*len - 1] == '\t')) {
                *len -= 1;
            }
            return value;
        }
    }
    return NULL;
}

static size_t name_len(const char *line)
{
    return strcspn(line, ":");
}

static int by_header_name(const void *a, const void *b)
{
    const char *x = *(const char *const *)a;
    const char *y = *(const char *const *)b;
    size_t nx = name_len(x);
    size_t ny = name_len(y);
    int c = strncasecmp(x, y, nx < ny ? nx : ny);
    return c != 0 ? c : (nx > ny) - (nx < ny);
}

static void add_ms_headers(struct cl_buf *out, const struct cl_azure_request *r)
{
    const char *mine[CL_AZURE_HEADERS_MAX] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < CL_AZURE_HEADERS_MAX && r->headers[i]; i++) {
        if (strncasecmp(r->headers[i], "x-ms-", 5) == 0) {
            mine[count++] = r->headers[i];
        }
    }
    qsort(mine, count, sizeof *mine, by_header_name);
    for (size_t i = 0; i < count; i++) {
        char name[CL_BLOB_HEADER_MAX];
        size_t len;
        snprintf(name, sizeof name, "%.*s", (int)name_len(mine[i]), mine[i]);
        for (char *p = name; *p; p++) {
            *p = (char)tolower((unsigned char)*p);
        }
        const char *value = header(r, name, &len);
        cl_buf_addf(out, "%s:%.*s\n", name, (int)len, value);
    }
}

static int by_pair_name(const void *a, const void *b)
{
    const struct cl_azure_pair *x = a;
    const struct cl_azure_pair *y = b;
    return strcmp(x->name, y->name);
}

bool cl_azure_string_to_sign(struct cl_buf *out, const struct cl_azure_request *r)
{
    static const char *const standard[] = {"Content-Encoding",
                                           "Content-Language",
                                           "Content-Length",
                                           "Content-MD5",
                                           "Content-Type",
                                           "Date",
                                           "If-Modified-Since",
                                           "If-Match",
                                           "If-None-Match",
                                           "If-Unmodified-Since",
                                           "Range"};
    cl_buf_addf(out, "%s\n", r->method);
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
        size_t len = 0;
        const char *value = header(r, standard[i], &len);
        if (strcmp(standard[i], "Content-Length") == 0) {
            if (r->body_bytes > 0) {
                cl_buf_addf(out, "%zu", r->body_bytes);
            }
        } else if (value) {
            cl_buf_add(out, value, len);
        }
        cl_buf_addc(out, '\n');
    }
    add_ms_headers(out, r);
    cl_buf_addf(out, "/%s%s", r->account, r->path);
    struct cl_azure_pair query[CL_AZURE_QUERY_MAX];
    memcpy(query, r->query, sizeof query);
    qsort(query, r->query_count, sizeof *query, by_pair_name);
    for (size_t i = 0; i < r->query_count; i++) {
        cl_buf_addf(out, "\n%s:%s", query[i].name, query[i].value);
    }
    return !out->failed;
}

bool cl_azure_sign(struct cl_buf *out, const uint8_t *key, size_t key_bytes, const char *text)
{
    uint8_t mac[CL_SHA256_BYTES];
    cl_hmac_sha256(key, key_bytes, text, strlen(text), mac);
    return cl_base64_encode(out, mac, sizeof mac);
}

bool cl_azure_sas(struct cl_buf *out, const char *account, const uint8_t *key, size_t key_bytes,
                  const char *container, const char *blob, int64_t expiry_wall_ms, bool https_only)
{
    char expiry[32];
    time_t t = (time_t)(expiry_wall_ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    snprintf(expiry, sizeof expiry, "%04d-%02d-%02dT%02d:%02d:%02dZ", (tm.tm_year + 1900) % 10000,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    const char *protocol = https_only ? "https" : "";
    struct cl_buf text;
    struct cl_buf signature;
    cl_buf_init(&text, 16 * 1024);
    cl_buf_init(&signature, 256);
    /* permissions, start, expiry, resource, identifier, IP, protocol, version, kind of resource,
     * snapshot, encryption scope, and five response headers */
    cl_buf_addf(&text, "r\n\n%s\n/blob/%s/%s/%s\n\n\n%s\n%s\nb\n\n\n\n\n\n\n", expiry, account,
                container, blob, protocol, CL_AZURE_VERSION);
    bool ok = !text.failed && cl_azure_sign(&signature, key, key_bytes, cl_buf_str(&text));
    if (ok) {
        cl_buf_addf(out, "sv=%s&sr=b&sp=r&se=", CL_AZURE_VERSION);
        cl_blob_escape(out, expiry, "");
        if (https_only) {
            cl_buf_adds(out, "&spr=https");
        }
        cl_buf_adds(out, "&sig=");
        ok = cl_blob_escape(out, cl_buf_str(&signature), "");
    }
    cl_buf_fini(&text);
    cl_buf_fini(&signature);
    return ok && !out->failed;
}
