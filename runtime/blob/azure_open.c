/* Azure Blob: a store from its URL and credentials. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "azure.h"
#include "base/hash.h"

static bool out_of_memory(const char *url, struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "blob store '%s': out of memory", url);
}

static bool bad_url(const char *url, const char *why, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_BLOB_URL", "blob store '%s': %s", url, why);
}

static bool only(const char *text, const char *letters)
{
    return text[0] && strspn(text, letters) == strlen(text);
}

/* Takes one part of the URL's path, unescaped, up to "/" or the end. */
static bool take_part(const char **p, char *out, size_t size)
{
    char part[CL_BLOB_URL_MAX];
    size_t len = strcspn(*p, "/");
    snprintf(part, sizeof part, "%.*s", (int)len, *p);
    *p += len + ((*p)[len] == '/' ? 1 : 0);
    struct cl_buf text;
    cl_buf_init(&text, size - 1);
    bool ok = cl_blob_unescape(&text, part);
    snprintf(out, size, "%s", cl_buf_str(&text));
    cl_buf_fini(&text);
    return ok;
}

/* The rest of the URL: "" or "a/b/". */
static bool take_prefix(const char *p, struct cl_azure_account *a)
{
    struct cl_buf text;
    cl_buf_init(&text, sizeof a->prefix - 2);
    bool ok = cl_blob_unescape(&text, p);
    while (text.len > 0 && text.data[text.len - 1] == '/') {
        text.data[--text.len] = '\0';
    }
    for (const char *s = cl_buf_str(&text); ok && *s; s += strcspn(s, "/")) {
        s += *s == '/' ? 1 : 0;
        size_t len = strcspn(s, "/");
        ok = len > 0 && !(len == 1 && s[0] == '.') && !(len == 2 && s[0] == '.' && s[1] == '.');
    }
    snprintf(a->prefix, sizeof a->prefix, "%s%s", cl_buf_str(&text), text.len > 0 ? "/" : "");
    cl_buf_fini(&text);
    return ok;
}

static bool take_url(const char *url, struct cl_azure_account *a, struct cl_err *err)
{
    static const char account[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char container[] = "abcdefghijklmnopqrstuvwxyz0123456789-$";
    const char *p = url + strlen("azblob://");
    if (!take_part(&p, a->name, sizeof a->name) || !only(a->name, account)) {
        return bad_url(url, "the account's name must be lower-case letters and digits", err);
    }
    if (!take_part(&p, a->container, sizeof a->container) || !only(a->container, container) ||
        strlen(a->container) < 3) {
        return bad_url(url,
                       "after the account comes a container: lower-case letters, digits and "
                       "'-', three at least",
                       err);
    }
    if (!take_prefix(p, a)) {
        return bad_url(url, "the prefix is broken: percent-encoded, no empty parts, no '..'", err);
    }
    return true;
}

/* Services at an address rather than a name carry the account in the path. */
static bool is_address(const char *host)
{
    size_t len = strcspn(host, "/");
    size_t name = strcspn(host, ":/");
    return host[0] == '[' || strspn(host, "0123456789.:") == len ||
           (name == 9 && strncmp(host, "localhost", 9) == 0);
}

static bool take_endpoint(const char *url, const struct cl_blob_options *o,
                          struct cl_azure_account *a, struct cl_err *err)
{
    struct cl_buf text;
    cl_buf_init(&text, CL_BLOB_URL_MAX);
    if (!o->endpoint || !o->endpoint[0]) {
        cl_buf_addf(&text, "https://%s.blob.core.windows.net", a->name);
    } else {
        bool http = strncasecmp(o->endpoint, "http://", 7) == 0 ||
                    strncasecmp(o->endpoint, "https://", 8) == 0;
        if (!http || strpbrk(o->endpoint, "?#@ ")) {
            return bad_url(url, "its endpoint must be http:// or https://, without a query", err);
        }
        cl_buf_adds(&text, o->endpoint);
        while (text.len > 0 && text.data[text.len - 1] == '/') {
            text.data[--text.len] = '\0';
        }
        const char *host = strstr(cl_buf_str(&text), "://") + 3;
        if (!strchr(host, '/') && is_address(host)) {
            cl_buf_addf(&text, "/%s", a->name);
        }
    }
    bool ok = !text.failed && (a->endpoint = strdup(cl_buf_str(&text))) != NULL;
    cl_buf_fini(&text);
    if (!ok) {
        return out_of_memory(url, err);
    }
    const char *host = strstr(a->endpoint, "://") + 3;
    a->path = host + strcspn(host, "/");
    return true;
}

static bool take_credentials(const char *url, const struct cl_blob_options *o,
                             struct cl_azure_account *a, struct cl_err *err)
{
    bool ok = true;
    if (o->key && o->key[0]) {
        struct cl_buf key;
        cl_buf_init(&key, CL_AZURE_KEY_MAX);
        ok = cl_base64_decode(&key, o->key, strlen(o->key)) && key.len > 0;
        if (ok) {
            memcpy(a->key, key.data, key.len);
            a->key_bytes = key.len;
        }
        if (key.data) {
            explicit_bzero(key.data, key.cap);
        }
        cl_buf_fini(&key);
        if (!ok) {
            return cl_fail(err, CL_INVALID, "E_BLOB_KEY",
                           "blob store '%s': its account key is not base64", url);
        }
    }
    if (o->sas && o->sas[0]) {
        a->sas = strdup(o->sas + (o->sas[0] == '?' ? 1 : 0));
        ok = ok && a->sas;
    }
    if (o->token && o->token[0]) {
        a->token = strdup(o->token);
        ok = ok && a->token;
    }
    if (o->ca_file && o->ca_file[0]) {
        a->ca_file = strdup(o->ca_file);
        ok = ok && a->ca_file;
    }
    return ok || out_of_memory(url, err);
}

static void print_url(const struct cl_azure_account *a, char out[CL_BLOB_URL_MAX])
{
    struct cl_buf text;
    cl_buf_init(&text, CL_BLOB_URL_MAX - 1);
    cl_buf_addf(&text, "azblob://%s/%s", a->name, a->container);
    if (a->prefix[0]) {
        cl_buf_addc(&text, '/');
        cl_blob_escape(&text, a->prefix, "/");
        text.data[--text.len] = '\0'; /* the prefix's own slash */
    }
    snprintf(out, CL_BLOB_URL_MAX, "%s", cl_buf_str(&text));
    cl_buf_fini(&text);
}

struct cl_blob_store *cl_blob_azure_open(const char *url, const struct cl_blob_options *options,
                                         struct cl_err *err)
{
    struct cl_azure_store *s = calloc(1, sizeof *s);
    struct cl_azure_account *a = calloc(1, sizeof *a);
    if (!s || !a || uv_mutex_init(&a->lock) != 0) {
        free(s);
        free(a);
        out_of_memory(url, err);
        return NULL;
    }
    atomic_store(&a->refs, 1);
    a->page = options->page;
    s->account = a;
    s->base.driver = &cl_azure_driver;
    if (!take_url(url, a, err) || !take_endpoint(url, options, a, err) ||
        !take_credentials(url, options, a, err)) {
        cl_azure_account_release(a);
        free(s);
        return NULL;
    }
    print_url(a, s->base.url);
    return &s->base;
}
