/* Azure Blob: stores, requests, and what is done to one blob. */
#include "azure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"

struct cl_azure_store *cl_azure_of(const struct cl_blob_store *store)
{
    return (struct cl_azure_store *)(uintptr_t)store;
}

/* ---------------------------------------------------------------- calls */

void cl_azure_call_fini(struct cl_azure_call *call)
{
    for (size_t i = 0; i < call->header_count; i++) {
        free(call->headers[i]);
    }
    call->header_count = 0;
}

void cl_azure_query(struct cl_azure_call *call, const char *name, const char *value)
{
    if (call->query_count == CL_AZURE_QUERY_MAX) {
        call->failed = true;
        return;
    }
    call->query[call->query_count++] = (struct cl_azure_pair){name, value};
}

void cl_azure_header(struct cl_azure_call *call, const char *fmt, ...)
{
    /* Four are added when it is sent: date, version, authorisation, and the end. */
    char *line = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = call->header_count < CL_AZURE_HEADERS_MAX - 4 ? vasprintf(&line, fmt, ap) : -1;
    va_end(ap);
    if (n < 0) {
        call->failed = true;
        return;
    }
    call->headers[call->header_count++] = line;
}

void cl_azure_md5(struct cl_azure_call *call, const char *header,
                  const uint8_t md5[CL_BLOB_MD5_BYTES])
{
    struct cl_buf text;
    cl_buf_init(&text, 64);
    cl_base64_encode(&text, md5, CL_BLOB_MD5_BYTES);
    cl_azure_header(call, "%s: %s", header, cl_buf_str(&text));
    cl_buf_fini(&text);
}

bool cl_azure_url(struct cl_buf *out, const struct cl_azure_account *a, const char *name)
{
    cl_buf_addf(out, "%s/%s", a->endpoint, a->container);
    if (name) {
        cl_buf_addc(out, '/');
        cl_blob_escape(out, a->prefix, "/");
        cl_blob_escape(out, name, "/");
    }
    return !out->failed;
}

static bool add_query(struct cl_buf *url, const struct cl_azure_store *s,
                      const struct cl_azure_call *call)
{
    for (size_t i = 0; i < call->query_count; i++) {
        cl_buf_addf(url, "%c%s=", i == 0 ? '?' : '&', call->query[i].name);
        cl_blob_escape(url, call->query[i].value, "");
    }
    const struct cl_azure_account *a = s->account;
    if (a->sas && a->key_bytes == 0 && !a->token) {
        cl_buf_addf(url, "%c%s", call->query_count == 0 ? '?' : '&', a->sas);
    }
    return !url->failed;
}

/* Appends the Authorization header to r; NULL for a store without an account key or token. */
static bool authorise(const struct cl_azure_store *s, struct cl_azure_request *r, size_t *count,
                      struct cl_buf *line)
{
    const struct cl_azure_account *a = s->account;
    if (a->token) {
        cl_buf_addf(line, "Authorization: Bearer %s", a->token);
    } else if (a->key_bytes > 0) {
        struct cl_buf text;
        cl_buf_init(&text, 256 * 1024);
        cl_buf_addf(line, "Authorization: SharedKey %s:", a->name);
        bool ok = cl_azure_string_to_sign(&text, r) &&
                  cl_azure_sign(line, a->key, a->key_bytes, cl_buf_str(&text));
        cl_buf_fini(&text);
        if (!ok) {
            return false;
        }
    } else {
        return true;
    }
    r->headers[(*count)++] = cl_buf_str(line);
    return !line->failed;
}

static bool take_session(struct cl_azure_store *s, struct cl_err *err)
{
    struct cl_azure_account *a = s->account;
    uv_mutex_lock(&a->lock);
    if (!s->session && a->idle_count > 0) {
        s->session = a->idle[--a->idle_count];
    }
    uv_mutex_unlock(&a->lock);
    if (!s->session) {
        s->session = cl_http_session_new(err);
    }
    return s->session != NULL;
}

/* Turns an answer into an error that names the blob and carries Azure's own code. */
static bool fail_call(const struct cl_azure_store *s, const struct cl_azure_call *call,
                      const struct cl_http_request *request,
                      const struct cl_http_response *response, struct cl_err *err)
{
    char code[sizeof err->code];
    struct cl_err http;
    cl_http_fail(&http, request, response);
    if (!cl_http_header(response, "x-ms-error-code", code, sizeof code)) {
        snprintf(code, sizeof code, "%s", http.code);
    }
    if (call->name) {
        cl_fail(err, http.class, code, "%s: %s blob '%.200s': answered %d %s", s->base.url,
                call->doing, call->name, response->status, code);
    } else {
        cl_fail(err, http.class, code, "%s: %s: answered %d %s", s->base.url, call->doing,
                response->status, code);
    }
    bool busy = strcmp(code, "ServerBusy") == 0;
    if (busy) {
        err->class = CL_THROTTLED;
    }
    err->retryable = http.retryable || busy;
    err->retry_after_ms = http.retry_after_ms;
    memcpy(err->detail, http.detail, sizeof err->detail);
    return false;
}

/* Sends it once. */
static bool send_call(struct cl_azure_store *s, const struct cl_azure_call *call,
                      struct cl_http_response *response, struct cl_err *err)
{
    const struct cl_azure_account *a = s->account;
    char dated[64];
    char date[CL_AZURE_DATE_BYTES];
    struct cl_buf url;
    struct cl_buf authorisation;
    cl_buf_init(&url, 64 * 1024);
    cl_buf_init(&authorisation, 64 * 1024);
    struct cl_azure_request r = {.method = call->method, .account = a->name};
    r.body_bytes = call->body_bytes;
    memcpy(r.query, call->query, sizeof r.query);
    r.query_count = call->query_count;
    size_t count = 0;
    for (; count < call->header_count; count++) {
        r.headers[count] = call->headers[count];
    }
    cl_azure_date(cl_clock_wall_ms(), date);
    snprintf(dated, sizeof dated, "x-ms-date: %s", date);
    r.headers[count++] = dated;
    r.headers[count++] = "x-ms-version: " CL_AZURE_VERSION;
    bool ok = !call->failed && cl_azure_url(&url, a, call->name);
    /* The signed path is the URL's own, as it stands there. */
    char *path = ok ? strdup(cl_buf_str(&url) + strlen(a->endpoint) - strlen(a->path)) : NULL;
    r.path = path;
    ok = path && add_query(&url, s, call) && authorise(s, &r, &count, &authorisation);
    if (!ok) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory for a request", s->base.url);
        goto done;
    }
    struct cl_http_request request = {.method = call->method,
                                      .url = cl_buf_str(&url),
                                      .headers = r.headers,
                                      .body = call->body,
                                      .body_bytes = call->body_bytes,
                                      .timeout_ms = CL_AZURE_TIMEOUT_MS,
                                      .ca_file = a->ca_file,
                                      .job = s->base.job};
    ok = take_session(s, err);
    if (ok && !cl_http_perform(s->session, &request, response, err)) {
        ok = cl_err_context(err, "%s: %s blob '%.200s'", s->base.url, call->doing,
                            call->name ? call->name : "");
    } else if (ok && response->status / 100 != 2) {
        ok = fail_call(s, call, &request, response, err);
    }
done:
    free(path);
    cl_buf_fini(&url);
    cl_buf_fini(&authorisation);
    return ok;
}

bool cl_azure_perform(struct cl_azure_store *s, const struct cl_azure_call *call,
                      struct cl_http_response *response, struct cl_err *err)
{
    for (int attempt = 1;; attempt++) {
        if (s->base.job && !cl_job_check(s->base.job, err)) {
            return false;
        }
        if (send_call(s, call, response, err)) {
            return true;
        }
        if (!err->retryable || attempt == CL_AZURE_ATTEMPTS ||
            err->retry_after_ms > CL_AZURE_BACKOFF_MAX_MS) {
            return false;
        }
        /* Between half and all of it, so that many workers do not come back together. */
        int most_ms = CL_AZURE_BACKOFF_MS << (attempt - 1);
        uint16_t random = 0;
        cl_random(&random, sizeof random);
        int wait_ms = most_ms / 2 + (int)((unsigned)random % (unsigned)(most_ms / 2 + 1));
        wait_ms = wait_ms > err->retry_after_ms ? wait_ms : err->retry_after_ms;
        if (!cl_blob_wait(&s->base, wait_ms, err)) {
            return false;
        }
    }
}

bool cl_azure_send(struct cl_azure_store *s, struct cl_azure_call *call,
                   struct cl_http_response *response, struct cl_err *err)
{
    bool ok = cl_azure_perform(s, call, response, err);
    cl_azure_call_fini(call);
    return ok;
}

/* ---------------------------------------------------------------- headers */

/* Azure's metadata names are identifiers; its values travel as headers, in ASCII. */
static bool fits_header(const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~') {
            return false;
        }
    }
    size_t n = strlen(text);
    return n == 0 || (text[0] != ' ' && text[n - 1] != ' ');
}

static bool is_identifier(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return name[0] && strchr(letters, name[0]) && strspn(name, more) == strlen(name);
}

bool cl_azure_props(struct cl_azure_store *s, struct cl_azure_call *call,
                    const struct cl_blob_item *item, struct cl_err *err)
{
    for (size_t i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        const char *value = item->headers[i];
        if (value && (!fits_header(value) || strlen(value) > CL_BLOB_HEADER_MAX)) {
            return cl_fail(err, CL_INVALID, "E_BLOB_HEADER",
                           "%s: blob '%.200s': Azure cannot keep its %s: not plain ASCII, or too "
                           "long",
                           s->base.url, item->name, cl_blob_header_names[i]);
        }
        if (value) {
            cl_azure_header(call, "x-ms-blob-%s: %s", cl_blob_header_names[i], value);
        }
    }
    size_t bytes = 0;
    for (size_t i = 0; i < item->meta_count; i++) {
        const struct cl_blob_meta *m = &item->meta[i];
        bytes += strlen(m->name) + strlen(m->value);
        if (!is_identifier(m->name) || !fits_header(m->value) || bytes > CL_BLOB_META_BYTES_MAX) {
            return cl_fail(err, CL_INVALID, "E_BLOB_META",
                           "%s: blob '%.200s': Azure cannot keep metadata '%.100s': names are "
                           "identifiers, values plain ASCII, 8 KB in all",
                           s->base.url, item->name, m->name);
        }
        cl_azure_header(call, "x-ms-meta-%s: %s", m->name, m->value);
    }
    return true;
}

bool cl_azure_take_etag(struct cl_blob_item *item, const char *etag)
{
    size_t n = strlen(etag);
    if (n >= 2 && etag[0] == '"' && etag[n - 1] == '"') {
        etag++;
        n -= 2;
    }
    free(item->etag);
    item->etag = n > 0 ? strndup(etag, n) : NULL;
    return n == 0 || item->etag;
}

bool cl_azure_take_md5(struct cl_blob_item *item, const char *base64)
{
    struct cl_buf bytes;
    cl_buf_init(&bytes, 256);
    item->has_md5 =
        cl_base64_decode(&bytes, base64, strlen(base64)) && bytes.len == CL_BLOB_MD5_BYTES;
    if (item->has_md5) {
        memcpy(item->md5, bytes.data, CL_BLOB_MD5_BYTES);
    }
    cl_buf_fini(&bytes);
    return true;
}

int64_t cl_azure_parse_date(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return end && *end == '\0' ? (int64_t)timegm(&tm) * 1000 : 0;
}

bool cl_azure_take_headers(struct cl_blob_item *item, const struct cl_http_response *response)
{
    char value[CL_BLOB_HEADER_MAX + 1];
    bool ok = true;
    if (cl_http_header(response, "etag", value, sizeof value)) {
        ok = cl_azure_take_etag(item, value);
    }
    if (cl_http_header(response, "content-length", value, sizeof value)) {
        item->size = strtoull(value, NULL, 10);
    }
    if (cl_http_header(response, "content-md5", value, sizeof value)) {
        cl_azure_take_md5(item, value);
    }
    if (cl_http_header(response, "last-modified", value, sizeof value)) {
        item->modified_ms = cl_azure_parse_date(value);
    }
    for (int i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s", cl_blob_header_names[i]);
        for (char *p = name; *p; p++) {
            *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        }
        if (cl_http_header(response, name, value, sizeof value)) {
            ok = ok && cl_blob_item_header(item, (enum cl_blob_header)i, value);
        }
    }
    static const char meta[] = "x-ms-meta-";
    char *copy = strdup(cl_buf_str(&response->headers));
    char *rest = copy;
    for (char *line; ok && copy && (line = strsep(&rest, "\n")) != NULL;) {
        char *colon = strstr(line, ": ");
        if (colon && strncmp(line, meta, sizeof meta - 1) == 0) {
            *colon = '\0';
            ok = cl_blob_item_meta(item, line + sizeof meta - 1, colon + 2);
        }
    }
    ok = ok && copy;
    free(copy);
    item->known = true;
    return ok;
}

/* ---------------------------------------------------------------- one blob */

bool cl_azure_no_memory(const struct cl_blob_store *store, struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory", store->url);
}

bool cl_azure_is_missing(const struct cl_err *err)
{
    /* A HEAD may come without a code. */
    return err->class == CL_NOT_FOUND &&
           (strcmp(err->code, "BlobNotFound") == 0 || strcmp(err->code, "HTTP_404") == 0);
}

bool cl_azure_no_blob(const struct cl_blob_store *store, const char *name, struct cl_err *err)
{
    return cl_fail(err, CL_NOT_FOUND, "E_NO_BLOB", "%s: there is no blob '%.200s'", store->url,
                   name);
}

static bool azure_stat(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err)
{
    struct cl_azure_call call = {.method = "HEAD", .name = item->name, .doing = "looking at"};
    struct cl_http_response response;
    cl_http_response_init(&response);
    bool ok = cl_azure_send(cl_azure_of(store), &call, &response, err);
    if (ok) {
        ok = cl_azure_take_headers(item, &response) || cl_azure_no_memory(store, err);
    } else if (cl_azure_is_missing(err)) {
        cl_azure_no_blob(store, item->name, err);
    }
    cl_http_response_fini(&response);
    return ok;
}

static bool azure_remove(struct cl_blob_store *store, const char *name, struct cl_err *err)
{
    struct cl_azure_call call = {.method = "DELETE", .name = name, .doing = "deleting"};
    struct cl_http_response response;
    cl_http_response_init(&response);
    cl_azure_header(&call, "x-ms-delete-snapshots: include");
    bool ok = cl_azure_send(cl_azure_of(store), &call, &response, err) || cl_azure_is_missing(err);
    cl_http_response_fini(&response);
    return ok;
}

/* The service keeps the MD5 it knows; to compute one would be a download. */
static bool azure_digest(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err)
{
    (void)store;
    (void)item;
    (void)err;
    return true;
}

/* ---------------------------------------------------------------- store */

void cl_azure_account_release(struct cl_azure_account *a)
{
    if (!a || atomic_fetch_sub(&a->refs, 1) > 1) {
        return;
    }
    for (int i = 0; i < a->idle_count; i++) {
        cl_http_session_free(a->idle[i]);
    }
    uv_mutex_destroy(&a->lock);
    free(a->endpoint);
    free(a->sas);
    free(a->token);
    free(a->ca_file);
    explicit_bzero(a, sizeof *a);
    free(a);
}

static struct cl_blob_store *azure_clone(const struct cl_blob_store *store, struct cl_err *err)
{
    struct cl_azure_store *clone = malloc(sizeof *clone);
    if (!clone) {
        cl_azure_no_memory(store, err);
        return NULL;
    }
    *clone = *cl_azure_of(store);
    clone->session = NULL;
    atomic_fetch_add(&clone->account->refs, 1);
    return &clone->base;
}

static void azure_free(struct cl_blob_store *store)
{
    struct cl_azure_store *s = cl_azure_of(store);
    struct cl_azure_account *a = s->account;
    if (s->session) {
        uv_mutex_lock(&a->lock);
        if (a->idle_count < CL_AZURE_IDLE_MAX) {
            a->idle[a->idle_count++] = s->session;
            s->session = NULL;
        }
        uv_mutex_unlock(&a->lock);
        cl_http_session_free(s->session);
    }
    cl_azure_account_release(a);
    free(s);
}

/* Azure takes nearly any name; what its own servers would change is refused. */
static bool check_name(const struct cl_blob_store *store, const char *name, struct cl_err *err)
{
    const struct cl_azure_account *a = cl_azure_of(store)->account;
    if (strlen(a->prefix) + strlen(name) > CL_BLOB_NAME_MAX) {
        return cl_fail(err, CL_INVALID, "E_BLOB_NAME",
                       "%s: blob '%.200s': the name is longer than 1,024 bytes", store->url, name);
    }
    if (strchr(name, '\\')) {
        return cl_fail(err, CL_INVALID, "E_BLOB_NAME",
                       "%s: blob '%.200s': Azure reads a backslash as a slash", store->url, name);
    }
    return true;
}

const struct cl_blob_driver cl_azure_driver = {
    .scheme = "azblob",
    .clone = azure_clone,
    .free = azure_free,
    .check_name = check_name,
    .list = cl_azure_list,
    .stat = azure_stat,
    .digest = azure_digest,
    .open = cl_azure_open,
    .read = cl_azure_read,
    .close = cl_azure_close,
    .put = cl_azure_put,
    .remove = azure_remove,
    .copy = cl_azure_copy,
};
