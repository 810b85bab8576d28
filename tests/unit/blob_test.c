/* blob: names, URLs, signatures, listings, the folder driver's borders, and the copier against a
 * store that fails on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "blob/azure.h"
#include "blob/copier.h"
#include "blob/md5.h"
#include "blob/sidecar.h"
#include "blob/xml.h"

static const char emulator_key[] = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
                                   "K1SZFPTOtr/KBHBeksoGMGw==";

/* ---------------------------------------------------------------- escapes and URLs */

static void escapes_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *plain;
        const char *escaped;
    } names[] = {{"a/b.txt", "a/b.txt"}, {"a b", "a%20b"},     {"100%", "100%25"},
                 {"%41", "%2541"},       {"a+b", "a%2Bb"},     {"a#b?c", "a%23b%3Fc"},
                 {"\xc3\xbc", "%C3%BC"}, {"trail.", "trail."}, {"~!*()'", "~%21%2A%28%29%27"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct cl_buf a;
        struct cl_buf b;
        cl_buf_init(&a, 100);
        cl_buf_init(&b, 100);
        assert_true(cl_blob_escape(&a, names[i].plain, "/"));
        assert_string_equal(cl_buf_str(&a), names[i].escaped);
        assert_true(cl_blob_unescape(&b, cl_buf_str(&a)));
        assert_string_equal(cl_buf_str(&b), names[i].plain);
        cl_buf_fini(&a);
        cl_buf_fini(&b);
    }
}

static void broken_escapes_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {"%", "%4", "a%zz", "%00", "x%G0"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct cl_buf out;
        cl_buf_init(&out, 100);
        assert_false(cl_blob_unescape(&out, broken[i]));
        cl_buf_fini(&out);
    }
}

static void expect_url(const char *url, const char *endpoint, const char *name, const char *want)
{
    struct cl_err err;
    struct cl_blob_options o = {.endpoint = endpoint};
    struct cl_blob_store *s = cl_blob_open(url, &o, &err);
    assert_non_null(s);
    struct cl_buf out;
    cl_buf_init(&out, 4096);
    assert_true(cl_azure_url(&out, cl_azure_of(s)->account, name));
    assert_string_equal(cl_buf_str(&out), want);
    cl_buf_fini(&out);
    cl_blob_free(s);
}

static void azure_urls(void **state)
{
    (void)state;
    expect_url("azblob://acme/docs", NULL, "a b", "https://acme.blob.core.windows.net/docs/a%20b");
    expect_url("azblob://acme/docs/t%20/x/", NULL, "a",
               "https://acme.blob.core.windows.net/docs/t%20/x/a");
    expect_url("azblob://acme/docs/p", "http://127.0.0.1:10000/acme/", "a",
               "http://127.0.0.1:10000/acme/docs/p/a");
    expect_url("azblob://acme/docs/p", "http://127.0.0.1:10000", "a",
               "http://127.0.0.1:10000/acme/docs/p/a");
    expect_url("azblob://acme/docs/p", "http://[::1]:10000", "a",
               "http://[::1]:10000/acme/docs/p/a");
    expect_url("azblob://acme/docs", "https://blobs.example", NULL, "https://blobs.example/docs");
}

static void errors_print_no_credentials(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_blob_options o = {.key = "not base64: s3cret"};
    assert_null(cl_blob_open("azblob://acme/docs", &o, &err));
    assert_null(strstr(err.message, "s3cret"));
    assert_null(cl_blob_open("azblob://acme/docs?sig=s3cret", NULL, &err));
    assert_null(strstr(err.message, "s3cret"));
    o = (struct cl_blob_options){.endpoint = "https://h/?sig=s3cret"};
    assert_null(cl_blob_open("azblob://acme/docs", &o, &err));
    assert_null(strstr(err.message, "s3cret"));
}

/* ---------------------------------------------------------------- signatures */

static void decode_key(uint8_t *key, size_t *n)
{
    struct cl_buf b;
    cl_buf_init(&b, 200);
    assert_true(cl_base64_decode(&b, emulator_key, strlen(emulator_key)));
    memcpy(key, b.data, b.len);
    *n = b.len;
    cl_buf_fini(&b);
}

/* The example of Microsoft's documentation; the signature computed independently. */
static void shared_key_of_the_documentation(void **state)
{
    (void)state;
    uint8_t key[CL_AZURE_KEY_MAX];
    size_t n;
    decode_key(key, &n);
    struct cl_azure_request r = {
        .method = "GET",
        .account = "myaccount",
        .path = "/mycontainer",
        .query = {{"restype", "container"}, {"comp", "metadata"}, {"timeout", "20"}},
        .query_count = 3,
        .headers = {"x-ms-version: 2015-02-21", "x-ms-date: Fri, 26 Jun 2015 23:39:12 GMT"}};
    struct cl_buf text;
    struct cl_buf signature;
    cl_buf_init(&text, 4096);
    cl_buf_init(&signature, 200);
    assert_true(cl_azure_string_to_sign(&text, &r));
    assert_string_equal(cl_buf_str(&text),
                        "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
                        "x-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\n"
                        "restype:container\ntimeout:20");
    assert_true(cl_azure_sign(&signature, key, n, cl_buf_str(&text)));
    assert_string_equal(cl_buf_str(&signature), "1u9lui2jDxj0+fpbHjQ5m5NnastJRSYM+PSmfi8TXx4=");
    cl_buf_fini(&text);
    cl_buf_fini(&signature);
}

static void shared_key_covers_body_and_headers(void **state)
{
    (void)state;
    struct cl_azure_request r = {
        .method = "PUT",
        .account = "acme",
        .path = "/acme/docs/a%20b",
        .headers = {"x-ms-meta-b:  padded ", "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==",
                    "x-ms-blob-type: BlockBlob", "Content-Type: text/plain", "X-Ms-Meta-A: 1",
                    "If-Match: \"0x1\"", "x-ms-meta: none"},
        .body_bytes = 5};
    struct cl_buf text;
    cl_buf_init(&text, 4096);
    assert_true(cl_azure_string_to_sign(&text, &r));
    assert_string_equal(
        cl_buf_str(&text),
        "PUT\n\n\n5\nXUFAKrxLKna5cZ2REBfFkg==\ntext/plain\n\n\n\"0x1\"\n\n\n\n"
        "x-ms-blob-type:BlockBlob\nx-ms-meta:none\nx-ms-meta-a:1\nx-ms-meta-b:padded"
        "\n/acme/acme/docs/a%20b");
    cl_buf_fini(&text);
}

/* Computed independently from the documented sixteen fields. */
static void sas_for_one_blob(void **state)
{
    (void)state;
    uint8_t key[CL_AZURE_KEY_MAX];
    size_t n;
    decode_key(key, &n);
    struct cl_buf out;
    cl_buf_init(&out, 4096);
    assert_true(
        cl_azure_sas(&out, "acme", key, n, "docs", "a b/\xc3\xbc.txt", 1795363200000LL, true));
    assert_string_equal(cl_buf_str(&out),
                        "sv=2021-12-02&sr=b&sp=r&se=2026-11-22T16%3A00%3A00Z&spr=https&sig="
                        "9IqDfGx%2BDqywyUFA8t4lXmzR3KVu20mYS2i7F8r6bus%3D");
    cl_buf_fini(&out);
}

static void dates(void **state)
{
    (void)state;
    char date[CL_AZURE_DATE_BYTES];
    cl_azure_date(1795363200000LL, date);
    assert_string_equal(date, "Sun, 22 Nov 2026 16:00:00 GMT");
    assert_int_equal(cl_azure_parse_date(date), 1795363200000LL);
    assert_int_equal(cl_azure_parse_date("yesterday"), 0);
}

/* ---------------------------------------------------------------- XML */

static bool parse(const char *xml, struct cl_blob_items *items, struct cl_buf *marker,
                  struct cl_err *err)
{
    return cl_azure_parse_page(xml, strlen(xml), "p/", items, marker, err);
}

static void listing_of_two(void **state)
{
    (void)state;
    static const char xml[] =
        "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
        "<EnumerationResults ServiceEndpoint=\"https://x/\" "
        "ContainerName='docs'><Prefix>p/</Prefix>"
        "<Blobs><Blob><Name>p/a &lt;&amp;&#x20AC;&#65;&gt; .txt</Name><Properties>"
        "<Last-Modified>Sun, 22 Nov 2026 16:00:00 GMT</Last-Modified><Etag>\"0x8D\"</Etag>"
        "<Content-Length>1234567890123</Content-Length><Content-Type>text/plain</Content-Type>"
        "<Content-Encoding /><Content-MD5>XUFAKrxLKna5cZ2REBfFkg==</Content-MD5>"
        "<BlobType>BlockBlob</BlobType></Properties><Metadata><Author>J &amp; D</Author></Metadata>"
        "<OrMetadata /></Blob><Blob><Name Encoded=\"true\">p/b%EF%BF%BE</Name><Properties>"
        "<Content-Length>0</Content-Length></Properties></Blob><!-- > --></Blobs>"
        "<NextMarker>2!m&amp;</NextMarker></EnumerationResults>\n";
    struct cl_blob_items items = {0};
    struct cl_buf marker;
    struct cl_err err;
    cl_buf_init(&marker, 1000);
    assert_true(parse(xml, &items, &marker, &err));
    assert_int_equal(items.count, 2);
    const struct cl_blob_item *a = &items.item[0];
    assert_string_equal(a->name, "a <&\xe2\x82\xac"
                                 "A> .txt");
    assert_string_equal(a->etag, "0x8D");
    assert_true(a->size == 1234567890123ULL);
    assert_string_equal(a->headers[CL_BLOB_CONTENT_TYPE], "text/plain");
    assert_null(a->headers[CL_BLOB_CONTENT_ENCODING]);
    assert_true(a->has_md5 && a->md5[0] == 0x5d && a->md5[15] == 0x92);
    assert_int_equal(a->meta_count, 1);
    assert_string_equal(a->meta[0].name, "author");
    assert_string_equal(a->meta[0].value, "J & D");
    assert_true(a->modified_ms == 1795363200000LL);
    assert_string_equal(items.item[1].name, "b\xEF\xBF\xBE");
    assert_false(items.item[1].has_md5);
    assert_string_equal(cl_buf_str(&marker), "2!m&");
    cl_blob_items_fini(&items);
    cl_buf_fini(&marker);
}

static void hostile_listings_are_refused(void **state)
{
    (void)state;
#define PAGE(inner) "<EnumerationResults><Blobs>" inner "</Blobs></EnumerationResults>"
    static const char *const bad[] = {
        "",
        "not xml",
        "<html><body>proxy says no</body></html>",
        "<EnumerationResults>",
        "<EnumerationResults></Enumeration>",
        "<a/><b/>",
        "<!DOCTYPE x [<!ENTITY a \"b\">]><EnumerationResults/>",
        "<EnumerationResults><!ENTITY a 'b'></EnumerationResults>",
        PAGE("<Blob><Name>p/&bomb;</Name></Blob>"),
        PAGE("<Blob><Name>p/&#0;</Name></Blob>"),
        PAGE("<Blob><Name>p/&#x110000;</Name></Blob>"),
        PAGE("<Blob><Name>p/&#xD800;</Name></Blob>"),
        PAGE("<Blob><Name>p/&#99999999999999999999;</Name></Blob>"),
        PAGE("<Blob><Name Encoded=\"true\">p/%00</Name></Blob>"),
        PAGE("<Blob><Name>elsewhere/a</Name></Blob>"),
        PAGE("<Blob></Blob>"),
        PAGE("<Blob><Name a>p/a</Name></Blob>"),
        PAGE("<Blob><Name a=\"1>p/a</Name></Blob>"),
        PAGE("<Blob><Name"),
        PAGE("<![CDATA[never closed"),
        "<EnumerationResults/>text",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cl_blob_items items = {0};
        struct cl_buf marker;
        struct cl_err err;
        cl_buf_init(&marker, 1000);
        if (parse(bad[i], &items, &marker, &err)) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_string_equal(err.code, "E_BLOB_LISTING");
        cl_blob_items_fini(&items);
        cl_buf_fini(&marker);
    }
}

/* Every prefix of a good document, and deep nesting: an error, never a crash. */
static void xml_cut_anywhere(void **state)
{
    (void)state;
    static const char xml[] = "<?xml version='1.0'?><a b=\"c\"><!-- x --><d>&lt;&#65;</d>"
                              "<![CDATA[<>]]><e/></a>";
    for (size_t n = 0; n < sizeof xml; n++) {
        /* Exactly n bytes, so that the sanitizer sees a read beyond. */
        char *copy = malloc(n + 1);
        memcpy(copy, xml, n);
        copy = realloc(copy, n > 0 ? n : 1);
        struct cl_xml x;
        cl_xml_init(&x, copy, n);
        enum cl_xml_event event;
        do {
            event = cl_xml_next(&x);
        } while (event == CL_XML_OPEN || event == CL_XML_CLOSE);
        assert_int_equal(event, n == sizeof xml - 1 ? CL_XML_END : CL_XML_ERROR);
        cl_xml_fini(&x);
        free(copy);
    }
    struct cl_buf deep;
    cl_buf_init(&deep, 10000);
    for (int i = 0; i < 1000; i++) {
        cl_buf_adds(&deep, "<a>");
    }
    struct cl_xml x;
    cl_xml_init(&x, deep.data, deep.len);
    int opened = 0;
    while (cl_xml_next(&x) == CL_XML_OPEN) {
        opened++;
    }
    assert_int_equal(opened, CL_XML_DEPTH_MAX);
    cl_xml_fini(&x);
    cl_buf_fini(&deep);
}

/* ---------------------------------------------------------------- folders */

static struct cl_blob_store *open_folder(char dir[64])
{
    struct cl_err err;
    char url[100];
    snprintf(dir, 64, "/tmp/blob_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(url, sizeof url, "file://%s/root", dir);
    struct cl_blob_store *s = cl_blob_open(url, NULL, &err);
    assert_non_null(s);
    return s;
}

static void put(struct cl_blob_store *s, const char *name, const char *text)
{
    struct cl_err err = {0};
    struct cl_blob_item item = {.name = strdup(name)};
    if (!cl_blob_put_bytes(s, &item, text, strlen(text), &err)) {
        fail_msg("%s", err.message);
    }
    cl_blob_item_fini(&item);
}

static void expect_fail(struct cl_blob_store *s, const char *name, const char *code)
{
    struct cl_err err = {0};
    struct cl_blob_item item = {.name = strdup(name)};
    assert_false(cl_blob_put_bytes(s, &item, "x", 1, &err));
    assert_string_equal(err.code, code);
    assert_false(cl_blob_delete(s, name, &err));
    assert_string_equal(err.code, code);
    struct cl_buf out;
    cl_buf_init(&out, CL_BLOB_MEMORY_MAX);
    assert_false(cl_blob_get(s, name, &out, &err));
    assert_string_equal(err.code, code);
    assert_non_null(strstr(err.message, s->url));
    cl_buf_fini(&out);
    cl_blob_item_fini(&item);
}

static void shell_path(char *out, const char *dir, const char *rest)
{
    snprintf(out, 200, "%s/%s", dir, rest);
}

static void clean(struct cl_blob_store *s, const char *dir)
{
    struct cl_err err;
    size_t count = 0;
    char path[200];
    assert_true(cl_blob_delete_all(s, "", &count, &err));
    shell_path(path, dir, "root");
    rmdir(path);
    assert_int_equal(rmdir(dir), 0);
    cl_blob_free(s);
}

static void symbolic_links_lead_nowhere(void **state)
{
    (void)state;
    char dir[64];
    char link[200];
    char secret[200];
    struct cl_err err;
    struct cl_blob_store *s = open_folder(dir);
    put(s, "inside/a", "a");
    shell_path(secret, dir, "secret");
    FILE *f = fopen(secret, "w");
    assert_non_null(f);
    fputs("hush", f);
    fclose(f);
    shell_path(link, dir, "root/out");
    assert_int_equal(symlink(dir, link), 0);
    expect_fail(s, "out/secret", "E_BLOB_SYMLINK");
    struct cl_blob_items items = {0};
    assert_false(cl_blob_list(s, "", &items, &err));
    assert_string_equal(err.code, "E_BLOB_SYMLINK");
    cl_blob_items_fini(&items);
    assert_true(cl_blob_list(s, "inside/", &items, &err));
    assert_int_equal(items.count, 1);
    cl_blob_items_fini(&items);
    assert_int_equal(access(secret, F_OK), 0);
    unlink(link);
    assert_int_equal(symlink(secret, link), 0);
    struct cl_buf out;
    cl_buf_init(&out, CL_BLOB_MEMORY_MAX);
    assert_false(cl_blob_get(s, "out", &out, &err));
    assert_string_equal(err.code, "E_BLOB_SYMLINK");
    cl_buf_fini(&out);
    unlink(link);
    unlink(secret);
    clean(s, dir);
}

static void names_that_leave_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",  "/etc/passwd", "../x",  "a/../../x", "a//b",        "a/",
                                      ".", "..",          "a/./b", ".cl-tmp.1", "a/.cl-meta.x"};
    char dir[64];
    struct cl_blob_store *s = open_folder(dir);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_fail(s, bad[i], "E_BLOB_NAME");
    }
    clean(s, dir);
}

/* A put that fails half-way leaves the old blob and no temporary file. */
static long break_off(void *arg, void *bytes, size_t n, struct cl_err *err)
{
    (void)n;
    int *calls = arg;
    if (++*calls > 1) {
        cl_fail(err, CL_TRANSIENT, "E_TEST", "the source broke off");
        return -1;
    }
    memcpy(bytes, "half", 4);
    return 4;
}

static void a_failed_put_changes_nothing(void **state)
{
    (void)state;
    char dir[64];
    char path[200];
    struct cl_err err;
    struct cl_blob_store *s = open_folder(dir);
    put(s, "a", "old");
    int calls = 0;
    struct cl_blob_source source = {.read = break_off, .arg = &calls};
    struct cl_blob_item item = {.name = strdup("a"), .size = 8};
    assert_false(cl_blob_put(s, &item, &source, &err));
    assert_string_equal(err.code, "E_TEST");
    assert_true(cl_blob_item_header(&item, CL_BLOB_CONTENT_TYPE, "text/plain"));
    item.has_md5 = true; /* all zero: not that of any content */
    assert_false(cl_blob_put_bytes(s, &item, "new", 3, &err));
    assert_string_equal(err.code, "E_BLOB_DIGEST");
    cl_blob_item_fini(&item);
    struct cl_buf out;
    cl_buf_init(&out, CL_BLOB_MEMORY_MAX);
    assert_true(cl_blob_get(s, "a", &out, &err));
    assert_string_equal(cl_buf_str(&out), "old");
    cl_buf_fini(&out);
    /* Nothing but "a" is there: without it the folder is empty and can go. */
    assert_true(cl_blob_delete(s, "a", &err));
    shell_path(path, dir, "root");
    assert_int_equal(rmdir(path), 0);
    clean(s, dir);
}

/* A put that was killed leaves its temporary file; the next put of that blob takes it over. While
 * somebody holds it, another writer gets by without. */
static void temporary_files_do_not_pile_up(void **state)
{
    (void)state;
    char dir[64];
    char hidden[CL_HIDDEN_NAME];
    char rest[CL_HIDDEN_NAME + 8];
    char path[200];
    struct cl_err err;
    struct cl_blob_store *s = open_folder(dir);
    put(s, "keep", "k");
    cl_hidden_name("a", "temp", hidden);
    snprintf(rest, sizeof rest, "root/%s", hidden);
    shell_path(path, dir, rest);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("much longer than what comes", f);
    fflush(f);
    put(s, "a", "new");
    assert_int_equal(access(path, F_OK), -1);
    fclose(f);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(flock(fileno(f), LOCK_EX), 0);
    put(s, "a", "newer");
    assert_int_equal(access(path, F_OK), 0);
    fclose(f);
    put(s, "a", "newest");
    assert_int_equal(access(path, F_OK), -1);
    struct cl_buf out;
    cl_buf_init(&out, CL_BLOB_MEMORY_MAX);
    assert_true(cl_blob_get(s, "a", &out, &err));
    assert_string_equal(cl_buf_str(&out), "newest");
    cl_buf_fini(&out);
    clean(s, dir);
}

/* ---------------------------------------------------------------- copies that go wrong */

/* A folder behind a driver that misbehaves as told. */
struct faulty {
    struct cl_blob_store base;   /* first */
    struct cl_blob_store *inner; /* owned */
};

static struct {
    atomic_int fail_puts; /* so many puts fail, retryable */
    atomic_int puts;      /* made */
    const char *lose;     /* a put of this name does nothing */
    const char *garble;   /* a put of this name keeps other bytes of the same number */
    enum cl_class class;  /* of the failing puts */
    int retry_after_ms;   /* they ask for */
} plan;

static const struct cl_blob_driver faulty_driver;

static struct cl_blob_store *inner_of(const struct cl_blob_store *s)
{
    return ((const struct faulty *)s)->inner;
}

static struct cl_blob_store *faulty_new(struct cl_blob_store *inner)
{
    struct faulty *f = calloc(1, sizeof *f);
    f->base = *inner;
    f->base.driver = &faulty_driver;
    f->inner = inner;
    return &f->base;
}

static struct cl_blob_store *faulty_clone(const struct cl_blob_store *s, struct cl_err *err)
{
    return faulty_new(cl_blob_clone(inner_of(s), NULL, err));
}

static void faulty_free(struct cl_blob_store *s)
{
    cl_blob_free(inner_of(s));
    free(s);
}

static bool faulty_check(const struct cl_blob_store *s, const char *name, struct cl_err *err)
{
    return inner_of(s)->driver->check_name(inner_of(s), name, err);
}

static bool faulty_list(struct cl_blob_store *s, const char *prefix, struct cl_blob_items *items,
                        struct cl_err *err)
{
    return cl_blob_list(inner_of(s), prefix, items, err);
}

static bool faulty_digest(struct cl_blob_store *s, struct cl_blob_item *item, struct cl_err *err)
{
    return cl_blob_digest(inner_of(s), item, err);
}

static bool faulty_put(struct cl_blob_store *s, struct cl_blob_item *item,
                       const struct cl_blob_source *source, struct cl_err *err)
{
    atomic_fetch_add(&plan.puts, 1);
    if (atomic_fetch_sub(&plan.fail_puts, 1) > 0) {
        cl_fail(err, plan.class, "E_TEST", "told to fail");
        err->retry_after_ms = plan.retry_after_ms;
        return false;
    }
    if (plan.lose && strcmp(plan.lose, item->name) == 0) {
        return true;
    }
    if (!cl_blob_put(inner_of(s), item, source, err)) {
        return false;
    }
    if (plan.garble && strcmp(plan.garble, item->name) == 0) {
        struct cl_blob_item other = {.name = strdup(item->name)};
        bool ok = cl_blob_put_bytes(inner_of(s), &other, "#########", item->size, err);
        cl_blob_item_fini(&other);
        return ok;
    }
    return true;
}

static const struct cl_blob_driver faulty_driver = {.scheme = "faulty",
                                                    .clone = faulty_clone,
                                                    .free = faulty_free,
                                                    .check_name = faulty_check,
                                                    .list = faulty_list,
                                                    .digest = faulty_digest,
                                                    .put = faulty_put};

/* Copies two blobs through the plan; what came of it. */
static bool copy_two(struct cl_err *err)
{
    char from_dir[64];
    char to_dir[64];
    struct cl_blob_store *from = open_folder(from_dir);
    struct cl_blob_store *to = open_folder(to_dir);
    put(from, "one", "111");
    put(from, "two", "222");
    struct cl_blob_copy c = {.concurrency = 2, .verify = true};
    c.from = cl_blob_clone(from, NULL, err);
    c.to = faulty_new(cl_blob_clone(to, NULL, err));
    assert_true(cl_blob_list(from, "", &c.items, err));
    bool ok = cl_blob_copy_run(NULL, &c, err);
    cl_blob_copy_fini(&c);
    clean(from, from_dir);
    clean(to, to_dir);
    return ok;
}

static int forget_plan(void **state)
{
    (void)state;
    memset(&plan, 0, sizeof plan);
    return 0;
}

static void a_lost_blob_is_noticed(void **state)
{
    (void)state;
    struct cl_err err;
    plan.lose = "two";
    assert_false(copy_two(&err));
    assert_int_equal(err.class, CL_CONFLICT);
    assert_string_equal(err.code, "E_BLOB_VERIFY");
    assert_non_null(strstr(err.message, "'two'"));
}

static void other_bytes_of_the_same_length_are_noticed(void **state)
{
    (void)state;
    struct cl_err err;
    plan.garble = "one";
    assert_false(copy_two(&err));
    assert_string_equal(err.code, "E_BLOB_VERIFY");
    assert_non_null(strstr(err.message, "'one'"));
}

static void a_passing_failure_is_tried_again(void **state)
{
    (void)state;
    struct cl_err err;
    atomic_store(&plan.fail_puts, 1);
    plan.class = CL_THROTTLED;
    plan.retry_after_ms = 100;
    assert_true(copy_two(&err));
    assert_int_equal(atomic_load(&plan.puts), 3);
}

static void tries_are_bounded(void **state)
{
    (void)state;
    struct cl_err err;
    atomic_store(&plan.fail_puts, 1000);
    plan.class = CL_TRANSIENT;
    assert_false(copy_two(&err));
    assert_string_equal(err.code, "E_TEST");
    assert_true(atomic_load(&plan.puts) <= 2 * CL_BLOB_OBJECT_ATTEMPTS);
}

static void a_refusal_is_not_tried_again(void **state)
{
    (void)state;
    struct cl_err err;
    atomic_store(&plan.fail_puts, 1000);
    plan.class = CL_PERMISSION;
    assert_false(copy_two(&err));
    assert_int_equal(err.class, CL_PERMISSION);
    assert_true(atomic_load(&plan.puts) <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_round_trip),
        cmocka_unit_test(broken_escapes_are_refused),
        cmocka_unit_test(azure_urls),
        cmocka_unit_test(errors_print_no_credentials),
        cmocka_unit_test(shared_key_of_the_documentation),
        cmocka_unit_test(shared_key_covers_body_and_headers),
        cmocka_unit_test(sas_for_one_blob),
        cmocka_unit_test(dates),
        cmocka_unit_test(listing_of_two),
        cmocka_unit_test(hostile_listings_are_refused),
        cmocka_unit_test(xml_cut_anywhere),
        cmocka_unit_test(symbolic_links_lead_nowhere),
        cmocka_unit_test(names_that_leave_are_refused),
        cmocka_unit_test(a_failed_put_changes_nothing),
        cmocka_unit_test(temporary_files_do_not_pile_up),
        cmocka_unit_test_setup(a_lost_blob_is_noticed, forget_plan),
        cmocka_unit_test_setup(other_bytes_of_the_same_length_are_noticed, forget_plan),
        cmocka_unit_test_setup(a_passing_failure_is_tried_again, forget_plan),
        cmocka_unit_test_setup(tries_are_bounded, forget_plan),
        cmocka_unit_test_setup(a_refusal_is_not_tried_again, forget_plan),
    };
    return cmocka_run_group_tests_name("blob", tests, NULL, NULL);
}
