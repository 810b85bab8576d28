/*
 * Azure Blob: copies inside the service, without the bytes passing through here.
 *
 * Up to 256 MiB by Copy Blob From URL, done when it answers; beyond that by Copy Blob, which may
 * answer "pending" and is then asked about until it ends.  The source is named by a URL the service
 * itself can read: with a signature made here for that one blob, the source's own signature, or its
 * bearer token.  A source that is not the one listed (its ETag) is refused by the service.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure.h"
#include "base/clock.h"

enum {
    SAS_HOURS = 24,                    /* a pending copy reads its source for as long as it takes */
    POLL_FIRST_MS = 200,               /* between two looks at a pending copy, growing */
    POLL_MAX_MS = 5000,                /* to this */
    PENDING_MAX_MS = 23 * 3600 * 1000, /* the signature ends soon after */
};

static const uint64_t sync_bytes_max = 256ULL * 1024 * 1024;

/* The services' own copies work for sources the target's service can reach and read. */
static bool source_url(const struct cl_azure_account *from, const char *name, struct cl_buf *url)
{
    char full[CL_BLOB_URL_MAX + CL_BLOB_NAME_MAX + 1];
    cl_azure_url(url, from, name);
    snprintf(full, sizeof full, "%s%s", from->prefix, name);
    if (from->token) {
        return !url->failed;
    }
    if (from->key_bytes > 0) {
        bool https = strncmp(from->endpoint, "https", 5) == 0;
        cl_buf_addc(url, '?');
        return cl_azure_sas(url, from->name, from->key, from->key_bytes, from->container, full,
                            cl_clock_wall_ms() + SAS_HOURS * 3600000LL, https);
    }
    if (from->sas) {
        cl_buf_addf(url, "?%s", from->sas);
    }
    return !url->failed;
}

static void abort_copy(struct cl_azure_store *s, const char *name, const char *id)
{
    struct cl_blob_store quiet = s->base;
    struct cl_azure_call call = {.method = "PUT", .name = name, .doing = "aborting the copy to"};
    struct cl_http_response response;
    struct cl_err ignored;
    cl_http_response_init(&response);
    cl_azure_query(&call, "comp", "copy");
    cl_azure_query(&call, "copyid", id);
    cl_azure_header(&call, "x-ms-copy-action: abort");
    s->base.job = NULL; /* it is stopping, and this is what stopping takes */
    cl_azure_perform(s, &call, &response, &ignored);
    s->base.job = quiet.job;
    cl_azure_call_fini(&call);
    cl_http_response_fini(&response);
}

/* Looks at a pending copy until it ended. */
static bool await_copy(struct cl_azure_store *s, const char *name, const char *id,
                       struct cl_http_response *response, struct cl_err *err)
{
    char status[64] = "pending";
    char now[128];
    int64_t end_ms = cl_clock_boot_ms() + PENDING_MAX_MS;
    int wait_ms = POLL_FIRST_MS;
    while (strcmp(status, "pending") == 0) {
        if (!cl_blob_wait(&s->base, wait_ms, err)) {
            abort_copy(s, name, id);
            return false;
        }
        wait_ms = wait_ms * 3 / 2 < POLL_MAX_MS ? wait_ms * 3 / 2 : POLL_MAX_MS;
        struct cl_azure_call call = {.method = "HEAD", .name = name, .doing = "copying to"};
        bool ok = cl_azure_perform(s, &call, response, err);
        cl_azure_call_fini(&call);
        if (!ok) {
            return false;
        }
        if (!cl_http_header(response, "x-ms-copy-id", now, sizeof now) || strcmp(now, id) != 0) {
            return cl_fail(err, CL_CONFLICT, "E_BLOB_CHANGED",
                           "%s: blob '%.200s' was written by somebody else while it was copied",
                           s->base.url, name);
        }
        if (!cl_http_header(response, "x-ms-copy-status", status, sizeof status)) {
            status[0] = '\0';
        }
        if (cl_clock_boot_ms() > end_ms) {
            abort_copy(s, name, id);
            return cl_fail(err, CL_TIMEOUT, "E_BLOB_PENDING",
                           "%s: copying to blob '%.200s' is still pending after %d hours",
                           s->base.url, name, PENDING_MAX_MS / 3600000);
        }
    }
    if (strcmp(status, "success") != 0) {
        char why[256] = "";
        cl_http_header(response, "x-ms-copy-status-description", why, sizeof why);
        return cl_fail(err, CL_TRANSIENT, "E_BLOB_COPY",
                       "%s: the service's copy to blob '%.200s' ended '%s' %s", s->base.url, name,
                       status, why);
    }
    return true;
}

/* Answers that mean "not this way", not "not at all": the bytes then go through here. */
static bool not_this_way(const struct cl_err *err)
{
    static const char *const codes[] = {"CannotVerifyCopySource",
                                        "CopyAcrossAccountsNotSupported",
                                        "PublicAccessNotPermitted",
                                        "APINotImplemented",
                                        "HTTP_501",
                                        "InvalidSourceBlobUrl",
                                        "InvalidHeaderValue",
                                        "InvalidBlobType",
                                        "UnsupportedHeader"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(err->code, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void describe_copy(const struct cl_azure_store *source, const struct cl_blob_item *item,
                          const char *url, struct cl_azure_call *call)
{
    cl_azure_header(call, "x-ms-copy-source: %s", url);
    if (source->account->token) {
        cl_azure_header(call, "x-ms-copy-source-authorization: Bearer %s", source->account->token);
    }
    if (item->etag) {
        cl_azure_header(call, "x-ms-source-if-match: \"%s\"", item->etag);
    }
    if (item->size <= sync_bytes_max) {
        cl_azure_header(call, "x-ms-requires-sync: true");
    }
}

bool cl_azure_copy(struct cl_blob_store *to, struct cl_blob_store *from,
                   const struct cl_blob_item *item, bool *handled, struct cl_err *err)
{
    *handled = false;
    if (from->driver != &cl_azure_driver) {
        return true;
    }
    struct cl_azure_store *target = cl_azure_of(to);
    struct cl_azure_store *source = cl_azure_of(from);
    /* Copy Blob, for large ones, takes no bearer token for its source. */
    if (source->account->token && item->size > sync_bytes_max) {
        return true;
    }
    struct cl_azure_call call = {.method = "PUT", .name = item->name, .doing = "copying to"};
    struct cl_http_response response;
    struct cl_buf url;
    char status[64] = "success";
    char id[128] = "";
    cl_http_response_init(&response);
    cl_buf_init(&url, 16 * 1024);
    bool ok = source_url(source->account, item->name, &url) ||
              cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory", to->url);
    if (ok) {
        describe_copy(source, item, cl_buf_str(&url), &call);
        ok = cl_azure_perform(target, &call, &response, err);
        *handled = ok || !not_this_way(err);
        if (!ok && (strcmp(err->code, "SourceConditionNotMet") == 0 ||
                    strcmp(err->code, "ConditionNotMet") == 0)) {
            cl_fail(err, CL_CONFLICT, "E_BLOB_CHANGED", "%s: blob '%.200s' has changed meanwhile",
                    from->url, item->name);
        }
    }
    if (ok) {
        cl_http_header(&response, "x-ms-copy-status", status, sizeof status);
        cl_http_header(&response, "x-ms-copy-id", id, sizeof id);
        if (strcmp(status, "success") != 0) {
            ok = await_copy(target, item->name, id, &response, err);
        }
    }
    cl_azure_call_fini(&call);
    cl_http_response_fini(&response);
    cl_buf_fini(&url);
    return ok || !*handled;
}
